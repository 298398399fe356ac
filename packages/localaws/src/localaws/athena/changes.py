"""INSERT, MERGE, UPDATE and DELETE of Iceberg tables: files are replaced, in one snapshot.

Only files that hold a changed row are written anew. What a statement changes is first a table of pairs in DuckDB: a row
of the target (its file and place in it), the source row it matched, and the number of the clause that decides.
"""

from __future__ import annotations

from pyiceberg.manifest import DataFile
from pyiceberg.table import Table as IcebergTable
from sqlglot import exp

from localaws.athena import iceberg, iceberg_files, iceberg_scan
from localaws.athena.casts import Value, coerce, identifier, select_list
from localaws.athena.catalog import Table
from localaws.athena.definitions import require_once
from localaws.athena.errors import QueryError, mismatch, unsupported
from localaws.athena.expressions import Columns
from localaws.athena.prune import conditions_by_scan, conjuncts
from localaws.athena.query import prepare
from localaws.athena.scans import FILE, PLACES, parquet_rows
from localaws.athena.translate import Translator
from localaws.athena.types import BIGINT, INTEGER, VARCHAR, Type, common
from localaws.athena.work import Work

TARGET, SOURCE, PAIRS, ROWS = "changed table", "source rows", "changed rows", "new rows"
_PAIR_COLUMNS = {"file": VARCHAR, "place": BIGINT, "source": BIGINT, "clause": INTEGER}


def assigned(work: Work, sql: str, given: Columns, wanted: dict[str, Type], what: str = "Insert") -> str:
    """Return a query whose columns have the types of the table's, where Athena converts by itself."""
    shown = []
    for place, ((_, kind), (name, target)) in enumerate(zip(given, wanted.items(), strict=True)):
        if kind.name == "timestamp" and target.name == "timestamp":
            kind = target
        if common(kind, target) != target:
            if _is_narrowing(kind, target):
                raise unsupported(f"{what} of {kind} into {name}, a column of {target}: CAST it to the column's type")
            raise mismatch(
                f"{what} query has mismatched column types: Table: [{', '.join(map(str, wanted.values()))}], "
                f"Query: [{', '.join(str(source) for _, source in given)}]"
            )
        shown.append(f"{coerce(Value(f'c{place}', kind), target).sql} AS {identifier(name)}")
    names = ", ".join(f"c{place}" for place in range(len(given)))
    return f"SELECT {', '.join(shown)} FROM ({sql}) AS given({names})"


def _is_narrowing(kind: Type, target: Type) -> bool:
    """Tell whether Trino 476 would cast by itself where older engines refuse; Athena's may do either."""
    if kind.name == target.name == "array":
        return _is_narrowing(kind.arguments[0], target.arguments[0])
    return (kind.is_number and target.is_number) or (kind.is_moment and target.is_moment)


