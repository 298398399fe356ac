"""What the tasks of the DAGs do, each a call into the package.

A session goes by its key, ``YYYY-MM-DD``, and is called *session* from the run to the SQL parameter. What takes long to
import is imported by the task that needs it, for every DAG file imports this module.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from tapeline.airflow.connection import deployment
from tapeline.market import sessions
from tapeline.market.dates import trading_date

if TYPE_CHECKING:
    from tapeline.lake.backfill import Fetch

log = logging.getLogger(__name__)


@contextmanager
def _final_if_no_session() -> Iterator[None]:
    """Let a task fail at once over a day that is no session, which another try would find unchanged."""
    try:
        yield
    except sessions.NotASessionError as error:
        raise AirflowFailException(str(error)) from None


# The rollup


def pin_session(session: str | None) -> dict[str, str]:
    """Return the session that a run rolls up, by its key or form, else the newest, and until when quotes count."""
    from tapeline.lake.rollup import pin_run

    with _final_if_no_session():
        pinned = pin_run(session, datetime.now(UTC))
    log.info("this run rolls up the session of %s", pinned["session"])
    return pinned


def register_session(session: str) -> None:
    """Register the session's partition of the raw zone with the table's columns, whether or not a crawl was there."""
    from tapeline.lake.partitions import renew_partition

    repair(session, session, dry_run=False)
    if renew_partition(deployment(), session):
        log.info("the partition %s has got the table's columns", session)


def create_tables() -> None:
    """Create the curated tables, their staging twins and the views over them, and add columns that they lack."""
    from tapeline.lake import rollup

    rollup.create_tables(deployment())


def audit_session(values: Mapping[str, object]) -> dict[str, Any]:
    """Run all checks of what is staged; log the findings and remember which symbols are not published, and why.

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
    from tapeline.lake.audit import FailedChecksError, audit, remember

    try:
        result = audit(deployment(), values)
    except FailedChecksError as error:
        raise AirflowFailException(str(error)) from None
    for finding in result.findings:
        log.warning("%s", finding)
    log.info("%s\n%s", result.summary, result.table)
    remember(deployment(), result, datetime.now(UTC))
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
    session = context["ti"].xcom_pull(task_ids="pin_session")["session"]
    audited = context["ti"].xcom_pull(task_ids="audit")
    of_symbols = {name: audited[name] for name in ("symbols", "completeness_pct", "withheld", "missing")}
    for asset in context["task"].outlets:
        event = context["outlet_events"][asset]
        event.add_partitions(session)
        event.extra.update(session=session, rows=audited["rows"][asset.name], **of_symbols)


def teach_stream(session: str) -> None:
    """Learn what is usual for each symbol up to a session, and let the stream's rules know it from a minute ahead."""
    from tapeline.lake import baselines
    from tapeline.operations.rule_versions import RuleVersions

    key, symbols = baselines.learn(deployment(), session)
    if not symbols:
        log.info("no symbol has sessions enough yet: rules on what is usual are silent")
        return
    held = RuleVersions(deployment()).learn(key)
    log.info("%s symbols have baselines; those up to the session of %s hold", symbols, held.session)


# Reports


def send_report(kind: str, session: str | None, *, again: bool) -> dict[str, str]:
    """Write and send a report, ``anomaly_report`` or ``weekly_report``; return of which day, and a line on the outcome.

    Parameters
    ----------
    session : str or None
        The run's key or what its form says, of a week any of its days; without either it is the newest session, or
        week, that is rolled up.
    again : bool
        Send it even if it says nothing new.
    """
    from tapeline.reports import publication

    send = {"anomaly_report": publication.send_anomaly_report, "weekly_report": publication.send_weekly_report}[kind]
    with _final_if_no_session():
        day = sessions.read_day(session, datetime.now(UTC)).isoformat() if session else _newest_rolled_up(kind)
        published = send(deployment(), day, again=again)
    log.info("this run reports %s: %s", day, published.summary)
    return {"session": day, "report": published.summary}


def _newest_rolled_up(kind: str) -> str:
    from tapeline.reports import publication

    create_tables()
    published = publication.published_sessions(deployment())
    newest = publication.newest_week(published) if kind == "weekly_report" else max(published, default=None)
    if newest is None:
        raise sessions.NotASessionError("no session is in daily_summary yet; run daily_rollup first")
    return newest.isoformat()


def week_to_report(session: str) -> str:
    """Return the Monday of a session's week, if the week's report is to be written or corrected now.

    Raises
    ------
    AirflowSkipException
        If the week waits for other sessions.
    """
    from tapeline.reports import publication

    if missing := publication.waits_for(deployment(), session):
        raise AirflowSkipException(f"the week of {session} waits for {', '.join(missing)}")
    day = date.fromisoformat(session)
    return (day - timedelta(days=day.weekday())).isoformat()


# The raw zone and the feed


def repair(first: str | None, last: str | None, *, dry_run: bool) -> str:
    """Make the catalog agree with the raw zone, or say what that takes; return what was or would be done."""
    from tapeline.lake.partitions import repair_partitions

    plan = repair_partitions(deployment(), first or "", last or "", dry_run=dry_run)
    summary = plan.summary(dry_run=dry_run)
    log.info("%s", summary)
    return summary


def redrive_rejected(first: str | None, last: str | None, *, dead_letters: bool, dry_run: bool) -> str:
    """Put what is a quote now on the stream again, or say what that is; return what was or would be done.

    Without a last date it is today in New York, without a first one the last.
    """
    from tapeline.operations.redrive import redrive

    last = last or trading_date(datetime.now(UTC)).isoformat()
    first = first or last
    log.info("this run looks at what arrived from %s to %s", first, last)
    summary = redrive(deployment(), first, last, dead_letters=dead_letters, dry_run=dry_run).summary
    log.info("%s", summary)
    return summary


def watch_feed() -> list[str]:
    """Judge the feed, report what has become red, and return all lights that are not green."""
    from tapeline.operations import watch

    lights = watch.watch_feed(deployment(), datetime.now(UTC))
    for light in lights:
        log.info("%s %s: %s", light.colour, light.name, light.reading)
    return [f"{light.colour} {light.name}: {light.reading}" for light in lights if light.colour != "green"]


def watch_schema() -> list[str]:
    """Compare the raw table with what is agreed, report what has changed, and return the differences."""
    from tapeline.operations import watch

    return watch.watch_schema(deployment(), datetime.now(UTC))


def register_coming_session() -> str:
    """Register the date of the session that comes next, so that its quotes are found as they come; return it."""
    from tapeline.lake import partitions

    return partitions.register_coming_session(deployment()).isoformat()


def describe_raw_zone() -> dict[str, Any]:
    """Return how many dates the catalog knows of the raw zone, and the first and last."""
    from tapeline.lake.partitions import registered

    days = registered(deployment())
    return {"partitions": len(days), "first": min(days, default=None), "last": max(days, default=None)}


# Daily history


def plan_history(symbols: list[str], first: str | None, last: str | None, *, dry_run: bool) -> list[dict[str, Any]]:
    """Return what daily history is missing, a symbol and year a piece; nothing to do in a dry run, which only logs.

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


def fill_history(chunk: Mapping[str, Any], fetch: Fetch) -> str:
    """Fetch one piece of `plan_history` and put it into the table; return one line of what became of it."""
    from tapeline.lake.backfill import fill
    from tapeline.lake.daily_bars import Chunk

    days = tuple(date.fromisoformat(day) for day in chunk["sessions"])
    outcome = str(fill(deployment(), Chunk(chunk["symbol"], days), fetch))
    log.info("%s", outcome)
    return outcome
