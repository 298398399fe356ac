"""What an answer of Yahoo's chart service says of one symbol, bent by nothing.

A figure that Yahoo left out is 0, which says nothing; none is made up. Previous close is the close of the session
before by the exchange's calendar, compared with the change that Yahoo itself states; where the two disagree, or nothing
but an older close is there, the quote says so in `doubt`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from tapeline.market import sessions
from tapeline.market.quotes import MAX_ABSOLUTE_USD, MAX_SHARES, Quote, write_timestamp

US_INSTRUMENTS = {"EQUITY", "ETF", "INDEX", "MUTUALFUND"}

NO_CLOSE = "previous_close: Yahoo states none, as on the first day of a listing"

ROUNDING = Decimal("0.0001")
"""A change in per cent comes in two decimals at least: half of the last one, twice; for a price that did not fall."""


class UnusableAnswerError(ValueError):
    """An answer that holds no quote; the message says what is missing, in words of the user's world."""


LEAST_USD = 1e-12
"""Yahoo has stated previous closes of almost nothing, such as 1e-45; no share, coin or currency is so cheap."""


@dataclass(frozen=True, slots=True)
class Market:
    """The regular hours of the exchange a symbol trades on, as Yahoo states them.

    Attributes
    ----------
    name : str
        Market identifier code of New York's exchange, else Yahoo's own name.
    opens_at, closes_at : datetime or None
        The current or next regular session, in the exchange's time; None if Yahoo does not say.
    """

    name: str
    opens_at: datetime | None
    closes_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Bar:
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    close: Decimal | None
    volume: int | None


def read_answer(answer: Any, symbol: str, ingested_at: str) -> tuple[Quote, Market]:
    """Read the JSON of ``/v8/finance/chart/SYMBOL?range=5d&interval=1d``, which came at `ingested_at`.

    Raises
    ------
    UnusableAnswerError
        If it has no price with its time, or Yahoo says itself why there is none.
    """
    result = _result(answer)
    about = result["meta"]
    zone = _zone(about)
    seconds, price = _number(about.get("regularMarketTime")), _number(about.get("regularMarketPrice"))
    if price is None:
        raise UnusableAnswerError("Yahoo left out the price")
    if seconds is None:
        raise UnusableAnswerError("Yahoo left out the time of the price")
    try:
        time = datetime.fromtimestamp(seconds, zone)
        timestamp = write_timestamp(time)
    except (OverflowError, OSError, ValueError):
        raise UnusableAnswerError(f"Yahoo states a time that is none, {seconds:g}") from None

    market = _market(about, zone)
    bars = _bars(result, zone)
    today = bars.get(time.date(), _Bar(None, None, None, None, None))
    split, in_new_york = _split(result, time, zone), market.name == sessions.NEW_YORK_STOCK_EXCHANGE
    previous_close, doubt = _previous_close(usd(price), about, time.date(), bars, split, in_new_york=in_new_york)
    quote = Quote(
        symbol=symbol,
        timestamp=timestamp,
        open=today.open or Decimal(0),
        high=_price(about.get("regularMarketDayHigh")) or today.high or Decimal(0),
        low=_price(about.get("regularMarketDayLow")) or today.low or Decimal(0),
        price=usd(price),
        previous_close=previous_close,
        volume=_shares(about.get("regularMarketVolume")) or today.volume or 0,
        source="yahoo",
        ingested_at=ingested_at,
        doubt=doubt,
    )
    for name in ("price", "open", "high", "low", "previous_close"):
        if (value := getattr(quote, name)) < 0:
            words = name.replace("_", " ")
            raise UnusableAnswerError(f"Yahoo's {words} is {value}: negative prices are not supported")
    return quote, market


def usd(value: float) -> Decimal:
    """Return a price as the exchange wrote it.

    Yahoo keeps many prices as 32-bit floats and sends them with the digits that come of it.

    >>> usd(258.6400146484375), usd(189.235), usd(0.1)
    (Decimal('258.64'), Decimal('189.235'), Decimal('0.1'))
    """
    with np.errstate(over="ignore"):
        single = np.float32(value)
    return Decimal(str(single) if float(single) == value else repr(float(value)))


