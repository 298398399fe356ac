"""The message about records that are given up, and where it goes: a bucket, a queue or a topic."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from localaws.clients import Clients
from localaws.lambda_process import Invocation
from localaws.sources import Record


def message(condition: str, failures: int, outcome: Invocation | None, function_arn: str) -> dict[str, Any]:
    """Return what Lambda says of records that nobody will see again, but for their `position`.

    Parameters
    ----------
    condition : str
        ``RetryAttemptsExhausted`` or ``RecordAgeExceeded``.
    failures : int
        How often the function failed on them.
    outcome : Invocation or None
        How the last invocation ended, if there was one.
    """
    return {
        "requestContext": {
            "requestId": outcome.request_id if outcome else str(uuid.uuid4()),
            "functionArn": function_arn,
            "condition": condition,
            "approximateInvokeCount": failures,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled" if outcome and outcome.error else None,
        },
        "version": "1.0",
        "timestamp": _iso(time.time()),
    }


def position(records: Sequence[Record], shard_id: str, stream_arn: str) -> dict[str, Any]:
    """Return where the records are on their stream."""
    first, last = records[0], records[-1]
    return {
        "shardId": shard_id,
        "startSequenceNumber": first.sequence_number,
        "endSequenceNumber": last.sequence_number,
        "approximateArrivalOfFirstRecord": _iso(first.arrived_at),
        "approximateArrivalOfLastRecord": _iso(last.arrived_at),
        "batchSize": len(records),
        "streamArn": stream_arn,
    }


def send(aws: Clients, role: Clients, destination: str, document: dict[str, Any], place: str, event: str) -> None:
    """Send a message to a bucket, a queue or a topic, by its ARN, in the name of the function's role.

    A bucket gets the event too, as `payload`, under a key that says whose it was (Lambda Developer Guide, "Retain
    discarded batch records"): ``aws/lambda/UUID of the mapping/shard/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-UUID``.

    Parameters
    ----------
    role : Clients
        Sign as the role, which needs ``s3:ListBucket`` and ``s3:PutObject``, ``sqs:SendMessage`` or ``sns:Publish``.
    place : str
        The mapping's UUID, a slash, and the shard.
    event : str
        What the function got, as JSON.
    """
    service, owner, name = destination.split(":")[2], *destination.split(":")[4:6]
    client = role.client(service)
    if service == "s3":
        now = datetime.now(UTC)
        key = f"aws/lambda/{place}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
        client.list_objects_v2(Bucket=name, MaxKeys=1)
        client.put_object(Bucket=name, Key=key, Body=json.dumps({**document, "payload": event}).encode())
    elif service == "sqs":
        url = aws.client("sqs").get_queue_url(QueueName=name, QueueOwnerAWSAccountId=owner)["QueueUrl"]
        client.send_message(QueueUrl=url, MessageBody=json.dumps(document))
    else:
        client.publish(TopicArn=destination, Message=json.dumps(document))


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
