"""The lake's SQL and the learner of bar files teach the same: sessions of made-up minutes, through both."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from tapeline.lake.baselines import from_rows
from tapeline.market.alerting.baselines import Baseline
from tapeline.market.alerting.learning import Learner
from tests.market.alerting.test_past import DAYS, Bar, bars
from tests.sql.lakes import DuckLake, Row, render


def minute_row(bar: Bar) -> Row:
    symbol, trading, end, close, _, _, volume = bar
    return {
        "session": date.fromisoformat(trading.day),
        "symbol": symbol,
        "minute_utc": datetime.fromtimestamp(end - 60, UTC).replace(tzinfo=None),
        "phase": "regular",
        "close_usd": close,
        "volume_shares": volume,
    }


def learnt(rows: list[Bar]) -> dict[str, Baseline | None]:
    learners: dict[str, Learner] = {}
    day, so_far = "", dict[str, int]()
    for symbol, trading, end, close, high, low, volume in rows:
        if trading.day != day:
            for learner in learners.values():
                learner.end_session()
            day, so_far = trading.day, {}
        so_far[symbol] = so_far.get(symbol, 0) + volume
        minute = int((end - trading.opens) // 60) - 1
        learners.setdefault(symbol, Learner()).add(minute, close, high, low, so_far[symbol])
    for learner in learners.values():
        learner.end_session()
    return {symbol: learner.baseline() for symbol, learner in learners.items()}


def summaries(rows: list[Bar]) -> list[Row]:
    found: dict[tuple[str, str], list[float]] = {}
    for symbol, trading, _, close, *_ in rows:
        found.setdefault((symbol, trading.day), []).append(close)
    made, closes = [], dict[str, float]()
    for (symbol, day), prices in found.items():
        before = closes.get(symbol)
        made.append(
            {
                "session": date.fromisoformat(day),
                "symbol": symbol,
                "high_usd": max(prices),
                "low_usd": min(prices),
                "close_usd": prices[-1],
                "previous_close_usd": before,
                "change_pct": None if before is None else (prices[-1] / before - 1) * 100,
            }
        )
        closes[symbol] = prices[-1]
    return made


def filled(rows: list[Bar], days: list[Row]) -> DuckLake:
    lake = DuckLake()
    lake.insert("minute_bars", [minute_row(row) for row in rows])
    lake.insert("daily_summary", days)
    return lake


@pytest.mark.parametrize("sessions", [4, 7, 24])
def test_sql_and_learner_agree(sessions: int) -> None:
    rows = [row for row in bars() if row[1].day in DAYS[:sessions] and row[2] % (120 if row[0] == "ACME" else 300) == 0]
    lake = filled(rows, summaries(rows))
    taught = from_rows(lake.run(render("rules/baselines", session=DAYS[sessions - 1])))
    wanted = {symbol: baseline for symbol, baseline in learnt(rows).items() if baseline}
    assert taught.keys() == wanted.keys()
    for symbol, baseline in wanted.items():
        assert taught[symbol].sessions == baseline.sessions
        for name in ("minute_move", "hour_move", "half_hour_volume", "day_move", "high_20", "low_20"):
            assert getattr(taught[symbol], name) == pytest.approx(getattr(baseline, name), rel=1e-9), (symbol, name)


def test_prices_of_before_a_split_are_in_the_shares_of_today() -> None:
    rows = [row for row in bars() if row[0] == "ACME" and row[1].day in DAYS[:20] and row[2] % 600 == 0]
    days = summaries(rows)
    plain = from_rows(filled(rows, days).run(render("rules/baselines", session=DAYS[19])))["ACME"]
    for day in days[:10]:
        names = ("high_usd", "low_usd", "close_usd", "previous_close_usd")
        day |= {name: day[name] * 4 for name in names if day[name]}
    split = from_rows(filled(rows, days).run(render("rules/baselines", session=DAYS[19])))["ACME"]
    assert (split.high_20, split.low_20) == pytest.approx((plain.high_20, plain.low_20))


def test_learning_is_of_the_days_before_and_that_one() -> None:
    rows = [row for row in bars() if row[0] == "ACME" and row[1].day in DAYS[:9] and row[2] % 600 == 0]
    lake = filled(rows, summaries(rows))
    early = from_rows(lake.run(render("rules/baselines", session=DAYS[6])))
    known = [row for row in rows if row[1].day <= DAYS[6]]
    late = from_rows(filled(known, summaries(known)).run(render("rules/baselines", session=DAYS[6])))
    assert early["ACME"].to_json() == late["ACME"].to_json()
