"""Figures, dates and names as a person writes them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from tapeline.market.dates import NEW_YORK

NONE = "none"


def percent(number: Decimal | None) -> str:
    """Return a change with its sign.

    >>> percent(Decimal("1.50")), percent(Decimal("-7.00")), percent(Decimal("0.00")), percent(None)
    ('+1.50%', '-7.00%', '0.00%', '-')
    """
    if number is None:
        return "-"
    return f"{number:+.2f}%" if number else "0.00%"


def usd(number: Decimal) -> str:
    """Return an amount, below a dollar with four decimals.

    >>> usd(Decimal("1234.5")), usd(Decimal("0.0123"))
    ('$1,234.50', '$0.0123')
    """
    return f"${number:,.2f}" if abs(number) >= 1 else f"${number:.4f}"


def written_day(session: date) -> str:
    """Return a date as a person writes it, such as ``Fri 28 Nov 2025``."""
    return f"{session:%a} {session.day} {session:%b %Y}"


def clock(moment: datetime) -> str:
    """Return the time of day in New York."""
    return f"{moment.astimezone(NEW_YORK):%H:%M}"


def length(seconds: int) -> str:
    """Return a length of time.

    >>> length(0), length(59), length(3540), length(5400)
    ('1 quote', '59 s', '59 min', '1 h 30 min')
    """
    if seconds == 0:
        return "1 quote"
    if seconds < 60:
        return f"{seconds} s"
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def count(number: int, thing: str) -> str:
    """Return a number with its noun: ``1 anomaly``, ``3 anomalies``, ``no anomalies``.

    >>> count(1, "anomaly"), count(0, "anomaly"), count(1200, "quote")
    ('1 anomaly', 'no anomalies', '1,200 quotes')
    """
    plural = f"{thing[:-1]}ies" if thing.endswith("y") and thing[-2:] != "ay" else f"{thing}s"
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {plural}" if number else f"no {plural}"
