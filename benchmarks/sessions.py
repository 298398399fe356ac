"""Ten sessions of real bars backfilled by Airflow on a laptop that is hurt three times; each row by another hand too.

The bars are the 2024-08 file of the folder that TAPELINE_MARKET_DATA names. While Airflow rolls them up, the scheduler
and a task are killed (SIGKILL), and the local AWS is stopped and comes back, each in the middle of a session. What the
tables then have to hold is computed from the file alone, by DuckDB and a plain loop that know nothing of `tapeline`.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import psutil
from rich.console import Console

from benchmarks.replay import COMMAND, IDLE_SECONDS
from localaws.mail import Mailbox
from localaws.testing import free_port
from tapeline.aws.clients import connect
from tapeline.aws.deployment import find_deployment
from tapeline.lake import athena
from tapeline.laptop import airflow
from tapeline.laptop.supervisor import Supervisor

FILE = "yahoo_1m/2024-08-19_2024-08-30_nvda_earnings_prepost.parquet"
FIRST, LAST = "2024-08-19", "2024-08-30"
WEEKS = 2
MINUTES_OPEN = 390
WAIT_SECONDS = 780.0

Row = dict[str, Any]


def main() -> None:
    """Replay, backfill, hurt, compare; stop with an error if a run or a row is not as it should be."""
    console = Console()
    folder = os.environ.get("TAPELINE_MARKET_DATA")
    if not folder:
        console.print("sessions: left out; set TAPELINE_MARKET_DATA to the folder of market data")
        return
    with tempfile.TemporaryDirectory() as home:
        ports = {"TAPELINE_PORT": str(free_port()), "TAPELINE_AIRFLOW_PORT": str(free_port())}
        os.environ.update(TAPELINE_HOME=home, **ports)
        _tapeline("up", "--detach", "--every", IDLE_SECONDS)
        try:
            wrong = _backfill(Path(folder) / FILE, Path(home), console)
        finally:
            _tapeline("down")
    if wrong:
        sys.exit(f"sessions: {wrong} are not as they should be")


def _backfill(file: Path, home: Path, console: Console) -> int:
    expected = {"minute_bars": _minute_bars(file), "daily_summary": [], "anomalies": list(_anomalies(file))}
    expected["daily_summary"] = list(_summaries(expected["minute_bars"], expected["anomalies"]))
    days = sorted({row["session"] for row in expected["minute_bars"]})
    _tapeline("replay", str(file), "--speed", "max", "--json")
    _wait(lambda: json.loads(_tapeline("reconcile", "--json", check=False))["agrees"], "all quotes to be stored")

    airflow = Airflow(home)
    began = time.monotonic()
    dates = ("--from-date", FIRST, "--to-date", LAST, "--max-active-runs", "1")
    _tapeline("airflow", "backfill", "create", "--dag-id", "daily_rollup", *dates)
    for day, task, hurt in (
        (days[1], "stage_minute_bars", kill_scheduler),
        (days[3], "publish_minute_bars", kill_task),
        (days[6], "stage_anomalies", stop_local_aws),
    ):
        _wait(partial(airflow.is_running, "daily_rollup", day, task), f"{task} of {day}")
        hurt(home)
        hurt_at = time.monotonic()
        _wait(partial(airflow.is_over, "daily_rollup", day), f"the end of {day}")
        console.print(f"{hurt.__name__} in {task} of {day}: the run ended {time.monotonic() - hurt_at:.0f} s later")
    _wait(lambda: len(airflow.ended("daily_rollup", days)) >= len(days), "the backfill to end")
    console.print(f"{len(days)} sessions in {time.monotonic() - began:.0f} s, interruptions and reports included")
    _wait(lambda: len(airflow.ended("anomaly_report", days)) >= len(days), "the reports")
    _wait(lambda: len(_weekly(home)) >= WEEKS, "the weekly reports")

    runs = airflow.ended("daily_rollup", days) + airflow.ended("anomaly_report", days)
    told = [subject for subject in _subjects(home) if " Aug 2024" in subject and "week of" not in subject]
    wrong = _disagreements("runs", Counter(runs), Counter([(day, "success") for day in days] * 2), console)
    wrong += _disagreements("daily and weekly mails", [len(told), len(_weekly(home))], [len(days), WEEKS], console)
    for table, rows in expected.items():
        found = [_plain(row) for row in _query(f"SELECT * FROM {table} WHERE session <= DATE '{LAST}'")]  # noqa: S608
        wrong += _compare(table, found, rows, console)
    return wrong


# What hurts


def kill_scheduler(home: Path) -> None:
    """Kill the scheduler as a full memory would; its supervisor starts it again."""
    os.kill(Supervisor(home).state("airflow-scheduler").pid, signal.SIGKILL)


def kill_task(home: Path) -> None:
    """Kill the processes of all tasks under way."""
    for process in psutil.Process(Supervisor(home).state("airflow-scheduler").pid).children(recursive=True):
        with suppress(psutil.Error):
            title = " ".join(process.cmdline())
            if title.startswith("airflow worker -- ") and "LocalExecutor" not in title:
                process.kill()


def stop_local_aws(home: Path) -> None:
    """Stop the local AWS in an orderly way; its supervisor starts it again."""
    os.kill(Supervisor(home).state("localaws").pid, signal.SIGTERM)


# What Airflow says


class Airflow:
    """Its API, asked as its admin."""

    def __init__(self, home: Path) -> None:
        self._log_in = {"username": "admin", "password": airflow.passwords(home)["admin"]}
        self._token = ""

    def runs(self, dag_id: str) -> list[Row]:
        """Return a DAG's runs."""
        found: list[Row] = self._get(f"/api/v2/dags/{dag_id}/dagRuns?limit=100")["dag_runs"]
        return found

    def is_running(self, dag_id: str, day: str, task_id: str) -> bool:
        """Tell whether a task of a session's run is under way."""
        for run in self.runs(dag_id):
            if run["partition_key"] == day:
                tasks = self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run['dag_run_id']}/taskInstances")
                return any(one["task_id"] == task_id and one["state"] == "running" for one in tasks["task_instances"])
        return False

    def ended(self, dag_id: str, days: Iterable[str]) -> list[tuple[str, str]]:
        """Return session and state of each run that has ended."""
        wanted = set(days)
        return [
            (run["partition_key"], run["state"])
            for run in self.runs(dag_id)
            if run["partition_key"] in wanted and run["state"] in ("success", "failed")
        ]

    def is_over(self, dag_id: str, day: str) -> bool:
        """Tell whether a session's run has ended."""
        return bool(self.ended(dag_id, [day]))

    def _get(self, path: str) -> Any:
        self._token = self._token or self._ask("/auth/token", json.dumps(self._log_in).encode())["access_token"]
        return self._ask(path)

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(airflow.address() + path, body, headers)  # noqa: S310 - our own server
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)


