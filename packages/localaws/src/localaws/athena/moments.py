"""Athena's functions of dates and times, with their zones and patterns."""

from __future__ import annotations

import re
from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from localaws.athena.casts import Value, cast, coerce, failure, local, quote
from localaws.athena.errors import QueryError, mismatch, no_function, unsupported
from localaws.athena.types import BIGINT, DATE, INTERVAL_DAY, INTERVAL_YEAR, TIMESTAMP, VARCHAR, Type, zoned

_UNITS = ("millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year")
_MYSQL = {  # date_format, date_parse: MySQL's letters, where strftime has another
    "i": "%M", "s": "%S", "M": "%B", "W": "%A", "c": "%-m", "e": "%-d", "h": "%I", "k": "%-H", "l": "%-I",
    "T": "%H:%M:%S", "r": "%I:%M:%S %p", "v": "%V", "x": "%G", **{letter: f"%{letter}" for letter in "YmdHSfabIjpy%"},
}  # fmt: skip


def zone_name(value: Value) -> str:
    """Return the zone that a constant names."""
    zone = constant(value, "a time zone")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise QueryError("INVALID_FUNCTION_ARGUMENT", f"'{zone}' is not a valid time zone") from error
    return zone


def constant(value: Value, what: str) -> str:
    """Return the text of a literal."""
    if not re.fullmatch(r"'(?:[^']|'')*'", value.sql):
        raise unsupported(f"{what} that is no constant")
    return value.sql[1:-1].replace("''", "'")


def at_time_zone(moment: Value, zone: Value) -> Value:
    """Return the same instant, shown in another zone."""
    if moment.type.name not in ("timestamp", "timestamp with time zone"):
        raise mismatch(f"Type of value must be a time or timestamp with or without time zone (actual {moment.type})")
    moment = coerce(moment, zoned(digits=moment.type.arguments[0])) if moment.type.name == "timestamp" else moment
    return Value(moment.sql, zoned(zone_name(zone), moment.type.arguments[0]))


def _at_timezone(moment: Value, zone: Value) -> Value:
    if not moment.type.is_moment or zone.type != VARCHAR:
        raise no_function("at_timezone", (moment.type, zone.type))
    return at_time_zone(coerce(moment, zoned()) if moment.type == DATE else moment, zone)


def zoned_literal(value: Value, to: Type) -> Value | None:
    """Return a text that names a zone as the moment it means, if it is a literal."""
    parts = re.fullmatch(r"('[\d :.-]+) ([A-Z]\w+/[\w/+-]+')", value.sql)
    if parts is None or to.name != "timestamp with time zone":
        return None
    clock, zone = Value(f"{parts[1]}'", VARCHAR), Value(f"'{parts[2]}", VARCHAR)
    return with_timezone(cast(clock, Type("timestamp", to.arguments[:1])), zone)


def with_timezone(moment: Value, zone: Value) -> Value:
    """Return the instant at which the clock of the zone shows this."""
    if moment.type.name != "timestamp":
        raise no_function("with_timezone", (moment.type, VARCHAR))
    return cast(moment, zoned(zone_name(zone), moment.type.arguments[0]))


def _unit(value: Value, moment: Type) -> str:
    unit = constant(value, "a unit").lower()
    if unit not in _UNITS or (moment == DATE and _UNITS.index(unit) < _UNITS.index("day")):
        raise QueryError("INVALID_FUNCTION_ARGUMENT", f"'{unit}' is not a valid {moment.name} field")
    return unit


def date_trunc(unit: Value, moment: Value) -> Value:
    """Cut a moment to its unit, in its own zone."""
    _require_moment("date_trunc", moment)
    name = _unit(unit, moment.type)
    cut = f"date_trunc('{name}', {local(moment)})"
    if moment.type == DATE:
        return Value(f"CAST({cut} AS DATE)", DATE)
    if moment.type.name == "timestamp":
        return Value(cut, moment.type)
    if _UNITS.index(name) < _UNITS.index("day"):
        # By subtraction: 01:30 on the clock is two instants when daylight saving ends.
        return Value(f"({moment.sql} - ({local(moment)} - {cut}))", moment.type)
    return Value(f"({cut} AT TIME ZONE {quote(moment.type.zone)})", moment.type)


