"""Indicators and trend sides; answers by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tapeline.market import indicators


def decimals(*numbers: object) -> list[Decimal]:
    return [Decimal(str(number)) for number in numbers]


@pytest.mark.parametrize(
    ("price", "previous_close", "percent"),
    [("105", "100", "5.00"), ("99.995", "100", "-0.01"), ("100.005", "100", "0.01"), ("1", "3", "-66.67")],
)
def test_change_percent_has_two_decimals_and_rounds_halves_away_from_zero(
    price: str, previous_close: str, percent: str
) -> None:
    assert indicators.change_percent(Decimal(price), Decimal(previous_close)) == Decimal(percent)


def test_the_moving_average_is_that_of_as_many_prices_as_there_are() -> None:
    assert indicators.moving_average(decimals(1, 2, 2), 20) == Decimal("1.666667")
    assert indicators.moving_average(decimals(9, 1, 2, 3, 4, 5), 5) == Decimal(3)


def test_there_is_no_side_before_twenty_prices() -> None:
    assert indicators.side(decimals(*range(19))) is None
    assert indicators.side(decimals(*range(20))) == "up"
    assert indicators.side(decimals(*range(20, 0, -1))) == "down"


def test_equal_averages_take_no_side_and_a_touch_is_no_cross() -> None:
    assert indicators.side(decimals(*[7] * 20)) is None
    assert not indicators.crossed("up", None)
    assert not indicators.crossed(None, "up")
    assert not indicators.crossed("up", "up")
    assert indicators.crossed("up", "down")
