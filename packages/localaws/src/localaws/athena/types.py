"""Athena's types: how Glue, Trino and DuckDB spell them, and which of two can hold both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from localaws.athena.errors import mismatch, unsupported

MAX_DECIMAL_DIGITS = 38
MAX_CHAR_LENGTH = 65_536


@dataclass(frozen=True, slots=True)
class Type:
    """A type as Athena names it.

    Attributes
    ----------
    name : str
        Trino's name: ``varchar``, ``bigint``, ``decimal``, ``array``, …
    arguments : tuple
        ``decimal``: precision, scale. ``char``: length; every value is filled up with blanks to it, which makes
        comparisons what they are in Trino. ``timestamp``: digits of a second. ``timestamp with time zone``: digits,
        zone. ``array``: element. ``map``: key, value. ``row``: pairs of field name and type.
    """

    name: str
    arguments: tuple[Any, ...] = ()

    def __str__(self) -> str:
        if self.name == "row":
            return "row(" + ", ".join(f"{name} {kind}" for name, kind in self.arguments) + ")"
        if self.name == "timestamp with time zone":
            return f"timestamp({self.arguments[0]}) with time zone"
        return f"{self.name}({', '.join(map(str, self.arguments))})" if self.arguments else self.name

    @property
    def is_integer(self) -> bool:
        """Whether it is one of the whole-number types."""
        return self.name in _INTEGERS

    @property
    def is_number(self) -> bool:
        """Whether one can calculate with it."""
        return self.name in _INTEGERS or self.name in ("decimal", "real", "double")

    @property
    def is_float(self) -> bool:
        """Whether it knows NaN and infinity."""
        return self.name in ("real", "double")

    @property
    def is_moment(self) -> bool:
        """Whether it is a date or a timestamp."""
        return self.name in ("date", "timestamp", "timestamp with time zone")

    @property
    def zone(self) -> str:
        """Zone that a timestamp with time zone is shown in."""
        return str(self.arguments[1])


UNKNOWN = Type("unknown")  # of a bare NULL
BOOLEAN = Type("boolean")
TINYINT, SMALLINT, INTEGER, BIGINT = (Type(name) for name in ("tinyint", "smallint", "integer", "bigint"))
REAL, DOUBLE = Type("real"), Type("double")
VARCHAR, VARBINARY = Type("varchar"), Type("varbinary")
DATE, TIME = Type("date"), Type("time")
TIMESTAMP = Type("timestamp", (3,))
INTERVAL_DAY, INTERVAL_YEAR = Type("interval day to second"), Type("interval year to month")

_INTEGERS = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}
_DUCKDB = {
    "unknown": "INTEGER", "real": "FLOAT", "varbinary": "BLOB", "timestamp with time zone": "TIMESTAMPTZ",
    "interval day to second": "INTERVAL", "interval year to month": "INTERVAL", "timestamp": "TIMESTAMP",
    "char": "VARCHAR",
}  # fmt: skip
_TRINO_NAMES = {
    "string": "varchar", "int": "integer", "float": "real", "binary": "varbinary", "long": "bigint",
    "timestamptz": "timestamp with time zone", "double precision": "double",
}  # fmt: skip
_GLUE_NAMES = {"varchar": "string", "integer": "int", "real": "float", "varbinary": "binary"}
_SIMPLE = {*_INTEGERS, "boolean", "real", "double", "varchar", "varbinary", "date", "time"}


def decimal(precision: int, scale: int) -> Type:
    """Return a decimal type, cut to the 38 digits there are."""
    return Type("decimal", (min(precision, MAX_DECIMAL_DIGITS), scale))


def char(length: int) -> Type:
    """Return the type of texts that blanks fill up to a length."""
    if length > MAX_CHAR_LENGTH:
        raise mismatch(f"Unknown type: char({length})")
    return Type("char", (length,))


def array(element: Type) -> Type:
    """Return the type of an array."""
    return Type("array", (element,))


def zoned(zone: str = "UTC", digits: int = 3) -> Type:
    """Return a timestamp with time zone, the zone being known before the query runs."""
    return Type("timestamp with time zone", (digits, zone))


def parse(text: str) -> Type:
    """Read a type as Glue or Trino spells it, such as ``array<int>`` or ``decimal(10, 2)``.

    >>> str(parse("struct<a:int,b:array<string>>"))
    'row(a integer, b array(varchar))'
    """
    text = re.sub(r"\s+", " ", text.strip().lower())
    match = re.fullmatch(r"([a-z ]+?)\s*(?:[<(](.*)[>)])?( with time zone)?", text)
    if not match:
        raise unsupported(f"type {text}")
    name, inner, with_zone = match.groups()
    name = _TRINO_NAMES.get(name, name)
    parts = _split(inner) if inner else []
    if name == "char":
        return char(int(parts[0]) if parts else 1)
    if name == "decimal":
        digits = [*map(int, parts), 0] if parts else [10, 0]
        return decimal(digits[0], digits[1])
    if name == "time" and (with_zone or (parts and int(parts[0]) > 3)):
        raise unsupported(f"type {text}")
    if with_zone or name == "timestamp with time zone":
        return zoned(digits=_digits(parts))
    if name == "timestamp":
        return Type("timestamp", (_digits(parts),))
    if name in ("array", "map"):
        return Type(name, tuple(parse(part) for part in parts))
    if name in ("struct", "row"):
        return Type(
            "row",
            tuple(
                (field, parse(kind))
                for field, kind in (re.split("[: ]", part.replace('"', ""), maxsplit=1) for part in parts)
            ),
        )
    if name not in _SIMPLE:
        raise unsupported(f"type {text}")
    return Type(name)


def parse_column(text: str) -> Type:
    """Read the type of a table's column; one of char would have to be filled up as it is read."""
    if re.search(r"\bchar\b", text.lower()):
        raise unsupported("a column of type char; use varchar")
    return parse(text)