def date_add(unit: Value, amount: Value, moment: Value) -> Value:
    """Add so many units; days and longer ones on the clock of the moment's zone, shorter ones in time passed."""
    _require_moment("date_add", moment)
    if not amount.type.is_integer:
        raise no_function("date_add", (VARCHAR, amount.type, moment.type))
    name = _unit(unit, moment.type)
    times = "3 * " if name == "quarter" else ""
    maker = "months" if name == "quarter" else f"{name}s"
    kind = INTERVAL_YEAR if name in ("month", "quarter", "year") else INTERVAL_DAY
    width = "BIGINT" if kind == INTERVAL_DAY and name not in ("day", "week") else "INTEGER"
    number = f"CAST({times}{amount.sql} AS {width})"
    interval = f"to_{maker}({number})"
    if moment.type.name == "timestamp with time zone" and _UNITS.index(name) >= _UNITS.index("day"):
        return Value(f"(({local(moment)} + {interval}) AT TIME ZONE {quote(moment.type.zone)})", moment.type)
    return _as_moment(f"({moment.sql} + {interval})", moment.type)


def date_diff(unit: Value, start: Value, end: Value) -> Value:
    """Return how many whole units lie between two moments."""
    _require_moment("date_diff", start)
    _require_moment("date_diff", end)
    if start.type.name == end.type.name == "timestamp with time zone":
        name = _unit(unit, start.type)
        if _UNITS.index(name) >= _UNITS.index("day"):
            end = Value(end.sql, start.type)
            return Value(f"date_sub('{name}', {local(start)}, {local(end)})", BIGINT)
        return Value(f"date_sub('{name}', {start.sql}, {end.sql})", BIGINT)
    if start.type.name != end.type.name:
        wide = TIMESTAMP if "timestamp with time zone" not in (start.type.name, end.type.name) else zoned()
        return date_diff(unit, coerce(start, wide), coerce(end, wide))
    return Value(f"date_sub('{_unit(unit, start.type)}', {start.sql}, {end.sql})", BIGINT)


def plus_interval(moment: Value, sign: str, interval: Value) -> Value:
    """Add an interval to a moment, or subtract it."""
    if moment.type.name == "timestamp with time zone" and interval.type == INTERVAL_YEAR:
        return Value(f"(({local(moment)} {sign} {interval.sql}) AT TIME ZONE {quote(moment.type.zone)})", moment.type)
    if (
        moment.type == DATE
        and interval.type == INTERVAL_DAY
        and not re.search(r"' (DAY|WEEK)$", interval.sql.strip("()"))
    ):
        raise QueryError("INVALID_FUNCTION_ARGUMENT", "Cannot add hour, minutes or seconds to a date")
    return _as_moment(f"({moment.sql} {sign} {interval.sql})", moment.type)


def difference(left: Value, right: Value) -> Value:
    """Return the time from the right moment to the left one."""
    if left.type == right.type == DATE:
        return Value(f"to_days(CAST({left.sql} - {right.sql} AS INTEGER))", INTERVAL_DAY)
    wide = zoned() if "timestamp with time zone" in (left.type.name, right.type.name) else TIMESTAMP
    left, right = (value if value.type.name == wide.name else coerce(value, wide) for value in (left, right))
    return Value(f"({left.sql} - {right.sql})", INTERVAL_DAY)


def _as_moment(sql: str, kind: Type) -> Value:
    return Value(f"CAST({sql} AS DATE)" if kind == DATE else sql, kind)


def _require_moment(function: str, value: Value) -> None:
    if not value.type.is_moment:
        raise no_function(function, [value.type])


