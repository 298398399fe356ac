"""A SELECT of Athena as a SELECT of DuckDB, checked and typed against the catalog.

sqlglot has parsed it in Trino's dialect, and `names` has resolved its names; here `expressions` checks and writes every
expression. Functions have stayed calls by name, for sqlglot's own idea of them is not Athena's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from localaws.athena import types
from localaws.athena.casts import Value, coerce, identifier
from localaws.athena.catalog import Catalog
from localaws.athena.errors import QueryError, mismatch, unsupported
from localaws.athena.expressions import Columns, Expressions
from localaws.athena.names import UNNAMED, Names, Reference
from localaws.athena.relations import replace_unnest, replace_values
from localaws.athena.types import Type, common


@dataclass(frozen=True, slots=True)
class Translation:
    """A query for DuckDB, its columns, the tables it mentions, and the query of resolved names that `prune` reads."""

    sql: str
    columns: Columns
    references: list[Reference]
    qualified: exp.Expr


class Translator:
    """Translates one query.

    Parameters
    ----------
    catalog : Catalog
        Where the tables are looked up.
    database : str
        Of the table names without one.
    now : datetime
        What now() gives.
    known : dict, optional
        Columns of tables that DuckDB has already, by their names; they come before those of the catalog.
    """

    def __init__(
        self, catalog: Catalog, database: str, now: datetime, known: dict[str, dict[str, Type]] | None = None
    ) -> None:
        self._names = Names(catalog, database, known or {})
        self._now = now
        self._outputs: dict[int, Columns] = {}

    def translate(self, tree: exp.Expr) -> Translation:
        """Translate a query; the tree is used up."""
        if isinstance(tree, exp.Values):
            tree = _select_from_values(tree)
        spelled = _Spellings(tree)
        tree = self._names.resolve(tree)
        qualified = tree.copy()
        for scope in traverse_scope(tree):
            self._translate_scope(scope)
        columns, references = self._columns_of(tree), list(self._names.references.values())
        return Translation(
            tree.sql(dialect="duckdb"),
            spelled.outputs(columns, references),
            references,
            qualified,
        )

    # Scopes, innermost first

    def _translate_scope(self, scope: Scope) -> None:
        node = scope.expression
        if isinstance(node, exp.Select):
            self._outputs[id(node)] = self._select(scope, node)
        elif isinstance(node, exp.SetOperation):
            self._outputs[id(node)] = self._set_operation(scope, node)
        elif not isinstance(node, exp.Unnest | exp.Values | exp.Subquery):
            raise unsupported(type(node).__name__)

    def _columns_of(self, node: exp.Expr) -> Columns:
        node = node.unnest() if isinstance(node, exp.Subquery) else node
        if id(node) not in self._outputs:  # what is around a subquery comes after it
            raise unsupported("a subquery that refers to VALUES or UNNEST around it")
        return self._outputs[id(node)]

    def _select(self, scope: Scope, node: exp.Select) -> Columns:
        _refuse_clauses(node)
        _require_in_distinct(node)
        outputs: dict[str, Value] = {}
        expressions = Expressions(lambda column: self._find(scope, column, {}), self._columns_of, self._now)
        self._from(scope, node, expressions)
        columns: Columns = []
        for projection in node.expressions:
            name, value = projection.alias_or_name, expressions.value(projection.unalias())
            columns.append((name, value.type))
            outputs.setdefault(name, Value(identifier(name), value.type))
            projection.replace(exp.alias_(exp.Var(this=value.sql), name, quoted=True))
        for clause in ("where", "having"):
            if condition := node.args.get(clause):
                condition.set("this", exp.Var(this=expressions.condition(condition.this, clause.upper())))
        if group := node.args.get("group"):
            _replace_grouping(group, expressions)
        for window in node.args.get("windows") or []:
            body = expressions.window(window)
            window.replace(exp.Var(this=f"{identifier(window.name)} AS ({body})"))
        # Only ORDER BY may call an output by its name.
        self._order(node, Expressions(lambda column: self._find(scope, column, outputs), self._columns_of, self._now))
        return columns

    def _set_operation(self, scope: Scope, node: exp.SetOperation) -> Columns:
        left, right = self._columns_of(node.left), self._columns_of(node.right)
        if len(left) != len(right):
            raise mismatch(f"{node.key.upper()} query has different number of fields: {len(left)}, {len(right)}")
        columns: Columns = []
        for (name, a), (_, b) in zip(left, right, strict=True):
            kind = common(a, b)
            if kind is None:
                raise mismatch(
                    f"column {len(columns) + 1} in {node.key.upper()} query has incompatible types: {a}, {b}"
                )
            columns.append((name, kind))
        for side in (node.left, node.right):
            self._retype(side, [kind for _, kind in columns])
        outputs = {name: Value(identifier(name), kind) for name, kind in columns}
        self._order(node, Expressions(lambda column: self._find(scope, column, outputs), self._columns_of, self._now))
        return columns

    def _retype(self, node: exp.Expr, kinds: list[Type]) -> None:
        """Widen what the query gives, in place, to the types of the set operation around it."""
        node = node.unnest() if isinstance(node, exp.Subquery) else node
        if isinstance(node, exp.SetOperation):
            self._retype(node.left, kinds)
            self._retype(node.right, kinds)
        else:
            for projection, (_, source), kind in zip(node.expressions, self._outputs[id(node)], kinds, strict=True):
                if source != kind:
                    projection.set("this", exp.Var(this=coerce(Value(projection.this.name, source), kind).sql))
        self._outputs[id(node)] = [(name, kind) for (name, _), kind in zip(self._outputs[id(node)], kinds, strict=True)]

    def _order(self, node: exp.Query, expressions: Expressions) -> None:
        if order := node.args.get("order"):
            # sqlglot puts outputs in the place of numbers, but for those that share their name
            ordered = [expressions.ordered(item, is_place=item.this.is_int) for item in order.expressions]
            order.set("expressions", [exp.Var(this=sql) for sql in ordered])
        for clause in ("limit", "offset"):
            limit = node.args.get(clause)
            count = limit and (limit.args.get("expression") or limit.args.get("count"))
            if count is not None and count.name.upper() == "ALL":
                node.set(clause, None)
            elif limit and not isinstance(count, exp.Literal):
                raise unsupported(limit.sql(dialect="trino"))

    # What a column stands for

    def _find(self, scope: Scope, column: exp.Column, outputs: dict[str, Value]) -> Value:
        name, source = column.name, column.table
        if not source:  # sqlglot leaves those in HAVING, and in ORDER BY those that are outputs
            if name in outputs:
                return outputs[name]
            source = self._only_source(scope, name)
        around: Scope | None = scope
        while around is not None:
            if source in around.sources:
                return Value(f"{identifier(source)}.{identifier(name)}", self._source_type(around, source, name))
            around = around.parent
        raise QueryError("COLUMN_NOT_FOUND", f"Column '{source}.{name}' cannot be resolved")

    def _only_source(self, scope: Scope, name: str) -> str:
        sources = [
            alias for alias, (_, source) in scope.selected_sources.items() if name in self._columns_of_source(source)
        ]
        if len(sources) != 1:
            problem = "is ambiguous" if sources else "cannot be resolved"
            raise QueryError("AMBIGUOUS_NAME" if sources else "COLUMN_NOT_FOUND", f"Column '{name}' {problem}")
        return sources[0]

    def _source_type(self, scope: Scope, source: str, name: str) -> Type:
        origin = scope.sources[source]
        if isinstance(origin, exp.Table):
            return self._names.column(origin, name)
        kinds = self._columns_of_source(origin)
        if name not in kinds:
            raise QueryError("COLUMN_NOT_FOUND", f"Column '{source}.{name}' cannot be resolved")
        return kinds[name]

    def _columns_of_source(self, source: exp.Table | Scope) -> dict[str, Type]:
        return (
            self._names.columns(source) if isinstance(source, exp.Table) else dict(self._columns_of(source.expression))
        )

    # FROM

    def _from(self, scope: Scope, node: exp.Select, expressions: Expressions) -> None:
        sources = [node.args["from_"].this] if node.args.get("from_") else []
        for join in node.args.get("joins") or []:
            if join.kind not in ("", "CROSS", "INNER", "OUTER"):
                raise unsupported(join.sql(dialect="trino"))
            sources.append(join.this)
        for source in sources:
            if isinstance(source, exp.Values):
                self._outputs[id(source)] = replace_values(source, expressions)
            elif isinstance(source, exp.Unnest):
                self._outputs[id(source)] = replace_unnest(source, expressions)
            elif not isinstance(source, exp.Table | exp.Subquery):
                raise unsupported(source.sql(dialect="trino"))
        for join in node.args.get("joins") or []:
            if join.args.get("on"):
                join.set("on", exp.Var(this=expressions.condition(join.args["on"], "JOIN ON")))


class _Spellings:
    """Names as the statement writes them, with their capitals; within a query all are small."""

    def __init__(self, tree: exp.Expr) -> None:
        aliases = [item.alias for item in tree.find_all(exp.Alias)]
        aliases += [column.name for alias in tree.find_all(exp.TableAlias) for column in alias.columns]
        self._aliases = {alias.lower(): alias for alias in aliases}
        while isinstance(tree, exp.SetOperation | exp.Subquery):
            tree = tree.this
        outputs = [item.unnest() if isinstance(item, exp.Paren) else item for item in tree.expressions]
        self._outputs = [item.alias_or_name if isinstance(item, exp.Alias | exp.Column) else "" for item in outputs]
        self._stars = [place for place, item in enumerate(outputs) if item.is_star]

    def outputs(self, columns: Columns, references: list[Reference]) -> Columns:
        """Return the outputs as the statement spells them, those without a name by their place."""
        count = len(columns)
        return [
            (f"_col{place}" if name.startswith(UNNAMED) else self._spelled(name, place, count, references), kind)
            for place, (name, kind) in enumerate(columns)
        ]

    def _spelled(self, name: str, place: int, count: int, references: list[Reference]) -> str:
        """Return how the output at a place among so many is spelled: by itself, or where a star has it from."""
        if not self._stars or place < self._stars[0]:
            return self._outputs[place] or name
        from_end = count - place
        if from_end < len(self._outputs) - self._stars[-1]:
            return self._outputs[-from_end] or name
        of_table = any(name in reference.columns for reference in references)
        return name if of_table else self._aliases.get(name, name)


def _select_from_values(node: exp.Values) -> exp.Select:
    alias = exp.TableAlias(this=exp.to_identifier("values"))
    return exp.select("*").from_(exp.Values(expressions=node.expressions, alias=alias))


def _replace_grouping(node: exp.Expr, expressions: Expressions) -> None:
    for item in node.expressions:
        if isinstance(item, exp.Rollup | exp.Cube | exp.GroupingSets | exp.Tuple):
            _replace_grouping(item, expressions)
        else:
            value = expressions.value(item)
            constant = isinstance(item, exp.Literal)
            item.replace(exp.Var(this=f"CAST({value.sql} AS {types.duckdb(value.type)})" if constant else value.sql))


def _require_in_distinct(node: exp.Select) -> None:
    """Fail if a SELECT DISTINCT is ordered by what it does not give."""
    order = node.args.get("order") if node.args.get("distinct") else None
    given = [item.unalias() for item in node.expressions]
    names = {item.alias_or_name for item in node.expressions}
    for item in (ordered.this for ordered in order.expressions) if order else ():
        is_output = isinstance(item, exp.Column) and not item.table and item.name in names
        if not is_output and not item.is_int and item not in given:
            raise QueryError(
                "EXPRESSION_NOT_IN_DISTINCT", "For SELECT DISTINCT, ORDER BY expressions must appear in select list"
            )


def _refuse_clauses(node: exp.Select) -> None:
    if (distinct := node.args.get("distinct")) and distinct.args.get("on"):
        raise QueryError("", "mismatched input 'ON'")
