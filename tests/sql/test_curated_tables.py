"""A session is rolled up to the rows computed without SQL, however often and however late, and is checked first."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tapeline.lake.rollup import CURATED
from tests.sql.answers.compute import JUDGED
from tests.sql.conftest import SESSIONS, answer, differences, hand_made_quotes
from tests.sql.lakes import DuckLake, Lake, Row, curated, failed_checks, render, roll_up, stage


@pytest.fixture
def empty_lake() -> DuckLake:
    return DuckLake()


def everything(lake: Lake) -> dict[str, list[Row]]:
    return {table: curated(lake, table, *SESSIONS) for table in CURATED}


@pytest.mark.parametrize("table", CURATED)
def test_a_table_has_the_rows_computed_by_other_means(lake: Lake, table: str) -> None:
    assert differences(curated(lake, table, *SESSIONS), answer(table)) == []


@pytest.fixture(scope="module")
def judged_lake() -> DuckLake:
    lake = DuckLake()
    lake.add(hand_made_quotes("judged"))
    roll_up(lake, JUDGED)
    return lake


@pytest.mark.parametrize("table", CURATED)
def test_suspect_figures_and_former_versions_are_in_no_table(judged_lake: DuckLake, table: str) -> None:
    assert differences(curated(judged_lake, table, JUDGED), answer(f"judged_{table}")) == []


def test_the_newest_quote_is_the_newest_that_is_not_suspect(judged_lake: DuckLake) -> None:
    found = judged_lake.run(render("queries/latest_quotes", session=JUDGED))
    assert differences(found, answer("judged_latest_quotes")) == []


def test_corrections_are_neither_repeated_nor_late(judged_lake: DuckLake) -> None:
    rows = judged_lake.run(render("queries/duplicates_and_late_quotes", session=JUDGED))
    [corrected] = [row for row in rows if row["symbol"] == "CORR"]
    assert list(corrected.values()) == ["CORR", 10, 6, 3, 1, 0, None]


def test_quotes_that_are_set_aside_fail_no_check(judged_lake: DuckLake) -> None:
    assert failed_checks(judged_lake, JUDGED) == set()


def test_a_session_rolled_up_again_has_the_same_rows(empty_lake: Lake) -> None:
    empty_lake.add(hand_made_quotes())
    roll_up(empty_lake, *SESSIONS)
    once = everything(empty_lake)
    roll_up(empty_lake, *SESSIONS)
    assert everything(empty_lake) == once


def test_half_of_the_quotes_coming_late_leaves_no_trace(lake: Lake, empty_lake: Lake) -> None:
    quotes = hand_made_quotes()
    empty_lake.add(quotes[::2])
    roll_up(empty_lake, *SESSIONS)
    half = everything(empty_lake)
    empty_lake.add(quotes[1::2])
    roll_up(empty_lake, *SESSIONS)
    assert half != everything(lake)
    assert everything(empty_lake) == everything(lake)


def test_rows_whose_quotes_are_gone_are_gone_after_the_next_roll_up(empty_lake: Lake) -> None:
    empty_lake.add(hand_made_quotes())
    roll_up(empty_lake, "2025-11-28")
    empty_lake.remove("2025-11-28", "XOM")
    roll_up(empty_lake, "2025-11-28")
    assert {row["symbol"] for row in curated(empty_lake, "daily_summary", *SESSIONS)} == {"AAPL", "NIO"}
    assert {row["symbol"] for row in curated(empty_lake, "anomalies", *SESSIONS)} == {"AAPL"}
    assert {row["symbol"] for row in curated(empty_lake, "minute_bars", *SESSIONS)} == {"AAPL", "NIO"}


def test_one_session_leaves_the_others_alone(lake: Lake, empty_lake: Lake) -> None:
    empty_lake.add(hand_made_quotes())
    roll_up(empty_lake, *SESSIONS)
    empty_lake.remove("2025-11-26", "XOM")
    roll_up(empty_lake, "2025-11-28")
    assert everything(empty_lake) == everything(lake)


def test_a_holiday_has_no_rows_and_fails_its_check(empty_lake: Lake) -> None:
    empty_lake.add(hand_made_quotes())  # one quote of Thanksgiving among them
    stage(empty_lake, "2025-11-27")
    assert "minute_bars/checks/session_is_there" in failed_checks(empty_lake, "2025-11-27")


def test_what_is_staged_is_not_seen_before_it_is_published(empty_lake: Lake) -> None:
    empty_lake.add(hand_made_quotes())
    stage(empty_lake, "2025-11-26")
    assert everything(empty_lake) == {"minute_bars": [], "anomalies": [], "daily_summary": []}


def test_a_sound_session_fails_only_for_the_minutes_without_a_quote(lake: Lake) -> None:
    in_shreds = "daily_summary/checks/coverage"
    expected: list[set[str]] = [set(), {in_shreds}]
    assert [failed_checks(lake, session) for session in SESSIONS] == expected


def test_quotes_that_arrive_between_staging_and_checking_are_noticed(empty_lake: Lake) -> None:
    quotes = hand_made_quotes()
    empty_lake.add(quotes[:-3])
    stage(empty_lake, "2025-11-28")
    empty_lake.add(quotes[-3:])
    assert "minute_bars/checks/quotes_against_raw" in failed_checks(empty_lake, "2025-11-28")


@pytest.mark.parametrize(
    ("table", "column", "value", "check"),
    [
        ("minute_bars", "high_usd", 0.01, "minute_bars/checks/values_out_of_range"),
        ("minute_bars", "close_usd", None, "minute_bars/checks/values_out_of_range"),
        ("minute_bars", "volume_shares", -1, "minute_bars/checks/values_out_of_range"),
        ("minute_bars", "minute_utc", "2025-11-27 04:59:00", "minute_bars/checks/values_out_of_range"),
        ("minute_bars", "quotes", 99, "minute_bars/checks/quotes_against_raw"),
        ("daily_summary", "vwap_usd", 9999.0, "daily_summary/checks/values_out_of_range"),
        ("daily_summary", "symbol", "WRONG", "daily_summary/checks/symbols_against_minute_bars"),
        ("daily_summary", "change_pct", -51.0, "daily_summary/checks/implausible_changes"),
        ("anomalies", "direction", "sideways", "anomalies/checks/values_out_of_range"),
        ("anomalies", "symbol", "WRONG", "anomalies/checks/quotes_are_in_minute_bars"),
    ],
)
def test_a_wrong_value_fails_its_check(empty_lake: Lake, table: str, column: str, value: object, check: str) -> None:
    empty_lake.add(hand_made_quotes())
    stage(empty_lake, "2025-11-28")
    assert check not in failed_checks(empty_lake, "2025-11-28")
    row = empty_lake.run(f"SELECT * FROM {table}_staging WHERE symbol = 'XOM'")[0]
    empty_lake.insert(f"{table}_staging", [{**row, column: value}])
    assert check in failed_checks(empty_lake, "2025-11-28")


@pytest.mark.parametrize("table", CURATED)
def test_a_row_staged_twice_fails_its_check(empty_lake: Lake, table: str) -> None:
    empty_lake.add(hand_made_quotes())
    stage(empty_lake, "2025-11-28")
    empty_lake.insert(f"{table}_staging", empty_lake.run(f"SELECT * FROM {table}_staging")[:1])
    assert f"{table}/checks/duplicate_keys" in failed_checks(empty_lake, "2025-11-28")


def test_a_change_of_exactly_the_threshold_with_two_decimals_is_no_anomaly(empty_lake: Lake) -> None:
    day, quote = next((day, quote) for day, quote in hand_made_quotes() if day == "2025-11-28")
    prices = {"LOW": "105.0049", "TIE": "105.005", "DOWN": "94.995"}  # 5.0049 rounds to 5.00, 5.005 to 5.01
    for symbol, price in prices.items():
        moved = replace(quote, symbol=symbol, price=Decimal(price), previous_close=Decimal(100))
        empty_lake.add([(day, moved)])
    roll_up(empty_lake, day)
    assert {row["symbol"]: row["start_change_pct"] for row in curated(empty_lake, "anomalies", *SESSIONS)} == {
        "DOWN": -5.01,
        "TIE": 5.01,
    }