def from_iso8601_timestamp(text: Value) -> Value:
    """Read an ISO-8601 text; the zone must be UTC, the only one of which the result's zone is known beforehand."""
    _require_text("from_iso8601_timestamp", text)
    kind = zoned()
    form = r"'\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d([.,]\d{1,3})?)?(Z|\+00:00)?|\d{4}-\d\d-\d\d'"
    offset = r"'\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d([.,]\d+)?)?([+-]\d\d:?\d\d|Z)?'"
    return Value(
        f"CASE WHEN regexp_full_match({text.sql}, {form}) THEN CAST({text.sql} AS TIMESTAMPTZ) "
        f"WHEN regexp_full_match({text.sql}, {offset}) THEN "
        + failure(f"'NOT_SUPPORTED: not supported on the laptop: from_iso8601_timestamp(' || {text.sql} || ')'", kind)
        + f" WHEN {text.sql} IS NOT NULL THEN "
        + failure(f"'INVALID_FUNCTION_ARGUMENT: Invalid format: ' || {text.sql}", kind)
        + " END",
        kind,
    )


def from_iso8601_date(text: Value) -> Value:
    """Read a date such as 2026-03-12."""
    _require_text("from_iso8601_date", text)
    wrong = failure(f"'INVALID_FUNCTION_ARGUMENT: Invalid format: ' || {text.sql}", DATE)
    return Value(
        f"CASE WHEN regexp_full_match({text.sql}, '\\d{{4}}-\\d\\d-\\d\\d') THEN CAST({text.sql} AS DATE) "
        f"WHEN {text.sql} IS NOT NULL THEN {wrong} END",
        DATE,
    )


def to_iso8601(moment: Value) -> Value:
    """Write a moment as ISO-8601 text."""
    _require_moment("to_iso8601", moment)
    if moment.type == DATE:
        return Value(f"strftime({moment.sql}, '%Y-%m-%d')", VARCHAR)
    shown = f"strftime({local(moment)}, '%Y-%m-%dT%H:%M:%S.{'%g' if moment.type.arguments[0] == 3 else '%f'}')"
    if moment.type.name == "timestamp":
        return Value(shown, VARCHAR)
    minutes = f"date_diff('minute', {moment.sql} AT TIME ZONE 'UTC', {local(moment)})"
    sign = f"CASE WHEN {minutes} < 0 THEN '-' ELSE '+' END"
    offset = f"printf('%s%02d:%02d', {sign}, abs({minutes}) // 60, abs({minutes}) % 60)"
    return Value(f"({shown} || CASE WHEN {minutes} = 0 THEN 'Z' ELSE {offset} END)", VARCHAR)


def date_format(moment: Value, pattern: Value) -> Value:
    """Write a moment by MySQL's pattern."""
    _require_moment("date_format", moment)
    return Value(f"strftime({local(moment)}, {quote(_mysql(pattern))})", VARCHAR)


def date_parse(text: Value, pattern: Value) -> Value:
    """Read a moment by MySQL's pattern."""
    _require_text("date_parse", text)
    if not re.search(r"%[Yy]", constant(pattern, "a date pattern")):
        raise unsupported("date_parse without a year")
    return Value(f"strptime({text.sql}, {quote(_mysql(pattern))})", TIMESTAMP)


def _require_text(function: str, value: Value) -> None:
    if value.type != VARCHAR:
        raise QueryError(
            "FUNCTION_NOT_FOUND",
            f"Unexpected parameters ({value.type}) for function {function}. Expected: {function}(varchar)",
        )


def _mysql(pattern: Value) -> str:
    def letter(match: re.Match[str]) -> str:
        if match[1] not in _MYSQL:
            raise unsupported(f"%{match[1]} in a date pattern")
        return _MYSQL[match[1]]

    return re.sub(r"%(.)", letter, constant(pattern, "a date pattern"))


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "at_timezone": _at_timezone,
    "with_timezone": with_timezone,
    "date_trunc": date_trunc,
    "date_add": date_add,
    "date_diff": date_diff,
    "from_iso8601_timestamp": from_iso8601_timestamp,
    "from_iso8601_date": from_iso8601_date,
    "to_iso8601": to_iso8601,
    "date_format": date_format,
    "date_parse": date_parse,
}
