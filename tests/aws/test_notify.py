from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tapeline.aws import notify


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, str, Any]]:
    """SNS, a topic, and a call that returns what a queue has got of its errors."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        sns, sqs = boto3.client("sns", region_name="us-east-1"), boto3.client("sqs", region_name="us-east-1")
        topic = sns.create_topic(Name="operations")["TopicArn"]
        queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        only_errors = json.dumps({"severity": ["error"]})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"FilterPolicy": only_errors})

        def read() -> list[dict[str, Any]]:
            messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
            return [json.loads(message["Body"]) for message in messages]

        yield sns, topic, read


def test_a_message_reaches_those_whose_filter_lets_its_attributes_in(inbox: Any) -> None:
    sns, topic, read = inbox
    message_id = notify.publish(sns, topic, "feed is silent", "No quote.\n", kind="feed", severity="error")
    notify.publish(sns, topic, "feed is well", "Quotes come.", kind="feed", severity="info")
    (message,) = read()
    assert message["MessageId"] == message_id
    assert (message["Subject"], message["Message"]) == ("feed is silent", "No quote.\n")
    assert message["MessageAttributes"]["kind"] == {"Type": "String", "Value": "feed"}


def test_a_subject_and_a_text_of_any_characters_are_taken(inbox: Any) -> None:
    sns, topic, read = inbox
    notify.publish(sns, topic, "Zürich\n" + "x" * 200, "a\x1b[2J\nb", kind="feed", severity="error")
    (message,) = read()
    assert message["Subject"] == "Z?rich " + "x" * 92
    assert message["Message"] == "a\\x1b[2J\nb"
