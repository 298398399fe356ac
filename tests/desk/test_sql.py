"""What the desk asks of the curated tables."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from tests.sql.conftest import duck_lake  # noqa: F401 - a fixture
from tests.sql.lakes import DuckLake, Row, render


def bars(closes: list[float]) -> list[Row]:
    start = datetime(2026, 3, 12, 13, 30)
    return [
        {
            "session": date(2026, 3, 12),
            "symbol": "AAPL",
            "minute_utc": start + timedelta(minutes=number),
            "phase": "regular",
            **dict.fromkeys(("open_usd", "high_usd", "low_usd", "close_usd"), close),
            **dict.fromkeys(("volume_shares", "quotes", "late_quotes", "repeated_quotes"), 1),
            **dict.fromkeys(("turnover_usd", "previous_close_usd"), 1.0),
            **dict.fromkeys(("first_quote_utc", "last_quote_utc"), start),
        }
        for number, close in enumerate(closes)
    ]


def test_averages_of_closes_and_where_they_cross_after_twenty_bars() -> None:
    lake = DuckLake()
    # Falls from 100 to 81, then jumps: averages of 83 and 90.5 at the 20th bar, of 106 and 95.5 at the 21st.
    lake.insert("minute_bars", bars([*(100.0 - number for number in range(20)), 200.0]))
    found = lake.run(render("desk/candles", session="2026-03-12", symbol="AAPL"))
    averages = [(row["average_5_usd"], row["average_20_usd"]) for row in found]
    assert averages[1] == (99.5, 99.5)  # of as many as there are
    assert averages[19:] == [(83.0, 90.5), (106.0, 95.5)]
    assert [row["crossed"] for row in found] == [None] * 20 + ["trend_up"]
    assert lake.run(render("desk/candles", session="2026-03-12", symbol="XOM")) == []


def test_the_calendar_lists_the_newest_sessions_of_a_symbol_first(duck_lake: DuckLake) -> None:  # noqa: F811
    def listed(symbol: str, most: int = 520) -> list[str]:
        return [row["session"].isoformat() for row in duck_lake.run(render("desk/sessions", symbol=symbol, most=most))]

    assert listed("NIO", 1) == ["2025-11-28"]
    assert listed("AAPL", 2) == ["2025-11-28", "2025-11-26"]
    assert listed("GONE") == []
    assert set(listed("AAPL")) <= set(listed(""))
