"""What CloudFormation does to a stack, followed event by event until it is at rest."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tapeline.aws.clients import Clients
from tapeline.aws.deployment import StackError, find_stack

QUIET_SECONDS = {"local": 60, "aws": 3600}
"""An operation without any event for so long is given up waiting for."""

_CONSEQUENCES = ("Resource creation cancelled", "Resource update cancelled")
_VERBS = {"CREATE": "making", "UPDATE": "changing", "DELETE": "removing", "IMPORT": "taking over"}
_RESULTS = {"CREATE": "made", "UPDATE": "changed", "DELETE": "removed", "IMPORT": "taken over"}


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a deployment.

    The resource goes by its name in the template, such as ``DataTable``, or is the stack or a file; its kind is like
    ``DynamoDB table``. The status is of `_VERBS` or `_RESULTS`, ``kept``, or ``failed`` for the reason that is given.
    """

    resource: str
    kind: str
    status: str
    reason: str = ""


OnProgress = Callable[[Progress], None]


def pace(clients: Clients) -> float:
    """Return the seconds between two looks; AWS limits how often one may ask."""
    return 0.2 if clients.target == "local" else 3.0


def past_events(clients: Clients, stack_id: str) -> set[str]:
    """Return the ids of the events that there are already, which `follow` is to pass over."""
    return {event["EventId"] for event in _events(clients, stack_id)}


def follow(clients: Clients, stack_id: str, seen: set[str], on_progress: OnProgress, wanted: set[str] | None) -> None:
    """Report each event that was not seen before until the stack is at rest.

    Raises
    ------
    StackError
        If it ends in none of the statuses that are wanted (None: any will do), with the first failure; or if nothing
        happens for long.
    """
    failure = ""
    last_event = time.monotonic()
    while True:
        # Status first: whatever happened before it is then among the events.
        stack = find_stack(clients, stack_id)
        status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
        for event in reversed([event for event in _events(clients, stack_id) if event["EventId"] not in seen]):
            seen.add(event["EventId"])
            last_event = time.monotonic()
            step = _describe(event)
            if event["PhysicalResourceId"] != stack_id:
                on_progress(step)
            if step.status == "failed" and not failure and not step.reason.startswith(_CONSEQUENCES):
                failure = f"{step.resource} ({step.kind}): {step.reason}"
        if not status.endswith("_IN_PROGRESS"):
            break
        if time.monotonic() - last_event > QUIET_SECONDS[clients.target]:
            raise StackError(f"the stack is {status}, and nothing has happened for {QUIET_SECONDS[clients.target]} s")
        time.sleep(pace(clients))
    if wanted is not None and status not in wanted:
        after = {
            "DELETE_COMPLETE": "what it had made is removed again, but for bucket and tables",
            "UPDATE_ROLLBACK_COMPLETE": "the former state is restored",
        }.get(status, f"the stack is {status}")
        raise StackError(f"{failure or 'CloudFormation gives no reason'}; {after}")


def _describe(event: Any) -> Progress:
    action, _, state = event["ResourceStatus"].removeprefix("UPDATE_ROLLBACK_").removeprefix("ROLLBACK_").partition("_")
    status = {"IN_PROGRESS": _VERBS.get(action, "working on"), "COMPLETE": _RESULTS.get(action, "done")}.get(state, "")
    if event["ResourceStatus"].endswith("FAILED"):
        status = "failed"
    if event["ResourceStatus"] == "DELETE_SKIPPED":
        status = "kept"
    kind = event["ResourceType"].removeprefix("AWS::").split("::")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind[-1]).lower()
    return Progress(
        event["LogicalResourceId"],
        f"{kind[0]} {words}",
        status or event["ResourceStatus"].lower(),
        event.get("ResourceStatusReason", ""),
    )


def _events(clients: Clients, stack_id: str) -> Iterator[Any]:
    """Yield the stack's events, the newest first."""
    for page in clients.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack_id):
        yield from page["StackEvents"]
