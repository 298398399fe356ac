"""`reconcile` over moto's stream, tables and bucket, filled by the domain's own code and then tampered with."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from tapeline.aws.reconcile import Places, Reconciliation, reconcile
from tapeline.aws.session import Session
from tapeline.aws.stream_store import StreamStore
from tapeline.aws.tables import Patience
from tapeline.batch import StreamRecord, plan_batch
from tapeline.quotes import Quote, write_timestamp
from tapeline.symbol_state import Rules

OPENING = datetime(2026, 3, 12, 13, 30, tzinfo=UTC)
RETENTION = timedelta(days=30)


class Deployment:
    """A stream, tables and a bucket; `deliver` does what the stream processor does."""

    def __init__(self) -> None:
        self.session = Session("aws", boto3.Session(region_name="us-east-1"), Config())
        self.places = Places("stream", "data", "state", "bucket", "", RETENTION)
        self.kinesis, self.dynamodb, self.s3 = (self.session.client(name) for name in ("kinesis", "dynamodb", "s3"))
        queue = self.session.client("sqs").create_queue(QueueName="dead-letters")["QueueUrl"]
        self.places = Places("stream", "data", "state", "bucket", queue, RETENTION)
        self.kinesis.create_stream(StreamName="stream", ShardCount=2)
        for table, keys in (("data", ("symbol", "timestamp")), ("state", ("key",))):
            self.dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                KeySchema=[{"AttributeName": k, "KeyType": t} for k, t in zip(keys, ("HASH", "RANGE"), strict=False)],
            )
        self.s3.create_bucket(Bucket="bucket")

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
        return reconcile(self.session, self.places, 0.0, lambda _step, _number: None)

    def objects(self, prefix: str) -> list[str]:
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket="bucket", Prefix=prefix).get("Contents", [])]


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield Deployment()


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


def found(result: Reconciliation) -> dict[str, int]:
    return {difference.name: difference.count for difference in result.differences}


def test_what_was_delivered_agrees_with_repeats_conflicts_and_rejects_counted_apart(deployment: Deployment) -> None:
    deployment.put(
        *(make_quote(symbol, minute) for symbol, minute in itertools.product(("AAPL", "MSFT", "KO"), range(5))),
        make_quote("AAPL", 2),  # sent twice
        make_quote("MSFT", 2, price="101"),  # the same minute with another price
        b"{no json",
        b'{"symbol": "AAPL"}',
    )
    deployment.deliver()

    result = deployment.reconcile()

    assert result.agrees
    assert result.counts.accepted_records == 19
    assert result.counts.accepted_quotes == 17
    assert result.counts.accepted_keys == 15
    assert result.counts.refused_records == 2
    assert result.counts.stored_quotes == result.counts.raw_quotes == 15
    assert result.counts.rejected == {"conflicting_quote": 1, "missing_field": 1, "not_json": 1}


def test_numbers_written_in_another_form_are_the_same_figures(deployment: Deployment) -> None:
    deployment.put(make_quote(price="100.50"))
    deployment.deliver()
    key = {"symbol": {"S": "AAPL"}, "timestamp": {"S": "2026-03-12T13:30:00Z"}}
    deployment.dynamodb.update_item(
        TableName="data",
        Key=key,
        UpdateExpression="SET price = :p",
        ExpressionAttributeValues={":p": {"N": "100.500"}},
    )

    assert deployment.reconcile().agrees


def test_an_item_that_vanished_from_dynamodb_is_named(deployment: Deployment) -> None:
    deployment.put(*(make_quote(minute=minute) for minute in range(5)))
    deployment.deliver()
    key = {"symbol": {"S": "AAPL"}, "timestamp": {"S": "2026-03-12T13:32:00Z"}}
    deployment.dynamodb.delete_item(TableName="data", Key=key)

    result = deployment.reconcile()

    assert found(result) == {"accepted_but_not_stored": 1, "in_raw_zone_but_not_stored": 1}
    assert result.differences[0].examples == ["AAPL 2026-03-12T13:32:00Z"]
    assert not result.waiting_for


def test_a_changed_price_is_a_difference_though_the_counts_agree(deployment: Deployment) -> None:
    deployment.put(make_quote())
    deployment.deliver()
    key = {"symbol": {"S": "AAPL"}, "timestamp": {"S": "2026-03-12T13:30:00Z"}}
    deployment.dynamodb.update_item(
        TableName="data", Key=key, UpdateExpression="SET price = :p", ExpressionAttributeValues={":p": {"N": "99"}}
    )

    result = deployment.reconcile()

    assert result.counts.stored_quotes == result.counts.raw_quotes == 1
    assert found(result) == {
        "accepted_but_not_stored": 1,
        "stored_but_not_in_raw_zone": 1,
        "in_raw_zone_but_not_stored": 1,
    }


def test_an_object_that_vanished_from_the_raw_zone_is_a_difference(deployment: Deployment) -> None:
    deployment.put(make_quote("AAPL"), make_quote("AAPL", 1))
    deployment.deliver()
    [key] = deployment.objects("raw-data/")
    deployment.s3.delete_object(Bucket="bucket", Key=key)

    assert found(deployment.reconcile()) == {"accepted_but_not_in_raw_zone": 2, "stored_but_not_in_raw_zone": 2}


def test_a_lost_reject_is_named_by_its_place_on_the_stream(deployment: Deployment) -> None:
    deployment.put(b"\xff\x00")
    deployment.deliver()
    [key] = deployment.objects("rejected/")
    deployment.s3.put_object(Bucket="bucket", Key=key, Body=gzip.compress(b""))

    result = deployment.reconcile()

    assert found(result) == {"refused_but_not_in_rejected": 1}
    assert result.differences[0].examples[0].startswith("shard shardId-00000000000")
    assert result.differences[0].examples[0].endswith("not_json")


def test_what_is_not_delivered_yet_is_told_from_what_is_lost(deployment: Deployment) -> None:
    deployment.put(make_quote("AAPL"))
    deployment.deliver()
    deployment.put(make_quote("AAPL", 1), make_quote("MSFT"))

    result = deployment.reconcile()

    assert result.waiting_for == ["AAPL", "MSFT"]
    assert found(result) == {"accepted_but_not_stored": 2, "accepted_but_not_in_raw_zone": 2}


def test_a_quote_past_its_time_in_dynamodb_is_not_missed_there(deployment: Deployment) -> None:
    deployment.put(make_quote("AAPL"), make_quote("AAPL", 1))
    deployment.deliver()
    old = make_quote("KO", ingested_at=write_timestamp(datetime.now(UTC) - RETENTION - timedelta(minutes=1)))
    body = gzip.compress(f"{old.to_json()}\n".encode())
    deployment.s3.put_object(
        Bucket="bucket", Key="raw-data/dt=2026-03-12/2026-03-12T13-30-00Z-shardId-0-1.json.gz", Body=body
    )

    result = deployment.reconcile()

    assert result.agrees
    assert result.counts.expired_quotes == 1


def test_dead_letters_are_counted(deployment: Deployment) -> None:
    sqs = deployment.session.client("sqs")
    sqs.send_message(QueueUrl=deployment.places.dead_letter_queue_url, MessageBody="{}")

    result = deployment.reconcile()

    assert result.dead_letters == 1
    assert result.agrees
