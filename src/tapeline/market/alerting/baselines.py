"""Baselines: what is usual for one symbol, learnt by the lake from its earlier sessions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

SESSIONS = 20
LEAST_SESSIONS = 5
"""Earlier sessions that a baseline is the mean of, and the fewest that make one."""

LONG_SESSIONS = 252

MINUTES = 390
HOURS = 7
HALF_HOURS = 13
"""Parts of a regular session of 390 minutes, the last hour being of thirty."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is usual for one symbol.

    Attributes
    ----------
    sessions : int
        Earlier sessions it is made of.
    minute_move, hour_move : tuple of float
        By hour of the session, `HOURS` of them: mean of the absolute movement of a minute, and of the whole hour, as
        a share of the price (0.001 is 0.1 %); 0 where too few sessions had the hour.
    half_hour_volume : tuple of float
        By half hour of the session, `HALF_HOURS` of them: mean of the shares traded in it; 0 where unknown.
    day_move : float
        Mean of the absolute change from close to close, as a share.
    high_20, low_20, high_252, low_252 : float
        Highest and lowest price of as many sessions before, USD, in today's shares; 0 while there are fewer sessions.
    """

    sessions: int
    minute_move: tuple[float, ...]
    hour_move: tuple[float, ...]
    half_hour_volume: tuple[float, ...]
    day_move: float
    high_20: float = 0.0
    low_20: float = 0.0
    high_252: float = 0.0
    low_252: float = 0.0
    powers: tuple[float, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        lengths = [60] * (HOURS - 1) + [MINUTES - 60 * (HOURS - 1)]
        moves = zip(self.minute_move, self.hour_move, lengths, strict=True)
        powers = (math.log(whole / one) / math.log(length) if one and whole else 0.0 for one, whole, length in moves)
        object.__setattr__(self, "powers", tuple(powers))

    def usual_minute(self, minute: int) -> float:
        """Return the usual movement of one minute at a minute of the session, as a share; 0 if unknown."""
        return self.minute_move[minute // 60 if minute > 0 else 0]

    def usual_move(self, minute: int, minutes: int) -> float:
        """Return the usual movement over some minutes that end with a minute of the session, as a share; 0 if unknown.

        Between a minute and an hour it grows as a power of time, through both: ``minute_move * minutes ** p`` with
        ``p = log(hour_move / minute_move) / log(60)``. Minutes of two hours count by their squares.
        """
        start = minute + 1 - minutes if minute >= minutes else 0
        covered = minute + 1 - start
        if covered <= 0:
            return 0.0
        first, last = start // 60, minute // 60
        late = self.minute_move[last] * covered ** self.powers[last] if self.hour_move[last] else 0.0
        if first == last or not late:
            return late
        early = self.minute_move[first] * covered ** self.powers[first] if self.hour_move[first] else 0.0
        share = (60 * last - start) / covered
        return math.sqrt(share * early * early + (1 - share) * late * late) if early else 0.0

    def usual_volume(self, minute: int, minutes: int) -> float:
        """Return the usual shares of some minutes that end with a minute of the session; 0 if unknown."""
        end = minute + 1
        start = end - minutes if end > minutes else 0
        total = 0.0
        while start < end:
            half = start // 30
            stop = 30 * (half + 1)
            stop = end if end < stop else stop
            usual = self.half_hour_volume[half]
            if not usual:
                return 0.0
            total += usual * (stop - start) / 30
            start = stop
        return total

    def to_json(self) -> list[Any]:
        """Return the baseline as the stream reads it: numbers of few digits, in the order of the attributes."""
        rounded = [[float(f"{value:.5g}") for value in part] for part in self._parts]
        limits = [self.high_20, self.low_20, self.high_252, self.low_252]
        return [self.sessions, *rounded, float(f"{self.day_move:.5g}"), *limits]

    @classmethod
    def from_json(cls, values: Sequence[Any]) -> Baseline:
        """Read what `to_json` wrote."""
        sessions, minute, hour, volume, *rest = values
        return cls(sessions, tuple(minute), tuple(hour), tuple(volume), *rest)

    @property
    def _parts(self) -> tuple[tuple[float, ...], ...]:
        return self.minute_move, self.hour_move, self.half_hour_volume