def _subjects(home: Path) -> list[str]:
    return [message.subject for message in Mailbox(home / "mail").newest(10_000)]


def _weekly(home: Path) -> list[str]:
    return [subject for subject in _subjects(home) if "week of" in subject and "Aug 2024" in subject]


def _wait(is_so: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        with suppress(OSError, urllib.error.URLError):  # what was hurt is on its way up
            if is_so():
                return
        if time.monotonic() > deadline:
            sys.exit(f"sessions: waited {WAIT_SECONDS:.0f} s in vain for {what}")
        time.sleep(0.2)


# What the tables have to hold


def _minute_bars(file: Path) -> list[Row]:
    """Return what can be known of each minute: a replayed bar tells its close and volume, and the day's high and low.

    So a minute's high is its bar's where that is the day's highest so far, else its close. The previous close is the
    last one before 16:00 of the date before (no date of the file is a half day); on the first date its first open.
    """
    found: list[Any] = duckdb.execute(
        f"""
        WITH bars AS (
            SELECT
                *, timezone('UTC', timestamp) AS minute_utc,
                timezone('America/New_York', timestamp)::DATE AS session,
                timezone('America/New_York', timestamp)::TIME AS clock
            FROM '{file}'
        ),
        closes AS (
            SELECT
                symbol, session, arg_max(close, minute_utc) FILTER (clock < '16:00') AS last_close,
                arg_min(open, minute_utc) AS first_open
            FROM bars GROUP BY ALL
        ),
        bases AS (
            SELECT symbol, session, coalesce(
                lag(last_close) OVER (PARTITION BY symbol ORDER BY session), first_open
            ) AS base
            FROM closes
        ),
        days AS (
            SELECT
                *, row_number() OVER day AS number,
                max(high) OVER (day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS highest,
                min(low) OVER (day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS lowest
            FROM bars WINDOW day AS (PARTITION BY symbol, session ORDER BY minute_utc)
        )
        SELECT
            session::VARCHAR AS session, symbol, minute_utc::VARCHAR AS minute_utc,
            CASE WHEN clock < '09:30' THEN 'pre' WHEN clock < '16:00' THEN 'regular' ELSE 'post' END AS phase,
            CASE WHEN number = 1 AND phase = 'regular' THEN open ELSE close END AS open_usd,
            greatest(close, open_usd, CASE WHEN number = 1 OR high > highest THEN high END) AS high_usd,
            least(close, open_usd, CASE WHEN number = 1 OR low < lowest THEN low END) AS low_usd,
            close AS close_usd, volume AS volume_shares, close * volume AS turnover_usd, base AS previous_close_usd,
            1 AS quotes, 0 AS late_quotes, 0 AS repeated_quotes,
            minute_utc AS first_quote_utc, minute_utc AS last_quote_utc
        FROM days JOIN bases USING (symbol, session)
        ORDER BY symbol, minute_utc
        """  # noqa: S608 - our own file
    ).df().to_dict("records")  # fmt: skip
    return found


def _summaries(minutes: list[Row], anomalies: list[Row]) -> Iterator[Row]:
    events = Counter((row["session"], row["symbol"]) for row in anomalies)
    for (symbol, day), whole in itertools.groupby(minutes, key=lambda row: (row["symbol"], row["session"])):
        bars = {phase: [] for phase in ("pre", "regular", "post")}  # type: dict[str, list[Row]]
        for row in whole:
            bars[row["phase"]].append(row)
        every, regular = [*bars["pre"], *bars["regular"], *bars["post"]], bars["regular"]
        base, opened, closed = regular[-1]["previous_close_usd"], regular[0]["open_usd"], regular[-1]["close_usd"]
        volume = sum(row["volume_shares"] for row in regular)
        outside = {
            f"{phase}_{name}_usd": of((row[f"{name}_usd"] for row in bars[phase]), default=None)
            for phase in ("pre", "post")
            for name, of in (("high", max), ("low", min))
        }
        yield {
            "session": day,
            "symbol": symbol,
            "open_usd": opened,
            "high_usd": max(row["high_usd"] for row in regular),
            "low_usd": min(row["low_usd"] for row in regular),
            "close_usd": closed,
            "volume_shares": volume,
            "vwap_usd": sum(row["turnover_usd"] for row in regular) / volume,
            "previous_close_usd": base,
            "change_usd": closed - base,
            "change_pct": _percent(closed, base),
            "gap_pct": _percent(opened, base),
            **outside,
            "anomalies": events[day, symbol],
            "quotes": len(every),
            "regular_quotes": len(regular),
            "late_quotes": 0,
            "repeated_quotes": 0,
            "first_quote_utc": every[0]["minute_utc"],
            "last_quote_utc": every[-1]["minute_utc"],
            "minutes_with_quotes": len(regular),
            "expected_minutes": MINUTES_OPEN,
            "completeness_pct": round(len(regular) / MINUTES_OPEN * 100, 2),
        }


def _anomalies(file: Path) -> Iterator[Row]:
    """Yield each unbroken run of closes more than five per cent from the previous close."""
    for (symbol, day), bars in itertools.groupby(_minute_bars(file), key=lambda row: (row["symbol"], row["session"])):
        quotes = [(row, _percent(row["close_usd"], row["previous_close_usd"])) for row in bars]
        for is_far, run in itertools.groupby(quotes, key=lambda quote: abs(quote[1]) > 5):
            if not is_far:
                continue
            event = list(run)
            (first, change), (last, _) = event[0], event[-1]
            peak, peak_change = max(event, key=lambda quote: abs(quote[1]))
            started, ended = first["minute_utc"], last["minute_utc"]
            yield {
                "session": day,
                "symbol": symbol,
                "started_at_utc": started,
                "ended_at_utc": ended,
                "duration_seconds": _minutes_of(ended) * 60 - _minutes_of(started) * 60,
                "lasted_to_the_end": last is quotes[-1][0],
                "rule_name": "price_move",
                "direction": "up" if change > 0 else "down",
                "phase": first["phase"],
                "quotes": len(event),
                "previous_close_usd": first["previous_close_usd"],
                "start_price_usd": first["close_usd"],
                "start_change_pct": change,
                "peak_at_utc": peak["minute_utc"],
                "peak_price_usd": peak["close_usd"],
                "peak_change_pct": peak_change,
            }


def _percent(price: float, base: float) -> float:
    change = (Decimal(str(price)) - Decimal(str(base))) * 100 / Decimal(str(base))
    return float(change.quantize(Decimal("0.01"), ROUND_HALF_UP))


def _minutes_of(moment: str) -> int:
    """Minutes since midnight in UTC; trading goes on until midnight in UTC at most in summer."""
    return int(moment[11:13]) * 60 + int(moment[14:16])


# Comparing


def _query(statement: str) -> list[Row]:
    return list(athena.query(find_deployment(connect("local")), statement))


def _plain(row: Row) -> Row:
    moments = {name: str(value)[:19] for name, value in row.items() if name.endswith("_utc")}
    return {**row, **moments, "session": str(row["session"])}


def _compare(table: str, found: list[Row], expected: list[Row], console: Console) -> int:
    """Print and return how many rows are missing, too many, there twice or other than expected."""
    moment = {"minute_bars": "minute_utc", "anomalies": "started_at_utc"}.get(table, "session")

    def by_key(rows: list[Row]) -> dict[Any, list[Row]]:
        keyed: dict[Any, list[Row]] = {}
        for row in rows:
            keyed.setdefault((row["symbol"], row[moment]), []).append({**row})
        return keyed

    here, there = by_key(found), by_key([_plain(row) for row in expected])
    wrong = [
        key
        for key in here.keys() | there.keys()
        if [len(here.get(key, ())), len(there.get(key, ()))] != [1, 1] or not _same(here[key][0], there[key][0])
    ]
    console.print(f"{table}: {len(found):,} rows, {len(expected):,} expected, {len(wrong):,} wrong")
    for key in sorted(wrong)[:3]:
        console.print(f"  found {here.get(key)}\n  expected {there.get(key)}")
    return len(wrong)


def _same(one: Row, other: Row) -> bool:
    return one.keys() == other.keys() and all(_equal(one[name], other[name]) for name in one)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= 1e-9 * max(abs(one), abs(other))
    return bool(one == other)


def _disagreements(what: str, found: object, expected: object, console: Console) -> int:
    is_same = found == expected
    console.print(f"{what}: {'as expected' if is_same else f'{found}, expected {expected}'}")
    return 0 if is_same else 1


def _tapeline(*arguments: str, check: bool = True) -> str:
    return subprocess.run([*COMMAND, *arguments], check=check, stdout=subprocess.PIPE, text=True).stdout
