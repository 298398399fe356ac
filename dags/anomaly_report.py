"""
# anomaly_report: a session in one page and one mail

**What.** Writes what happened in a session: the market in one line, the largest moves, anomalies beside what is usual
for their symbols, silences of the feed, completeness and freshness, and what the day cost at list prices.

**When, and why then.** As soon as `daily_rollup` has published the session in `daily_summary`, checked: readers of the
mail need not doubt its figures.

**Input.** `daily_summary`, `anomalies`, `minute_bars` and the raw zone's partition of the session, by the statements
in `include/sql/reports`.

**Output.** A page with charts in the bucket, `reports/dt=YYYY-MM-DD/anomaly-report.html`, and one message with the
same figures to the topic for people. A session without anomalies gets a message too, a short one. Then an event of the
asset `trading_weeks`, which starts `weekly_report`, if all sessions of the week are rolled up or the week was reported
before; else `hand_on_week` is skipped, and its log says which sessions are awaited.

**Start by hand.** *Trigger*: without a session it is the newest that is rolled up. With *Send again* the mail is sent
even if it has nothing new. To have the figures computed again, roll the session up again (`daily_rollup`): this report
follows.

**Rerun safety.** The same figures are sent once: a rerun finds that they were and does nothing. Other figures replace
the page, and a mail follows whose subject says that it corrects the former one. A run killed between sending and
remembering sends once more, never not at all.

**When it fails.**
- `write_and_send` with *does not trade* or *expected the date*: the run is for no session; the message names those
  around it. Start it for one of them.
- Athena's reason in the log: a curated table is missing or a statement was stopped at the work group's scan limit.
- No mail though it succeeded: `tapeline status` shows whether the address has confirmed.
"""

from datetime import timedelta

from airflow.sdk import PartitionedAssetTimetable, dag, task

from tapeline.airflow import tasks
from tapeline.airflow.defaults import (
    CURATED,
    DAG_DEFAULT_ARGS,
    START_DATE,
    TRADING_WEEKS,
    date_param,
    headline,
    switch_param,
)
from tapeline.airflow.timetables import TradingSessionMapper
from tapeline.airflow.trouble import deadline


@dag(
    description=headline(__doc__),
    schedule=PartitionedAssetTimetable(
        assets=CURATED["daily_summary"],
        default_partition_mapper=TradingSessionMapper(),  # type: ignore[arg-type]
    ),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=2,  # a backfill of many sessions must not crowd out everything else
    default_args=DAG_DEFAULT_ARGS,
    deadline=deadline(timedelta(minutes=20)),
    params={
        "session": date_param(
            "Session", "Empty for the newest session that is rolled up. A run with a key of its own keeps to it."
        ),
        "again": switch_param(False, "Send again", "Write the page and send the mail even if nothing in them is new."),
    },
    tags=["report", "per session"],
    doc_md=__doc__,
)
def anomaly_report():
    """Write the page, send the mail, see to the week."""

    @task
    def write_and_send(partition_key=None, params=None):
        return tasks.send_report("anomaly_report", partition_key or params["session"], again=params["again"])

    @task(outlets=[TRADING_WEEKS])
    def hand_on_week(sent, outlet_events=None):
        outlet_events[TRADING_WEEKS].add_partitions(tasks.week_to_report(sent["session"]))

    hand_on_week(write_and_send())


anomaly_report()
