"""Source `simulated`: a market that never closes, the same for everyone with the same seed.

Price and volume of a symbol are functions of seed, symbol and time alone. So a restart goes on where the market is now,
and a past session can be made at any time and fits the sessions around it.

Of one symbol and New York date: daily closes revert to the symbol's usual price; within the date the logarithm of the
price walks at random (a step every 5 s) and is bent to end at that date's close, which it keeps for the last minute.
News strikes at random times: the price jumps by 5.5 to 9 % and the jump fades by half every ten minutes, so the rule
``|change %| > 5`` trips now and then.
"""

from __future__ import annotations

import logging
import math
import time
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import Annotated

import typer

from producer.options import SymbolsOption, symbols_of
from tapeline.market.dates import NEW_YORK, trading_date
from tapeline.market.quotes import Quote, write_timestamp
from tapeline.stream.announcement import Announcement
from tapeline.stream.source import Counters, Source, Stop

STEP_SECONDS = 5
CLOSING_SECONDS = 60
DAILY_VOLATILITY = 0.015
REVERSION = 0.98
REMEMBERED_DAYS = 400
NEWS_PER_DAY = 8
NEWS_HALF_LIFE_SECONDS = 600
TOO_LATE_SECONDS = 60.0

# Usual price in USD and shares a day of companies that do not exist: an imagined price never passes for a real one, nor
# makes the quotes of a real symbol look late.
_USUAL = {
    "ACME.SIM": (255.0, 50e6),
    "BOLT.SIM": (400.0, 25e6),
    "CRUX.SIM": (180.0, 180e6),
    "DUNE.SIM": (210.0, 40e6),
    "ECHO.SIM": (300.0, 30e6),
    "FLUX.SIM": (640.0, 14e6),
    "GLOW.SIM": (390.0, 70e6),
    "HALO.SIM": (290.0, 9e6),
    "IRIS.SIM": (150.0, 16e6),
    "JADE.SIM": (125.0, 18e6),
    "KITE.SIM": (77.0, 15e6),
    "LUNA.SIM": (670.0, 75e6),
}
SIMULATED_SYMBOLS = tuple(_USUAL)
_SYMBOLS = ",".join(SIMULATED_SYMBOLS)

log = logging.getLogger("producer.simulated")


class SimulatedMarket:
    """Quotes of imagined trading in some symbols; those it does not know get a usual price of their own."""

    def __init__(self, symbols: Sequence[str] = SIMULATED_SYMBOLS, seed: int = 1) -> None:
        if not symbols:
            raise ValueError("a market needs at least one symbol")
        self.symbols = tuple(dict.fromkeys(symbols))
        self.seed = seed
        self._days: dict[str, _Day] = {}

    def quote(self, symbol: str, moment: float, ingested_at: datetime) -> Quote:
        """Return the quote of a symbol at a moment, seconds since 1970; cheap while a symbol's moments only grow."""
        day = self._days.get(symbol)
        if day is None or not day.covers(moment):
            day = self._days[symbol] = _Day(symbol, self.seed, trading_date(datetime.fromtimestamp(moment, UTC)))
        return day.quote(moment, ingested_at)


