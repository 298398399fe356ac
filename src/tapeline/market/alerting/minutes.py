"""Finished minutes of one symbol's session: what trends, moves and volumes are judged on.

Minute k of a session is the time after ``open + k min`` up to and including ``open + (k + 1) min``, so that a price
at the full minute, as a bar's close or a poll each minute has it, is the close of the minute that ends there. A minute
is finished by the first quote at or after its end. How often quotes come makes no difference to its close.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from tapeline.market import trading_hours
from tapeline.market.dates import partition_of

WINDOW = 60
"""Minutes that are kept, beside the price before the first of them: the longest that a rule may look back."""

LONGEST_SPACING = 15
LEAST_GAP = 3
GAP_SPACINGS = 3
"""Minutes without a quote are a gap if they are more than 3, and more than 3 times what is usual for the symbol."""


@dataclass(frozen=True, slots=True)
class Trading:
    """Regular hours of one date, seconds since 1970; `opens` is `closes` on a day without trading."""

    day: str
    opens: float
    closes: float


def trading_on(timestamp: str) -> Trading:
    """Return the regular hours of the trading date that a contract timestamp belongs to."""
    return trading_of(partition_of(timestamp))


@lru_cache(maxsize=8192)
def trading_of(day: str) -> Trading:
    """Return the regular hours of a trading date, ``YYYY-MM-DD``."""
    hours = trading_hours.on(date.fromisoformat(day))
    if hours is None:
        return Trading(day, 0.0, 0.0)
    return Trading(day, hours.opens_at.timestamp(), hours.closes_at.timestamp())


class Minutes(NamedTuple):
    """The minutes of one symbol's session up to a quote.

    Attributes
    ----------
    day : str
        Trading date, ``YYYY-MM-DD``.
    minute : int
        Minute of the newest price; -1 at the very open, -2 before.
    price, volume : float, int
        The newest price that was believed in regular hours, USD, and the shares of the day up to it.
    finished : int
        The newest finished minute, as `minute` counts.
    closes : tuple of float
        Closes of the last finished minutes, oldest first, at most `WINDOW` and the one before them; of a minute
        without a quote the close before. Prices before a gap are scaled so that the jump over it is none.
    volumes : tuple of int
        Shares of the day at the end of each.
    spacing : float
        Usual minutes from one with a quote to the next.
    """

    day: str = ""
    minute: int = -2
    price: float = 0.0
    volume: int = 0
    finished: int = -2
    closes: tuple[float, ...] = ()
    volumes: tuple[int, ...] = ()
    spacing: float = 1.0

    def on(self, day: str) -> Minutes:
        """Return the minutes as a trading date begins: none; itself if that is the date it is of."""
        return self if self.day == day else Minutes(day=day, spacing=self.spacing)

    def after(self, trading: Trading, seconds: float, price: float, volume: int) -> Minutes:
        """Return the minutes after a believed price, of the same date.

        Parameters
        ----------
        seconds : float
            Time of the quote, since 1970, later than all before.
        volume : int
            Shares so far today; 0 if unknown or not believed.
        """
        if not trading.opens <= seconds <= trading.closes or not trading.opens:
            return self.at(trading, seconds)
        minute = -int(-(seconds - trading.opens) // 60) - 1
        volume = volume or self.volume
        is_end = seconds == trading.opens + 60 * (minute + 1)
        if minute == self.minute and not is_end:
            return Minutes(self.day, minute, price, volume, self.finished, self.closes, self.volumes, self.spacing)
        closes, volumes, finished, spacing = self.closes, self.volumes, self.finished, self.spacing
        if finished < self.minute < minute:
            closes, volumes, finished = (*closes, self.price), (*volumes, self.volume), self.minute
        if self.minute > -2 and minute > self.minute:
            missing = minute - self.minute - 1
            if missing >= max(LEAST_GAP, GAP_SPACINGS * spacing):
                scale = price / self.price
                closes = tuple([float(f"{close * scale:.9g}") for close in closes])
            elif missing:
                closes, volumes = closes + (self.price,) * missing, volumes + (self.volume,) * missing
            finished += missing
            spacing = round(spacing + (min(missing + 1, LONGEST_SPACING) - spacing) / 8, 3)
        if is_end:
            closes, volumes, finished = (*closes[-WINDOW:], price), (*volumes[-WINDOW:], volume), minute
        if len(closes) > WINDOW + 1:
            closes, volumes = closes[-WINDOW - 1 :], volumes[-WINDOW - 1 :]
        return Minutes(self.day, minute, price, volume, finished, closes, volumes, spacing)

    def revised(self, price: float | None) -> Minutes:
        """Return the minutes with another price in place of the newest; None if there is none to believe."""
        if self.minute < -1 or not self.price:
            return self
        if self.finished == self.minute:
            before = self.closes[-2] if len(self.closes) > 1 else self.price
            return self._replace(price=price or before, closes=(*self.closes[:-1], price or before))
        return self._replace(price=price or (self.closes[-1] if self.closes else self.price))

    def at(self, trading: Trading, seconds: float) -> Minutes:
        """Return the minutes as a moment without a price finds them: one that has ended is finished."""
        if self.finished < self.minute and seconds >= min(trading.closes, trading.opens + 60 * (self.minute + 1)):
            return self._replace(
                finished=self.minute,
                closes=(*self.closes[-WINDOW:], self.price),
                volumes=(*self.volumes[-WINDOW:], self.volume),
            )
        return self
