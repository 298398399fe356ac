"""Source `yahoo-stream`: the quotes Yahoo's WebSocket pushes to its own pages.

A message rarely carries all a quote needs. What it leaves out is the day's so far: seeded once per symbol and date from
a chart, extended by every message since. Without a chart (Yahoo limits the rate, say) the day begins with the first
message seen, and the chart is asked for again every few minutes. Previous close is, in this order, the message's own,
the chart's, price minus change. Messages from before and after regular trading are left out: their change refers to
another close.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import yfinance
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect
from yfinance.pricing_pb2 import PricingData

from producer.circuit_breaker import CircuitBreaker
from producer.source import Counters, Stop
from producer.yahoo_chart import RateLimitedError, SymbolError, UnreachableError, YahooCharts
from tapeline.partitions import trading_date
from tapeline.quotes import Quote, QuoteRejectedError, parse_quote, write_timestamp

REGULAR_HOURS = 1  # PricingData.market_hours: 0 before, 1 regular, 2 after, 3 extended
SUBSCRIBE_AGAIN_SECONDS = 15.0
"""Yahoo's own page repeats its subscription this often; without, the stream dries up."""
CHART_AGAIN_SECONDS = 300.0
LONGEST_PAUSE_SECONDS = 300.0
LONGEST_PAUSE_AFTER_SILENCE_SECONDS = 20.0
"""Silence is usual at night, and the opening must not be slept through."""

log = logging.getLogger("producer.yahoo")


class UnreadableMessageError(ValueError):
    """A frame that is no pricing message, or one without a quote in it."""


@dataclass(frozen=True, slots=True)
class _Day:
    """One symbol's trading date so far, USD and shares."""

    trading_date: date
    open: Decimal
    high: Decimal
    low: Decimal
    volume: int
    previous_close: Decimal | None
    from_chart: bool


