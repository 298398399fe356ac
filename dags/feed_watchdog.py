"""
# feed_watchdog: tell someone when the feed is not well

**What.** Reads what the producer follows and the newest quotes of that, latency, stream and functions, dead letters
and subscribers, judges them as `tapeline status` does, and reports what has changed. The function `tapeline-feed-watch`
of the stack does the same each minute of day and night with less to look at; they share one memory, so that each
change is reported once, whoever sees it first. What the stack's own alarms report is left to them.

**When, and why then.** Every five minutes while the New York Stock Exchange is open, from the open on: a feed that does
not come back after a weekend or a holiday is missed after five minutes.

**Input.** DynamoDB's table of states, CloudWatch, the dead-letter queue, `rejected/` of the last day.

**Output.** A message to the operations topic when a light turns red or a symbol falls silent, and one when what was red
is well again. All lights are in the task's log.

**What a message means.** A symbol is missing after five minutes of silence in session: one symbol is a halt or the
vendor, all of them the producer. An outage is over when quotes come, not when the market closes. A dead letter is
a batch that was given up after all its retries: `redrive_rejected` sends it again once the cause is fixed.

**Start by hand.** *Trigger*; there is nothing to choose. Outside of trading hours a silent feed is no fault.

**Rerun safety.** Any number of times: what was reported last is kept in the state table, so that it is reported
once.

**When it fails.** `look` fails only when AWS does not answer or refuses: its log names the call. Then look by
`tapeline status`. The message itself says what to do about each light; docs/runbook.md has more.
A run that is late means that workers are busy or gone. With the scheduler gone the function still reports the
feed, but nobody of the DAGs: let something outside ask Airflow's `/api/v2/monitor/health`.
"""

from datetime import timedelta

from airflow.sdk import dag, task

from tapeline.airflow import tasks
from tapeline.airflow.defaults import DAG_DEFAULT_ARGS, START_DATE, headline
from tapeline.airflow.timetables import TradingHoursTimetable
from tapeline.airflow.trouble import deadline


@dag(
    description=headline(__doc__),
    schedule=TradingHoursTimetable(every=timedelta(minutes=5)),
    start_date=START_DATE,
    catchup=False,  # how the feed was is of no use, how it is matters
    max_active_runs=1,  # one look at a time is enough
    # The next look comes in five minutes: one retry, and none that goes on into it.
    default_args={**DAG_DEFAULT_ARGS, "retries": 1, "execution_timeout": timedelta(minutes=4)},
    deadline=deadline(timedelta(minutes=10)),
    tags=["feed", "in session"],
    doc_md=__doc__,
)
def feed_watchdog():
    """Look, and tell what has changed."""

    @task
    def look():
        return tasks.watch_feed()

    look()


feed_watchdog()
