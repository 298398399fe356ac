"""Calls per quote and quotes per second: our stream processor against the plain per-record one, on one local AWS."""

from __future__ import annotations

import base64
import importlib.util
import io
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from types import ModuleType, SimpleNamespace
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import plain_processor
from localaws.testing import LocalAws, running
from tapeline.aws.local import PROJECT, REGION

SYMBOLS = (1, 50, 500)
BATCHES = (100, 500, 1000)
ITEMS_BEFORE = 100_000
TURNS = 5
OURS_QUOTES = 1000
PLAIN_QUOTES = 50
"""Quotes of each in one turn; the plain one takes some ten milliseconds for each."""
START = datetime(2026, 3, 12, 13, 30, tzinfo=UTC)
BUCKET, TABLE, STATE_TABLE, FULL_TABLE = "bench", "bench-data", "bench-state", "bench-full"

Handler = Callable[[dict[str, Any]], None]

_second = itertools.count()


def make_events(symbols: int, batch: int, quotes: int, prefix: str = "S") -> Iterator[dict[str, Any]]:
    """Yield Kinesis events of `batch` records, round robin over so many symbols, no quote twice in a run."""
    for _ in range(0, quotes, batch):
        records = []
        for number in range(batch):
            moment = START + timedelta(seconds=next(_second))
            symbol = f"{prefix}{number % symbols}"
            price = 100 + number % 7 / 4
            text = (
                f'{{"symbol": "{symbol}", "timestamp": "{moment:%Y-%m-%dT%H:%M:%SZ}", "open": 100, "high": 102.5, '
                f'"low": 99.5, "price": {price}, "previous_close": 100, "volume": {number * 100}, '
                f'"source": "replay", "ingested_at": "{moment:%Y-%m-%dT%H:%M:%SZ}"}}'
            )
            sequence_number = f"{49 * 10**54 + next(_second)}"
            kinesis = {
                "sequenceNumber": sequence_number,
                "partitionKey": symbol,
                "data": base64.b64encode(text.encode()).decode(),
                "approximateArrivalTimestamp": moment.timestamp() + 1,
            }
            records.append({"eventID": f"shardId-000000000000:{sequence_number}", "kinesis": kinesis})
        yield {"Records": records}


