"""
# daily_rollup: a session's minute bars, anomalies and summary

**What.** Computes the curated tables `minute_bars`, `anomalies` and `daily_summary` of one trading session from the
raw zone, checks them, and publishes the symbols that pass (docs/decisions/0011-write-audit-publish.md says why so).

**When, and why then.** 30 minutes after each close of the New York Stock Exchange, half days included: late quotes
have arrived by then. Trading after hours goes on until four hours after the close; whoever needs its figures runs the
session again in the evening.

**Input.** The session's objects under `raw-data/dt=…/`. Their partition of `stock_data_table` is registered first, so
that the run waits for no crawl.

**Output.** The session's rows of the three tables, at once for every reader, and an event of each table's asset with
the session as its key, which starts `anomaly_report`. Prices in US dollars, volumes in shares, times in UTC. Suspect
figures and withdrawn prints count as absent; of a corrected quote the last revision stands. Last, `teach_stream` lets
the stream's alert rules know what is usual for each symbol, a minute ahead; a backfill of earlier sessions does not.

**What is judged.** Each symbol by its rows and its own usual coverage; thin, halted and new ones are normal. The feed
by the minutes in which half of the usual symbols had a quote, and by how many symbols of the session before are there;
only that fails the session. Symbols left out or without a quote are named by `audit`, report and desk.

**Start by hand.** *Trigger*: without a session it is the newest that has ended. Several sessions by a backfill: in the
UI *Trigger*, *Backfill*, or `airflow backfill create --dag-id daily_rollup --from-date 2026-03-12 --to-date 2026-03-13
--reprocess-behavior completed`. Holidays are skipped. Thresholds are parameters of the run.

**Rerun safety.** Any number of times: each statement replaces the session. All statements of a run see the quotes that
came before it began. Killed at any point, readers still have whole tables, the former version or the new. What was
published before of a symbol that is left out stays as it was; once its data are right, the next run publishes it.

**When it fails.**
- `audit` with `session_is_there`: no quotes of that session are in the raw zone. See `tapeline status`.
- `audit` with `feed_is_alive` or `most_symbols_are_there`: the feed was down; nothing was published. Replay what is
  missing and clear the run. If the data are right (symbols were taken out), run it again with a lower threshold.
- `audit` with *no symbol passes*, or a symbol left out: the log has its checks and first rows. Put a wrong figure right
  by `tapeline correct`, take a print back by `--withdraw`, or replay; then run the session again. *Coverage* alone
  withholds a symbol for one session and never all; to have it at once, allow a larger shortfall or ask fewer sessions.
- `stage_…`, `publish_…`: Athena's reason is in the log. A commit conflict or a timeout is retried; clear the task.
"""

from datetime import timedelta

from airflow.providers.amazon.aws.operators.athena import AthenaOperator
from airflow.sdk import Param, chain, dag, task

from tapeline.airflow import tasks
from tapeline.airflow.connection import MACROS
from tapeline.airflow.defaults import CURATED, DAG_DEFAULT_ARGS, START_DATE, date_param, headline
from tapeline.airflow.timetables import TradingSessionTimetable
from tapeline.airflow.trouble import deadline

VALUES = "values=params, **ti.xcom_pull('pin_session')"
WITHHELD = "withheld=ti.xcom_pull('audit')['withheld']"


@dag(
    description=headline(__doc__),
    schedule=TradingSessionTimetable(delay=timedelta(minutes=30)),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    # A backfill has a limit of runs of its own. Two sessions that write a table at once would only conflict.
    default_args={**DAG_DEFAULT_ARGS, "max_active_tis_per_dag": 1},
    user_defined_macros=MACROS,
    deadline=deadline(timedelta(minutes=45)),
    params={
        "session": date_param(
            "Session", "Empty for the newest session that has ended. Of no effect on a backfill or scheduled run."),
        "min_completeness_pct": Param(
            80, type="number", minimum=0, maximum=100, title="Minutes alive asked for (%)",
            description="Minutes in which half of the usual symbols have a quote, in per cent of the minutes open."),
        "min_symbols_pct": Param(
            25, type="number", minimum=0, maximum=100, title="Symbols asked for (%)",
            description="Symbols of the session before that must be there. Lower it when most were taken out."),
        "max_shortfall_pct": Param(
            50, type="number", minimum=0, maximum=100, title="Largest shortfall of a symbol (points)",
            description="How far below its usual coverage a symbol may be, in per cent of the minutes open."),
        "usual_sessions": Param(
            20, type="integer", minimum=5, maximum=250, title="Sessions that make up what is usual",
            description="The last ones before, of a symbol and of the feed. A symbol with fewer than 5 is not judged."),
        "max_change_pct": Param(
            50, type="number", exclusiveMinimum=0, title="Largest plausible change (%)",
            description="A larger change of the previous close is written to the log as a warning."),
        "threshold_pct": Param(
            5, type="number", exclusiveMinimum=0, title="Anomaly threshold (%)",
            description="A move above this many per cent of the previous close is an anomaly."),
    },
    tags=["curated", "per session"],
    doc_md=__doc__,
)  # fmt: skip
def daily_rollup():
    """Stage, audit and publish one session."""

    @task
    def pin_session(partition_key=None, params=None):
        return tasks.pin_session(partition_key or params["session"])

    @task
    def prepare(pinned):
        tasks.register_session(pinned["session"])
        tasks.create_tables()

    @task
    def audit(pinned, params=None):
        return tasks.audit_session({**params, **pinned})

    stage = {
        table: AthenaOperator(task_id=f"stage_{table}", query=f"{{{{ sql('{table}/stage_session', {VALUES}) }}}}")
        for table in CURATED
    }
    publish = [
        AthenaOperator(
            task_id=f"publish_{table}", query=f"{{{{ sql('{table}/replace_session', {WITHHELD}, {VALUES}) }}}}",
            outlets=[asset], post_execute=tasks.tell_publication,
        )
        for table, asset in CURATED.items()
    ]  # fmt: skip

    @task
    def teach_stream(pinned):
        tasks.teach_stream(pinned["session"])

    pinned = pin_session()
    staged = [stage["minute_bars"], stage["anomalies"]]
    chain(prepare(pinned), staged, stage["daily_summary"], audit(pinned), *publish, teach_stream(pinned))


daily_rollup()
