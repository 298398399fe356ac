"""Messages of a queue in tens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tapeline.aws import queues


@pytest.fixture
def sqs() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("sqs", region_name="us-east-1")


def received(sqs: Any, url: str) -> list[str]:
    receipts = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60).get("Messages"):
        receipts += [message["ReceiptHandle"] for message in messages]
    return receipts


@pytest.mark.parametrize("number", [0, 1, 10, 11, 25])
def test_any_number_of_messages_is_let_go_and_deleted(sqs: Any, number: int) -> None:
    url = sqs.create_queue(QueueName="letters")["QueueUrl"]
    for at in range(number):
        sqs.send_message(QueueUrl=url, MessageBody=str(at))
    receipts = received(sqs, url)
    assert len(receipts) == number
    assert received(sqs, url) == []
    queues.release(sqs, url, receipts)
    receipts = received(sqs, url)
    assert len(receipts) == number
    queues.delete(sqs, url, receipts)
    queues.release(sqs, url, receipts)
    assert received(sqs, url) == []


def test_a_message_that_the_queue_keeps_is_told() -> None:
    class Keeping:
        def delete_message_batch(self, **_: Any) -> Any:
            return {"Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": False}]}

    keeping: Any = Keeping()
    with pytest.raises(queues.UndeletedError, match="2 of 11 messages are done but still in the queue: InternalError"):
        queues.delete(keeping, "queue", ["receipt"] * 11)
