"""The small lake the SQL files are tested on: quotes made by hand, the curated tables, and answers kept as files."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest

from localaws.testing import running
from tapeline.aws.clients import connect
from tapeline.deploy import stack
from tapeline.market.quotes import write_timestamp
from tests.sql.answers.compute import history, raw_quotes, vendor_history
from tests.sql.lakes import AthenaLake, Dated, DuckLake, JudgedQuote, Lake, Row, roll_up

ANSWERS = Path(__file__).parent / "answers"
SESSIONS = ("2025-11-26", "2025-11-28")

L = TypeVar("L", bound=Lake)


def hand_made_quotes(file: str = "quotes") -> list[Dated]:
    """The trading date and the quote of each record, in order of arrival."""
    quotes: list[Dated] = []
    for record in raw_quotes(file):
        milliseconds = record["at"].microsecond > 0
        quotes.append(
            (
                record["dt"],
                JudgedQuote(
                    symbol=record["symbol"],
                    timestamp=write_timestamp(record["at"].replace(tzinfo=UTC), milliseconds=milliseconds),
                    open=record["open"],
                    high=record["high"],
                    low=record["low"],
                    price=record["price"],
                    previous_close=record["previous_close"],
                    volume=record["volume"],
                    source="replay",
                    ingested_at=write_timestamp(record["ingested"].replace(tzinfo=UTC)),
                    revision=record["revision"],
                    suspect=record["suspect"],
                    confirms=record["confirms"],
                ),
            )
        )
    return quotes


@pytest.fixture(scope="session")
def duck_lake() -> DuckLake:
    return filled(DuckLake())


@pytest.fixture(scope="package")
def athena_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AthenaLake]:
    with pytest.MonkeyPatch.context() as patch, running(tmp_path_factory.mktemp("tapeline")) as local:
        patch.setenv("TAPELINE_HOME", str(local.folder))
        patch.setenv("TAPELINE_PORT", str(local.port))
        aws = connect("local")
        yield filled(AthenaLake(stack.deploy(aws, {}, lambda progress: None)))


@pytest.fixture(params=["duckdb", "athena"])
def lake(request: pytest.FixtureRequest) -> Lake:
    """A lake with both sessions rolled up and 24 sessions of history in daily_summary; tests leave it as it is."""
    found: Lake = request.getfixturevalue("duck_lake" if request.param == "duckdb" else "athena_lake")
    return found


def filled(lake: L) -> L:
    lake.add(hand_made_quotes())
    lake.insert("daily_summary", history())
    lake.insert("daily_history", vendor_history())
    roll_up(lake, *SESSIONS)
    return lake


def answer(name: str) -> list[dict[str, str]]:
    """The rows of an answer file, all text."""
    with (ANSWERS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def same(found: Any, expected: str) -> bool:
    """Tell whether a value is what an answer file says, floats to nine digits."""
    match found:
        case None:
            return expected == ""
        case bool():
            return expected == str(found).lower()
        case float() | Decimal() | int():
            return expected != "" and math.isclose(float(found), float(expected), rel_tol=1e-9, abs_tol=1e-9)
        case datetime():
            return expected != "" and found == datetime.fromisoformat(expected)
        case date():
            return found.isoformat() == expected
        case _:
            return bool(found == expected)


def differences(found: list[Row], expected: list[dict[str, str]]) -> list[str]:
    """What a result has otherwise than an answer, in words; columns and order count."""
    if len(found) != len(expected):
        return [f"expected {len(expected)} rows, found {len(found)}: {found}"]
    told = []
    for number, (row, wanted) in enumerate(zip(found, expected, strict=True), 1):
        if list(row) != list(wanted):
            told.append(f"expected columns {list(wanted)}, found {list(row)}")
            break
        told += [
            f"row {number} {name}: expected {wanted[name]!r}, found {row[name]!r}"
            for name in wanted
            if not same(row[name], wanted[name])
        ]
    return told
