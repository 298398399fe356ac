"""Put a stored quote right: find the version that stands, and send one with a higher revision."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tapeline.aws import items, raw_zone
from tapeline.aws.session import Session
from tapeline.aws.stack import StackOutputs
from tapeline.partitions import RAW_PREFIX, trading_date
from tapeline.quotes import CORRECTION, FIGURES, Quote, parse_quote, read_timestamp, write_timestamp

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

THREADS = 8


class CorrectionError(RuntimeError):
    """A quote cannot be corrected; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A version of a quote and the one that takes its place."""

    before: Quote
    after: Quote

    @property
    def session(self) -> str:
        """The trading date whose curated figures a rerun puts right, ``YYYY-MM-DD``."""
        return trading_date(self.after.time).isoformat()

    @property
    def is_withdrawal(self) -> bool:
        """Whether the print counts no more."""
        return not self.after.price


def plan(
    session: Session,
    outputs: StackOutputs,
    symbol: str,
    timestamp: str,
    figures: dict[str, Decimal],
    *,
    withdraw: bool,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Correction:
    """Find the version of a quote that stands, and make the one that is to take its place.

    DynamoDB is asked first; a quote that it no longer has is looked for in the raw zone's partition.

    Parameters
    ----------
    session, outputs : Session, StackOutputs
        The deployment.
    symbol, timestamp : str
        Which quote; the timestamp exactly as it is stored.
    figures : dict of str to Decimal
        The figures that change, by name, of `tapeline.quotes.FIGURES`; USD or shares.
    withdraw : bool
        Take the print out instead: it counts in nothing.
    on_progress : callable
        Told how many objects of the raw zone were read, if it comes to that.

    Raises
    ------
    CorrectionError
        If the deployment takes no revisions, there is no such quote, or nothing would change.
    QuoteRejectedError
        If what is asked for is no quote.
    """
    if "revision" not in outputs.quote_fields.split(","):
        raise CorrectionError("this deployment takes no revisions yet; bring it up to date with `tapeline deploy`")
    before = _stored(session, outputs, symbol, timestamp) or _raw(session, outputs, symbol, timestamp, on_progress)
    if before is None:
        raise CorrectionError(f"no quote of {symbol} at {timestamp} is stored; {_nearest(session, outputs, symbol)}")
    values: dict[str, Any] = dict.fromkeys(FIGURES, Decimal(0)) if withdraw else dict(figures)
    if "volume" in values:
        values["volume"] = int(values["volume"])
    if all(getattr(before, name) == value for name, value in values.items()):
        raise CorrectionError(f"{symbol} at {timestamp} has these figures already (version {before.revision})")
    now = datetime.now(UTC)
    after = replace(
        before,
        **values,
        source=CORRECTION,
        ingested_at=write_timestamp(now, milliseconds=True),
        revision=before.revision + 1,
        doubt="",
    )
    return Correction(before, parse_quote(after.to_json().encode(), now))


def send(session: Session, outputs: StackOutputs, correction: Correction) -> None:
    """Put a correction on the stream; sending it twice changes nothing more."""
    session.client("kinesis").put_record(
        StreamName=outputs.stream_name,
        Data=correction.after.to_json().encode(),
        PartitionKey=correction.after.symbol,
    )


def _stored(session: Session, outputs: StackOutputs, symbol: str, timestamp: str) -> Quote | None:
    dynamodb: DynamoDBClient = session.client("dynamodb")
    key: Any = {"symbol": {"S": symbol}, "timestamp": {"S": timestamp}}
    item = dynamodb.get_item(TableName=outputs.table_name, Key=key, ConsistentRead=True).get("Item")
    return items.quote_from_item(item) if item else None


def _raw(
    session: Session, outputs: StackOutputs, symbol: str, timestamp: str, on_progress: Callable[[int], None]
) -> Quote | None:
    try:
        moment = read_timestamp(timestamp)
    except ValueError as error:
        raise CorrectionError(str(error)) from error
    found = [
        quote
        for line in _lines(session.client("s3"), outputs.bucket_name, trading_date(moment).isoformat(), on_progress)
        if f'"{symbol}"' in line and timestamp in line and (quote := _quote(line)) and quote.timestamp == timestamp
    ]
    # The highest revision stands, of equal ones the first to arrive.
    return min(found, key=lambda quote: (-quote.revision, quote.ingested_at), default=None)


def _lines(s3: S3Client, bucket: str, day: str, on_progress: Callable[[int], None]) -> Iterator[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{RAW_PREFIX}dt={day}/")
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    with ThreadPoolExecutor(THREADS) as pool:
        for number, lines in enumerate(pool.map(lambda key: raw_zone.get_lines(s3, bucket, key), keys), 1):
            on_progress(number)
            yield from lines


def _quote(line: str) -> Quote:
    record = json.loads(line, parse_float=Decimal, parse_int=Decimal)
    values = {name: record[name] for name in ("symbol", "timestamp", *FIGURES, "source", "ingested_at")}
    return Quote(**{**values, "volume": int(record["volume"])}, revision=int(record.get("revision", 0)))


def _nearest(session: Session, outputs: StackOutputs, symbol: str) -> str:
    dynamodb: DynamoDBClient = session.client("dynamodb")
    found = dynamodb.query(
        TableName=outputs.table_name,
        KeyConditionExpression="symbol = :symbol",
        ExpressionAttributeValues={":symbol": {"S": symbol}},
        ScanIndexForward=False,
        Limit=3,
    )["Items"]
    if not found:
        return f"nor any other of {symbol}: look at the spelling"
    return f"the newest are of {', '.join(item['timestamp']['S'] for item in found)}. Give the time as it is stored"
