"""
# repair_partitions: make the catalog agree with the raw zone

**What.** Compares the dates under `raw-data/` with the partitions of `stock_data_table`: registers dates that are
missing, points those elsewhere to their place, removes those whose objects are gone, and names keys that belong to no
date. It lists the bucket once and changes only what differs, up to a hundred partitions a call: seconds where `MSCK
REPAIR TABLE` takes minutes.

**When, and why then.** After each crawl (`raw_quotes`): whatever the crawler left out is there a moment later, and
what a lifecycle rule expired is no longer asked for.

**Input.** The keys under `raw-data/dt=…/`, and the table's partitions.

**Output.** Partitions in the Glue database. The log and the task's return value say what was done, date by date.

**Start by hand.** *Trigger* with a range of dates, or without for all. A run by hand is a dry run, which lists what it
would do, unless *dry run* is switched off. A run after a crawl always acts.

**Rerun safety.** Any number of times; when both agree nothing is done. No object is touched. A date is looked at once
more before its partition is removed, in case a quote has just come.

**When it fails.** `repair` names the dates that Glue refused, and has done the others; clear it. *The table is
missing*: run `tapeline deploy`. Many dates to remove at once may mean that the bucket's objects were deleted: restore
them, or run it with dry run off to accept that.
"""

from datetime import timedelta

from airflow.sdk import dag, task

from tapeline.airflow import tasks
from tapeline.airflow.defaults import DAG_DEFAULT_ARGS, RAW_QUOTES, START_DATE, date_param, headline, switch_param
from tapeline.airflow.trouble import deadline


@dag(
    description=headline(__doc__),
    schedule=[RAW_QUOTES],
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,  # two at once would register the same dates
    default_args=DAG_DEFAULT_ARGS,
    deadline=deadline(timedelta(minutes=30)),
    params={
        "first": date_param("First date", "Only trading dates from this one on; empty for no bound."),
        "last": date_param("Last date", "Only trading dates up to this one; empty for no bound."),
        "dry_run": switch_param(
            True, "Dry run", "Only list what would be done. Of no effect on the runs that follow a crawl: they act."
        ),
    },
    tags=["catalog", "by hand"],
    doc_md=__doc__,
)
def repair_partitions():
    """Compare and repair."""

    @task
    def repair(params=None, dag_run=None):
        follows_a_crawl = dag_run.run_type == "asset_triggered"
        return tasks.repair(params["first"], params["last"], dry_run=params["dry_run"] and not follows_a_crawl)

    repair()


repair_partitions()
