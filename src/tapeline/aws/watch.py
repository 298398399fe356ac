"""What the DAGs look after: a feed that is not well, a catalog that is not as agreed. Each is told once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tapeline.aws import status
from tapeline.aws.session import Session
from tapeline.aws.stack import StackOutputs
from tapeline.health import Colour, Light, judge

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_glue import GlueClient

MEMORY_PREFIX = "watch#"
MEMORY = timedelta(days=400)
"""How long it is remembered what was said last."""

MAX_SUBJECT_CHARACTERS = 99
"""SNS takes subjects of less than 100 (API Reference, Publish)."""

AGREED_COLUMNS = {
    "symbol": "string",
    "timestamp": "string",
    "open": "double",
    "high": "double",
    "low": "double",
    "price": "double",
    "previous_close": "double",
    "volume": "bigint",
    "source": "string",
    "ingested_at": "string",
    "revision": "bigint",
    "doubt": "string",
    "suspect": "array<string>",
    "confirms": "string",
    "shard": "string",
    "sequence": "string",
}
"""The raw zone's columns in Glue's types, as docs/data-model.md tells them."""


def watch_feed(session: Session, outputs: StackOutputs, now: datetime) -> Sequence[Light]:
    """Judge the deployment as `tapeline status` does and tell the operations topic when the red lights change.

    Returns
    -------
    sequence of Light
        All lights, for the log.
    """
    lights = judge(status.read(session, outputs, parts=[], now=now))
    red = [light for light in lights if light.colour is Colour.RED]
    names = ", ".join(dict.fromkeys(light.name for light in red))
    if red:
        text = "\n\n".join(f"{light.name}: {light.reading}\n  {light.next_step}" for light in red)
        subject = f"Feed: {names} red"
    else:
        text, subject = "All lights that were red are red no more.", "Feed: well again"
    text += "\n\nThis is told once. `tapeline status` shows how it is now; docs/runbook.md has more."
    tell_change(session, outputs, "feed", names, subject, text, now)
    return lights


def watch_schema(session: Session, outputs: StackOutputs, now: datetime) -> list[str]:
    """Compare the raw table's columns with those agreed and tell the operations topic when the differences change.

    Returns
    -------
    list of str
        The differences in words.
    """
    glue: GlueClient = session.client("glue")
    table = glue.get_table(DatabaseName=outputs.database_name, Name=outputs.raw_table_name)["Table"]
    found = {column["Name"]: column.get("Type", "") for column in table["StorageDescriptor"]["Columns"]}
    differences = drift(found)
    if differences:
        text = (
            f"The crawler has left {outputs.raw_table_name} otherwise than agreed:\n\n"
            + "\n".join(f"- {difference}" for difference in differences)
            + "\n\nA new column does no harm: agree on it in tapeline.aws.watch and docs/data-model.md, or stop the\n"
            "producer sending it. A missing or changed one makes rollups fail or go wrong: find the object under\n"
            "raw-data/ that brought it."
        )
        subject = f"Schema of {outputs.raw_table_name} has changed"
    else:
        text, subject = f"{outputs.raw_table_name} is as agreed again.", f"Schema of {outputs.raw_table_name} is well"
    tell_change(session, outputs, "schema", "; ".join(differences), subject, text, now)
    return differences


def drift(found: dict[str, str]) -> list[str]:
    """Return how columns differ from those agreed, in words.

    >>> drift({**AGREED_COLUMNS, "volume": "double", "bid": "double"})
    ['volume is double, agreed is bigint', 'bid (double) is new']
    """
    changed = [
        f"{name} is {found[name]}, agreed is {kind}" if name in found else f"{name} ({kind}) is missing"
        for name, kind in AGREED_COLUMNS.items()
        if found.get(name) != kind
    ]
    return changed + [f"{name} ({kind}) is new" for name, kind in found.items() if name not in AGREED_COLUMNS]


def tell_change(
    session: Session, outputs: StackOutputs, about: str, state: str, subject: str, text: str, now: datetime
) -> bool:
    """Send a message to the operations topic if a state is another than the last one told; tell whether it was sent.

    Parameters
    ----------
    about : str
        What the state is of.
    state : str
        In a form that is equal when nothing has changed; empty when all is well, which is also the first state.
    subject, text : str
        The message.
    now : datetime
        Aware.
    """
    dynamodb: DynamoDBClient = session.client("dynamodb")
    key = {"key": {"S": MEMORY_PREFIX + about}}
    known = dynamodb.get_item(TableName=outputs.state_table_name, Key=key, ConsistentRead=True).get("Item")
    if state == (known["state"]["S"] if known else ""):
        return False
    severity = "error" if state else "info"
    session.client("sns").publish(
        TopicArn=outputs.operations_topic_arn,
        Subject=subject.encode("ascii", "replace").decode()[:MAX_SUBJECT_CHARACTERS],
        Message=text,
        MessageAttributes={
            "kind": {"DataType": "String", "StringValue": about},
            "severity": {"DataType": "String", "StringValue": severity},
        },
    )
    expires_at = str(int((now + MEMORY).timestamp()))
    dynamodb.put_item(
        TableName=outputs.state_table_name,
        Item={**key, "state": {"S": state}, "expires_at": {"N": expires_at}},
    )
    return True
