"""The original's four queries over a replayed file: seconds from the call to the last row read, first time and later.

The file is BENCH_REPLAY_FILE, else the 2026-03 file of the folder that TAPELINE_MARKET_DATA names.
"""

from __future__ import annotations

import statistics
import threading
import time

from rich.console import Console
from rich.table import Table

from benchmarks import replay
from benchmarks.lakes import Lake, lake
from producer.replay import ReplaySource
from tapeline.stream.source import Counters

QUERIES = ("first_ten_rows", "top_price_changes", "average_volume", "moves_over_five_percent")
TARGET_SECONDS = 0.7
LATER_RUNS = 5


def main() -> None:
    """Fill the raw zone, crawl, ask; print the times."""
    console = Console()
    file = replay.bar_file()
    if file is None:
        console.print("queries: left out; set TAPELINE_MARKET_DATA to the folder of market data, or BENCH_REPLAY_FILE")
        return
    with lake() as found:
        quotes = ReplaySource(file, None).quotes(Counters(), threading.Event())
        objects = found.fill(quotes)
        found.crawl()
        table = Table("query", "rows", "first (s)", f"median of {LATER_RUNS} later", "MB scanned")
        for name in QUERIES:
            first, rows, scanned = _ask(found, name)
            later = statistics.median(_ask(found, name)[0] for _ in range(LATER_RUNS))
            table.add_row(name, f"{rows:,}", f"{first:.2f}", f"{later:.2f}", f"{scanned / 1e6:.1f}")
    console.print(f"{file.name} as {objects:,} objects; target: under {TARGET_SECONDS} s each")
    console.print(table)


def _ask(found: Lake, name: str) -> tuple[float, int, int]:
    """Return the seconds that a query takes, its rows and the bytes that it scans."""
    started = time.perf_counter()
    finished, rows = found.run(name)
    return time.perf_counter() - started, len(rows), finished.scanned_bytes
