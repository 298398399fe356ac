"""Correct a stored quote: find the version that stands, and send one with a higher revision."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tapeline.aws.deployment import Deployment
from tapeline.market.dates import trading_date
from tapeline.market.quotes import CORRECTION, FIGURES, Quote, parse_quote, read_timestamp, write_timestamp
from tapeline.stream import items, raw_zone
from tapeline.stream.batch import Stored, figures_of, version_to_json
from tapeline.stream.keys import RAW_PREFIX

THREADS = 8
LITTLE = Decimal("0.8")
"""A corrected price below this share of the former, or beyond its inverse, is worth a second look."""

WAIT_SECONDS = 30.0
"""How long a correction may take to its item; a few seconds are usual."""

LOOK_AGAIN_SECONDS = 0.5


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
    def oddities(self) -> tuple[str, ...]:
        """What a person may not have meant, in words; a correction is taken as it is."""
        now, before = self.after, self.before
        if self.is_withdrawal:
            return ()
        oddities = []
        if 0 < now.high < now.low:
            oddities.append(f"the high {now.high} is below the low {now.low}: both will be marked suspect")
        elif now.low > 0 and now.high > 0 and not now.low <= now.price <= now.high:
            oddities.append(
                f"the price {now.price} lies outside that quote's own low and high, {now.low} to {now.high}"
            )
        if before.price and not before.price * LITTLE <= now.price <= before.price / LITTLE:
            oddities.append(f"the price {now.price} is far from {before.price}, which it replaces")
        return tuple(oddities)

    @property
    def is_withdrawal(self) -> bool:
        """Whether the print counts no more."""
        return not self.after.price


def plan(
    deployment: Deployment,
    symbol: str,
    timestamp: str,
    figures: dict[str, Decimal],
    *,
    withdraw: bool,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Correction:
    """Find the version of a quote that stands, and make the one that is to take its place.

    DynamoDB is asked first; a quote that it no longer has is looked for in the raw zone's partition, and progress is
    the number of objects read there. A withdrawn print comes back with the figures it had before, but for those given.
    The timestamp is exactly as stored; figures are by name, of `tapeline.market.quotes.FIGURES`, in USD or shares. To
    withdraw is to take the print out: it counts in nothing.

    Raises
    ------
    CorrectionError
        If the deployment takes no revisions, there is no such quote, or nothing would change.
    QuoteRejectedError
        If what is asked for is no quote.
    """
    if "revision" not in deployment.outputs.quote_fields.split(","):
        raise CorrectionError("this deployment takes no revisions yet; bring it up to date with `tapeline deploy`")
    stored = _stored(deployment, symbol, timestamp) or _raw(deployment, symbol, timestamp, on_progress)
    if stored is None:
        raise CorrectionError(f"no quote of {symbol} at {timestamp} is stored; {_nearest(deployment, symbol)}")
    before = stored.quote
    values: dict[str, Any] = dict.fromkeys(FIGURES, Decimal(0)) if withdraw else dict(figures)
    if not before.price and values.get("price", 1):
        values = _before_withdrawal(stored) | values
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


def send(deployment: Deployment, correction: Correction) -> None:
    """Put a correction on the stream; sending it twice changes nothing more."""
    deployment.client("kinesis").put_record(
        StreamName=deployment.outputs.stream_name,
        Data=correction.after.to_json().encode(),
        PartitionKey=correction.after.symbol,
    )


def wait(
    deployment: Deployment,
    correction: Correction,
    *,
    seconds: float = WAIT_SECONDS,
    sleep: Callable[[float], object] = time.sleep,
    on_progress: Callable[[float], None] = lambda _: None,
) -> bool:
    """Wait until a correction that was sent is stored; return whether it is. Progress is in seconds.

    Raises
    ------
    CorrectionError
        If another correction took the place first: this one is refused.
    """
    after = correction.after
    waited = 0.0
    while True:
        stored = _stored(deployment, after.symbol, after.timestamp)
        if stored and stored.quote.revision >= after.revision:
            if figures_of(stored, after.revision) == tuple(Decimal(getattr(after, name)) for name in FIGURES):
                return True
            raise CorrectionError(
                f"another correction came first; run it again. {after.symbol} at {after.timestamp} has version "
                f"{stored.quote.revision} now, at {stored.quote.price}"
            )
        if waited >= seconds:
            return False
        sleep(LOOK_AGAIN_SECONDS)
        waited += LOOK_AGAIN_SECONDS
        on_progress(waited)


def _before_withdrawal(stored: Stored) -> dict[str, Any]:
    """Return the figures of the newest version that had a price; none if there is none."""
    versions = (json.loads(text) for text in reversed(stored.superseded))
    priced = next((version for version in versions if Decimal(version["price"])), None)
    return {name: Decimal(priced[name]) for name in FIGURES} if priced else {}


def _stored(deployment: Deployment, symbol: str, timestamp: str) -> Stored | None:
    dynamodb = deployment.client("dynamodb")
    key: Any = {"symbol": {"S": symbol}, "timestamp": {"S": timestamp}}
    item = dynamodb.get_item(TableName=deployment.outputs.table_name, Key=key, ConsistentRead=True).get("Item")
    return items.stored_from_item(item) if item else None


def _raw(deployment: Deployment, symbol: str, timestamp: str, on_progress: Callable[[int], None]) -> Stored | None:
    try:
        moment = read_timestamp(timestamp)
    except ValueError as error:
        raise CorrectionError(str(error)) from error
    versions = [
        quote
        for line in _lines(deployment, trading_date(moment).isoformat(), on_progress)
        if f'"{symbol}"' in line and timestamp in line and (quote := _quote(line)) and quote.timestamp == timestamp
    ]
    if not versions:
        return None
    # The highest revision stands, of equal ones the first to arrive.
    *others, newest = sorted(versions, key=lambda quote: (-quote.revision, quote.ingested_at), reverse=True)
    return Stored(newest, superseded=tuple(version_to_json(quote, ()) for quote in others))


def _lines(deployment: Deployment, day: str, on_progress: Callable[[int], None]) -> Iterator[str]:
    s3, bucket = deployment.client("s3"), deployment.outputs.bucket_name
    keys = [stored["Key"] for stored in raw_zone.list_objects(s3, bucket, f"{RAW_PREFIX}dt={day}/")]
    with ThreadPoolExecutor(THREADS) as pool:
        for number, lines in enumerate(pool.map(lambda key: raw_zone.get_lines(s3, bucket, key), keys), 1):
            on_progress(number)
            yield from lines


def _quote(line: str) -> Quote:
    record = json.loads(line, parse_float=Decimal, parse_int=Decimal)
    values = {name: record[name] for name in ("symbol", "timestamp", *FIGURES, "source", "ingested_at")}
    return Quote(**{**values, "volume": int(record["volume"])}, revision=int(record.get("revision", 0)))


def _nearest(deployment: Deployment, symbol: str) -> str:
    newest = deployment.client("dynamodb").query(
        TableName=deployment.outputs.table_name,
        KeyConditionExpression="symbol = :symbol",
        ExpressionAttributeValues={":symbol": {"S": symbol}},
        ScanIndexForward=False,
        Limit=3,
    )["Items"]
    if not newest:
        return f"nor any other of {symbol}: look at the spelling"
    return f"the newest are of {', '.join(item['timestamp']['S'] for item in newest)}. Give the time as it is stored"
