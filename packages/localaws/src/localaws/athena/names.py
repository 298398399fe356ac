"""Names: tables looked up, views opened, every column traced to its source, every star written out.

What comes out of it is a query of scans: `"scan 1"`, `"scan 2"`, one for each mention of a table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import count

from sqlglot import exp
from sqlglot.errors import OptimizeError, SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from localaws.athena import types
from localaws.athena.catalog import CATALOG_NAMES, Catalog, Table
from localaws.athena.errors import QueryError, unsupported
from localaws.athena.grammar import Dialect, parse_statement, require_understood
from localaws.athena.types import BIGINT, VARCHAR, Type

MAX_VIEWS = 20

UNNAMED = "unnamed "
"""How the names begin that columns without one have within a query; as a result they are called `_col0`, `_col1`, …."""

PATH, FILE_SIZE = "$path", "$file_size"
HIDDEN: dict[str, Type] = {PATH: VARCHAR, FILE_SIZE: BIGINT}
"""What a row knows of its file, beside the columns of its table."""


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


class Names:
    """The names of one query.

    Attributes
    ----------
    references : dict
        What each scan stands for.
    """

    def __init__(self, catalog: Catalog, database: str, known: dict[str, dict[str, Type]]) -> None:
        self._catalog = catalog
        self._database = database
        self._known = known
        self.references: dict[str, Reference] = {}

    def resolve(self, tree: exp.Expr) -> exp.Expr:
        """Return the query with all its names resolved.

        Raises
        ------
        QueryError
            For a name that nothing has, or that two things have.
        """
        if any(with_.args.get("recursive") for with_ in tree.find_all(exp.With)):
            raise unsupported("WITH RECURSIVE")
        tree = self._look_up(tree, self._database, ())
        require_understood(tree)
        _refuse_sides_of_using(tree)
        _refuse_place_zero(tree)
        _tell_apart(tree)
        _mark_unnamed(tree)
        visible = {**self._known, **{scan: reference.columns for scan, reference in self.references.items()}}
        schema = MappingSchema(
            {scan: dict.fromkeys([*columns, *HIDDEN], "VARCHAR") for scan, columns in visible.items()},
            visible={scan: list(columns) for scan, columns in visible.items()},
            dialect=Dialect,
            normalize=False,
        )
        try:
            return qualify(tree, schema=schema, dialect=Dialect, expand_alias_refs=False)
        except OptimizeError as error:
            raise self._name_error(str(error)) from error
        except SqlglotError as error:
            raise QueryError("SYNTAX_ERROR", str(error).splitlines()[0]) from error

    def columns(self, node: exp.Table) -> dict[str, Type]:
        """Return the columns of a scan."""
        return self._known[node.name] if node.name in self._known else self.references[node.name].columns

    def column(self, node: exp.Table, name: str) -> Type:
        """Return the type of a column, and note that the query reads it."""
        if reference := self.references.get(node.name):
            reference.used.add(name)
        return HIDDEN.get(name) or self.columns(node)[name]

    def _look_up(self, tree: exp.Expr, database: str, outer: tuple[str, ...]) -> exp.Expr:
        """Put a scan in the place of each table, and its query in the place of each view."""
        for node in list(tree.find_all(exp.Table)):
            if not isinstance(node.this, exp.Identifier) or node is tree:
                raise unsupported(node.sql(dialect="trino"))
            name, schema = node.name.lower(), (node.db or database).lower()
            if not node.db and (name in self._known or _is_cte(node, name)):
                continue
            if node.catalog.lower() not in CATALOG_NAMES:
                raise QueryError("CATALOG_NOT_FOUND", f"Catalog '{node.catalog}' does not exist")
            if node.args.get("sample"):
                raise unsupported("TABLESAMPLE")
            source = self._source(node, schema, name, outer)
            alias = exp.TableAlias(this=exp.to_identifier(name.partition("$")[0], quoted=True))
            source.set("alias", node.args.get("alias") or alias)
            source.set("joins", node.args.get("joins"))
            for column in tree.find_all(exp.Column):
                if column.args.get("db") and (column.text("db").lower(), column.table.lower()) == (schema, name):
                    column.set("db", None)
                    column.set("catalog", None)
            node.replace(source)
        return tree

    def _source(self, node: exp.Table, database: str, name: str, outer: tuple[str, ...]) -> exp.Expr:
        base, _, suffix = name.partition("$")
        table = self._catalog.table(database, base)
        if table.format == "view":
            if len(outer) >= MAX_VIEWS:
                raise QueryError("VIEW_IS_RECURSIVE", f"View {name} is recursive")
            text, schema = table.view_sql
            return exp.Subquery(this=self._look_up(parse_statement(text), schema, (*outer, name)))
        columns = metadata_columns(table, suffix) if suffix else table.all_columns
        scan = f"scan {len(self.references) + 1}"
        self.references[scan] = Reference(scan, table, suffix, node.args.get("version"), columns)
        return exp.Table(this=exp.to_identifier(scan, quoted=True))

    def _name_error(self, message: str) -> QueryError:
        """Put sqlglot's complaint about a column into Athena's words."""
        column = re.search(r"[Cc]olumn:? '?\"?([^'\" ]+)", message)
        if not column:
            return QueryError("SYNTAX_ERROR", message.splitlines()[0])
        place = re.search(r"[Ll]ine:? (\d+),? [Cc]ol:? (\d+)", message)
        where = f"line {place[1]}:{place[2]}: " if place else ""
        name = column[1].rstrip(".")
        if name.isdigit():
            return QueryError("INVALID_COLUMN_REFERENCE", f"{where}Position {name} is not in select list")
        owners = [reference for reference in self.references.values() if name in reference.columns]
        if "mbiguous" in message or len(owners) > 1:
            return QueryError("AMBIGUOUS_NAME", f"{where}Column '{name}' is ambiguous")
        return QueryError(
            "COLUMN_NOT_FOUND",
            f"{where}Column '{name}' cannot be resolved or requester is not authorized to access requested resources",
        )


def _is_cte(node: exp.Table, name: str) -> bool:
    """Whether a table's name is that of a CTE which is in force there; a CTE does not see itself, nor later ones."""
    inner: exp.Expr = node
    outer = node.parent
    while outer is not None:
        with_ = outer if isinstance(outer, exp.With) else outer.args.get("with_")
        if isinstance(with_, exp.With) and inner is not with_:
            before = with_.expressions[: inner.index] if isinstance(outer, exp.With) else with_.expressions
            if any(cte.alias.lower() == name for cte in before):
                return True
        inner, outer = outer, outer.parent
    return False


