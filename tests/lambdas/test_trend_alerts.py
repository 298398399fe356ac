"""The alerts function over moto: each alert once, in messages that SNS takes and people can read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tapeline.aws.notify import mail_subject
from tapeline.market.alerts import Alert
from tapeline.market.rules import KINDS
from tapeline.market.symbol_state import Observation
from tapeline.stream.items import observation_to_item

from .conftest import ENVIRONMENT
from .deployment import OPENING, create_table, load_handler, make_context, make_quote

EVERYTHING = ("open:far", "high:below_low", "low:above_high", "price:far", "previous_close:doubted", "volume:far")


@pytest.fixture
def alerts(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The function over a fresh topic, which a queue listens to, and a fresh table."""
    with mock_aws():
        module = load_handler("trend_alerts", ENVIRONMENT, monkeypatch)
        create_table(boto3.client("dynamodb"), "state", "key")
        topic = boto3.client("sns").create_topic(Name="Stock_TrendAlerts")["TopicArn"]
        queue = boto3.client("sqs").create_queue(QueueName="inbox")["QueueUrl"]
        boto3.client("sns").subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:inbox"
        )
        module.inbox = queue  # type: ignore[attr-defined]
        yield module


def image(minute: int, *kinds: str, symbol: str = "AAPL") -> dict[str, Any]:
    quote = make_quote(symbol, minute, "106.2")
    observation = Observation(
        quote, OPENING, Decimal("6.2"), Decimal("6.20"), Decimal(104), Decimal(105), "up", (), kinds, late=False
    )
    item = observation_to_item(observation, timedelta(days=30))
    return {"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(1000 + minute), "NewImage": item}}


def deliver(module: ModuleType, *records: dict[str, Any]) -> Any:
    return module.handler({"Records": list(records)}, make_context())["batchItemFailures"]


def inbox(module: ModuleType) -> list[dict[str, Any]]:
    messages = boto3.client("sqs").receive_message(QueueUrl=module.inbox, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def test_an_alert_is_one_message_with_subject_text_and_attributes(alerts: ModuleType) -> None:
    assert deliver(alerts, image(0), image(1, "price_move")) == []
    (message,) = inbox(alerts)
    assert message["Subject"] == "[replay] AAPL +6.20% from the previous close, at $106.20"
    assert "Price:         $106.20 (+6.20% from $100.00)" in message["Message"]
    assert "Thu 12 Mar 2026, 09:31:00 New York (2026-03-12T13:31:00Z)" in message["Message"]
    attributes = {name: value["Value"] for name, value in message["MessageAttributes"].items()}
    assert attributes == {"symbol": "AAPL", "kind": "price_move", "severity": "warning"}


def test_a_quote_may_raise_two_alerts(alerts: ModuleType) -> None:
    deliver(alerts, image(1, "price_move", "trend_up"))
    assert sorted(m["MessageAttributes"]["kind"]["Value"] for m in inbox(alerts)) == ["price_move", "trend_up"]


def test_an_alert_delivered_again_is_not_sent_again(alerts: ModuleType) -> None:
    deliver(alerts, image(1, "trend_up"), image(1, "trend_up"))
    deliver(alerts, image(1, "trend_up"), image(2, "trend_down"))
    assert [m["MessageAttributes"]["kind"]["Value"] for m in inbox(alerts)] == ["trend_up", "trend_down"]


def test_a_removed_item_is_no_news(alerts: ModuleType) -> None:
    removed = {"eventName": "REMOVE", "dynamodb": {"SequenceNumber": "7", "OldImage": {}}}
    assert deliver(alerts, removed) == []
    assert inbox(alerts) == []


def test_more_alerts_than_a_batch_takes_all_leave(alerts: ModuleType) -> None:
    assert deliver(alerts, *[image(minute, "trend_up") for minute in range(23)]) == []
    sent = inbox(alerts) + inbox(alerts) + inbox(alerts)
    assert len(sent) == 23


def test_what_sns_refuses_is_reported_and_the_rest_is_remembered(
    alerts: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = alerts.sns.publish_batch

    def refuse_second(**arguments: Any) -> Any:
        entries = arguments["PublishBatchRequestEntries"]
        real(TopicArn=arguments["TopicArn"], PublishBatchRequestEntries=[e for e in entries if e["Id"] != "1"])
        return {"Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": False}]}

    records = [image(minute, "trend_up") for minute in range(3)]
    with monkeypatch.context() as patch:
        patch.setattr(alerts.sns, "publish_batch", refuse_second)
        assert deliver(alerts, *records) == [{"itemIdentifier": "1001"}]
    assert deliver(alerts, *records[1:]) == []
    subjects = [message["Message"] for message in inbox(alerts)]
    assert [f"13:3{minute}:00Z" in text for minute, text in zip([0, 2, 1], subjects, strict=True)] == [True] * 3


@pytest.mark.parametrize(("client", "operation"), [("sns", "publish_batch"), ("dynamodb", "batch_get_item")])
def test_a_failing_dependency_has_all_delivered_again(
    alerts: ModuleType, monkeypatch: pytest.MonkeyPatch, client: str, operation: str
) -> None:
    def fail(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "InternalError", "Message": "injected"}}, operation)

    with monkeypatch.context() as patch:
        patch.setattr(getattr(alerts, client), operation, fail)
        assert deliver(alerts, image(5, "trend_up"), image(6, "trend_down")) == [{"itemIdentifier": "1005"}]
    assert deliver(alerts, image(5, "trend_up"), image(6, "trend_down")) == []
    assert len(inbox(alerts)) == 2


