"""Where the stream processor keeps things, and in which order, so that it may die between any two writes.

Raw zone and rejects come first, then the items, then the states. A state is only remembered when all that it covers is
stored; until then the records come again and are decided alike, and every write may be repeated.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from tapeline.aws import items, raw_zone, tables
from tapeline.aws.tables import Patience, UnfinishedWriteError
from tapeline.batch import Key, Plan, Reject, StreamRecord
from tapeline.partitions import raw_key, rejected_key, trading_date
from tapeline.quotes import Quote, write_timestamp
from tapeline.symbol_state import Observation, SymbolState

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StreamStore:
    """The tables and the bucket of one deployment.

    Attributes
    ----------
    dynamodb, s3 : clients
        boto3 clients.
    table_name, state_table_name, bucket_name : str
        Where to keep items, states and objects.
    quote_retention : timedelta
        How long an item lives after the quote's arrival.
    patience : Patience
        How long to go on against a throttled table.
    """

    dynamodb: DynamoDBClient
    s3: S3Client
    table_name: str
    state_table_name: str
    bucket_name: str
    quote_retention: timedelta
    patience: Patience

    def read_states(self, symbols: Iterable[str]) -> dict[str, SymbolState]:
        """Return the remembered state of each symbol that has one."""
        keys = [items.state_key(symbol) for symbol in sorted(symbols)]
        found = tables.read_items(self.dynamodb, self.state_table_name, keys, self.patience)
        return dict(items.state_from_item(item) for item in found)

    def read_stored(self, keys: Iterable[Key]) -> dict[Key, Quote]:
        """Return the stored quotes among some keys."""
        wanted = [{"symbol": {"S": symbol}, "timestamp": {"S": timestamp}} for symbol, timestamp in sorted(keys)]
        found = tables.read_items(self.dynamodb, self.table_name, wanted, self.patience)
        quotes = [items.quote_from_item(item) for item in found]
        return {(quote.symbol, quote.timestamp): quote for quote in quotes}

    def store(self, plan: Plan) -> int | None:
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
        self._put_raw(plan.observations)
        self._put_rejects(plan.rejects)
        failed = self._write_items(plan.observations)
        states = [items.state_to_item(step.state, step.observation) for step in plan.last_steps(failed)]
        tables.write_items(self.dynamodb, self.state_table_name, states, self.patience)
        return failed

    def _put_raw(self, observations: Sequence[tuple[StreamRecord, Observation]]) -> None:
        by_date = sorted(observations, key=lambda pair: trading_date(pair[1].quote.time))
        for _, pairs in groupby(by_date, key=lambda pair: trading_date(pair[1].quote.time)):
            of_date = list(pairs)
            record, first = of_date[0]
            key = raw_key(first.quote.time, record.shard_id, str(record.sequence_number))
            lines = [observation.quote.to_json() for _, observation in of_date]
            raw_zone.put_lines(self.s3, self.bucket_name, key, lines)

    def _put_rejects(self, rejects: Sequence[Reject]) -> None:
        by_date = sorted(rejects, key=lambda reject: (reject.record.arrived_at, reject.record.sequence_number))
        for _, group in groupby(by_date, key=lambda reject: trading_date(reject.record.arrived_at)):
            of_date = list(group)
            record = of_date[0].record
            key = rejected_key(record.arrived_at, record.shard_id, str(record.sequence_number))
            raw_zone.put_lines(self.s3, self.bucket_name, key, [reject_to_json(reject) for reject in of_date])

    def _write_items(self, observations: Sequence[tuple[StreamRecord, Observation]]) -> int | None:
        rows = [items.observation_to_item(observation, self.quote_retention) for _, observation in observations]
        try:
            tables.write_items(self.dynamodb, self.table_name, rows, self.patience)
        except UnfinishedWriteError as error:
            failed = observations[error.written][0].sequence_number
            logger.warning("items from sequence number %s on are not stored and will be retried: %s", failed, error)
            return failed
        return None


def reject_to_json(reject: Reject) -> str:
    """Return the line that keeps a refused record: why, its place on the stream, and the payload as received."""
    record = reject.record
    try:
        payload = {"payload": record.data.decode("utf-8")}
    except UnicodeDecodeError:
        payload = {"payload_base64": base64.b64encode(record.data).decode()}
    return json.dumps(
        {
            "reason": reject.reason,
            "detail": reject.detail,
            **payload,
            "partition_key": record.partition_key,
            "shard_id": record.shard_id,
            "sequence_number": str(record.sequence_number),
            "arrived_at": write_timestamp(record.arrived_at, milliseconds=True),
        }
    )
