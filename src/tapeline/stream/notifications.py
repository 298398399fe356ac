"""Alerts to the topic: each once, in full batches, remembered after it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tapeline.aws import notify
from tapeline.market.alerts import Alert
from tapeline.stream import items, tables
from tapeline.stream.tables import Item, Patience

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient

PUBLISH_MESSAGES = 10
"""Most a PublishBatch takes (API Reference)."""

MEMORY = timedelta(days=30)
"""How long a sent alert is remembered: a DynamoDB stream delivers again for a day, a redrive for the 14 days that the
dead-letter queue keeps a pointer."""


def alerts_from_image(image: Item) -> list[Alert]:
    """Return the alerts that a stored quote carries, by the new image of a DynamoDB stream record."""
    if "alerts" not in image:
        return []
    stored = items.stored_from_item(image)
    fired = {alert["rule"]: alert for alert in json.loads(image["fired"]["S"])} if "fired" in image else {}
    return [
        Alert(
            kind=kind,
            quote=stored.quote,
            change_percent=_decimal_or_none(image["change_percent"]),
            moving_average_5=_decimal_or_none(image["moving_average_5"]),
            moving_average_20=_decimal_or_none(image["moving_average"]),
            suspect=tuple(reason["S"] for reason in image["suspect"]["L"]) if "suspect" in image else (),
            corrected=json.loads(stored.superseded[-1]) if stored.superseded else None,
            fired=fired.get(kind),
        )
        for kind in stored.alerts
    ]


def _decimal_or_none(value: Item) -> Decimal | None:
    return Decimal(value["N"]) if "N" in value else None


@dataclass(frozen=True, slots=True)
class AlertSender:
    """The topic, and the table that remembers what was sent."""

    sns: SNSClient
    dynamodb: DynamoDBClient
    topic_arn: str
    state_table_name: str
    patience: Patience

    def send(self, alerts: Sequence[Alert], now: datetime) -> tuple[set[str], set[str]]:
        """Publish the alerts that were not sent before.

        The memory is written after the message has left: an invocation that dies between the two sends it once more,
        never not at all.

        Returns
        -------
        tuple of (set of str, set of str)
            Identities of the alerts sent now, and of those that SNS refused and that are to be delivered again.
        """
        unsent = self._unsent({alert.identity: alert for alert in alerts})
        refused: set[str] = set()
        for start in range(0, len(unsent), PUBLISH_MESSAGES):
            batch = unsent[start : start + PUBLISH_MESSAGES]
            answer = self.sns.publish_batch(
                TopicArn=self.topic_arn,
                PublishBatchRequestEntries=[_message(number, alert) for number, alert in enumerate(batch)],
            )
            failed = {int(failure["Id"]) for failure in answer.get("Failed", [])}
            refused |= {batch[number].identity for number in failed}
            self._remember((alert for number, alert in enumerate(batch) if number not in failed), now)
        return {alert.identity for alert in unsent} - refused, refused

    def _unsent(self, alerts: dict[str, Alert]) -> list[Alert]:
        keys = [_memory_key(identity) for identity in alerts]
        remembered = tables.read_items(self.dynamodb, self.state_table_name, keys, self.patience)
        sent = {item["key"]["S"].removeprefix(items.ALERT_PREFIX) for item in remembered}
        return [alert for identity, alert in alerts.items() if identity not in sent]

    def _remember(self, alerts: Iterable[Alert], now: datetime) -> None:
        expires_at = str(int((now + MEMORY).timestamp()))
        rows = [
            {**_memory_key(alert.identity), "sent_at": {"S": now.isoformat()}, "expires_at": {"N": expires_at}}
            for alert in alerts
        ]
        tables.write_items(self.dynamodb, self.state_table_name, rows, self.patience)


def _memory_key(identity: str) -> Item:
    return {"key": {"S": items.ALERT_PREFIX + identity}}


def _message(number: int, alert: Alert) -> Any:
    attributes = {"symbol": alert.quote.symbol, "kind": alert.kind, "severity": alert.severity}
    if alert.fired:
        attributes["audience"] = alert.fired["audience"]
    return {"Id": str(number), **notify.message(alert.subject, alert.text, **attributes)}
