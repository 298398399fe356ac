from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tapeline.market import sessions, trading_days, trading_hours


def test_the_table_of_trading_days_says_of_every_day_what_the_calendar_says() -> None:
    day, last = date.fromisoformat(trading_days.FIRST_DAY), trading_hours.LAST_DAY
    assert (day, last) == (sessions.TABLE_FIRST_DAY, sessions.LAST_DAY)
    while day <= last:
        hours = trading_hours.on(day)
        assert (hours is not None) == sessions.is_session(day), day
        if hours:
            session = sessions.session(day)
            assert (hours.opens_at, hours.closes_at) == (session.opens_at, session.closes_at), day
        day += timedelta(days=1)


def test_the_table_is_as_the_command_makes_it() -> None:
    assert Path(trading_days.__file__).read_text() == sessions.trading_days()


def test_the_last_session_is_found_from_any_moment_and_none_beyond_the_table() -> None:
    thanksgiving = datetime(2026, 11, 26, 17, 0, tzinfo=UTC)
    hours = trading_hours.latest(thanksgiving)
    assert hours is not None
    assert hours.opens_at == datetime(2026, 11, 25, 14, 30, tzinfo=UTC)
    assert not hours.are_at(thanksgiving)
    assert trading_hours.latest(datetime(2033, 1, 2, tzinfo=UTC)) is None
    assert trading_hours.latest(datetime(2004, 12, 31, 15, 0, tzinfo=UTC)) is None
