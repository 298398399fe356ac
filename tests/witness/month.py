"""A month on a stack of the local AWS, rolled up: real bars where there are some, else simulated sessions."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path

from producer.replay import ReplaySource
from producer.simulated import SimulatedMarket
from tapeline.aws.clients import connect
from tapeline.deploy import stack
from tapeline.lake.rollup import CURATED
from tapeline.laptop.past_trading import PastTrading
from tapeline.market import sessions
from tapeline.market.dates import trading_date
from tapeline.market.quotes import Quote
from tapeline.stream.source import Counters
from tests.sql.lakes import AthenaLake, render, roll_up

FIRST, LAST = date(2026, 3, 2), date(2026, 3, 31)
"""The constants in include/sql lie within."""

_BARS = "yahoo_1m/2026-03_many_symbols.parquet"
_SYMBOLS = ("AAPL", "MSFT", "XOM", "NIO", "TSLA")
_QUOTES_AT_A_TIME = 5000


@dataclass(frozen=True, slots=True)
class Month:
    """The lake, its names, and where its quotes come from; `left` are the sessions that are not rolled up yet."""

    lake: AthenaLake
    database: str
    bucket: str
    sessions: tuple[str, ...]
    left: tuple[str, ...]
    origin: str


def make_month(left: int) -> Month:
    """Deploy the stack, put the quotes into the raw zone and roll all sessions up but the last so many."""
    folder = os.environ.get("TAPELINE_MARKET_DATA", "")
    bars = Path(folder) / _BARS
    found = bool(folder) and bars.exists()
    deployment = stack.deploy(connect("local"), {}, lambda progress: None)
    lake = AthenaLake(deployment)
    days = set()
    for _, batch in groupby(
        enumerate(_replayed(bars) if found else _simulated()), lambda pair: pair[0] // _QUOTES_AT_A_TIME
    ):
        dated = [(str(trading_date(quote.time)), quote) for _, quote in batch]
        days |= {day for day, _ in dated}
        lake.add(dated)
    keys = tuple(one.key for one in sessions.sessions_between(FIRST, LAST) if one.key in days)
    roll_up(lake, *keys[:-left])
    for table in CURATED:
        lake.run(render(f"{table}/clear_staging"))
    origin = "real minute bars of 43 symbols" if found else f"simulated quotes of {len(_SYMBOLS)} symbols"
    return Month(lake, deployment.outputs.database_name, deployment.outputs.bucket_name, keys, keys[-left:], origin)


def _replayed(bars: Path) -> Iterator[Quote]:
    return ReplaySource(bars, None).quotes(Counters(), threading.Event())


def _simulated() -> Iterator[Quote]:
    past = sessions.sessions_between(FIRST, LAST)
    trading = PastTrading(SimulatedMarket(_SYMBOLS), list(past), datetime(2026, 4, 1, 12, tzinfo=UTC))
    return trading.quotes(Counters(), threading.Event())