class YahooStreamSource:
    """Listens; reconnects with a fresh client after a drop or a silence, and subscribes again.

    Parameters
    ----------
    symbols : sequence of str
        Tickers as Yahoo spells them.
    charts : YahooCharts
        Asked once per symbol and date for what messages leave out.
    url : str
        The WebSocket; yfinance's by default.
    idle_seconds : float
        Silence after which the connection is taken for dead.
    first_pause_seconds : float
        Before the first reconnection; doubled each time nothing came, with jitter between half and all of it.
    clock, now : callable
        Seconds that only grow; the present, aware.
    """

    total: int | None = None

    def __init__(
        self,
        symbols: Sequence[str],
        charts: YahooCharts,
        url: str = "",
        *,
        idle_seconds: float = 60.0,
        first_pause_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        randomness: random.Random | None = None,
    ) -> None:
        self._symbols = frozenset(symbols)
        self._charts = charts
        self._url = url or yfinance.WebSocket(verbose=False).url
        self._idle_seconds = idle_seconds
        self._first_pause_seconds = first_pause_seconds
        self._clock = clock
        self._now = now
        self._random = randomness or random.Random()  # noqa: S311 - jitter needs no secrecy
        self._breaker = CircuitBreaker("Yahoo's charts", clock, self._random)
        self._days: dict[str, _Day] = {}
        self._ask_chart_at: dict[str, float] = {}
        self._said = ""
        self._problems: dict[str, str] = {}

    def quotes(self, counters: Counters, stop: Stop) -> Iterator[Quote]:
        """Yield quotes until `stop` is set."""
        fruitless = 0
        while not stop.is_set():
            longest = LONGEST_PAUSE_AFTER_SILENCE_SECONDS
            try:
                with connect(self._url, open_timeout=10, close_timeout=1) as connection:
                    for frame in self._frames(connection, stop):
                        fruitless = 0
                        quote = self._read(frame, counters)
                        if quote:
                            self._say(f"Receiving quotes from {self._url}")
                            yield quote
            except (OSError, WebSocketException) as error:
                self._say(f"The stream broke off ({_reason(error)}): connecting anew")
                longest = LONGEST_PAUSE_SECONDS
            pause = min(self._first_pause_seconds * 2 ** min(fruitless, 30), longest)
            fruitless += 1
            stop.wait(pause * self._random.uniform(0.5, 1))

    def _frames(self, connection: ClientConnection, stop: Stop) -> Iterator[str | bytes]:
        subscription = json.dumps({"subscribe": sorted(self._symbols)})
        connection.send(subscription)
        heard_at = subscribed_at = self._clock()
        while not stop.is_set():
            try:
                frame = connection.recv(timeout=min(1.0, self._idle_seconds))
            except TimeoutError:
                if self._clock() - heard_at >= self._idle_seconds:
                    self._say(f"No message for {self._idle_seconds:g} s, as is usual outside trading hours")
                    return
            else:
                heard_at = self._clock()
                yield frame
            if self._clock() - subscribed_at >= SUBSCRIBE_AGAIN_SECONDS:
                connection.send(subscription)
                subscribed_at = self._clock()

    def _read(self, frame: str | bytes, counters: Counters) -> Quote | None:
        symbol = "A message"
        try:
            message = _decode(frame)
            symbol = str(message.get("id", ""))
            if symbol not in self._symbols:
                return None
            if message.get("market_hours", 0) != REGULAR_HOURS:
                self._note(symbol, "outside regular trading; its messages are left out")
                return None
            quote = self._quote(symbol, message)
        except (UnreadableMessageError, QuoteRejectedError) as error:
            counters.add(read=1, rejected=1)
            self._note(symbol, f"rejected, {error}")
            return None
        counters.add(read=1)
        self._problems.pop(symbol, None)
        return quote

    def _quote(self, symbol: str, message: Mapping[str, Any]) -> Quote:
        if "time" not in message or "price" not in message:
            raise UnreadableMessageError("a message without time or price")
        milliseconds = int(message["time"])
        try:
            moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
        except (OverflowError, OSError, ValueError):
            raise UnreadableMessageError(f"a message of time {milliseconds}") from None
        price = _decimal(message["price"])
        before = self._day(symbol, trading_date(moment), price)
        day = replace(
            before,
            open=_decimal(message.get("open_price")) or before.open,
            high=max(before.high, price, _decimal(message.get("day_high"))),
            low=min(before.low, price, _decimal(message.get("day_low")) or price),
            volume=int(message.get("day_volume", 0)) or before.volume,
        )
        quote = Quote(
            symbol=symbol,
            timestamp=write_timestamp(moment, milliseconds=milliseconds % 1000 != 0),
            open=day.open,
            high=day.high,
            low=day.low,
            price=price,
            previous_close=_decimal(message.get("previous_close"))
            or day.previous_close
            or _minus_change(price, message),
            volume=day.volume,
            source="yahoo",
            ingested_at=write_timestamp(self._now(), milliseconds=True),
        )
        quote = parse_quote(quote.to_json().encode(), self._now())
        self._days[symbol] = day  # only now: a bad message leaves no trace in the day
        return quote

    def _day(self, symbol: str, today: date, price: Decimal) -> _Day:
        """Return a symbol's day before this message."""
        day = self._days.get(symbol)
        if day and today < day.trading_date:
            raise UnreadableMessageError(f"a message of {today}, after the first of {day.trading_date}")
        if day and today > day.trading_date:
            day = None
        if day and day.from_chart:
            return day
        if self._clock() >= self._ask_chart_at.get(symbol, 0.0):
            self._ask_chart_at[symbol] = self._clock() + CHART_AGAIN_SECONDS
            chart = self._ask_chart(symbol, today)
            if chart:
                return replace(chart, high=max(chart.high, day.high), low=min(chart.low, day.low)) if day else chart
        return day or _Day(today, price, price, price, 0, previous_close=None, from_chart=False)

    def _ask_chart(self, symbol: str, today: date) -> _Day | None:
        if not self._breaker.allows():
            return None
        try:
            quote = self._charts.fetch(symbol).quote
        except (RateLimitedError, UnreachableError) as error:
            self._breaker.failed(str(error))
            return None
        except SymbolError as error:
            log.warning("%s: %s; its day begins with the first message", symbol, error)
            return None
        self._breaker.succeeded()
        if trading_date(quote.time) != today:
            return None  # The chart still shows the date before.
        return _Day(today, quote.open, quote.high, quote.low, quote.volume, quote.previous_close, True)

    def _say(self, state: str) -> None:
        if state != self._said:
            self._said = state
            log.info("%s", state)

    def _note(self, symbol: str, problem: str) -> None:
        if self._problems.get(symbol) != problem:
            self._problems[symbol] = problem
            log.warning("%s: %s", symbol or "A message", problem)


def _decode(frame: str | bytes) -> dict[str, Any]:
    """Return the fields of a frame ``{"message": base64 of PricingData}``; floats in as few digits as mean them."""
    try:
        payload = base64.b64decode(json.loads(frame)["message"], validate=True)
        message: dict[str, Any] = MessageToDict(PricingData.FromString(payload), preserving_proto_field_name=True)
    except (ValueError, LookupError, TypeError, AttributeError, binascii.Error, DecodeError, RecursionError) as error:
        raise UnreadableMessageError(f"a message that cannot be read ({type(error).__name__})") from error
    return message


def _minus_change(price: Decimal, message: Mapping[str, Any]) -> Decimal:
    """Return price minus change, to the digits prices of this symbol have; a change left out is 0."""
    hint = int(message.get("price_hint", 0))
    digits = hint if 0 < hint <= 8 else 2 if price >= 1 else 4
    try:
        return round(price - _decimal(message.get("change")), digits)
    except InvalidOperation:
        raise UnreadableMessageError(f"a price of {price}") from None


def _decimal(number: object) -> Decimal:
    """Return a message's number; 0 stands for one left out, as in the format itself."""
    value = Decimal(str(number or 0))
    if not value.is_finite():
        raise UnreadableMessageError(f"a number that is not finite, {number}")
    return value


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionClosed) and error.rcvd:
        return f"closed by Yahoo, {error.rcvd.code}"
    return type(error).__name__
