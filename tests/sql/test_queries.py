"""Each query of include/sql/queries gives the answer that was computed without SQL."""

from __future__ import annotations

import pytest

from tapeline.lake import sql_files
from tapeline.lake.parameters import Lookup
from tests.sql.answers.compute import CASES, LAST_SESSIONS, history, vendor_history
from tests.sql.conftest import SESSIONS, answer, differences
from tests.sql.lakes import AthenaLake, DuckLake, Lake

UNORDERED = {"average_volume", "moves_over_five_percent"}
"""The originals have no ORDER BY."""


@pytest.mark.parametrize("name", CASES)
def test_a_query_gives_the_answer_computed_by_other_means(lake: Lake, name: str) -> None:
    found = lake.run(sql_files.load(f"queries/{name}").render(CASES[name]))
    expected = answer(name)
    if name in UNORDERED:
        found.sort(key=lambda row: (row["symbol"], row.get("price", 0)))
        expected.sort(key=lambda row: (row["symbol"], float(row.get("price", 0))))
    assert differences(found, expected) == []


LOOKED_UP = [file.name for file in sql_files.catalogue("queries/") if file.render_lookup()]
ALL_SESSIONS = sorted({row["session"] for row in history()} | set(SESSIONS))
BARS = sorted({*ALL_SESSIONS, *(row["session"] for row in vendor_history())})
ALL_DATES = ["2025-11-26", "2025-11-27", "2025-11-28"]


@pytest.mark.parametrize("name", LOOKED_UP)
def test_without_a_value_the_newest_session_or_the_last_ones_are_asked(duck_lake: DuckLake, name: str) -> None:
    file = sql_files.load(name)
    [found] = duck_lake.run(file.render_lookup() or "")
    days = {one: str(value) for one, value in found.items() if one.endswith("session")}
    if name == "queries/partition_files":
        assert days == {"first_session": ALL_DATES[-10:][0], "last_session": ALL_DATES[-1]}
    elif last := LAST_SESSIONS.get(name.removeprefix("queries/")):
        known = BARS if "daily_bars" in file.header["Source"] else ALL_SESSIONS
        assert days == {"first_session": known[-last:][0], "last_session": known[-1]}
    else:
        assert days == {"session": "2025-11-28"}


@pytest.mark.parametrize("name", [name for name in LOOKED_UP if name != "queries/partition_files"])
def test_pasted_as_it_is_a_query_gives_what_the_command_gives_with_constants(duck_lake: DuckLake, name: str) -> None:
    assert_pasted_is_the_same(duck_lake, name)


@pytest.mark.parametrize("name", ["intraday_vwap", "partition_files", "price_range", "return_correlation"])
def test_so_it_is_on_athena(athena_lake: AthenaLake, name: str) -> None:
    assert_pasted_is_the_same(athena_lake, name)


def assert_pasted_is_the_same(lake: Lake, name: str) -> None:
    file = sql_files.load(name)
    [found] = lake.run(file.render_lookup() or "")
    constants = file.render(found)
    assert not any(isinstance(one.default, Lookup) for one in sql_files.parse(name, constants).parameters)
    assert lake.run(file.render()) == lake.run(constants)


def test_a_range_that_ends_earlier_begins_earlier(duck_lake: DuckLake) -> None:
    [found] = duck_lake.run(sql_files.load("completeness").render_lookup({"last_session": ALL_SESSIONS[21]}) or "")
    assert str(found["first_session"]) == ALL_SESSIONS[2]
