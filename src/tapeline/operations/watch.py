"""What the DAGs look after: a feed that is not well, a catalog that is not as agreed. Each is reported once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime

from tapeline.aws.deployment import Deployment
from tapeline.market.quotes import Quote
from tapeline.operations.feed_watch import UnreadError
from tapeline.operations.health import judge
from tapeline.operations.light import Light
from tapeline.operations.readings import read_readings
from tapeline.operations.tell_once import Decide, tell_once
from tapeline.operations.watch_memory import FEED, Message, deciding

_GLUE_TYPES = {"str": "string", "Decimal": "double", "int": "bigint"}
AGREED_COLUMNS = {
    **{field.name: _GLUE_TYPES[str(field.type)] for field in fields(Quote)},
    "suspect": "array<string>",
    "confirms": "string",
    "shard": "string",
    "sequence": "string",
}
"""The raw zone's columns in Glue's types, as docs/data-model.md lists them."""


def watch_feed(deployment: Deployment, now: datetime) -> Sequence[Light]:
    """Judge the deployment as `tapeline status` does and tell the operations topic what has changed; return all lights.

    Raises
    ------
    UnreadError
        If something could not be read; what could be was judged and reported.
    """
    readings = read_readings(deployment, parts=[], now=now)
    lights = judge(readings)
    _tell(deployment, FEED, deciding(readings, lights), now)
    if readings.unread:
        raise UnreadError(readings.unread)
    return lights


def watch_schema(deployment: Deployment, now: datetime) -> list[str]:
    """Compare the raw table's columns with those agreed and tell the operations topic when the differences change.

    Return the differences in words.
    """
    database, name = deployment.outputs.database_name, deployment.outputs.raw_table_name
    table = deployment.client("glue").get_table(DatabaseName=database, Name=name)["Table"]
    present = {column["Name"]: column.get("Type", "") for column in table["StorageDescriptor"]["Columns"]}
    differences = drift(present)
    if differences:
        text = (
            f"The crawler has left {name} otherwise than agreed:\n\n"
            + "\n".join(f"- {difference}" for difference in differences)
            + "\n\nA new column does no harm: agree on it in tapeline.operations.watch and docs/data-model.md, "
            "or stop the\nproducer sending it. A missing or changed one makes rollups fail or go wrong: "
            "find the object under\nraw-data/ that brought it."
        )
        subject = f"Schema of {name} has changed"
    else:
        text, subject = f"{name} is as agreed again.", f"Schema of {name} is well"
    state_now = "; ".join(differences)

    def decide(state: str) -> tuple[str, Message | None]:
        return state_now, None if state_now == state else Message(subject, text, "error" if differences else "info")

    _tell(deployment, "schema", decide, now)
    return differences


def drift(present: dict[str, str]) -> list[str]:
    """Return how columns differ from those agreed, in words.

    >>> drift({**AGREED_COLUMNS, "volume": "double", "bid": "double"})
    ['volume is double, agreed is bigint', 'bid (double) is new']
    """
    changed = [
        f"{name} is {present[name]}, agreed is {kind}" if name in present else f"{name} ({kind}) is missing"
        for name, kind in AGREED_COLUMNS.items()
        if present.get(name) != kind
    ]
    return changed + [f"{name} ({kind}) is new" for name, kind in present.items() if name not in AGREED_COLUMNS]


def _tell(deployment: Deployment, about: str, decide: Decide, now: datetime) -> None:
    tell_once(
        deployment.client("dynamodb"),
        deployment.client("sns"),
        table=deployment.outputs.state_table_name,
        topic=deployment.outputs.operations_topic_arn,
        about=about,
        decide=decide,
        now=now,
    )
