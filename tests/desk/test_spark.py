"""A session's course from the raw zone: which objects are read, and what their lines come to."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tapeline.desk.spark import MOST_COMPRESSED_BYTES, MOST_OBJECTS, MOST_POINTS, Spark, chosen, points_of
from tapeline.stream.keys import ObjectKey

OPEN = datetime(2026, 3, 12, 13, 30, tzinfo=UTC)
START = int(OPEN.timestamp())


def key(minute: float, number: int = 1, shard: str = "shardId-0") -> ObjectKey:
    return ObjectKey("raw-data/", OPEN.date(), OPEN + timedelta(minutes=minute), shard, str(number))


def line(second: int, price: float, symbol: str = "AAPL", **fields: Any) -> str:
    at = (OPEN + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps({"symbol": symbol, "timestamp": at, "price": price, **fields})


def test_a_day_that_came_in_one_step_is_its_course_and_not_one_point() -> None:
    falls_and_recovers = [100 - abs(195 - minute) / 39 for minute in range(390)]
    course = points_of(line(60 * minute, price) for minute, price in enumerate(falls_and_recovers))
    assert course["AAPL"] == [(START + 60 * minute, price) for minute, price in enumerate(falls_and_recovers)]
    spark = Spark()
    spark.put_before(course["AAPL"])
    points = json.loads(spark.to_json())
    assert 30 < len(points) <= MOST_POINTS
    assert points[0][1] < 95.1 < 99.5 < max(price for _, price in points)


@pytest.mark.parametrize(
    ("lines", "points"),
    [
        ([line(0, 10), line(30, 11), line(60, 12)], [(0, 10), (60, 12)]),  # the first of each minute
        ([line(30, 11), line(0, 10)], [(0, 10)]),  # in whatever order they came
        ([line(0, 10), line(60, 99, suspect=["price:far"])], [(0, 10)]),
        ([line(0, 10), line(60, 12, suspect=["previous_close:doubted"])], [(0, 10), (60, 12)]),
        # The price came twice more: it is believed from the first on.
        (
            [line(60, 99, suspect=["price:far"]), line(120, 99, confirms="2026-03-12T13:31:00Z")],
            [(60, 99), (120, 99)],
        ),
        (
            [
                line(60, 0, revision=1, suspect=["price:withdrawn"]),
                line(120, 99, confirms="2026-03-12T13:31:00Z"),
            ],
            [(120, 99)],
        ),
        ([line(60, 99), line(60, 10, revision=1)], [(60, 10)]),  # corrected
        ([line(0, 10), line(60, 99), line(60, 0, revision=1, suspect=["price:withdrawn"])], [(0, 10)]),
        ([line(60, 10), line(60, 99)], [(60, 10)]),  # of equal revisions the first
    ],
)
def test_the_prices_that_stand_are_the_course(lines: list[str], points: list[tuple[int, float]]) -> None:
    assert points_of(lines)["AAPL"] == [(START + second, price) for second, price in points]


def test_a_quiet_morning_counts_as_much_as_a_busy_evening() -> None:
    morning = [(key(minute, minute), 900) for minute in range(0, 180, 3)]
    evening = [(key(180 + number / 100, 1000 + number), 900) for number in range(20_000)]
    read = chosen(morning + evening)
    assert len(read) == MOST_OBJECTS
    assert read == sorted(read, key=lambda one: one.first_time)
    assert sum(one.first_time < OPEN + timedelta(hours=3) for one in read) >= 25
    assert read[0] == morning[0][0]
    assert read[-1].first_time > OPEN + timedelta(hours=6)


def test_every_shard_is_read_and_few_objects_are_read_whole() -> None:
    found = [(key(0, number, f"shardId-{number}"), 900) for number in range(8)]
    assert set(chosen(found)) == {one for one, _ in found}
    assert chosen([]) == []


def test_huge_objects_are_read_no_further_than_the_bound_but_one_always_is() -> None:
    assert len(chosen([(key(minute), MOST_COMPRESSED_BYTES // 4) for minute in range(60)])) == 4
    assert len(chosen([(key(0), 50 * MOST_COMPRESSED_BYTES)])) == 1