def agree(one: Decimal, other: Decimal, tick: Decimal, rounding: Decimal = ROUNDING) -> bool:
    """Return whether two statements of one price differ by no more than their rounding."""
    return abs(one - other) <= max(abs(one), abs(other)) * rounding + tick


def tick_of(price: Decimal, price_hint: object) -> Decimal:
    """Return the smallest step of a price, by Yahoo's `priceHint`: its number of decimals."""
    digits = int(price_hint) if isinstance(price_hint, int) and 0 < price_hint <= 8 else 2 if price >= 1 else 4
    return Decimal(1).scaleb(-digits)


def _result(answer: Any) -> Mapping[str, Any]:
    chart = answer.get("chart", answer.get("finance")) if isinstance(answer, dict) else None
    if not isinstance(chart, dict):
        raise UnusableAnswerError("Yahoo's answer is no chart")
    if isinstance(error := chart.get("error"), dict):
        words = str(error.get("description") or error.get("code") or "no reason given")
        raise UnusableAnswerError(f"Yahoo has no prices: {_printable(words)}")
    results = chart.get("result")
    result = results[0] if isinstance(results, list) and results else None
    if not isinstance(result, dict) or not isinstance(result.get("meta"), dict):
        raise UnusableAnswerError("Yahoo's answer holds no quote")
    return result


def _zone(about: Mapping[str, Any]) -> ZoneInfo:
    name = about.get("exchangeTimezoneName")
    try:
        return ZoneInfo(str(name or ""))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        detail = f"Yahoo names no time zone of the exchange that is known, {_printable(str(name))}"
        raise UnusableAnswerError(detail) from None


def _market(about: Mapping[str, Any], zone: ZoneInfo) -> Market:
    is_us = zone.key == "America/New_York" and str(about.get("instrumentType")) in US_INSTRUMENTS
    stated = about.get("fullExchangeName") or about.get("exchangeName") or "The exchange"
    name = sessions.NEW_YORK_STOCK_EXCHANGE if is_us else str(stated)
    periods = about.get("currentTradingPeriod")
    regular = periods.get("regular") if isinstance(periods, dict) else None
    start, end = (_number(regular.get(key)) for key in ("start", "end")) if isinstance(regular, dict) else (None, None)
    try:
        opens_at, closes_at = (datetime.fromtimestamp(at, zone) if at else None for at in (start, end))
    except (OverflowError, OSError, ValueError):
        opens_at = closes_at = None
    return Market(_printable(name), opens_at, closes_at)


def _bars(result: Mapping[str, Any], zone: ZoneInfo) -> dict[date, _Bar]:
    """Return the daily bars by their dates; of two of one date the later, which is the live one."""
    times = result.get("timestamp")
    try:
        columns = result["indicators"]["quote"][0]
    except (LookupError, TypeError):
        columns = None
    if not isinstance(times, list) or not isinstance(columns, dict):
        return {}

    def cell(name: str, row: int) -> Any:
        column = columns.get(name)
        return column[row] if isinstance(column, list) and row < len(column) else None

    by_day: dict[date, tuple[float, _Bar]] = {}
    for row, stamp in enumerate(times):
        seconds = _number(stamp)
        if seconds is None:
            continue
        try:
            start = datetime.fromtimestamp(seconds, zone)
            day = start.date()
            if start.minute == 0 and start.hour >= 22:
                day += timedelta(days=1)  # Yahoo's midnight across a change of the clocks
        except (OverflowError, OSError, ValueError):
            continue
        if day not in by_day or by_day[day][0] <= seconds:
            opened, high, low, close = (_price(cell(name, row)) for name in ("open", "high", "low", "close"))
            by_day[day] = seconds, _Bar(opened, high, low, close, _shares(cell("volume", row)))
    return {day: bar for day, (_, bar) in by_day.items()}


