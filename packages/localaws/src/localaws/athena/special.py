"""Functions whose result's type or whose DuckDB expression no line of a table can say."""

from __future__ import annotations

import re
from collections.abc import Callable

from localaws.athena import moments, types
from localaws.athena.casts import Value, cast, coerce, failure, quote
from localaws.athena.errors import QueryError, mismatch, no_function, unsupported
from localaws.athena.operators import arithmetic, concat, pair, require_texts, taken, unified
from localaws.athena.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    MAX_DECIMAL_DIGITS,
    UNKNOWN,
    VARCHAR,
    Type,
    decimal,
    duckdb,
)


def _if(condition: Value, *results: Value) -> Value:
    if len(results) not in (1, 2):
        raise QueryError("", "Invalid number of arguments for 'if' function")
    if condition.type not in (BOOLEAN, UNKNOWN):
        raise mismatch(f"IF condition must evaluate to a boolean (actual: {condition.type})")
    values, kind = unified(list(results), "Result types for IF")
    otherwise = values[1].sql if len(values) > 1 else "NULL"
    return Value(f"CASE WHEN {condition.sql} THEN {values[0].sql} ELSE {otherwise} END", kind)


def coalesce(*arguments: Value) -> Value:
    """Return the first that is not null."""
    values, kind = unified(list(arguments), "All COALESCE operands")
    return Value(f"coalesce({', '.join(value.sql for value in values)})", kind)


def _coalesce(*arguments: Value) -> Value:
    if len(arguments) < 2:
        raise QueryError("", "The 'coalesce' function must have at least two arguments")
    return coalesce(*arguments)


def _date(value: Value) -> Value:
    if value.type not in (VARCHAR, UNKNOWN) and not value.type.is_moment:
        raise no_function("date", [value.type])
    return cast(value, DATE)


def _mod(left: Value, right: Value) -> Value:
    if not all(value.type.is_number or value.type == UNKNOWN for value in (left, right)):
        raise no_function("mod", [left.type, right.type])
    if left.type == right.type == UNKNOWN:
        raise unsupported("mod of bare NULLs; cast one to its type")
    return arithmetic("%", left, right)


def _nullif(value: Value, other: Value) -> Value:
    left, right = pair(value, other, "=")
    return Value(f"CASE WHEN {left.sql} = {right.sql} THEN NULL ELSE {value.sql} END", value.type)


def _try(value: Value) -> Value:
    return Value(f"TRY({value.sql})", value.type)


def _nameless(count: int) -> list[str]:
    """Return what fields without names are shown as."""
    return [f"field{number}" for number in range(count)]


def cast_as(value: Value, target: str) -> Value:
    """Return what CAST makes of a value; a text is cut to varchar(n), what is none must fit it."""
    kind = types.parse(target)
    if (zoned := moments.zoned_literal(value, kind)) is not None:
        return zoned
    length = re.fullmatch(r"varchar\((\d+)\)", target)
    if value.type == kind == VARCHAR:  # by a CAST of its own, so that nobody takes it for a literal of known length
        return Value(f"substr({value.sql}, 1, {length[1]})" if length else f"CAST({value.sql} AS VARCHAR)", kind)
    made = cast(value, kind)
    if not length or value.type == UNKNOWN:
        return made
    wrong = failure(f"'INVALID_CAST_ARGUMENT: Value ' || {made.sql} || ' cannot be represented as {target}'", VARCHAR)
    return Value(f"CASE WHEN length({made.sql}) > {length[1]} THEN {wrong} ELSE {made.sql} END", VARCHAR)


def row(*values: Value) -> Value:
    """Return a row of these values, whose fields have no names."""
    names = _nameless(len(values))
    fields = tuple((name, value.type) for name, value in zip(names, values, strict=True))
    packed = ", ".join(f"{name} := {value.sql}" for name, value in zip(names, values, strict=True))
    return Value(f"struct_pack({packed})", Type("row", fields))


def number(text: str) -> Value:
    """Return a number as it is written: with a point or an exponent a double, as real Athena takes it.

    Trino makes a decimal of a literal with a point; Athena sets its option that does not (caveats of
    aoyagikouhei/athena-local, measured on engine version 3).
    """
    if not text.isdecimal():
        return Value(f"CAST({quote(text)} AS DOUBLE)", DOUBLE)
    if int(text) > 2**63 - 1:
        raise QueryError("NUMERIC_VALUE_OUT_OF_RANGE", f"Invalid numeric literal: {text}")
    return Value(text, INTEGER if int(text) < 2**31 else BIGINT)


def decimal_literal(text: str) -> Value:
    """Return what follows DECIMAL: as many digits as it is written with, zeros in front left out (Trino, Decimals)."""
    parts = re.fullmatch(r"[+-]?([0-9]*)(?:\.([0-9]*))?", text)
    digits = (parts[1].lstrip("0"), parts[2] or "") if parts and (parts[1] or parts[2]) else None
    if digits is None or len("".join(digits)) > MAX_DECIMAL_DIGITS:
        raise QueryError("INVALID_LITERAL", f"'{text}' is not a valid DECIMAL literal")
    kind = decimal(max(len("".join(digits)), 1), len(digits[1]))
    return Value(f"CAST({quote(text)} AS {duckdb(kind)})", kind)


