"""A session of ten million quotes rolled up on the local AWS, and by plain DuckDB over the same Parquet.

Both compute the session's bars, anomalies and summary from one Parquet file of quotes. The local AWS runs the
statements of include/sql as the DAG does: stage all three tables, then publish them. Plain DuckDB, with the same number
of threads and else its own defaults, writes what the SELECTs of the same files give into Parquet files. So what only
the local AWS does is in its time: Athena's types and checks, requests, Iceberg's files and commits, and every row
written twice. At the end both answers are compared row by row.

BENCH_ROLLUP_QUOTES is the number of quotes.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import psutil
import sqlglot
from rich.console import Console
from rich.table import Table
from sqlglot import exp

from benchmarks import market
from benchmarks.lakes import Lake, lake
from tapeline.lake import sql_files
from tapeline.lake.rollup import CURATED

QUOTES = int(os.environ.get("BENCH_ROLLUP_QUOTES") or 10_000_000)
DAY = date(2026, 3, 12)
TARGET_RATIO = 3
THREADS = 2
"""Of plain DuckDB: as many as a statement has on the local AWS."""

COLUMNS = (
    "symbol string, `timestamp` string, open double, high double, low double, price double, previous_close double, "
    "volume bigint, source string, ingested_at string, revision bigint, suspect array<string>, confirms string"
)
STAGE, PUBLISH = "stage_session", "replace_session"


def main() -> None:
    """Make the quotes, roll them up both ways, compare; print times, ratio and memory."""
    console = Console()
    with tempfile.TemporaryDirectory() as name, lake() as found:
        folder = Path(name)
        with console.status(f"making {QUOTES:,} quotes"):
            in_its_own_process(make_quotes, folder)
            _store(found, folder / "quotes.parquet")
        with console.status("rolling up with plain DuckDB"):
            plain, plain_bytes = in_its_own_process(roll_up_plainly, folder)
        with console.status("rolling up on the local AWS"), _peak_of_workers(found) as ours_bytes:
            ours = {
                (step, table): _seconds(partial(found.run, f"{table}/{step}", session=DAY))
                for step in (STAGE, PUBLISH)
                for table in CURATED
            }
        rows = {table: _compared(found, table, folder) for table in CURATED}
    shown = Table("table", "rows, the same in both", "local AWS: stage (s)", "publish (s)", "plain DuckDB (s)")
    for table in CURATED:
        shown.add_row(
            table, f"{rows[table]:,}", f"{ours[STAGE, table]:.1f}", f"{ours[PUBLISH, table]:.1f}", f"{plain[table]:.1f}"
        )
    total, least = sum(ours.values()), sum(plain.values())
    console.print(shown)
    console.print(
        f"a session of {QUOTES:,} quotes: {total:.1f} s on the local AWS, {least:.1f} s with plain DuckDB, "
        f"ratio {total / least:.2f} (target: {TARGET_RATIO}); "
        f"peak memory {ours_bytes() / 1e9:.1f} GB of a worker of Athena, {plain_bytes / 1e9:.1f} GB of plain DuckDB"
    )


def in_its_own_process(work: Callable[[Path], Any], folder: Path) -> Any:
    """Return what some work gives that must not count for the memory of this process, nor use what it has warm."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        return executor.submit(work, folder).result()


def make_quotes(folder: Path) -> None:
    """Write the session's quotes in the order in which they come."""
    with duckdb.connect(str(folder / "making.duckdb"), config={"memory_limit": "4GB"}) as connection:
        connection.execute("SET enable_progress_bar = false")
        market.make(connection, DAY, math.ceil(QUOTES / market.SYMBOLS))
        connection.execute(
            f"COPY (SELECT * FROM quotes ORDER BY timestamp, symbol LIMIT {QUOTES}) TO '{folder}/quotes.parquet'"  # noqa: S608
        )
    (folder / "making.duckdb").unlink()


