"""Finished minutes: the same closes at any pace, and nothing of nights, gaps and halts."""

from __future__ import annotations

import math
import random

import pytest

from tapeline.market.alerting.minutes import WINDOW, Minutes, Trading, trading_of

TRADING = trading_of("2026-03-12")
OPEN = TRADING.opens


def after(quotes: list[tuple[float, float]], trading: Trading = TRADING) -> Minutes:
    minutes = Minutes(day=trading.day)
    for seconds, price in quotes:
        minutes = minutes.after(trading, trading.opens + seconds, price, 0)
    return minutes


@pytest.mark.parametrize("pace", [1, 5, 30, 60])
def test_closes_do_not_depend_on_how_often_quotes_come(pace: int) -> None:
    walk, price = random.Random(7), 100.0
    path = [price := price * math.exp(walk.gauss(0, 0.0005)) for _ in range(2 * 3600 + 1)]
    minutes = after([(seconds, path[seconds]) for seconds in range(0, 2 * 3600 + 1, pace)])
    assert minutes.closes == tuple(path[60 * number] for number in range(60, 121))
    assert minutes.finished == 119


def test_a_minute_is_finished_by_the_first_quote_at_or_after_its_end() -> None:
    assert after([(10, 1.0), (59.999, 2.0)]).closes == ()
    assert after([(10, 1.0), (60, 2.0)]).closes == (2.0,)
    assert after([(10, 1.0), (61, 2.0)]).closes == (1.0,)


def test_the_first_price_at_the_open_is_what_the_first_minute_moves_from() -> None:
    minutes = after([(0, 1.0), (60, 2.0)])
    assert (minutes.closes, minutes.finished) == ((1.0, 2.0), 0)


def test_the_close_finishes_the_last_minute_and_the_evening_is_none() -> None:
    last = TRADING.closes - OPEN
    assert after([(last - 30, 5.0), (last, 6.0)]).finished == 389
    late = after([(last - 30, 5.0), (last + 1, 9.0), (last + 900, 10.0)])
    assert (late.finished, late.closes) == (389, (5.0,))
    assert after([(-600, 4.0)]).closes == ()


def test_a_missing_minute_keeps_the_close_before() -> None:
    assert after([(0, 1.0), (60, 2.0), (180, 3.0)]).closes == (1.0, 2.0, 2.0, 3.0)


def test_a_halt_moves_nothing() -> None:
    before = [(60.0 * minute, 100.0 + minute % 2) for minute in range(30)]
    minutes = after([*before, (60.0 * 60, 50.0), (60.0 * 61, 50.0)])
    assert minutes.closes[-1] == 50.0
    assert minutes.closes[-3] == pytest.approx(50.0), "the jump over the halt is none"


def test_bars_of_five_minutes_are_no_gaps() -> None:
    minutes = after([(300.0 * number, 100.0 + number) for number in range(20)])
    assert minutes.closes[-6:] == (118.0, 118.0, 118.0, 118.0, 118.0, 119.0)


def test_a_night_begins_anew() -> None:
    minutes = after([(0, 1.0), (60, 2.0)])
    tomorrow = trading_of("2026-03-13")
    assert minutes.on(tomorrow.day).after(tomorrow, tomorrow.opens + 60, 9.0, 0).closes == (9.0,)


def test_no_more_is_kept_than_a_rule_may_look_back() -> None:
    minutes = after([(60.0 * number, float(number + 1)) for number in range(200)])
    assert len(minutes.closes) == WINDOW + 1 == len(minutes.volumes)


def test_a_day_without_trading_has_no_minutes() -> None:
    holiday = trading_of("2026-12-25")
    assert Minutes(day=holiday.day).after(holiday, OPEN, 1.0, 0).closes == ()
