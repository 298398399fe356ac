"""Casts as Athena makes them, and values as text.

DuckDB casts more than Athena does ('1.5' to a whole number, '2026-03-12T14:30:00Z' to a timestamp) and rounds a half to
even; here a text must have Athena's form, and a half goes up.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from localaws.athena.errors import mismatch, unsupported
from localaws.athena.types import BIGINT, DOUBLE, REAL, UNKNOWN, VARBINARY, VARCHAR, Type, duckdb


@dataclass(frozen=True, slots=True)
class Value:
    """An expression, written for DuckDB, and its type in Athena."""

    sql: str
    type: Type


_TEXT_FORMS = {  # what a varchar must look like, by the type it is cast to
    "integer": r"\s*[+-]?[0-9]+\s*",
    "double": r"\s*[+-]?([0-9]+\.?[0-9]*([eE][+-]?[0-9]+)?|\.[0-9]+([eE][+-]?[0-9]+)?|NaN|Infinity)\s*",
    "decimal": r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?",
    "boolean": r"(?i)(true|t|1|false|f|0)",
    "date": r"\s*\d{1,4}-\d{1,2}-\d{1,2}\s*",
    "timestamp": r"\d{4}-\d{1,2}-\d{1,2}( \d{1,2}:\d{1,2}(:\d{1,2}(\.\d{1,6})?)?)?",
    "timestamp with time zone": r"\d{4}-\d{1,2}-\d{1,2}( \d{1,2}:\d{1,2}(:\d{1,2}(\.\d{1,6})?)?)?( UTC| Z)?",
    "time": r"\d{1,2}:\d{1,2}(:\d{1,2}(\.\d{1,6})?)?",
}


def failure(message: str, kind: Type) -> str:
    """Return an expression of this type that fails when it is computed, with the message that an SQL expression gives.

    DuckDB's `error()` may not stand inside of `TRY`. A failing cast may, and `engine` finds the message in its error.
    """
    marked = f"'!!' || {message} || '!!'"
    if kind.name in ("varchar", "varbinary"):  # to which every text can be cast
        return f"{'encode' if kind.name == 'varbinary' else ''}(chr(CAST({marked} AS INTEGER)))"
    return f"CAST({marked} AS {duckdb(kind)})"


def quote(text: str) -> str:
    """Return the text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return the name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def local(value: Value) -> str:
    """Return a date or timestamp as the clock on the wall of its zone shows it."""
    if value.type.name == "timestamp with time zone":
        return f"({value.sql} AT TIME ZONE {quote(value.type.zone)})"
    return value.sql


def coerce(value: Value, to: Type) -> Value:
    """Return the value as the wider type, where Athena widens by itself."""
    if value.type == to:
        return value
    if value.type.name == to.name == "row" or value.type.name in ("array", "map") or value.type == UNKNOWN:
        return Value(f"CAST({value.sql} AS {duckdb(to)})", to)
    return cast(value, to)


