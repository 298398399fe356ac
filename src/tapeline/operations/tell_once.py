"""Telling the operations topic of a change once, however many look at the same moment and whoever dies on the way.

What was told last is one item of the table of states, changed only by who has read it as it is. A message is noted
there before it is sent and struck out after: who finds one that was noted and not struck out for a while sends it.
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
"""How long it is remembered what was said last."""

CLAIM = timedelta(seconds=90)
"""How long one who noted a message may take to send it."""

ATTEMPTS = 5
Decide = Callable[[str], tuple[str, Message | None]]
"""From the state as it is known, empty at first, to what it is now and what is to be told of the change."""


def memory_key(about: str) -> dict[str, Any]:
    """Return the key of what was told about something."""
    return {"key": {"S": MEMORY_PREFIX + about}}


def tell_once(
    dynamodb: DynamoDBClient, sns: SNSClient, *, table: str, topic: str, about: str, decide: Decide, now: datetime
) -> Message | None:
    """Remember a state and tell of its change.

    Parameters
    ----------
    dynamodb, sns : clients
    table, topic : str
        The table of states and the topic's ARN.
    about : str
        What the state is of.
    decide : callable
        Pure: it is asked again if another has changed the state meanwhile.
    now : datetime
        Aware.

    Returns
    -------
    Message or None
        What was sent by this call.
    """
    for _ in range(ATTEMPTS):
        item: Any = dynamodb.get_item(TableName=table, Key=memory_key(about), ConsistentRead=True).get("Item", {})
        state, version = item.get("state", {}).get("S", ""), int(item.get("version", {}).get("N", 0))
        untold = Message(**json.loads(item["untold"]["S"])) if "untold" in item else None
        if untold and now - read_timestamp(item["claimed_at"]["S"]) < CLAIM:
            return None  # another is just telling; what has changed since waits for the next look
        decided, message = (state, untold) if untold else decide(state)
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
    dynamodb: DynamoDBClient, table: str, about: str, state: str, version: int, untold: Message | None, now: datetime
) -> bool:
    """Replace the item if it is still of this version; tell whether it was."""
    item: Any = {
        **memory_key(about),
        "state": {"S": state},
        "version": {"N": str(version + 1)},
        "expires_at": {"N": str(int((now + MEMORY).timestamp()))},
    }
    if untold:
        item |= {"untold": {"S": json.dumps(asdict(untold))}, "claimed_at": {"S": write_timestamp(now)}}
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
