"""Trend: on which side of its 20-price average the 5-price average lies, and when it crosses."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from tapeline.market.indicators import LONG_WINDOW, SHORT_WINDOW

Side = Literal["up", "down"]


def side(prices: Sequence[Decimal]) -> Side | None:
    """Return the side of the short average against the long one.

    None stands for warm-up, under 20 prices, and for equality. The sums are compared, exactly, so that no rounding can
    make a cross.

    Parameters
    ----------
    prices : sequence of Decimal
        The last prices of one symbol, oldest first, USD; those beyond 20 are not read.
    """
    if len(prices) < LONG_WINDOW:
        return None
    short_sum = sum(prices[-SHORT_WINDOW:], Decimal()) * (LONG_WINDOW // SHORT_WINDOW)
    long_sum = sum(prices[-LONG_WINDOW:], Decimal())
    if short_sum == long_sum:
        return None
    return "up" if short_sum > long_sum else "down"


def crossed(before: Side | None, now: Side | None) -> bool:
    """Tell whether the side changed. The first side after warm-up is no cross, nor is a touch."""
    return before is not None and now is not None and before != now
