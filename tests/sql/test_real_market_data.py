"""daily_summary against pandas, over real bars as `tapeline replay` sends them; needs TAPELINE_MARKET_DATA."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import groupby
from pathlib import Path

import pandas as pd
import pytest

from localaws.testing import running
from producer.replay import ReplaySource
from tapeline.aws.clients import connect
from tapeline.deploy import stack
from tapeline.market.dates import trading_date
from tapeline.market.quotes import Quote
from tapeline.stream.source import Counters
from tests.sql.lakes import AthenaLake, DuckLake, failed_checks, publish, roll_up, stage

FOLDER = os.environ.get("TAPELINE_MARKET_DATA", "")
HALF_DAY = "2025-12-24"
FILES = ["yahoo_1m/2026-03_many_symbols.parquet", "yahoo_5m/2025-12_2026-03_many_symbols.parquet"]

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not FOLDER, reason="TAPELINE_MARKET_DATA names no folder of market data"),
]


def quotes(bars: Path) -> Iterator[Quote]:
    """The quotes that `tapeline replay` sends for a file of bars."""
    return ReplaySource(bars, None).quotes(Counters(), threading.Event())


def in_duckdb(bars: Path, folder: Path) -> DuckLake:
    path = folder / "quotes.json"
    with path.open("w", encoding="utf-8") as file:
        for quote in quotes(bars):
            file.write(f'{quote.to_json()[:-1]}, "dt": "{trading_date(quote.time)}"}}\n')
    lake = DuckLake()
    columns = (
        "symbol: 'varchar', timestamp: 'varchar', open: 'double', high: 'double', low: 'double', price: 'double', "
    )
    columns += "previous_close: 'double', volume: 'bigint', source: 'varchar', ingested_at: 'varchar', dt: 'varchar'"
    lake.load(f"SELECT * FROM read_json('{path}', format = 'newline_delimited', columns = {{{columns}}})")
    return lake


@contextmanager
def on_athena(bars: Path, folder: Path) -> Iterator[AthenaLake]:
    with pytest.MonkeyPatch.context() as patch, running(folder) as local:
        patch.setenv("TAPELINE_HOME", str(local.folder))
        patch.setenv("TAPELINE_PORT", str(local.port))
        aws = connect("local")
        lake = AthenaLake(stack.deploy(aws, {}, lambda progress: None))
        for _, batch in groupby(enumerate(quotes(bars)), lambda numbered: numbered[0] // 5000):
            lake.add((str(trading_date(quote.time)), quote) for _, quote in batch)
        yield lake


def summed_up_by_pandas(bars: pd.DataFrame) -> pd.DataFrame:
    """Regular bars by session: 9:30 to 16:00 in New York, to 13:00 on the files' one half day.

    The previous close is what the replay says of it, the last bar of the date before that began before the close.
    """
    eastern = bars["timestamp"].dt.tz_convert("America/New_York")
    bars = bars.assign(session=eastern.dt.strftime("%Y-%m-%d"), time=eastern.dt.strftime("%H:%M"))
    bars["turnover"] = bars["close"] * bars["volume"]
    bars = bars.sort_values("timestamp")
    closing = bars["session"].map(lambda session: "13:00" if session == HALF_DAY else "16:00")
    last = bars[bars["time"] < closing].groupby(["symbol", "session"])["close"].last().groupby("symbol").shift()
    by_session = bars[(bars["time"] >= "09:30") & (bars["time"] < closing)].groupby(["symbol", "session"])
    summary = by_session.agg(
        open_usd=("open", "first"),
        high_usd=("high", "max"),
        low_usd=("low", "min"),
        close_usd=("close", "last"),
        volume_shares=("volume", "sum"),
        turnover=("turnover", "sum"),
        minutes_with_quotes=("close", "size"),
    )
    summary["vwap_usd"] = summary["turnover"] / summary["volume_shares"].where(summary["volume_shares"] > 0)
    summary["previous_close_usd"] = last.reindex(summary.index).fillna(summary["open_usd"])
    summary["change_pct"] = (summary["close_usd"] / summary["previous_close_usd"] - 1) * 100
    summary["expected_minutes"] = [210 if session == HALF_DAY else 390 for _, session in summary.index]
    summary["completeness_pct"] = (summary["minutes_with_quotes"] / summary["expected_minutes"] * 100).round(2)
    return summary.drop(columns="turnover")


@pytest.mark.parametrize("place", ["duckdb", "athena"])
@pytest.mark.parametrize("file", FILES)
def test_every_symbol_and_session_is_summed_up_as_pandas_does(file: str, place: str, tmp_path: Path) -> None:
    bars = Path(FOLDER) / file
    expected = summed_up_by_pandas(pd.read_parquet(bars))
    days = sorted({session for _, session in expected.index})
    with nullcontext(in_duckdb(bars, tmp_path)) if place == "duckdb" else on_athena(bars, tmp_path) as lake:
        roll_up(lake, *days)
        found = pd.DataFrame(lake.run("SELECT * FROM daily_summary"))
    found["session"] = found["session"].astype(str)
    found = found.set_index(["symbol", "session"]).sort_index()
    assert list(found.index) == list(expected.index)
    for name in expected.columns:
        relative, absolute = (0, 0.0051) if name == "change_pct" else (1e-9, 1e-9)
        pd.testing.assert_series_equal(found[name], expected[name], check_dtype=False, rtol=relative, atol=absolute)


def test_a_whole_session_of_real_quotes_passes_every_check(tmp_path: Path) -> None:
    lake = in_duckdb(Path(FOLDER) / FILES[0], tmp_path)
    stage(lake, "2026-03-12")
    assert failed_checks(lake, "2026-03-12") == set()
    publish(lake, "2026-03-12")
