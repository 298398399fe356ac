"""The notification by which the bucket puts pointers to given-up batches on the dead-letter queue.

S3 tries a new one with a message about nothing, in a queue whose alarm counts messages. And a bucket that a deployment
takes over keeps the configuration that it has: CloudFormation imports it as it is (CloudFormation User Guide, "Import
AWS resources into a CloudFormation stack").
"""

from __future__ import annotations

import json
from typing import Any

from tapeline.aws import queues
from tapeline.aws.deployment import Deployment

PREFIX = "aws/lambda/"
"""Where in a bucket Lambda writes (Lambda Developer Guide, "Retaining discarded batch records")."""

_LOOKS = 10
"""Among more than a hundred other messages it may stay: the alarm rings anyway, and a redrive takes it out."""


def is_greeting(body: str) -> bool:
    """Say whether a message is S3's trial of a new notification (S3 User Guide, "Event message structure")."""
    try:
        return bool(json.loads(body)["Event"] == "s3:TestEvent")
    except (ValueError, KeyError, TypeError):
        return False


def ensure(deployment: Deployment) -> bool:
    """Put the notification of the template onto a bucket that lacks it, beside others; return whether it did."""
    s3, bucket = deployment.client("s3"), deployment.outputs.bucket_name
    present: Any = s3.get_bucket_notification_configuration(Bucket=bucket)
    present.pop("ResponseMetadata")
    queues_told, queue = present.get("QueueConfigurations", []), deployment.outputs.dead_letter_queue_arn
    if any(told["QueueArn"] == queue for told in queues_told):
        return False
    rule = {"Key": {"FilterRules": [{"Name": "prefix", "Value": PREFIX}]}}
    wanted = {"QueueArn": queue, "Events": ["s3:ObjectCreated:*"], "Filter": rule}
    present["QueueConfigurations"] = [*queues_told, wanted]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=present)
    return True


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
