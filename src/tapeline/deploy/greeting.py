"""The message by which S3 tries a new notification: about nothing, but in a queue whose alarm counts messages."""

from __future__ import annotations

import json

from tapeline.aws import queues
from tapeline.aws.deployment import Deployment

_LOOKS = 10
"""Among more than a hundred other messages it may stay: the alarm rings anyway, and a redrive takes it out."""


def is_greeting(body: str) -> bool:
    """Say whether a message is S3's trial of a new notification (S3 User Guide, "Event message structure")."""
    try:
        return bool(json.loads(body)["Event"] == "s3:TestEvent")
    except (ValueError, KeyError, TypeError):
        return False


def dismiss(deployment: Deployment) -> None:
    """Take such a message out of the dead-letter queue, and leave all others in it."""
    sqs, queue = deployment.client("sqs"), deployment.outputs.dead_letter_queue_url
    greetings: list[str] = []
    others: list[str] = []
    for _ in range(_LOOKS):
        answer = sqs.receive_message(  # it waits, for a look without sees a part of the queue only
            QueueUrl=queue, MaxNumberOfMessages=queues.PER_CALL, VisibilityTimeout=60, WaitTimeSeconds=1
        )
        for message in answer.get("Messages", []):
            (greetings if is_greeting(message["Body"]) else others).append(message["ReceiptHandle"])
        if greetings or not answer.get("Messages"):
            break
    queues.delete(sqs, queue, greetings)
    queues.release(sqs, queue, others)
