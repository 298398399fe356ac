"""SNS takes the subjects that AWS takes, and no other."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clients import Clients

REFUSED = {
    "empty": "",
    "101 characters": "x" * 101,
    "150 characters": "x" * 150,
    "leading blank": " x",
    "blank alone": " ",
    "line feed": "a\nb",
    "trailing line feed": "a\n",
    "carriage return": "a\rb",
    "tab": "a\tb",
    "escape": "a\x1b[2J",
    "delete": "a\x7f",
    "accent": "caf\u00e9",
    "dash": "a \u2013 b",
    "emoji": "\U0001f4c8 up",
    "non-breaking blank": "a\u00a0b",
}
TAKEN = ["x", "x" * 100, "AAPL: up 5.2 % & <more>", "[ops] 2026-03-12", "ends with a blank ", "~", "100% + 1=2"]


@pytest.fixture
def sns(aws: Clients) -> Any:
    return aws.client("sns")


@pytest.fixture
def topic(sns: Any) -> str:
    return str(sns.create_topic(Name="subjects")["TopicArn"])


@pytest.mark.parametrize("subject", REFUSED.values(), ids=REFUSED)
def test_publish_refuses_what_aws_refuses(sns: Any, topic: str, subject: str) -> None:
    with pytest.raises(ClientError) as refusal:
        sns.publish(TopicArn=topic, Message="m", Subject=subject)
    assert refusal.value.response["Error"]["Code"] == "InvalidParameter"
    assert refusal.value.response["Error"]["Message"] == "Invalid parameter: Subject"
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_publish_takes_the_rest(sns: Any, topic: str) -> None:
    for subject in TAKEN:
        assert sns.publish(TopicArn=topic, Message="m", Subject=subject)["MessageId"]
    assert sns.publish(TopicArn=topic, Message="m")["MessageId"]


def entries(subjects: list[str]) -> list[dict[str, str]]:
    return [{"Id": f"e{number}", "Message": "m", "Subject": text} for number, text in enumerate(subjects)]


def test_a_batch_fails_by_the_entry(sns: Any, topic: str) -> None:
    subjects = ["fine", "a\nb", "x" * 100, "", "caf\u00e9", "fine too"]
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries(subjects))
    assert [entry["Id"] for entry in answer["Successful"]] == ["e0", "e2", "e5"]
    assert [entry["Id"] for entry in answer["Failed"]] == ["e1", "e3", "e4"]
    assert {(entry["Code"], entry["Message"], entry["SenderFault"]) for entry in answer["Failed"]} == {
        ("InvalidParameter", "Invalid parameter: Subject", True)
    }


def test_a_batch_of_refused_entries_fails_entry_by_entry(sns: Any, topic: str) -> None:
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries(["", " x"]))
    assert answer.get("Successful", []) == []
    assert [entry["Id"] for entry in answer["Failed"]] == ["e0", "e1"]


def test_a_batch_of_too_many_is_refused_whole(sns: Any, topic: str) -> None:
    with pytest.raises(ClientError, match="TooManyEntriesInBatchRequest"):
        sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries(["", *["x"] * 10]))
