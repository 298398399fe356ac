"""Both functions over moto's tables, bucket and topic, and a stream to deliver from, with faults on demand."""

from __future__ import annotations

import base64
import gzip
import importlib.util
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
from botocore.exceptions import ClientError

from tapeline.market.alerting.baselines import Baseline
from tapeline.market.alerting.in_force import PREFIX, Learnt, Mute, Pointer, Version, version_key
from tapeline.market.alerting.rules import RuleSet
from tapeline.market.quotes import Quote, write_timestamp
from tapeline.stream.rule_book import RuleBook, baselines_to_bytes, pointer_to_item

LAMBDA_FOLDER = Path(__file__).parents[2] / "lambda"
SHARD = "shardId-000000000000"
OPENING = datetime(2026, 3, 12, 13, 30, tzinfo=UTC)
BUCKET = "tapeline-test"

_numbers = itertools.count()


class CrashError(BaseException):
    """The function's process is gone, between two calls."""


@dataclass
class Faults:
    """What goes wrong: asked before each call with the operation's name, it may return "fail", "crash" (before the call
    takes effect), "late crash" (after it), "half" (a batch write takes only its first half) or None."""

    choose: Callable[[str], str | None] = lambda _: None
    calls: int = 0

    def wrap(self, client: Any) -> Any:
        return _FaultyClient(client, self)


class _FaultyClient:
    def __init__(self, client: Any, faults: Faults) -> None:
        self._client = client
        self._faults = faults

    def __getattr__(self, operation: str) -> Any:
        real = getattr(self._client, operation)
        if operation == "exceptions":
            return real

        def call(**arguments: Any) -> Any:
            self._faults.calls += 1
            fault = self._faults.choose(operation)
            if fault == "crash":
                raise CrashError
            if fault == "fail":
                raise ClientError(
                    {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "injected"}}, operation
                )
            if fault == "half" and operation == "batch_write_item":
                ((table, requests),) = arguments["RequestItems"].items()
                half = len(requests) // 2
                if half:
                    real(RequestItems={table: requests[:half]})
                return {"UnprocessedItems": {table: requests[half:]}}
            answer = real(**arguments)
            if fault == "late crash":
                raise CrashError
            return answer

        return call


