"""Trading sessions: when an exchange opens and closes, holidays, half days and daylight saving included.

The calendar is that of exchange_calendars (https://github.com/gerrymanoim/exchange_calendars), which is imported at the
first question and not before: with pandas it costs a second or two, and DAG files that import this module are many.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

NEW_YORK_STOCK_EXCHANGE = "XNYS"
FIRST_DAY = date(2005, 1, 1)
LAST_DAY = date(2032, 12, 31)
"""Span of the calendar. By itself exchange_calendars covers 20 years back and one ahead of today, which would make
answers depend on the clock; beyond the holidays published so far the exchange's own rules are carried on."""

TABLE_FIRST_DAY = FIRST_DAY
REGULAR_HOURS = "09:30-16:00"
"""Where the table of `tapeline.market.trading_days` begins, and what goes without saying in it."""

SATURDAY = 5


class NotASessionError(ValueError):
    """A day on which the exchange does not trade, or which lies outside the calendar."""


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day of one exchange.

    Attributes
    ----------
    exchange : str
        ISO 10383 market identifier code, such as ``XNYS``.
    day : date
        The session's date where the exchange is.
    opens_at, closes_at : datetime
        Regular trading, aware, UTC; the close is the first moment that no longer belongs to it.
    expected_minutes : int
        Minutes of regular trading: for New York 390, on half days, which close early, 210.
    """

    exchange: str
    day: date
    opens_at: datetime
    closes_at: datetime
    expected_minutes: int
    is_half_day: bool

    @property
    def key(self) -> str:
        """The session as a partition key, ``YYYY-MM-DD``."""
        return self.day.isoformat()


def session(day: date, exchange: str = NEW_YORK_STOCK_EXCHANGE) -> Session:
    """Return the session of a day.

    >>> session(date(2026, 3, 6)).opens_at.isoformat()  # the Friday before daylight saving
    '2026-03-06T14:30:00+00:00'
    >>> session(date(2026, 3, 9)).opens_at.isoformat()  # the Monday after
    '2026-03-09T13:30:00+00:00'
    >>> session(date(2025, 11, 28)).closes_at.isoformat(), session(date(2025, 11, 28)).expected_minutes
    ('2025-11-28T18:00:00+00:00', 210)
    >>> session(date(2025, 11, 27))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    tapeline.market.sessions.NotASessionError: XNYS does not trade on 2025-11-27 (Thursday); the sessions ...

    Raises
    ------
    NotASessionError
        If the exchange does not trade that day.
    """
    calendar = _calendar(exchange)
    if not is_session(day, exchange):
        raise NotASessionError(
            f"{exchange} does not trade on {day} ({day:%A}); the sessions around it are "
            f"{previous_session(day, exchange).day} and {next_session(day, exchange).day}"
        )
    key = day.isoformat()
    opens_at, closes_at = (moment.to_pydatetime().astimezone(UTC) for moment in calendar.session_open_close(key))
    minutes = len(calendar.session_minutes(key))
    return Session(exchange, day, opens_at, closes_at, minutes, is_half_day=key in _early_closes(exchange))


def is_session(day: date, exchange: str = NEW_YORK_STOCK_EXCHANGE) -> bool:
    """Tell whether the exchange trades on a day.

    >>> [is_session(date(2026, 7, day)) for day in (2, 3, 4, 5, 6)]  # Independence Day falls on the Saturday
    [True, False, False, False, True]
    """
    if not FIRST_DAY <= day <= LAST_DAY:
        raise NotASessionError(f"the calendar of {exchange} reaches from {FIRST_DAY} to {LAST_DAY}; found {day}")
    calendar = _calendar(exchange)
    inside = calendar.first_session.date() <= day <= calendar.last_session.date()
    return inside and bool(calendar.is_session(day.isoformat()))


def next_session(day: date, exchange: str = NEW_YORK_STOCK_EXCHANGE) -> Session:
    """Return the first session after a day, which itself need not be one.

    >>> next_session(date(2025, 12, 24)).key  # Christmas
    '2025-12-26'
    """
    return _nearest(day, timedelta(days=1), exchange)


def previous_session(day: date, exchange: str = NEW_YORK_STOCK_EXCHANGE) -> Session:
    """Return the last session before a day, which itself need not be one.

    >>> previous_session(date(2025, 12, 1)).key, previous_session(date(2025, 12, 1)).is_half_day
    ('2025-11-28', True)
    """
    return _nearest(day, timedelta(days=-1), exchange)


def sessions_between(first: date, last: date, exchange: str = NEW_YORK_STOCK_EXCHANGE) -> list[Session]:
    """Return the sessions of a range of days, both ends included.

    >>> [session.key for session in sessions_between(date(2025, 11, 26), date(2025, 12, 1))]
    ['2025-11-26', '2025-11-28', '2025-12-01']
    """
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [session(day, exchange) for day in days if is_session(day, exchange)]


def latest_session(moment: datetime, exchange: str = NEW_YORK_STOCK_EXCHANGE) -> Session:
    """Return the last session that had opened at an aware moment; it may still be open.

    >>> latest_session(datetime(2026, 3, 12, 13, 29, tzinfo=UTC)).key  # a minute before the open
    '2026-03-11'
    """
    day = moment.astimezone(UTC).date() + timedelta(days=1)
    newest = previous_session(day + timedelta(days=1), exchange)
    while newest.opens_at > moment:
        newest = previous_session(newest.day, exchange)
    return newest


def ended_session(moment: datetime, exchange: str = NEW_YORK_STOCK_EXCHANGE) -> Session:
    """Return the last session that had closed at an aware moment.

    >>> ended_session(datetime(2026, 3, 12, 19, 59, tzinfo=UTC)).key  # a minute before the close
    '2026-03-11'
    """
    newest = latest_session(moment, exchange)
    return newest if newest.closes_at <= moment else previous_session(newest.day, exchange)


def week(day: date, exchange: str = NEW_YORK_STOCK_EXCHANGE) -> list[Session]:
    """Return the sessions of the week, Monday to Friday, that a day lies in.

    >>> [session.key for session in week(date(2025, 11, 30))]  # the Sunday after Thanksgiving
    ['2025-11-24', '2025-11-25', '2025-11-26', '2025-11-28']
    """
    monday = day - timedelta(days=day.weekday())
    return sessions_between(monday, monday + timedelta(days=4), exchange)


def read_day(key: str, now: datetime, exchange: str = NEW_YORK_STOCK_EXCHANGE) -> date:
    """Return the day that a partition key names.

    >>> read_day("foo", datetime(2026, 3, 14, tzinfo=UTC))
    Traceback (most recent call last):
        ...
    tapeline.market.sessions.NotASessionError: expected the date of a session such as 2026-03-13, the newest that has ended; found 'foo'

    Raises
    ------
    NotASessionError
        If it is not written as ``YYYY-MM-DD``.
    """  # noqa: E501
    try:
        day = date.fromisoformat(key)
    except ValueError:
        day = None
    if day is None or day.isoformat() != key:
        raise NotASessionError(
            f"expected the date of a session such as {ended_session(now, exchange).key}, the newest that has ended; "
            f"found {key!r}"
        )
    return day


def read_key(key: str, now: datetime, exchange: str = NEW_YORK_STOCK_EXCHANGE) -> Session:
    """Return the session that a partition key names.

    Raises
    ------
    NotASessionError
        If it is not written as ``YYYY-MM-DD``, the exchange does not trade that day, or has not opened yet.
    """
    named = session(read_day(key, now, exchange), exchange)
    if named.opens_at > now:
        raise NotASessionError(
            f"the session of {key} is still to come: it opens at {named.opens_at:%Y-%m-%d %H:%M} UTC; the newest that "
            f"has ended is {ended_session(now, exchange).key}"
        )
    return named


def time_zone(exchange: str = NEW_YORK_STOCK_EXCHANGE) -> str:
    """Return the IANA name of the exchange's time zone.

    >>> time_zone()
    'America/New_York'
    """
    return str(_calendar(exchange).tz)


def _nearest(day: date, step: timedelta, exchange: str) -> Session:
    day += step
    while not is_session(day, exchange):
        day += step
    return session(day, exchange)


@cache
def _calendar(exchange: str) -> Any:
    import exchange_calendars

    try:
        return exchange_calendars.get_calendar(exchange, start=FIRST_DAY.isoformat(), end=LAST_DAY.isoformat())
    except exchange_calendars.errors.InvalidCalendarName as error:
        raise ValueError(f"expected the code of an exchange such as XNYS or XLON, found {exchange!r}") from error


@cache
def _early_closes(exchange: str) -> frozenset[str]:
    return frozenset(f"{day:%Y-%m-%d}" for day in _calendar(exchange).early_closes)


def trading_days(first: date = TABLE_FIRST_DAY, last: date = LAST_DAY) -> str:
    """Return the source of `tapeline.market.trading_days`: what is open when, without a calendar to import."""
    zone = ZoneInfo(time_zone())
    special: dict[str, dict[int, list[str]]] = {}
    for day in (first + timedelta(days=number) for number in range((last - first).days + 1)):
        opened = session(day) if is_session(day) else None
        hours = f"{opened.opens_at.astimezone(zone):%H:%M}-{opened.closes_at.astimezone(zone):%H:%M}" if opened else ""
        if hours != (REGULAR_HOURS if day.weekday() < SATURDAY else ""):
            special.setdefault(hours, {}).setdefault(day.year, []).append(f"{day:%m-%d}")
    lines = [
        '"""The special days of the New York Stock Exchange. Made by `make trading-days`; not by hand."""\n',
        "from __future__ import annotations\n",
        f'FIRST_DAY, LAST_DAY = "{first}", "{last}"',
        f'TIME_ZONE = "{zone.key}"',
        f'REGULAR_HOURS = "{REGULAR_HOURS}"\n',
        "SPECIAL_DAYS = {",
    ]
    for hours, years in sorted(special.items()):
        lines += [
            f'    "{hours}": {{',
            *(f'        {year}: "{" ".join(days)}",' for year, days in years.items()),
            "    },",
        ]
    return "\n".join(
        [
            *lines,
            "}",
            '"""By hours, weekdays with other hours than the regular, and weekends with any; empty is closed."""\n',
        ]
    )


if __name__ == "__main__":
    Path(__file__).with_name("trading_days.py").write_text(trading_days())
