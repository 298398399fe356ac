"""Columns, values and parameters of a query as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite

from tapeline.market.dates import NEW_YORK

UNITS = {"usd": "US dollars", "pct": "per cent", "kb": "kB"}
UNITS |= {name: name for name in ("shares", "seconds", "minutes", "bytes")}
_WORDS = {
    "vwap": "VWAP",
    "annualised": "annualised volatility",
    "avg": "average",
    "max": "largest",
    "min": "smallest",
    "utc": "",
    "dt": "trading date",
}
MINUS = "−"


def is_known(value: object) -> bool:
    """Return whether a value can be shown: neither NULL nor infinite nor not a number."""
    return value is not None and isfinite(float(value))  # type: ignore[arg-type]


def words(column: str) -> str:
    """Return what a column holds, in words, without its unit.

    >>> words("upper_band_usd"), words("max_drawdown_pct"), words("vwap_usd"), words("minute_utc")
    ('upper band', 'largest drawdown', 'VWAP', 'minute')
    """
    *parts, last = column.split("_")
    kept = parts if parts and last in UNITS else [*parts, last]
    return " ".join(filter(None, (_WORDS.get(part, part) for part in kept)))


def unit(column: str) -> str:
    """Return the unit that a column's name ends in, in words, or nothing.

    >>> unit("vwap_usd"), unit("times_average")
    ('US dollars', '')
    """
    return UNITS.get(column.rpartition("_")[2], "")


def with_unit(column: str) -> str:
    """Return what a column holds and in what unit.

    >>> with_unit("gap_pct")
    'gap, per cent'
    """
    return ", ".join(filter(None, (words(column), unit(column))))


def value_words(value: object) -> str:
    """Return a value of a parameter or a label as a person reads it.

    >>> value_words(date(2026, 3, 12)), value_words(Decimal("2.0")), value_words("AAPL")
    ('Thu 12 Mar 2026', '2', 'AAPL')
    """
    if isinstance(value, datetime):
        return f"{local(value):%a %d %b %Y %H:%M}"
    if isinstance(value, date):
        return f"{value:%a} {value.day} {value:%b %Y}"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(value)


def number(value: float, decimals: int | None = None) -> str:
    """Return a number with thousands apart and a true minus sign.

    >>> number(-1234.5, 2), number(14906588.0), number(0.3), number(-0.001, 2)
    ('−1,234.50', '14,906,588', '0.3', '0.00')
    """
    form = f",.{decimals}f" if decimals is not None else ",.0f" if abs(value) >= 1000 else ",.4g"
    text = f"{value:{form}}"
    return text.replace("-", MINUS if text.strip("-0.") else "")


def digits(column: str, values: Iterable[float]) -> int:
    """Return how many decimals a column's values are shown with."""
    largest = max((abs(value) for value in values), default=0)
    return 0 if unit(column) in ("shares", "bytes") or largest >= 10_000 else 2


def local(moment: datetime) -> datetime:
    """Return a moment of a result, which is UTC's, in New York's time."""
    return moment.replace(tzinfo=UTC).astimezone(NEW_YORK)


def short(value: object) -> str:
    """Return a value as a label beside or below the drawing, a date without its year.

    >>> short(date(2026, 3, 12)), short("AAPL")
    ('12 Mar', 'AAPL')
    """
    return f"{value.day} {value:%b}" if isinstance(value, date) else str(value)
