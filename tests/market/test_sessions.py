"""Sessions against the exchange's own announcements, looked up by hand."""

from __future__ import annotations

import doctest
from datetime import UTC, date, datetime

import pytest

from tapeline.market import sessions
from tapeline.market.sessions import NotASessionError


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(sessions).failed == 0


@pytest.mark.parametrize(
    ("day", "opens", "closes", "minutes"),
    [
        ("2026-03-06", "14:30", "21:00", 390),  # the Friday before daylight saving
        ("2026-03-09", "13:30", "20:00", 390),  # the Monday after
        ("2025-10-31", "13:30", "20:00", 390),  # the Friday before it ends
        ("2025-11-03", "14:30", "21:00", 390),
        ("2025-11-28", "14:30", "18:00", 210),  # after Thanksgiving
        ("2025-12-24", "14:30", "18:00", 210),
        ("2025-07-03", "13:30", "17:00", 210),  # a half day in summer
        ("2026-11-27", "14:30", "18:00", 210),
    ],
)
def test_a_session_opens_and_closes_as_the_exchange_announced(day: str, opens: str, closes: str, minutes: int) -> None:
    found = sessions.session(date.fromisoformat(day))
    assert (f"{found.opens_at:%H:%M}", f"{found.closes_at:%H:%M}") == (opens, closes)
    assert (found.expected_minutes, found.is_half_day) == (minutes, minutes == 210)
    assert found.opens_at.tzinfo is UTC


@pytest.mark.parametrize(
    "day",
    [
        "2025-01-09",  # the mourning of President Carter
        "2012-10-29",  # hurricane Sandy
        "2025-11-27",  # Thanksgiving
        "2026-04-03",  # Good Friday
        "2026-07-03",  # Independence Day, which falls on the Saturday
        "2026-03-14",  # a Saturday
    ],
)
def test_a_day_without_trading_is_refused_with_the_sessions_around_it(day: str) -> None:
    with pytest.raises(NotASessionError, match=f"XNYS does not trade on {day} .*; the sessions around it are 20"):
        sessions.session(date.fromisoformat(day))


def test_a_range_has_both_its_ends_and_no_holiday() -> None:
    found = sessions.sessions_between(date(2025, 11, 24), date(2025, 12, 3))
    assert [one.key for one in found] == [
        "2025-11-24", "2025-11-25", "2025-11-26", "2025-11-28", "2025-12-01", "2025-12-02", "2025-12-03",
    ]  # fmt: skip


def test_a_range_that_ends_before_it_begins_is_empty() -> None:
    assert sessions.sessions_between(date(2025, 12, 3), date(2025, 12, 1)) == []


@pytest.mark.parametrize(
    ("moment", "key"),
    [
        ("2025-11-28T14:30:00", "2025-11-28"),  # the very open
        ("2025-11-28T14:29:59", "2025-11-26"),  # a second before, over Thanksgiving
        ("2025-11-30T23:00:00", "2025-11-28"),  # Sunday evening
        ("2026-01-01T00:30:00", "2025-12-31"),  # evening in New York, next year in UTC
    ],
)
def test_the_latest_session_is_the_last_that_had_opened(moment: str, key: str) -> None:
    assert sessions.latest_session(datetime.fromisoformat(moment).replace(tzinfo=UTC)).key == key


def test_another_exchange_has_its_own_hours_and_half_days() -> None:
    christmas_eve = sessions.session(date(2025, 12, 24), "XLON")
    assert (f"{christmas_eve.opens_at:%H:%M}", f"{christmas_eve.closes_at:%H:%M}") == ("08:00", "12:30")
    assert christmas_eve.is_half_day


def test_an_exchange_with_a_lunch_break_counts_its_trading_minutes_only() -> None:
    assert sessions.session(date(2023, 6, 1), "XTKS").expected_minutes == 300


def test_an_unknown_exchange_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the code of an exchange such as XNYS or XLON, found 'NYSE 2'"):
        sessions.is_session(date(2026, 3, 12), "NYSE 2")


def test_a_day_beyond_the_calendar_is_refused_not_guessed() -> None:
    with pytest.raises(NotASessionError, match="the calendar of XNYS reaches from 2005-01-01 to 2032-12-31"):
        sessions.session(date(2033, 1, 3))
