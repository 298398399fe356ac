"""
# weekly_report: a trading week in one page and one mail

**What.** The same as `anomaly_report`, over the sessions of a week, with a line for each of them.

**When, and why then.** As soon as every session of a week is in `daily_summary` and the last of them is reported: on
Friday evening, or on Thursday before Good Friday; the week of Thanksgiving is whole after four sessions. A week of
which a session was never rolled up gets no report until it is. And again whenever a session of a week that is whole, or
was reported, is rolled up again: so a corrected session corrects its week.

**Input.** `daily_summary`, `anomalies`, `minute_bars` and the raw zone's partitions of the week, by the statements in
`include/sql/reports`.

**Output.** A page with charts in the bucket, `reports/dt=<last session>/weekly-report.html`, and one message with the
same figures to the topic for people.

**Start by hand.** *Trigger*: without a week it is the newest that is whole. A week that is not is reported as far as
it has come. With *Send again* the mail is sent even if it has nothing new.

**Rerun safety.** The same figures are sent once; other figures replace the page, and a mail follows whose subject says
that it corrects the former one.

**When it fails.** As `anomaly_report`. If it did not start although the week is over, a session is missing: the log of
`hand_on_week` in the newest `anomaly_report` of that week names it; roll it up.
"""

from datetime import timedelta

from airflow.sdk import PartitionedAssetTimetable, dag, task

from tapeline.airflow import tasks
from tapeline.airflow.defaults import DAG_DEFAULT_ARGS, START_DATE, TRADING_WEEKS, date_param, headline, switch_param
from tapeline.airflow.timetables import TradingWeekMapper
from tapeline.airflow.trouble import deadline


@dag(
    description=headline(__doc__),
    schedule=PartitionedAssetTimetable(
        assets=TRADING_WEEKS,
        default_partition_mapper=TradingWeekMapper(),  # type: ignore[arg-type]
    ),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,  # it reads a week of minute bars
    default_args=DAG_DEFAULT_ARGS,
    deadline=deadline(timedelta(minutes=30)),
    params={
        "week": date_param(
            "Week", "Any day of it; empty for the newest that is whole. A run with a key of its own keeps to it."
        ),
        "again": switch_param(False, "Send again", "Write the page and send the mail even if nothing in them is new."),
    },
    tags=["report", "per week"],
    doc_md=__doc__,
)
def weekly_report():
    """Write the page, send the mail."""

    @task
    def write_and_send(partition_key=None, params=None):
        return tasks.send_report("weekly_report", partition_key or params["week"], again=params["again"])

    write_and_send()


weekly_report()
