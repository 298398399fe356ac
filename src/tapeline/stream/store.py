"""Where the stream processor keeps things, and in which order, so that it may die between any two writes.

Raw zone and rejects come first, then the items, then the states. A state is only remembered when all that it covers is
stored; until then the records come again and are decided alike, and every write may be repeated.
"""

from __future__ import annotations

import base64
import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from tapeline.market.dates import partition_of, trading_date
from tapeline.market.quotes import write_timestamp
from tapeline.stream import items, raw_zone, rule_book, tables
from tapeline.stream.batch import BatchPlan, Entry, Key, Reject, Remembered, Stored
from tapeline.stream.keys import raw_key, rejected_key
from tapeline.stream.rule_book import RuleBook
from tapeline.stream.tables import Patience, UnfinishedWriteError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StreamStore:
    """The tables and the bucket of one deployment; an item lives for `quote_retention` after the quote's arrival."""

    dynamodb: DynamoDBClient
    s3: S3Client
    table_name: str
    state_table_name: str
    bucket_name: str
    quote_retention: timedelta
    patience: Patience
    rule_book: RuleBook | None = None
    """A container's own, which reads each version once; without one, one for each read of states."""

    def read_states(self, symbols: Iterable[str]) -> Remembered:
        """Return the remembered state of each symbol that has one, and the rules in force, by one read."""
        keys = [rule_book.pointer_key(), *(items.state_key(symbol) for symbol in sorted(symbols))]
        stored = tables.read_items(self.dynamodb, self.state_table_name, keys, self.patience)
        by_key = {item["key"]["S"]: item for item in stored}
        pointer = rule_book.pointer_from_item(by_key.pop(rule_book.POINTER_KEY, None))
        book = self.rule_book or RuleBook(self._read_object)
        states = dict(map(items.state_from_item, by_key.values()))
        return Remembered(states, lambda arrived_at: book.at(pointer, arrived_at))

    def _read_object(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=self.bucket_name, Key=key)["Body"].read()

    def read_stored(self, keys: Iterable[Key]) -> dict[Key, Stored]:
        """Return the stored quotes among some keys."""
        wanted = [{"symbol": {"S": symbol}, "timestamp": {"S": timestamp}} for symbol, timestamp in sorted(keys)]
        stored = map(items.stored_from_item, tables.read_items(self.dynamodb, self.table_name, wanted, self.patience))
        return {(version.quote.symbol, version.quote.timestamp): version for version in stored}

    def store(self, plan: BatchPlan) -> int | None:
        """Write all that a batch comes to.

        Returns
        -------
        int or None
            The lowest sequence number that is not wholly stored, None if all is.

        Raises
        ------
        BotoCoreError, ClientError, UnfinishedWriteError
            If a dependency fails in a way that leaves the whole batch to be delivered again.
        """
        self._put_raw(plan.entries)
        self._put_rejects(plan.rejects)
        failed = self._write_items([entry for entry in plan.entries if not entry.is_outdated])
        states = [items.state_to_item(step.state, step.observation) for step in plan.last_steps(failed)]
        tables.write_items(self.dynamodb, self.state_table_name, states, self.patience)
        return failed

    def _put_raw(self, entries: Sequence[Entry]) -> None:
        dated: dict[str, list[Entry]] = {}
        for entry in entries:
            dated.setdefault(partition_of(entry.observation.quote.timestamp), []).append(entry)
        for of_date in dated.values():
            record = of_date[0].record
            key = raw_key(of_date[0].observation.quote.time, record.shard_id, str(record.sequence_number))
            raw_zone.put_lines(self.s3, self.bucket_name, key, [entry_to_json(entry) for entry in of_date])

    def _put_rejects(self, rejects: Sequence[Reject]) -> None:
        by_date = sorted(rejects, key=lambda reject: (reject.record.arrived_at, reject.record.sequence_number))
        for _, group in groupby(by_date, key=lambda reject: trading_date(reject.record.arrived_at)):
            of_date = list(group)
            record = of_date[0].record
            key = rejected_key(record.arrived_at, record.shard_id, str(record.sequence_number))
            raw_zone.put_lines(self.s3, self.bucket_name, key, [reject_to_json(reject) for reject in of_date])

    def _write_items(self, entries: Sequence[Entry]) -> int | None:
        """Write items, a quote's versions one after the other; return the lowest sequence number not written."""
        unwritten = [entry.record.sequence_number for entry in entries]
        for wave in _waves(entries):
            retention = self.quote_retention
            rows = [items.observation_to_item(entry.observation, retention, entry.superseded) for entry in wave]
            try:
                tables.write_items(self.dynamodb, self.table_name, rows, self.patience)
            except UnfinishedWriteError as error:
                written = {entry.record.sequence_number for entry in wave[: error.written]}
                failed = min(number for number in unwritten if number not in written)
                logger.warning("items from sequence number %s on are not stored and will be retried: %s", failed, error)
                return failed
            done = {entry.record.sequence_number for entry in wave}
            unwritten = [number for number in unwritten if number not in done]
        return None


def _waves(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Return entries so that no key occurs twice in a wave, and each after those of its key before: mostly one wave."""
    occurrences: Counter[Key] = Counter()
    waves: list[list[Entry]] = []
    for entry in entries:
        quote = entry.observation.quote
        key = (quote.symbol, quote.timestamp)
        if occurrences[key] == len(waves):
            waves.append([])
        waves[occurrences[key]].append(entry)
        occurrences[key] += 1
    return waves


def entry_to_json(entry: Entry) -> str:
    """Return the raw zone's line of a quote: the record, the stream's verdict, and its place on the stream."""
    observation, record = entry.observation, entry.record
    suspect = f', "suspect": {json.dumps(observation.suspect)}' if observation.suspect else ""
    confirms = f', "confirms": "{observation.confirms}"' if observation.confirms else ""
    place = f', "shard": "{record.shard_id}", "sequence": "{record.sequence_number}"}}'
    return f"{observation.quote.to_json()[:-1]}{suspect}{confirms}{place}"


def reject_to_json(reject: Reject) -> str:
    """Return the line that keeps a refused record: why, its place on the stream, and the payload as received."""
    record = reject.record
    try:
        payload = {"payload": record.data.decode("utf-8")}
    except UnicodeDecodeError:
        payload = {"payload_base64": base64.b64encode(record.data).decode()}
    place = {
        "partition_key": record.partition_key,
        "shard_id": record.shard_id,
        "sequence_number": str(record.sequence_number),
        "arrived_at": write_timestamp(record.arrived_at, milliseconds=True),
    }
    return json.dumps({"reason": reject.reason, "detail": reject.detail, **payload, **place})
