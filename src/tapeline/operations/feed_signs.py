"""What speaks for a feed: what the producer says that it follows, and the newest quotes, as the table of states has it.

Beside it, what else every watch counts: dead letters and subscribers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tapeline.aws.printable import printable
from tapeline.market.quotes import AFTERWARDS, read_timestamp
from tapeline.market.trading_hours import Hours
from tapeline.stream.items import FOLLOWED_KEY, SYMBOL_PREFIX
from tapeline.stream.tables import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

SIMULATED = "simulated"
SIMULATED_SILENCE = timedelta(seconds=60)
MARKET_SILENCE = timedelta(minutes=5)
"""How long a symbol may be silent: the simulated market never sleeps; a poll of a real one comes every 30 s in session,
but a quote only when its time moved."""

PACES_OF_SILENCE = 3
"""A producer that asks less often than that is missed after so many of its own paces."""

BEFORE_THE_OPEN = timedelta(minutes=30)
"""A quote from longer before the open is the session's before, though it came only now; others are late by 15 min."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What a producer says that it follows: the item that `tapeline.stream.announcement` writes, read."""

    source: str
    """``yahoo``, ``yahoo-stream`` or ``simulated``."""
    symbols: tuple[str, ...]
    every_seconds: float
    """Its pace, 0 if it has none."""
    started_at: datetime
    said_at: datetime
    """When it said so last; it began to follow these at `started_at`. Both are aware."""
    trouble: str = ""
    """What keeps it from its source, in its own words; empty if nothing."""

    @property
    def never_sleeps(self) -> bool:
        """Whether its market has no closing time."""
        return self.source == SIMULATED

    @property
    def patience(self) -> timedelta:
        """How long a symbol of it may be silent."""
        base = SIMULATED_SILENCE if self.never_sleeps else MARKET_SILENCE
        return max(base, timedelta(seconds=PACES_OF_SILENCE * self.every_seconds))


@dataclass(frozen=True, slots=True)
class NewestQuote:
    """The newest quote of a symbol, with its own time and when the producer got it, UTC."""

    symbol: str
    timestamp: str
    price: str
    change_percent: str
    """Per cent of the previous close; empty where it says nothing. Both figures are as stored, the price in USD."""
    source: str
    ingested_at: str
    suspect: tuple[str, ...] = ()
    """Which of its figures are not believed and why, as ``price:far``."""

    def heard_at(self, now: datetime, hours: Hours | None) -> datetime:
        """Return when the feed gave this sign of life, no later than now.

        That is the quote's own time for a correction, and for a quote of the session before: a producer sends the last
        quote of each symbol at its start. The session that began last is None if it is not known or the market never
        sleeps.
        """
        own = read_timestamp(self.timestamp)
        is_old = hours is not None and own < hours.opens_at - BEFORE_THE_OPEN
        return min(own if is_old or self.source in AFTERWARDS else read_timestamp(self.ingested_at), now)

    def age(self, now: datetime) -> timedelta:
        """Return how long ago it came in."""
        return max(timedelta(0), now - read_timestamp(self.ingested_at))


def followed_from_item(item: Item) -> Followed:
    """Return what the producer says that it follows; raise ValueError if the item has another form."""
    try:
        return Followed(
            source=item["source"]["S"],
            symbols=tuple(symbol["S"] for symbol in item["symbols"]["L"]),
            every_seconds=float(item.get("every_seconds", {}).get("N", 0)),
            started_at=read_timestamp(item["started_at"]["S"]),
            said_at=read_timestamp(item["said_at"]["S"]),
            trouble=printable(item.get("trouble", {}).get("S", "")),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"the item `{FOLLOWED_KEY}` of the table of states is not as agreed: {error!r}") from error


def read_followed(dynamodb: DynamoDBClient, table: str) -> Followed | None:
    """Return what the producer says that it follows, None if none has ever said it; see `followed_from_item`."""
    answer = dynamodb.get_item(TableName=table, Key={"key": {"S": FOLLOWED_KEY}})
    return followed_from_item(answer["Item"]) if "Item" in answer else None


def newest_from_item(item: Item) -> NewestQuote | None:
    """Return the newest quote that a symbol's state holds, None if it is of a version that held none."""
    if "newest" not in item:
        return None
    newest: dict[str, Any] = json.loads(item["newest"]["S"])
    change = newest.get("change_percent")
    return NewestQuote(
        symbol=item["key"]["S"].removeprefix(SYMBOL_PREFIX),
        timestamp=newest["timestamp"],
        price=f"{Decimal(repr(newest['price'])):f}",
        change_percent="" if change is None else f"{Decimal(repr(change)):f}",
        source=newest["source"],
        ingested_at=newest["ingested_at"],
        suspect=tuple(newest.get("suspect") or ()),
    )


def count_dead_letters(sqs: SQSClient, queue_url: str) -> int:
    """Return how many messages lie in the dead-letter queue, those that someone is just reading included."""
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return sum(int(attributes.get(name, 0)) for name in names)


def count_subscribers(sns: SNSClient, topic_arn: str) -> tuple[int, int]:
    """Return how many subscriptions a topic has, confirmed and not."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    arns = [subscription["SubscriptionArn"] for page in pages for subscription in page["Subscriptions"]]
    return sum(arn.startswith("arn:") for arn in arns), arns.count("PendingConfirmation")
