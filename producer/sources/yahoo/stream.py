"""Source `yahoo-stream`: the quotes Yahoo's WebSocket pushes to its own pages.

A message rarely carries all a quote needs. Of what it leaves out counts what Yahoo said last of the day, in a message
or in a chart, which is fetched once per symbol and date. Nothing is made up: what Yahoo never said is 0, and so are a
high and a low that the price has left behind, until another chart comes, five minutes after the last at the earliest.
Previous close is, in this order, the message's own, price minus change, the chart's; where message and chart disagree,
the quote says so in `doubt`. Messages from before and after regular trading are left out: their change is from
another close.
"""

from __future__ import annotations

import json
import logging
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import yfinance
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from producer.sources.yahoo.answer import agree
from producer.sources.yahoo.chart import RateLimitedError, SymbolError, UnreachableError, YahooCharts, own_fault
from producer.sources.yahoo.circuit_breaker import CircuitBreaker
from producer.sources.yahoo.message import ZERO, UnreadableMessageError, decimal, decode, figure, minus_change, step
from tapeline.aws.backoff import pause
from tapeline.market import sessions
from tapeline.market.dates import trading_date
from tapeline.market.quotes import Quote, QuoteRejectedError, parse_quote, write_timestamp
from tapeline.stream.source import Counters, Stop

REGULAR_HOURS = 1  # PricingData.market_hours: 0 before, 1 regular, 2 after, 3 extended
SUBSCRIBE_AGAIN_SECONDS = 15.0
"""Yahoo's own page repeats its subscription this often; without, the stream dries up."""
CHART_AGAIN_SECONDS = 300.0
LONGEST_PAUSE_SECONDS = 300.0
LONGEST_PAUSE_AFTER_SILENCE_SECONDS = 20.0
"""Silence is usual at night, and the opening must not be slept through."""

MUTE_SECONDS = 180.0
"""Silence in New York's session, and inability to connect, that is reported as trouble."""

NO_CLOSE = "previous_close: neither message nor chart states one"

_OF_NEW_YORK = re.compile(r"[A-Z]{1,5}(-[A-Z]{1,2})?")
"""Yahoo spells what trades elsewhere, coins, currencies and futures with a suffix, and indices with a ^."""

log = logging.getLogger("producer.yahoo")


