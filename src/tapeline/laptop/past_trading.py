"""A recent session of the simulated market for an installation that has none, so that there is something to roll up."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from producer.simulated import SIMULATED_SYMBOLS, SimulatedMarket
from tapeline.aws.deployment import Deployment
from tapeline.market import sessions
from tapeline.market.quotes import Quote, timestamp_of
from tapeline.stream import tables
from tapeline.stream.keys import RAW_PREFIX, parse_key
from tapeline.stream.pump import run
from tapeline.stream.source import Counters, Stop
from tapeline.stream.writer import KinesisWriter

ROLLUP_DELAY = timedelta(minutes=30)
"""How long after its close `daily_rollup` rolls a session up."""

MARGIN = timedelta(minutes=30)
"""Trading before the open and after the close that is made up too."""

EVERY_SECONDS = 60.0


class NotStoredError(RuntimeError):
    """What was put on the stream has not reached DynamoDB in time."""


class PastTrading:
    """What the simulated market quoted in and around past sessions, a minute apart; the last one may be under way."""

    def __init__(self, market: SimulatedMarket, past: list[sessions.Session], now: datetime) -> None:
        self._market = market
        self._now = now
        spans = [(session.opens_at - MARGIN, min(now, session.closes_at + MARGIN)) for session in past]
        self._moments = [moment for opens_at, closes_at in spans for moment in _minutes(opens_at, closes_at)]
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
        timestamp = timestamp_of(self._moments[-1])
        return [{"symbol": {"S": symbol}, "timestamp": {"S": timestamp}} for symbol in self._market.symbols]


def put_missing(
    deployment: Deployment,
    symbols: Sequence[str],
    now: datetime,
    *,
    wait_seconds: float,
    on_wait: Callable[[], None] = lambda: None,
) -> str:
    """Put on the stream what `missing_sessions` names, wait until it is stored, and return in a line what was done.

    Without symbols these are all of the simulated market. `on_wait` is called again and again while it waits; what it
    raises ends the wait.

    Raises
    ------
    NotStoredError
        If it has not reached DynamoDB after `wait_seconds`.
    """
    missing = missing_sessions(deployment, now)
    if not missing:
        return ""
    days = " and ".join(session.key for session in missing)
    past = PastTrading(SimulatedMarket(symbols or SIMULATED_SYMBOLS), missing, now)
    writer = KinesisWriter(deployment.client("kinesis"), deployment.outputs.stream_name, Counters())
    run(past, writer, stop=threading.Event())
    deadline = time.monotonic() + wait_seconds
    while not _is_stored(deployment, past):
        on_wait()
        if time.monotonic() > deadline:
            raise NotStoredError(f"The trading of {days} is not stored yet; its rollup may fail once.")
        time.sleep(0.5)
    return f"Simulated the trading of {days} for the DAGs: {past.total:,} quotes"


def missing_sessions(deployment: Deployment, now: datetime) -> list[sessions.Session]:
    """Return the newest session due for its rollup, and those begun since, that the raw zone has nothing of."""
    due = [sessions.latest_session(now)]
    while due[0].closes_at + ROLLUP_DELAY > now:
        due.insert(0, sessions.previous_session(due[0].day))
    return [session for session in due if not _has_trading(deployment, session)]


def _has_trading(deployment: Deployment, session: sessions.Session) -> bool:
    """Return whether the raw zone has a quote of before the session's close; one of its evening does not count."""
    bucket, prefix = deployment.outputs.bucket_name, f"{RAW_PREFIX}dt={session.key}/"
    first = deployment.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("Contents", [])
    return bool(first) and parse_key(first[0]["Key"]).first_time < session.closes_at


def _is_stored(deployment: Deployment, trading: PastTrading) -> bool:
    """Return whether the last quote of each symbol has reached DynamoDB, and so, in order, all before it."""
    keys = trading.last_keys()
    dynamodb, table = deployment.client("dynamodb"), deployment.outputs.table_name
    return len(tables.read_items(dynamodb, table, keys, tables.Patience(lambda: 10.0))) == len(keys)


def _minutes(start: datetime, end: datetime) -> list[float]:
    first = start.timestamp()
    return [first + number * EVERY_SECONDS for number in range(math.ceil((end.timestamp() - first) / EVERY_SECONDS))]
