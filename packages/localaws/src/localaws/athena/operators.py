"""Operators between values, with Athena's rules on types: what fits, what is widened, what comes out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from localaws.athena import moments, types
from localaws.athena.casts import Value, cast, coerce, null
from localaws.athena.errors import QueryError, mismatch, no_function, unsupported
from localaws.athena.types import BOOLEAN, UNKNOWN, VARBINARY, VARCHAR, Type, array, common, decimal

_FINITE = re.compile(r"CAST\('?[\d.e+-]+'? AS DOUBLE\)")


def unified(values: list[Value], what: str) -> tuple[list[Value], Type]:
    """Return the values widened to the one type that holds them all."""
    kind = UNKNOWN
    values = beside_char(values)
    for value in values:
        merged = common(kind, value.type)
        if merged is None:
            raise mismatch(
                f"{what} must be the same type or coercible to a common type. "
                f"Cannot find common type between {kind} and {value.type}"
            )
        kind = merged
    return [coerce(value, kind) for value in values], kind


def beside_char(values: list[Value]) -> list[Value]:
    """Return the values, texts made char where another is: of their own length, which only a literal tells."""
    kinds = {value.type.name for value in values}
    if "char" not in kinds or "varchar" not in kinds:
        return values
    return [
        cast(value, types.char(len(moments.constant(value, "a varchar beside a char"))))
        if value.type == VARCHAR
        else value
        for value in values
    ]


def pair(left: Value, right: Value, word: str) -> tuple[Value, Value]:
    """Return two values as they are compared, or fail if they are not comparable."""
    if left.type.name == right.type.name == "timestamp with time zone":
        return left, right  # two instants, whatever their zones
    if {left.type.name, right.type.name} == {"char", "varchar"}:
        longer = f"CAST(greatest(length({left.sql}), length({right.sql})) AS INTEGER)"
        left, right = (Value(f"rpad({value.sql}, {longer}, ' ')", VARCHAR) for value in (left, right))
    kind = common(left.type, right.type)
    if kind is None:
        raise mismatch(f"Cannot apply operator: {left.type} {word} {right.type}")
    return coerce(left, kind), coerce(right, kind)


def compare(word: str, left: Value, right: Value) -> Value:
    """Compare; in DuckDB NaN equals itself and is above all numbers, in Athena no comparison with it is true."""
    left, right = pair(left, right, word)
    if left.type.name in ("array", "map", "row"):  # a null within makes the answer null, or not: it depends on the rest
        raise unsupported(f"{left.type.name} {word} {left.type.name}")
    plain = f"({left.sql} {word} {right.sql})"
    doubtful = {"<": right, "<=": right, ">": left, ">=": left, "=": left, "<>": left}.get(word)
    if left.type.is_float and doubtful is not None and not _FINITE.fullmatch(doubtful.sql):
        other = right if doubtful is left else left  # beside a null even NaN gives null
        unlike = "TRUE" if word == "<>" else "FALSE"
        plain = f"CASE WHEN isnan({doubtful.sql}) AND {other.sql} IS NOT NULL THEN {unlike} ELSE {plain} END"
    return Value(plain, BOOLEAN)


def arithmetic(word: str, left: Value, right: Value) -> Value:
    """Calculate: whole numbers stay whole, decimals keep their digits, doubles may be infinite."""
    if left.type.is_moment and right.type.name.startswith("interval") and word in "+-":
        return moments.plus_interval(left, word, right)
    if right.type.is_moment and left.type.name.startswith("interval") and word == "+":
        return moments.plus_interval(right, word, left)
    if left.type.is_moment and right.type.is_moment and word == "-":
        return moments.difference(left, right)
    if left.type.name == right.type.name and left.type.name.startswith("interval") and word in "+-":
        return Value(f"({left.sql} {word} {right.sql})", left.type)
    if word == "*" and {left.type.is_integer, right.type.is_integer} == {True, False}:
        interval = right if left.type.is_integer else left
        if interval.type.name.startswith("interval"):
            return Value(f"({left.sql} * {right.sql})", interval.type)
    kind = common(left.type, right.type)
    if _is_untold(word, {left.type, right.type}):
        raise unsupported(f"{left.type} {word} {right.type}")
    if kind is None or not kind.is_number:
        raise mismatch(f"Cannot apply operator: {left.type} {word} {right.type}")
    if kind.name == "decimal":
        return _decimal(word, left, right)
    left, right = coerce(left, kind), coerce(right, kind)
    operator = "//" if word == "/" and kind.is_integer else word
    return Value(f"CAST({left.sql} {operator} {right.sql} AS {types.duckdb(kind)})", kind)


def _is_untold(word: str, kinds: set[Type]) -> bool:
    """Tell whether Trino has a rule of its own for this, which is not written here."""
    names = {kind.name.partition(" ")[0] for kind in kinds}
    if UNKNOWN in kinds:
        return word in "*%" or kinds == {UNKNOWN} or bool(names & {"date", "time", "timestamp", "interval", "decimal"})
    with_number = any(kind.is_number for kind in kinds)
    return ("interval" in names and word in "*/" and with_number) or (
        word in "+-" and "time" in names and names <= {"time", "interval"}
    )


def _decimal(word: str, left: Value, right: Value) -> Value:
    """Calculate with decimals: the digits of the result follow from the operands' (Trino, DecimalOperators)."""
    left, right = (
        coerce(value, types.integer_as_decimal(value.type)) if value.type.is_integer else value
        for value in (left, right)
    )
    if UNKNOWN in (left.type, right.type):
        return null(right.type if left.type == UNKNOWN else left.type)
    (p1, s1), (p2, s2) = left.type.arguments, right.type.arguments
    scale = max(s1, s2)
    if word == "/":
        return quotient(left, right, decimal(p1 + s2 + max(0, s2 - s1), scale))
    if word == "%":
        raise unsupported("% of decimals")
    kind = decimal(p1 + p2, s1 + s2) if word == "*" else decimal(max(p1 - s1, p2 - s2) + scale + 1, scale)
    return Value(f"CAST({left.sql} {word} {right.sql} AS {types.duckdb(kind)})", kind)