@dataclass
class Result:
    """What was measured of one processor."""

    quotes: int = 0
    calls: int = 0
    rates: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Quotes per second, the median of the turns."""
        return median(self.rates)

    def against(self, plain: Result) -> list[str]:
        """Return the cells of a row: calls per quote and quotes per second of both, and the median of their ratios."""
        calls = [f"{result.calls / result.quotes:.3f}" for result in (self, plain)]
        rates = [f"{result.rate:,.0f}" for result in (self, plain)]
        ratios = [one / other for one, other in zip(self.rates, plain.rates, strict=True)]
        return [*calls, *rates, f"{median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"]


class Bench:
    """Both processors over one local AWS; requests are counted as they leave."""

    def __init__(self, aws: LocalAws) -> None:
        self.requests = 0
        self.dynamodb, self.s3 = aws.client("dynamodb"), aws.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        for table, keys in ((TABLE, _QUOTE_KEYS), (FULL_TABLE, _QUOTE_KEYS), (STATE_TABLE, _STATE_KEYS)):
            self.dynamodb.create_table(TableName=table, BillingMode="PAY_PER_REQUEST", **keys)
        self.processor = _load_processor(aws)
        for client in (self.dynamodb, self.s3, self.processor.dynamodb, self.processor.s3):
            client.meta.events.register("before-send.*.*", self._count)

    def _count(self, **_: Any) -> None:
        self.requests += 1

    def ours(self, table: str) -> Handler:
        """Return our handler as deployed, storing in a table."""
        settings = self.processor.settings
        changed = type(settings)(table, STATE_TABLE, BUCKET, settings.quote_retention, settings.rules)
        context = SimpleNamespace(
            function_name="bench",
            memory_limit_in_mb=512,
            invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:bench",
            aws_request_id="bench",
            get_remaining_time_in_millis=lambda: 60_000,
        )

        def handle(event: dict[str, Any]) -> None:
            self.processor.settings = changed  # type: ignore[attr-defined]
            with redirect_stdout(io.StringIO()):  # the metrics, which Lambda would collect
                answer = self.processor.handler(event, context)
            assert answer == {"batchItemFailures": []}, answer

        return handle

    def plain(self, table: str) -> Handler:
        """Return the plain handler, storing in a table."""
        return lambda event: plain_processor.handle(event, self.dynamodb, self.s3, table, BUCKET)

    def compare(self, table: str, symbols: int, batch: int, prefix: str) -> tuple[Result, Result]:
        """Measure ours and the plain one over a table, in turns, so that what else the machine does meets both."""
        ours, plain = Result(), Result()
        for turn in range(TURNS):
            events = list(make_events(symbols, batch, OURS_QUOTES, prefix))
            plain_events = list(make_events(symbols, PLAIN_QUOTES, PLAIN_QUOTES, f"{prefix}P{turn}-"))
            self._measure(self.ours(table), events, ours)
            self._measure(self.plain(table), plain_events, plain)
        return ours, plain

    def _measure(self, handle: Handler, events: list[dict[str, Any]], result: Result) -> None:
        before, started = self.requests, time.perf_counter()
        for event in events:
            handle(event)
        seconds = time.perf_counter() - started
        quotes = sum(len(event["Records"]) for event in events)
        result.rates.append(quotes / seconds)
        result.quotes += quotes
        result.calls += self.requests - before

    def fill(self, table: str, items: int) -> None:
        """Put items of the symbols that are measured into a table."""
        writer = self.ours(table)
        for event in track(make_events(50, 1000, items, "F"), f"{items:,} items", items // 1000, transient=True):
            writer(event)


def main() -> None:
    """Print both tables: from few items on, and with many in the table."""
    console = Console()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as aws:
        bench = Bench(aws)
        table = Table("symbols", "batch", "calls/quote", "plain", "quotes/s", "plain", "times faster")
        for symbols, batch in itertools.product(SYMBOLS, BATCHES):
            ours, plain = bench.compare(TABLE, symbols, batch, f"N{symbols}-{batch}-")
            table.add_row(str(symbols), str(batch), *ours.against(plain))
        console.print(table)

        table = Table("items before", "calls/quote", "plain", "quotes/s", "plain", "times faster")
        few, plain = bench.compare(TABLE, 50, 500, "F")
        table.add_row("few", *few.against(plain))
        bench.fill(FULL_TABLE, ITEMS_BEFORE)
        full, plain = bench.compare(FULL_TABLE, 50, 500, "F")
        table.add_row(f"{ITEMS_BEFORE:,}", *full.against(plain))
        console.print(table)
        console.print(f"ours with {ITEMS_BEFORE:,} items against few: {full.rate / few.rate:.2f} times the quotes/s")


def _load_processor(aws: LocalAws) -> ModuleType:
    os.environ.update(
        TABLE_NAME=TABLE,
        STATE_TABLE_NAME=STATE_TABLE,
        BUCKET_NAME=BUCKET,
        AWS_DEFAULT_REGION=REGION,
        AWS_ENDPOINT_URL=aws.endpoint,
        AWS_ACCESS_KEY_ID=aws.root["access_key_id"],
        AWS_SECRET_ACCESS_KEY=aws.root["secret_access_key"],
        POWERTOOLS_SERVICE_NAME="bench",
        POWERTOOLS_METRICS_NAMESPACE="bench",
        POWERTOOLS_LOG_LEVEL="ERROR",
    )
    spec = importlib.util.spec_from_file_location("bench_handler", PROJECT / "lambda/stream_processor/handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_QUOTE_KEYS: Any = {
    "AttributeDefinitions": [{"AttributeName": n, "AttributeType": "S"} for n in ("symbol", "timestamp")],
    "KeySchema": [{"AttributeName": "symbol", "KeyType": "HASH"}, {"AttributeName": "timestamp", "KeyType": "RANGE"}],
}
_STATE_KEYS: Any = {
    "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
}
