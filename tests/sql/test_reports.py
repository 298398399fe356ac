"""What the reports ask of the tables, on the hand-made sessions; answers counted by hand in data/quotes.yaml."""

from __future__ import annotations

from datetime import date, datetime

from tests.sql.answers.compute import JUDGED
from tests.sql.conftest import hand_made_quotes
from tests.sql.lakes import DuckLake, Row, render


def ask(lake: DuckLake, name: str, session: str, **values: object) -> list[Row]:
    return lake.run(render(f"reports/{name}", first_session=session, last_session=session, **values))


def test_silences_are_counted_per_symbol_and_for_the_feed_as_a_whole(duck_lake: DuckLake) -> None:
    found = ask(duck_lake, "gaps", "2025-11-26")
    assert [(row["symbol"], row["gaps"], row["silent_minutes"], row["longest_gap_minutes"]) for row in found] == [
        ("XOM", 1, 384, 384),
        ("AAPL", 1, 383, 383),
        ("*", 1, 382, 382),
    ]
    assert (found[2]["longest_started_at_utc"], found[2]["longest_ended_at_utc"]) == (
        datetime(2025, 11, 26, 14, 35),
        datetime(2025, 11, 26, 20, 57),
    )


def test_a_half_day_ends_at_one_and_its_opening_and_close_can_be_gaps(duck_lake: DuckLake) -> None:
    found = {row["symbol"]: row for row in ask(duck_lake, "gaps", "2025-11-28", min_gap_minutes=5)}
    xom = found["XOM"]  # 14:30-14:35, 14:36-17:30, 17:31-17:45, 17:46-18:00
    assert (xom["gaps"], xom["silent_minutes"], xom["longest_gap_minutes"]) == (4, 5 + 174 + 14 + 14, 174)


def test_what_arrived_is_counted_with_its_delays(duck_lake: DuckLake) -> None:
    assert ask(duck_lake, "received", "2025-11-26") == [
        {
            "session": date(2025, 11, 26),
            "source": "replay",
            "records": 22,  # the repeated quote counts, and took 61 seconds; the late one took 90
            "within_5_seconds": 20,
            "within_60_seconds": 20,
            "longest_seconds": 90,
        }
    ]


def test_the_course_of_a_session_is_the_mean_over_the_symbols_of_each_interval(duck_lake: DuckLake) -> None:
    found = ask(duck_lake, "course", "2025-11-26", interval_minutes=30)
    assert [tuple(row.values())[1:] for row in found] == [
        (datetime(2025, 11, 26, 14, 30), 2.6, 12, 2),  # AAPL +4.00 at 104, XOM +1.20 at 50.60
        (datetime(2025, 11, 26, 20, 30), -2.5, 4, 2),  # AAPL -7.00 at 93, XOM +2.00 at 51
    ]


def test_the_sessions_of_a_range_are_all_symbols_rows(duck_lake: DuckLake) -> None:
    found = duck_lake.run(render("reports/sessions", first_session="2025-11-26", last_session="2025-11-28"))
    assert [(row["session"].day, row["symbol"], row["change_pct"], row["quotes"]) for row in found] == [
        (26, "AAPL", -7.0, 14),
        (26, "XOM", 2.0, 7),
        (28, "AAPL", 2.67, 6),
        (28, "NIO", None, 1),
        (28, "XOM", 5.88, 3),
    ]


def test_what_was_not_believed_or_corrected_is_counted_by_symbol_and_reason() -> None:
    lake = DuckLake()
    lake.add(hand_made_quotes("judged"))
    found = ask(lake, "suspects", JUDGED)
    assert [(row["symbol"], row["code"], row["quotes"]) for row in found] == [
        ("BACK", "corrected", 2),
        ("BAD", "high:far", 1),
        ("BAD", "price:far", 1),
        ("BAD", "price:zero", 1),
        ("CORR", "corrected", 3),
        ("JUMP", "high:far", 3),
        ("JUMP", "price:far", 1),  # two more were confirmed
        ("JUMP", "price:zero", 1),
        ("OPEN", "corrected", 1),
        ("PREV", "previous_close:doubted", 1),
        ("PREV", "previous_close:far", 3),
        ("SCALE", "low:far", 2),
        ("SCALE", "previous_close:far", 2),
        ("SPLIT", "previous_close:far", 3),
        ("WIDE", "high:far", 1),
        ("WIDE", "low:f", 1),
        ("WIDE", "low:far", 1),
        ("WIDE", "open:f", 1),
        ("WIDE", "open:far", 1),
        ("WIDE", "price:below_low", 1),
        ("WIDE", "volume:f", 1),
    ]
