"""Source `yahoo`: asks Yahoo for each symbol's quote again and again, gently."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from producer.sources.yahoo.answer import Market
from producer.sources.yahoo.chart import Chart, RateLimitedError, SymbolError, UnreachableError, YahooCharts, own_fault
from producer.sources.yahoo.circuit_breaker import CircuitBreaker
from tapeline.aws.backoff import pause
from tapeline.market import sessions
from tapeline.market.quotes import Quote
from tapeline.stream.source import Counters, Stop

CLOSED_SECONDS = 900.0
"""How often a closed market is looked at before it opens: corrections and the closing auction come late."""

LONGEST_SYMBOL_PAUSE_SECONDS = 900.0
UNREACHABLE_LIMIT = 3
LASTING_FAILURES = 2
"""In a row: one alone is not worth a report."""

UNREACHABLE_PAUSE_SECONDS = 120.0
"""At most: who cannot be reached is not burdened by trying, and the feed should not be long in coming back."""

ROUND_THE_CLOCK_SECONDS = 23 * 3600.0
"""A regular session of at least so long has no night: Yahoo names the next one some time after it has begun."""

log = logging.getLogger("producer.yahoo")


class YahooSource:
    """Polls; yields a quote only when the quote's own time has moved.

    A 429 stops all requests at once, for a minute at first, then longer (`CircuitBreaker`); so do three requests in a
    row without an answer. A symbol with trouble of its own is polled less and less often and named once, until the
    trouble changes. While a market is closed its symbols wait for the opening.

    Parameters
    ----------
    symbols : sequence of str
        Tickers as Yahoo spells them.
    every_seconds : float
        Time between two requests for a symbol while its market is open.
    clock : callable
        Seconds since 1970.
    """

    total: int | None = None

    def __init__(
        self,
        symbols: Sequence[str],
        charts: YahooCharts,
        every_seconds: float = 30.0,
        *,
        clock: Callable[[], float] = time.time,
        randomness: random.Random | None = None,
    ) -> None:
        self._charts = charts
        self._every_seconds = every_seconds
        self._clock = clock
        self._random = randomness or random.Random()  # noqa: S311 - jitter needs no secrecy
        self._breaker = CircuitBreaker("Yahoo", clock, self._random)
        self._due = dict.fromkeys(dict.fromkeys(symbols), 0.0)
        self._newest: dict[str, datetime] = {}
        self._problems: dict[str, str] = {}
        self._failures: dict[str, int] = {}
        self._market_states: dict[str, str] = {}
        self._unanswered = 0
        self._trouble = ""

    def quotes(self, counters: Counters, stop: Stop) -> Iterator[Quote]:
        """Yield new quotes until `stop` is set."""
        while not stop.is_set():
            for symbol in [symbol for symbol, due in self._due.items() if due <= self._clock()]:
                if stop.is_set() or not self._breaker.allows():
                    break
                chart = self._chart(symbol, counters)
                self._trouble = self._what_keeps_all_away()
                if chart and self._is_new(chart.quote, counters):
                    yield chart.quote
            next_moment = min(self._due.values())
            if self._breaker.state == "open":
                next_moment = max(next_moment, self._breaker.open_until)
            stop.wait(max(0.0, next_moment - self._clock()))

    def trouble(self) -> str:
        """Return what keeps all quotes away, in words; empty if nothing does. Any thread may ask."""
        return self._trouble

    def _what_keeps_all_away(self) -> str:
        if self._breaker.reason:
            return self._breaker.reason
        if all(self._failures.get(symbol, 0) >= LASTING_FAILURES for symbol in self._due):
            symbol, problem = next(iter(self._problems.items()))
            return f"no symbol gives a quote; {symbol}: {problem}"
        return ""

    def _chart(self, symbol: str, counters: Counters) -> Chart | None:
        try:
            return self._ask(symbol, counters)
        except Exception as error:  # noqa: BLE001 - one symbol's trouble must not stop the others
            self._answered()
            self._note_problem(symbol, own_fault(error))
            counters.add(read=1, rejected=1)
            return None

    def _ask(self, symbol: str, counters: Counters) -> Chart | None:
        try:
            chart = self._charts.fetch(symbol)
        except RateLimitedError as error:
            self._breaker.failed(str(error))
            return None
        except UnreachableError as error:
            self._unanswered += 1
            if self._unanswered >= UNREACHABLE_LIMIT or self._breaker.state == "half-open":
                self._breaker.failed(str(error), UNREACHABLE_PAUSE_SECONDS)
            else:
                self._note_problem(symbol, str(error))
            return None
        except SymbolError as error:
            self._answered()
            self._note_problem(symbol, str(error))
            counters.add(read=1, rejected=1)
            return None
        self._answered()
        wait = self._pause(chart.market)
        if self._problems.pop(symbol, None):
            log.info("%s: quotes come again", symbol)
        self._failures.pop(symbol, None)
        self._due[symbol] = self._clock() + wait
        return chart

    def _answered(self) -> None:
        self._unanswered = 0
        self._breaker.succeeded()

    def _is_new(self, quote: Quote, counters: Counters) -> bool:
        newest = self._newest.get(quote.symbol)
        if newest is not None and quote.time <= newest:
            counters.add(read=1, repeated=1)  # figures that Yahoo has revised since: it does not say which are final
            return False
        self._newest[quote.symbol] = quote.time
        counters.add(read=1)
        return True

    def _note_problem(self, symbol: str, problem: str) -> None:
        failures = self._failures[symbol] = self._failures.get(symbol, 0) + 1
        wait = pause(failures, self._every_seconds, LONGEST_SYMBOL_PAUSE_SECONDS, self._random)
        self._due[symbol] = self._clock() + max(self._every_seconds, wait)
        if self._problems.get(symbol) != problem:
            self._problems[symbol] = problem
            log.debug("%s", symbol, exc_info=True)
            log.warning("%s: %s. It is asked less often until that changes; the other symbols go on.", symbol, problem)

    def _pause(self, market: Market) -> float:
        """Log a market's state when it changes; return how long its symbols wait."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        if market.opens_at is None or market.closes_at is None or market.opens_at <= now < market.closes_at:
            self._say(market, "is open")
            return self._every_seconds
        if self._has_no_night(market, now):
            return self._every_seconds
        opens_at = market.opens_at if now < market.opens_at else _next_opening(market)
        self._say(market, f"is closed until {opens_at:%A %Y-%m-%d %H:%M %Z}" if opens_at else "is closed")
        if not self._newest:
            log.info(
                "The last quote of each symbol is sent at every start. If an earlier one sent it too and Yahoo has "
                "revised it since, the first stays (conflicting_quote): Yahoo does not say which figures are final"
            )
        if opens_at is None:
            return CLOSED_SECONDS
        return min(CLOSED_SECONDS, max((opens_at - now).total_seconds(), self._every_seconds))

    def _has_no_night(self, market: Market, now: datetime) -> bool:
        """Return whether a session that has just ended goes over into the next, as those of coins and currencies."""
        if market.opens_at is None or market.closes_at is None:
            return False
        length, since = market.closes_at - market.opens_at, now - market.closes_at
        return length.total_seconds() >= ROUND_THE_CLOCK_SECONDS and 0 <= since.total_seconds() < CLOSED_SECONDS

    def _say(self, market: Market, state: str) -> None:
        if self._market_states.get(market.name) != state:
            self._market_states[market.name] = state
            log.info("%s %s", market.name, state)


def _next_opening(market: Market) -> datetime | None:
    """Return when an exchange opens after the session Yahoo speaks of; Yahoo names no other.

    None if that is not known, as of a session in 1970, which Yahoo has not meant.
    """
    if market.name != sessions.NEW_YORK_STOCK_EXCHANGE or market.closes_at is None:
        return None
    try:
        opens_at = sessions.next_session(market.closes_at.date()).opens_at
    except sessions.NotASessionError:
        return None
    return opens_at.astimezone(market.closes_at.tzinfo)
