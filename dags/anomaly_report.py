"""
# anomaly_report: a session in one page and one mail

**What.** Writes what happened in a session: the market in one line, the largest moves, anomalies beside what is usual
for their symbols, silences of the feed, completeness and freshness, and what the day cost at list prices.

**When, and why then.** As soon as `daily_rollup` has published the session in `daily_summary`, checked: readers of the
mail need not doubt its figures.

**Input.** `daily_summary`, `anomalies`, `minute_bars` and the raw zone's partition of the session, by the statements
in `include/sql/reports`.

**Output.** A page with charts in the bucket, `reports/dt=YYYY-MM-DD/anomaly-report.html`, and one message with the
same figures to the topic for people. A session without anomalies gets a message too, a short one.

**Start by hand.** Roll the session up again (`daily_rollup`, Backfill), or start this one for a session by the API:
`POST /api/v2/dags/anomaly_report/dagRuns` with `{"logical_date": null, "partition_key": "2026-03-12"}`. With the
parameter *again* the mail is sent even if it tells nothing new.

**Rerun safety.** The same figures are sent once: a rerun finds that they were and does nothing. Other figures replace
the page, and a mail follows whose subject says that it corrects the former one. A run killed between sending and
remembering sends once more, never not at all.

**When it fails.**
- `write_and_send` with *no partition key*: start it as said above.
- Athena's reason in the log: a curated table is missing or a statement was stopped at the work group's scan limit.
- No mail though it succeeded: `tapeline status` tells whether the address has confirmed.
"""

from datetime import timedelta

from airflow.sdk import IdentityMapper, Param, PartitionedAssetTimetable, dag, task

from tapeline import orchestration
from tapeline.orchestration import DAG_DEFAULT_ARGS, DAILY_SUMMARY, START_DATE


@dag(
    schedule=PartitionedAssetTimetable(assets=DAILY_SUMMARY, default_partition_mapper=IdentityMapper()),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=2,  # a backfill of many sessions must not crowd out everything else
    default_args=DAG_DEFAULT_ARGS,
    deadline=orchestration.deadline(timedelta(minutes=20)),
    params={
        "again": Param(
            False,
            type="boolean",
            title="Send again",
            description="Write the page and send the mail even if they tell what was sent before.",
        ),
    },
    tags=["report", "per session"],
    doc_md=__doc__,
)
def anomaly_report():
    """Write the page, send the mail."""

    @task
    def write_and_send(partition_key=None, params=None):
        return orchestration.send_report("anomaly_report", partition_key, again=params["again"])

    write_and_send()


anomaly_report()
