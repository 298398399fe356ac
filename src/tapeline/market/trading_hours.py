"""When the New York Stock Exchange is open, by a small table instead of a calendar that takes seconds to import.

For what must answer at once, or has no room for pandas: `tapeline status` and the function that watches the feed. The
table is `tapeline.market.trading_days`, made from `tapeline.market.sessions`; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from tapeline.market import trading_days

LAST_DAY = date.fromisoformat(trading_days.LAST_DAY)
"""The table's last day: `make trading-days` and a deployment make it longer."""

_FIRST_DAY = date.fromisoformat(trading_days.FIRST_DAY)
_ZONE = ZoneInfo(trading_days.TIME_ZONE)
_SATURDAY = 5
_SPECIAL_HOURS = {
    f"{year}-{day}": hours
    for hours, years in trading_days.SPECIAL_DAYS.items()
    for year, days in years.items()
    for day in days.split()
}


@dataclass(frozen=True, slots=True)
class Hours:
    """Regular trading of one day, aware, UTC; the close is the first moment that no longer belongs to it."""

    opens_at: datetime
    closes_at: datetime

    def are_at(self, moment: datetime) -> bool:
        """Return whether a moment lies in them."""
        return self.opens_at <= moment < self.closes_at


@cache
def on(day: date) -> Hours | None:
    """Return the trading hours of a day, None if the exchange is closed.

    >>> on(date(2026, 11, 26))  # Thanksgiving
    >>> on(date(2026, 11, 27)).closes_at.isoformat()  # 13:00 in New York
    '2026-11-27T18:00:00+00:00'
    """
    usual = "" if day.weekday() >= _SATURDAY else trading_days.REGULAR_HOURS
    hours = _SPECIAL_HOURS.get(day.isoformat(), usual)
    if not hours:
        return None
    opens_at, closes_at = (
        datetime.combine(day, time.fromisoformat(text), _ZONE).astimezone(UTC) for text in hours.split("-")
    )
    return Hours(opens_at, closes_at)


def latest(moment: datetime) -> Hours | None:
    """Return the trading hours that began last, at an aware moment; None where the table does not reach.

    >>> latest(datetime(2026, 11, 29, 12, 0, tzinfo=UTC)).opens_at.isoformat()  # a Sunday
    '2026-11-27T14:30:00+00:00'
    >>> latest(datetime(2099, 1, 1, tzinfo=UTC))
    """
    day = moment.astimezone(_ZONE).date()
    if day > LAST_DAY:
        return None
    while day >= _FIRST_DAY:
        hours = on(day)
        if hours and hours.opens_at <= moment:
            return hours
        day -= timedelta(days=1)
    return None