def _split(result: Mapping[str, Any], time: datetime, zone: ZoneInfo) -> Decimal:
    """Return how many shares of today were one of yesterday; 1 without a split today."""
    events = result.get("events")
    splits = events.get("splits") if isinstance(events, dict) else None
    ratio = Decimal(1)
    for split in splits.values() if isinstance(splits, dict) else ():
        if not isinstance(split, dict):
            continue
        when, numerator, denominator = (_number(split.get(name)) for name in ("date", "numerator", "denominator"))
        try:
            is_today = when is not None and datetime.fromtimestamp(when, zone).date() == time.date()
        except (OverflowError, OSError, ValueError):
            continue
        if is_today and numerator and denominator and numerator > 0 and denominator > 0:
            ratio *= Decimal(repr(numerator)) / Decimal(repr(denominator))
    return ratio


def _previous_close(
    price: Decimal,
    about: Mapping[str, Any],
    today: date,
    bars: Mapping[date, _Bar],
    split: Decimal,
    *,
    in_new_york: bool,
) -> tuple[Decimal, str]:
    """Return the best previous close there is, 0 if there is none, and what is doubtful about it."""
    closes = {day: bar.close for day, bar in sorted(bars.items()) if day < today and bar.close}
    newest_day = max(closes, default=None)
    newest = closes[newest_day] if newest_day else None
    before_chart = _price(about.get("chartPreviousClose"))
    tick = tick_of(price, about.get("priceHint"))
    by_change = _by_change(price, about.get("regularMarketChangePercent"), tick)
    if not in_new_york:  # whose calendar is not used yet
        closed = newest or before_chart or by_change
        return closed or Decimal(0), "" if closed else NO_CLOSE

    day = _session_before(today)
    closed = closes.get(day)
    if not closed:
        if by_change:
            return by_change, ""
        missing = f"previous_close: the daily bar of {day} is missing"
        if newest:
            return newest, f"{missing}, {newest:f} is of {newest_day}"
        if before_chart:
            return before_chart, f"{missing}, {before_chart:f} is of a day unsaid"
        return Decimal(0), NO_CLOSE
    candidates = _adjusted(closed, split, price)
    if by_change:
        rounding = ROUNDING * max(Decimal(1), by_change / price)  # after a crash a hundredth of a per cent means more
        for candidate in candidates:
            if agree(candidate, by_change, tick, rounding):
                return candidate, ""
        doubt = f"the daily bar of {day} closes at {closed:f}, the change that Yahoo states means {by_change:f}"
    elif candidates[0] != closed:
        doubt = f"the daily bar of {day} closes at {closed:f}, not adjusted for today's split of {split:f} for 1"
    else:
        return closed, ""
    return candidates[0], f"previous_close: {doubt}"


def _session_before(today: date) -> date:
    try:
        return sessions.previous_session(today).day
    except (sessions.NotASessionError, OverflowError) as error:
        raise UnusableAnswerError(f"Yahoo states a time of {today}: {error}") from None


def _adjusted(closed: Decimal, split: Decimal, price: Decimal) -> list[Decimal]:
    """Return a close as stated and, on the day of a split, as the split makes it; the nearer to the price first."""
    after = Decimal(f"{closed / split:.8g}")
    if split == 1 or not after or price <= 0:
        return [closed]
    return sorted([closed, after], key=lambda value: max(value / price, price / value))


def _by_change(price: Decimal, percent: object, tick: Decimal) -> Decimal | None:
    """Return the previous close that a change in per cent means, in a price's digits; None for what no price can be."""
    number = _number(percent)
    if number is None or not 0 < price <= MAX_ABSOLUTE_USD or number <= -100:
        return None
    meant = price / (1 + Decimal(repr(number)) / 100)
    return (round(meant, -tick.adjusted()) or None) if meant <= MAX_ABSOLUTE_USD else None


def _price(value: object) -> Decimal | None:
    """Return a price; None for what no price can be, which is as good as left out."""
    number = _number(value)
    return usd(number) if number is not None and LEAST_USD <= abs(number) <= MAX_ABSOLUTE_USD else None


def _shares(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and 0 <= number < MAX_SHARES else None


def _number(value: object) -> float | None:
    """Return a finite number; None for everything else, as null, NaN or a text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)[:120]
