"""A file of real bars through the whole laptop at full speed; every item and alert against answers of another hand.

The file is BENCH_REPLAY_FILE, else the 2026-03 file of the folder that TAPELINE_MARKET_DATA names. The answers come
from the file alone, by a DuckDB window function and a plain loop that knows nothing of `tapeline` (nor of half days).
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console

from localaws.testing import free_port
from producer.replay import ReplaySource
from tapeline.aws.clients import connect
from tapeline.aws.deployment import find_deployment
from tapeline.stream.pump import run
from tapeline.stream.source import Counters
from tapeline.stream.writer import KinesisWriter

DEFAULT_FILE = "yahoo_1m/2026-03_many_symbols.parquet"
COOLDOWN = timedelta(minutes=15)
IDLE_SECONDS = "3600"
"""Between quotes of the simulated market, which is not what is measured here."""

PARTS = 5
COMMAND = [sys.executable, "-m", "tapeline.cli.main"]

Key = tuple[str, str]


def main() -> None:
    """Replay, reconcile, compare; print the rates and what differs."""
    console = Console()
    file = bar_file()
    if file is None:
        console.print("replay: left out; set TAPELINE_MARKET_DATA to the folder of market data, or BENCH_REPLAY_FILE")
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(TAPELINE_HOME=folder, TAPELINE_PORT=str(free_port()))
        _tapeline("up", "--detach", "--no-airflow", "--every", IDLE_SECONDS)
        try:
            _replay(file, console)
        finally:
            _tapeline("down")


def _replay(file: Path, console: Console) -> None:
    deployment = find_deployment(connect("local"))
    outputs = deployment.outputs
    accepted, called = Track(), Track()
    kinesis = deployment.client("kinesis")
    kinesis.meta.events.register("before-call.kinesis.PutRecords", lambda **_: called.add(1))
    counters = Counters()
    with Watch(deployment.client("dynamodb"), outputs.table_name) as stored:
        counts = run(
            ReplaySource(file, None),
            KinesisWriter(kinesis, outputs.stream_name, counters),
            stop=threading.Event(),
            on_progress=lambda now: accepted.reach(now.sent),
        )
        seconds = stored.time_of(counts.sent) - accepted.marks[0][0]
    counted = json.loads(_tapeline("reconcile", "--json"))
    console.print(f"{file.name}: {counts.sent:,} quotes, reconcile agrees: {counted['agrees']}")
    console.print(f"{counts.sent / seconds:,.0f} quotes/s from the first read until the last is in raw zone and table")
    for name, track in (("accepted", accepted), ("calls to PutRecords", called), ("stored", stored.track)):
        console.print(f"{name} a second, fifth by fifth: {', '.join(f'{rate:,.0f}' for rate in track.rates())}")

    items = dict(_items(deployment.client("dynamodb"), outputs.table_name))
    suspect = sorted(key for key, item in items.items() if _has_suspect_price(item))
    console.print(f"prices that were not believed: {len(suspect):,} {suspect[:3]}")
    averages, alerts = _expected(file, suspect)
    items = {key: item for key, item in items.items() if key in averages}
    wrong = [key for key, average in averages.items() if not _is(items.get(key), average)]
    console.print(
        f"moving averages: {len(averages) - len(wrong):,} of {len(averages):,} as computed by DuckDB {wrong[:3]}"
    )
    kinds = {(*key, kind) for key, item in items.items() for kind in item.get("alerts", {}).get("SS", ())}
    raised = {alert for alert in kinds if alert[2] != "suspect"}
    console.print(
        f"alerts: {len(raised):,} raised, {len(alerts):,} expected, {len(alerts - raised)} missing, "
        f"{len(raised - alerts)} false {sorted(alerts ^ raised)[:3]}"
    )


def _has_suspect_price(item: Any) -> bool:
    return any(reason["S"].startswith("price:") for reason in item.get("suspect", {"L": []})["L"])


def _expected(file: Path, suspect: list[Key]) -> tuple[dict[Key, Decimal], set[tuple[str, str, str]]]:
    """Return the average of 20 for each bar, and the crosses and threshold entries that the cooldown lets through.

    Bars whose price was not believed are left out; which they are is the stream's verdict, shown above.
    """
    duckdb.execute("CREATE OR REPLACE TEMP TABLE suspect (symbol VARCHAR, moment VARCHAR)")
    for key in suspect:
        duckdb.execute("INSERT INTO suspect VALUES (?, ?)", key)
    rows = duckdb.execute(
        f"""
        WITH bars AS (
            SELECT * FROM '{file}' AS bars ANTI JOIN suspect
            ON bars.symbol = suspect.symbol
            AND strftime(bars.timestamp AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ') = suspect.moment)
        SELECT symbol, strftime(timestamp AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ') AS moment,
               CAST(timestamp AT TIME ZONE 'America/New_York' AS date) AS dt, open, close,
               CAST(timestamp AT TIME ZONE 'America/New_York' AS time) < TIME '16:00' AS in_session,
               avg(close) OVER (PARTITION BY symbol ORDER BY timestamp ROWS 19 PRECEDING) AS average
        FROM bars ORDER BY symbol, timestamp
        """  # noqa: S608 - our own file
    ).fetchall()
    averages = {(symbol, moment): Decimal(average) for symbol, moment, *_, average in rows}
    alerts = set()
    for symbol, bars in itertools.groupby(rows, key=lambda row: row[0]):
        alerts |= {(symbol, moment, kind) for moment, kind in _alerts_of(list(bars))}
    return averages, alerts


def _alerts_of(bars: list[Any]) -> Iterator[tuple[str, str]]:
    last_alert: dict[str, datetime] = {}
    prices: list[Decimal] = []
    side = was_far = None
    day = None
    previous_close = session_close = Decimal(str(bars[0][3]))
    for _, moment, dt, _, close, in_session, _ in bars:
        if day is not None and dt != day:
            previous_close = session_close
        prices.append(Decimal(str(close)))
        if dt != day or in_session:
            session_close = prices[-1]
        day = dt
        kinds = []
        percent = ((prices[-1] - previous_close) / previous_close * 100).quantize(Decimal("0.01"), ROUND_HALF_UP)
        if abs(percent) > 5 and not was_far:
            kinds.append("price_move")
        was_far = abs(percent) > 5
        if len(prices) >= 20:
            difference = sum(prices[-5:]) * 4 - sum(prices[-20:])
            if difference:
                now = "up" if difference > 0 else "down"
                if side and now != side:
                    kinds.append(f"trend_{now}")
                side = now
        at = datetime.fromisoformat(moment)
        for kind in kinds:
            if kind not in last_alert or at - last_alert[kind] >= COOLDOWN:
                last_alert[kind] = at
                yield moment, kind


def _items(client: Any, table: str) -> Iterator[tuple[Key, Any]]:
    for page in client.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            yield (item["symbol"]["S"], item["timestamp"]["S"]), item


def _is(item: Any, average: Decimal) -> bool:
    if item is None or "N" not in item["moving_average"]:
        return False
    return abs(Decimal(item["moving_average"]["N"]) - average) < Decimal("0.000002")


class Track:
    """How far something had come, and when."""

    def __init__(self) -> None:
        self.marks = [(time.perf_counter(), 0)]

    def add(self, more: int) -> None:
        """Go on by so many."""
        self.reach(self.marks[-1][1] + more)

    def reach(self, now: int) -> None:
        """Note where it is."""
        self.marks.append((time.perf_counter(), now))

    def rates(self) -> list[float]:
        """Return how many a second each part of them took."""
        total = self.marks[-1][1]
        edges = [next(mark for mark in self.marks if mark[1] >= total * part / PARTS) for part in range(PARTS + 1)]
        return [(after[1] - before[1]) / (after[0] - before[0]) for before, after in itertools.pairwise(edges)]


class Watch:
    """Follows the number of a table's items; an item is written after its quote is in the raw zone."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._before = self._count()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self.track = Track()

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def time_of(self, count: int) -> float:
        """Wait until so many items are new, and return when that was."""
        while self.track.marks[-1][1] < count and not self._stop.wait(0.1):
            pass
        return next(moment for moment, reached in self.track.marks if reached >= count)

    def _follow(self) -> None:
        while not self._stop.wait(0.25):
            self.track.reach(self._count() - self._before)

    def _count(self) -> int:
        return int(self._dynamodb.describe_table(TableName=self._table)["Table"]["ItemCount"])


def bar_file() -> Path | None:
    """Return the file of bars that the environment names, if it does."""
    if named := os.environ.get("BENCH_REPLAY_FILE"):
        return Path(named)
    folder = os.environ.get("TAPELINE_MARKET_DATA")
    return Path(folder) / DEFAULT_FILE if folder else None


def _tapeline(*arguments: str) -> str:
    return subprocess.run([*COMMAND, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
