"""Functions whose result's type or whose DuckDB expression no line of a table can say."""

from __future__ import annotations

import re
from collections.abc import Callable

from localaws.athena import moments
from localaws.athena.casts import Value, cast, quote
from localaws.athena.errors import QueryError, mismatch, unsupported
from localaws.athena.operators import arithmetic, concat, pair, unified
from localaws.athena.types import BOOLEAN, DATE, INTEGER, UNKNOWN, VARCHAR, Type


def _if(condition: Value, *results: Value) -> Value:
    if condition.type not in (BOOLEAN, UNKNOWN):
        raise mismatch(f"IF condition must evaluate to a boolean (actual: {condition.type})")
    values, kind = unified(list(results), "Result types for IF")
    otherwise = values[1].sql if len(values) > 1 else "NULL"
    return Value(f"CASE WHEN {condition.sql} THEN {values[0].sql} ELSE {otherwise} END", kind)


def coalesce(*arguments: Value) -> Value:
    """Return the first that is not null."""
    values, kind = unified(list(arguments), "All COALESCE operands")
    return Value(f"coalesce({', '.join(value.sql for value in values)})", kind)


def _nullif(value: Value, other: Value) -> Value:
    left, right = pair(value, other, "=")
    return Value(f"CASE WHEN {left.sql} = {right.sql} THEN NULL ELSE {value.sql} END", value.type)


def _try(value: Value) -> Value:
    return Value(f"TRY({value.sql})", value.type)


def row(*values: Value) -> Value:
    """Return a row of these values, whose fields have no names."""
    fields = tuple((f"field{number}", value.type) for number, value in enumerate(values))
    packed = ", ".join(f"field{number} := {value.sql}" for number, value in enumerate(values))
    return Value(f"struct_pack({packed})", Type("row", fields))


def _extreme(name: str) -> Callable[..., Value]:
    def extreme(*arguments: Value) -> Value:
        values, kind = unified(list(arguments), f"All {name} arguments")
        # Unlike in DuckDB, a null among them makes the result null.
        some_null = " OR ".join(f"{value.sql} IS NULL" for value in values)
        listed = ", ".join(value.sql for value in values)
        return Value(f"CASE WHEN {some_null} THEN NULL ELSE {name}({listed}) END", kind)

    return extreme


def _concat_ws(*values: Value) -> Value:
    concat(list(values))  # which checks the types
    return Value(f"concat_ws({', '.join(value.sql for value in values)})", VARCHAR)


def _regexp_replace(text: Value, pattern: Value, replacement: Value | None = None) -> Value:
    written = moments.constant(replacement, "a replacement") if replacement else ""
    written = re.sub(r"\$(\d)", r"\\\1", written.replace("\\", "\\\\"))
    return Value(f"regexp_replace({text.sql}, {pattern.sql}, {quote(written)}, 'g')", VARCHAR)


def _grouping(*values: Value) -> Value:
    return Value(f"CAST(grouping({', '.join(value.sql for value in values)}) AS INTEGER)", INTEGER)


def _format(pattern: Value, *values: Value) -> Value:
    """Write by a Java pattern of %s, %d and %.2f; a half is rounded up from the digits that are shown."""
    pieces, arguments = [], iter(values)
    text = moments.constant(pattern, "a format")
    form = r"([^%]+)|%(,?)(?:\.(\d+))?([a-zA-Z%])"
    if re.sub(form, "", text):
        raise unsupported(f"the format {text}")
    for plain, grouped, digits, letter in re.findall(form, text):
        if plain or letter == "%":
            pieces.append(quote(plain or "%"))
            continue
        value = next(arguments, None)
        if value is None:
            raise QueryError("INVALID_FUNCTION_ARGUMENT", f"Invalid format string: {text} (too few arguments)")
        pieces.append(_formatted(value, letter, digits or "6", grouped=bool(grouped)))
    return Value("(" + " || ".join(pieces or ["''"]) + ")", VARCHAR)


def _formatted(value: Value, letter: str, digits: str, *, grouped: bool) -> str:
    if letter == "s" and (value.type == VARCHAR or value.type.is_integer) and not grouped:
        return f"coalesce(CAST({value.sql} AS VARCHAR), 'null')"
    if letter == "d" and value.type.is_integer:
        shown = f"format('{{:,}}', {value.sql})" if grouped else f"CAST({value.sql} AS VARCHAR)"
        return f"coalesce({shown}, 'null')"
    if letter == "f" and (value.type.is_float or value.type.name == "decimal"):
        rounded = f"CAST(CAST({value.sql} AS VARCHAR) AS DECIMAL(38, {digits}))"
        shown = f"format('{{:,.{digits}f}}', CAST({rounded} AS DOUBLE))" if grouped else f"CAST({rounded} AS VARCHAR)"
        return f"coalesce({shown}, 'null')"
    raise unsupported(f"%{letter} of {value.type} in format")


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "if": _if,
    "coalesce": coalesce,
    "nullif": _nullif,
    "try": _try,
    "row": row,
    "greatest": _extreme("greatest"),
    "least": _extreme("least"),
    "concat": lambda *values: concat(list(values)),
    "concat_ws": _concat_ws,
    "date": lambda value: cast(value, DATE),
    "format": _format,
    "grouping": _grouping,
    "mod": lambda left, right: arithmetic("%", left, right),
    "regexp_replace": _regexp_replace,
    "typeof": lambda value: Value(quote(str(value.type)), VARCHAR),
    **moments.FUNCTIONS,
}
