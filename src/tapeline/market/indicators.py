"""What is computed of prices, in exact decimals: change, change per cent, simple moving averages and their trend."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Literal

Side = Literal["up", "down"]

SHORT_WINDOW = 5
LONG_WINDOW = 20
"""Prices in the two averages. The long one is the contract's `moving_average`."""

_CENTS_OF_A_PERCENT = Decimal("0.01")
_AVERAGE_STEP = Decimal("0.000001")
_EXACT = Context(prec=38)
"""As many digits as DynamoDB keeps."""


def change(price: Decimal, previous_close: Decimal) -> Decimal:
    """Return the change since the previous close, USD, exact to the 38 digits that DynamoDB keeps."""
    return _EXACT.subtract(price, previous_close)


@lru_cache(maxsize=16)  # a quote's is asked for by its item, its anomaly and the rules
def change_percent(price: Decimal, previous_close: Decimal) -> Decimal:
    """Return the change in per cent of the previous close, two decimals, halves away from zero as SQL's `round` does.

    >>> change_percent(Decimal("103.455"), Decimal("100"))
    Decimal('3.46')
    """
    return (change(price, previous_close) * 100 / previous_close).quantize(_CENTS_OF_A_PERCENT, ROUND_HALF_UP)


def moving_average(prices: Sequence[Decimal], window: int) -> Decimal:
    """Return the simple moving average: the mean of the last `window` prices, of as many as there are at the start.

    Prices are USD, oldest first, at least one; the mean has six decimals, halves away from zero.
    """
    last = prices[-window:]
    return (sum(last, Decimal()) / len(last)).quantize(_AVERAGE_STEP, ROUND_HALF_UP)


def side(prices: Sequence[Decimal]) -> Side | None:
    """Return on which side of the long average the short one lies; prices are USD, oldest first.

    None stands for warm-up, under 20 prices, and for equality. The sums are compared, exactly, so that no rounding can
    make a cross.
    """
    if len(prices) < LONG_WINDOW:
        return None
    short_sum = sum(prices[-SHORT_WINDOW:], Decimal()) * (LONG_WINDOW // SHORT_WINDOW)
    long_sum = sum(prices[-LONG_WINDOW:], Decimal())
    if short_sum == long_sum:
        return None
    return "up" if short_sum > long_sum else "down"


def crossed(before: Side | None, now: Side | None) -> bool:
    """Return whether the side changed. The first side after warm-up is no cross, nor is a touch."""
    return before is not None and now is not None and before != now
