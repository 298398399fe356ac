"""Why a query of an analyst gave no rows: told from what the tables have, and from what the file's header says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from tapeline.lake import sql_files
from tapeline.lake.athena import Column
from tapeline.market import sessions

Values = dict[str, object]
Run = Callable[[str], tuple[Sequence[Column], list[tuple[Any, ...]]]]
"""Runs a statement and gives its columns and rows."""

NOT_YET = "nothing is rolled up yet: the DAG daily_rollup does it 30 minutes after each close of the exchange"

_NOT_CRAWLED = "the catalog has no trading date yet: the DAG crawl_raw_data finds them each hour of a session"
_TABLES = ("stock_data_table", "daily_bars", "daily_summary", "minute_bars")
_LISTED = 5


def why_empty(statement: sql_files.SqlFile, values: Mapping[str, object], run: Run) -> str:
    """Say why a statement gave no rows.

    Parameters
    ----------
    statement : SqlFile
        Its line ``-- Empty: …`` says what it means if everything asked for is there; ``{name}`` is a parameter, and
        ``{found}`` how many sessions there are of those asked for.
    values : mapping of str to object
        Of all its parameters, None where there was nothing to look up.
    run : callable
        Asks what there is.
    """
    asked = {one.name: _day(values[one.name]) for one in statement.parameters if one.kind == "date"}
    source = statement.header.get("Source", "")
    if "/checks/" in statement.name:
        return "the check finds nothing wrong."
    if not asked or not any(table in source for table in _TABLES):
        return statement.header.get("Empty", "nothing is what was asked for") + "."
    is_raw = "stock_data_table" in source
    table = "stock_data_table" if is_raw else "daily_bars" if "daily_bars" in source else "daily_summary"
    _, rows = run(sql_files.load(f"there/{table}").render())
    there = [day for (day,) in rows]
    if not there:
        return f"{_NOT_CRAWLED if is_raw else NOT_YET}."
    first, last = _range(asked)
    found = [day for day in there if (first is None or day >= first) and (last is None or day <= last)]
    if first and last and first > last:
        return f"first_session {first} is after last_session {last}."
    if not found:
        return f"{_named(first, last)} in {'the raw zone' if is_raw else table}, which has {_listed(there)}."
    symbol = values.get("symbol")
    if symbol is not None and not is_raw:
        there_then = {"first_session": found[0], "last_session": found[-1]}
        _, rows = run(sql_files.load("there/symbols").render(there_then))
        symbols = [name for (name,) in rows]
        if symbol not in symbols:
            return f"there is no {symbol} in {_days(found)}; there are {_some(symbols)}."
    shown = {**values, "found": _count(found)}
    return statement.header.get("Empty", "nothing of {found} is what was asked for").format_map(shown) + "."


def _range(asked: Mapping[str, date | None]) -> tuple[date | None, date | None]:
    if "session" in asked:
        return asked["session"], asked["session"]
    return asked.get("first_session"), asked.get("last_session")


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


def _some(names: Sequence[str]) -> str:
    more = len(names) - 2 * _LISTED
    return ", ".join(names[: 2 * _LISTED]) + (f" and {more} more" if more > 0 else "")