def field(record: Value, name: str, shown: str) -> Value:
    """Return a field of a row."""
    kinds = dict(record.type.arguments) if record.type.name == "row" else {}
    if name in kinds and list(kinds) == _nameless(len(kinds)):
        raise QueryError("INVALID_COLUMN_REFERENCE", f"Column reference '{name}' is invalid")
    if name not in kinds:
        raise QueryError("COLUMN_NOT_FOUND", f"Column '{shown}' cannot be resolved")
    return Value(f"struct_extract({record.sql}, {quote(name)})", kinds[name])


def element(holder: Value, index: Value) -> Value:
    """Return an element of an array or a map, which fails where there is none."""
    kind: Type = holder.type.arguments[-1] if holder.type.name in ("array", "map") else UNKNOWN
    if holder.type.name == "map":
        key = coerce(index, holder.type.arguments[0]).sql
        missing = failure(f"'INVALID_FUNCTION_ARGUMENT: Key not present in map: ' || {key}", kind)
        case = f"WHEN map_contains({holder.sql}, {key}) THEN {holder.sql}[{key}]"
        return Value(f"CASE {case} WHEN {holder.sql} IS NOT NULL THEN {missing} END", kind)
    if holder.type.name != "array" or not index.type.is_integer:
        raise mismatch(f"Cannot use {index.type} for subscript of {holder.type}")
    beyond = failure("'INVALID_FUNCTION_ARGUMENT: Array subscript must be within the array'", kind)
    case = f"WHEN {index.sql} BETWEEN 1 AND len({holder.sql}) THEN list_extract({holder.sql}, {index.sql})"
    no_null = f"{holder.sql} IS NOT NULL AND {index.sql} IS NOT NULL"
    return Value(f"CASE {case} WHEN {no_null} THEN {beyond} END", kind)


def _extreme(name: str) -> Callable[..., Value]:
    def extreme(*arguments: Value) -> Value:
        values, kind = taken(name, arguments, list(arguments))
        if kind.name == "map":
            raise no_function(name, [value.type for value in arguments])
        # Unlike in DuckDB, a null among them makes the result null.
        some_null = " OR ".join(f"{value.sql} IS NULL" for value in values)
        listed = ", ".join(value.sql for value in values)
        doubtful = ""
        if kind.is_float:  # Trino's releases do not agree
            some_nan = " OR ".join(f"isnan({value.sql})" for value in values)
            doubtful = f" WHEN {some_nan} THEN {failure(quote(f'NOT_SUPPORTED: {name} of NaN'), kind)}"
        return Value(f"CASE WHEN {some_null} THEN NULL{doubtful} ELSE {name}({listed}) END", kind)

    return extreme


def _concat_ws(*values: Value) -> Value:
    if len(values) < 2:
        raise QueryError("INVALID_FUNCTION_ARGUMENT", "There must be two or more arguments")
    require_texts("concat_ws", list(values))
    return Value(f"concat_ws({', '.join(value.sql for value in values)})", VARCHAR)


def _regexp_replace(text: Value, pattern: Value, replacement: Value | None = None) -> Value:
    texts = [text, pattern, *([replacement] if replacement else [])]
    require_texts("regexp_replace", texts)
    if any(value.type == UNKNOWN for value in texts):
        raise unsupported("regexp_replace of a bare NULL; cast it to its type")
    written = moments.constant(replacement, "a replacement") if replacement else ""
    written = re.sub(r"\$(\d)", r"\\\1", written.replace("\\", "\\\\"))
    return Value(f"regexp_replace({text.sql}, {pattern.sql}, {quote(written)}, 'g')", VARCHAR)


def _grouping(*values: Value) -> Value:
    return Value(f"CAST(grouping({', '.join(value.sql for value in values)}) AS INTEGER)", INTEGER)


def _format(pattern: Value, *values: Value) -> Value:
    """Write by a Java pattern of %s, %d and %.2f; a half is rounded up from the digits that are shown."""
    if not values:
        raise QueryError("", "The 'format' function must have at least two arguments")
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


def _typeof(value: Value) -> Value:
    """Return the type's name; texts have no lengths and rows no nameless fields here, which Athena would show."""
    if re.search(r"varchar|row", str(value.type)):
        raise unsupported(f"typeof of {value.type}")
    return Value(
        quote(str(value.type).replace(", ", ",") if value.type.name == "decimal" else str(value.type)), VARCHAR
    )


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "if": _if,
    "coalesce": _coalesce,
    "nullif": _nullif,
    "try": _try,
    "row": row,
    "greatest": _extreme("greatest"),
    "least": _extreme("least"),
    "concat": lambda *values: concat(list(values)),
    "concat_ws": _concat_ws,
    "date": _date,
    "format": _format,
    "grouping": _grouping,
    "mod": _mod,
    "regexp_replace": _regexp_replace,
    "typeof": _typeof,
    **moments.FUNCTIONS,
}
