"""Whom a rollup leaves out: symbols are judged by their own usual, the feed by its symbols; the answers are by hand."""

from __future__ import annotations

import pytest

from tapeline import sql
from tests.sql.lakes import DuckLake, curated, publish, render, stage

BEFORE, DAY = "2025-11-25", "2025-11-26"
USUAL = {"AAA": 100.0, "BBB": 98.0, "CCC": 100.0, "DDD": 100.0, "THIN": 20.0}
"""Coverage of the session before, per cent."""

WHOLE = range(390)
CHECKS = ("coverage", "feed_is_alive", "most_symbols_are_there", "symbols_are_there")


def lake_with(minutes: dict[str, range], usual: dict[str, float] = USUAL) -> DuckLake:
    """A session staged from one quote in each of some minutes after the open, and the summaries of the one before."""
    lake = DuckLake()
    for symbol, coverage in usual.items():
        lake.insert("daily_summary", [{"session": BEFORE, "symbol": symbol, "completeness_pct": coverage}])
    add(lake, minutes)
    stage(lake, DAY)
    return lake


def add(lake: DuckLake, minutes: dict[str, range]) -> None:
    for symbol, found in minutes.items():
        lake.load(
            f"SELECT '{symbol}' AS symbol, strftime(moment, '%Y-%m-%dT%H:%M:%SZ') AS timestamp, "
            "timestamp AS ingested_at, 100 AS open, 101 AS high, 99 AS low, 100 AS price, 100 AS previous_close, "
            f"1000 AS volume, 'replay' AS source, '{DAY}' AS dt "
            f"FROM (SELECT TIMESTAMP '{DAY} 14:30:00' + to_minutes(minute) AS moment "
            f"FROM generate_series({found.start}, {found.stop - 1}, {found.step}) AS minutes (minute))"
        )


def failing(lake: DuckLake) -> dict[str, list[str]]:
    """The symbols that each check of coverage names; of the session's checks the session."""
    found = {}
    for name in CHECKS:
        rows = lake.run(render(f"daily_summary/checks/{name}", session=DAY))
        if rows:
            found[name] = [row.get("symbol", "*") for row in rows]
    return found


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        pytest.param({}, {}, id="a whole session"),
        pytest.param({"DDD": range(0, 390, 3)}, {"coverage": ["DDD"]}, id="every third minute of one"),
        pytest.param({"DDD": range(150)}, {}, id="halted at noon"),
        pytest.param({"DDD": range(4)}, {}, id="halted in the fifth minute"),
        pytest.param({"DDD": range(300, 390)}, {}, id="halted until the last hour and a half"),
        pytest.param({"THIN": range(0, 390, 130)}, {}, id="a thin one on a quiet day"),
        pytest.param({"NEW": range(0, 390, 60)}, {}, id="a thin one never seen before"),
        pytest.param({"NEW": range(200, 390)}, {}, id="listed at ten to one"),
        pytest.param({name: range(200) for name in USUAL}, {"feed_is_alive": ["*"]}, id="a feed that died"),
        pytest.param({name: range(100, 390) for name in USUAL}, {"feed_is_alive": ["*"]}, id="a feed that came late"),
        pytest.param({name: range(40, 390) for name in USUAL}, {}, id="a feed that missed forty minutes"),
        pytest.param({"AAA": range(200), "BBB": range(200), "CCC": range(200)}, {"feed_is_alive": ["*"]}, id="3 of 4"),
        pytest.param({"AAA": range(200), "BBB": range(200)}, {}, id="2 of 4 die"),
        pytest.param({"CCC": range(0), "DDD": range(0)}, {"symbols_are_there": ["CCC", "DDD"]}, id="two not there"),
        pytest.param(
            {name: range(0) for name in ("BBB", "CCC", "DDD", "THIN")},
            {"symbols_are_there": ["BBB", "CCC", "DDD", "THIN"], "most_symbols_are_there": ["*"]},
            id="one of five there",
        ),
    ],
)
def test_a_symbol_is_judged_by_its_own_usual_and_the_feed_by_its_symbols(
    minutes: dict[str, range], expected: dict[str, list[str]]
) -> None:
    session = {name: WHOLE if coverage > 50 else range(0, 390, 5) for name, coverage in USUAL.items()} | minutes
    assert failing(lake_with(session)) == expected


@pytest.mark.parametrize("minutes", [range(0, 390, 5), range(300, 390), range(2)])
def test_nothing_is_usual_in_the_first_session_of_all(minutes: range) -> None:
    assert failing(lake_with({"AAA": minutes, "BBB": minutes}, usual={})) == {}


def test_thin_symbols_alone_never_fail_a_session() -> None:
    usual = {"DBB": 19.7, "FXY": 38.1}
    assert failing(lake_with({"DBB": range(0, 390, 30), "FXY": range(5, 390, 11)}, usual)) == {}


def test_a_withheld_symbol_keeps_the_rows_it_had_and_gets_the_new_ones_once_it_passes() -> None:
    lake = lake_with({"AAA": range(30), "DDD": range(30)})
    publish(lake, DAY)
    before = {table: curated(lake, table, DAY) for table in ("minute_bars", "daily_summary")}
    add(lake, {"AAA": range(60, 90), "DDD": range(60, 90), "NEW": range(5)})
    stage(lake, DAY)
    for table in before:
        lake.run(render(f"{table}/replace_session", session=DAY, withheld="DDD NEW"))
        found = curated(lake, table, DAY)
        assert [row for row in found if row["symbol"] == "DDD"] == [
            row for row in before[table] if row["symbol"] == "DDD"
        ]
        assert {row["symbol"] for row in found} == {"AAA", "DDD"}
    assert {row["symbol"]: row["quotes"] for row in curated(lake, "daily_summary", DAY)} == {"AAA": 60, "DDD": 30}
    publish(lake, DAY)
    assert {row["symbol"]: row["quotes"] for row in curated(lake, "daily_summary", DAY)} == {
        "AAA": 60,
        "DDD": 60,
        "NEW": 5,
    }


def test_what_is_usual_is_not_asked_of_sessions_to_come_or_long_ago() -> None:
    lake = lake_with({"DDD": range(0, 390, 3), "AAA": WHOLE}, usual={})
    for session in ("2025-11-28", "2025-01-02"):
        lake.insert("daily_summary", [{"session": session, "symbol": "DDD", "completeness_pct": 100.0}])
    assert failing(lake) == {}


def test_every_check_of_a_session_or_symbol_names_what_it_is_about() -> None:
    for check in sql.catalogue():
        if "/checks/" in check.name:
            last_select = check.text.rpartition("\nSELECT")[2]
            assert ("symbol" in last_select.split("FROM")[0]) or check.header["Scope"] == "session", check.name
