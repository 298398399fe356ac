"""Source `replay`: a file of bars becomes the quotes a feed would have sent."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from producer.bar_file import BadBarError, Bar, BarFile
from tapeline.market import sessions
from tapeline.market.dates import trading_date
from tapeline.market.quotes import Quote, QuoteRejectedError, parse_quote, write_timestamp
from tapeline.stream.source import Counters, Stop

SKIPPED_GAP_SECONDS = 3600.0
"""Longer pauses of the market (nights, weekends) are not waited for."""

LOGGED_ROWS = 20
"""Rejected and repeated rows named one by one; the rest are counted."""

log = logging.getLogger("producer.replay")


@dataclass(slots=True)
class _Day:
    """One symbol's trading date so far, USD and shares."""

    trading_date: date
    previous_close: Decimal
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    newest_microseconds: int
    session_close: Decimal
    """Of the last bar before the exchange closed, for the next date; the evening's prices are not in it."""


def read_speed(text: str) -> float | None:
    """Read ``max`` (None) or a factor such as ``60``; raise ValueError if it is neither."""
    if text == "max":
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"speed must be a number such as 60, or max, found {text!r}") from None


class ReplaySource:
    """Bars as quotes, in time order over all symbols.

    A bar gives one quote: its time is the bar's start as the file has it (unique per symbol and bar), its price the
    close; open, high, low and volume are the day's so far, a day being a date in New York. Previous close is the last
    close of the symbol's session before in the file; on its first date, for want of a better one, its first open.

    Parameters
    ----------
    path : Path
        See `BarFile`.
    speed : float or None
        How many times as fast as it happened; None sends as fast as the stream takes it. Pauses of over an hour are
        skipped.
    clock, now : callable
        Seconds that only grow; the present, aware, for `ingested_at`.

    Raises
    ------
    BarFileError
        If the file cannot be replayed.
    """

    def __init__(
        self,
        path: Path,
        speed: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if speed is not None and speed <= 0:
            raise ValueError(f"speed must be above 0, or max, found {speed}")
        self._file = BarFile(path)
        self._speed = speed
        self._clock = clock
        self._now = now
        self.total: int | None = self._file.row_count

    def quotes(self, counters: Counters, stop: Stop) -> Iterator[Quote]:
        """Yield a quote per bar; rows that are no bar are rejected, a symbol's second bar of one time is repeated."""
        days: dict[str, _Day] = {}
        report = _Report(counters)
        pace = _Pace(self._speed, self._clock)
        for row, bar in self._file.rows():
            if isinstance(bar, BadBarError):
                report.reject(row, bar)
                continue
            day = days.get(bar.symbol)
            if day and bar.start_microseconds == day.newest_microseconds:
                report.repeat(row, bar)
                continue
            today = _grow(day, bar)
            quote = _quote(bar, today, write_timestamp(self._now(), milliseconds=True))
            error = None if day else self._check(quote)
            if error:
                report.reject(row, error)
                continue
            if pace.wait(bar.start_microseconds, stop):
                return
            days[bar.symbol] = today
            counters.add(read=1)
            yield quote
        report.sum_up()

    def _check(self, quote: Quote) -> QuoteRejectedError | None:
        """Read a symbol's first quote as the other end of the stream will."""
        try:
            parse_quote(quote.to_json().encode(), self._now())
        except QuoteRejectedError as error:
            return error
        return None


class _Report:
    """Counts rows that give no quote, and names the first of them."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._rejected = self._repeated = 0

    def reject(self, row: int, error: Exception) -> None:
        self._counters.add(read=1, rejected=1)
        self._rejected += 1
        if self._rejected <= LOGGED_ROWS:
            log.error("Row %d is rejected: %s", row, error)

    def repeat(self, row: int, bar: Bar) -> None:
        self._counters.add(read=1, repeated=1)
        self._repeated += 1
        if self._repeated <= LOGGED_ROWS:
            moment = _timestamp(bar.start_microseconds)
            log.warning("Row %d repeats the bar of %s at %s: skipped", row, bar.symbol, moment)

    def sum_up(self) -> None:
        if self._rejected or self._repeated:
            log.warning("In all, %d rows were rejected and %d repeated a bar", self._rejected, self._repeated)


class _Pace:
    """Waits until a bar's turn has come."""

    def __init__(self, speed: float | None, clock: Callable[[], float]) -> None:
        self._speed = speed
        self._clock = clock
        self._turn = 0.0
        self._latest: int | None = None

    def wait(self, microseconds: int, stop: Stop) -> bool:
        """Return whether to stop."""
        if self._speed is None:
            return stop.is_set()
        if self._latest is None:
            self._turn = self._clock()
        else:
            gap = (microseconds - self._latest) / 1e6
            self._turn += gap / self._speed if gap <= SKIPPED_GAP_SECONDS else 0.0
        self._latest = microseconds
        return stop.wait(max(0.0, self._turn - self._clock()))


def _grow(day: _Day | None, bar: Bar) -> _Day:
    today = _trading_date_of_hour(bar.start_microseconds // 3_600_000_000)
    if day is None or day.trading_date != today:
        previous_close = day.session_close if day else bar.open
        figures = bar.open, bar.high, bar.low, bar.close, bar.volume
        return _Day(today, previous_close, *figures, bar.start_microseconds, bar.close)
    return _Day(
        today,
        day.previous_close,
        day.open,
        max(day.high, bar.high),
        min(day.low, bar.low),
        bar.close,
        day.volume + bar.volume,
        bar.start_microseconds,
        bar.close if bar.start_microseconds < _closing_microseconds(today) else day.session_close,
    )


def _quote(bar: Bar, day: _Day, ingested_at: str) -> Quote:
    prices = day.open, day.high, day.low, bar.close, day.previous_close
    return Quote(bar.symbol, _timestamp(bar.start_microseconds), *prices, day.volume, "replay", ingested_at)


@lru_cache(maxsize=1024)
def _trading_date_of_hour(hour: int) -> date:
    """Return the trading date of an hour since 1970; in New York a date begins on a full hour of UTC."""
    return trading_date(datetime.fromtimestamp(hour * 3600, UTC))


@lru_cache(maxsize=1024)
def _closing_microseconds(day: date) -> float:
    """Return when the exchange closes on a date, in microseconds since 1970; never on a date that it does not trade."""
    try:
        return sessions.session(day).closes_at.timestamp() * 1e6
    except sessions.NotASessionError:
        return math.inf


@lru_cache(maxsize=1024)
def _timestamp(microseconds: int) -> str:
    seconds, fraction = divmod(microseconds, 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=fraction)
    return write_timestamp(moment, milliseconds=fraction >= 1000)
