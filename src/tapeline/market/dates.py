"""Trading dates: the day in New York that a moment belongs to."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


def trading_date(moment: datetime) -> date:
    """Return the calendar date in New York of an aware moment, the partition `dt`.

    >>> from datetime import timezone
    >>> trading_date(datetime(2026, 3, 13, 3, 59, tzinfo=timezone.utc))  # 23:59 the evening before, daylight saving
    datetime.date(2026, 3, 12)
    """
    return moment.astimezone(NEW_YORK).date()


def partition_of(timestamp: str) -> str:
    """Return the partition `dt` of a quote by its contract timestamp.

    >>> partition_of("2026-03-13T03:59:59.999Z")
    '2026-03-12'
    """
    return _partition_of_hour(timestamp[:13])


@lru_cache(maxsize=1024)
def _partition_of_hour(hour: str) -> str:
    """Return the partition of an hour of UTC; in New York a date begins on a full one."""
    return trading_date(datetime.fromisoformat(f"{hour}:00:00+00:00")).isoformat()
