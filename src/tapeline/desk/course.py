"""The course of one symbol on one date, by the minute, gathered from the quotes in DynamoDB. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from tapeline.desk.models import Candle, Mark, Point
from tapeline.market.rules import SUSPECT, kind_named
from tapeline.market.suspicion import is_suspect
from tapeline.market.suspicion_words import verdict_words

MOST_COUNTED = 12
"""Quotes of a minute that are counted: beyond, candles of a minute have a body anyhow."""


def percent(value: float) -> str:
    """Return a change in per cent with its sign, as the page writes it.

    >>> percent(-6.2), percent(0.5)
    ('\u22126.20%', '+0.50%')
    """
    return f"{value:+.2f}%".replace("-", "\N{MINUS SIGN}")


def mark(at: int, kind: str, text: str) -> Mark:
    """Return a mark with the word and the colour of its kind."""
    words = kind_named(kind)
    return Mark(time=at, kind=kind, label=words.mark, tone=words.tone, text=text)


@dataclass(frozen=True, slots=True)
class Tick:
    """What a chart needs of one stored quote."""

    at: float  # seconds since 1970
    price: float  # USD
    volume: int  # shares traded so far that day; 0 says nothing
    moving_average: float | None  # as the stream computed them; None for a late quote
    moving_average_5: float | None
    change_percent: float | None  # of the previous close; None if one of the two is suspect
    alerts: tuple[str, ...] = ()  # kinds of alert that it raised
    suspect: tuple[str, ...] = ()  # figures that are not believed, as "figure:reason"
    doubt: str = ""  # what the source itself finds odd


@dataclass(slots=True)
class _Minute:
    first: Tick
    last: Tick
    high: float
    low: float
    averages: Tick | None
    least_volume: int
    most_volume: int
    times: set[float]


@dataclass(slots=True)
class Course:
    """Minutes of quotes that may come in any order and twice."""

    _alerts: dict[tuple[int, str], str] = field(default_factory=dict)
    _minutes: dict[int, _Minute] = field(default_factory=dict)
    _suspicions: dict[int, dict[str, int]] = field(default_factory=dict)

    def add(self, tick: Tick) -> None:
        """Take a quote into account; a suspect price is marked and shapes no minute."""
        for kind in tick.alerts:
            if kind != SUSPECT.name:
                change = f": {percent(tick.change_percent)}" if tick.change_percent else ""
                self._alerts[int(tick.at), kind] = kind_named(kind).event.format(change=change)
        if tick.suspect:
            words = self._suspicions.setdefault(_minute_of(tick.at), {})
            text = f"{SUSPECT.event}: {verdict_words(tick.suspect, tick.doubt)}"
            words[text] = min(int(tick.at), words.get(text, int(tick.at)))
        if not is_suspect(tick.suspect, "price"):
            self._shape(tick)

    def _shape(self, tick: Tick) -> None:
        start = _minute_of(tick.at)
        averages = tick if tick.moving_average is not None else None
        minute = self._minutes.get(start)
        if minute is None:
            least = tick.volume or 2**63
            minute = _Minute(tick, tick, tick.price, tick.price, averages, least, tick.volume, {tick.at})
            self._minutes[start] = minute
        if len(minute.times) < MOST_COUNTED:
            minute.times.add(tick.at)
        if tick.at < minute.first.at:
            minute.first = tick
        if tick.at >= minute.last.at:
            minute.last = tick
        if averages and (minute.averages is None or tick.at >= minute.averages.at):
            minute.averages = averages
        minute.high, minute.low = max(minute.high, tick.price), min(minute.low, tick.price)
        minute.least_volume = min(minute.least_volume, tick.volume or minute.least_volume)
        minute.most_volume = max(minute.most_volume, tick.volume)

    def marks(self) -> list[Mark]:
        """Return what happened, in order.

        What looks wrong in one minute after the other, as a previous close does all day, happened once.
        """
        events = [(at, kind, text) for (at, kind), text in self._alerts.items()]
        before: dict[str, int] = {}
        for minute in sorted(self._minutes.keys() | self._suspicions.keys()):
            now = self._suspicions.get(minute, {})
            events += [(at, SUSPECT.name, text) for text, at in now.items() if text not in before]
            before = now
        return [mark(at, kind, text) for at, kind, text in sorted(events)]

    def candles(self, opens_at: float | None = None) -> list[Candle]:
        """Return each minute with a quote.

        The day's volume is a counter: a minute's is what the counter grew by, nothing where it fell. The first minute
        has all that the counter says only if the session opens in it or later (`opens_at`, seconds since 1970): else
        most of that was traded before anybody looked. Of quotes at most `MOST_COUNTED` are counted.
        """
        candles: list[Candle] = []
        before: int | None = None
        for start, minute in sorted(self._minutes.items()):
            if before is None:
                seen_from_the_open = opens_at is not None and start <= opens_at
                before = 0 if seen_from_the_open else min(minute.least_volume, minute.most_volume)
            if 0 < 2 * minute.most_volume < before:
                before = 0  # the counter was reset
            volume = max(0, minute.most_volume - before)
            before = max(before, minute.most_volume)
            prices = minute.first.price, minute.high, minute.low, minute.last.price
            candles.append((start, *prices, volume, len(minute.times)))
        return candles

    def averages(self) -> tuple[list[Point], list[Point]]:
        """Return the moving averages over 20 and over 5 quotes at the end of each minute, as pairs of time and USD."""
        ends = [(start, minute.averages) for start, minute in sorted(self._minutes.items()) if minute.averages]
        longer = [(start, tick.moving_average) for start, tick in ends if tick.moving_average is not None]
        shorter = [(start, tick.moving_average_5) for start, tick in ends if tick.moving_average_5 is not None]
        return longer, shorter


def _minute_of(at: float) -> int:
    return int(at) // 60 * 60