def cast(value: Value, to: Type, wrong: str = "") -> Value:
    """Return what CAST(value AS to) is in Athena; `wrong` is an SQL expression for the message about an unfit text."""
    source = value.type
    plain = Value(f"CAST({value.sql} AS {duckdb(to)})", to)
    if source in (to, UNKNOWN):
        return plain if source == UNKNOWN else value
    if to.name == "char" and source.name in ("char", "varchar"):
        return Value(f"rpad({value.sql}, {to.arguments[0]}, ' ')", to)
    if source.name == "char" and to == VARCHAR:
        return Value(value.sql, to)
    if source.is_number or source.name == "boolean":
        return _cast_number(value, to, plain)
    if source.name == "varchar":
        return _cast_text(value, to, plain, wrong)
    if source.is_moment and to.is_moment:
        if to.name == "timestamp with time zone":
            if source.name == to.name:
                return Value(value.sql, Type(to.name, (to.arguments[0], source.zone)))
            return Value(f"(CAST({value.sql} AS TIMESTAMP) AT TIME ZONE {quote(to.zone)})", to)
        return Value(f"CAST({local(value)} AS {duckdb(to)})", to)
    if source.name == "time" and to.name.startswith("timestamp"):
        raise unsupported(f"CAST({source} AS {to}), which is of the day of the query")
    if source.name.startswith("timestamp") and to.name == "time":
        return Value(f"CAST({local(value)} AS TIME)", to)
    if to == VARCHAR and (source.is_moment or source.name == "time" or source.name.startswith("interval")):
        return Value(text(value), VARCHAR)
    if source.name == to.name == "array":
        element = cast(Value("element", source.arguments[0]), to.arguments[0])
        return Value(f"list_transform({value.sql}, lambda element: {element.sql})", to)
    if source.name == to.name == "row" and len(source.arguments) == len(to.arguments):
        fields = [
            f"{identifier(name)} := {cast(Value(f'struct_extract_at({value.sql}, {number})', kind), target).sql}"
            for number, ((_, kind), (name, target)) in enumerate(zip(source.arguments, to.arguments, strict=True), 1)
        ]
        return Value(f"struct_pack({', '.join(fields)})", to)
    raise mismatch(f"Cannot cast {source} to {to}")


def _cast_number(value: Value, to: Type, plain: Value) -> Value:
    source = value.type
    if to.is_integer and source.is_float:
        wrong = failure(f"'INVALID_CAST_ARGUMENT: Cannot cast {source} NaN to {to}'", to)
        return Value(f"CASE WHEN isnan({value.sql}) THEN {wrong} ELSE CAST(round({value.sql}) AS {duckdb(to)}) END", to)
    if to.name == "decimal" and source.is_float:  # by its shortest text, as Java's BigDecimal.valueOf
        return Value(f"CAST(CAST({value.sql} AS VARCHAR) AS {duckdb(to)})", to)
    if source == DOUBLE and to == REAL:  # what is too large is infinite
        infinite = f"CAST(sign({value.sql}) * CAST('Infinity' AS DOUBLE) AS FLOAT)"
        too_large = f"isfinite({value.sql}) AND abs({value.sql}) >= 3.4028235677973366e38"
        return Value(f"CASE WHEN {too_large} THEN {infinite} ELSE {plain.sql} END", to)
    if to.is_number or to.name == "boolean":
        return plain
    if to == VARCHAR and not source.is_float:
        return Value(text(value), to)
    if to == VARCHAR:
        raise unsupported(f"CAST({source} AS varchar), which writes 1.5 as 1.5E0 in Athena; use format('%.2f', x)")
    raise mismatch(f"Cannot cast {source} to {to}")


def _cast_text(value: Value, to: Type, plain: Value, wrong: str) -> Value:
    if to == VARBINARY:
        return Value(f"encode({value.sql})", to)
    form = "integer" if to.is_integer else "double" if to.is_float else to.name
    if form not in _TEXT_FORMS:
        raise mismatch(f"Cannot cast {value.type} to {to}")
    if form == "timestamp with time zone":
        plain = Value(f"(CAST(regexp_replace({value.sql}, ' (UTC|Z)$', '') AS TIMESTAMP) AT TIME ZONE 'UTC')", to)
    wrong = wrong or f"'INVALID_CAST_ARGUMENT: Cannot cast ''' || {value.sql} || ''' to {to}'"
    if form.startswith("timestamp"):  # whose zone would have to be known before the query runs
        zoned = _TEXT_FORMS["timestamp"] + " ?([+-]\\d{1,2}(:\\d{2})?|[A-Z][A-Za-z_/+-]+)"
        named = f"'NOT_SUPPORTED: not supported on the laptop: the zone of ''' || {value.sql} || ''''"
        wrong = f"CASE WHEN regexp_full_match({value.sql}, {quote(zoned)}) THEN {named} ELSE {wrong} END"
    return Value(
        f"CASE WHEN regexp_full_match({value.sql}, {quote(_TEXT_FORMS[form])}) THEN {plain.sql} "
        f"WHEN {value.sql} IS NOT NULL THEN {failure(wrong, to)} END",
        to,
    )


