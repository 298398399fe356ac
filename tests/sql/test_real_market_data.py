"""daily_summary against pandas, over real bars replayed as quotes; needs TAPELINE_MARKET_DATA."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pandas as pd
import pytest

from producer.replay import ReplaySource
from producer.source import Counters
from tapeline.partitions import trading_date
from tests.sql.lakes import DuckLake, failed_checks, publish, roll_up, stage

FOLDER = os.environ.get("TAPELINE_MARKET_DATA", "")
HALF_DAY = "2025-12-24"
FILES = ["yahoo_1m/2026-03_many_symbols.parquet", "yahoo_5m/2025-12_2026-03_many_symbols.parquet"]

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not FOLDER, reason="TAPELINE_MARKET_DATA names no folder of market data"),
]


def replayed(bars: Path, folder: Path) -> DuckLake:
    """A lake with the quotes that `tapeline replay` sends for a file of bars."""
    path = folder / "quotes.json"
    with path.open("w", encoding="utf-8") as file:
        for quote in ReplaySource(bars, None).quotes(Counters(), threading.Event()):
            file.write(f'{quote.to_json()[:-1]}, "dt": "{trading_date(quote.time)}"}}\n')
    lake = DuckLake()
    columns = (
        "symbol: 'varchar', timestamp: 'varchar', open: 'double', high: 'double', low: 'double', price: 'double', "
    )
    columns += "previous_close: 'double', volume: 'bigint', source: 'varchar', ingested_at: 'varchar', dt: 'varchar'"
    lake.load(f"SELECT * FROM read_json('{path}', format = 'newline_delimited', columns = {{{columns}}})")
    return lake


def summed_up_by_pandas(bars: pd.DataFrame) -> pd.DataFrame:
    """Regular bars by session: 9:30 to 16:00 in New York, to 13:00 on the files' one half day.

    The previous close is what the replay says of it, the last bar of the date before, after the session or not.
    """
    eastern = bars["timestamp"].dt.tz_convert("America/New_York")
    bars = bars.assign(session=eastern.dt.strftime("%Y-%m-%d"), time=eastern.dt.strftime("%H:%M"))
    bars["turnover"] = bars["close"] * bars["volume"]
    bars = bars.sort_values("timestamp")
    last = bars.groupby(["symbol", "session"])["close"].last().groupby("symbol").shift()
    closing = bars["session"].map(lambda session: "13:00" if session == HALF_DAY else "16:00")
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


@pytest.mark.parametrize("file", FILES)
def test_every_symbol_and_session_is_summed_up_as_pandas_does(file: str, tmp_path: Path) -> None:
    bars = pd.read_parquet(Path(FOLDER) / file)
    expected = summed_up_by_pandas(bars)
    days = sorted({session for _, session in expected.index})
    lake = replayed(Path(FOLDER) / file, tmp_path)
    roll_up(lake, *days)

    found = pd.DataFrame(lake.run("SELECT * FROM daily_summary"))
    found["session"] = found["session"].astype(str)
    found = found.set_index(["symbol", "session"]).sort_index()
    assert list(found.index) == list(expected.index)
    for name in expected.columns:
        tolerance = {"atol": 0.0051} if name == "change_pct" else {"rtol": 1e-9}
        pd.testing.assert_series_equal(found[name], expected[name], check_dtype=False, **tolerance)


def test_a_whole_session_of_real_quotes_passes_every_check(tmp_path: Path) -> None:
    lake = replayed(Path(FOLDER) / FILES[0], tmp_path)
    stage(lake, "2026-03-12")
    assert failed_checks(lake, "2026-03-12") == set()
    publish(lake, "2026-03-12")
