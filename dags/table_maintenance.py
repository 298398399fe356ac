"""
# table_maintenance: keep the curated tables small and quick

**What.** For each curated table: forgets what was staged over thirty days ago, puts small files together, and drops
versions that are over five days old with the files that only they need.

**When, and why then.** On Saturdays at 06:00 in New York: no session is rolled up then, so nothing conflicts, and a
week's versions are enough to look back at.

**Input and output.** `minute_bars`, `anomalies`, `daily_summary` and their staging tables. Readers see the same rows
before, during and after. Old objects under `raw-data/` and `rejected/` are none of its business: the bucket's
lifecycle rules, parameters of the stack, move and expire them without a run.

**Start by hand.** *Trigger*; there is nothing to choose. Worth doing after a backfill of many sessions.

**Rerun safety.** Any number of times; where nothing is small or old, nothing is done. Time travel (`FOR TIMESTAMP AS
OF`) reaches back no further than five days.

**When it fails.**
- Athena's reason is in the log. A commit conflict with a rollup is retried; clear the task if it lost every time.
- A timeout after two hours: a table has grown beyond a statement. Clear the task, what was done stays done.
- `ICEBERG_VACUUM_MORE_RUNS_NEEDED` says that there was more to drop than one statement may: clear the task.
"""

from datetime import timedelta

from airflow.providers.amazon.aws.operators.athena import AthenaOperator
from airflow.sdk import CronTriggerTimetable, chain, dag, task

from tapeline.airflow import tasks
from tapeline.airflow.connection import MACROS
from tapeline.airflow.defaults import CURATED, DAG_DEFAULT_ARGS, START_DATE, headline


@dag(
    description=headline(__doc__),
    schedule=CronTriggerTimetable("0 6 * * SAT", timezone="America/New_York"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,  # the same files must not be put together twice
    # Statements over whole tables, and nobody waits for them.
    default_args={**DAG_DEFAULT_ARGS, "execution_timeout": timedelta(hours=2), "sleep_time": 5},
    user_defined_macros=MACROS,
    tags=["curated", "weekly"],
    doc_md=__doc__,
)
def table_maintenance():
    """Clear, compact, expire: the tables one after another, for one query at a time is cheap enough."""

    @task
    def create_tables():
        tasks.create_tables()

    steps = [
        AthenaOperator(task_id=f"{step}_{table}", query=f"{{{{ sql('{table}/{step}') }}}}")
        for table in CURATED
        for step in ("clear_staging", "compact", "expire")
    ]
    chain(create_tables(), *steps)


table_maintenance()
