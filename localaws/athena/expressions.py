"""Expressions: checked against Athena's types and written for DuckDB.

Each method takes a node of the parsed statement and returns a `Value`: its SQL and its type. What has no method here, and
no line in `functions`, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from sqlglot import exp

from localaws.athena import functions, moments, types
from localaws.athena.casts import Value, cast, coerce, failure, identifier, local, null, quote
from localaws.athena.errors import QueryError, mismatch, unsupported
from localaws.athena.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVAL_DAY,
    INTERVAL_YEAR,
    UNKNOWN,
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
_INTERVAL_UNITS = {"SECOND": INTERVAL_DAY, "MINUTE": INTERVAL_DAY, "HOUR": INTERVAL_DAY, "DAY": INTERVAL_DAY,
                   "WEEK": INTERVAL_DAY, "MONTH": INTERVAL_YEAR, "YEAR": INTERVAL_YEAR}  # fmt: skip
_LAMBDAS = {
    "transform": "list_transform({0}, {1})",
    "filter": "list_filter({0}, {1})",
    "any_match": "list_bool_or(list_transform({0}, {1}))",
    "all_match": "list_bool_and(list_transform({0}, {1}))",
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
        self._column = column
        self._outputs = outputs
        self._now = now
        self._names: dict[str, Value] = {}  # parameters of the lambdas around us

    def value(self, node: exp.Expr) -> Value:
        """Return what a node is in DuckDB, and its type."""
        if type(node) in _COMPARISONS:
            return self._comparison(node)
        if type(node) in _ARITHMETIC:
            return self.arithmetic(_ARITHMETIC[type(node)], self.value(node.this), self.value(node.expression))
        if isinstance(node, _CALLS):
            return self._call(node)
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise unsupported(node.sql(dialect="trino"))
        result: Value = method(node)
        return result

    def condition(self, node: exp.Expr, clause: str) -> str:
        """Return a condition, which must be a boolean."""
        value = self.value(node)
        if value.type not in (BOOLEAN, UNKNOWN):
            raise mismatch(f"{clause} clause must evaluate to a boolean: actual type {value.type}")
        return value.sql

    # Leaves

    def _literal(self, node: exp.Literal) -> Value:
        text = str(node.this)
        if node.is_string:
            return Value(quote(text), VARCHAR)
        if "e" in text.lower():
            return Value(f"CAST({quote(text)} AS DOUBLE)", DOUBLE)
        if "." in text:
            whole, _, fraction = text.partition(".")
            kind = decimal(max(len(whole.lstrip("0")) + len(fraction), 1), len(fraction))
            return Value(f"CAST({quote(text)} AS {types.duckdb(kind)})", kind)
        if int(text) > 2**63 - 1:
            raise QueryError("NUMERIC_VALUE_OUT_OF_RANGE", f"Invalid numeric literal: {text}")
        return Value(text, INTEGER if int(text) < 2**31 else BIGINT)

    def _identifier(self, node: exp.Identifier) -> Value:
        if node.name not in self._names:
            raise QueryError("COLUMN_NOT_FOUND", f"Column '{node.name}' cannot be resolved")
        return self._names[node.name]

    def _null(self, _: exp.Null) -> Value:
        return Value("NULL", UNKNOWN)

    def _boolean(self, node: exp.Boolean) -> Value:
        return Value("TRUE" if node.this else "FALSE", BOOLEAN)

    def _interval(self, node: exp.Interval) -> Value:
        unit = node.args["unit"].name.upper() if isinstance(node.args.get("unit"), exp.Var) else ""
        if unit not in _INTERVAL_UNITS or not isinstance(node.this, exp.Literal):
            raise unsupported(f"the interval {node.sql(dialect='trino')}")
        return Value(f"INTERVAL '{int(node.name)}' {unit}", _INTERVAL_UNITS[unit])

    def _currenttimestamp(self, _: exp.CurrentTimestamp) -> Value:
        return Value(f"TIMESTAMPTZ '{self._now.isoformat(sep=' ', timespec='milliseconds')}'", zoned())

    def _currentdate(self, _: exp.CurrentDate) -> Value:
        return Value(f"DATE '{self._now.date().isoformat()}'", DATE)

    def _paren(self, node: exp.Paren) -> Value:
        inner = self.value(node.this)
        return Value(f"({inner.sql})", inner.type)

    def _array(self, node: exp.Array) -> Value:
        values, kind = self._unified([self.value(item) for item in node.expressions], "All ARRAY elements")
        return Value(f"[{', '.join(value.sql for value in values)}]", array(kind))

    def _struct(self, node: exp.Struct) -> Value:
        return self._row(node.expressions)

    def _tuple(self, node: exp.Tuple) -> Value:
        return self._row(node.expressions)

    def _row(self, nodes: list[exp.Expr]) -> Value:
        values = [self.value(node) for node in nodes]
        fields = tuple((f"field{number}", value.type) for number, value in enumerate(values))
        packed = ", ".join(f"field{number} := {value.sql}" for number, value in enumerate(values))
        return Value(f"struct_pack({packed})", Type("row", fields))

    def _dot(self, node: exp.Dot) -> Value:
        row, field = self.value(node.this), node.expression.name
        kinds = dict(row.type.arguments) if row.type.name == "row" else {}
        if field not in kinds:
            raise QueryError("COLUMN_NOT_FOUND", f"Column '{node.sql(dialect='trino')}' cannot be resolved")
        return Value(f"struct_extract({row.sql}, {quote(field)})", kinds[field])

    def _bracket(self, node: exp.Bracket) -> Value:
        holder, index = self.value(node.this), self.value(node.expressions[0])
        if holder.type.name == "map":
            key = coerce(index, holder.type.arguments[0]).sql
            missing = failure(
                f"'INVALID_FUNCTION_ARGUMENT: Key not present in map: ' || {key}", holder.type.arguments[1]
            )
            return Value(
                f"CASE WHEN map_contains({holder.sql}, {key}) THEN {holder.sql}[{key}] WHEN {holder.sql} IS NOT NULL THEN {missing} END",
                holder.type.arguments[1],
            )
        if holder.type.name != "array" or not index.type.is_integer:
            raise mismatch(f"Cannot use {index.type} for subscript of {holder.type}")
        beyond = failure(
            "'INVALID_FUNCTION_ARGUMENT: Array subscript must be within the array'", holder.type.arguments[0]
        )
        return Value(
            f"CASE WHEN {index.sql} BETWEEN 1 AND len({holder.sql}) THEN list_extract({holder.sql}, {index.sql}) "
            f"WHEN {holder.sql} IS NOT NULL AND {index.sql} IS NOT NULL THEN {beyond} END",
            holder.type.arguments[0],
        )

    # Operators

    def _and(self, node: exp.And) -> Value:
        return self._logic("AND", node)

    def _or(self, node: exp.Or) -> Value:
        return self._logic("OR", node)

    def _logic(self, word: str, node: exp.Binary) -> Value:
        sides = [self.condition(side, f"Logical expression {word}") for side in (node.this, node.expression)]
        return Value(f"({sides[0]} {word} {sides[1]})", BOOLEAN)

    def _not(self, node: exp.Not) -> Value:
        return Value(f"(NOT {self.condition(node.this, 'Value of logical NOT expression')})", BOOLEAN)

    def _neg(self, node: exp.Neg) -> Value:
        value = self.value(node.this)
        if not value.type.is_number and not value.type.name.startswith("interval"):
            raise mismatch(f"Cannot negate {value.type}")
        return Value(f"(- {value.sql})", value.type)

    def _is(self, node: exp.Is) -> Value:
        if not isinstance(node.expression, exp.Null):
            raise unsupported(node.sql(dialect="trino"))
        return Value(f"({self.value(node.this).sql} IS NULL)", BOOLEAN)

    def _comparison(self, node: exp.Expr) -> Value:
        word = _COMPARISONS[type(node)]
        if isinstance(node.expression, exp.Any | exp.All):
            quantifier = "ANY" if isinstance(node.expression, exp.Any) else "ALL"
            return self._quantified(self.value(node.this), f"{word} {quantifier}", node.expression.this)
        left, right = self._pair(self.value(node.this), self.value(node.expression), word)
        plain = f"({left.sql} {word} {right.sql})"
        if left.type.is_float:
            # In DuckDB NaN equals itself and is above all numbers, in Athena no comparison with it is true.
            doubtful = {"<": right, "<=": right, ">": left, ">=": left, "=": left, "<>": left}.get(word)
            if doubtful is not None and not re.fullmatch(r"CAST\('?[\d.e+-]+'? AS DOUBLE\)", doubtful.sql):
                plain = f"({plain} {'OR' if word == '<>' else 'AND NOT'} isnan({doubtful.sql}))"
        return Value(plain, BOOLEAN)

    def _pair(self, left: Value, right: Value, word: str) -> tuple[Value, Value]:
        kind = (
            common(left.type, right.type)
            if left.type.is_moment is right.type.is_moment or UNKNOWN in (left.type, right.type)
            else None
        )
        if left.type.name == right.type.name == "timestamp with time zone":
            return left, right
        if kind is None:
            raise mismatch(f"Cannot apply operator: {left.type} {word} {right.type}")
        return coerce(left, kind), coerce(right, kind)

    def _quantified(self, left: Value, word: str, query: exp.Expr) -> Value:
        ((_, kind),) = self._outputs(query)
        if common(left.type, kind) != kind:
            raise mismatch(f"Cannot apply operator: {left.type} {word} {kind}")
        return Value(f"({coerce(left, kind).sql} {word} {self._query_sql(query)})", BOOLEAN)

    def _between(self, node: exp.Between) -> Value:
        value = self.value(node.this)
        low, high = self.value(node.args["low"]), self.value(node.args["high"])
        (a, low), (b, high) = self._pair(value, low, ">="), self._pair(value, high, "<=")
        return Value(f"({a.sql} >= {low.sql} AND {b.sql} <= {high.sql})", BOOLEAN)

    def _in(self, node: exp.In) -> Value:
        value = self.value(node.this)
        if query := node.args.get("query"):
            return self._quantified(value, "IN", query)
        values, _ = self._unified([value, *(self.value(item) for item in node.expressions)], "IN value and list items")
        return Value(f"({values[0].sql} IN ({', '.join(item.sql for item in values[1:])}))", BOOLEAN)

    def _exists(self, node: exp.Exists) -> Value:
        return Value(f"EXISTS {self._query_sql(node.this)}", BOOLEAN)

    def _subquery(self, node: exp.Subquery) -> Value:
        outputs = self._outputs(node)
        if len(outputs) != 1:
            raise mismatch("Multiple columns returned by subquery are not yet supported")
        return Value(self._query_sql(node), outputs[0][1])

    def _query_sql(self, node: exp.Expr) -> str:
        sql = node.sql(dialect="duckdb")
        return sql if sql.startswith("(") and isinstance(node, exp.Subquery) else f"({sql})"

    def _like(self, node: exp.Like) -> Value:
        return self._match(node, None)

    def _escape(self, node: exp.Escape) -> Value:
        return self._match(node.this, self.value(node.expression))

    def _match(self, node: exp.Expr, escape: Value | None) -> Value:
        value, pattern = self.value(node.this), self.value(node.expression)
        for side in (value, pattern):
            if side.type not in (VARCHAR, UNKNOWN):
                raise mismatch(f"Left side of LIKE expression must evaluate to a varchar (actual: {side.type})")
        # Without ESCAPE a backslash is an ordinary character in both engines.
        return Value(f"({value.sql} LIKE {pattern.sql}{f' ESCAPE {escape.sql}' if escape else ''})", BOOLEAN)

    def _dpipe(self, node: exp.DPipe) -> Value:
        return self._concat([self.value(node.this), self.value(node.expression)])

    def _attimezone(self, node: exp.AtTimeZone) -> Value:
        return moments.at_time_zone(self.value(node.this), self.value(node.args["zone"]))

    def _extract(self, node: exp.Extract) -> Value:
        return self._table_function(node.name.lower(), [self.value(node.expression)])

    def _trim(self, node: exp.Trim) -> Value:
        value, position = self.value(node.this), str(node.args.get("position") or "").upper()
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(position, "trim")
        if node.expression is None:
            return self._table_function(name, [value])
        return Value(f"{name}({value.sql}, {self.value(node.expression).sql})", VARCHAR)

    def _substring(self, node: exp.Substring) -> Value:
        parts = [node.this, node.args.get("start"), node.args.get("length")]
        return self._table_function("substr", [self.value(part) for part in parts if part is not None])

    def _strposition(self, node: exp.StrPosition) -> Value:
        return self._table_function("strpos", [self.value(node.this), self.value(node.args["substr"])])

    def _cast(self, node: exp.Cast) -> Value:
        target = node.to.sql(dialect="trino")
        value = cast(self.value(node.this), types.parse(target))
        if length := re.fullmatch(r"varchar\((\d+)\)", target.lower()):
            return Value(f"substr({value.sql}, 1, {length[1]})", VARCHAR)
        return value

    def _trycast(self, node: exp.TryCast) -> Value:
        value = self._cast(node)
        return Value(f"TRY({value.sql})", value.type)

    def _case(self, node: exp.Case) -> Value:
        branches = [branch.args["true"] for branch in node.args["ifs"]]
        default = node.args.get("default")
        values, kind = self._unified(
            [self.value(branch) for branch in branches] + ([self.value(default)] if default else []), "All CASE results"
        )
        if node.this:
            tests = [
                self._comparison(exp.EQ(this=node.this.copy(), expression=branch.this.copy())).sql
                for branch in node.args["ifs"]
            ]
        else:
            tests = [self.condition(branch.this, "CASE WHEN") for branch in node.args["ifs"]]
        whens = " ".join(f"WHEN {test} THEN {value.sql}" for test, value in zip(tests, values, strict=False))
        return Value(f"CASE {whens}{f' ELSE {values[-1].sql}' if default else ''} END", kind)

    def _coalesce(self, node: exp.Coalesce) -> Value:  # of a JOIN … USING
        return self._special_coalesce([self.value(item) for item in (node.this, *node.expressions)])

    def arithmetic(self, word: str, left: Value, right: Value) -> Value:
        """Calculate as Athena does: whole numbers stay whole, decimals keep their digits, doubles may be infinite."""
        if left.type.is_moment and right.type.name.startswith("interval") and word in "+-":
            return moments.plus_interval(left, word, right)
        if right.type.is_moment and left.type.name.startswith("interval") and word == "+":
            return moments.plus_interval(right, word, left)
        if left.type.is_moment and right.type.is_moment and word == "-":
            return moments.difference(left, right)
        if left.type.name == right.type.name and left.type.name.startswith("interval") and word in "+-":
            return Value(f"({left.sql} {word} {right.sql})", left.type)
        kind = common(left.type, right.type)
        if kind is None or not kind.is_number:
            if kind == UNKNOWN:
                return null(INTEGER)
            raise mismatch(f"Cannot apply operator: {left.type} {word} {right.type}")
        if kind.name == "decimal":
            return self._decimal(word, left, right)
        left, right = coerce(left, kind), coerce(right, kind)
        operator = "//" if word == "/" and kind.is_integer else word
        return Value(f"CAST({left.sql} {operator} {right.sql} AS {types.duckdb(kind)})", kind)

    def _decimal(self, word: str, left: Value, right: Value) -> Value:
        """Trino, DecimalOperators: the digits of a result follow from those of its operands."""
        left, right = (
            coerce(value, types.integer_as_decimal(value.type)) if value.type.is_integer else value
            for value in (left, right)
        )
        (p1, s1), (p2, s2) = left.type.arguments, right.type.arguments
        scale = max(s1, s2)
        if word == "/":
            return self.quotient(left, right, decimal(p1 + s2 + max(0, s2 - s1), scale))
        if word == "%":
            raise unsupported("% of decimals")
        kind = decimal(p1 + p2, s1 + s2) if word == "*" else decimal(max(p1 - s1, p2 - s2) + scale + 1, scale)
        return Value(f"CAST({left.sql} {word} {right.sql} AS {types.duckdb(kind)})", kind)

    def quotient(self, left: Value, right: Value, kind: Type) -> Value:
        """Divide decimals exactly, a half going up: DuckDB would make a double of them."""
        s1, s2, scale = left.type.arguments[1], right.type.arguments[1], kind.arguments[1]
        whole = [f"CAST(replace(CAST({value.sql} AS VARCHAR), '.', '') AS HUGEINT)" for value in (left, right)]
        shift = scale - s1 + s2
        scaled = f"{whole[0]} * CAST('1{'0' * shift}' AS HUGEINT)"
        return Value(f"CAST(decimal_quotient({scaled}, {whole[1]}) || 'e-{scale}' AS {types.duckdb(kind)})", kind)

    def _unified(self, values: list[Value], what: str) -> tuple[list[Value], Type]:
        kind = UNKNOWN
        for value in values:
            merged = common(kind, value.type)
            if merged is None:
                raise mismatch(
                    f"{what} must be the same type or coercible to a common type. Cannot find common type between {kind} and {value.type}"
                )
            kind = merged
        return [coerce(value, kind) for value in values], kind

    # Functions

    def _call(self, node: exp.Expr) -> Value:
        """Write a call with all that may follow it: FILTER, WITHIN GROUP, IGNORE NULLS, OVER."""
        around = {"filter": "", "window": "", "nulls": "", "order": ""}
        call = node
        while not isinstance(call, exp.Anonymous):
            if isinstance(call, exp.Window):
                around["window"] = f" OVER {self._window(call)}"
            elif isinstance(call, exp.Filter):
                around["filter"] = f" FILTER (WHERE {self.condition(call.expression.this, 'FILTER')})"
            elif isinstance(call, exp.WithinGroup):
                around["order"] = " " + self.order(call.expression)
            elif isinstance(call, exp.IgnoreNulls | exp.RespectNulls):
                around["nulls"] = " IGNORE NULLS" if isinstance(call, exp.IgnoreNulls) else ""
            else:
                raise unsupported(node.sql(dialect="trino"))
            call = call.this
        name = call.name.lower()
        name = functions.ALIASES.get(name, name)
        tables = functions.catalog()
        if name in tables["aggregate"] or (name in tables["window"] and around["window"]):
            return self._aggregate(name, call.expressions, around)
        if name in tables["window"]:
            raise QueryError("EXPRESSION_NOT_SCALAR", f"Window function {name} requires an OVER clause")
        if any(around.values()):
            raise QueryError("FUNCTION_NOT_AGGREGATE", f"{name} is not an aggregate function")
        return self._scalar(name, call.expressions)

    def _aggregate(self, name: str, arguments: list[exp.Expr], around: dict[str, str]) -> Value:
        distinct, order = "", around["order"]
        if arguments and isinstance(arguments[0], exp.Distinct):
            distinct, arguments = "DISTINCT ", arguments[0].expressions
        if arguments and isinstance(arguments[-1], exp.Order):
            ordered = arguments[-1]
            order, arguments = " " + self.order(ordered), [*arguments[:-1], ordered.this]
            if isinstance(arguments[0], exp.Distinct):
                distinct, arguments = "DISTINCT ", arguments[0].expressions
        if distinct and around["window"]:
            raise QueryError("NOT_SUPPORTED", "DISTINCT in window function parameters not yet supported")
        over = around["filter"] + around["window"]
        if name == "count" and (not arguments or isinstance(arguments[0], exp.Star)):
            return Value(f"count(*){over}", BIGINT)
        values = [self.value(argument) for argument in arguments]
        texts = {"distinct": distinct, "order": order, "nulls": around["nulls"], "over": over}
        signature, values, kind = self._overload(name, values)
        for clause in ("distinct", "order", "nulls"):
            if (
                texts[clause]
                and f"{{{clause}}}" not in signature.template
                and signature.template != "average_of_decimal"
                and name not in ("min", "max")
            ):
                raise unsupported(f"{clause.upper()} in {name}")
        if signature.template == "average_of_decimal":
            total = Value(f"sum({distinct}{values[0].sql}){over}", decimal(38, values[0].type.arguments[1]))
            return self.quotient(total, Value(f"count({distinct}{values[0].sql}){over}", decimal(19, 0)), kind)
        return Value(self._fill(signature, values, texts), kind)

    def _scalar(self, name: str, arguments: list[exp.Expr]) -> Value:
        if name in _LAMBDAS:
            return self._lambda_call(name, arguments)
        if special := getattr(self, f"_special_{name}", None):
            result: Value = special([self.value(argument) for argument in arguments])
            return result
        values = [self.value(argument) for argument in arguments]
        if name in moments.FUNCTIONS:
            try:
                return moments.FUNCTIONS[name](*values)
            except TypeError as error:
                raise QueryError("FUNCTION_NOT_FOUND", f"Unexpected parameters for function {name}") from error
        return self._table_function(name, values)

    def _table_function(self, name: str, values: list[Value]) -> Value:
        signature, values, kind = self._overload(name, values)
        return Value(self._fill(signature, values, {}), kind)

    def _overload(self, name: str, values: list[Value]) -> tuple[functions.Signature, list[Value], Type]:
        overloads = [overload for table in functions.catalog().values() for overload in table.get(name, [])]
        if not overloads:
            raise QueryError(
                "FUNCTION_NOT_FOUND",
                f"Function '{name}' not registered (docs/athena-on-the-laptop.md lists those that are)",
            )
        kinds = [value.type for value in values]
        exact = [
            overload
            for overload in overloads
            if [kind.name for kind in overload.parameters] == [kind.name for kind in kinds]
        ]
        for overload in [*exact, *overloads]:
            if bound := overload.bind(kinds):
                wanted, result, letters = bound
                coerced = [coerce(value, kind) for value, kind in zip(values, wanted, strict=True)]
                names = {letter: types.duckdb(kind) for letter, kind in letters.items()}
                template = re.sub(r"\{([A-Z])\}", lambda match: names[match[1]], overload.template)  # noqa: B023
                return functions.Signature(overload.parameters, result, template), coerced, result
        shown = ", ".join(map(str, kinds))
        raise QueryError("FUNCTION_NOT_FOUND", f"Unexpected parameters ({shown}) for function {name}")

    def _fill(self, signature: functions.Signature, values: list[Value], texts: dict[str, str]) -> str:
        """Put the arguments into the template."""

        def part(match: re.Match[str]) -> str:
            key = match[1]
            if key.isdigit():
                number = int(key)
                return (
                    local(values[number])
                    if signature.parameters[number].name in ("local", "clock")
                    else values[number].sql
                )
            if key.startswith("fail:"):
                return failure(quote(key[5:]), signature.result)
            return texts.get(key, "")

        return "(" + re.sub(r"\{([^{}]+)\}", part, signature.template) + ")"

    def _window(self, node: exp.Window) -> str:
        if node.args.get("alias"):
            return identifier(node.args["alias"].name)
        return f"({self.window_body(node)})"

    def window_body(self, node: exp.Window) -> str:
        """Return what stands between the parentheses of OVER or WINDOW."""
        parts = []
        if node.args.get("partition_by"):
            parts.append("PARTITION BY " + ", ".join(self.value(item).sql for item in node.args["partition_by"]))
        if node.args.get("order"):
            parts.append(self.order(node.args["order"]))
        if spec := node.args.get("spec"):
            start, end = (self._bound(spec.args.get(side), spec.args.get(f"{side}_side")) for side in ("start", "end"))
            parts.append(f"{spec.args['kind']} BETWEEN {start} AND {end or 'CURRENT ROW'}")
        return " ".join(parts)

    def _bound(self, bound: exp.Expr | str | None, side: str | None) -> str:
        text = bound if isinstance(bound, str) else self.value(bound).sql if bound is not None else ""
        return f"{text} {side}" if side else text

    def order(self, node: exp.Order) -> str:
        """Return an ORDER BY; nulls are last, whatever the direction, unless it says otherwise."""
        return "ORDER BY " + ", ".join(self.ordered(item) for item in node.expressions)

    def ordered(self, item: exp.Expr) -> str:
        """Return one item of an ORDER BY."""
        value = self.value(item.this)
        sql = f"CAST({value.sql} AS {types.duckdb(value.type)})" if isinstance(item.this, exp.Literal) else value.sql
        return f"{sql}{' DESC' if item.args.get('desc') else ''} NULLS {'FIRST' if item.args.get('nulls_first') else 'LAST'}"

    def _lambda_call(self, name: str, arguments: list[exp.Expr]) -> Value:
        values, function = self.value(arguments[0]), arguments[1]
        if not isinstance(function, exp.Lambda) or values.type.name != "array" or len(function.expressions) != 1:
            raise QueryError("FUNCTION_NOT_FOUND", f"Unexpected parameters for function {name}")
        parameter = function.expressions[0].name
        around = dict(self._names)
        self._names[parameter] = Value(identifier(parameter), values.type.arguments[0])
        body = self.value(function.this)
        self._names = around
        sql = _LAMBDAS[name].format(values.sql, f"lambda {identifier(parameter)}: {body.sql}")
        return Value(sql, {"transform": array(body.type), "filter": values.type}.get(name, BOOLEAN))

    # Functions with a shape of their own

    def _special_now(self, _: list[Value]) -> Value:
        return self._currenttimestamp(exp.CurrentTimestamp())

    def _special_if(self, values: list[Value]) -> Value:
        results, kind = self._unified(values[1:], "Result types for IF")
        otherwise = results[1].sql if len(results) > 1 else "NULL"
        return Value(f"CASE WHEN {values[0].sql} THEN {results[0].sql} ELSE {otherwise} END", kind)

    def _special_coalesce(self, values: list[Value]) -> Value:
        values, kind = self._unified(values, "All COALESCE operands")
        return Value(f"coalesce({', '.join(value.sql for value in values)})", kind)

    def _special_nullif(self, values: list[Value]) -> Value:
        left, right = self._pair(values[0], values[1], "=")
        return Value(f"CASE WHEN {left.sql} = {right.sql} THEN NULL ELSE {values[0].sql} END", values[0].type)

    def _special_try(self, values: list[Value]) -> Value:
        return Value(f"TRY({values[0].sql})", values[0].type)

    def _special_date(self, values: list[Value]) -> Value:
        return cast(values[0], DATE)

    def _special_mod(self, values: list[Value]) -> Value:
        return self.arithmetic("%", *values)

    def _special_row(self, values: list[Value]) -> Value:
        fields = tuple((f"field{number}", value.type) for number, value in enumerate(values))
        packed = ", ".join(f"field{number} := {value.sql}" for number, value in enumerate(values))
        return Value(f"struct_pack({packed})", Type("row", fields))

    def _special_typeof(self, values: list[Value]) -> Value:
        return Value(quote(str(values[0].type)), VARCHAR)

    def _special_greatest(self, values: list[Value]) -> Value:
        return self._extreme("greatest", values)

    def _special_least(self, values: list[Value]) -> Value:
        return self._extreme("least", values)

    def _extreme(self, name: str, values: list[Value]) -> Value:
        """Return greatest or least; a null among the arguments makes the result null, unlike in DuckDB."""
        values, kind = self._unified(values, f"All {name} arguments")
        some_null = " OR ".join(f"{value.sql} IS NULL" for value in values)
        return Value(
            f"CASE WHEN {some_null} THEN NULL ELSE {name}({', '.join(value.sql for value in values)}) END", kind
        )

    def _special_concat(self, values: list[Value]) -> Value:
        return self._concat(values)

    def _concat(self, values: list[Value]) -> Value:
        if any(value.type.name == "array" for value in values):
            element = next(value.type for value in values if value.type.name == "array")
            lists = [
                value if value.type.name == "array" else Value(f"[{value.sql}]", array(value.type)) for value in values
            ]
            lists, kind = self._unified(lists, f"Elements of {element}")
            return Value("(" + " || ".join(value.sql for value in lists) + ")", kind)
        if any(value.type not in (VARCHAR, UNKNOWN) for value in values):
            raise mismatch(
                f"Unexpected parameters ({', '.join(str(value.type) for value in values)}) for function concat. Expected: concat(varchar)"
            )
        return Value("(" + " || ".join(value.sql for value in values) + ")", VARCHAR)

    def _special_concat_ws(self, values: list[Value]) -> Value:
        self._concat(values)  # checks the types
        return Value(f"concat_ws({', '.join(value.sql for value in values)})", VARCHAR)

    def _special_regexp_replace(self, values: list[Value]) -> Value:
        replacement = moments.constant(values[2], "a replacement") if len(values) > 2 else ""
        written = re.sub(r"\$(\d)", r"\\\1", replacement.replace("\\", "\\\\")).replace("\\\\$", "$")
        return Value(f"regexp_replace({values[0].sql}, {values[1].sql}, {quote(written)}, 'g')", VARCHAR)

    def _special_grouping(self, values: list[Value]) -> Value:
        return Value(f"CAST(grouping({', '.join(value.sql for value in values)}) AS INTEGER)", INTEGER)

    def _special_format(self, values: list[Value]) -> Value:
        """Write by a Java pattern of %s, %d and %.2f; a half is rounded up from the digits that are shown."""
        pieces, arguments = [], iter(values[1:])
        for plain, grouped, digits, letter in re.findall(
            r"([^%]+)|%(,?)(?:\.(\d+))?([a-zA-Z%])", moments.constant(values[0], "a format")
        ):
            if plain or letter == "%":
                pieces.append(quote(plain or "%"))
                continue
            value = next(arguments, None)
            if value is None:
                raise QueryError("INVALID_FUNCTION_ARGUMENT", "Invalid format string: too few arguments")
            if letter == "s" and (value.type == VARCHAR or value.type.is_integer):
                pieces.append(f"coalesce(CAST({value.sql} AS VARCHAR), 'null')")
            elif letter == "d" and value.type.is_integer:
                pieces.append(f"format('{{:,}}', {value.sql})" if grouped else f"CAST({value.sql} AS VARCHAR)")
            elif letter == "f" and (value.type.is_float or value.type.name == "decimal"):
                rounded = f"CAST(CAST({value.sql} AS VARCHAR) AS DECIMAL(38, {digits or 6}))"
                pieces.append(
                    f"format('{{:,.{digits or 6}f}}', CAST({rounded} AS DOUBLE))"
                    if grouped
                    else f"CAST({rounded} AS VARCHAR)"
                )
            else:
                raise unsupported(f"%{letter} of {value.type} in format")
        return Value("(" + " || ".join(pieces or ["''"]) + ")", VARCHAR)
