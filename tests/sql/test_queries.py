"""Each query of include/sql/queries gives the answer that was computed without SQL."""

from __future__ import annotations

import pytest

from tapeline import sql
from tests.sql.answers.compute import CASES
from tests.sql.conftest import answer, differences
from tests.sql.lakes import Lake

UNORDERED = {"average_volume", "moves_over_five_percent"}
"""The originals have no ORDER BY."""


@pytest.mark.parametrize("name", CASES)
def test_a_query_gives_the_answer_computed_by_other_means(lake: Lake, name: str) -> None:
    found = lake.run(sql.load(f"queries/{name}").render(CASES[name]))
    expected = answer(name)
    if name in UNORDERED:
        found.sort(key=lambda row: (row["symbol"], row.get("price", 0)))
        expected.sort(key=lambda row: (row["symbol"], float(row.get("price", 0))))
    assert differences(found, expected) == []
