"""What a statement runs with, and how a SELECT in it becomes views and SQL of DuckDB."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from localaws.athena import lookups, results
from localaws.athena.casts import identifier
from localaws.athena.catalog import Catalog
from localaws.athena.errors import QueryError, ScanLimitError, unsupported
from localaws.athena.grammar import parse_statement
from localaws.athena.names import Reference
from localaws.athena.prune import conditions_by_scan
from localaws.athena.scans import Scans
from localaws.athena.statements import Outcome, Statement
from localaws.athena.storage import Lake
from localaws.athena.translate import Translation, Translator
from localaws.athena.types import Type


class Work:
    """One statement at work: its connection, the catalog and the lake.

    Attributes
    ----------
    scanned : int
        Bytes of S3 that it has read or will.
    """

    def __init__(self, statement: Statement, catalog: Catalog, lake: Lake, athena: Any, scratch: Path) -> None:
        self.statement = statement
        self.catalog = catalog
        self.lake = lake
        self.athena = athena
        self.scratch = scratch
        self.now = datetime.now(UTC)
        self.scanned = 0
        self.connection = duckdb.connect(
            config={"threads": 2, "memory_limit": "2GB", "temp_directory": str(scratch / "spill")}
        )
        self.connection.execute("SET TimeZone='UTC'")
        results.prepare(self.connection)

    @property
    def database(self) -> str:
        """Database of the names without one."""
        return self.statement.database or "default"

    def select(self, tree: exp.Expr | str, known: dict[str, dict[str, Type]] | None = None) -> Translation:
        """Translate a query and make the views it reads."""
        node = parse_statement(tree) if isinstance(tree, str) else tree
        if not isinstance(node, exp.Query | exp.Values):
            raise QueryError("SYNTAX_ERROR", f"expected a query, found {node.key.upper()}")
        if known is None:
            lookups.put_values(node, self._look_up)
        translation = Translator(self.catalog, self.database, self.now, known).translate(node)
        conditions = conditions_by_scan(translation.qualified)
        for reference in translation.references:
            self.scanned += self._create(reference, conditions.get(reference.scan, []))
        self.check_limit()
        return translation

    def _look_up(self, query: exp.Query) -> exp.Expr | None:
        """Give a query's one value as a constant, and count what it reads; None where there is no such value."""
        own = Work(self.statement, self.catalog, self.lake, self.athena, self.scratch)
        own.now = self.now
        try:
            translation = own.select(query.copy())
            rows = own.connection.execute(translation.sql).fetchmany(2)
        finally:
            own.close()
        if len(rows) > 1 or len(translation.columns) != 1:
            return None
        found = lookups.constant(rows[0][0] if rows else None, str(translation.columns[0][1]))
        if found is not None:
            self.scanned += own.scanned
        return found

    def _create(self, reference: Reference, conditions: list[exp.Expr]) -> int:
        scans = Scans(self.connection, self.catalog, self.lake, self.now)
        table = reference.table
        if table.format == "iceberg":
            from localaws.athena import iceberg_scan  # pyiceberg takes half a second to import

            return iceberg_scan.create(reference, conditions, scans, self)
        if reference.version is not None:
            raise QueryError("NOT_SUPPORTED", f"This connector does not support versioned tables: {table.name}")
        if reference.suffix:
            values = [list(partition.values) for partition in self.catalog.partitions(table)]
            return self.inline(reference, values)
        return scans.create(reference, conditions)

    def inline(self, reference: Reference, rows: list[list[Any]]) -> int:
        """Put rows that are no data of the table before the query."""
        from localaws.athena.types import duckdb as spell

        columns = ", ".join(f"{identifier(name)} {spell(kind)}" for name, kind in reference.columns.items())
        self.connection.execute(f"CREATE TEMP TABLE {identifier(reference.scan)} ({columns})")
        if rows:
            marks = ", ".join("?" for _ in reference.columns)
            self.connection.executemany(f"INSERT INTO {identifier(reference.scan)} VALUES ({marks})", rows)
        return 0

    def check_limit(self) -> None:
        """Cancel the query if it would read more than its workgroup allows."""
        limit = self.statement.scan_limit
        if limit is not None and self.scanned > limit:
            raise ScanLimitError(self.scanned)

    def table_name(self, node: exp.Table) -> tuple[str, str]:
        """Return database and name of a table node."""
        return (node.db or self.database).lower(), node.name.lower()

    def close(self) -> None:
        """Let the connection go."""
        self.connection.close()


def bind(sql: str, parameters: tuple[str, ...]) -> str:
    """Put the literals in the place of the question marks outside of strings, quoted names and comments."""
    values = iter(parameters)
    count = 0

    def part(match: re.Match[str]) -> str:
        nonlocal count
        if match[0] != "?":
            return match[0]
        count += 1
        value = next(values, None)
        return match[0] if value is None else f"{value}"

    bound = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|\?", part, sql, flags=re.DOTALL)
    if count != len(parameters):
        raise QueryError(
            "INVALID_PARAMETER_USAGE", f"Incorrect number of parameters: expected {count} but found {len(parameters)}"
        )
    return bound


def run_select(work: Work, tree: exp.Expr) -> Outcome:
    """Run a SELECT and store its answer."""
    translation = work.select(tree)
    path = work.scratch / f"{work.statement.id}.csv"
    results.write_csv(work.connection, translation.sql, translation.columns, path)
    columns = [results.column_info(name, kind) for name, kind in translation.columns]
    output = f"{work.statement.output}{work.statement.id}.csv"
    work.lake.upload(path, output)
    path.unlink()
    work.lake.put(output + ".metadata", results.metadata(columns))
    return Outcome("DML", "SELECT", columns, output, has_header=True)


def run_explain(work: Work, tree: exp.Expr) -> Outcome:
    """Show what DuckDB would do: names the tables read, not Athena's plan."""
    translation = work.select(tree)
    plan = work.connection.execute(f"EXPLAIN {translation.sql}").fetchall()
    return text_result(work, "EXPLAIN", "Query Plan", plan[0][1].splitlines())


def text_result(work: Work, substatement: str, column: str, lines: list[str], kind: str = "UTILITY") -> Outcome:
    """Store the lines that a SHOW, a DESCRIBE or a DDL statement answers."""
    output = f"{work.statement.output}{work.statement.id}.txt"
    columns = [results.column_info(name, Type("varchar"), plain_text=True) for name in filter(None, column.split(", "))]
    work.lake.put(output, "".join(line + "\n" for line in lines).encode())
    work.lake.put(output + ".metadata", results.metadata(columns))
    return Outcome(kind, substatement, columns, output)


__all__ = ["Outcome", "Statement", "Work", "bind", "run_explain", "run_select", "text_result", "unsupported"]