@dataclass(frozen=True, slots=True)
class _Day:
    """What Yahoo has stated of one symbol's trading date so far, USD and shares; 0 for what it has not.

    `previous_close` is of messages, `chart_close` and `chart_doubt` are of the chart.
    """

    trading_date: date
    open: Decimal = ZERO
    high: Decimal = ZERO
    low: Decimal = ZERO
    volume: int = 0
    previous_close: Decimal = ZERO
    chart_close: Decimal = ZERO
    chart_doubt: str = ""
    from_chart: bool = False


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
        self._logged = ""
        self._broken = ""
        self._trouble = ""
        self._quote_at = clock()
        self._of_new_york = any(_OF_NEW_YORK.fullmatch(symbol) for symbol in self._symbols)
        self._problems: dict[str, str] = {}

    def quotes(self, counters: Counters, stop: Stop) -> Iterator[Quote]:
        """Yield quotes until `stop` is set."""
        fruitless = 0
        while not stop.is_set():
            longest = LONGEST_PAUSE_AFTER_SILENCE_SECONDS
            try:
                with connect(self._url, open_timeout=10, close_timeout=1) as connection:
                    self._broken = ""
                    for frame in self._frames(connection, stop):
                        fruitless = 0
                        if quote := self._read(frame, counters):
                            self._quote_at, self._trouble = self._clock(), ""
                            self._say(f"Receiving quotes from {self._url}")
                            yield quote
            except (OSError, WebSocketException) as error:
                self._say(f"The stream broke off ({_reason(error)}): connecting again")
                self._broken = f"Yahoo's stream cannot be reached ({_reason(error)})"
                longest = LONGEST_PAUSE_SECONDS
            wait = pause(fruitless, self._first_pause_seconds, longest, self._random)
            fruitless += 1
            self._judge()
            stop.wait(wait)

    def trouble(self) -> str:
        """Return what keeps all quotes away, in words; empty if nothing does. Any thread may ask."""
        return self._trouble

    def _judge(self) -> None:
        """Look whether a silence is trouble: it is while New York trades, or when no connection comes about."""
        now, silent = self._now(), self._clock() - self._quote_at
        if silent < MUTE_SECONDS:
            return
        if self._broken:
            self._trouble = self._broken
        elif self._of_new_york and _seconds_open(now) >= MUTE_SECONDS:
            self._trouble = "connected to Yahoo's stream, but no quote comes"
        else:
            self._trouble = ""

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
            self._judge()
            if self._clock() - subscribed_at >= SUBSCRIBE_AGAIN_SECONDS:
                connection.send(subscription)
                subscribed_at = self._clock()

    def _read(self, frame: str | bytes, counters: Counters) -> Quote | None:
        symbol = "A message"
        try:
            message = decode(frame)
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
        except Exception as error:  # noqa: BLE001 - one message's trouble must not stop the others
            counters.add(read=1, rejected=1)
            self._note(symbol, f"rejected, {own_fault(error)}")
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
            today = trading_date(moment)
        except (OverflowError, OSError, ValueError):
            raise UnreadableMessageError(f"a message of time {milliseconds}") from None
        price = decimal(message["price"])
        before = self._day(symbol, today)
        own_high, own_low, own_close = (figure(message, name) for name in ("day_high", "day_low", "previous_close"))
        high, low = own_high or before.high, own_low or before.low
        by_change = minus_change(price, message)
        day = replace(
            before,
            open=figure(message, "open_price") or before.open,
            high=high if own_high or high >= price else ZERO,
            low=low if own_low or low <= price else ZERO,
            volume=max(0, int(message.get("day_volume", 0))) or before.volume,
            previous_close=own_close or by_change or before.previous_close,
        )
        previous_close, doubt = _previous_close(day, own_close, by_change, step(price, message))
        quote = Quote(
            symbol=symbol,
            timestamp=write_timestamp(moment, milliseconds=milliseconds % 1000 != 0),
            open=day.open,
            high=day.high,
            low=day.low,
            price=price,
            previous_close=previous_close,
            volume=day.volume,
            source="yahoo",
            ingested_at=write_timestamp(self._now(), milliseconds=True),
            doubt=doubt,
        )
        quote = parse_quote(quote.to_json().encode(), self._now())
        self._days[symbol] = day  # only now: a bad message leaves no trace in the day
        return quote

    def _day(self, symbol: str, today: date) -> _Day:
        """Return a symbol's day as it was before this message."""
        day = self._days.get(symbol)
        if day and today < day.trading_date:
            raise UnreadableMessageError(f"a message of {today}, after the first of {day.trading_date}")
        if not day or today > day.trading_date:
            day = _Day(today)
        if day.from_chart and day.high and day.low:
            return day
        if self._clock() >= self._ask_chart_at.get(symbol, 0.0):
            self._ask_chart_at[symbol] = self._clock() + CHART_AGAIN_SECONDS
            if quote := self._ask_chart(symbol, today):
                return replace(
                    day,
                    open=quote.open or day.open,
                    high=quote.high,
                    low=quote.low,
                    volume=max(quote.volume, day.volume),
                    chart_close=quote.previous_close,
                    chart_doubt=quote.doubt,
                    from_chart=True,
                )
        return day

    def _ask_chart(self, symbol: str, today: date) -> Quote | None:
        if not self._breaker.allows():
            return None
        try:
            quote = self._charts.fetch(symbol).quote
        except (RateLimitedError, UnreachableError) as error:
            self._breaker.failed(str(error))
            return None
        except SymbolError as error:
            log.warning("%s: %s; only messages tell of its day", symbol, error)
            return None
        self._breaker.succeeded()
        return quote if trading_date(quote.time) == today else None  # else it still shows the date before

    def _say(self, state: str) -> None:
        if state != self._logged:
            self._logged = state
            log.info("%s", state)

    def _note(self, symbol: str, problem: str) -> None:
        if self._problems.get(symbol) != problem:
            self._problems[symbol] = problem
            log.warning("%s: %s", symbol or "A message", problem)


def _seconds_open(now: datetime) -> float:
    """Return for how long New York's session has been open, 0 if it is not."""
    session = sessions.latest_session(now)
    return (now - session.opens_at).total_seconds() if now < session.closes_at else 0.0


def _previous_close(day: _Day, own: Decimal, by_change: Decimal, tick: Decimal) -> tuple[Decimal, str]:
    """Return the best previous close there is, 0 if there is none, and what is doubtful about it.

    The day has this message in it already. `own` is what the message states, `by_change` what its change means (0 if it
    does not say), `tick` the smallest step of the price.
    """
    by_messages = own or by_change or day.previous_close
    if own and by_change and not agree(own, by_change, tick):
        return own, f"previous_close: the message states {own:f}, its change means {by_change:f}"
    if not by_messages:
        return day.chart_close, day.chart_doubt or ("" if day.chart_close else NO_CLOSE)
    if not day.chart_close or day.chart_doubt:
        return by_messages, ""
    if not agree(by_messages, day.chart_close, tick):
        return by_messages, f"previous_close: the messages mean {by_messages:f}, the chart {day.chart_close:f}"
    return own or day.chart_close, ""


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionClosed) and error.rcvd:
        return f"closed by Yahoo, {error.rcvd.code}"
    return type(error).__name__
