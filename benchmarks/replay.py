"""A file of real bars through the whole laptop at full speed; every item and alert against answers of another hand.

The file is BENCH_REPLAY_FILE, else the 2026-03 file of the folder that TAPELINE_MARKET_DATA names. The answers come
from the file alone, by a DuckDB window function and a plain loop that knows nothing of `tapeline`.
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
from producer.kinesis_writer import KinesisWriter
from producer.replay import ReplaySource
from producer.run import run
from producer.source import Counters
from tapeline.aws import stack
from tapeline.aws.session import session

DEFAULT_FILE = "yahoo_1m/2026-03_many_symbols.parquet"
COOLDOWN = timedelta(minutes=15)
COMMAND = [sys.executable, "-m", "tapeline.cli"]

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
        _tapeline("up", "--detach", "--no-airflow")
        try:
            _replay(file, console)
        finally:
            _tapeline("down")


def _replay(file: Path, console: Console) -> None:
    aws = session("local")
    outputs = stack.outputs(aws)
    counters, marks = Counters(), [(time.perf_counter(), 0)]
    writer = KinesisWriter(aws.client("kinesis"), outputs.stream_name, counters)
    source = ReplaySource(file, None)
    counts = run(
        source, writer, stop=threading.Event(), on_progress=lambda now: marks.append((time.perf_counter(), now.sent))
    )
    counted = json.loads(_tapeline("reconcile", "--json"))
    seconds = time.perf_counter() - marks[0][0]
    first, last = _rates(marks)
    console.print(f"{file.name}: {counts.sent:,} quotes, reconcile agrees: {counted['agrees']}")
    console.print(f"{counts.sent / seconds:,.0f} quotes/s from the first read to the end of reconcile")
    console.print(
        f"accepted in the last fifth against the first: {last / first:.2f} ({first:,.0f} then {last:,.0f} a second)"
    )

    averages, alerts = _expected(file)
    items = {key: item for key, item in _items(aws.client("dynamodb"), outputs.table_name) if key in averages}
    wrong = [key for key, average in averages.items() if not _is(items.get(key), average)]
    console.print(
        f"moving averages: {len(averages) - len(wrong):,} of {len(averages):,} as computed by DuckDB {wrong[:3]}"
    )
    raised = {(*key, kind) for key, item in items.items() for kind in item.get("alerts", {}).get("SS", ())}
    console.print(
        f"alerts: {len(raised):,} raised, {len(alerts):,} expected, {len(alerts - raised)} missing, "
        f"{len(raised - alerts)} false {sorted(alerts ^ raised)[:3]}"
    )


def _expected(file: Path) -> tuple[dict[Key, Decimal], set[tuple[str, str, str]]]:
    """Return the average of 20 for each bar, and the crosses and threshold entries that the cooldown lets through."""
    rows = duckdb.execute(
        f"""
        SELECT symbol, strftime(timestamp AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ') AS moment,
               CAST(timestamp AT TIME ZONE 'America/New_York' AS date) AS dt, open, close,
               avg(close) OVER (PARTITION BY symbol ORDER BY timestamp ROWS 19 PRECEDING) AS average
        FROM '{file}' ORDER BY symbol, timestamp
        """  # noqa: S608 - our own file
    ).fetchall()
    averages = {(symbol, moment): Decimal(average) for symbol, moment, _, _, _, average in rows}
    alerts = set()
    for symbol, bars in itertools.groupby(rows, key=lambda row: row[0]):
        alerts |= {(symbol, moment, kind) for moment, kind in _alerts_of(list(bars))}
    return averages, alerts


def _alerts_of(bars: list[Any]) -> Iterator[tuple[str, str]]:
    last_alert: dict[str, datetime] = {}
    prices: list[Decimal] = []
    side = was_far = None
    day, previous_close = None, Decimal(str(bars[0][3]))
    for _, moment, dt, _, close, _ in bars:
        if day is not None and dt != day:
            previous_close = prices[-1]
        day = dt
        prices.append(Decimal(str(close)))
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


def _rates(marks: list[tuple[float, int]]) -> tuple[float, float]:
    """Return quotes per second accepted in the first and in the last fifth of the quotes."""
    total = marks[-1][1]
    edges = [next(mark for mark in marks if mark[1] >= total * part) for part in (0.0, 0.2, 0.8, 1.0)]
    return tuple((b[1] - a[1]) / (b[0] - a[0]) for a, b in (edges[:2], edges[2:]))  # type: ignore[return-value]


def bar_file() -> Path | None:
    """Return the file of bars that the environment names, if it does."""
    if named := os.environ.get("BENCH_REPLAY_FILE"):
        return Path(named)
    folder = os.environ.get("TAPELINE_MARKET_DATA")
    return Path(folder) / DEFAULT_FILE if folder else None


def _tapeline(*arguments: str) -> str:
    return subprocess.run([*COMMAND, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
