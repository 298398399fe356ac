"""What policies grant, against what was asked for under them: nothing too much, nothing too little, nothing twice."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any


@dataclass(frozen=True, order=True)
class Asked:
    """An action on a resource for which a caller was let in, or not."""

    caller: str
    action: str
    resource: str
    allowed: bool


@dataclass(frozen=True, order=True)
class Grant:
    """One action on one resource of a statement that allows it; both may have stars."""

    sid: str
    action: str
    resource: str

    def covers(self, asked: Asked) -> bool:
        """Say whether it lets that through."""
        return fnmatchcase(asked.action.lower(), self.action.lower()) and fnmatchcase(asked.resource, self.resource)


def read(record: Path, caller: str) -> set[Asked]:
    """Read what a local AWS has noted of callers whose ARN holds this text."""
    lines = record.read_text().splitlines()
    return {asked for asked in (Asked(**json.loads(line)) for line in lines) if caller in asked.caller}


def grants(document: Any) -> list[Grant]:
    """Return what a policy's statements allow."""
    return [
        Grant(statement.get("Sid", ""), action, resource)
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    ]


def unused(granted: list[Grant], asked: set[Asked], excused: dict[str, str]) -> list[str]:
    """Return each action and each resource of a statement that nobody has used, and each excuse that is not needed.

    Parameters
    ----------
    excused : dict
        Why actions are granted that tests cannot use, with the source, by ``Sid: action``, which may have a star.
    """
    used = {grant for grant in granted for one in asked if one.allowed and grant.covers(one)}
    idle = {f"{grant.sid}: {grant.action}" for grant in granted} - {f"{one.sid}: {one.action}" for one in used}
    bare = {f"{grant.sid}: {grant.resource}" for grant in granted} - {f"{one.sid}: {one.resource}" for one in used}
    unexplained = {name for name in idle if not any(fnmatchcase(name, excuse) for excuse in excused)}
    excused_sids = {excuse.partition(":")[0] for excuse in excused}
    return [
        *sorted(f"{name} is granted and never used" for name in unexplained),
        *sorted(f"{name} is granted and never used" for name in bare if name.partition(":")[0] not in excused_sids),
        *sorted(
            f"{excuse} is used, or not granted, and needs no excuse"
            for excuse in excused
            if not any(fnmatchcase(name, excuse) for name in idle)
        ),
    ]


def lacking(asked: set[Asked]) -> list[str]:
    """Return what was asked for and refused."""
    return sorted(f"{one.action} on {one.resource} is used and not granted" for one in asked if not one.allowed)


def missed(granted: list[Grant], asked: set[Asked]) -> dict[str, list[str]]:
    """Return what would be refused without each used action of a statement; nothing if others let it all through."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in sorted(asked):
        covering = {f"{grant.sid}: {grant.action}" for grant in granted if grant.covers(one)}
        for name in covering:
            found[name] += [f"{one.action} on {one.resource}"] if len(covering) == 1 else []
    return dict(found)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
