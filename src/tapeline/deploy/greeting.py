"""The message by which S3 tries a new notification: about nothing, but in a queue whose alarm counts messages."""

from __future__ import annotations

import json

from tapeline.aws.deployment import Deployment


def is_greeting(body: str) -> bool:
    """Say whether a message is S3's trial of a new notification (S3 User Guide, "Event message structure")."""
    try:
        return bool(json.loads(body)["Event"] == "s3:TestEvent")
    except (ValueError, KeyError, TypeError):
        return False


def dismiss(deployment: Deployment) -> None:
    """Take such messages out of the dead-letter queue, and leave all others in it."""
    sqs, queue = deployment.client("sqs"), deployment.outputs.dead_letter_queue_url
    others = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=60).get("Messages"):
        for message in messages:
            if is_greeting(message["Body"]):
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            else:
                others.append(message["ReceiptHandle"])
    for receipt in others:
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=receipt, VisibilityTimeout=0)
