"""Expressions: checked against Athena's types and written for DuckDB.

Each `_visit_…` takes a node of the parsed statement and returns a `Value`: its SQL and its type. A node without one is
refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from sqlglot import exp

from localaws.athena import moments, special, types
from localaws.athena.calls import DOCUMENT, Clauses, around, overload, write
from localaws.athena.casts import Value, coerce, identifier, quote
from localaws.athena.errors import QueryError, mismatch, unsupported
from localaws.athena.functions import ALIASES, catalog
from localaws.athena.operators import arithmetic, compare, concat, pair, quotient, unified
from localaws.athena.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    INTERVAL_DAY,
    INTERVAL_YEAR,
    UNKNOWN,
    VARBINARY,
    VARCHAR,
    Type,
    array,
    common,
    decimal,
    zoned,
)  # fmt: skip

Columns = list[tuple[str, Type]]

_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM", exp.NullSafeNEQ: "IS DISTINCT FROM",
}  # fmt: skip
_ARITHMETIC: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_INTERVALS = {
    **dict.fromkeys(("SECOND", "MINUTE", "HOUR", "DAY", "WEEK"), INTERVAL_DAY),
    **dict.fromkeys(("MONTH", "YEAR"), INTERVAL_YEAR),
}
_LAMBDAS = {
    "transform": "list_transform({0}, {1})",
    "filter": "list_filter({0}, {1})",
    "any_match": "coalesce(list_bool_or(list_transform({0}, {1})), len({0}) > 0 AND NULL)",
    "all_match": "coalesce(list_bool_and(list_transform({0}, {1})), len({0}) = 0 OR NULL)",
}
_CALLS = (exp.Window, exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls, exp.Anonymous)


class Expressions:
    """Writes the expressions of one SELECT.

    Parameters
    ----------
    column : callable
        Finds what a column node stands for.
    outputs : callable
        Names and types of the columns of a subquery, which has been translated already.
    now : datetime
        The moment the statement began, aware: all calls of now() give it.
    """

    def __init__(
        self, column: Callable[[exp.Column], Value], outputs: Callable[[exp.Expr], Columns], now: datetime
    ) -> None:
        self._visit_column = column
        self._outputs = outputs
        self._now = now
        self._names: dict[str, Value] = {}  # parameters of the lambdas around us

    def value(self, node: exp.Expr) -> Value:
        """Return what a node is in DuckDB, and its type."""
        if type(node) in _COMPARISONS:
            return self._comparison(node)
        if type(node) in _ARITHMETIC:
            return arithmetic(_ARITHMETIC[type(node)], self.value(node.this), self.value(node.expression))
        if isinstance(node, _CALLS):
            return self._call(node)
        visit = getattr(self, f"_visit_{type(node).__name__.lower()}", None)
        if visit is None:
            raise unsupported(node.sql(dialect="trino"))
        value: Value = visit(node)
        return value

    def condition(self, node: exp.Expr, clause: str) -> str:
        """Return a condition, which must be a boolean."""
        value = self.value(node)
        if value.type not in (BOOLEAN, UNKNOWN):
            raise mismatch(f"{clause} clause must evaluate to a boolean: actual type {value.type}")
        return value.sql

    def _values(self, nodes: list[exp.Expr]) -> list[Value]:
        return [self.value(node) for node in nodes]

    # Leaves

    def _visit_literal(self, node: exp.Literal) -> Value:
        return Value(quote(node.name), VARCHAR) if node.is_string else special.number(node.name)

    def _visit_introducer(self, node: exp.Introducer) -> Value:  # DECIMAL '1.50', CHAR 'a'
        text = node.expression.name
        return (
            Value(quote(text), types.char(len(text)))
            if node.this.is_type(exp.DType.CHAR)
            else special.decimal_literal(text)
        )

    def _visit_identifier(self, node: exp.Identifier) -> Value:
        if node.name not in self._names:
            raise QueryError("COLUMN_NOT_FOUND", f"Column '{node.name}' cannot be resolved")
        return self._names[node.name]

    def _visit_hexstring(self, node: exp.HexString) -> Value:
        if not re.fullmatch("([0-9a-fA-F]{2})*", node.name):
            raise QueryError("", f"Binary literal must contain an even number of hex digits: {node.name}")
        return Value(f"unhex({quote(node.name)})", VARBINARY)

    def _visit_null(self, _: exp.Null) -> Value:
        return Value("NULL", UNKNOWN)

    def _visit_boolean(self, node: exp.Boolean) -> Value:
        return Value("TRUE" if node.this else "FALSE", BOOLEAN)

    def _visit_interval(self, node: exp.Interval) -> Value:
        unit = node.args["unit"].name.upper() if isinstance(node.args.get("unit"), exp.Var) else ""
        if unit not in _INTERVALS or not isinstance(node.this, exp.Literal) or not node.name.lstrip("-").isdigit():
            raise unsupported(f"the interval {node.sql(dialect='trino')}")
        return Value(f"INTERVAL '{int(node.name)}' {unit}", _INTERVALS[unit])

    def _visit_currenttimestamp(self, _: exp.CurrentTimestamp) -> Value:
        return Value(f"TIMESTAMPTZ '{self._now.isoformat(sep=' ', timespec='milliseconds')}'", zoned())

    def _visit_currentdate(self, _: exp.CurrentDate) -> Value:  # the day in UTC
        return Value(f"DATE '{self._now.date().isoformat()}'", DATE)

    # Rows, arrays and maps

    def _visit_paren(self, node: exp.Paren) -> Value:
        inner = self.value(node.this)
        return Value(f"({inner.sql})", inner.type)

    def _visit_array(self, node: exp.Array) -> Value:
        values, kind = unified(self._values(node.expressions), "All ARRAY elements")
        return Value(f"[{', '.join(value.sql for value in values)}]", array(kind))

    def _visit_struct(self, node: exp.Struct | exp.Tuple) -> Value:
        return special.row(*self._values(node.expressions))

    _visit_tuple = _visit_struct

    def _visit_dot(self, node: exp.Dot) -> Value:
        return special.field(self.value(node.this), node.expression.name, node.sql(dialect="trino"))

    def _visit_bracket(self, node: exp.Bracket) -> Value:
        return special.element(self.value(node.this), self.value(node.expressions[0]))

    # Conditions

    def _visit_and(self, node: exp.And | exp.Or) -> Value:
        word = node.key.upper()
        sides = [self.condition(side, f"Logical expression {word}") for side in (node.this, node.expression)]
        return Value(f"({sides[0]} {word} {sides[1]})", BOOLEAN)

    _visit_or = _visit_and

    def _visit_not(self, node: exp.Not) -> Value:
        return Value(f"(NOT {self.condition(node.this, 'Value of logical NOT expression')})", BOOLEAN)

    def _visit_neg(self, node: exp.Neg) -> Value:
        value = self.value(node.this)
        if not value.type.is_number and not value.type.name.startswith("interval"):
            raise mismatch(f"Cannot negate {value.type}")
        return Value(f"(- {value.sql})", value.type)

    def _visit_is(self, node: exp.Is) -> Value:
        if not isinstance(node.expression, exp.Null):
            raise unsupported(node.sql(dialect="trino"))
        return Value(f"({self.value(node.this).sql} IS NULL)", BOOLEAN)

    def _comparison(self, node: exp.Expr) -> Value:
        word = _COMPARISONS[type(node)]
        if isinstance(node.expression, exp.Any | exp.All):
            quantifier = "ANY" if isinstance(node.expression, exp.Any) else "ALL"
            return self._quantified(self.value(node.this), f"{word} {quantifier}", node.expression.this)
        return compare(word, self.value(node.this), self.value(node.expression))

    def _quantified(self, left: Value, word: str, query: exp.Expr) -> Value:
        outputs = self._outputs(query)
        if left.type.name == "row":
            raise unsupported(f"row {word} a subquery")
        if len(outputs) != 1 or common(left.type, outputs[0][1]) != outputs[0][1]:
            raise mismatch(f"Cannot apply operator: {left.type} {word} {', '.join(str(kind) for _, kind in outputs)}")
        return Value(f"({coerce(left, outputs[0][1]).sql} {word} {_query(query)})", BOOLEAN)

    def _visit_between(self, node: exp.Between) -> Value:
        value, low, high = self._values([node.this, node.args["low"], node.args["high"]])
        (a, low), (b, high) = pair(value, low, ">="), pair(value, high, "<=")
        return Value(f"({a.sql} >= {low.sql} AND {b.sql} <= {high.sql})", BOOLEAN)

    def _visit_in(self, node: exp.In) -> Value:
        value = self.value(node.this)
        if query := node.args.get("query"):
            return self._quantified(value, "IN", query)
        values, _ = unified([value, *self._values(node.expressions)], "IN value and list items")
        return Value(f"({values[0].sql} IN ({', '.join(item.sql for item in values[1:])}))", BOOLEAN)

    def _visit_exists(self, node: exp.Exists) -> Value:
        return Value(f"EXISTS {_query(node.this)}", BOOLEAN)

    def _visit_subquery(self, node: exp.Subquery) -> Value:
        outputs = self._outputs(node)
        if len(outputs) != 1:
            raise mismatch("Multiple columns returned by subquery are not yet supported")
        return Value(_query(node), outputs[0][1])

    def _visit_like(self, node: exp.Like, escape: str = "") -> Value:
        # Without ESCAPE a backslash is an ordinary character in both engines.
        sides = [self.value(node.this), self.value(node.expression)]
        for side in sides:
            if side.type not in (VARCHAR, UNKNOWN) and side.type.name != "char":
                raise mismatch(f"LIKE expression must evaluate to a varchar (actual: {side.type})")
        word = "NOT LIKE" if node.args.get("negate") else "LIKE"
        return Value(f"({sides[0].sql} {word} {sides[1].sql}{escape})", BOOLEAN)

    def _visit_escape(self, node: exp.Escape) -> Value:
        return self._visit_like(node.this, f" ESCAPE {self.value(node.expression).sql}")

    def _visit_case(self, node: exp.Case) -> Value:
        branches, default = node.args["ifs"], node.args.get("default")
        results = [branch.args["true"] for branch in branches] + ([default] if default else [])
        values, kind = unified(self._values(results), "All CASE results")
        if node.this:
            subject = self.value(node.this)
            tests = [compare("=", subject, self.value(branch.this)).sql for branch in branches]
        else:
            tests = [self.condition(branch.this, "CASE WHEN") for branch in branches]
        whens = " ".join(f"WHEN {test} THEN {value.sql}" for test, value in zip(tests, values, strict=False))
        return Value(f"CASE {whens}{f' ELSE {values[-1].sql}' if default else ''} END", kind)

    # Functions with a syntax of their own

    def _visit_coalesce(self, node: exp.Coalesce) -> Value:  # the one column that JOIN … USING makes of two
        return special.coalesce(*self._values([node.this, *node.expressions]))

    def _visit_dpipe(self, node: exp.DPipe) -> Value:
        return concat(self._values([node.this, node.expression]))

    def _visit_attimezone(self, node: exp.AtTimeZone) -> Value:
        return moments.at_time_zone(self.value(node.this), self.value(node.args["zone"]))

    def _visit_extract(self, node: exp.Extract) -> Value:
        return write(ALIASES.get(node.name.lower(), node.name.lower()), [self.value(node.expression)])

    def _visit_trim(self, node: exp.Trim) -> Value:
        value, position = self.value(node.this), str(node.args.get("position") or "").upper()
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(position, "trim")
        if node.expression is None:
            return write(name, [value])
        return Value(f"{name}({value.sql}, {self.value(node.expression).sql})", VARCHAR)

    def _visit_substring(self, node: exp.Substring) -> Value:
        parts = [node.this, node.args.get("start"), node.args.get("length")]
        return write("substr", [self.value(part) for part in parts if part is not None])

    def _visit_strposition(self, node: exp.StrPosition) -> Value:
        return write("strpos", self._values([node.this, node.args["substr"]]))

    def _visit_cast(self, node: exp.Cast) -> Value:
        # Without digits it has none behind the point in a query, and ten before it in a table.
        target = re.sub(r"\bDECIMAL\b(?!\()", "DECIMAL(38, 0)", node.to.sql(dialect="trino")).lower()
        given = self.value(node.this)
        if target.startswith("varchar"):
            _require_digits("CAST AS varchar", given, node.this)
        return special.cast_as(given, target)

    def _visit_trycast(self, node: exp.TryCast) -> Value:
        value = self._visit_cast(node)
        return Value(f"TRY({value.sql})", value.type)

    # Calls

    def _call(self, node: exp.Expr) -> Value:
        clauses, call = around(node, self)
        name = ALIASES.get(call.name.lower(), call.name.lower())
        if name in catalog()["aggregate"] or (name in catalog()["window"] and clauses.over):
            return self._aggregate(name, call.expressions, clauses)
        if name in catalog()["window"]:
            raise QueryError("EXPRESSION_NOT_SCALAR", f"Window function {name} requires an OVER clause")
        if any((clauses.filter, clauses.over, clauses.order, clauses.nulls)):
            raise QueryError("FUNCTION_NOT_AGGREGATE", f"{name} is not an aggregate function")
        if name == "now":
            return self._visit_currenttimestamp(exp.CurrentTimestamp())
        if name in _LAMBDAS:
            return self._lambda_call(name, call.expressions)
        values = self._values(call.expressions)
        if name not in special.FUNCTIONS:
            return write(name, values)
        if name in moments.FUNCTIONS and any(value.type == UNKNOWN for value in values):
            raise unsupported(f"{name} of a bare NULL; cast it to its type")
        if name in ("to_iso8601", "typeof") and values:
            _require_digits(name, values[0], call)
        try:
            return special.FUNCTIONS[name](*values)
        except TypeError as error:
            raise unsupported(f"{name} with {len(values)} arguments; {DOCUMENT} lists what there is") from error

    def _aggregate(self, name: str, arguments: list[exp.Expr], clauses: Clauses) -> Value:
        arguments = clauses.take(arguments, self)
        if clauses.distinct and clauses.over:
            raise QueryError("NOT_SUPPORTED", "DISTINCT in window function parameters not yet supported")
        if name == "count" and (not arguments or isinstance(arguments[0], exp.Star)):
            return Value(f"count(*){clauses.suffix}", BIGINT)
        if name == "listagg" and not clauses.order:
            raise QueryError("", "mismatched input. Expecting: 'WITHIN'")
        signature, values, kind = overload(name, self._values(arguments))
        if signature.template == "average_of_decimal":
            argument = f"{clauses.distinct}{values[0].sql}"
            total = Value(f"sum({argument}){clauses.suffix}", decimal(38, values[0].type.arguments[1]))
            return quotient(total, Value(f"count({argument}){clauses.suffix}", decimal(19, 0)), kind)
        return Value(signature.fill(values, clauses.texts(name, signature.template)), kind)

    def _lambda_call(self, name: str, arguments: list[exp.Expr]) -> Value:
        values, function = self.value(arguments[0]), arguments[1]
        if not isinstance(function, exp.Lambda) or values.type.name != "array" or len(function.expressions) != 1:
            raise QueryError("FUNCTION_NOT_FOUND", f"Unexpected parameters for function {name}")
        parameter = function.expressions[0].name
        outer = dict(self._names)
        self._names[parameter] = Value(identifier(parameter), values.type.arguments[0])
        body = self.value(function.this)
        self._names = outer
        sql = _LAMBDAS[name].format(values.sql, f"lambda {identifier(parameter)}: {body.sql}")
        return Value(f"({sql})", {"transform": array(body.type), "filter": values.type}.get(name, BOOLEAN))

    # Orders and windows

    def order(self, node: exp.Order) -> str:
        """Return an ORDER BY; nulls are last, whatever the direction, unless it says otherwise."""
        return "ORDER BY " + ", ".join(self.ordered(item) for item in node.expressions)

    def ordered(self, item: exp.Expr, *, is_place: bool = False) -> str:
        """Return one item of an ORDER BY; a number may be the place of an output, else it is a constant."""
        value = self.value(item.this)
        is_constant = isinstance(item.this, exp.Literal) and not is_place
        sql = f"CAST({value.sql} AS {types.duckdb(value.type)})" if is_constant else value.sql
        direction = " DESC" if item.args.get("desc") else ""
        return f"{sql}{direction} NULLS {'FIRST' if item.args.get('nulls_first') else 'LAST'}"

    def window(self, node: exp.Window) -> str:
        """Return what stands between the parentheses of OVER or WINDOW."""
        parts = []
        if node.args.get("partition_by"):
            parts.append("PARTITION BY " + ", ".join(value.sql for value in self._values(node.args["partition_by"])))
        if node.args.get("order"):
            parts.append(self.order(node.args["order"]))
        if spec := node.args.get("spec"):
            start, end = (self._bound(spec.args.get(side), spec.args.get(f"{side}_side")) for side in ("start", "end"))
            parts.append(f"{spec.args['kind']} BETWEEN {start} AND {end or 'CURRENT ROW'}")
        return " ".join(parts)

    def _bound(self, bound: exp.Expr | str | None, side: str | None) -> str:
        text = bound if isinstance(bound, str) else self.value(bound).sql if bound is not None else ""
        return f"{text} {side}" if side else text


def _require_digits(what: str, value: Value, node: exp.Expr) -> None:
    """Refuse what shows the digits of a moment from a literal with fewer than Athena shows: Trino knows them."""
    if value.type.name != "time" and not value.type.name.startswith("timestamp"):
        return
    for literal in node.find_all(exp.Cast):
        digits = literal.to.expressions
        if literal.to.is_type("timestamp", "timestamptz", "time") and digits and digits[0].name in ("0", "1", "2"):
            raise unsupported(f"{what} of a moment that is written without milliseconds")


def _query(node: exp.Expr) -> str:
    sql = node.sql(dialect="duckdb")
    return sql if isinstance(node, exp.Subquery) and sql.startswith("(") else f"({sql})"