def text(value: Value) -> str:
    """Return the value as Athena writes it into a result; null stays null."""
    kind, sql = value.type, value.sql
    match kind.name:
        case "varchar" | "char":
            return sql
        case "real" | "double":
            # Java writes plain digits between 10^-3 and 10^7, and 4.9E7 beyond.
            return (
                f"CASE WHEN {sql} = 0 OR (abs({sql}) >= 1e-3 AND abs({sql}) < 1e7) "
                f"THEN CAST({sql} AS VARCHAR) ELSE java_double(CAST({sql} AS DOUBLE)) END"
                if kind == DOUBLE
                else f"java_float({sql})"
            )
        case "decimal" if kind.arguments[0] == kind.arguments[1]:  # DuckDB writes .12
            return f"regexp_replace(CAST({sql} AS VARCHAR), '^(-?)[.]', '\\10.')"
        case "timestamp" | "timestamp with time zone":
            digits = "%g" if kind.arguments[0] == 3 else "%f"
            shown = f"strftime({local(value)}, '%Y-%m-%d %H:%M:%S.{digits}')"
            return shown if kind.name == "timestamp" else f"({shown} || {quote(' ' + kind.zone)})"
        case "time":
            return f"strftime(CAST(DATE '2000-01-01' + {sql} AS TIMESTAMP), '%H:%M:%S.%g')"
        case "interval day to second":
            whole = f"CAST(round(epoch({sql}) * 1000) AS BIGINT)"
            clock = f"strftime(make_timestamp(abs({whole}) % 86400000 * 1000), '%H:%M:%S.%g')"
            return f"(CASE WHEN {whole} < 0 THEN '-' ELSE '' END || abs({whole}) // 86400000 || ' ' || {clock})"
        case "varbinary":
            return f"regexp_replace(rtrim(regexp_replace(lower(hex({sql})), '(..)', '\\1 ', 'g')), ' +', ' ', 'g')"
        case "array":
            element = text(Value("element", kind.arguments[0]))
            return _joined(f"list_transform({sql}, lambda element: coalesce({element}, 'null'))", "[", "]")
        case "map":
            key, content = (
                text(Value(f"entry.{part}", inner))
                for part, inner in zip(("key", "value"), kind.arguments, strict=True)
            )
            entries = f"list_transform(map_entries({sql}), lambda entry: {key} || '=' || coalesce({content}, 'null'))"
            return _joined(entries, "{", "}")
        case "row":
            fields = [
                quote(f"{name}=") + f" || coalesce({text(Value(f'struct_extract_at({sql}, {number})', inner))}, 'null')"
                for number, (name, inner) in enumerate(kind.arguments, 1)
            ]
            return f"CASE WHEN {sql} IS NOT NULL THEN '{{' || " + " || ', ' || ".join(fields) + " || '}' END"
        case "interval year to month":
            months = f"(year({sql}) * 12 + month({sql}))"
            return f"(CASE WHEN {months} < 0 THEN '-' ELSE '' END || abs({months}) // 12 || '-' || abs({months}) % 12)"
    return f"CAST({sql} AS VARCHAR)"


def _joined(strings: str, left: str, right: str) -> str:
    return f"({quote(left)} || array_to_string({strings}, ', ') || {quote(right)})"


def null(kind: Type = BIGINT) -> Value:
    """Return a null of the type."""
    return Value(f"CAST(NULL AS {duckdb(kind)})", kind)


def select_list(columns: dict[str, Type], given: Collection[str] = ()) -> str:
    """Return what stands between SELECT and FROM to get these columns of a table that has only the given ones."""
    return ", ".join(
        identifier(name) if name in given else f"{null(kind).sql} AS {identifier(name)}"
        for name, kind in columns.items()
    )
