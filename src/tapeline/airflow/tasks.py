"""What the DAGs share: their defaults and assets, the deployment they work on, and what they do when a run goes wrong.

A DAG reaches AWS through the Airflow connection ``aws_default`` and finds the names of everything in the outputs of the
stack that the environment variable TAPELINE_STACK names (``tapeline`` by default). Both are looked up when a task runs,
never when a file is parsed: templates say ``{{ names().bucket_name }}`` for a name and ``{{ sql('FILE', …) }}`` for a
statement of include/sql.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import Asset, DeadlineAlert, DeadlineReference, SyncCallback  # type: ignore[attr-defined]

from tapeline.airflow.retries import RetryUnlessFinal, is_final
from tapeline.aws import notify
from tapeline.market import sessions
from tapeline.market.dates import trading_date

if TYPE_CHECKING:
    from tapeline.aws.clients import Clients
    from tapeline.aws.deployment import Deployment, StackOutputs

AWS_CONNECTION = "aws_default"

log = logging.getLogger(__name__)

RAW_QUOTES = Asset("raw_quotes", group="lake")
MINUTE_BARS = Asset("minute_bars", group="lake")
ANOMALIES = Asset("anomalies", group="lake")
DAILY_SUMMARY = Asset("daily_summary", group="lake")
DAILY_HISTORY = Asset("daily_history", group="lake")
TRADING_WEEKS = Asset("trading_weeks", group="calendar")
"""A week, by its Monday, of which every session has been rolled up and reported, or one of them anew."""
CURATED = {asset.name: asset for asset in (MINUTE_BARS, ANOMALIES, DAILY_SUMMARY)}
"""The assets of `tapeline.lake.rollup.CURATED`, in its order."""

START_DATE = pendulum.datetime(2024, 1, 1, tz="America/New_York")
"""No session before it is scheduled or may be backfilled."""


# The deployment


def connect() -> Clients:
    """Return clients for the AWS of the Airflow connection."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    from tapeline.aws import clients

    hook = AwsBaseHook(aws_conn_id=AWS_CONNECTION)
    endpoint_url = hook.conn_config.endpoint_url or os.environ.get("AWS_ENDPOINT_URL")
    config = clients.LOCAL_CONFIG if endpoint_url else clients.CONFIG
    return clients.Clients("local" if endpoint_url else "aws", hook.get_session(), config, endpoint_url)


@cache
def deployment() -> Deployment:
    """Return the deployment behind the Airflow connection, asked for once in a process."""
    from tapeline.aws.deployment import DEFAULT_NAME, find_deployment

    return find_deployment(connect(), os.environ.get("TAPELINE_STACK") or DEFAULT_NAME)


def names() -> StackOutputs:
    """Return the names of the deployment."""
    return deployment().outputs


def sql(name: str, values: Mapping[str, object] | None = None, **more: object) -> str:
    """Return a statement of include/sql, with those of the values that it takes in place of its defaults."""
    from tapeline.lake import sql_files as files

    file = files.load(name)
    return file.render(file.taken({**(values or {}), **more}), bucket=names().bucket_name)


MACROS = {"names": names, "sql": sql}


def headline(documentation: str) -> str:
    r"""Return what a DAG is in a few words: the heading of its documentation, without its name.

    >>> headline("# daily_rollup: a session's bars\n\n**What.** Computes")
    "A session's bars"
    """
    title = documentation.strip().partition("\n")[0].partition(": ")[2]
    return title[:1].upper() + title[1:]


# Runs


def pin(partition_key: str | None, asked: str | None = None) -> dict[str, str]:
    """Return the session that a run rolls up, and the moment until which quotes belong to it, as `rollup.pin_run` does.

    Parameters
    ----------
    partition_key : str or None
        Of the run; a run started by a plain *Trigger* has none.
    asked : str or None
        What the form says; without either it is the newest session that has ended.
    """
    from tapeline.lake import rollup

    with _permanent_errors():
        pinned = rollup.pin_run(partition_key or asked, datetime.now(UTC))
    log.info("this run rolls up the session of %s", pinned["session"])
    return pinned


