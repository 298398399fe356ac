"""Daily bars through the real yfinance from a local server that speaks Yahoo's format."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from producer.sources.yahoo.chart import RateLimitedError, UnreachableError, yahoo_session
from producer.sources.yahoo.history import YahooHistory
from tests.producer.market_data_server import AAPL, ChartServer, new_york

LISTING = replace(
    AAPL,
    time=new_york("2026-03-12 16:00"),
    high=260.0,
    low=257.5,
    price=259.25,
    volume=40_000_000,
    closes={date(2026, 3, 9): 255.0, date(2026, 3, 10): 256.5, date(2026, 3, 11): 257.25},
)


@pytest.fixture
def history(charts_server: ChartServer) -> YahooHistory:
    charts_server.answers = {"AAPL": LISTING}
    return YahooHistory(yahoo_session(charts_server.url), timeout_seconds=5)


def test_daily_bars_of_a_range_come_with_both_ends_and_prices_as_written(history: YahooHistory) -> None:
    bars = history.fetch("AAPL", date(2026, 3, 10), date(2026, 3, 12))
    assert [(bar.session.day, bar.close) for bar in bars] == [
        (10, Decimal("256.5")),
        (11, Decimal("257.25")),
        (12, Decimal("259.25")),
    ]
    assert (bars[-1].open, bars[-1].high, bars[-1].low, bars[-1].volume) == (
        Decimal("258.64"),
        Decimal("260.0"),
        Decimal("257.5"),
        40_000_000,
    )


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        ("429", RateLimitedError),
        ("hang up", UnreachableError),
        ("500", LookupError),
        ("delisted", LookupError),
        ("malformed", LookupError),
        ("no result", LookupError),
    ],
)
def test_each_trouble_is_the_symbols_own_or_everybodys(
    history: YahooHistory, charts_server: ChartServer, trouble: str, error: type[Exception]
) -> None:
    charts_server.answers["KO"] = trouble
    with pytest.raises(error):
        history.fetch("KO", date(2026, 3, 10), date(2026, 3, 12))
    assert history.fetch("AAPL", date(2026, 3, 12), date(2026, 3, 12))
