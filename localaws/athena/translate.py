"""A SELECT of Athena as a SELECT of DuckDB, checked and typed against the catalog.

sqlglot parses it in Trino's dialect and resolves names, `expressions` checks and writes every expression. Functions stay
calls by name on the way, for sqlglot's own idea of them is not Athena's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, ClassVar

from sqlglot import exp, parse
from sqlglot.dialects.trino import Trino
from sqlglot.errors import OptimizeError, ParseError, SqlglotError, TokenError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.parsers.trino import TrinoParser
from sqlglot.schema import MappingSchema

from localaws.athena import types
from localaws.athena.casts import Value, coerce, identifier
from localaws.athena.catalog import CATALOG_NAMES, Catalog, Table
from localaws.athena.errors import QueryError, mismatch, unsupported
from localaws.athena.expressions import Columns, Expressions
from localaws.athena.types import BIGINT, UNKNOWN, VARCHAR, Type, common

_SYNTAX = ("CAST", "TRY_CAST", "EXTRACT", "TRIM", "SUBSTRING", "POSITION")
_CLAUSES = {
    "with_",
    "expressions",
    "from_",
    "joins",
    "where",
    "group",
    "having",
    "windows",
    "order",
    "limit",
    "offset",
    "distinct",
}
PATH, FILE_SIZE = "$path", "$file_size"
HIDDEN: dict[str, Type] = {PATH: VARCHAR, FILE_SIZE: BIGINT}
"""What a row knows of its file, beside the columns of its table."""


class Dialect(Trino):
    """Trino's syntax in which every function is a plain call, and an index is left as it is written."""

    INDEX_OFFSET = 0

    class Parser(TrinoParser):
        """Takes a function for a call by its name, except where its arguments have a syntax of their own."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar = {name: TrinoParser.FUNCTION_PARSERS[name] for name in _SYNTAX}
        NO_PAREN_FUNCTION_PARSERS: ClassVar = {
            name: parser for name, parser in TrinoParser.NO_PAREN_FUNCTION_PARSERS.items() if name != "IF"
        }


@dataclass(slots=True)
class Reference:
    """One mention of a table in a query.

    Attributes
    ----------
    scan : str
        Name that stands for it in DuckDB.
    suffix : str
        ``snapshots`` of ``"table$snapshots"``, or nothing.
    version : Expression or None
        What follows FOR TIMESTAMP AS OF or FOR VERSION AS OF.
    columns : dict
        The columns that the mention has.
    used : set of str
        Those that the query reads.
    """

    scan: str
    table: Table
    suffix: str
    version: exp.Version | None
    columns: dict[str, Type]
    used: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Translation:
    """A query for DuckDB, its columns, the tables it mentions, and the tree of names from which partitions are pruned."""

    sql: str
    columns: Columns
    references: list[Reference]
    qualified: exp.Expr


def parse_statement(sql: str) -> exp.Expr:
    """Parse one statement.

    Raises
    ------
    QueryError
        With the place of the mistake.
    """
    try:
        trees = [tree for tree in parse(sql, dialect=Dialect) if tree is not None]
    except (ParseError, TokenError) as error:
        details = getattr(error, "errors", None) or [{}]
        line, column = details[0].get("line", 1), details[0].get("col", 1)
        near = details[0].get("highlight") or str(error).splitlines()[0]
        raise QueryError(
            "", f"line {line}:{column}: mismatched input '{near}'. {details[0].get('description', '')}".strip()
        ) from error
    if len(trees) != 1:
        raise QueryError("", "Only one sql statement is allowed. Got: " + sql.strip()[:200])
    return trees[0]


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
        self._catalog = catalog
        self._database = database
        self._now = now
        self._known = known or {}
        self._references: dict[str, Reference] = {}
        self._outputs: dict[int, Columns] = {}

    def translate(self, tree: exp.Expr) -> Translation:
        """Translate a query; the tree is used up."""
        if isinstance(tree, exp.Values):
            tree = _select_from_values(tree)
        tree = self._resolve(tree, self._database, ())
        shown = [identifier.name for identifier in _aliases(tree)]
        tree = self._qualify(tree)
        qualified = tree.copy()
        for scope in traverse_scope(tree):
            self._translate_scope(scope)
        columns = self._columns_of(tree)
        names = {name.lower(): name for name in shown}
        return Translation(
            tree.sql(dialect="duckdb"),
            [(names.get(name, name), kind) for name, kind in columns],
            list(self._references.values()),
            qualified,
        )

    # Names

    def _resolve(self, tree: exp.Expr, database: str, outer: tuple[str, ...]) -> exp.Expr:
        """Put a scan in the place of each table, and its query in the place of each view."""
        local = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
        for node in list(tree.find_all(exp.Table)):
            if not isinstance(node.this, exp.Identifier):
                raise unsupported(node.sql(dialect="trino"))
            name, schema = node.name.lower(), (node.db or database).lower()
            if not node.db and (name in local or name in self._known):
                continue
            if node.catalog.lower() not in CATALOG_NAMES:
                raise QueryError("CATALOG_NOT_FOUND", f"Catalog '{node.catalog}' does not exist")
            if node.args.get("sample"):
                raise unsupported("TABLESAMPLE")
            replacement = self._source(node, schema, name, outer)
            alias = node.args.get("alias") or exp.TableAlias(
                this=exp.to_identifier(name.partition("$")[0], quoted=True)
            )
            replacement.set("alias", alias)
            for column in tree.find_all(exp.Column):
                if column.args.get("db") and (column.text("db").lower(), column.table.lower()) == (schema, name):
                    column.set("db", None)
                    column.set("catalog", None)
            joins = node.args.get("joins")
            if node is tree:
                raise unsupported("TABLE as a statement")
            replacement.set("joins", joins)
            node.replace(replacement)
        return tree

    def _source(self, node: exp.Table, database: str, name: str, outer: tuple[str, ...]) -> exp.Expr:
        base, _, suffix = name.partition("$")
        table = self._catalog.table(database, base)
        if table.format == "view":
            if len(outer) > 20:
                raise QueryError("VIEW_IS_RECURSIVE", f"View {name} is recursive")
            text, schema = table.view_sql
            inner = self._resolve(parse_statement(text), schema, (*outer, name))
            return exp.Subquery(this=inner)
        columns = metadata_columns(table, suffix) if suffix else table.all_columns
        scan = f"scan {len(self._references) + 1}"
        self._references[scan] = Reference(scan, table, suffix, node.args.get("version"), columns)
        return exp.Table(this=exp.to_identifier(scan, quoted=True))

    def _qualify(self, tree: exp.Expr) -> exp.Expr:
        _mark_unnamed(tree)
        visible = {**self._known, **{scan: reference.columns for scan, reference in self._references.items()}}
        schema = MappingSchema(
            {scan: dict.fromkeys([*columns, *HIDDEN], "VARCHAR") for scan, columns in visible.items()},
            visible={scan: list(columns) for scan, columns in visible.items()},
            dialect=Dialect,
            normalize=False,
        )
        try:
            tree = qualify(tree, schema=schema, dialect=Dialect, expand_alias_refs=False)
        except OptimizeError as error:
            raise _name_error(str(error)) from error
        except SqlglotError as error:
            raise QueryError("SYNTAX_ERROR", str(error).splitlines()[0]) from error
        return _name_unnamed(tree)

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
        return self._outputs[id(node)]

    def _select(self, scope: Scope, node: exp.Select) -> Columns:
        _refuse_clauses(node)
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
            body = expressions.window_body(window)
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
            order.set("expressions", [exp.Var(this=expressions.ordered(item)) for item in order.expressions])
        for clause in ("limit", "offset"):
            limit = node.args.get(clause)
            count = limit and (limit.args.get("expression") or limit.args.get("count"))
            if limit and (not isinstance(count, exp.Literal) or limit.args.get("limit_options")):
                if isinstance(count, exp.Var | exp.Column) and count.name.upper() == "ALL":
                    node.set(clause, None)
                    continue
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
            alias
            for alias, (_, source) in scope.selected_sources.items()
            if name
            in (
                self._table_columns(source)
                if isinstance(source, exp.Table)
                else dict(self._columns_of(source.expression))
            )
        ]
        if len(sources) != 1:
            problem = "is ambiguous" if sources else "cannot be resolved"
            raise QueryError("AMBIGUOUS_NAME" if sources else "COLUMN_NOT_FOUND", f"Column '{name}' {problem}")
        return sources[0]

    def _table_columns(self, node: exp.Table) -> dict[str, Type]:
        return self._known[node.name] if node.name in self._known else self._references[node.name].columns

    def _source_type(self, scope: Scope, source: str, name: str) -> Type:
        found = scope.sources[source]
        if isinstance(found, exp.Table):
            if reference := self._references.get(found.name):
                reference.used.add(name)
            return HIDDEN[name] if name in HIDDEN else self._table_columns(found)[name]
        kinds = dict(self._outputs.get(id(found.expression)) or self._columns_of(found.expression))
        if name not in kinds:
            raise QueryError("COLUMN_NOT_FOUND", f"Column '{source}.{name}' cannot be resolved")
        return kinds[name]

    # FROM

    def _from(self, scope: Scope, node: exp.Select, expressions: Expressions) -> None:
        sources = [node.args["from_"].this] if node.args.get("from_") else []
        for join in node.args.get("joins") or []:
            if join.args.get("method") or join.kind not in ("", "CROSS", "INNER", "OUTER"):
                raise unsupported(join.sql(dialect="trino"))
            sources.append(join.this)
        for source in sources:
            if isinstance(source, exp.Values):
                self._values(source, expressions)
            elif isinstance(source, exp.Unnest):
                self._unnest(source, expressions)
            elif isinstance(source, exp.Table | exp.Subquery):
                if source.args.get("pivots") or source.args.get("laterals"):
                    raise unsupported(source.sql(dialect="trino"))
            else:
                raise unsupported(source.sql(dialect="trino"))
        for join in node.args.get("joins") or []:
            if join.args.get("on"):
                join.set("on", exp.Var(this=expressions.condition(join.args["on"], "JOIN ON")))

    def _values(self, node: exp.Values, expressions: Expressions) -> None:
        rows = [
            [expressions.value(cell) for cell in (row.expressions if isinstance(row, exp.Tuple) else [row])]
            for row in node.expressions
        ]
        kinds = [UNKNOWN] * len(rows[0])
        for row in rows:
            merged = [common(kind, cell.type) for kind, cell in zip(kinds, row, strict=True)]
            if None in merged:
                raise mismatch("Values rows have mismatched types")
            kinds = [kind for kind in merged if kind]
        names = node.alias_column_names or [f"_col{number}" for number in range(len(kinds))]
        cells = [
            "(" + ", ".join(coerce(cell, kind).sql for cell, kind in zip(row, kinds, strict=True)) + ")" for row in rows
        ]
        listed = ", ".join(map(identifier, names))
        node.replace(exp.Var(this=f"(VALUES {', '.join(cells)}) AS {identifier(node.alias)}({listed})"))
        self._outputs[id(node)] = list(zip(names, kinds, strict=True))

    def _unnest(self, node: exp.Unnest, expressions: Expressions) -> None:
        """UNNEST side by side, as rows of a lateral subquery; rows and maps become several columns."""
        pieces: list[Value] = []
        lengths = []
        for item in node.expressions:
            value = expressions.value(item)
            lengths.append(f"len({value.sql})" if value.type.name == "array" else f"cardinality({value.sql})")
            if value.type.name == "map":
                pieces += [
                    Value(f"unnest(map_{part}({value.sql}))", kind)
                    for part, kind in zip(("keys", "values"), value.type.arguments, strict=True)
                ]
            elif value.type.name == "array" and value.type.arguments[0].name == "row":
                pieces += [
                    Value(f"unnest(list_transform({value.sql}, lambda r: struct_extract_at(r, {number})))", kind)
                    for number, (_, kind) in enumerate(value.type.arguments[0].arguments, 1)
                ]
            elif value.type.name == "array":
                pieces.append(Value(f"unnest({value.sql})", value.type.arguments[0]))
            else:
                raise mismatch(f"Cannot unnest type: {value.type}")
        if node.args.get("offset"):
            longest = f"greatest({', '.join(f'coalesce({length}, 0)' for length in lengths)})"
            pieces.append(Value(f"unnest(range(1, CAST({longest} AS BIGINT) + 1))", BIGINT))
        names = [*node.alias_column_names]
        if node.args.get("offset") and isinstance(node.args["offset"], exp.Identifier) and len(names) < len(pieces):
            names.append(node.args["offset"].name)
        if len(names) != len(pieces):
            raise QueryError(
                "MISMATCHED_COLUMN_ALIASES",
                f"Column alias list has {len(names)} entries but relation has {len(pieces)} columns",
            )
        shown = ", ".join(f"{piece.sql} AS {identifier(name)}" for piece, name in zip(pieces, names, strict=True))
        node.replace(exp.Var(this=f"LATERAL (SELECT {shown}) AS {identifier(node.alias)}"))
        self._outputs[id(node)] = [(name, piece.type) for name, piece in zip(names, pieces, strict=True)]


_METADATA = {
    "snapshots": "committed_at timestamp(3) with time zone, snapshot_id bigint, parent_id bigint, operation varchar, "
    "manifest_list varchar, summary map(varchar, varchar)",
    "files": "content integer, file_path varchar, file_format varchar, record_count bigint, file_size_in_bytes bigint",
    "history": "made_current_at timestamp(3) with time zone, snapshot_id bigint, parent_id bigint, is_current_ancestor boolean",
}


def metadata_columns(table: Table, suffix: str) -> dict[str, Type]:
    """Return the columns of ``"table$suffix"``: its partitions, or what Iceberg knows of itself."""
    if suffix == "partitions" and table.format != "iceberg" and table.partition_keys:
        return table.partition_keys
    if suffix == "partitions" and table.format == "iceberg":
        text = "partition varchar, record_count bigint, file_count bigint, total_size bigint"
    elif suffix in _METADATA and table.format == "iceberg":
        text = _METADATA[suffix]
    else:
        raise QueryError("TABLE_NOT_FOUND", f"Table '{table.database}.{table.name}${suffix}' does not exist", kind=1302)
    return dict(types.parse(f"row({text})").arguments)


def _aliases(tree: exp.Expr) -> list[exp.Identifier]:
    """Return the aliases of the outermost SELECT, as they are written."""
    while isinstance(tree, exp.SetOperation | exp.Subquery):
        tree = tree.this
    return [item.args["alias"] for item in tree.expressions if isinstance(item, exp.Alias)]


def _select_from_values(node: exp.Values) -> exp.Select:
    first = node.expressions[0]
    width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
    alias = exp.TableAlias(
        this=exp.to_identifier("values"), columns=[exp.to_identifier(f"_col{place}") for place in range(width)]
    )
    return exp.select("*").from_(exp.Values(expressions=node.expressions, alias=alias))


def _mark_unnamed(tree: exp.Expr) -> None:
    """Give every unnamed expression of a SELECT list a name of its own, for sqlglot would name a cast after its column."""
    marks = count()
    for select in list(tree.find_all(exp.Select)):
        for item in select.expressions:
            if not isinstance(item, exp.Alias | exp.Column | exp.Dot) and not item.is_star:
                alias = exp.Alias(alias=exp.to_identifier(f"unnamed {next(marks)}", quoted=True))
                item.replace(alias)
                alias.set("this", item)


def _name_unnamed(tree: exp.Expr) -> exp.Expr:
    """Call unnamed columns `_col0`, `_col1`, … by their place, now that every star is written out."""
    names = {
        item.alias: f"_col{place}"
        for select in tree.find_all(exp.Select)
        for place, item in enumerate(select.expressions)
        if isinstance(item, exp.Alias) and item.alias.startswith("unnamed ") and item.this.name != item.alias
    }
    for node in tree.find_all(exp.Identifier):
        if node.name in names:
            node.set("this", names[node.name])
    return tree


def _replace_grouping(node: exp.Expr, expressions: Expressions) -> None:
    if isinstance(node, exp.Group) and (node.args.get("all") or node.args.get("totals") or node.args.get("distinct")):
        raise unsupported(node.sql(dialect="trino"))
    for item in node.expressions:
        if isinstance(item, exp.Rollup | exp.Cube | exp.GroupingSets | exp.Tuple):
            _replace_grouping(item, expressions)
        else:
            value = expressions.value(item)
            constant = isinstance(item, exp.Literal)
            item.replace(exp.Var(this=f"CAST({value.sql} AS {types.duckdb(value.type)})" if constant else value.sql))


def _refuse_clauses(node: exp.Select) -> None:
    for clause, content in node.args.items():
        if content and clause not in _CLAUSES:
            raise unsupported(f"{clause.upper().strip('_')} in a SELECT")
    if (with_ := node.args.get("with_")) and with_.args.get("recursive"):
        raise unsupported("WITH RECURSIVE")
    if (distinct := node.args.get("distinct")) and distinct.args.get("on"):
        raise QueryError("", "mismatched input 'ON'")


def _name_error(message: str) -> QueryError:
    column = re.search(r"[Cc]olumn '?\"?([^'\" ]+)", message)
    place = re.search(r"[Ll]ine:? (\d+),? [Cc]ol:? (\d+)", message)
    where = f"line {place[1]}:{place[2]}: " if place else ""
    if "mbiguous" in message:
        return QueryError("AMBIGUOUS_NAME", f"{where}Column '{column[1] if column else ''}' is ambiguous")
    if column:
        return QueryError(
            "COLUMN_NOT_FOUND",
            f"{where}Column '{column[1].rstrip('.')}' cannot be resolved or requester is not authorized to access requested resources",
        )
    return QueryError("SYNTAX_ERROR", message.splitlines()[0])
