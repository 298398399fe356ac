"""A change is told once, whoever looks first, at the same moment or after another has died."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tapeline.operations.tell_once import CLAIM, Decide, memory_key, tell_once
from tapeline.operations.watch_memory import Message

NOW = datetime(2026, 3, 16, 13, 35, tzinfo=UTC)
TABLE = "state"


class Told:
    """A table, a topic, and what was published to it."""

    def __init__(self) -> None:
        self.dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        self.dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        )
        put_item, one_at_a_time = self.dynamodb.put_item, threading.Lock()

        def put(**call: Any) -> Any:
            with one_at_a_time:  # DynamoDB looks at the condition and writes in one step, moto in two
                return put_item(**call)

        self.dynamodb.put_item = put  # type: ignore[method-assign]
        self.messages: list[tuple[str, str]] = []
        self.fails = False

    def publish(self, **message: Any) -> dict[str, str]:
        if self.fails:
            raise ConnectionError("the topic is away")
        self.messages.append((message["Subject"], message["MessageAttributes"]["severity"]["StringValue"]))
        return {"MessageId": str(len(self.messages))}

    def tell(self, decide: Decide, now: datetime = NOW) -> Message | None:
        return tell_once(self.dynamodb, self, table=TABLE, topic="t", about="feed", decide=decide, now=now)  # type: ignore[arg-type]

    def item(self) -> dict[str, Any]:
        found: Any = self.dynamodb.get_item(TableName=TABLE, Key=memory_key("feed"))
        return dict(found["Item"])


@pytest.fixture
def told() -> Iterator[Told]:
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        yield Told()


def becomes(state: str) -> Decide:
    return lambda known: (state, None if known == state else Message(f"now {state}", "text"))


def test_a_state_is_told_when_it_changes_and_only_then(told: Told) -> None:
    for state in ("", "red", "red", "well", "well", "red"):
        told.tell(becomes(state))
    assert told.messages == [("now red", "error"), ("now well", "error"), ("now red", "error")]


def test_a_change_that_is_not_told_is_remembered(told: Told) -> None:
    assert told.tell(lambda known: ("seen", None)) is None
    assert told.item()["state"] == {"S": "seen"}
    assert told.messages == []


@pytest.mark.parametrize("known", ["", "red"])
def test_two_that_look_at_the_same_moment_tell_once(told: Told, known: str) -> None:
    if known:
        told.tell(becomes(known))
    told.messages.clear()
    both_have_read = threading.Barrier(2)

    def decide(state: str) -> tuple[str, Message | None]:
        if state == known:
            both_have_read.wait(timeout=30)
        return becomes("other")(state)

    threads = [threading.Thread(target=told.tell, args=(decide,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [subject for subject, _ in told.messages] == ["now other"]


def test_what_one_noted_and_did_not_send_another_sends(told: Told) -> None:
    told.fails = True
    with pytest.raises(ConnectionError):
        told.tell(becomes("red"))
    told.fails = False
    assert told.tell(becomes("red"), NOW + CLAIM / 2) is None  # the first may be at it still
    assert told.tell(becomes("red"), NOW + CLAIM) == Message("now red", "text")
    assert told.tell(becomes("red"), NOW + 2 * CLAIM) is None
    assert len(told.messages) == 1


def test_a_change_while_another_is_just_telling_waits_for_the_next_look(told: Told) -> None:
    told.fails = True
    with pytest.raises(ConnectionError):
        told.tell(becomes("red"))
    told.fails = False
    assert told.tell(becomes("well"), NOW + timedelta(seconds=1)) is None
    told.tell(becomes("well"), NOW + CLAIM)
    told.tell(becomes("well"), NOW + CLAIM + timedelta(minutes=1))
    assert [subject for subject, _ in told.messages] == ["now red", "now well"]


def test_a_memory_of_the_version_before_is_read_and_replaced(told: Told) -> None:
    told.dynamodb.put_item(TableName=TABLE, Item={**memory_key("feed"), "state": {"S": "quotes"}})
    assert told.tell(becomes("quotes")) is None
    told.tell(becomes("well"))
    assert [subject for subject, _ in told.messages] == ["now well"]


def test_a_subject_is_such_as_sns_takes(told: Told) -> None:
    told.tell(lambda known: ("x", Message("Kö\nse " + "x" * 200, "text")))
    ((subject, _),) = told.messages
    assert subject.isascii()
    assert subject.isprintable()
    assert len(subject) < 100


def test_a_message_is_noted_as_text_that_any_version_reads(told: Told) -> None:
    told.fails = True
    with pytest.raises(ConnectionError):
        told.tell(becomes("red"))
    assert json.loads(told.item()["untold"]["S"]) == {"subject": "now red", "text": "text", "severity": "error"}
