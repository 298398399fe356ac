"""Why a query of an analyst failed or gave no rows: from Athena's reason, the tables and the file's header."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from tapeline.lake import sql_files
from tapeline.lake.athena import Column, StatementFailedError
from tapeline.lake.audit_result import named
from tapeline.lake.rollup import CURATED
from tapeline.market import sessions

Values = dict[str, object]
Run = Callable[[str], tuple[Sequence[Column], list[tuple[Any, ...]]]]
"""Runs a statement and gives its columns and rows."""

NOT_YET = "nothing is rolled up yet: the DAG daily_rollup does it 30 minutes after each close of the exchange"

_NOT_CRAWLED = "the catalog has no trading date yet: the DAG crawl_raw_data finds them each hour of a session"
_TABLES = ("stock_data_table", "daily_bars", "daily_summary", "minute_bars")
_LISTED = 5


def why_failed(name: str, error: StatementFailedError) -> str:
    """Say in plain words why a statement of this file failed and what to do next."""
    lowered = error.reason.lower()
    missing = "does not exist" in lowered or "not found" in lowered or "not_found" in lowered
    if missing and "stock_data_table" in lowered:
        hint = "the crawler has not seen the raw zone yet: start the DAG crawl_raw_data, or the Glue crawler itself"
    elif missing and "trading_sessions" in lowered:
        hint = "make the view first: tapeline query trading_sessions/view"
    elif missing and ("daily_bars" in lowered or "daily_history" in lowered):
        hint = "make them first: tapeline query daily_history/ddl, then tapeline query daily_history/view"
    elif missing and (table := next((name for name in CURATED if name in lowered), "")):
        staging = f"{table}_staging" in lowered
        hint = f"{NOT_YET}; to have the table before that: tapeline query {table}/{'staging_ddl' if staging else 'ddl'}"
    elif "bytes scanned limit" in lowered:
        hint = "the work group's scan limit stopped it: ask for fewer sessions, or ask a curated table instead"
    elif error.state == "CANCELLED":
        hint = "somebody or the work group stopped it; run it again"
    else:
        hint = f"look at the statement with tapeline query {name} --dry-run"
    return f"{name} failed: {error.reason} What to do: {hint}."


def why_empty(statement: sql_files.SqlFile, values: Mapping[str, object], run: Run) -> str:
    """Say why a statement gave no rows.

    Parameters
    ----------
    statement : SqlFile
        Its line ``-- Empty: …`` says what it means if all the sessions are there; ``{name}`` is a parameter, and
        ``{found}`` how many sessions of the range there are.
    values : mapping of str to object
        Of all its parameters, None where there was nothing to look up.
    """
    dates = [parameter.name for parameter in statement.parameters if parameter.kind == "date"]
    days = {name: _day(values[name]) for name in dates}
    source = statement.header.get("Source", "")
    if "/checks/" in statement.name:
        return "the check finds nothing wrong."
    if not days or not any(table in source for table in _TABLES):
        return statement.header.get("Empty", "nothing is what was asked for") + "."
    is_raw = "stock_data_table" in source
    table = "stock_data_table" if is_raw else "daily_bars" if "daily_bars" in source else "daily_summary"
    _, rows = run(sql_files.load(f"there/{table}").render())
    there = [day for (day,) in rows]
    if not there:
        return f"{_NOT_CRAWLED if is_raw else NOT_YET}."
    first, last = days.get("first_session", days.get("session")), days.get("last_session", days.get("session"))
    within = [day for day in there if (first is None or day >= first) and (last is None or day <= last)]
    if first and last and first > last:
        return f"first_session {first} is after last_session {last}."
    if not within:
        return f"{_named(first, last)} in {'the raw zone' if is_raw else table}, which has {_listed(there)}."
    symbol = values.get("symbol")
    if symbol is not None and not is_raw:
        span = {"first_session": within[0], "last_session": within[-1]}
        _, rows = run(sql_files.load("there/symbols").render(span))
        symbols = [name for (name,) in rows]
        if symbol not in symbols:
            return f"there is no {symbol} in {_days(within)}; there are {named(symbols, 2 * _LISTED)}."
    shown = {**values, "found": _count(within)}
    return statement.header.get("Empty", "nothing of {found} is what was asked for").format_map(shown) + "."


def _day(value: object) -> date | None:
    return value if isinstance(value, date) else date.fromisoformat(value) if isinstance(value, str) else None


def _named(first: date | None, last: date | None) -> str:
    if first is not None and first == last:
        if not sessions.is_session(first):
            return f"{first} is no trading day of the exchange and so not"
        return f"the session {first} is not"
    return f"no session from {first} to {last} is"


def _count(days: Sequence[date]) -> str:
    return f"{len(days)} session{'' if len(days) == 1 else 's'}"


def _days(days: Sequence[date]) -> str:
    return f"session {days[0]}" if len(days) == 1 else f"sessions {days[0]} to {days[-1]}"


def _listed(days: Sequence[date]) -> str:
    if len(days) > _LISTED:
        return f"{_count(days)}, {days[0]} to {days[-1]}"
    return ", ".join(map(str, days))
