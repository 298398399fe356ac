"""What the table of states says of the feed: what is followed, the newest quotes, what the watch remembers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tapeline.aws.printable import printable
from tapeline.market.quotes import read_timestamp
from tapeline.operations.feed_signs import Followed, NewestQuote
from tapeline.stream.items import FOLLOWED_KEY, SYMBOL_PREFIX
from tapeline.stream.tables import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

WATCH = "feed"
"""What the watch's memory is about."""


def followed_from_item(item: Item) -> Followed:
    """Return what the producer says that it follows.

    Raises
    ------
    ValueError
        If the item has another form.
    """
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
    """Return what the producer says that it follows, None if none has ever said it.

    Raises
    ------
    ValueError
        If the item has another form.
    """
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
