"""What a statement runs with: its connection, the catalog, the lake, and what it may scan."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import duckdb
from sqlglot import exp

from localaws.athena import results
from localaws.athena.casts import identifier
from localaws.athena.catalog import Catalog
from localaws.athena.errors import ScanLimitError
from localaws.athena.names import Reference
from localaws.athena.statements import Outcome, Statement
from localaws.athena.storage import Lake
from localaws.athena.types import VARCHAR
from localaws.athena.types import duckdb as spell


@dataclass
class Work:
    """One statement at work.

    Attributes
    ----------
    connection : DuckDBPyConnection
        Its own; what the statement makes there must be temporary, for the database outlives it.
    now : datetime
        The moment it began, in UTC.
    scanned : int
        Bytes of S3 that it has read or will.
    """

    statement: Statement
    connection: duckdb.DuckDBPyConnection
    catalog: Catalog
    lake: Lake
    athena: Any
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    scanned: int = 0

    @property
    def database(self) -> str:
        """Database of the names without one."""
        return self.statement.database or "default"

    def value(self, sql: str) -> Any:
        """Return the one value that a query of DuckDB gives."""
        return self.connection.execute(sql).fetchall()[0][0]

    def inline(self, reference: Reference, rows: list[list[Any]]) -> int:
        """Put rows that are no data of the table before the query; they count as nothing read."""
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

    def answer(self, substatement: str, column: str, lines: list[str], kind: str = "UTILITY") -> Outcome:
        """Store the lines that a SHOW, a DESCRIBE or a DDL statement answers."""
        output = f"{self.statement.output}{self.statement.id}.txt"
        columns = [results.column_info(name, VARCHAR, plain_text=True) for name in filter(None, column.split(", "))]
        self.lake.put(output, "".join(line + "\n" for line in lines).encode())
        self.lake.put(output + ".metadata", results.metadata(columns))
        return Outcome(kind, substatement, columns, output)

    def done(self, substatement: str, lines: list[str] | None = None, kind: str = "DDL") -> Outcome:
        """Store what a statement without a result answers."""
        return self.answer(substatement, "", lines or [], kind)

    def close(self) -> None:
        """Let the connection go."""
        self.connection.close()
