"""Daily history into the lake of the local AWS: fetched once, resumed, joined with what the quotes made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tapeline.lake import athena, backfill, sql_files
from tapeline.lake.daily_bars import DailyBar
from tests.sql.lakes import AthenaLake
from tests.stack import LocalDeployment, objects

FIRST, LAST = "2025-11-20", "2025-11-28"
SESSIONS = [date(2025, 11, day) for day in (20, 21, 24, 25, 26, 28)]  # Thanksgiving is none


class Vendor:
    """Has every weekday of KO and of AAPL from the 24th on, and knows how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, date, date]] = []
        self.close = Decimal("70.5")

    def fetch(self, symbol: str, first: date, last: date) -> Sequence[DailyBar]:
        self.asked.append((symbol, first, last))
        if symbol == "GONE":
            raise LookupError("no such symbol")
        return [
            DailyBar(day, symbol, Decimal(70), Decimal(72), Decimal(69), self.close, 1000 + day.day)
            for day in SESSIONS
            if first <= day <= last and (symbol != "AAPL" or day.day >= 24)
        ]


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


def test_history_is_fetched_once_and_only_what_is_missing(
    deployment: LocalDeployment, lake: AthenaLake, vendor: Vendor
) -> None:
    chunks = backfill.plan_backfill(deployment, ["KO", "AAPL", "GONE"], FIRST, LAST)
    assert [(chunk.symbol, chunk.sessions) for chunk in chunks] == [
        (symbol, tuple(SESSIONS)) for symbol in ("KO", "AAPL", "GONE")
    ]
    filled = [backfill.fill(deployment, chunk, vendor.fetch) for chunk in chunks]
    assert [(chunk.rows, len(chunk.absent)) for chunk in filled] == [(6, 0), (4, 2), (0, 6)]
    assert "no such symbol" in str(filled[2])
    assert objects(deployment, backfill.INCOMING_PREFIX) == []

    again = backfill.plan_backfill(deployment, ["KO", "AAPL"], FIRST, LAST)
    assert [(chunk.symbol, chunk.sessions) for chunk in again] == [("AAPL", tuple(SESSIONS[:2]))]
    found = lake.run("SELECT * FROM daily_history WHERE symbol = 'KO' ORDER BY session")
    assert [(row["session"], row["close_usd"], row["volume_shares"]) for row in found] == [
        (day, 70.5, 1000 + day.day) for day in SESSIONS
    ]


def test_a_chunk_filled_again_replaces_its_rows_and_no_others(
    deployment: LocalDeployment, lake: AthenaLake, vendor: Vendor
) -> None:
    (chunk,) = backfill.plan_backfill(deployment, ["BRK-B"], FIRST, LAST)
    backfill.fill(deployment, chunk, vendor.fetch)
    vendor.close = Decimal(71)
    backfill.fill(deployment, chunk, vendor.fetch)
    found = lake.run("SELECT symbol, close_usd FROM daily_history WHERE symbol = 'BRK-B'")
    assert found == [{"symbol": "BRK-B", "close_usd": 71.0}] * 6


def test_a_run_that_dies_between_fetch_and_merge_is_resumed(
    deployment: LocalDeployment, lake: AthenaLake, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    (chunk,) = backfill.plan_backfill(deployment, ["XOM"], FIRST, LAST)

    def die(*_: Any) -> Any:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(athena, "run", die)
        with pytest.raises(InterruptedError):
            backfill.fill(deployment, chunk, vendor.fetch)
    (again,) = backfill.plan_backfill(deployment, ["XOM"], FIRST, LAST)
    assert backfill.fill(deployment, again, vendor.fetch).rows == 6
    assert backfill.plan_backfill(deployment, ["XOM"], FIRST, LAST) == []
    assert objects(deployment, backfill.INCOMING_PREFIX) == []


def test_daily_bars_put_the_history_beside_what_the_quotes_made(
    deployment: LocalDeployment, lake: AthenaLake, vendor: Vendor
) -> None:
    for chunk in backfill.plan_backfill(deployment, ["AAPL"], FIRST, LAST):
        backfill.fill(deployment, chunk, vendor.fetch)
    athena.run(deployment, sql_files.load("daily_history/view").render())
    found = lake.run(
        "SELECT session, close_usd, previous_close_usd, change_pct, origin FROM daily_bars "
        "WHERE symbol = 'AAPL' AND session >= DATE '2025-11-24' ORDER BY session"
    )
    # The quotes' 107, 93 and 96 stand; of the 25th, which had no quotes, the vendor's 70.50.
    assert [tuple(row.values())[1:] for row in found] == [
        (107.0, 103.0, 3.88, "daily_summary"),
        (70.5, 107.0, -34.11, "daily_history"),
        (93.0, 70.5, 31.91, "daily_summary"),
        (96.0, 93.0, 3.23, "daily_summary"),
    ]


def test_a_rate_limit_ends_the_run_and_a_second_one_goes_on(
    deployment: LocalDeployment, lake: AthenaLake, vendor: Vendor
) -> None:
    chunks = backfill.plan_backfill(deployment, ["GE", "F"], FIRST, LAST)
    assert [(chunk.symbol, len(chunk.sessions)) for chunk in chunks] == [("GE", 6), ("F", 6)]
    assert vendor.asked == []

    def limited(symbol: str, first: date, last: date) -> Sequence[DailyBar]:
        if symbol == "F":
            raise RuntimeError("429")
        return vendor.fetch(symbol, first, last)

    assert backfill.fill(deployment, chunks[0], limited).rows == 6
    with pytest.raises(RuntimeError, match="429"):
        backfill.fill(deployment, chunks[1], limited)
    (chunk,) = backfill.plan_backfill(deployment, ["GE", "F"], FIRST, LAST)
    assert str(backfill.fill(deployment, chunk, vendor.fetch)) == "F 2025-11-20 to 2025-11-28: 6 sessions stored"
    assert backfill.plan_backfill(deployment, ["GE", "F"], FIRST, LAST) == []


def test_a_range_without_a_finished_session_is_refused(deployment: LocalDeployment) -> None:
    with pytest.raises(ValueError, match="2025-11-27"):
        backfill.plan_backfill(deployment, ["KO"], "2025-11-27", "2025-11-27")
