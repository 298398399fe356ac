"""The event filter of the trend alerts, and the laptop's filter patterns, by AWS's own rule engine (event-ruler)."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from localaws.event_filter import EventFilter
from localaws_tests.services.test_event_filter import CASES, RECORD
from tapeline.deploy import stack
from tapeline.market.symbol_state import Observation
from tapeline.stream.items import observation_to_item
from tests.lambdas.deployment import make_quote
from tests.witness.absent import AbsentError
from tests.witness.archive import cache, copy_artifacts
from tests.witness.comparison import AGREES, DIFFERS, Finding

TITLE = "event filter"
RULER = "1.7.0"
WHAT = (
    f"the filter of the template, on records as DynamoDB streams have them, and the patterns of "
    f"`test_event_filter.py`, by event-ruler {RULER}, which Lambda's filters are made of."
)

_JACKSON = "2.15.3"
"""What it was built with; it calls a class that later ones do not have."""
_ARTIFACTS = (
    ("software.amazon.event.ruler", "event-ruler", RULER),
    ("com.fasterxml.jackson.core", "jackson-core", _JACKSON),
    ("com.fasterxml.jackson.core", "jackson-databind", _JACKSON),
    ("com.fasterxml.jackson.core", "jackson-annotations", _JACKSON),
)

Record = dict[str, Any]


def compare_rules(java: Path) -> Iterator[Finding]:
    """Ask the engine about each record and rule.

    Raises
    ------
    AbsentError
        If the engine cannot be had, or does not run.
    """
    [rule] = re.findall(r"- Pattern: '(.+)'", stack.TEMPLATE.read_text())
    asked = [(f"a record of {name}", record, rule, wanted) for name, (record, wanted) in _records().items()]
    for pattern, wanted in CASES:
        asked.append((f"the pattern {json.dumps(pattern)}", RECORD, json.dumps(pattern), wanted))
    answers = _ask(java, [(record, rule) for _, record, rule, _ in asked])
    for (name, record, one, wanted), engine in zip(asked, answers, strict=True):
        here = EventFilter({"Filters": [{"Pattern": one}]}).passes(record)
        same = here == engine == wanted
        yield Finding(name, AGREES if same else DIFFERS, f"expected {wanted}, here {here}, engine {engine}")


def _records() -> dict[str, tuple[Record, bool]]:
    """Records of the quotes' stream, and whether the function shall be called for them."""
    plain, marked = _item(()), _item(("trend_up", "anomaly"))
    gone = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    return {
        "a quote without an alert": (_record("INSERT", NewImage=plain), False),
        "a quote with alerts": (_record("INSERT", NewImage=marked), True),
        "a correction that still has alerts": (_record("MODIFY", NewImage=marked, OldImage=plain), True),
        "a correction that has none any more": (_record("MODIFY", NewImage=plain, OldImage=marked), False),
        "a quote that expired": ({**_record("REMOVE", OldImage=marked), "userIdentity": gone}, False),
        "a deletion": (_record("REMOVE", OldImage=marked), False),
        "keys alone": (_record("INSERT"), False),
    }


def _item(alerts: tuple[str, ...]) -> Record:
    observation = Observation(
        quote=make_quote(),
        arrived_at=datetime(2026, 3, 12, 13, 31, tzinfo=UTC),
        change=None,
        change_percent=None,
        moving_average=None,
        moving_average_5=None,
        trend="up",
        anomaly_reasons=(),
        alerts=alerts,
        late=False,
    )
    return observation_to_item(observation, timedelta(days=1))


def _record(name: str, **images: Record) -> Record:
    """Return a record as the DynamoDB Developer Guide shows it ("DynamoDB Streams and AWS Lambda triggers")."""
    keys = {"symbol": {"S": "AAPL"}, "timestamp": {"S": "2026-03-12T13:30:00Z"}}
    about = {"ApproximateCreationDateTime": 1773322260, "Keys": keys, "SequenceNumber": "1", "SizeBytes": 26}
    return {
        "eventID": "1",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {**about, **images, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    }


def _ask(java: Path, pairs: list[tuple[Record, str]]) -> list[bool]:
    jars = [cache() / f"{name}-{version}.jar" for _, name, version in _ARTIFACTS]
    if not all(jar.exists() for jar in jars):
        copy_artifacts([":".join(artifact) for artifact in _ARTIFACTS], cache())
    source = Path(__file__).with_name("EventRules.java")
    command: list[str | Path] = [java, "-cp", ":".join(map(str, jars)), source]
    lines = "".join(f"{json.dumps(record)}\t{rule}\n" for record, rule in pairs)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AbsentError(f"event-ruler does not run ({' '.join(map(str, command))}):\n{done.stderr[-2000:]}")
    return [line == "true" for line in done.stdout.splitlines()]
