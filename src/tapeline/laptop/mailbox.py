"""The mailbox of this machine: who reads it from the start, and where."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote

from localaws.mail import Mailbox, page_url
from tapeline.aws.deployment import Deployment

READER = "you@laptop.example"
"""Who gets reports and anomalies, and the operators' messages, in the laptop's own mailbox."""


def mailbox_address() -> str:
    """Return where a person reads the mail that the local AWS sends."""
    return page_url()


def subscribe_reader(deployment: Deployment, home: Path) -> None:
    """Subscribe the laptop's own reader to both topics and confirm, once: who leaves is not subscribed a second time.

    A trend of the simulated market turns every few minutes, so the reader gets all alerts but trends.
    """
    note = home / "reader.json"
    if note.exists():
        return
    sns, outputs, mailbox = deployment.client("sns"), deployment.outputs, Mailbox(home / "mail")
    no_trends = {"FilterPolicy": json.dumps({"kind": [{"anything-but": ["trend_up", "trend_down"]}]})}
    for topic, attributes in ((outputs.alert_topic_arn, no_trends), (outputs.operations_topic_arn, {})):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=READER, Attributes=attributes)
        for message in mailbox.newest(20):
            token = re.search(rf"topic={re.escape(quote(topic, safe=''))}&token=(\w+)", message.text)
            if token and message.address == READER:
                sns.confirm_subscription(TopicArn=topic, Token=token[1])
                break
    note.write_text(json.dumps({"address": READER}))
