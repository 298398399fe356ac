"""The trading that `tapeline up` makes up, so that the DAGs of a new installation have something to work on."""

from __future__ import annotations

from datetime import UTC, date, datetime

from producer.simulated import SimulatedMarket
from tapeline.laptop.past_trading import PastTrading, missing_sessions
from tapeline.market import sessions
from tapeline.stream.keys import raw_key
from tapeline.stream.source import Counters
from tests.cli.stream import LocalDeployment


class Never:
    def is_set(self) -> bool:
        return False


def put(deployment: LocalDeployment, *moments: datetime) -> None:
    """Put objects into the raw zone whose first quotes are of these moments."""
    for moment in moments:
        key = raw_key(moment, "shard-1", "7")
        deployment.s3.put_object(Bucket=deployment.outputs.bucket_name, Key=key, Body=b"")


def test_past_trading_covers_a_session_and_the_one_under_way_until_now() -> None:
    now = datetime(2025, 12, 1, 15, 0, tzinfo=UTC)  # 10:00 in New York
    half_day, monday = sessions.session(date(2025, 11, 28)), sessions.session(date(2025, 12, 1))
    trading = PastTrading(SimulatedMarket(["ACME.SIM"]), [half_day, monday], now)
    counters = Counters()
    quotes = list(trading.quotes(counters, Never()))  # type: ignore[arg-type]  # it does not even wait
    assert len(quotes) == trading.total == counters.now().read == (30 + 210 + 30) + (30 + 30)
    assert [quotes[0].timestamp, quotes[269].timestamp] == ["2025-11-28T14:00:00Z", "2025-11-28T18:29:00Z"]
    assert [quotes[270].timestamp, quotes[-1].timestamp] == ["2025-12-01T14:00:00Z", "2025-12-01T14:59:00Z"]


def test_only_sessions_without_quotes_are_made_up(deployment: LocalDeployment) -> None:
    put(deployment, datetime(2025, 11, 26, 15, 0, tzinfo=UTC), datetime(2025, 11, 28, 15, 0, tzinfo=UTC))

    def missing(now: str) -> list[str]:
        moment = datetime.fromisoformat(now)
        return [session.key for session in missing_sessions(deployment, moment)]

    assert missing("2025-11-30T12:00:00+00:00") == []
    assert missing("2025-12-01T15:00:00+00:00") == ["2025-12-01"]
    assert missing("2025-11-26T12:00:00+00:00") == ["2025-11-25"]
    assert missing("2025-12-02T21:10:00+00:00") == ["2025-12-01", "2025-12-02"]


def test_quotes_of_the_evening_alone_are_no_session(deployment: LocalDeployment) -> None:
    put(deployment, datetime(2025, 12, 4, 0, 30, tzinfo=UTC))  # 19:30 in New York
    evening = datetime(2025, 12, 4, 1, 0, tzinfo=UTC)
    assert [session.key for session in missing_sessions(deployment, evening)] == ["2025-12-03"]
