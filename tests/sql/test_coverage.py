"""Whom a rollup leaves out: symbols are judged by their own usual, the feed by its symbols; the answers are by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tapeline.lake import athena, audit, sql_files
from tapeline.lake.audit_result import AuditResult
from tests.sql.lakes import DuckLake, curated, publish, render, stage

KNOWN, DAY = ("2025-11-19", "2025-11-20", "2025-11-21", "2025-11-24", "2025-11-25"), "2025-11-26"
USUAL = {"AAA": 100.0, "BBB": 98.0, "CCC": 100.0, "DDD": 100.0, "THIN": 20.0}
"""Coverage of the five sessions before, per cent."""

WHOLE = range(390)
CHECKS = ("coverage", "feed_is_alive", "most_symbols_are_there", "quotes_until_the_close", "symbols_are_there")


def lake_with(minutes: dict[str, range], usual: dict[str, float] = USUAL, known: tuple[str, ...] = KNOWN) -> DuckLake:
    """A session staged from one quote in each of some minutes after the open, and the summaries of those before."""
    lake = DuckLake()
    for symbol, coverage in usual.items():
        lake.insert(
            "daily_summary", [{"session": day, "symbol": symbol, "completeness_pct": coverage} for day in known]
        )
    add(lake, minutes)
    stage(lake, DAY)
    return lake


def add(lake: DuckLake, minutes: dict[str, range], day: str = DAY) -> None:
    for symbol, found in minutes.items():
        lake.load(
            f"SELECT '{symbol}' AS symbol, strftime(moment, '%Y-%m-%dT%H:%M:%SZ') AS timestamp, "
            "timestamp AS ingested_at, 100 AS open, 101 AS high, 99 AS low, 100 AS price, 100 AS previous_close, "
            f"1000 AS volume, 'replay' AS source, '{day}' AS dt "
            f"FROM (SELECT TIMESTAMP '{day} 14:30:00' + to_minutes(minute) AS moment "
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
        pytest.param(
            {name: range(200) for name in USUAL},
            {"feed_is_alive": ["*"], "quotes_until_the_close": ["AAA", "BBB", "CCC", "DDD"]},
            id="a feed that died",
        ),
        pytest.param(
            {name: range(0, 390, 3) for name in USUAL},
            {"coverage": ["AAA", "BBB", "CCC", "DDD"]},
            id="a feed that asks every three minutes",
        ),
        pytest.param(
            {name: range(0, 390, 8) for name in USUAL},
            {"feed_is_alive": ["*"], "coverage": ["AAA", "BBB", "CCC", "DDD"]},
            id="a feed that answers every eight minutes",
        ),
        pytest.param({name: range(100, 390) for name in USUAL}, {"feed_is_alive": ["*"]}, id="a feed that came late"),
        pytest.param({name: range(40, 390) for name in USUAL}, {}, id="a feed that missed forty minutes"),
        pytest.param(
            {"AAA": range(200), "BBB": range(200), "CCC": range(200)},
            {"feed_is_alive": ["*"], "quotes_until_the_close": ["AAA", "BBB", "CCC"]},
            id="3 of 4 die",
        ),
        pytest.param(
            {"AAA": range(30), "BBB": range(330)}, {"quotes_until_the_close": ["AAA", "BBB"]}, id="2 of 4 die"
        ),
        pytest.param({"AAA": range(30), "BBB": range(331)}, {}, id="one dies, another an hour before the close"),
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


@pytest.mark.parametrize(
    ("steady", "expected"), [(1, {}), (2, {}), (3, {"feed_is_alive": ["*"]})], ids=["one", "two", "three"]
)
def test_a_feed_is_judged_from_three_steady_symbols_on(steady: int, expected: dict[str, list[str]]) -> None:
    halted = {name: range(90, 390) for name in ("AAA", "BBB", "CCC")[:steady]}
    thin = {"THIN": range(0, 390, 5), "FAINT": range(0, 390, 6)}
    assert failing(lake_with(halted | thin, {**dict.fromkeys(halted, 100.0), **dict.fromkeys(thin, 20.0)})) == expected


@pytest.mark.parametrize(("sessions", "expected"), [(4, {}), (5, {"coverage": ["DDD"]})])
def test_a_symbol_is_judged_from_five_known_sessions_on(sessions: int, expected: dict[str, list[str]]) -> None:
    minutes = {"AAA": WHOLE, "DDD": range(0, 390, 3)}
    assert failing(lake_with(minutes, dict.fromkeys(minutes, 100.0), KNOWN[-sessions:])) == expected


class State:
    """A deployment's state table, as far as the audit asks it."""

    state_table_name = database_name = work_group_name = bucket_name = "tapeline-here"

    def __init__(self, followed: str = "") -> None:
        self.items: dict[str, Any] = {"followed": {"symbols": {"L": [{"S": name} for name in followed.split()]}}}

    @property
    def outputs(self) -> State:
        return self

    def client(self, _: str) -> State:
        return self

    def get_item(self, TableName: str, Key: Any) -> Any:  # noqa: N803 - boto3's names
        return {"Item": self.items[Key["key"]["S"]]} if Key["key"]["S"] in self.items else {}

    def put_item(self, TableName: str, Item: Any) -> None:  # noqa: N803
        self.items[Item["key"]["S"]] = Item


