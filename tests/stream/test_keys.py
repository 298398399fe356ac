"""Keys in S3, both ways; the trading date is New York's."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from tapeline.market.dates import trading_date
from tapeline.stream import keys

SEQUENCE = "49" + "0" * 53 + "1"


def test_the_key_of_the_contract_is_made_and_read() -> None:
    moment = datetime(2026, 3, 13, 3, 59, 59, 999000, tzinfo=UTC)
    key = keys.raw_key(moment, "shardId-000000000003", SEQUENCE)
    assert key == f"raw-data/dt=2026-03-12/2026-03-13T03-59-59Z-shardId-000000000003-{SEQUENCE}.json.gz"

    parts = keys.parse_key(key)
    assert parts.trading_date == date(2026, 3, 12)
    assert parts.first_time == datetime(2026, 3, 13, 3, 59, 59, tzinfo=UTC)
    assert (parts.shard_id, parts.sequence_number) == ("shardId-000000000003", SEQUENCE)
    assert str(parts) == key


def test_rejects_lie_under_the_date_of_their_arrival() -> None:
    key = keys.rejected_key(datetime(2026, 11, 2, 4, 30, tzinfo=UTC), "shardId-000000000000", "7")
    assert key == "rejected/dt=2026-11-01/2026-11-02T04-30-00Z-shardId-000000000000-7.json.gz"


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 3, 8, 4, 59, tzinfo=UTC), date(2026, 3, 7)),  # the last minute before the clocks change: UTC-5
        (datetime(2026, 3, 9, 3, 59, tzinfo=UTC), date(2026, 3, 8)),  # after it: UTC-4
        (datetime(2026, 11, 1, 4, 0, tzinfo=UTC), date(2026, 11, 1)),
        (datetime(2026, 11, 2, 4, 59, tzinfo=UTC), date(2026, 11, 1)),
    ],
)
def test_the_trading_date_follows_daylight_saving(moment: datetime, expected: date) -> None:
    assert trading_date(moment) == expected


@pytest.mark.parametrize(
    "key", ["", "raw-data/x.json.gz", "raw-data/dt=2026-03-12/x.json.gz", "reports/dt=2026-03-12/"]
)
def test_another_key_is_refused_with_what_was_expected(key: str) -> None:
    with pytest.raises(ValueError, match="expected raw-data/ or rejected/"):
        keys.parse_key(key)