def load_handler(name: str, environment: dict[str, str], monkeypatch: Any) -> ModuleType:
    """Import lambda/NAME/handler.py as Lambda does, under its own environment."""
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    spec = importlib.util.spec_from_file_location(f"{name}_handler", LAMBDA_FOLDER / name / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def make_context(seconds: float = 60.0) -> Any:
    return SimpleNamespace(
        function_name="test",
        memory_limit_in_mb=256,
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:test",
        aws_request_id="1",
        get_remaining_time_in_millis=lambda: int(seconds * 1000),
    )


def make_quote(symbol: str = "AAPL", minute: float = 0, price: str = "100", **fields: Any) -> Quote:
    """A quote so many minutes after the opening."""
    amount = Decimal(price)
    values: dict[str, Any] = {
        "symbol": symbol,
        "timestamp": write_timestamp(OPENING + timedelta(minutes=minute)),
        "open": amount,
        "high": amount,
        "low": amount,
        "price": amount,
        "previous_close": Decimal(100),
        "volume": 1000,
        "source": "replay",
        "ingested_at": "2026-03-12T13:30:00Z",
    }
    return Quote(**{**values, **fields})


def make_records(payloads: Sequence[bytes | Quote], first_number: int = 1) -> list[dict[str, Any]]:
    """Records of a Kinesis event; each sequence number is 56 digits, as Kinesis gives them."""
    records = []
    for number, payload in enumerate(payloads, first_number):
        data = payload.to_json().encode() if isinstance(payload, Quote) else payload
        records.append(
            {
                "eventID": f"{SHARD}:{49 * 10**54 + number}",
                "eventSource": "aws:kinesis",
                "kinesis": {
                    "sequenceNumber": str(49 * 10**54 + number),
                    "partitionKey": payload.symbol if isinstance(payload, Quote) else "unknown",
                    "data": base64.b64encode(data).decode(),
                    "approximateArrivalTimestamp": (OPENING + timedelta(days=1, milliseconds=number)).timestamp(),
                },
            }
        )
    return records


class Deployment:
    """One set of tables and a key prefix of its own, with the stream processor over it."""

    def __init__(self, processor: Any, dynamodb: Any = None, s3: Any = None) -> None:
        self.number = next(_numbers)
        self.processor = processor
        self.dynamodb: Any = dynamodb or boto3.client("dynamodb")
        self.s3: Any = s3 or boto3.client("s3")
        self.table = f"data-{self.number}"
        self.state_table = f"state-{self.number}"
        self.bucket = f"{BUCKET}-{self.number}"
        create_table(self.dynamodb, self.table, "symbol", "timestamp")
        create_table(self.dynamodb, self.state_table, "key")
        self.s3.create_bucket(Bucket=self.bucket)

    def deliver(self, records: list[dict[str, Any]], faults: Faults | None = None, seconds: float = 60.0) -> str | None:
        """Invoke the processor once; return the sequence number it reports, if any."""
        faults = faults or Faults()
        settings = self.processor.settings
        self.processor.settings = type(settings)(
            self.table, self.state_table, self.bucket, settings.quote_retention, settings.rules
        )
        self.processor.dynamodb = faults.wrap(self.dynamodb)
        self.processor.s3 = faults.wrap(self.s3)
        self.processor.book = RuleBook(self._read_object)  # as in a container of its own
        answer = self.processor.handler({"Records": records}, make_context(seconds))
        failures = answer["batchItemFailures"]
        return failures[0]["itemIdentifier"] if failures else None

    def _read_object(self, key: str) -> bytes:
        body: bytes = self.processor.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def apply(self, *versions: tuple[float, RuleSet], baselines: dict[str, Baseline], mute: Mute | None = None) -> None:
        """Put rules in force, each set from an arrival on, seconds since 1970, and baselines from the start."""
        key = f"{PREFIX}baselines/test.json.gz"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=baselines_to_bytes(baselines))
        for number, (_, rules) in enumerate(versions, 1):
            body = json.dumps(rules.to_document()).encode()
            self.s3.put_object(Bucket=self.bucket, Key=version_key(number), Body=body)
        pointer = Pointer(
            tuple(Version(number, moment, "test", "") for number, (moment, _) in enumerate(versions, 1)),  # type: ignore[arg-type]
            (Learnt(key, 0),),
            (mute,) if mute else (),
        )
        item = pointer_to_item(pointer)
        self.dynamodb.batch_write_item(RequestItems={self.state_table: [{"PutRequest": {"Item": item}}]})

    def items(self) -> dict[tuple[str, str], Any]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.table)
        return {(i["symbol"]["S"], i["timestamp"]["S"]): i for page in pages for i in page["Items"]}

    def states(self) -> dict[str, Any]:
        items = self.dynamodb.scan(TableName=self.state_table)["Items"]
        return {i["key"]["S"]: i for i in items}

    def alerts(self) -> set[tuple[str, str, str]]:
        return {(*key, kind) for key, item in self.items().items() for kind in item.get("alerts", {}).get("SS", ())}

    def lines(self, prefix: str) -> Iterator[str]:
        for entry in self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", []):
            body = self.s3.get_object(Bucket=self.bucket, Key=entry["Key"])["Body"].read()
            yield from gzip.decompress(body).decode().splitlines()

    def keys(self, prefix: str) -> list[str]:
        return [e["Key"] for e in self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])]

    def raw(self) -> set[str]:
        return set(self.lines("raw-data/"))

    def rejects(self) -> dict[str, dict[str, Any]]:
        documents = [json.loads(line) for line in self.lines("rejected/")]
        return {document["sequence_number"]: document for document in documents}

    def content(self) -> tuple[Any, ...]:
        """All that must be the same whatever the delivery was."""
        return self.items(), self.raw(), self.rejects(), self.states()


def create_table(client: Any, name: str, *keys: str) -> None:
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": k, "KeyType": t} for k, t in zip(keys, ("HASH", "RANGE"), strict=False)],
    )
