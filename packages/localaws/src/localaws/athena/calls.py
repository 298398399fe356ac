"""Calls of functions: the overload that fits, and what may stand around a call of an aggregate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sqlglot import exp

from localaws.athena.casts import Value, coerce, identifier
from localaws.athena.errors import QueryError, no_function, unsupported
from localaws.athena.functions import Signature, catalog
from localaws.athena.types import UNKNOWN, Type

_NO_NULL = {"lag", "lead", "min", "max", "nth_value", "split", "regexp_split", "contains", "array_join"}
"""Functions that DuckDB gives another answer of than Trino where an argument behind the first is NULL."""

DOCUMENT = "docs/athena-on-the-laptop.md"


class Writer(Protocol):
    """What the clauses need of `Expressions`."""

    def condition(self, node: exp.Expr, clause: str) -> str:
        """Return a condition."""
        ...

    def order(self, node: exp.Order) -> str:
        """Return an ORDER BY."""
        ...

    def window(self, node: exp.Window) -> str:
        """Return the inside of OVER."""
        ...


@dataclass(slots=True)
class Clauses:
    """What stands around a call, written for DuckDB."""

    filter: str = ""
    over: str = ""
    order: str = ""
    nulls: str = ""
    distinct: str = ""

    @property
    def suffix(self) -> str:
        """What follows the call."""
        return self.filter + self.over

    def take(self, arguments: list[exp.Expr], writer: Writer) -> list[exp.Expr]:
        """Return the arguments without DISTINCT and ORDER BY, which are noted."""
        if arguments and isinstance(arguments[-1], exp.Order):
            self.order = " " + writer.order(arguments[-1])
            arguments = [*arguments[:-1], arguments[-1].this]
        if arguments and isinstance(arguments[0], exp.Distinct):
            self.distinct = "DISTINCT "
            arguments = [*arguments[0].expressions, *arguments[1:]]
        return arguments

    def texts(self, name: str, template: str) -> dict[str, str]:
        """Return the clauses for a template, or fail if it has no place for one of them."""
        texts = {"distinct": self.distinct, "order": self.order, "nulls": self.nulls, "over": self.suffix}
        for clause in ("distinct", "order", "nulls"):
            free = clause == "distinct" and name in ("min", "max", "arbitrary", "bool_and", "bool_or")
            if texts[clause] and f"{{{clause}}}" not in template and not free:
                raise unsupported(f"{clause.upper()} in {name}")
        return texts


def around(node: exp.Expr, writer: Writer) -> tuple[Clauses, exp.Anonymous]:
    """Return the clauses around a call, and the call."""
    clauses, call = Clauses(), node
    while not isinstance(call, exp.Anonymous):
        if isinstance(call, exp.Window):
            name = call.args.get("alias")
            clauses.over = f" OVER {identifier(name.name)}" if name else f" OVER ({writer.window(call)})"
        elif isinstance(call, exp.Filter):
            clauses.filter = f" FILTER (WHERE {writer.condition(call.expression.this, 'FILTER')})"
        elif isinstance(call, exp.WithinGroup):
            clauses.order = " " + writer.order(call.expression)
        elif isinstance(call, exp.IgnoreNulls):
            clauses.nulls = " IGNORE NULLS"
        elif not isinstance(call, exp.RespectNulls):
            raise unsupported(node.sql(dialect="trino"))
        call = call.this
    if clauses.over and clauses.filter:
        raise QueryError("NOT_SUPPORTED", "FILTER is not yet supported for window functions")
    if clauses.over and call.name.lower() in ("lag", "lead") and not _has_order(node):
        raise QueryError("MISSING_ORDER_BY", f"{call.name} function requires an ORDER BY window clause")
    return clauses, call


def _has_order(node: exp.Expr) -> bool:
    window = node.find(exp.Window)
    return window is None or bool(window.args.get("alias") or window.args.get("order"))


def overload(name: str, values: list[Value]) -> tuple[Signature, list[Value], Type]:
    """Return the first overload that takes these values, the values as it takes them, and the type of its result."""
    signatures = [signature for table in catalog().values() for signature in table.get(name, [])]
    if not signatures:
        raise QueryError(
            "FUNCTION_NOT_FOUND", f"Function '{name}' not registered here; {DOCUMENT} lists those that are"
        )
    kinds = [value.type for value in values]
    exact = [item for item in signatures if [kind.name for kind in item.parameters] == [kind.name for kind in kinds]]
    if UNKNOWN in kinds[1:] and name in _NO_NULL:
        raise unsupported(f"{name} with a bare NULL; cast it to its type")
    if UNKNOWN in kinds and len({str(bound.result) for one in signatures if (bound := one.bind(kinds))}) > 1:
        raise unsupported(f"{name} of a bare NULL; cast it to its type")
    for signature in [*exact, *signatures]:
        if bound := signature.bind(kinds):
            taken = [coerce(value, kind) for value, kind in zip(values, bound.parameters, strict=True)]
            return bound.signature, taken, bound.result
    if any(kind.name == "char" for kind in kinds):
        raise unsupported(f"{name} of char; cast it to varchar")
    if len(kinds) not in {len(signature.parameters) for signature in signatures}:
        raise unsupported(f"{name} with {len(kinds)} arguments; {DOCUMENT} lists what there is")
    raise no_function(name, kinds)


def write(name: str, values: list[Value]) -> Value:
    """Write a call of a scalar function."""
    if name not in catalog()["scalar"] and any(name in table for table in catalog().values()):
        raise QueryError("EXPRESSION_NOT_SCALAR", f"{name} is no scalar function")
    signature, taken, kind = overload(name, values)
    return Value(signature.fill(taken, {}), kind)
