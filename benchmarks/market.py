"""Made-up quotes of whole sessions, the same in every run: prices walk at random, the day's figures follow them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date
from decimal import Decimal
from typing import Any

import duckdb

from tapeline.market import sessions
from tapeline.market.quotes import FIELD_NAMES, Quote

SYMBOLS = 43


def quotes(day: date, per_symbol: int) -> Iterator[Quote]:
    """Yield a session's quotes in time order."""
    with duckdb.connect() as connection:
        make(connection, day, per_symbol)
        connection.execute(f"SELECT {', '.join(FIELD_NAMES)} FROM quotes ORDER BY timestamp, symbol")  # noqa: S608
        while rows := connection.fetchmany(10_000):
            for symbol, timestamp, *prices, volume, source, ingested_at in rows:
                in_cents = [Decimal(f"{price:.2f}") for price in prices]
                fields: Any = (symbol, timestamp, *in_cents, volume, source, ingested_at)
                yield Quote(*fields)


def make(connection: duckdb.DuckDBPyConnection, day: date, per_symbol: int) -> None:
    """Make the table `quotes` with a session's quotes, spread evenly over regular trading."""
    session = sessions.session(day)
    milliseconds = (session.closes_at - session.opens_at).total_seconds() * 1000
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(
        """
        CREATE TABLE quotes AS
        WITH steps AS (
            SELECT s, i, ($day || s || '-' || i) AS seed, 20 + hash($day || s) % 40000 / 100 AS base,
                   $opened + to_milliseconds(CAST(floor(i * $milliseconds / $per_symbol) AS bigint)) AS moment
            FROM range($symbols) AS symbols(s), range($per_symbol) AS numbers(i)
        ), moves AS (
            SELECT *, sqrt(-2 * ln((hash(seed || 'a') % 1000000 + 1) / 1000001))
                      * cos(2 * pi() * (hash(seed || 'b') % 1000000) / 1000000)
                      * if(i = 0, 0.02, 0.025 / sqrt($per_symbol)) AS step,
                   hash(seed || 'c') % CAST(ceil(4e7 / $per_symbol) AS bigint) AS shares
            FROM steps
        ), walk AS (
            SELECT *, round(base * exp(sum(step) OVER so_far), 2) AS price, sum(shares) OVER so_far AS volume
            FROM moves WINDOW so_far AS (PARTITION BY s ORDER BY i)
        )
        SELECT 'S' || lpad(CAST(s AS varchar), 3, '0') AS symbol, strftime(moment, $form) AS timestamp,
               first(price) OVER so_far AS open, max(price) OVER so_far AS high, min(price) OVER so_far AS low, price,
               CAST(base AS double) AS previous_close, CAST(volume AS bigint) AS volume, 'replay' AS source,
               strftime(moment + to_milliseconds(CAST(200 + hash(seed || 'd') % 1300 AS bigint)), $form) AS ingested_at
        FROM walk WINDOW so_far AS (PARTITION BY s ORDER BY i)
        """,
        {
            "day": day.isoformat(),
            "opened": session.opens_at.astimezone(UTC).replace(tzinfo=None),
            "milliseconds": milliseconds,
            "per_symbol": per_symbol,
            "symbols": SYMBOLS,
            "form": "%Y-%m-%dT%H:%M:%S.%gZ",
        },
    )