@contextmanager
def _permanent_errors() -> Iterator[None]:
    """Let a task fail at once over what another try would find unchanged."""
    from airflow.sdk.exceptions import AirflowFailException

    try:
        yield
    except sessions.NotASessionError as error:
        raise AirflowFailException(str(error)) from None


# The curated tables


def register_quotes(session: str) -> None:
    """Register the session's partition of the raw zone with the table's columns, whether or not a crawl was there."""
    from tapeline.lake.partitions import renew_partition

    repair(session, session, dry_run=False)
    if renew_partition(deployment(), session):
        log.info("the partition %s has got the table's columns", session)


def create_tables() -> None:
    """Create the curated tables, their staging twins and the views over them, and add columns that they lack."""
    from tapeline.lake import rollup

    rollup.create_tables(deployment())


def audit(values: Mapping[str, object]) -> dict[str, Any]:
    """Run all checks of what is staged; log what they found and remember which symbols are not published, and why.

    Returns
    -------
    dict
        ``withheld``: symbols that stay as they are, with blanks between; ``missing``: those that had no quote, alike;
        ``symbols``, ``rows`` (by table) and ``completeness_pct`` of what is published; ``summary``: all in one line.

    Raises
    ------
    AirflowFailException
        If a check of the session as a whole does not hold: trying again would find the same rows.
    """
    from airflow.sdk.exceptions import AirflowFailException

    from tapeline.lake import audit as checks

    try:
        result = checks.audit(deployment(), values)
    except checks.FailedChecksError as error:
        raise AirflowFailException(str(error)) from None
    for finding in result.findings:
        log.warning("%s", finding)
    log.info("%s\n%s", result.summary, result.table)
    checks.remember(deployment(), result, datetime.now(UTC))
    return {
        "withheld": " ".join(result.withheld),
        "missing": " ".join(result.missing),
        "symbols": len(result.published),
        "rows": dict(result.rows),
        "completeness_pct": result.completeness_pct,
        "summary": result.summary,
    }


def tell_publication(context: Mapping[str, Any], _: object = None) -> None:
    """Give the event of the asset that a task has published the run's session as its key, also if the run has none.

    With it goes what was published: rows, symbols, mean completeness, and the symbols that were left out or missing.
    """
    pinned = context["ti"].xcom_pull(task_ids="pin_session")
    audited = context["ti"].xcom_pull(task_ids="audit")
    for asset in context["task"].outlets:
        event = context["outlet_events"][asset]
        event.add_partitions(pinned["session"])
        event.extra.update(
            session=pinned["session"],
            rows=audited["rows"][asset.name],
            symbols=audited["symbols"],
            completeness_pct=audited["completeness_pct"],
            withheld=audited["withheld"],
            missing=audited["missing"],
        )


# What the other DAGs do


def send_report(kind: str, partition_key: str | None, asked: str | None = None, *, again: bool) -> dict[str, str]:
    """Write and send the report of a session or week; return which it was and one line of what became of it.

    Parameters
    ----------
    kind : str
        ``anomaly_report`` or ``weekly_report``.
    partition_key : str or None
        Of the run; a run started by a plain *Trigger* has none.
    asked : str or None
        What the form says; without either it is the newest session, or week, that is rolled up.
    again : bool
        Send it though it tells nothing new.
    """
    from tapeline.reports import publication

    send = {"anomaly_report": publication.send_anomaly_report, "weekly_report": publication.send_weekly_report}[kind]
    with _permanent_errors():
        key = partition_key or asked
        day = sessions.read_day(key, datetime.now(UTC)).isoformat() if key else _newest_rolled_up(kind)
        published = send(deployment(), day, again=again)
    log.info("this run reports %s: %s", day, published.summary)
    return {"session": day, "report": published.summary}