_METADATA = {
    "snapshots": "committed_at timestamp(3) with time zone, snapshot_id bigint, parent_id bigint, operation varchar, "
    "manifest_list varchar, summary map(varchar, varchar)",
    "files": "content integer, file_path varchar, file_format varchar, record_count bigint, file_size_in_bytes bigint",
    "history": "made_current_at timestamp(3) with time zone, snapshot_id bigint, parent_id bigint, "
    "is_current_ancestor boolean",
}


_NOT_HERE = ("all_entries", "all_manifests", "entries", "manifests", "metadata_log_entries", "properties", "refs")


def metadata_columns(table: Table, suffix: str) -> dict[str, Type]:
    """Return the columns of ``"table$suffix"``: its partitions, or what Iceberg knows of itself."""
    if suffix == "partitions" and table.format != "iceberg" and table.partition_keys:
        return table.partition_keys
    if suffix == "partitions" and table.format == "iceberg":
        text = "partition varchar, record_count bigint, file_count bigint, total_size bigint"
    elif suffix in _METADATA and table.format == "iceberg":
        text = _METADATA[suffix]
    elif suffix in _NOT_HERE and table.format == "iceberg":
        raise unsupported(f'"{table.name}${suffix}"')
    else:
        raise QueryError("TABLE_NOT_FOUND", f"Table '{table.database}.{table.name}${suffix}' does not exist", kind=1302)
    return dict(types.parse(f"row({text})").arguments)


