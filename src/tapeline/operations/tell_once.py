"""Tell the operations topic of a change once, however many look at the same moment and whoever dies on the way.

What is known is one item of the table of states, changed only by who has read it as it is. A message is noted there
before it is sent and struck out after: who finds one that was noted and not struck out for a while sends it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tapeline.aws import notify
from tapeline.market.quotes import read_timestamp, write_timestamp
from tapeline.operations.watch_memory import Message

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient

MEMORY_PREFIX = "watch#"
MEMORY = timedelta(days=400)
"""How long the state is kept after its last change."""

CLAIM = timedelta(seconds=90)
"""How long one who noted a message may take to send it."""

ATTEMPTS = 5
Decide = Callable[[str], tuple[str, Message | None]]
"""From the state as it is known, empty at first, to what it is now and the message that the change is worth."""


def memory_key(about: str) -> dict[str, Any]:
    """Return the key of what is known about something."""
    return {"key": {"S": MEMORY_PREFIX + about}}


def tell_once(
    dynamodb: DynamoDBClient, sns: SNSClient, *, table: str, topic: str, about: str, decide: Decide, now: datetime
) -> Message | None:
    """Remember in the table of states the state of something and tell the topic of its change; return what was sent.

    `decide` must be pure: it is asked again if another has changed the state meanwhile.
    """
    for _ in range(ATTEMPTS):
        item: Any = dynamodb.get_item(TableName=table, Key=memory_key(about), ConsistentRead=True).get("Item", {})
        state, version = item.get("state", {}).get("S", ""), int(item.get("version", {}).get("N", 0))
        unsent = Message(**json.loads(item["untold"]["S"])) if "untold" in item else None
        if unsent and now - read_timestamp(item["claimed_at"]["S"]) < CLAIM:
            return None  # another is just sending it; what has changed since waits for the next look
        decided, message = (state, unsent) if unsent else decide(state)
        if decided == state and message is None:
            return None
        if not _put(dynamodb, table, about, decided, version, message, now):
            continue
        if message is None:
            return None
        notify.publish(sns, topic, message.subject, message.text, kind=about, severity=message.severity)
        _put(dynamodb, table, about, decided, version + 1, None, now)
        return message
    return None


def _put(
    dynamodb: DynamoDBClient, table: str, about: str, state: str, version: int, unsent: Message | None, now: datetime
) -> bool:
    """Replace the item if it is still of this version; return whether it was."""
    item: Any = {
        **memory_key(about),
        "state": {"S": state},
        "version": {"N": str(version + 1)},
        "expires_at": {"N": str(int((now + MEMORY).timestamp()))},
    }
    if unsent:
        item |= {"untold": {"S": json.dumps(asdict(unsent))}, "claimed_at": {"S": write_timestamp(now)}}
    try:
        dynamodb.put_item(
            TableName=table,
            Item=item,
            ConditionExpression="#version = :version" if version else "attribute_not_exists(#version)",
            ExpressionAttributeNames={"#version": "version"},
            **({"ExpressionAttributeValues": {":version": {"N": str(version)}}} if version else {}),  # type: ignore[arg-type]
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True