class Change:
    """A change of some rows of a table.

    Parameters
    ----------
    node : exp.Table
        The table as the statement names it.
    condition : exp.Expr or None
        What a row, or a pair of target and source row, must fulfil.
    """

    def __init__(
        self, work: Work, node: exp.Table, condition: exp.Expr | None, source: dict[str, Type] | None = None
    ) -> None:
        self.work = work
        self.table: Table = iceberg.require(work, node, "Writing")
        self.alias = node.alias_or_name.lower()
        self.iceberg: IcebergTable = iceberg.load(work, self.table)
        self.condition = condition or exp.true()
        self.known: dict[str, dict[str, Type]] = {
            TARGET: {**self.table.columns, FILE: VARCHAR, "place of the row": BIGINT},
            PAIRS: _PAIR_COLUMNS,
        }
        if source is not None:
            self.known[SOURCE] = source
        self.source_alias = ""
        self.files: dict[str, DataFile] = {}

    def from_clause(self, joined: exp.Expr | None = None, on: exp.Expr | None = None) -> exp.Select:
        """Return a SELECT, still without columns, from the target and what is joined to it."""
        query = exp.select().from_(_aliased(TARGET, self.alias))
        return query.join(joined, on=on.copy() if on else None) if joined is not None else query

    def open(self, also: list[exp.Expr]) -> None:
        """Make a view of the target's files that may hold a row of the condition."""
        joined = _aliased(SOURCE, self.source_alias) if self.source_alias else None
        query = self.from_clause(joined, self.condition if joined is not None else None).select("1")
        query = query if joined is not None else query.where(self.condition.copy())
        translator = Translator(self.work.catalog, self.work.database, self.work.now, self.known)
        conditions = conditions_by_scan(translator.translate(query).qualified).get(TARGET, [])
        tasks = iceberg_files.plan(
            self.iceberg, iceberg_scan.row_filter([*conditions, *also]), self.iceberg.current_snapshot()
        )
        local = iceberg_files.local_files(self.work, self.iceberg, tasks)
        self.files = {place.path: task.file for place, task in zip(local, tasks, strict=True)}
        self.work.scanned += sum(task.file.file_size_in_bytes for task in tasks)
        self.work.check_limit()
        rows = f"SELECT {select_list(self.known[TARGET])} WHERE FALSE"
        if tasks:
            rows = parquet_rows(self.work.connection, list(self.files), self.table.columns, PLACES)
        self.work.connection.execute(f"CREATE TEMP VIEW {identifier(TARGET)} AS {rows}")

    def run(self, name: str, query: exp.Select) -> Columns:
        """Translate a query over the known tables and keep its rows as a table."""
        translation = prepare(self.work, query, self.known)
        self.work.connection.execute(f"CREATE TEMP TABLE {identifier(name)} AS {translation.sql}")
        return translation.columns

    def find(self, clause: exp.Expr, source_row: exp.Expr) -> None:
        """Fill the table of pairs: every match, and which clause decides (0: none)."""
        joined = _aliased(SOURCE, self.source_alias) if self.source_alias else None
        query = self.from_clause(joined, self.condition if joined is not None else None)
        query = query.select(
            exp.alias_(exp.column(FILE, self.alias, quoted=True), "file"),
            exp.alias_(exp.column("place of the row", self.alias, quoted=True), "place"),
            exp.alias_(source_row, "source"),
            exp.alias_(clause, "clause"),
        )
        self.run(PAIRS, query if joined is not None else query.where(self.condition.copy()))
        pairs = identifier(PAIRS)
        repeated = f"SELECT count(*) FROM (SELECT 1 FROM {pairs} {{}} HAVING count(*) > 1)"
        if self.work.value(repeated.format("GROUP BY file, place, clause")):  # by no clause, too, as in Trino
            raise QueryError(
                "MERGE_TARGET_ROW_MULTIPLE_MATCHES", "One MERGE target table row matched more than one source row"
            )
        if self.work.value(repeated.format("WHERE clause > 0 GROUP BY file, place")):
            raise unsupported("a row that two clauses of MERGE change")

    def replace(self, values: dict[str, list[tuple[int, exp.Expr]]], deleting: list[int], inserts: list[str]) -> int:
        """Write the changed files anew, with what the clauses give, and commit; return how many rows changed."""
        connection, pairs = self.work.connection, identifier(PAIRS)
        touched = [
            path for (path,) in connection.execute(f"SELECT DISTINCT file FROM {pairs} WHERE clause > 0").fetchall()
        ]
        changed = int(self.work.value(f"SELECT count(*) FROM {pairs} WHERE clause > 0"))
        connection.execute(f"DELETE FROM {pairs} WHERE clause = 0")
        query = self.from_clause().join(
            _aliased(PAIRS, "pair"),
            on='pair.file = {0}."file of the row" AND pair.place = {0}."place of the row"'.format(
                identifier(self.alias)
            ),
            join_type="left",
        )
        if self.source_alias:
            on = exp.column("number of the row", self.source_alias, quoted=True).eq(exp.column("source", "pair"))
            query = query.join(_aliased(SOURCE, self.source_alias), on=on, join_type="left")
        for name in self.table.columns:
            old: exp.Expr = exp.column(name, self.alias, quoted=True)
            if name in values:
                case = exp.Case(
                    ifs=[
                        exp.If(this=exp.column("clause", "pair").eq(number), true=value.copy())
                        for number, value in values[name]
                    ],
                    default=old,
                )
                old = case
            query = query.select(exp.alias_(old, name, quoted=True))
        listed = exp.column(FILE, self.alias, quoted=True).isin(*touched)
        query = query.where(listed if touched else exp.false())
        if deleting:
            query = query.where(
                exp.or_(
                    exp.column("clause", "pair").is_(exp.null()), exp.not_(exp.column("clause", "pair").isin(*deleting))
                )
            )
        translation = prepare(self.work, query, self.known)
        parts = (
            [assigned(self.work, translation.sql, translation.columns, self.table.columns, "Update")] if touched else []
        )
        if not parts and not inserts:
            return 0
        connection.execute(f"CREATE TEMP TABLE {identifier(ROWS)} AS {' UNION ALL '.join([*parts, *inserts])}")
        added = iceberg.write(self.work, self.iceberg, ROWS)
        iceberg.commit(self.iceberg, added, [self.files[path] for path in touched])
        return changed


