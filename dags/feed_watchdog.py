"""
# feed_watchdog: tell someone when the feed is not well

**What.** Reads freshness per symbol, the age of what the functions take from their streams, dead letters, rejects and
alarms, judges them as `tapeline status` does, and sends a message when a light turns red.

**When, and why then.** Every five minutes while the New York Stock Exchange is open: a symbol may be silent for five
minutes before it counts as missing, and nobody wants to learn of a dead feed after the close.

**Input.** DynamoDB's table of states, CloudWatch, the dead-letter queue, `rejected/` of the last day.

**Output.** One message to the operations topic when the set of red lights changes, and one when none is red any more.
All lights are in the task's log.

**What a message means.** A symbol is missing after five minutes of silence in session: one symbol is a halt or the
vendor, all of them the producer. An iterator age that grows is a function that fails or is too slow. A dead letter is
a batch that was given up after all its retries: `redrive_rejected` sends it again once the cause is mended.

**Start by hand.** *Trigger*; there is nothing to choose. Outside of trading hours a silent feed is no fault.

**Rerun safety.** Any number of times: what was told last is remembered in the table of states, so that it is told
once.

**When it fails.** `look` fails only when AWS does not answer or refuses: its log names the call. Then look by
`tapeline status`. The message itself says what to do about each light; docs/runbook.md has more.
A run that is late means that workers are busy or gone. With the scheduler gone nothing is told at all: let something
outside ask Airflow's `/api/v2/monitor/health`.
"""

from datetime import timedelta

from airflow.sdk import dag, task

from tapeline import orchestration
from tapeline.orchestration import DAG_DEFAULT_ARGS, START_DATE
from tapeline.timetables import TradingHoursTimetable


@dag(
    description=orchestration.headline(__doc__),
    schedule=TradingHoursTimetable(every=timedelta(minutes=5)),
    start_date=START_DATE,
    catchup=False,  # how the feed was is of no use, how it is matters
    max_active_runs=1,  # two at once would both tell
    # The next look comes in five minutes: one retry, and none that goes on into it.
    default_args={**DAG_DEFAULT_ARGS, "retries": 1, "execution_timeout": timedelta(minutes=4)},
    deadline=orchestration.deadline(timedelta(minutes=10)),
    tags=["feed", "in session"],
    doc_md=__doc__,
)
def feed_watchdog():
    """Look, and tell what has changed."""

    @task
    def look():
        return orchestration.watch_feed()

    look()


feed_watchdog()
