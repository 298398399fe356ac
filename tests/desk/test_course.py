"""The minutes of a chart, from quotes in any order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tapeline.desk.course import Course, Tick
from tapeline.desk.models import Mark

OPEN = datetime(2026, 3, 12, 13, 30, tzinfo=UTC).timestamp()


def tick(second: float, price: float, volume: int = 0, average: float | None = 1.0, **fields: Any) -> Tick:
    return Tick(OPEN + second, price, volume, average, average, 0.0, **fields)


def told(marks: list[Mark]) -> list[tuple[int, str, str]]:
    return [(mark.time - int(OPEN), mark.kind, mark.text) for mark in marks]


def course(*ticks: Tick) -> Course:
    made = Course()
    for one in ticks:
        made.add(one)
    return made


def test_a_minute_has_its_first_highest_lowest_and_last_price_and_what_the_counter_grew_by() -> None:
    made = course(
        tick(1, 100, 5_000), tick(20, 103, 6_000), tick(59.5, 99, 7_000), tick(60, 101, 7_500), tick(185, 102, 9_000)
    )
    assert made.candles(OPEN) == [
        (OPEN, 100, 103, 99, 99, 7_000, 3),  # from the open on: the opening auction too
        (OPEN + 60, 101, 101, 101, 101, 500, 1),
        (OPEN + 180, 102, 102, 102, 102, 1_500, 1),  # no quote in the minute between, and none made up
    ]


def test_what_was_traded_before_the_first_quote_is_in_no_minute() -> None:
    late = course(tick(3600, 100, 5_000_000), tick(3630, 100, 5_000_400), tick(3660, 100, 5_000_500))
    assert [candle[5] for candle in late.candles(OPEN)] == [400, 100]
    assert [candle[5] for candle in late.candles(None)] == [400, 100]


def test_a_counter_that_starts_anew_a_correction_and_a_missing_figure() -> None:
    made = course(tick(0, 1, 90_000), tick(60, 1, 500), tick(120, 1, 490), tick(180, 1, 0), tick(240, 1, 800))
    assert [candle[5] for candle in made.candles(None)] == [0, 500, 0, 0, 300]


def test_a_late_quote_shapes_its_minute_and_no_average() -> None:
    made = course(tick(10, 100, average=100.0), tick(70, 110, average=105.0), tick(50, 90, average=None))
    assert made.candles(OPEN)[0][1:5] == (100, 100, 90, 90)
    assert made.averages() == ([(OPEN, 100.0), (OPEN + 60, 105.0)],) * 2


def test_alerts_are_marked_at_their_second() -> None:
    made = course(
        Tick(OPEN + 7, 106, 1, 1.0, 1.0, 6.25, ("price_move", "trend_up")),
        Tick(OPEN + 90, 94, 1, 1.0, 1.0, -6.25, ("price_move",)),
    )
    assert told(made.marks()) == [
        (7, "price_move", "Moved far from the previous close: +6.25%"),
        (7, "trend_up", "5-quote average went over the 20-quote average"),
        (90, "price_move", "Moved far from the previous close: \N{MINUS SIGN}6.25%"),
    ]


def test_a_suspect_price_is_told_and_shapes_no_minute() -> None:
    wrong = Tick(OPEN + 30, 10**6, 5, None, None, None, ("suspect",), ("price:far", "high:far"))
    made = course(tick(0, 100), wrong, tick(59, 101))
    assert made.candles(OPEN)[0][1:5] == (100, 101, 100, 101)
    text = "Looks wrong: price out of all proportion, day's high out of all proportion"
    assert told(made.marks()) == [(30, "suspect", text)]


def test_what_looks_wrong_for_hours_happened_once_and_again_after_a_pause() -> None:
    wrong: dict[str, Any] = {
        "suspect": ("previous_close:doubted",),
        "doubt": "previous_close: the bar of 2026-08-28 is missing",
    }
    seconds = [*range(0, 36_000, 20), 37_000, 36_960]
    made = course(*(tick(second, 100, **wrong) for second in reversed(seconds)), tick(36_500, 100))
    assert [mark.time for mark in made.marks()] == [OPEN, OPEN + 36_960]
    assert len(made.candles()) == 602  # the price itself is believed


TICKS = st.lists(
    st.builds(
        tick,
        st.integers(0, 600),
        st.integers(1, 50),
        st.integers(0, 9999),
        suspect=st.sampled_from([(), (), ("high:far",), ("price:far",)]),
    ),
    unique_by=lambda one: one.at,
)


@given(TICKS.flatmap(lambda ticks: st.tuples(st.just(ticks), st.permutations(ticks))))
def test_the_order_in_which_quotes_are_read_and_copies_change_nothing(drawn: tuple[list[Tick], list[Tick]]) -> None:
    ticks, shuffled = drawn
    one, other = course(*ticks), course(*shuffled, *ticks)
    assert one.candles(OPEN) == other.candles(OPEN)
    assert one.averages() == other.averages()
    assert one.marks() == other.marks()
