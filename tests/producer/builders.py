"""Small things the producer's tests share: a quote, a Kinesis that fails on command, and time that passes when told."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from producer.simulated import SimulatedMarket
from tapeline.market.dates import NEW_YORK
from tapeline.market.quotes import Quote
from tapeline.stream.source import Counters, Stop

QUOTE = Quote(
    symbol="AAPL",
    timestamp="2026-03-12T13:30:00Z",
    open=Decimal("258.64"),
    high=Decimal("258.95"),
    low=Decimal("257.45"),
    price=Decimal("257.99"),
    previous_close=Decimal("260.81"),
    volume=1169548,
    source="replay",
    ingested_at="2026-03-12T13:30:00.250Z",
)


def quote(symbol: str, number: int) -> Quote:
    """Return the n-th quote of a symbol; its volume is the number."""
    time = f"2026-03-12T{13 + number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z"
    return dataclasses.replace(QUOTE, symbol=symbol, timestamp=time, volume=number)


def simulated_day(
    day: date, symbols: Sequence[str], *, seed: int = 1, every_seconds: float = 60.0, ingested_at: datetime
) -> list[Quote]:
    """Return what the simulated market quotes from midnight to midnight in New York, in time order."""
    market = SimulatedMarket(symbols, seed)
    start, end = (datetime.combine(at, time(), NEW_YORK).timestamp() for at in (day, day + timedelta(days=1)))
    moments = [start + number * every_seconds for number in range(math.ceil((end - start) / every_seconds))]
    return [market.quote(symbol, moment, ingested_at) for moment in moments for symbol in symbols]


class FixedSource:
    """Gives the quotes it was made with."""

    def __init__(self, quotes: Iterable[Quote]) -> None:
        self._quotes = list(quotes)
        self.total: int | None = len(self._quotes)

    def quotes(self, counters: Counters, stop: Stop) -> Iterator[Quote]:
        for each in self._quotes:
            counters.add(read=1)
            yield each


class FakeKinesis:
    """Accepts records in call order, unless `fate` says otherwise.

    `fate(record)` gives an error code for one record, or None; `before(call_number)` may raise for the whole call.
    """

    def __init__(
        self,
        fate: Callable[[dict[str, Any]], str | None] = lambda record: None,
        before: Callable[[int], None] = lambda number: None,
    ) -> None:
        self.meta = SimpleNamespace(region_name="us-east-1")
        self.calls: list[list[dict[str, Any]]] = []
        self.accepted: list[dict[str, Any]] = []
        self._fate = fate
        self._before = before

    def put_records(self, *, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.calls.append(Records)
        self._before(len(self.calls))
        answers = []
        for record in Records:
            code = self._fate(record)
            if code:
                answers.append({"ErrorCode": code, "ErrorMessage": "as told"})
            else:
                self.accepted.append(record)
                answers.append({"SequenceNumber": str(len(self.accepted)), "ShardId": "shardId-000000000000"})
        return {"FailedRecordCount": sum("ErrorCode" in answer for answer in answers), "Records": answers}


class FakeTime:
    """A clock, and a stop whose wait moves it: nothing sleeps. Set `ends_at` to stop at a moment."""

    def __init__(self, now: float = 1_800_000_000.0, ends_at: float = float("inf")) -> None:
        self.now = now
        self.ends_at = ends_at
        self.waits: list[float] = []
        self._set = threading.Event()

    def clock(self) -> float:
        return self.now

    def is_set(self) -> bool:
        return self._set.is_set() or self.now >= self.ends_at

    def set(self) -> None:
        self._set.set()

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None:
            raise AssertionError("an endless wait")
        self.waits.append(timeout)
        self.now += timeout
        return self.is_set()
