"""What the stream accepted and what each place keeps, read into a ledger while quotes may go on flowing."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from tapeline.aws.backoff import pause
from tapeline.aws.deployment import Deployment
from tapeline.market.quotes import FIGURES, QuoteRejectedError, parse_quote, read_timestamp
from tapeline.operations.feed_signs import count_dead_letters
from tapeline.operations.ledger import Accepted, KeptQuote, Ledger, Rejected, figures_text
from tapeline.stream import items, raw_zone, tables
from tapeline.stream.keys import RAW_PREFIX, REJECTED_PREFIX

THREADS = 8
SCAN_SEGMENTS = {"aws": 8, "local": 1}
"""DynamoDB reads segments side by side; the laptop's would go through the whole table for each page of each."""

RECORDS_PER_READ = 5_000
"""Per GetRecords call; a call may take 10,000, but two shards' worth must fit the 2 MB/s that all readers share."""

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
RECHECKED_KEYS = 20_000
SETTLE_SECONDS = 10.0
"""How long to look again though nothing more turns up; a batch in flight appears sooner."""

Part = TypeVar("Part")
OnCount = Callable[[str, int], None]
"""Called with what is being done and how much of it is done."""


def quote_retention(deployment: Deployment) -> timedelta:
    """Return how long DynamoDB keeps a quote, by the settings of the deployed function."""
    name = deployment.outputs.stream_processor_name
    function = deployment.client("lambda").get_function_configuration(FunctionName=name)
    return timedelta(days=float(function.get("Environment", {}).get("Variables", {}).get("QUOTE_RETENTION_DAYS") or 30))


