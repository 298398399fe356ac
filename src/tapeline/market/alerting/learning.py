"""Baselines learnt from a file of bars, session by session, as the lake's SQL learns them from minute bars."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from statistics import fmean

from tapeline.market.alerting.baselines import (
    HALF_HOURS,
    HOURS,
    LEAST_SESSIONS,
    LONG_SESSIONS,
    SESSIONS,
    Baseline,
)


class Learner:
    """One symbol's sessions so far; `baseline` is what they teach for the next."""

    def __init__(self) -> None:
        self._sessions: deque[_Session] = deque(maxlen=SESSIONS)
        self._ranges: deque[tuple[float, float]] = deque(maxlen=LONG_SESSIONS)
        self._moves: deque[float] = deque(maxlen=SESSIONS)
        self._close = 0.0
        self._today: list[tuple[int, float, int]] = []
        self._highs: list[float] = []
        self._lows: list[float] = []

    def add(self, minute: int, close: float, high: float, low: float, volume: int) -> None:
        """Add a bar that ends with a minute of the session; volume is the shares of the day up to it."""
        self._today.append((minute, close, volume))
        self._highs.append(high)
        self._lows.append(low)

    def end_session(self) -> None:
        """Take today among the sessions before."""
        if not self._today:
            return
        self._sessions.append(_Session(self._today))
        self._ranges.append((min(self._lows), max(self._highs)))
        close = self._today[-1][1]
        if self._close:
            self._moves.append(abs(close / self._close - 1))
        self._close, self._today, self._highs, self._lows = close, [], [], []

    def rescale(self, factor: float) -> None:
        """Put the prices and volumes of before into today's shares, as after a split; prices grew by a factor."""
        for session in self._sessions:
            session.volumes = [None if volume is None else volume / factor for volume in session.volumes]
        self._ranges = deque([(low * factor, high * factor) for low, high in self._ranges], maxlen=LONG_SESSIONS)
        self._close *= factor

    def baseline(self) -> Baseline | None:
        """Return what the sessions so far teach, None while there are fewer than `LEAST_SESSIONS`."""
        if len(self._sessions) < LEAST_SESSIONS:
            return None
        past = self._sessions
        ranges = list(self._ranges)
        recent = ranges[-SESSIONS:] if len(ranges) >= SESSIONS else []
        long = ranges if len(ranges) >= LONG_SESSIONS else []
        return Baseline(
            sessions=len(past),
            minute_move=tuple(_usual([session.minute_moves[hour] for session in past]) for hour in range(HOURS)),
            hour_move=tuple(_usual([session.hour_moves[hour] for session in past]) for hour in range(HOURS)),
            half_hour_volume=tuple(_usual([session.volumes[half] for session in past]) for half in range(HALF_HOURS)),
            day_move=_usual(list(self._moves)),
            high_20=max((high for _, high in recent), default=0.0),
            low_20=min((low for low, _ in recent), default=0.0),
            high_252=max((high for _, high in long), default=0.0),
            low_252=min((low for low, _ in long), default=0.0),
        )


class _Session:
    """What one session says: of each part its movement or volume, None where it has none."""

    def __init__(self, bars: Sequence[tuple[int, float, int]]) -> None:
        self.minute_moves: list[float | None] = [None] * HOURS
        self.hour_moves: list[float | None] = [None] * HOURS
        self.volumes: list[float | None] = [None] * HALF_HOURS
        moves: list[list[float]] = [[] for _ in range(HOURS)]
        first: list[float] = [0.0] * HOURS
        last: list[float] = [0.0] * HOURS
        before = None
        volumes = [0] * (HALF_HOURS + 1)
        for minute, close, volume in bars:
            hour = minute // 60
            if before is not None:
                moves[hour].append(abs(close / before[1] - 1) / (minute - before[0]) ** 0.5)
            first[hour] = first[hour] or (before[1] if before is not None else close)
            last[hour] = close
            volumes[minute // 30 + 1] = volume
            before = minute, close
        for hour in range(HOURS):
            if moves[hour]:
                self.minute_moves[hour] = fmean(moves[hour])
            if first[hour]:
                self.hour_moves[hour] = abs(last[hour] / first[hour] - 1)
        so_far = 0
        for half in range(HALF_HOURS):
            if volumes[half + 1]:
                self.volumes[half], so_far = volumes[half + 1] - so_far, volumes[half + 1]


def _usual(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) >= LEAST_SESSIONS else 0.0