def test_a_suspect_figure_is_told_with_its_reason_and_what_to_do() -> None:
    quote = make_quote(price="120.90", previous_close=Decimal("1208.88"), source="yahoo")
    alert = Alert("suspect", quote, None, Decimal(121), Decimal(120), suspect=("previous_close:far", "volume:far"))
    assert alert.subject == "AAPL: looks wrong, not counted: previous close and volume"
    assert "- previous close $1,208.88:\n  far from all prices: an unknown split, a wrong figure" in alert.text
    assert "Price:         $120.90 (change unknown from $1,208.88)\n" in alert.text
    assert "tapeline correct" in alert.text


def test_a_correction_says_what_was_sent_and_what_stands() -> None:
    before = {"revision": 0, "price": "106", "previous_close": "100", "alerts": ["price_move"]}
    quote = make_quote(price="101", revision=1, source="correction")
    alert = Alert("correction", quote, Decimal("1.00"), Decimal(101), Decimal(100), corrected=before)
    assert alert.subject == "AAPL corrected: a message was sent on a wrong figure"
    assert (
        "Sent: moved far from its previous close, at $106.00.\nNow: the figures below stand in its place" in alert.text
    )
    assert "Price:         $101.00 (+1.00% from $100.00)" in alert.text
    withdrawn = replace(
        alert, quote=replace(quote, price=Decimal(0)), change_percent=None, suspect=("price:withdrawn",)
    )
    assert "Now: that print is withdrawn (version 1)." in withdrawn.text
    assert "$0.00" not in withdrawn.text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", ["yahoo", "simulated", "replay"])
def test_every_subject_is_short_ascii_and_every_line_fits_a_mail(kind: str, source: str) -> None:
    quote = make_quote("A" * 20, price="123456789.99", source=source, doubt="price: " + "odd, " * 58)
    alert = Alert(kind, quote, Decimal("-1234567.89"), Decimal(1), Decimal(1), suspect=EVERYTHING)
    assert len(mail_subject(alert.subject)) < 100
    assert alert.subject.isascii()
    assert max(map(len, alert.text.splitlines())) <= 78
    assert ("simulated" in alert.text) == (source == "simulated")