def _refuse_sides_of_using(tree: exp.Expr) -> None:
    """Refuse to name a table's own column where USING has made one of two: it has no table any more."""
    for select in tree.find_all(exp.Select):
        merged = {name.name.lower() for join in select.args.get("joins") or [] for name in join.args.get("using") or []}
        for column in select.find_all(exp.Column) if merged else ():
            if column.table and column.name.lower() in merged and column.find_ancestor(exp.Select) is select:
                raise QueryError("COLUMN_NOT_FOUND", f"Column '{column.table}.{column.name}' cannot be resolved")


def _refuse_place_zero(tree: exp.Expr) -> None:
    """Refuse the place before the first, which sqlglot would take for the last."""
    for clause in tree.find_all(exp.Order, exp.Group):
        for item in clause.expressions if isinstance(clause.parent, exp.Query) else ():
            place = item.this if isinstance(item, exp.Ordered) else item
            if isinstance(place, exp.Literal) and place.is_int and int(place.name) == 0:
                raise QueryError(
                    "INVALID_COLUMN_REFERENCE", f"{clause.key.upper()} BY position 0 is not in select list"
                )


def _tell_apart(tree: exp.Expr) -> None:
    """Give the second of two relations of one name in a FROM another, for sqlglot knows them by their names."""
    for select in tree.find_all(exp.Select):
        taken: set[str] = set()
        sources = [item.this for item in (select.args.get("from_"), *(select.args.get("joins") or [])) if item]
        for source in sources:
            name = source.alias_or_name.lower()
            if name not in taken:
                taken.add(name)
            elif name and source.alias:
                if any(column.table.lower() == name for column in select.find_all(exp.Column)):
                    raise unsupported(f"{name} as the name of two relations, and of a column's")
                source.args["alias"].set("this", exp.to_identifier(f"{name} {len(taken)}", quoted=True))


def _mark_unnamed(tree: exp.Expr) -> None:
    """Give every column without a name one of its own, for sqlglot would name a cast after its column."""
    marks = count()
    for select in list(tree.find_all(exp.Select)):
        for item in select.expressions:
            if isinstance(item, exp.Paren) and isinstance(item.unnest(), exp.Column):
                item.replace(item.unnest())
            elif not isinstance(_root(item), exp.Alias | exp.Column | exp.Identifier) and not item.is_star:
                alias = exp.Alias(alias=exp.to_identifier(f"{UNNAMED}{next(marks)}", quoted=True))
                item.replace(alias)
                alias.set("this", item)
    for node in [*tree.find_all(exp.Values), *tree.find_all(exp.Unnest)]:
        if not node.alias_column_names:
            listed = [exp.to_identifier(f"{UNNAMED}{next(marks)}", quoted=True) for _ in range(_width(node))]
            if node.args.get("offset"):
                node.set("offset", exp.to_identifier(f"{UNNAMED}{next(marks)}", quoted=True))
            called = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(f"relation {next(marks)}"))
            called.set("columns", listed)
            node.set("alias", called)


def _width(node: exp.Expr) -> int:
    """Return how many columns VALUES has, or UNNEST of arrays."""
    if isinstance(node, exp.Unnest):
        return len(node.expressions)
    first = node.expressions[0]
    return len(first.expressions) if isinstance(first, exp.Tuple) else 1


def _root(item: exp.Expr) -> exp.Expr:
    """Return what a field is taken of; one of a column is named after the field, one of a cast is not."""
    while isinstance(item, exp.Dot) or (isinstance(item, exp.Paren) and isinstance(item.parent, exp.Dot)):
        item = item.this
    return item
