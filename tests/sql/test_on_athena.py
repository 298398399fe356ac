"""What only the whole way shows: gzip objects, the catalog's partitions, MERGE into Iceberg, pseudo columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tapeline.lake import sql_files
from tapeline.lake.rollup import CURATED
from tapeline.market.quotes import parse_quote
from tests.sql.answers.compute import JUDGED
from tests.sql.conftest import SESSIONS, answer, differences, hand_made_quotes
from tests.sql.lakes import (
    AthenaLake,
    Dated,
    DuckLake,
    Row,
    curated,
    failed_checks,
    publish,
    render,
    roll_up,
    stage,
)

DAY = "2025-12-02"
"""A session of the same hours as 2025-11-26, whose quotes are moved here."""


@pytest.fixture(scope="module")
def moved() -> list[Dated]:
    def move(text: str) -> str:
        return text.replace("2025-11-26", DAY)

    return [
        (DAY, replace(quote, timestamp=move(quote.timestamp), ingested_at=move(quote.ingested_at)))
        for day, quote in hand_made_quotes()
        if day == "2025-11-26"
    ]


@pytest.fixture
def day(athena_lake: AthenaLake) -> Iterator[AthenaLake]:
    """The lake with that day empty, before and after."""
    yield athena_lake
    athena_lake.clear(DAY)
    roll_up(athena_lake, DAY)


def everything(lake: AthenaLake | DuckLake) -> dict[str, list[Row]]:
    return {table: curated(lake, table, DAY) for table in CURATED}


def test_a_session_comes_to_the_same_rows_by_any_way(day: AthenaLake, moved: list[Dated]) -> None:
    at_once = DuckLake()
    at_once.add(moved)
    roll_up(at_once, DAY)

    day.add(moved[::2])
    roll_up(day, DAY)
    assert everything(day) != everything(at_once)
    day.add(moved[1::2])
    roll_up(day, DAY)
    assert everything(day) == everything(at_once)
    roll_up(day, DAY)
    assert everything(day) == everything(at_once)

    day.remove(DAY, "XOM")
    at_once.remove(DAY, "XOM")
    roll_up(day, DAY)
    roll_up(at_once, DAY)
    assert everything(day) == everything(at_once)


@pytest.fixture
def judged(athena_lake: AthenaLake) -> Iterator[AthenaLake]:
    """The lake with the quotes that have a verdict, and without them afterwards."""
    athena_lake.add(hand_made_quotes("judged"))
    yield athena_lake
    athena_lake.clear(JUDGED)
    roll_up(athena_lake, JUDGED)


def test_the_stream_s_verdict_is_read_from_raw_lines_that_have_one_and_from_others(judged: AthenaLake) -> None:
    roll_up(judged, JUDGED)
    for table in CURATED:
        assert differences(curated(judged, table, JUDGED), answer(f"judged_{table}")) == []
    assert differences(judged.run(render("latest_quotes", session=JUDGED)), answer("judged_latest_quotes")) == []
    assert judged.run(render("minute_bars/checks/quotes_against_raw", session=JUDGED)) == []


def test_no_figure_that_the_parser_accepts_breaks_a_statement(day: AthenaLake) -> None:
    """With all thresholds of the stream off, whatever a quote may say is stored and reaches SQL."""
    line = {
        **dict.fromkeys(("open", "high", "low", "price", "previous_close"), "100"),
        "symbol": "ANY",
        "volume": "1000",
        "source": "replay",
        "ingested_at": f"{DAY}T16:00:00Z",
    }
    odd = [
        {"price": "1e12", "previous_close": "1e-38"},
        {"price": "1e-38", "previous_close": "1e12"},
        {"price": "1", "previous_close": "1e-9"},
        {"price": "0", "previous_close": "0", "open": "0", "high": "0", "low": "0"},
        {"high": "1", "low": "1e12"},
        *({"volume": str(2**63 - 1 if number % 2 else 1)} for number in range(9)),
    ]
    arrival = datetime(2025, 12, 2, 17, tzinfo=UTC)
    for symbol in ("ANY", "^VIX"):
        quotes = []
        for second, figures in enumerate(odd):
            told = {**line, "symbol": symbol, "timestamp": f"{DAY}T15:00:{second:02}.001Z", **figures}
            text = ", ".join(
                f'"{name}": {value}' if value[0].isdigit() and "T" not in value else f'"{name}": "{value}"'
                for name, value in told.items()
            )
            quotes.append((DAY, parse_quote(f"{{{text}}}".encode(), arrival)))
        day.add(quotes)
    roll_up(day, DAY)
    failed_checks(day, DAY)
    assert [row["symbol"] for row in day.run(render("latest_quotes", session=DAY))] == ["ANY", "^VIX"]
    for name in ("reports/course", "reports/gaps", "reports/received"):
        assert day.run(render(name, first_session=DAY, last_session=DAY))
    assert {row["symbol"]: row["quotes"] for row in curated(day, "daily_summary", DAY)} == {"ANY": 13, "^VIX": 13}


def test_a_session_is_replaced_in_one_snapshot_and_the_former_one_stays_readable(
    day: AthenaLake, moved: list[Dated]
) -> None:
    day.add(moved[:5])
    roll_up(day, DAY)
    before = everything(day)
    day.add(moved[5:])
    stage(day, DAY)
    assert everything(day) == before
    count = 'SELECT count(*) AS snapshots, max(committed_at) AS newest FROM "minute_bars$snapshots"'
    [told] = day.run(count)
    publish(day, DAY)
    assert day.run(count)[0]["snapshots"] == told["snapshots"] + 1
    former = day.run(
        f"SELECT minute_bars.* FROM minute_bars FOR TIMESTAMP AS OF (TIMESTAMP '{told['newest']}') "
        f"WHERE session = DATE '{DAY}' ORDER BY session, symbol, minute_utc"
    )
    assert former == before["minute_bars"]


def test_the_first_ten_rows_are_ten_quotes_as_they_came(athena_lake: AthenaLake) -> None:
    rows = athena_lake.run(render("first_ten_rows"))
    sent = {(day, quote.symbol, quote.timestamp, float(quote.price), quote.volume) for day, quote in hand_made_quotes()}
    assert len(rows) == 10
    assert {(row["dt"], row["symbol"], row["timestamp"], row["price"], row["volume"]) for row in rows} <= sent


def test_files_and_bytes_of_each_partition_are_counted(athena_lake: AthenaLake) -> None:
    rows = athena_lake.run(render("partition_files", first_session="2025-11-26", last_session="2025-11-28"))
    assert [(row["dt"], row["files"], row["bytes"], row["records"]) for row in rows] == [
        (day, 1, athena_lake.object_sizes[day][0], records)
        for day, records in (("2025-11-26", 22), ("2025-11-27", 1), ("2025-11-28", 10))
    ]


@pytest.mark.parametrize("name", ["latest_quotes", "duplicates_and_late_quotes"])
def test_a_question_of_one_day_reads_the_files_of_that_day_only(athena_lake: AthenaLake, name: str) -> None:
    for statement in (render(name, session="2025-11-28"), render(name)):  # without a value: the newest day
        athena_lake.run(statement)
        assert athena_lake.scanned_bytes == sum(athena_lake.object_sizes["2025-11-28"])


@pytest.mark.parametrize(
    "name", [file.name for file in sql_files.catalogue() if file.name.endswith(("compact", "expire"))]
)
def test_housekeeping_changes_no_row(athena_lake: AthenaLake, name: str) -> None:
    table = name.partition("/")[0]
    before = curated(athena_lake, table, *SESSIONS)
    athena_lake.run(render(name))
    assert curated(athena_lake, table, *SESSIONS) == before


def test_old_staged_rows_are_forgotten_and_published_ones_kept(athena_lake: AthenaLake) -> None:
    before = {table: curated(athena_lake, table, *SESSIONS) for table in CURATED}
    for table in CURATED:
        athena_lake.run(render(f"{table}/clear_staging"))
        assert curated(athena_lake, f"{table}_staging", *SESSIONS) == []
    assert {table: curated(athena_lake, table, *SESSIONS) for table in CURATED} == before
    for session in SESSIONS:  # as the other tests expect it
        stage(athena_lake, session)
