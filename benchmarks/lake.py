"""Bytes and files that the analyst's questions read from the curated tables and would read from the raw zone.

Twenty sessions of 43 symbols, a made-up quote every 30 seconds, in objects of 500 quotes. In the raw zone a question
reads every byte of the partitions of its sessions, whatever it asks, for the objects are compressed lines; so the raw
figures are measured by counting the lines of those partitions. The curated figures are those of include/sql/queries as
they are, on tables that were rolled up session by session and then compacted as the DAG does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import inf

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import market
from benchmarks.lakes import Lake, lake
from tapeline.lake.rollup import CURATED
from tapeline.market import sessions

FIRST, LAST = date(2026, 3, 2), date(2026, 3, 27)
PER_SYMBOL = 780
"""Quotes of a session: one every 30 seconds, the pace of the Yahoo source."""

TARGET_RATIO = 50
ONE = {"session": LAST}
ALL = {"first_session": FIRST, "last_session": LAST}


@dataclass(frozen=True)
class Question:
    """A query of a curated table, its parameters, and whether it asks about whole sessions or minutes of them."""

    name: str
    table: str
    values: Mapping[str, object]
    is_daily: bool = True

    @property
    def days(self) -> str:
        """The condition on the days that it is about."""
        first = self.values.get("session") or self.values["first_session"]
        return f"BETWEEN {{kind}} '{first}' AND {{kind}} '{LAST}'"


QUESTIONS = (
    Question("top_movers", "daily_summary", ONE),
    Question("opening_gaps", "daily_summary", ALL),
    Question("completeness", "daily_summary", ALL),
    Question("drawdown", "daily_summary", ALL),
    Question("return_correlation", "daily_summary", ALL),
    Question("feed_gaps", "minute_bars", ONE, is_daily=False),
    Question("intraday_vwap", "minute_bars", {**ONE, "symbol": "S000"}, is_daily=False),
    Question("realised_volatility", "minute_bars", ALL, is_daily=False),
)


def main() -> None:
    """Fill both, ask both; print bytes, files and ratios."""
    console = Console()
    days = [session.day for session in sessions.sessions_between(FIRST, LAST)]
    with lake() as found:
        objects = 0
        for day in track(days, "filling the raw zone", console=console):
            objects += found.fill(market.quotes(day, PER_SYMBOL))
        found.crawl()
        found.make_curated_tables()
        for day in track(days, "rolling up", console=console):
            roll_up(found, day)
        for table in CURATED:
            found.run(f"{table}/compact")
        shown = Table("question", "raw bytes", "files", "curated bytes", "files", "times fewer bytes")
        ratios = {True: inf, False: inf}
        for question in QUESTIONS:
            raw, raw_files = _raw(found, question)
            curated, curated_files = _curated(found, question)
            ratio = raw / curated
            ratios[question.is_daily] = min(ratios[question.is_daily], ratio)
            shown.add_row(
                question.name, f"{raw:,}", f"{raw_files:,}", f"{curated:,}", f"{curated_files:,}", f"{ratio:,.0f}"
            )
    console.print(f"{len(days)} sessions, {market.SYMBOLS} symbols, {objects:,} raw objects")
    console.print(shown)
    console.print(
        f"fewest: {ratios[True]:,.0f} times for questions about sessions (target: {TARGET_RATIO}), "
        f"{ratios[False]:,.0f} times for questions about minutes"
    )


def roll_up(found: Lake, day: date) -> None:
    """Stage a session and publish it, as the DAG does."""
    for step in ("stage_session", "replace_session"):
        for table in CURATED:
            found.run(f"{table}/{step}", session=day)


def _raw(found: Lake, question: Question) -> tuple[int, int]:
    """Return bytes and files of the raw partitions that a question is about."""
    condition = "dt " + question.days.format(kind="")
    finished, _ = found.execute(f"SELECT count(*) FROM stock_data_table WHERE {condition}")  # noqa: S608
    return finished.scanned_bytes, _files(found, "stock_data_table", condition)


def _curated(found: Lake, question: Question) -> tuple[int, int]:
    """Return the bytes that a question reads, and the files."""
    finished, rows = found.run(f"queries/{question.name}", **question.values)
    if not rows and question.name not in ("completeness", "feed_gaps"):  # whose subject is what is missing
        raise RuntimeError(f"{question.name} answered nothing")
    return finished.scanned_bytes, _files(found, question.table, "session " + question.days.format(kind="DATE"))


def _files(found: Lake, table: str, condition: str) -> int:
    [(number,)] = found.execute(f'SELECT count(DISTINCT "$path") FROM {table} WHERE {condition}')[1]  # noqa: S608
    return int(number)
