"""
# crawl_raw_data: let the catalog know what is in the raw zone

**What.** Runs the stack's Glue crawler over `raw-data/`, which registers new dates as partitions of
`stock_data_table` and new fields as columns, registers the date of the next session, and then compares the table's
columns with those agreed.

**When, and why then.** Once, 15 minutes after the close of the New York Stock Exchange, before `daily_rollup`. Today's
quotes are found all day, for yesterday's run has registered today. A crawl looks at everything that is kept, so that
each more would cost more every day.

**Input.** The objects under `raw-data/dt=…/`.

**Output.** Partitions and columns in the Glue database, and an event of the asset `raw_quotes`, which says how many
dates there are and starts `repair_partitions`. If the columns differ from those agreed, one message to the operations
topic; the next one comes when the difference changes or is gone.

**Start by hand.** *Trigger*; there is nothing to choose.

**Rerun safety.** Any number of times. If the crawler is already running, the run waits for it.

**When it fails.**
- `crawl`: Glue's last error is in the log and in the console under Crawlers. A crawler without permission or with a
  broken object names it. Until it works, `repair_partitions` registers dates without it.
- `register_coming_session`: the table is missing, or Glue refused; until it works today's quotes are found after the
  close only, or after `repair_partitions`.
- `notice_schema_drift` does not fail over a difference, only if the table is missing: run `tapeline deploy`.
"""

from datetime import timedelta

from airflow.providers.amazon.aws.operators.glue_crawler import GlueCrawlerRunOperator
from airflow.sdk import chain, dag, task

from tapeline.airflow import tasks
from tapeline.airflow.connection import MACROS
from tapeline.airflow.defaults import DAG_DEFAULT_ARGS, RAW_QUOTES, START_DATE, headline
from tapeline.airflow.timetables import TradingHoursTimetable
from tapeline.airflow.trouble import deadline


@dag(
    description=headline(__doc__),
    schedule=TradingHoursTimetable(every=None, after_close=timedelta(minutes=15)),
    start_date=START_DATE,
    catchup=False,  # the newest crawl finds everything
    max_active_runs=1,  # Glue runs a crawler once at a time
    default_args=DAG_DEFAULT_ARGS,
    user_defined_macros=MACROS,
    deadline=deadline(timedelta(minutes=30)),
    tags=["catalog", "after the close"],
    doc_md=__doc__,
)
def crawl_raw_data():
    """Crawl, register tomorrow, compare, hand on."""

    @task
    def register_coming_session():
        return tasks.register_coming_session()

    @task(outlets=[RAW_QUOTES])
    def notice_schema_drift(outlet_events=None):
        outlet_events[RAW_QUOTES].extra.update(tasks.describe_raw_zone())
        return tasks.watch_schema()

    crawl = GlueCrawlerRunOperator(
        task_id="crawl",
        crawler_name="{{ names().crawler_name }}",
        poll_interval=2,
        fail_on_already_running=False,  # an earlier try of this task may have started it
    )
    chain(crawl, register_coming_session(), notice_schema_drift())


crawl_raw_data()
