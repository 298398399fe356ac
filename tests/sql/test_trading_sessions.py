"""The view has the sessions of exchange_calendars, every one of them to the minute."""

from __future__ import annotations

from datetime import date

from tapeline.market import sessions
from tests.sql.lakes import Lake


def test_the_view_has_every_session_from_2008_to_2030_as_the_calendar_has_it(lake: Lake) -> None:
    found = lake.run("SELECT * FROM trading_sessions ORDER BY session")
    expected = sessions.sessions_between(date(2008, 1, 1), date(2030, 12, 31))
    assert [
        (row["session"], row["open_utc"], row["close_utc"], row["is_half_day"], row["expected_minutes"])
        for row in found
    ] == [
        (
            one.day,
            one.opens_at.replace(tzinfo=None),
            one.closes_at.replace(tzinfo=None),
            one.is_half_day,
            one.expected_minutes,
        )
        for one in expected
    ]


def test_a_session_knows_its_neighbours_over_holidays(lake: Lake) -> None:
    [row] = lake.run("SELECT * FROM trading_sessions WHERE session = DATE '2025-11-28'")
    assert (row["previous_session"], row["next_session"]) == (date(2025, 11, 26), date(2025, 12, 1))
