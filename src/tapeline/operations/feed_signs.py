"""What speaks for a feed: what the producer says that it follows, and the newest quote of each symbol. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tapeline.market.quotes import read_timestamp
from tapeline.market.trading_hours import Hours

SIMULATED = "simulated"
SIMULATED_SILENCE = timedelta(seconds=60)
MARKET_SILENCE = timedelta(minutes=5)
"""How long a symbol may be silent: the simulated market never sleeps; a poll of a real one comes every 30 s in session,
but a quote only when its time moved."""

PACES_OF_SILENCE = 3
"""A producer that asks less often than that is missed after so many of its own paces."""

BEFORE_THE_OPEN = timedelta(minutes=30)
"""A quote from longer before the open is the session's before, though it came only now; others are late by 15 min."""

NOT_A_FEED = ("replay", "correction")
"""Sources whose quotes are no sign of life: a file, and a figure put right by hand."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What a producer says that it follows.

    Attributes
    ----------
    source : str
        ``yahoo``, ``yahoo-stream`` or ``simulated``.
    symbols : tuple of str
        What it was told to follow.
    every_seconds : float
        Its pace, 0 if it has none.
    started_at, said_at : datetime
        When it began to follow these, and when it said so last; aware.
    trouble : str
        What keeps it from its source, in its own words; empty if nothing.
    """

    source: str
    symbols: tuple[str, ...]
    every_seconds: float
    started_at: datetime
    said_at: datetime
    trouble: str = ""

    @property
    def never_sleeps(self) -> bool:
        """Whether its market has no closing time."""
        return self.source == SIMULATED

    @property
    def patience(self) -> timedelta:
        """How long a symbol of it may be silent."""
        base = SIMULATED_SILENCE if self.never_sleeps else MARKET_SILENCE
        return max(base, timedelta(seconds=PACES_OF_SILENCE * self.every_seconds))


@dataclass(frozen=True, slots=True)
class NewestQuote:
    """The newest quote of a symbol.

    Attributes
    ----------
    symbol : str
    timestamp, ingested_at : str
        Its own time and when the producer got it, UTC.
    price, change_percent : str
        USD and per cent of the previous close, as stored; the latter empty where it says nothing.
    source : str
        Where it came from.
    suspect : tuple of str
        Which of its figures are not believed and why, as ``price:far``.
    """

    symbol: str
    timestamp: str
    price: str
    change_percent: str
    source: str
    ingested_at: str
    suspect: tuple[str, ...] = ()

    def heard_at(self, now: datetime, hours: Hours | None) -> datetime:
        """Return when the feed gave this sign of life, no later than now.

        That is the quote's own time for a correction, and for a quote of the session before: a producer sends the last
        quote of each symbol at its start.

        Parameters
        ----------
        now : datetime
            Aware.
        hours : Hours or None
            The session that began last; None if it is not known or the market never sleeps.
        """
        own = read_timestamp(self.timestamp)
        is_old = hours is not None and own < hours.opens_at - BEFORE_THE_OPEN
        return min(own if is_old or self.source in NOT_A_FEED else read_timestamp(self.ingested_at), now)

    def age(self, now: datetime) -> timedelta:
        """Return how long ago it came in."""
        return max(timedelta(0), now - read_timestamp(self.ingested_at))
