"""Every statement of include/sql: the answers of what reads, and what the others leave in their tables."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from typing import Any

from tapeline.lake import sql_files
from tapeline.lake.backfill import INCOMING_PREFIX
from tapeline.lake.rollup import CURATED
from tapeline.lake.sql_files import SqlFile
from tests.sql.lakes import KEYS
from tests.witness.client import Trino
from tests.witness.comparison import ALONE, Finding, Laptop, compare
from tests.witness.dialect import to_trino
from tests.witness.month import Month

TITLE = "include/sql"
WHAT = (
    "every SELECT over a month, {sessions} sessions, of {origin}, rolled up here; Trino has tables of its own, in "
    "which it runs every MERGE, DELETE, OPTIMIZE and VACUUM for three sessions, and their rows are compared."
)

_COPY = "witness_month"
LEFT = 3
_SHARED = ("stock_data_table", "daily_history_incoming")
"""Tables of files that both read; only the laptop makes them."""


class IncludeSql:
    """The comparison of one month."""

    def __init__(self, laptop: Laptop, trino: Trino, month: Month) -> None:
        self._laptop = laptop
        self._trino = trino
        self._month = month

    def findings(self) -> Iterator[Finding]:
        """Let both roll up what is left, compare the answers over the month, then let both keep house."""
        self._share_tables()
        yield from self._made()
        yield from self._rolled_up()
        for file in sql_files.catalogue():
            if re.match(r"(?i)(select|with)\b", _statement(file)):
                sql = file.render()
                ours = self._laptop.ask(sql, self._month.database)
                yield compare(file.name, sql, ours, self._trino.run(to_trino(sql) or sql, self._month.database))
        yield from self._kept()

    def _share_tables(self) -> None:
        """Give Trino's database the tables of files that a stack and the laptop make."""
        glue = self._laptop.aws.client("glue")
        for ddl in ("daily_history/incoming_ddl",):
            self._laptop.ask(sql_files.load(ddl).render(bucket=self._month.bucket), self._month.database)
        location = f"s3://{self._month.bucket}/witness/"
        glue.create_database(DatabaseInput={"Name": _COPY, "LocationUri": location})
        for name in _SHARED:
            found = glue.get_table(DatabaseName=self._month.database, Name=name)["Table"]
            kept = ("Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
            glue.create_table(DatabaseName=_COPY, TableInput={key: found[key] for key in kept if key in found})
            partitions = glue.get_partitions(DatabaseName=self._month.database, TableName=name)["Partitions"]
            inputs = [{key: one[key] for key in ("Values", "StorageDescriptor")} for one in partitions]
            if inputs:
                glue.batch_create_partition(DatabaseName=_COPY, TableName=name, PartitionInputList=inputs)

    def _do(self, name: str, **values: object) -> Finding:
        """Let Trino do what a file says; the laptop has done it or does it now."""
        file = sql_files.load(name)
        sql = file.render(file.taken(values), bucket=self._month.bucket)
        statement = to_trino(sql)
        if statement is None:
            return Finding(name, ALONE)
        ours = self._laptop.ask(sql, self._month.database)
        theirs = self._trino.run(
            statement.replace("/curated/", "/witness/") if "CREATE TABLE" in sql else statement, _COPY
        )
        return compare(name, sql, ours, theirs)

    def _made(self) -> Iterator[Finding]:
        for table in (*CURATED, "daily_history"):
            yield self._do(f"{table}/ddl")
            if table != "daily_history":
                yield self._do(f"{table}/staging_ddl")
        for view in ("trading_sessions", "daily_history"):
            yield self._do(f"{view}/view")
        yield self._same("trading_sessions", "SELECT * FROM {}.trading_sessions ORDER BY session")

    def _rolled_up(self) -> Iterator[Finding]:
        """Roll sessions up on both, the last one twice."""
        for number, session in enumerate((*self._month.left, self._month.left[-1]), 1):
            for step in ("stage_session", "replace_session"):
                for table in CURATED:
                    found = self._do(f"{table}/{step}", session=session)
                    yield Finding(f"{found.name}, run {number}", found.kind, found.detail)
        yield from self._tables("staged", "_staging")
        yield from self._tables("rolled up")

    def _kept(self) -> Iterator[Finding]:
        """Compact, expire and clear on both, then put history in."""
        for table in CURATED:
            for step in ("compact", "expire", "clear_staging"):
                yield self._do(f"{table}/{step}")
        yield from self._tables("compacted and expired")
        yield from self._tables("cleared", "_staging")
        key = f"{INCOMING_PREFIX}witness.json.gz"
        lines = "".join(json.dumps(bar) + "\n" for bar in _HISTORY)
        self._laptop.aws.client("s3").put_object(Bucket=self._month.bucket, Key=key, Body=gzip.compress(lines.encode()))
        yield self._do("daily_history/replace_chunk", object_name=key.rpartition("/")[2])
        yield self._same("daily_history", "SELECT * FROM {}.daily_history ORDER BY session, symbol")

    def _tables(self, when: str, suffix: str = "") -> Iterator[Finding]:
        wanted = ", ".join(f"DATE '{session}'" for session in self._month.left)
        for table in CURATED:
            query = f"SELECT * FROM {{}}.{table}{suffix} WHERE session IN ({wanted})"
            ordered = f"{query} ORDER BY session, symbol, {KEYS[table]}"
            yield self._same(f"{table}{suffix}, {when}", ordered)

    def _same(self, name: str, query: str) -> Finding:
        """Compare the laptop's table, read here, with Trino's, read there."""
        ours = self._laptop.ask(query.format(self._month.database), self._month.database)
        return compare(f"rows of {name}", query, ours, self._trino.run(query.format(_COPY), _COPY))


def _statement(file: SqlFile) -> str:
    return re.sub(r"\A(?:\s*--[^\n]*\n)*", "", file.text)


_HISTORY: list[dict[str, Any]] = [
    {
        "session": f"2025-11-{day:02}",
        "symbol": symbol,
        "open_usd": 10 + day / 8,
        "high_usd": 11 + day / 8,
        "low_usd": 9 + day / 8,
        "close_usd": 10.5 + day / 8,
        "volume_shares": day * 1000,
        "vendor": "yahoo",
        "fetched_at_utc": "2026-04-01T12:00:00Z",
    }
    for symbol in ("AAPL", "XOM")
    for day in (3, 4, 5, 28)
]
