"""What a condition may look at: one symbol at one moment, its finished minutes, and what is usual for it."""

from __future__ import annotations

import math
from operator import mul

from tapeline.market.alerting.baselines import Baseline
from tapeline.market.alerting.minutes import Minutes


class Look:
    """One symbol at one moment; averages are computed once for all rules.

    Attributes
    ----------
    price : float
        The price, USD: the quote's for conditions that look at every quote, else the newest finished close.
    change_percent : float or None
        The day's change so far, per cent; None if a figure of it is not believed.
    minutes : Minutes
        With the closes of finished minutes.
    baseline : Baseline or None
        None for a symbol that has none yet.
    """

    __slots__ = ("_means", "_moves", "baseline", "change_percent", "minutes", "price")

    def __init__(self, price: float, change_percent: float | None, minutes: Minutes, baseline: Baseline | None) -> None:
        self.price = price
        self.change_percent = change_percent
        self.minutes = minutes
        self.baseline = baseline
        self._means: dict[int, float] = {}
        self._moves: dict[tuple[int, int], float] = {}

    def close_before(self, minutes: int) -> float | None:
        """Return the close so many finished minutes before the newest, the session's first price if it is younger."""
        closes = self.minutes.closes
        if len(closes) > minutes:
            return closes[-minutes - 1]
        return closes[0] if len(closes) > 1 else None

    def usual_move(self, window: tuple[int, int]) -> float:
        """Return the usual movement over a window that ends with a minute and has so many; 0 if unknown."""
        if window not in self._moves:
            self._moves[window] = self.baseline.usual_move(*window) if self.baseline else 0.0
        return self._moves[window]

    def mean(self, minutes: int) -> float | None:
        """Return the mean of the last closes, None while there are fewer."""
        if minutes not in self._means:
            closes = self.minutes.closes
            if len(closes) < minutes:
                return None
            self._means[minutes] = sum(closes[-minutes:]) / minutes
        return self._means[minutes]

    def deviation(self, minutes: int) -> float | None:
        """Return the population standard deviation of the last closes, None while there are fewer."""
        mean = self.mean(minutes)
        if mean is None:
            return None
        last = [close - mean for close in self.minutes.closes[-minutes:]]
        return math.sqrt(sum(map(mul, last, last)) / minutes)