def audited(
    monkeypatch: pytest.MonkeyPatch, state: Any, day: str, minutes: dict[str, range], usual: dict[str, float]
) -> AuditResult:
    """What becomes of a session whose coverage, and that of those before, is as told; it is remembered."""
    lake = lake_with({}, usual)
    add(lake, minutes, day)
    stage(lake, day)
    monkeypatch.setattr(athena, "query", lambda deployment, statement: iter(lake.run(statement)))
    result = audit.audit(state, {"session": day})
    audit.remember(state, result, datetime(2025, 12, 5, tzinfo=UTC))
    return result


THREE_DAYS = ("2025-11-26", "2025-11-28", "2025-12-01")


def test_a_symbol_that_is_slower_for_good_is_withheld_once(monkeypatch: pytest.MonkeyPatch) -> None:
    state, minutes = State(), {"AAA": range(200), "DDD": range(0, 200, 3)}
    usual = dict.fromkeys(minutes, 100.0)
    found = [audited(monkeypatch, state, day, minutes, usual) for day in (*THREE_DAYS, THREE_DAYS[0], THREE_DAYS[1])]
    assert [list(one.withheld) for one in found] == [["DDD"], [], [], ["DDD"], []]  # a rerun says the same
    assert [one.slower for one in found] == [(), ("DDD",), ("DDD",), (), ("DDD",)]
    assert "far below their usual coverage: DDD" in found[1].summary
    whole = audited(monkeypatch, state, "2025-12-02", dict.fromkeys(minutes, WHOLE), usual)
    assert (whole.withheld, whole.slower) == ({}, ())
    again = audited(monkeypatch, state, "2025-12-03", minutes, usual)
    assert list(again.withheld) == ["DDD"]


def test_a_feed_that_is_slower_as_a_whole_is_published_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    minutes = {name: range(0, 390, 3) for name in USUAL if name != "THIN"}
    found = audited(monkeypatch, State(), DAY, minutes, dict.fromkeys(minutes, 100.0))
    assert (found.withheld, found.slower) == ({}, ("AAA", "BBB", "CCC", "DDD"))
    assert found.published == found.slower


def test_missing_symbols_are_named_until_they_are_followed_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    state = State(followed="AAA GONE NEW")
    usual = {"AAA": 100.0, "GONE": 100.0, "OUT": 100.0}
    first, *others = [
        audited(monkeypatch, state, day, {"AAA": WHOLE}, usual if day == DAY else {"AAA": 100.0}) for day in THREE_DAYS
    ]
    assert first.missing == ("GONE", "OUT")
    assert [one.missing for one in others] == [("GONE",), ("GONE",)]
    state.items["followed"]["symbols"]["L"] = [{"S": "AAA"}]
    assert audited(monkeypatch, state, "2025-12-02", {"AAA": WHOLE}, {"AAA": 100.0}).missing == ()


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
    for check in sql_files.catalogue():
        if "/checks/" in check.name:
            last_select = check.text.rpartition("\nSELECT")[2]
            assert ("symbol" in last_select.split("FROM")[0]) or check.header["Scope"] == "session", check.name
