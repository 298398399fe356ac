"""A recent session of the simulated market for an installation that has none, so that there is something to roll up."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tapeline.aws.deployment import Deployment
from tapeline.market import sessions
from tapeline.market.quotes import Quote, write_timestamp
from tapeline.stream import tables
from tapeline.stream.keys import RAW_PREFIX, parse_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from producer.simulated import SimulatedMarket
    from tapeline.stream.source import Counters, Stop

ROLLUP_DELAY = timedelta(minutes=30)
"""How long after its close `daily_rollup` rolls a session up."""

MARGIN = timedelta(minutes=30)
"""Trading before the open and after the close that is made up too."""

EVERY_SECONDS = 60.0


class PastTrading:
    """What the simulated market quoted in and around some sessions until now, a minute apart.

    Parameters
    ----------
    market : SimulatedMarket
        What to quote.
    wanted : list of sessions.Session
        Past sessions, the last of which may be under way.
    now : datetime
        Aware.
    """

    def __init__(self, market: SimulatedMarket, wanted: list[sessions.Session], now: datetime) -> None:
        self._market = market
        self._now = now
        self._moments = [
            moment for one in wanted for moment in _minutes(one.opens_at - MARGIN, min(now, one.closes_at + MARGIN))
        ]
        self.total: int | None = len(self._moments) * len(market.symbols)

    def quotes(self, counters: Counters, stop: Stop) -> Iterator[Quote]:
        """Yield the quotes in time order."""
        for moment in self._moments:
            for symbol in self._market.symbols:
                if stop.is_set():
                    return
                counters.add(read=1)
                yield self._market.quote(symbol, moment, self._now)

    def last_keys(self) -> list[tables.Item]:
        """Return the keys of the last quote of each symbol, as DynamoDB has them."""
        timestamp = write_timestamp(datetime.fromtimestamp(self._moments[-1], UTC))
        return [{"symbol": {"S": symbol}, "timestamp": {"S": timestamp}} for symbol in self._market.symbols]


def missing_sessions(deployment: Deployment, now: datetime) -> list[sessions.Session]:
    """Return the newest session due for its rollup, and those begun since, as far as the raw zone has nothing of them.

    Parameters
    ----------
    now : datetime
        Aware.
    """
    newest = sessions.latest_session(now)
    wanted = [newest]
    while wanted[0].closes_at + ROLLUP_DELAY > now:
        wanted.insert(0, sessions.previous_session(wanted[0].day))
    return [one for one in wanted if not _has_trading(deployment.client("s3"), deployment.outputs.bucket_name, one)]


def _has_trading(s3: S3Client, bucket: str, one: sessions.Session) -> bool:
    """Tell whether the raw zone has a quote of before the session's close; of the evening alone nothing is made up."""
    first = s3.list_objects_v2(Bucket=bucket, Prefix=f"{RAW_PREFIX}dt={one.key}/", MaxKeys=1).get("Contents", [])
    return bool(first) and parse_key(first[0]["Key"]).first_time < one.closes_at


def is_stored(deployment: Deployment, trading: PastTrading) -> bool:
    """Tell whether the last quote of each symbol has reached DynamoDB, and so, in order, all before it."""
    keys = trading.last_keys()
    found = tables.read_items(
        deployment.client("dynamodb"), deployment.outputs.table_name, keys, tables.Patience(lambda: 10.0)
    )
    return len(found) == len(keys)


def put_missing(deployment: Deployment, now: datetime, patience_seconds: float) -> str:
    """Put on the stream what `missing_sessions` names, wait until it is stored, and say in a line what was done."""
    from producer.simulated import SIMULATED_SYMBOLS, SimulatedMarket
    from tapeline.stream.pump import run
    from tapeline.stream.source import Counters
    from tapeline.stream.writer import KinesisWriter

    wanted = missing_sessions(deployment, now)
    if not wanted:
        return "The trading of the newest session is there"
    days = " and ".join(one.key for one in wanted)
    past = PastTrading(SimulatedMarket(SIMULATED_SYMBOLS), wanted, now)
    run(
        past,
        KinesisWriter(deployment.client("kinesis"), deployment.outputs.stream_name, Counters()),
        stop=threading.Event(),
    )
    deadline = time.monotonic() + patience_seconds
    while not is_stored(deployment, past):
        if time.monotonic() > deadline:
            return f"The trading of {days} is not stored yet; its rollup may fail once"
        time.sleep(0.5)
    return f"Simulated the trading of {days}: {past.total:,} quotes"


def _minutes(start: datetime, end: datetime) -> list[float]:
    first = start.timestamp()
    return [first + number * EVERY_SECONDS for number in range(math.ceil((end.timestamp() - first) / EVERY_SECONDS))]
