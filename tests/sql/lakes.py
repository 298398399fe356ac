"""Two places to run the SQL files on: DuckDB alone, which is quick, and the local AWS, which is what users have."""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import count
from typing import Any, Protocol

import duckdb
import sqlglot

from tapeline.aws.deployment import Deployment
from tapeline.lake import athena, rollup, sql_files
from tapeline.lake.rollup import CURATED
from tapeline.market.quotes import FIELD_NAMES, OPTIONAL_FIELDS, Quote
from tapeline.stream.keys import RAW_PREFIX

KEYS = {"minute_bars": "minute_utc", "daily_summary": "symbol", "anomalies": "started_at_utc"}

RAW_COLUMNS = (*FIELD_NAMES, *OPTIONAL_FIELDS, "suspect", "confirms")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class JudgedQuote(Quote):
    """A quote with the stream's verdict, as it writes them to the raw zone."""

    suspect: tuple[str, ...] = ()
    confirms: str = ""

    def to_json(self) -> str:
        verdict = {name: value for name in ("suspect", "confirms") if (value := getattr(self, name))}
        return f"{Quote.to_json(self)[:-1]}, {json.dumps(verdict)[1:]}" if verdict else Quote.to_json(self)


Dated = tuple[str, Quote]
"""A trading date and a quote of it."""


class Lake(Protocol):
    """Holds raw quotes and runs Athena statements over them."""

    def add(self, quotes: Iterable[Dated]) -> None: ...

    def remove(self, day: str, symbol: str) -> None: ...

    def insert(self, table: str, rows: list[Row]) -> None: ...

    def run(self, statement: str) -> list[Row]: ...


def render(name: str, **values: object) -> str:
    return sql_files.load(name).render(values)


def stage(lake: Lake, session: str) -> None:
    for table in CURATED:
        lake.run(render(f"{table}/stage_session", session=session))


def failed_checks(lake: Lake, session: str) -> set[str]:
    return {
        check.name
        for table in CURATED
        for check in sql_files.catalogue(f"{table}/checks")
        if lake.run(check.render({"session": session}))
    }


def publish(lake: Lake, session: str) -> None:
    for table in CURATED:
        lake.run(render(f"{table}/replace_session", session=session))


def roll_up(lake: Lake, *days: str) -> None:
    for session in days:
        stage(lake, session)
        publish(lake, session)


def curated(lake: Lake, table: str, *days: str) -> list[Row]:
    """The rows of some sessions in the order of their keys."""
    wanted = ", ".join(f"DATE '{session}'" for session in days)
    key = KEYS[table.removesuffix("_staging")]
    return lake.run(f"SELECT * FROM {table} WHERE session IN ({wanted}) ORDER BY session, symbol, {key}")


class DuckLake:
    """DuckDB with Athena's SQL translated by sqlglot; its MERGE and types are near enough for what is tested on it."""

    def __init__(self) -> None:
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("CREATE MACRO with_timezone(moment, zone) AS timezone(zone, moment)")
        self._connection.execute(
            "CREATE TABLE stock_data_table (symbol varchar, timestamp varchar, open double, high double, low double, "
            "price double, previous_close double, volume bigint, source varchar, ingested_at varchar, revision bigint, "
            "doubt varchar, suspect varchar[], confirms varchar, shard varchar, sequence varchar, dt varchar)"
        )
        self.run(render("trading_sessions/view"))
        for table in CURATED:
            for ddl in ("ddl", "staging_ddl"):
                statement = re.sub(r"PARTITIONED BY.*", "", render(f"{table}/{ddl}"), flags=re.DOTALL)
                self._connection.execute(statement.replace(" string", " varchar"))
        history = re.sub(r"PARTITIONED BY.*", "", render("daily_history/ddl"), flags=re.DOTALL)
        self._connection.execute(history.replace(" string", " varchar"))
        self.run(render("daily_history/view"))
        self._connection.execute(
            'CREATE VIEW "stock_data_table$partitions" AS SELECT DISTINCT dt FROM stock_data_table'
        )

    def add(self, quotes: Iterable[Dated]) -> None:
        names = [*RAW_COLUMNS, "dt"]
        rows = [[*(_absent_or(getattr(quote, name, None)) for name in RAW_COLUMNS), day] for day, quote in quotes]
        statement = f"INSERT INTO stock_data_table ({', '.join(names)}) VALUES ({','.join('?' * len(names))})"
        self._connection.executemany(statement, rows)

    def load(self, query: str) -> None:
        """Fill the raw table by a query of DuckDB."""
        self._connection.execute(f"INSERT INTO stock_data_table BY NAME {query}")

    def remove(self, day: str, symbol: str) -> None:
        self._connection.execute("DELETE FROM stock_data_table WHERE dt = ? AND symbol = ?", [day, symbol])

    def insert(self, table: str, rows: list[Row]) -> None:
        for row in rows:
            statement = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({','.join('?' * len(row))})"
            self._connection.execute(statement, list(row.values()))

    def run(self, statement: str) -> list[Row]:
        result = self._connection.execute(sqlglot.transpile(statement, read="athena", write="duckdb")[0])
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


