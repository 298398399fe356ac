"""Rules over the past: no look ahead, no look at what no market makes, and messages within the budget."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tapeline.market import sessions
from tapeline.market.alerting.budget import messages
from tapeline.market.alerting.files import read_files
from tapeline.market.alerting.minutes import Trading, trading_of
from tapeline.market.alerting.past import Past, PastAlert

RULES = read_files([Path(__file__).parents[3] / "include" / "rules"]).rules
DAYS = [day.key for day in sessions.sessions_between(date(2026, 2, 2), date(2026, 3, 12))]

Bar = tuple[str, Trading, float, float, float, float, int]


def bars(seed: int = 1, symbols: tuple[str, ...] = ("ACME", "BOLT")) -> Iterator[Bar]:
    """Yield minute bars of made-up sessions with an unusual hour now and then."""
    walk = random.Random(seed)
    prices = dict.fromkeys(symbols, 100.0)
    for day in DAYS:
        trading = trading_of(day)
        wild = {symbol: walk.randrange(12) for symbol in symbols}
        for minute in range(390):
            for symbol in symbols:
                sigma = 0.004 if minute // 60 == wild[symbol] else 0.0007
                prices[symbol] *= math.exp(walk.gauss(0, sigma))
                price = round(prices[symbol], 4)
                yield symbol, trading, trading.opens + 60 * (minute + 1), price, price, price, 1000


def run(rows: list[Bar]) -> Past:
    past = Past(RULES)
    for row in rows:
        past.bar(*row)
    past.finish()
    return past


def seen(alert: PastAlert) -> tuple[object, ...]:
    return alert.symbol, alert.seconds, alert.rule, alert.way, alert.price, alert.fact


def test_the_past_stays_as_it_was_when_the_future_is_cut_off() -> None:
    rows = list(bars())
    whole = run(rows).alerts
    assert len({alert.rule for alert in whole}) >= 3
    for share in (0.3, 0.55, 0.8, 0.95):
        cut = rows[: int(len(rows) * share)]
        end = cut[-1][2]
        assert [seen(alert) for alert in run(cut[:-1]).alerts if alert.seconds < end] == [
            seen(alert) for alert in whole if alert.seconds < end
        ]


def test_symbols_do_not_depend_on_each_other() -> None:
    rows = list(bars())
    alone = run([row for row in rows if row[0] == "BOLT"]).alerts
    assert [seen(alert) for alert in run(rows).alerts if alert.symbol == "BOLT"] == [seen(alert) for alert in alone]


def test_one_bar_that_no_market_makes_changes_no_alert() -> None:
    rows = [row for row in bars() if row[0] == "ACME"]
    place = len(rows) // 2 + 100
    symbol, trading, end, price, *_ = rows[place]
    spoilt = [*rows[:place], (symbol, trading, end, price * 3, price * 3, price, 1000), *rows[place + 1 :]]
    past = run(spoilt)
    assert past.suspect_bars == 1
    assert {alert.seconds for alert in past.alerts} - {alert.seconds for alert in run(rows).alerts} == set()


def test_a_split_is_no_alert() -> None:
    rows = [row for row in bars() if row[0] == "ACME"]
    day = DAYS[-1]
    split = [row if row[1].day != day else (*row[:3], row[3] / 4, row[4] / 4, row[5] / 4, row[6] * 4) for row in rows]
    found, plain = (
        {(alert.seconds, alert.rule) for alert in run(of).alerts if alert.rule != "price_move"} for of in (split, rows)
    )
    assert found == plain
    assert not [alert for alert in run(split).alerts if alert.rule == "price_move" and alert.day == day]


def test_quotes_and_bars_of_the_same_prices_give_the_same_alerts() -> None:
    rows = list(bars())
    by_quotes = Past(RULES)
    so_far: dict[tuple[str, str], int] = {}
    closes: dict[str, float] = {}
    before: dict[tuple[str, str], float | None] = {}
    for symbol, trading, end, close, _, _, volume in rows:
        day = symbol, trading.day
        previous = before.setdefault(day, closes.get(symbol))
        so_far[day] = so_far.get(day, 0) + volume
        change = None if previous is None else round((close / previous - 1) * 100, 2)
        by_quotes.quote(symbol, trading, end, close, change, so_far[day])
        closes[symbol] = close
    by_quotes.finish()
    assert [seen(alert) for alert in by_quotes.alerts] == [seen(alert) for alert in run(rows).alerts]


def test_figures_of_a_run() -> None:
    figures = run(list(bars())).summary()
    assert (figures["sessions"], figures["symbols"]) == (len(DAYS), 2)
    assert figures["symbol_sessions_without_baseline"] == 10
    assert figures["per_symbol_session"] == pytest.approx(len(figures["alerts"]) / figures["symbol_sessions"], abs=1e-3)
    assert figures["unusual_hours_with_alert_pct"] > 90
    assert set(figures["alerts"][0]) >= {"symbol", "time", "rule", "kind", "price", "after"}


def test_a_reader_gets_no_more_than_the_budget_and_loses_nothing() -> None:
    alerts = [(float(second), False) for second in range(0, 7200, 40)]
    sent = messages(alerts)
    assert sum(count for _, count in sent) == len(alerts)
    times = [moment for moment, _ in sent]
    assert max(sum(start <= moment < start + 3600 for moment in times) for start in times) == 6
    assert messages([(0.0, False), (1.0, True)]) == [(1.0, 2)], "a critical one leaves at once, with what waits"
    assert messages([]) == []
