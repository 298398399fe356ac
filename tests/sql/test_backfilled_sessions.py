"""A session read again from a file gives the curated rows that the live one gave, where the quotes are the same."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tapeline.lake.rollup import CURATED
from tests.sql.conftest import SESSIONS, hand_made_quotes
from tests.sql.lakes import Dated, DuckLake, Row, curated, roll_up

ABOUT_ARRIVAL = {"late_quotes", "repeated_quotes"}
"""How a feed delivered is the one thing that a later reading cannot know."""


def rows(quotes: list[Dated], *, times: int = 1) -> dict[str, list[Row]]:
    lake = DuckLake()
    lake.add(quotes)
    for _ in range(times):
        roll_up(lake, *SESSIONS)
    return {
        table: [
            {name: value for name, value in row.items() if name not in ABOUT_ARRIVAL}
            for row in curated(lake, table, *SESSIONS)
        ]
        for table in CURATED
    }


@pytest.fixture(scope="module")
def live() -> dict[str, list[Row]]:
    return rows(hand_made_quotes())


def test_quotes_replayed_in_order_months_later_give_the_same_rows(live: dict[str, list[Row]]) -> None:
    once = {(quote.symbol, quote.timestamp): (day, quote) for day, quote in reversed(hand_made_quotes())}
    replayed = [
        (day, replace(quote, source="replay", ingested_at=f"2026-03-12T10:{number // 60:02}:{number % 60:02}Z"))
        for number, (day, quote) in enumerate(sorted(once.values(), key=lambda pair: pair[1].time))
    ]
    assert rows(replayed) == live


def test_the_order_and_the_files_in_which_quotes_are_kept_do_not_matter(live: dict[str, list[Row]]) -> None:
    shuffled = hand_made_quotes()
    random.Random(7).shuffle(shuffled)
    assert rows(shuffled) == live


def test_a_session_that_came_half_live_and_whole_by_a_replay_is_whole(live: dict[str, list[Row]]) -> None:
    whole = hand_made_quotes()
    again = [(day, replace(quote, ingested_at="2026-03-12T10:00:00Z")) for day, quote in whole]
    assert rows([*whole[::2], *again], times=2) == live