class AthenaLake:
    """A stack on the local AWS: gzip objects in S3, partitions in Glue, statements on Athena, tables on Iceberg."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment, self._outputs = deployment, deployment.outputs
        self._s3, self._glue = deployment.client("s3"), deployment.client("glue")
        self._athena = deployment.client("athena")
        self._quotes: dict[str, list[Quote]] = defaultdict(list)
        self._numbers = count()
        self.object_sizes: dict[str, list[int]] = defaultdict(list)
        self.scanned_bytes = 0
        self.bucket_name = self._outputs.bucket_name
        rollup.create_tables(deployment)

    def add(self, quotes: Iterable[Dated]) -> None:
        by_day: dict[str, list[Quote]] = defaultdict(list)
        for day, quote in quotes:
            by_day[day].append(quote)
        for day, found in by_day.items():
            self._quotes[day] += found
            self._put(day, found)

    def _put(self, day: str, quotes: list[Quote]) -> None:
        body = gzip.compress("".join(quote.to_json() + "\n" for quote in quotes).encode())
        key = f"{RAW_PREFIX}dt={day}/{next(self._numbers):06}.json.gz"
        self._s3.put_object(Bucket=self._outputs.bucket_name, Key=key, Body=body)
        self.object_sizes[day].append(len(body))
        self.run(f"ALTER TABLE stock_data_table ADD IF NOT EXISTS PARTITION (dt = '{day}')")

    def remove(self, day: str, symbol: str) -> None:
        self.clear(day)
        self._quotes[day] = [quote for quote in self._quotes[day] if quote.symbol != symbol]
        self._put(day, self._quotes[day])

    def clear(self, day: str) -> None:
        """Remove the day's objects and its partition."""
        self.run(f"ALTER TABLE stock_data_table DROP IF EXISTS PARTITION (dt = '{day}')")
        prefix = f"{RAW_PREFIX}dt={day}/"
        for stored in self._s3.list_objects_v2(Bucket=self._outputs.bucket_name, Prefix=prefix).get("Contents", []):
            self._s3.delete_object(Bucket=self._outputs.bucket_name, Key=stored["Key"])
        self.object_sizes.pop(day, None)

    def insert(self, table: str, rows: list[Row]) -> None:
        values = ", ".join(f"({', '.join(literal(value) for value in row.values())})" for row in rows)
        self.run(f"INSERT INTO {table} ({', '.join(rows[0])}) VALUES {values}")

    def start(self, statement: str) -> str:
        """Start a statement and return its id."""
        answer = self._athena.start_query_execution(
            QueryString=statement,
            QueryExecutionContext={"Database": self._outputs.database_name},
            WorkGroup=self._outputs.work_group_name,
        )
        return str(answer["QueryExecutionId"])

    def is_over(self, number: str) -> bool:
        """Tell whether a statement has ended, one way or another."""
        execution = self._athena.get_query_execution(QueryExecutionId=number)["QueryExecution"]
        return execution["Status"]["State"] in ("SUCCEEDED", "FAILED", "CANCELLED")

    def version(self, table: str) -> str:
        """The metadata file that readers of an Iceberg table are given."""
        found = self._glue.get_table(DatabaseName=self._outputs.database_name, Name=table)["Table"]
        return str(found["Parameters"]["metadata_location"])

    def run(self, statement: str) -> list[Row]:
        finished = athena.run(self._deployment, statement)
        self.scanned_bytes = finished.scanned_bytes
        return list(athena.by_name(*athena.results(self._deployment, finished)))


def _absent_or(value: object) -> object:
    """None for what is not written when it is empty."""
    return None if value in ("", ()) else value


def literal(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool() | int():
            return str(value)
        case float() | Decimal():
            return f"{value:f}E0"
        case datetime():
            return f"TIMESTAMP '{value:%Y-%m-%d %H:%M:%S.%f}'"[:-4] + "'"
        case date():
            return f"DATE '{value}'"
        case str() if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return f"DATE '{value}'"
        case _:
            return f"'{value}'"