class SimulatedSource:
    """The simulated market as it goes on now, day and night.

    Parameters
    ----------
    every_seconds : float
        Time between two quotes of a symbol; the symbols take turns within it. Quote times lie on a fixed grid, in the
        future of the start, so that a restart never sends one again.
    clock : callable
        Seconds since 1970.
    """

    total: int | None = None

    def __init__(
        self, market: SimulatedMarket, every_seconds: float = 5.0, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._market = market
        self._turn_seconds = every_seconds / len(market.symbols)
        if every_seconds < 0.001:
            raise ValueError(f"quotes of a symbol lie at least a millisecond apart, found {every_seconds} s")
        self._clock = clock

    def quotes(self, counters: Counters, stop: Stop) -> Iterator[Quote]:
        """Yield each quote when its time has come; after a suspension or a blocked stream, go on with the present."""
        symbols = self._market.symbols
        turn = self._turn_at(self._clock())
        while not stop.wait(max(0.0, turn * self._turn_seconds - self._clock())):
            now = self._clock()
            if now - turn * self._turn_seconds > TOO_LATE_SECONDS:
                log.warning("Behind by %.0f s: skipping to the present", now - turn * self._turn_seconds)
                turn = self._turn_at(now)
                continue
            counters.add(read=1)
            moment = turn * self._turn_seconds
            yield self._market.quote(symbols[turn % len(symbols)], moment, datetime.fromtimestamp(now, UTC))
            turn += 1

    def _turn_at(self, now: float) -> int:
        return math.floor(now / self._turn_seconds) + 1


def open_simulated(
    symbols: SymbolsOption = _SYMBOLS,
    every: Annotated[float, typer.Option(help="Seconds between two quotes of a symbol.", min=0.001)] = 5.0,
    seed: Annotated[int, typer.Option(help="Another seed is another market.")] = 1,
) -> tuple[Source, Announcement]:
    """Invent trading, day and night, with a jump of over 5 % now and then."""
    market = SimulatedMarket(symbols_of(symbols), seed)
    return SimulatedSource(market, every), Announcement("simulated", market.symbols, every)


class _Day:
    """One symbol on one date in New York."""

    def __init__(self, symbol: str, seed: int, session: date) -> None:
        self._symbol = symbol
        self._start, self._end = _bounds(session)
        self._path = _path(symbol, seed, session, int(self._end - self._start) // STEP_SECONDS)
        random = Random(f"{seed} {symbol} {session} volume")  # noqa: S311 - a market, not a secret
        minutes = int(self._end - self._start) // 60
        shares = _usual(symbol)[1] * random.uniform(0.7, 1.4)
        busyness = [0.0, *accumulate(random.expovariate(1) for _ in range(minutes))]
        self._volumes = array("d", (shares * part / busyness[-1] for part in busyness))
        self._step = 0
        self._open = self._high = self._low = self._path[0]

    def covers(self, moment: float) -> bool:
        """Return whether a moment lies on this date and not before the last one quoted."""
        return self._start + self._step * STEP_SECONDS <= moment < self._end

    def quote(self, moment: float, ingested_at: datetime) -> Quote:
        """Return the quote at a moment; between two steps the logarithm of the price is a straight line."""
        step, part = divmod((moment - self._start) / STEP_SECONDS, 1)
        passed = self._path[self._step : int(step) + 1]
        self._step = int(step)
        self._high = max(self._high, *passed)
        self._low = min(self._low, *passed)
        before, after = self._path[self._step : self._step + 2]
        price = before + (after - before) * part
        minute, second = divmod(moment - self._start, 60)
        volume_before, volume_after = self._volumes[int(minute) : int(minute) + 2]
        return Quote(
            symbol=self._symbol,
            timestamp=write_timestamp(datetime.fromtimestamp(moment, UTC), milliseconds=moment % 1 >= 0.001),
            open=_usd(self._open),
            high=_usd(max(self._high, price)),
            low=_usd(min(self._low, price)),
            price=_usd(price),
            previous_close=_usd(self._path[0]),
            volume=int(volume_before + (volume_after - volume_before) * second / 60),
            source="simulated",
            ingested_at=write_timestamp(ingested_at, milliseconds=True),
        )


def _path(symbol: str, seed: int, session: date, steps: int) -> array[float]:
    """Return the logarithm of the price at each step of a date, both ends included."""
    random = Random(f"{seed} {symbol} {session} path")  # noqa: S311
    closing_step = steps - CLOSING_SECONDS // STEP_SECONDS
    first, last = _log_close(symbol, seed, session - timedelta(days=1)), _log_close(symbol, seed, session)
    volatility = DAILY_VOLATILITY / math.sqrt(steps)
    walk = [0.0, *accumulate(random.gauss(0, volatility) for _ in range(closing_step))]
    news = sorted(random.randrange(1, closing_step) for _ in range(NEWS_PER_DAY // 2 + random.randrange(NEWS_PER_DAY)))
    jumps = [random.choice((-1, 1)) * random.uniform(0.055, 0.09) for _ in news]
    fade = 0.5 ** (STEP_SECONDS / NEWS_HALF_LIFE_SECONDS)

    path = array("d")
    bend = (last - first - walk[-1]) / closing_step
    shock = 0.0
    for step in range(closing_step):
        shock = shock * fade + sum(jumps[bisect_right(news, step - 1) : bisect_right(news, step)])
        path.append(first + walk[step] + bend * step + shock)
    path.extend([last] * (steps - closing_step + 1))
    return path


@lru_cache(maxsize=10_000)
def _log_close(symbol: str, seed: int, session: date) -> float:
    """Return the logarithm of a date's closing price: its usual price and a fading memory of the days before."""
    drift = 0.0
    for days_ago in range(REMEMBERED_DAYS):
        day = session - timedelta(days=days_ago)
        drift += REVERSION**days_ago * Random(f"{seed} {symbol} {day} close").gauss(0, DAILY_VOLATILITY)  # noqa: S311
    return math.log(_usual(symbol)[0]) + drift


def _usual(symbol: str) -> tuple[float, float]:
    """Return usual price in USD and shares a day."""
    if symbol in _USUAL:
        return _USUAL[symbol]
    random = Random(symbol)  # noqa: S311
    return round(math.exp(random.uniform(3, 6)), 2), random.uniform(2e6, 40e6)


def _bounds(session: date) -> tuple[float, float]:
    """Return start and end of a date in New York, seconds since 1970: 23, 24 or 25 hours."""
    start, end = (
        datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).timestamp()
        for day in (session, session + timedelta(days=1))
    )
    return start, end


def _usd(log_price: float) -> Decimal:
    return Decimal(f"{math.exp(log_price):.2f}")