class Tally:
    """Reads all places of a deployment into a ledger, until a deadline by the monotonic clock where it has to wait."""

    def __init__(
        self, deployment: Deployment, quote_retention: timedelta, ledger: Ledger, deadline: float, progress: OnCount
    ) -> None:
        self._kinesis = deployment.client("kinesis")
        self._dynamodb = deployment.client("dynamodb")
        self._s3 = deployment.client("s3")
        self._deployment = deployment
        self._segments = SCAN_SEGMENTS[deployment.clients.target]
        self._outputs = deployment.outputs
        self._quote_retention = quote_retention
        self._ledger = ledger
        self._began = datetime.now(UTC)
        self._deadline = deadline
        self._progress = progress
        self.behind: list[str] = []
        self._seen_objects: dict[str, str] = {}
        self._patience = tables.Patience(lambda: max(10.0, self._seconds_left()))
        self._done: Counter[str] = Counter()
        self._lock = threading.Lock()

    def read_stream(self) -> None:
        """Read every record that the stream still holds, up to the moment the count began, all shards at once."""
        shards = [
            shard["ShardId"]
            for page in self._kinesis.get_paginator("list_shards").paginate(StreamName=self._outputs.stream_name)
            for shard in page["Shards"]
        ]
        self._in_parallel(self._read_shard, shards)

    def _read_shard(self, shard_id: str) -> None:
        iterator: str | None = self._kinesis.get_shard_iterator(
            StreamName=self._outputs.stream_name, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:  # None after the last record of a shard that was split or merged
            answer = self._kinesis.get_records(ShardIterator=iterator, Limit=RECORDS_PER_READ)
            records = [r for r in answer["Records"] if r["ApproximateArrivalTimestamp"] <= self._began]
            self._ledger.add_accepted(self._accepted(shard_id, record) for record in records)
            self._report("reading the stream", len(records))
            reached_now = len(records) < len(answer["Records"])
            if reached_now or (not answer["Records"] and not answer.get("MillisBehindLatest")):
                return
            iterator = answer.get("NextShardIterator")

    def _accepted(self, shard_id: str, record: Any) -> Accepted:
        arrived_at = record["ApproximateArrivalTimestamp"].astimezone(UTC)
        expired = arrived_at + self._quote_retention <= self._began
        place = (shard_id, _number(record["SequenceNumber"]))
        try:
            quote = parse_quote(record["Data"], arrived_at)
        except QuoteRejectedError as error:
            return Accepted(*place, None, None, None, None, error.reason, expired)
        figures = figures_text(getattr(quote, name) for name in FIGURES)
        return Accepted(*place, quote.symbol, quote.timestamp, quote.revision, figures, None, expired)

    def wait_for_delivery(self) -> None:
        """Wait until the last accepted quote of each symbol is stored, rejected, or passed by a newer one."""
        for _ in self._pauses():
            self.read_rejects()
            newest = self._ledger.newest()
            keys = [_key(symbol, timestamp) for symbol, timestamp in newest.items()]
            stored = {item["symbol"]["S"] for item in self._read(self._outputs.table_name, keys)}
            left = [symbol for symbol in newest if symbol not in stored]
            states = self._read(self._outputs.state_table_name, [items.state_key(symbol) for symbol in left])
            reached = {symbol: state.newest_timestamp for symbol, state in map(items.state_from_item, states)}
            self.behind = sorted(
                symbol
                for symbol in left
                if symbol not in reached or read_timestamp(reached[symbol]) < read_timestamp(newest[symbol])
            )
            self._progress(f"waiting for delivery of {len(newest)} symbols", len(newest) - len(self.behind))
            if not self.behind:
                return

    def read_table(self) -> None:
        """Scan the table in parallel segments, only the attributes that are compared."""
        self._in_parallel(self._scan_segment, range(self._segments))

    def _scan_segment(self, segment: int) -> None:
        names = ("symbol", "timestamp", "revision", *FIGURES)
        part: Any = {"Segment": segment, "TotalSegments": self._segments} if self._segments > 1 else {}
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._outputs.table_name,
            ProjectionExpression=", ".join(f"#{name}" for name in names),
            ExpressionAttributeNames={f"#{name}": name for name in names},
            **part,
        )
        for page in pages:
            self._ledger.add_stored(map(_stored, page["Items"]))
            self._report("reading DynamoDB", len(page["Items"]))

    def read_raw_zone(self, *, recent: bool) -> None:
        """Read every object of the raw zone that is new or has grown since it was read."""
        for lines in self._new_objects(RAW_PREFIX, "reading the raw zone"):
            self._ledger.add_raw(map(self._raw, lines), recent=recent)

    def read_rejects(self) -> None:
        """Read every object under `rejected/` that is new or has grown since it was read."""
        for lines in self._new_objects(REJECTED_PREFIX, "reading the rejects"):
            self._ledger.add_rejected(map(_rejected, lines))

    def _new_objects(self, prefix: str, step: str) -> Iterator[list[str]]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._outputs.bucket_name, Prefix=prefix)
        with ThreadPoolExecutor(THREADS) as pool:
            for page in pages:
                tags = {stored["Key"]: stored["ETag"] for stored in page.get("Contents", [])}
                new = {key: tag for key, tag in tags.items() if self._seen_objects.get(key) != tag}
                self._seen_objects |= new
                for lines in pool.map(lambda key: raw_zone.get_lines(self._s3, self._outputs.bucket_name, key), new):
                    yield lines
                    self._report(step, len(lines))

    def _raw(self, line: str) -> KeptQuote:
        record = json.loads(line, parse_float=Decimal, parse_int=Decimal)
        expired = read_timestamp(record["ingested_at"]) + self._quote_retention <= self._began
        texts = figures_text(record[name] for name in FIGURES)
        return KeptQuote(record["symbol"], record["timestamp"], int(record.get("revision", 0)), texts, expired)

    def look_again(self) -> None:
        """Look again for what seemed missing, as long as some of it turns up: it may be on its way."""
        fewest, moved_at = None, time.monotonic()
        for _ in self._pauses():
            missing = sum(self._ledger.differences().values())
            if fewest is None or missing < fewest:
                fewest, moved_at = missing, time.monotonic()
            if not missing or time.monotonic() > moved_at + SETTLE_SECONDS:
                return
            self._progress("looking again for what is missing", missing)
            wanted = {
                key
                for name in ("accepted_but_not_stored", "in_raw_zone_but_not_stored")
                for key in self._ledger.cases(name, RECHECKED_KEYS)
            }
            self._ledger.add_stored(map(_stored, self._read(self._outputs.table_name, [_key(*key) for key in wanted])))
            self.read_raw_zone(recent=True)
            self.read_rejects()

    def dead_letters(self) -> int:
        """Return how many batches lie in the dead-letter queue."""
        return count_dead_letters(self._deployment.client("sqs"), self._outputs.dead_letter_queue_url)

    def _read(self, table: str, keys: Sequence[tables.Item]) -> list[tables.Item]:
        return tables.read_items(self._dynamodb, table, keys, self._patience)

    def _in_parallel(self, task: Callable[[Part], None], parts: Iterable[Part]) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(task, parts))

    def _report(self, step: str, number: int) -> None:
        with self._lock:
            self._done[step] += number
            self._progress(step, self._done[step])

    def _pauses(self) -> Iterator[None]:
        """Yield at once, then after pauses that grow, and a last time when the time to wait is over."""
        yield
        for looks in count():
            if (left := self._seconds_left()) <= 0:
                return
            time.sleep(min(pause(looks, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS), left))
            yield

    def _seconds_left(self) -> float:
        return self._deadline - time.monotonic()


def _key(symbol: str, timestamp: str) -> tables.Item:
    return {"symbol": {"S": symbol}, "timestamp": {"S": timestamp}}


def _stored(item: Any) -> KeptQuote:
    texts = figures_text(item[name]["N"] for name in FIGURES)
    revision = int(item["revision"]["N"]) if "revision" in item else 0
    return KeptQuote(item["symbol"]["S"], item["timestamp"]["S"], revision, texts, expired=False)


def _rejected(line: str) -> Rejected:
    record = json.loads(line)
    return Rejected(record["shard_id"], _number(record["sequence_number"]), record["reason"])


def _number(text: str) -> str:
    """Return a sequence number without the leading zeros that the laptop's stream writes."""
    return text.lstrip("0")