def _aliased(name: str, alias: str) -> exp.Table:
    return exp.Table(
        this=exp.to_identifier(name, quoted=True), alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True))
    )


def insert(work: Work, table: Table, sql: str) -> int:
    """Append the rows of a query whose columns are the table's."""
    work.connection.execute(f"CREATE TEMP TABLE {identifier(ROWS)} AS {sql}")
    opened = iceberg.load(work, table)
    iceberg.commit(opened, iceberg.write(work, opened, ROWS), [])
    return int(work.value(f"SELECT count(*) FROM {identifier(ROWS)}"))


def _change(work: Work, node: exp.Delete | exp.Update) -> Change:
    """Return the change of the rows that fulfil a statement's condition."""
    if node.this.alias:
        raise QueryError("", f"mismatched input '{node.this.alias}'")
    change = Change(work, node.this, node.args["where"].this if node.args.get("where") else None)
    change.open([])
    change.find(exp.Literal.number(1), exp.cast(exp.null(), "bigint"))
    return change


def delete(work: Work, node: exp.Delete) -> int:
    """DELETE FROM table [WHERE condition]."""
    change = _change(work, node)
    return change.replace({}, [1], [])


def update(work: Work, node: exp.Update) -> int:
    """UPDATE table SET column = value, … [WHERE condition]."""
    change = _change(work, node)
    return change.replace(_values(change, {1: node.expressions}), [], [])


def _values(change: Change, sets: dict[int, list[exp.Expr]]) -> dict[str, list[tuple[int, exp.Expr]]]:
    """Return what each clause sets each column to."""
    values: dict[str, list[tuple[int, exp.Expr]]] = {}
    for number, assignments in sets.items():
        require_once([item.this.name.lower() for item in assignments], "Update")
        for item in assignments:
            name = item.this.name.lower()
            if name not in change.table.columns:
                raise QueryError("COLUMN_NOT_FOUND", f"The UPDATE SET target column {name} doesn't exist")
            values.setdefault(name, []).append((number, item.expression))
    return values


