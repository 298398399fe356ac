"""The small lake the SQL files are tested on: quotes made by hand, the curated tables, and answers kept as files."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot

from tapeline import sql
from tapeline.quotes import FIELD_NAMES, Quote, write_timestamp
from tests.sql.answers.compute import history, raw_quotes

ANSWERS = Path(__file__).parent / "answers"
SESSIONS = ("2025-11-26", "2025-11-28")
CURATED = ("minute_bars", "anomalies", "daily_summary")
"""In the order in which a session of them is staged: the last reads the other two."""

KEYS = {"minute_bars": "minute_utc", "daily_summary": "symbol", "anomalies": "started_at_utc"}

Row = dict[str, Any]


def hand_made_quotes() -> list[tuple[str, Quote]]:
    """The trading date and the quote of each record, in order of arrival."""
    quotes = []
    for record in raw_quotes():
        milliseconds = record["at"].microsecond > 0
        quotes.append(
            (
                record["dt"],
                Quote(
                    symbol=record["symbol"],
                    timestamp=write_timestamp(record["at"].replace(tzinfo=UTC), milliseconds=milliseconds),
                    open=record["price"],
                    high=record["price"],
                    low=record["price"],
                    price=record["price"],
                    previous_close=record["previous_close"],
                    volume=record["volume"],
                    source="replay",
                    ingested_at=write_timestamp(record["ingested"].replace(tzinfo=UTC)),
                ),
            )
        )
    return quotes


class Lake:
    """Runs Athena statements; here on DuckDB."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute(
            "CREATE TABLE stock_data_table (symbol varchar, timestamp varchar, open double, high double, low double, "
            "price double, previous_close double, volume bigint, source varchar, ingested_at varchar, dt varchar)"
        )
        self.run(sql.load("trading_sessions/view").render())
        for table in CURATED:
            for ddl in ("ddl", "staging_ddl"):
                statement = re.sub(r"PARTITIONED BY.*", "", sql.load(f"{table}/{ddl}").render(), flags=re.DOTALL)
                self.connection.execute(statement.replace(" string", " varchar"))

    def add(self, quotes: Iterable[tuple[str, Quote]]) -> None:
        for day, quote in quotes:
            values = [getattr(quote, name) for name in FIELD_NAMES]
            self.connection.execute(f"INSERT INTO stock_data_table VALUES ({','.join('?' * 11)})", [*values, day])

    def remove(self, day: str, symbol: str) -> None:
        self.connection.execute("DELETE FROM stock_data_table WHERE dt = ? AND symbol = ?", [day, symbol])

    def insert(self, table: str, rows: list[Row]) -> None:
        for row in rows:
            names = ", ".join(row)
            self.connection.execute(
                f"INSERT INTO {table} ({names}) VALUES ({','.join('?' * len(row))})", list(row.values())
            )

    def run(self, statement: str) -> list[Row]:
        result = self.connection.execute(sqlglot.transpile(statement, read="athena", write="duckdb")[0])
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, values, strict=True)) for values in result.fetchall()]

    def stage(self, session: str) -> None:
        for table in CURATED:
            self.run(sql.load(f"{table}/stage_session").render({"session": session}))

    def failed_checks(self, session: str) -> set[str]:
        return {
            check.name
            for table in CURATED
            for check in sql.catalogue(f"{table}/checks")
            if self.run(check.render({"session": session}))
        }

    def publish(self, session: str) -> None:
        for table in CURATED:
            self.run(sql.load(f"{table}/replace_session").render({"session": session}))

    def roll_up(self, session: str) -> None:
        self.stage(session)
        self.publish(session)

    def curated(self, table: str) -> list[Row]:
        """The rows of the two sessions, in the order of their keys."""
        days = ", ".join(f"DATE '{session}'" for session in SESSIONS)
        return self.run(f"SELECT * FROM {table} WHERE session IN ({days}) ORDER BY session, symbol, {KEYS[table]}")


@pytest.fixture(scope="session")
def lake() -> Lake:
    """A lake with both sessions rolled up and 24 sessions of history in daily_summary."""
    found = Lake()
    found.add(hand_made_quotes())
    found.insert("daily_summary", history())
    for session in SESSIONS:
        found.roll_up(session)
    return found


def answer(name: str) -> list[dict[str, str]]:
    """The rows of an answer file, all text."""
    with (ANSWERS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def same(found: Any, expected: str) -> bool:
    """Tell whether a value is what an answer file says, floats to nine digits."""
    match found:
        case None:
            return expected == ""
        case bool():
            return expected == str(found).lower()
        case float() | Decimal() | int():
            return expected != "" and math.isclose(float(found), float(expected), rel_tol=1e-9, abs_tol=1e-9)
        case datetime():
            return expected != "" and found == datetime.fromisoformat(expected)
        case date():
            return found.isoformat() == expected
        case _:
            return bool(found == expected)


def differences(found: list[Row], expected: list[dict[str, str]]) -> list[str]:
    """What a result has otherwise than an answer, in words; columns and order count."""
    if len(found) != len(expected):
        return [f"expected {len(expected)} rows, found {len(found)}: {found}"]
    told = []
    for number, (row, wanted) in enumerate(zip(found, expected, strict=True), 1):
        if list(row) != list(wanted):
            told.append(f"expected columns {list(wanted)}, found {list(row)}")
            break
        told += [
            f"row {number} {name}: expected {wanted[name]!r}, found {row[name]!r}"
            for name in wanted
            if not same(row[name], wanted[name])
        ]
    return told
