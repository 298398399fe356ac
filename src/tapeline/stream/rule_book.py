"""The rules as the stream reads them: a pointer rides in the read of the states, what it points to is fetched once."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from tapeline.market.alerting.baselines import Baseline
from tapeline.market.alerting.in_force import InForce, Mute, Pointer, version_key
from tapeline.market.alerting.rules import RuleSet, read_rules
from tapeline.stream.tables import Item

POINTER_KEY = "rules"
"""Key of the pointer's item in the table of states."""

ReadObject = Callable[[str], bytes]
"""Gives the bytes of an object in the bucket by its key."""


def pointer_key() -> Item:
    """Return the key of the pointer's item."""
    return {"key": {"S": POINTER_KEY}}


def pointer_to_item(pointer: Pointer) -> Item:
    """Return the pointer's item."""
    return {**pointer_key(), "pointer": {"S": pointer.to_json()}}


def pointer_from_item(item: Item | None) -> Pointer:
    """Return the pointer of an item; an empty one if there is none."""
    return _read_pointer(item["pointer"]["S"]) if item else Pointer()


_read_pointer = lru_cache(maxsize=4)(Pointer.from_json)  # each batch reads the same text


class RuleBook:
    """Rules and baselines by pointer; one per container, so that each version is read once."""

    def __init__(self, read_object: ReadObject) -> None:
        self._rules = lru_cache(maxsize=8)(lambda number: read_version(read_object(version_key(number))))
        self._baselines = lru_cache(maxsize=4)(lambda key: baselines_from_bytes(read_object(key)))
        self._in_force = lru_cache(maxsize=8)(self._put_together)

    def at(self, pointer: Pointer, arrived_at: datetime) -> InForce | None:
        """Return what is in force for records that arrived at a moment, None before the first version."""
        arrived = arrived_at.timestamp()
        version = pointer.version_at(arrived)
        if version is None:
            return None
        learnt = pointer.baselines_at(arrived)
        return self._in_force(version.number, learnt.key if learnt else "", pointer.mutes)

    def _put_together(self, version: int, baselines: str, mutes: tuple[Mute, ...]) -> InForce:
        return InForce(self._rules(version), self._baselines(baselines) if baselines else {}, mutes)


def read_version(body: bytes) -> RuleSet:
    """Return the rules of a version's object."""
    return read_rules([((), json.loads(body))])


def baselines_to_bytes(baselines: dict[str, Baseline]) -> bytes:
    """Return the object that holds baselines."""
    document = {symbol: baseline.to_json() for symbol, baseline in sorted(baselines.items())}
    return gzip.compress(json.dumps(document, separators=(",", ":")).encode(), mtime=0)


def baselines_from_bytes(body: bytes) -> dict[str, Baseline]:
    """Return the baselines of an object, by symbol."""
    return {symbol: Baseline.from_json(values) for symbol, values in json.loads(gzip.decompress(body)).items()}