def merge(work: Work, node: exp.Merge) -> int:
    """MERGE INTO target USING source ON condition, with any clauses, as one snapshot."""
    using = node.args["using"]
    source = prepare(work, exp.select("*").from_(using.copy()))
    names = [name.lower() for name, _ in source.columns]
    listed = ", ".join(map(identifier, names))
    work.connection.execute(
        f'CREATE TEMP TABLE {identifier(SOURCE)} AS SELECT *, row_number() OVER () AS "number of the row" '
        f"FROM ({source.sql}) AS s({listed})"
    )
    columns = {**dict(zip(names, (kind for _, kind in source.columns), strict=True)), "number of the row": BIGINT}
    change = Change(work, node.this, node.args["on"], columns)
    change.source_alias = using.alias_or_name.lower()
    change.open(_bounds(change))
    whens = list(enumerate(node.args["whens"].expressions, 1))
    matched = [(number, when) for number, when in whens if when.args["matched"]]
    if any(when.args.get("source") for _, when in whens):
        raise QueryError("", "mismatched input 'BY'. Expecting: 'THEN'")
    decide = exp.Case(
        ifs=[
            exp.If(this=when.args.get("condition") or exp.true(), true=exp.Literal.number(number))
            for number, when in matched
        ],
        default=exp.Literal.number(0),
    )
    change.find(
        decide if matched else exp.Literal.number(0), exp.column("number of the row", change.source_alias, quoted=True)
    )
    # Matches decided by no clause count as matches still, so the inserts are found before they are forgotten.
    inserts = [
        _inserted(change, [other for _, other in whens[: number - 1]], when)
        for number, when in whens
        if not when.args["matched"]
    ]
    rows: int = sum(work.value(f"SELECT count(*) FROM ({sql})") for sql in inserts)
    sets = {
        number: when.args["then"].expressions for number, when in matched if isinstance(when.args["then"], exp.Update)
    }
    deleting = [number for number, when in matched if not isinstance(when.args["then"], exp.Update)]
    return change.replace(_values(change, sets), deleting, inserts if rows else []) + rows


def _inserted(change: Change, earlier: list[exp.When], when: exp.When) -> str:
    """Return the rows of a WHEN NOT MATCHED clause as a table of its own."""
    then = when.args["then"]
    given = [column.name.lower() for column in then.this.expressions] if then.this else list(change.table.columns)
    values = then.expression.expressions
    require_once(given, "Merge")
    if len(given) != len(values) or not set(given) <= set(change.table.columns):
        raise QueryError(
            "COLUMN_NOT_FOUND",
            f"Insert columns {given} do not fit {len(values)} values and the table {change.table.name}",
        )
    query = exp.select(
        *(exp.alias_(value.copy(), name, quoted=True) for name, value in zip(given, values, strict=True))
    )
    query = query.from_(_aliased(SOURCE, change.source_alias))
    matches = exp.select("source").from_(_aliased(PAIRS, "pair"))
    query = query.where(exp.not_(exp.column("number of the row", change.source_alias, quoted=True).isin(query=matches)))
    if condition := when.args.get("condition"):
        query = query.where(condition.copy())
    for other in earlier:
        if not other.args["matched"]:
            taken = other.args.get("condition") or exp.true()
            query = query.where(exp.not_(exp.func("coalesce", exp.paren(taken.copy()), exp.false())))
    translation = prepare(change.work, query, change.known)
    name = f"inserted {id(when)}"
    typed = assigned(
        change.work, translation.sql, translation.columns, {column: change.table.columns[column] for column in given}
    )
    change.work.connection.execute(f"CREATE TEMP TABLE {identifier(name)} AS {typed}")
    return f"SELECT {select_list(change.table.columns, given)} FROM {identifier(name)}"


def _bounds(change: Change) -> list[exp.Expr]:
    """Return conditions on the target that follow from the values in the source, for columns the ON sets equal."""
    bounds: list[exp.Expr] = []
    for part in conjuncts(change.condition):
        sides = (part.this, part.expression) if isinstance(part, exp.EQ) else ()
        if not sides or not all(isinstance(side, exp.Column) for side in sides):
            continue
        names = {side.table.lower(): side.name.lower() for side in sides}
        target, source = names.get(change.alias), names.get(change.source_alias)
        if (
            target in change.table.columns
            and source in change.known[SOURCE]
            and change.table.columns[target].name in ("varchar", "date", "integer", "bigint")
        ):
            low, high = change.work.connection.execute(
                f"SELECT min({identifier(source)}), max({identifier(source)}) FROM {identifier(SOURCE)}"
            ).fetchall()[0]
            if low is not None and change.known[SOURCE][source] == change.table.columns[target]:
                edges = [
                    exp.Literal.number(edge) if isinstance(edge, int) and edge >= 0 else exp.Literal.string(str(edge))
                    for edge in (low, high)
                ]
                bounds.append(exp.Between(this=exp.column(target), low=edges[0], high=edges[1]))
    return bounds
