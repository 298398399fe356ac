"""
# weekly_report: a trading week in one page and one mail

**What.** The same as `anomaly_report`, over the sessions of a week, with a line for each of them.

**When, and why then.** As soon as every session of a week is in `daily_summary`: on Friday evening, or on Thursday
before Good Friday; the week of Thanksgiving is whole after four sessions. A week of which a session was never rolled
up gets no report until it is.

**Input.** `daily_summary`, `anomalies`, `minute_bars` and the raw zone's partitions of the week, by the statements in
`include/sql/reports`.

**Output.** A page with charts in the bucket, `reports/dt=<last session>/weekly-report.html`, and one message with the
same figures to the topic for people.

**Start by hand.** By the API, with any day of the week as the key: `POST /api/v2/dags/weekly_report/dagRuns` with
`{"logical_date": null, "partition_key": "2026-03-09"}`. A week that is not whole is reported as far as it has come.
With the parameter *again* the mail is sent even if it tells nothing new.

**Rerun safety.** The same figures are sent once; other figures replace the page, and a mail follows whose subject says
that it corrects the former one.

**When it fails.** As `anomaly_report`. If it did not start although the week is over, a session is missing: the DAG's
page shows under Asset events which ones it has; roll the missing one up.
"""

from datetime import timedelta

from airflow.sdk import (
    Param,
    PartitionedAssetTimetable,
    RollupMapper,
    StartOfWeekMapper,
    WaitForAll,
    dag,
    task,
)

from tapeline import orchestration
from tapeline.orchestration import DAG_DEFAULT_ARGS, DAILY_SUMMARY, START_DATE
from tapeline.timetables import TradingWeekWindow


@dag(
    schedule=PartitionedAssetTimetable(
        assets=DAILY_SUMMARY,
        default_partition_mapper=RollupMapper(
            upstream_mapper=StartOfWeekMapper(
                input_format="%Y-%m-%d", output_format="%Y-%m-%d", timezone="America/New_York"
            ),
            window=TradingWeekWindow("XNYS"),
            wait_policy=WaitForAll(),
        ),
    ),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,  # it reads a week of minute bars
    default_args=DAG_DEFAULT_ARGS,
    deadline=orchestration.deadline(timedelta(minutes=30)),
    params={
        "again": Param(
            False,
            type="boolean",
            title="Send again",
            description="Write the page and send the mail even if they tell what was sent before.",
        ),
    },
    tags=["report", "per week"],
    doc_md=__doc__,
)
def weekly_report():
    """Write the page, send the mail."""

    @task
    def write_and_send(partition_key=None, params=None):
        return orchestration.send_report("weekly_report", partition_key, again=params["again"])

    write_and_send()


weekly_report()