def roll_up_plainly(folder: Path) -> tuple[dict[str, float], int]:
    """Write `<table>.parquet` for each curated table; return the seconds that each took, and the peak of memory."""
    with duckdb.connect(config={"threads": THREADS}) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE MACRO with_timezone(moment, zone) AS timezone(zone, moment)")
        connection.execute(sqlglot.transpile(sql_files.load("trading_sessions/view").text, "athena", "duckdb")[0])
        connection.execute(
            f"CREATE VIEW stock_data_table AS SELECT *, '{DAY}' AS dt FROM read_parquet('{folder}/quotes.parquet')"  # noqa: S608
        )
        seconds = {}
        for table in CURATED:
            path = folder / f"{table}.parquet"
            select = _select(table)
            seconds[table] = _seconds(partial(connection.execute, f"COPY ({select}) TO '{path}'"))
            connection.execute(f"CREATE VIEW {table}_staging AS SELECT * FROM '{path}'")  # noqa: S608
    return seconds, _peak(psutil.Process())


def _select(table: str) -> str:
    """Return what a table's statement computes, without the MERGE around it, in DuckDB's words."""
    merge = sqlglot.parse_one(sql_files.load(f"{table}/{STAGE}").render({"session": DAY}), read="athena")
    union = merge.args["using"].this
    select = exp.select("*").from_("computed")
    select.set("with_", union.args["with_"])
    return select.sql("duckdb").replace("DATE_DIFF(", "DATE_SUB(")  # whole seconds, as Athena counts them


def _store(found: Lake, quotes: Path) -> None:
    """Make the file the raw table's only partition, and the curated tables empty."""
    location = f"s3://{found.deployment.outputs.bucket_name}/raw-parquet/"
    key = f"raw-parquet/dt={DAY}/quotes.parquet"
    found.deployment.client("s3").upload_file(str(quotes), found.deployment.outputs.bucket_name, key)
    found.execute("DROP TABLE stock_data_table")
    found.execute(
        f"CREATE EXTERNAL TABLE stock_data_table ({COLUMNS}) PARTITIONED BY (dt string) STORED AS PARQUET "
        f"LOCATION '{location}'"
    )
    found.execute(f"ALTER TABLE stock_data_table ADD PARTITION (dt = '{DAY}')")
    found.make_curated_tables()


def _compared(found: Lake, table: str, folder: Path) -> int:
    """Return the number of rows that a table has both ways, once they are seen to be the same."""
    plain = duckdb.connect().sql(f"SELECT * FROM '{folder}/{table}.parquet' ORDER BY ALL")  # noqa: S608
    names = ", ".join(plain.columns)
    order = ", ".join(str(number) for number in range(1, len(plain.columns) + 1))
    _, ours = found.execute(f"SELECT {names} FROM {table} WHERE session = DATE '{DAY}' ORDER BY {order}")  # noqa: S608
    theirs = plain.fetchall()
    if len(ours) != len(theirs) or not theirs:
        raise RuntimeError(f"{table} has {len(ours)} rows on the local AWS and {len(theirs)} by plain DuckDB")
    for one, other in zip(ours, theirs, strict=True):
        if not all(map(_same, one, other)):
            raise RuntimeError(f"{table}: the local AWS has {one}, plain DuckDB {other}")
    return len(ours)


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return one == other


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@contextmanager
def _peak_of_workers(found: Lake) -> Iterator[Callable[[], int]]:
    """Watch Athena's workers while the block runs; call what it gives for the most bytes that one of them ever had."""
    server, over, peak = psutil.Process(found.local.process.pid), threading.Event(), 0

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.1):
            for child in server.children():
                peak = max(peak, _peak(child))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: peak
    finally:
        over.set()
        thread.join()


def _peak(process: psutil.Process) -> int:
    """Return the most bytes of memory that a process ever had, 0 if it is gone."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")] or ["VmHWM: 0 kB"]
    return int(line.split()[1]) * 1024