def quotient(left: Value, right: Value, kind: Type) -> Value:
    """Divide decimals exactly, a half going up: DuckDB would make a double of them."""
    s1, s2, scale = left.type.arguments[1], right.type.arguments[1], kind.arguments[1]
    whole = [f"CAST(replace(CAST({value.sql} AS VARCHAR), '.', '') AS HUGEINT)" for value in (left, right)]
    scaled = f"{whole[0]} * CAST('1{'0' * (scale - s1 + s2)}' AS HUGEINT)"
    exact = f"CAST(decimal_quotient({scaled}, {whole[1]}) || 'e-{scale}' AS DECIMAL(38, {scale}))"
    return Value(f"CAST({exact} AS {types.duckdb(kind)})", kind)


def concat(values: list[Value]) -> Value:
    """Join texts, or arrays; a null makes the whole null."""
    kinds = [value.type for value in values]
    with_array = any(kind.name == "array" for kind in kinds)
    if len(values) < 2:
        raise QueryError("INVALID_FUNCTION_ARGUMENT", "There must be two or more concatenation arguments")
    if UNKNOWN in kinds and (with_array or set(kinds) == {UNKNOWN}):
        raise QueryError(
            "AMBIGUOUS_FUNCTION_CALL", "Could not choose a best candidate operator: cast the NULL to its type"
        )
    if with_array:
        arrays = [
            value if value.type.name == "array" else Value(f"[{value.sql}]", array(value.type)) for value in values
        ]
        if len(values) == 2 and common(*kinds) is None:  # an array before or behind those of its kind
            for one, other in ((0, 1), (1, 0)):
                holder = kinds[other].arguments[:1] if kinds[other].name == "array" else ()
                if holder and common(kinds[one], holder[0]) == holder[0]:
                    arrays[one] = Value(f"[{coerce(values[one], holder[0]).sql}]", kinds[other])
        arrays, kind = taken("concat", values, arrays)
        return Value("(" + " || ".join(value.sql for value in arrays) + ")", kind)
    values = beside_char(values)
    if all(value.type.name == "char" for value in values):
        kind = types.char(min(sum(value.type.arguments[0] for value in values), types.MAX_CHAR_LENGTH))
        return Value("(" + " || ".join(value.sql for value in values) + ")", kind)
    if set(kinds) == {VARBINARY}:
        return Value("(" + " || ".join(value.sql for value in values) + ")", VARBINARY)
    if UNKNOWN in kinds and len(values) == 2 and VARCHAR not in kinds:
        raise unsupported(f"{kinds[0]} || {kinds[1]}")
    require_texts("concat", values)
    if len(values) == 2 and UNKNOWN in kinds:
        return null(array(VARCHAR))  # beside one text, Trino takes a NULL for an array of texts
    return Value("(" + " || ".join(value.sql for value in values) + ")", VARCHAR)


def taken(function: str, arguments: Sequence[Value], values: list[Value]) -> tuple[list[Value], Type]:
    """Return values widened to their one type; where there is none, the function does not take its arguments."""
    try:
        return unified(values, f"All {function} arguments")
    except QueryError as error:
        if error.code != "TYPE_MISMATCH":
            raise
        raise no_function(function, [value.type for value in arguments]) from error


def require_texts(function: str, values: list[Value]) -> None:
    """Fail unless the values are texts or nulls without a type."""
    if any(value.type not in (VARCHAR, UNKNOWN) for value in values):
        raise no_function(function, [value.type for value in values])