def _digits(parts: list[str]) -> int:
    # Athena shows at least milliseconds; six digits are those of an Iceberg table.
    digits = max(3, int(parts[0])) if parts else 3
    if digits > 6:
        raise unsupported(f"timestamp({digits})")
    return 3 if digits == 3 else 6


def _split(text: str) -> list[str]:
    """Split at the commas that are outside of any bracket."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "<(") - (character in ">)")
        if character == "," and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
    return [*parts, text[start:].strip()]


def duckdb(kind: Type) -> str:
    """Spell a type for DuckDB."""
    match kind.name, kind.arguments:
        case "array", (element,):
            return f"{duckdb(element)}[]"
        case "map", (key, value):
            return f"MAP({duckdb(key)}, {duckdb(value)})"
        case "row", fields:
            return "STRUCT(" + ", ".join(f'"{name}" {duckdb(field)}' for name, field in fields) + ")"
        case "decimal", (precision, scale):
            return f"DECIMAL({precision}, {scale})"
    return _DUCKDB.get(kind.name, kind.name.upper())


def glue(kind: Type) -> str:
    """Spell a type for the Glue catalog."""
    match kind.name, kind.arguments:
        case (("array" | "map"), inner):
            return f"{kind.name}<{','.join(map(glue, inner))}>"
        case "row", fields:
            return "struct<" + ",".join(f"{name}:{glue(field)}" for name, field in fields) + ">"
        case "decimal", (precision, scale):
            return f"decimal({precision},{scale})"
    if (kind.name not in _SIMPLE and kind.name != "timestamp") or kind == TIME:
        raise unsupported(f"a column of type {kind} in a table of Glue")
    return _GLUE_NAMES.get(kind.name, kind.name)


def integer_as_decimal(kind: Type) -> Type:
    """Return the decimal type that holds every value of an integer type."""
    return decimal(_INTEGERS[kind.name], 0)


def common(left: Type, right: Type) -> Type | None:
    """Return the type that values of both are compared in, or None (Trino, TypeCoercion)."""
    if left == right or right == UNKNOWN:
        return left
    if left == UNKNOWN:
        return right
    if left.is_number and right.is_number:
        return _common_number(left, right)
    if left.is_moment and right.is_moment:
        order = ("date", "timestamp", "timestamp with time zone")
        low, high = sorted((left, right), key=lambda kind: order.index(kind.name))
        digits = max([kind.arguments[0] for kind in (left, right) if kind.arguments], default=3)
        if low.name == high.name == order[2] and low.zone != high.zone:
            raise unsupported(f"one column of timestamps in zones {low.zone} and {high.zone}")
        return Type(high.name, (digits, *high.arguments[1:])) if high.arguments else high
    if left.name == right.name in ("array", "map") and left.arguments and right.arguments:
        inner = [common(a, b) for a, b in zip(left.arguments, right.arguments, strict=True)]
        return Type(left.name, tuple(inner)) if None not in inner else None
    if left.name == right.name == "char":
        return max(left, right, key=lambda kind: kind.arguments)
    if {left.name, right.name} == {"char", "varchar"}:
        raise unsupported("a char beside a varchar, whose length is not known here; cast one of them")
    if left.name == right.name == "row" and len(left.arguments) == len(right.arguments):
        fields = [(a[0], common(a[1], b[1])) for a, b in zip(left.arguments, right.arguments, strict=True)]
        return Type("row", tuple(fields)) if all(kind for _, kind in fields) else None
    return None


def _common_number(left: Type, right: Type) -> Type:
    if left.is_integer and right.is_integer:
        return max(left, right, key=lambda kind: _INTEGERS[kind.name])
    if left.is_float or right.is_float:
        return DOUBLE if DOUBLE in (left, right) else REAL
    a, b = (integer_as_decimal(kind) if kind.is_integer else kind for kind in (left, right))
    scale = max(a.arguments[1], b.arguments[1])
    return decimal(max(kind.arguments[0] - kind.arguments[1] for kind in (a, b)) + scale, scale)
