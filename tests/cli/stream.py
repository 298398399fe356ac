"""A stream, tables and a bucket of moto's, and what the stream processor does with them, by the domain's own code."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import boto3

from tapeline.aws.clients import Clients
from tapeline.aws.deployment import Deployment, StackOutputs
from tapeline.market.quotes import Quote, write_timestamp
from tapeline.market.symbol_state import Rules
from tapeline.operations.reconcile import Reconciliation, reconcile
from tapeline.stream import raw_zone
from tapeline.stream.batch import StreamRecord, plan_batch
from tapeline.stream.store import StreamStore
from tapeline.stream.tables import Patience

OPENING = datetime(2026, 3, 12, 13, 30, tzinfo=UTC)
RETENTION = timedelta(days=30)
QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/dead-letters"


class LocalDeployment(Deployment):
    """A stream, tables and a bucket; `deliver` does what the stream processor does."""

    def __init__(self) -> None:
        # Names that nobody asks for are empty.
        names = dict.fromkeys(StackOutputs.__dataclass_fields__, "") | {
            "stream_name": "stream",
            "table_name": "data",
            "state_table_name": "state",
            "bucket_name": "bucket",
            "dead_letter_queue_url": QUEUE_URL,
            "quote_fields": "revision,doubt",
        }
        boto_session: Any = boto3.Session(region_name="us-east-1")
        super().__init__(Clients("aws", "us-east-1", boto_session.client), StackOutputs(**names))
        self.kinesis, self.dynamodb, self.s3 = self.client("kinesis"), self.client("dynamodb"), self.client("s3")
        assert self.client("sqs").create_queue(QueueName="dead-letters")["QueueUrl"] == QUEUE_URL
        self.kinesis.create_stream(StreamName="stream", ShardCount=2)
        kinds: tuple[Literal["HASH", "RANGE"], ...] = ("HASH", "RANGE")
        for table, keys in (("data", ("symbol", "timestamp")), ("state", ("key",))):
            self.dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                KeySchema=[{"AttributeName": k, "KeyType": t} for k, t in zip(keys, kinds, strict=False)],
            )
        self.s3.create_bucket(Bucket="bucket")

    def of_before(self) -> Deployment:
        """The same of a version that takes no optional fields."""
        return Deployment(self.clients, replace(self.outputs, quote_fields=""))

    def lines(self, key: str) -> list[str]:
        return raw_zone.get_lines(self.s3, "bucket", key)

    def put(self, *payloads: Quote | bytes) -> None:
        for payload in payloads:
            data = payload.to_json().encode() if isinstance(payload, Quote) else payload
            key = payload.symbol if isinstance(payload, Quote) else "?"
            self.kinesis.put_record(StreamName="stream", Data=data, PartitionKey=key)

    def deliver(self) -> None:
        store = StreamStore(self.dynamodb, self.s3, "data", "state", "bucket", RETENTION, Patience(lambda: 60.0))
        for shard in self.kinesis.list_shards(StreamName="stream")["Shards"]:
            iterator = self.kinesis.get_shard_iterator(
                StreamName="stream", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            records = [
                StreamRecord(
                    shard["ShardId"],
                    int(record["SequenceNumber"]),
                    record["PartitionKey"],
                    record["ApproximateArrivalTimestamp"].astimezone(UTC),
                    record["Data"],
                )
                for record in self.kinesis.get_records(ShardIterator=iterator)["Records"]
            ]
            if records:
                store.store(plan_batch(records, store.read_states, store.read_stored, Rules()))

    def reconcile(self) -> Reconciliation:
        return reconcile(self, RETENTION, 0.0, lambda _step, _number: None)

    def objects(self, prefix: str) -> list[str]:
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket="bucket", Prefix=prefix).get("Contents", [])]


def make_quote(symbol: str = "AAPL", minute: int = 0, price: str = "100", **fields: Any) -> Quote:
    amount = Decimal(price)
    values: dict[str, Any] = {
        "symbol": symbol,
        "timestamp": write_timestamp(OPENING + timedelta(minutes=minute)),
        **dict.fromkeys(("open", "high", "low", "price"), amount),
        "previous_close": Decimal(100),
        "volume": 1000,
        "source": "replay",
        "ingested_at": write_timestamp(datetime.now(UTC)),
    }
    return Quote(**{**values, **fields})
