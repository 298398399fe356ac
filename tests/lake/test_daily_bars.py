from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tapeline.lake.daily_bars import CHUNK_SESSIONS, Chunk, DailyBar, check, missing_chunks, row

DAYS = [date(2025, 11, day) for day in (24, 25, 26, 28)]
BAR = DailyBar(DAYS[0], "AAPL", Decimal("270.9"), Decimal("277"), Decimal("270.1"), Decimal("275.92"), 65_585_800)


def test_only_what_is_missing_is_asked_for() -> None:
    there = [("AAPL", DAYS[1]), *(("MSFT", day) for day in DAYS)]
    assert missing_chunks(["AAPL", "MSFT", "KO", "AAPL"], DAYS, there) == [
        Chunk("AAPL", (DAYS[0], DAYS[2], DAYS[3])),
        Chunk("KO", tuple(DAYS)),
    ]
    assert missing_chunks(["MSFT"], DAYS, there) == []


def test_a_long_range_comes_in_chunks_of_a_year_at_most_that_cover_it() -> None:
    days = [date(2020, 1, 1) + timedelta(days=number) for number in range(620)]
    chunks = missing_chunks(["AAPL"], days, [])
    assert [len(chunk.sessions) for chunk in chunks] == [CHUNK_SESSIONS, CHUNK_SESSIONS, 120]
    assert [day for chunk in chunks for day in chunk.sessions] == days


def test_missing_sessions_that_lie_years_apart_do_not_share_a_request() -> None:
    apart = [date(2020, 1, 2), date(2023, 1, 3)]
    assert [chunk.sessions for chunk in missing_chunks(["AAPL"], apart, [])] == [(apart[0],), (apart[1],)]


def test_what_is_no_ticker_is_refused() -> None:
    with pytest.raises(ValueError, match="a'; DROP"):
        missing_chunks(["a'; DROP"], DAYS, [])


def test_a_chunk_s_object_has_one_name_and_no_odd_letter() -> None:
    assert Chunk("^GSPC", (DAYS[0], DAYS[3])).name == "_GSPC-2025-11-24-2025-11-28.json.gz"


def test_rows_are_kept_once_in_order_and_other_sessions_passed_over() -> None:
    chunk = Chunk("AAPL", (DAYS[0], DAYS[2]))
    newer = replace(BAR, close=Decimal("276"))
    later = replace(BAR, session=DAYS[2])
    assert check(chunk, [later, BAR, replace(BAR, session=DAYS[1]), newer]) == ([newer, later], [])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"low": Decimal("271")}, "open 270.9 and close 275.92 must lie between low 271 and high 277"),
        ({"high": Decimal("275")}, "open 270.9 and close 275.92 must lie between low 270.1 and high 275"),
        ({"open": Decimal("0")}, "prices must lie between 0 and 10^12 USD, found 0, 277, 270.1, 275.92"),
        ({"close": Decimal("NaN")}, "prices must lie between 0 and 10^12 USD, found 270.9, 277, 270.1, NaN"),
        ({"volume": -1}, "volume must lie between 0 and 2^63 shares, found -1"),
        ({"symbol": "MSFT"}, "expected AAPL, found MSFT"),
    ],
)
def test_a_row_that_cannot_be_is_refused_with_the_reason(changes: dict[str, object], reason: str) -> None:
    good, refused = check(Chunk("AAPL", (DAYS[0],)), [replace(BAR, **changes)])  # type: ignore[arg-type]
    assert (good, [one.reason for one in refused]) == ([], [reason])


def test_a_row_is_written_as_the_table_reads_it() -> None:
    assert json.loads(row(BAR, "yahoo", datetime(2025, 12, 1, 12, tzinfo=UTC))) == {
        "session": "2025-11-24",
        "symbol": "AAPL",
        "open_usd": 270.9,
        "high_usd": 277.0,
        "low_usd": 270.1,
        "close_usd": 275.92,
        "volume_shares": 65585800,
        "vendor": "yahoo",
        "fetched_at_utc": "2025-12-01T12:00:00Z",
    }