def _newest_rolled_up(kind: str) -> str:
    from tapeline.reports import publication

    create_tables()
    published = publication.published_sessions(deployment())
    newest = publication.newest_week(published) if kind == "weekly_report" else max(published, default=None)
    if newest is None:
        raise sessions.NotASessionError(
            "no session is in daily_summary yet, so there is nothing to report; run daily_rollup first"
        )
    return newest.isoformat()


def week_to_report(session: str) -> str:
    """Return the Monday of a session's week, if the week's report is to be written or corrected now.

    Raises
    ------
    AirflowSkipException
        If the week waits for other sessions.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    from tapeline.reports import publication

    if missing := publication.waits_for(deployment(), session):
        raise AirflowSkipException(f"the week of {session} waits for {', '.join(missing)}")
    day = date.fromisoformat(session)
    return (day - timedelta(days=day.weekday())).isoformat()


def repair(first: str | None, last: str | None, *, dry_run: bool) -> str:
    """Make the catalog agree with the raw zone, or say what that takes; return what was or would be done."""
    from tapeline.lake.partitions import repair_partitions

    summary = repair_partitions(deployment(), first or "", last or "", dry_run=dry_run).summary
    log.info("%s", summary)
    return summary


def redrive(first: str | None, last: str | None, *, dead_letters: bool, dry_run: bool) -> str:
    """Put what is a quote now on the stream again, or say what that is; return what was or would be done.

    Without a last date it is today in New York, without a first one the last.
    """
    from tapeline.operations import redrive as redriving

    last = last or trading_date(datetime.now(UTC)).isoformat()
    first = first or last
    log.info("this run looks at what arrived from %s to %s", first, last)

    done = redriving.redrive(deployment(), first, last, dead_letters=dead_letters, dry_run=dry_run)
    log.info("%s", done.summary)
    return done.summary


def plan_history(symbols: list[str], first: str | None, last: str | None, *, dry_run: bool) -> list[dict[str, Any]]:
    """Return what daily history is missing, a symbol and year a piece; nothing to do in a dry run, which only tells.

    Without a last date it is that of the newest session that has ended, without a first one a year before the last.
    """
    from tapeline.lake.backfill import plan_backfill

    last = last or sessions.ended_session(datetime.now(UTC)).key
    first = first or (date.fromisoformat(last) - timedelta(days=365)).isoformat()
    log.info("this run looks at the sessions from %s to %s", first, last)

    chunks = plan_backfill(deployment(), symbols, first, last)
    for chunk in chunks:
        log.info("missing: %s, %d sessions from %s to %s", chunk.symbol, len(chunk.sessions), chunk.first, chunk.last)
    wanted = [] if dry_run else chunks
    return [{"symbol": chunk.symbol, "sessions": [day.isoformat() for day in chunk.sessions]} for chunk in wanted]


def fill_history(chunk: Mapping[str, Any]) -> str:
    """Fetch one piece of `plan_history` and put it into the table; return one line of what became of it."""
    from producer.sources.yahoo.chart import yahoo_session
    from producer.sources.yahoo.history import YahooHistory
    from tapeline.lake.backfill import fill
    from tapeline.lake.daily_bars import Chunk

    source = YahooHistory(yahoo_session(os.environ.get("TAPELINE_YAHOO_URL", "")))
    wanted = Chunk(chunk["symbol"], tuple(date.fromisoformat(day) for day in chunk["sessions"]))
    filled = str(fill(deployment(), wanted, source.fetch))
    log.info("%s", filled)
    return filled


def show_history() -> None:
    """Create the view that puts daily history beside our own sessions."""
    from tapeline.lake.backfill import create_view

    create_view(deployment())


def watch_feed() -> list[str]:
    """Judge the feed, tell what has become red, and return all lights that are not green."""
    from tapeline.operations import watch

    lights = watch.watch_feed(deployment(), datetime.now(UTC))
    for light in lights:
        log.info("%s %s: %s", light.colour, light.name, light.reading)
    return [f"{light.colour} {light.name}: {light.reading}" for light in lights if light.colour != "green"]


def watch_schema() -> list[str]:
    """Compare the raw table with what is agreed, tell what has changed, and return the differences."""
    from tapeline.operations import watch

    return watch.watch_schema(deployment(), datetime.now(UTC))


def describe_raw_zone() -> dict[str, Any]:
    """Return how many dates the catalog knows of the raw zone, and the first and last."""
    outputs = names()
    pages = (
        deployment()
        .client("glue")
        .get_paginator("get_partitions")
        .paginate(DatabaseName=outputs.database_name, TableName=outputs.raw_table_name, ExcludeColumnSchema=True)
    )
    days = [one["Values"][0] for page in pages for one in page["Partitions"]]
    return {"partitions": len(days), "first": min(days, default=None), "last": max(days, default=None)}


# Trouble


def tell_failure(context: Mapping[str, Any]) -> None:
    """Send a message on a failed task to the operations topic; a task fails when its retries are used up."""
    task = context["ti"]
    run = context["dag_run"]
    what = f"{task.dag_id}.{task.task_id}"
    of_session = f" for session {run.partition_key}" if run.partition_key else ""
    reason = context.get("exception") or context.get("reason") or "no reason was given: the worker may have died"
    tries = f"try {task.try_number} of {task.max_tries + 1}"
    if isinstance(reason, BaseException) and is_final(reason):
        tries = "and is not tried again, for it would find the same"
    text = (
        f"Task {task.task_id} of {task.dag_id} has failed{of_session}, {tries}.\n\n"
        f"{reason}\n\n"
        f"Run:  {run.run_id}\n"
        f"Log:  {getattr(task, 'log_url', 'in the UI')}\n\n"
        "What to do is told in the DAG's documentation, behind the book icon of its page in the UI or in DAGs.md.\n"
        "Then clear the failed task, or the whole run: every task may run twice.\n"
    )
    _publish_to_operations(f"{what} failed{of_session}", text, "task_failed")


def tell_late(context: Mapping[str, Any] | None = None, minutes: float = 0) -> None:
    """Send a message on a run that has not ended by its deadline to the operations topic.

    A backfill's runs are queued all at once and wait for each other, so of them it is silent.
    """
    run = (context or {}).get("dag_run", {})
    if run.get("run_type") == "backfill":
        return
    name = run.get("dag_id", "a DAG")
    text = (
        f"{name} was to end within {minutes:g} minutes and has not.\n\n"
        f"Run:  {run.get('dag_run_id') or run.get('run_id') or 'see the UI'}\n\n"
        "Look in the UI which task runs or waits. A queued task wants a free slot, a waiting sensor its data.\n"
    )
    _publish_to_operations(f"{name} is late", text, "run_late")


def deadline(limit: timedelta) -> DeadlineAlert:
    """Return the alert of a run that has not ended so long after it was queued."""
    minutes = limit.total_seconds() / 60
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=limit,
        callback=SyncCallback(f"{__name__}.{tell_late.__name__}", kwargs={"minutes": minutes}),
        name=f"{minutes:g} minutes after it was queued",
    )


def _publish_to_operations(subject: str, text: str, kind: str) -> None:
    sns, topic = deployment().client("sns"), names().operations_topic_arn
    notify.publish(sns, topic, subject, text, kind=kind, severity="error")


DAG_DEFAULT_ARGS: dict[str, Any] = {
    "owner": "data-engineering",
    "retries": 2,
    "retry_delay": timedelta(seconds=20),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": RetryUnlessFinal(),
    "execution_timeout": timedelta(minutes=30),
    "on_failure_callback": tell_failure,
    "aws_conn_id": AWS_CONNECTION,
    # For operators that have them: Athena's.
    "database": "{{ names().database_name }}",
    "workgroup": "{{ names().work_group_name }}",
    "sleep_time": 2,
}
"""Of every DAG; one that needs another value says why beside it."""
