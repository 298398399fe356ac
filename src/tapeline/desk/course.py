"""The course of one symbol on one date, by the minute, gathered from the quotes in DynamoDB. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MINUTE_SECONDS = 60

WORDS = {
    "price_move": "Moved far from the previous close",
    "band_break": "Left the band around its average",
    "trend_up": "5-quote average went over the 20-quote average",
    "trend_down": "5-quote average went under the 20-quote average",
}


@dataclass(frozen=True, slots=True)
class Tick:
    """What a chart needs of one stored quote.

    Attributes
    ----------
    at : float
        Its time, seconds since 1970.
    price : float
        USD.
    volume : int
        Shares traded so far that day; 0 says nothing.
    moving_average, moving_average_5 : float or None
        As the stream computed them; None for a late quote.
    change_percent : float
        Of the previous close.
    alerts : tuple of str
        The kinds of alert that it raised.
    """

    at: float
    price: float
    volume: int
    moving_average: float | None
    moving_average_5: float | None
    change_percent: float
    alerts: tuple[str, ...] = ()


@dataclass(slots=True)
class _Minute:
    first: Tick
    last: Tick
    high: float
    low: float
    averages: Tick | None
    least_volume: int
    most_volume: int


@dataclass(slots=True)
class Course:
    """Minutes of quotes that may come in any order and twice.

    Attributes
    ----------
    marks : dict
        Alerts by moment and kind.
    """

    marks: dict[tuple[int, str], str] = field(default_factory=dict)
    _minutes: dict[int, _Minute] = field(default_factory=dict)

    def add(self, tick: Tick) -> None:
        """Take a quote into account."""
        start = int(tick.at) // MINUTE_SECONDS * MINUTE_SECONDS
        averages = tick if tick.moving_average is not None else None
        minute = self._minutes.get(start)
        if minute is None:
            self._minutes[start] = _Minute(
                tick, tick, tick.price, tick.price, averages, tick.volume or 2**63, tick.volume
            )
        else:
            if tick.at < minute.first.at:
                minute.first = tick
            if tick.at >= minute.last.at:
                minute.last = tick
            if averages and (minute.averages is None or tick.at >= minute.averages.at):
                minute.averages = averages
            minute.high, minute.low = max(minute.high, tick.price), min(minute.low, tick.price)
            minute.least_volume = min(minute.least_volume, tick.volume or minute.least_volume)
            minute.most_volume = max(minute.most_volume, tick.volume)
        for kind in tick.alerts:
            change = f": {tick.change_percent:+.2f} %" if kind == "price_move" else ""
            self.marks[int(tick.at), kind] = WORDS.get(kind, kind) + change

    def candles(self, opens_at: float | None = None) -> list[list[float]]:
        """Return time, open, high, low, close (USD) and volume (shares) of each minute with a quote.

        The day's volume is a counter: a minute's is what the counter grew by, nothing where it fell. The first minute
        has all that the counter says only if the session opens in it or later (`opens_at`, seconds since 1970): else
        most of that was traded before anybody looked.
        """
        return list(self._candles(opens_at))

    def _candles(self, opens_at: float | None) -> Iterator[list[float]]:
        before: int | None = None
        for start, minute in sorted(self._minutes.items()):
            if before is None:
                seen_from_the_open = opens_at is not None and start <= opens_at
                before = 0 if seen_from_the_open else min(minute.least_volume, minute.most_volume)
            if 0 < 2 * minute.most_volume < before:
                before = 0  # the counter has started anew
            volume = max(0, minute.most_volume - before)
            before = max(before, minute.most_volume)
            yield [start, minute.first.price, minute.high, minute.low, minute.last.price, volume]

    def averages(self) -> tuple[list[list[float]], list[list[float]]]:
        """Return the moving averages over 20 and over 5 quotes at the end of each minute, as pairs of time and USD."""
        known = [(start, minute.averages) for start, minute in sorted(self._minutes.items()) if minute.averages]
        longer = [[start, tick.moving_average] for start, tick in known if tick.moving_average is not None]
        shorter = [[start, tick.moving_average_5] for start, tick in known if tick.moving_average_5 is not None]
        return longer, shorter
