"""The conditions of alert rules, one file each; `KINDS` is all of them by the word that a rule file uses."""

from __future__ import annotations

from typing import Any as Anything

from tapeline.market.alerting import fields
from tapeline.market.alerting.conditions.band import Band
from tapeline.market.alerting.conditions.combined import All, Any, Combined
from tapeline.market.alerting.conditions.condition import Condition
from tapeline.market.alerting.conditions.day_change import DayChange
from tapeline.market.alerting.conditions.extreme import Extreme
from tapeline.market.alerting.conditions.level import Level
from tapeline.market.alerting.conditions.move import Move
from tapeline.market.alerting.conditions.trend import Trend
from tapeline.market.alerting.conditions.volume import Volume
from tapeline.market.alerting.fields import Path, RuleError

KINDS: dict[str, type[Condition]] = {
    kind.word: kind for kind in (Level, DayChange, Move, Trend, Volume, Extreme, Band, All, Any)
}

MOST_PARTS = 8


def read_condition(value: Anything, path: Path) -> Condition:
    """Read a condition, a map of one word and its fields: ``{"move": {"within": 60, "beyond": 3}}``.

    Raises
    ------
    RuleError
        If it is none.
    """
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in KINDS:
        raise RuleError(path, f"one condition: {', '.join(KINDS)}", value)
    ((word, inner),) = value.items()
    kind = KINDS[word]
    if not issubclass(kind, Combined):
        return fields.read(kind, inner, (*path, word))
    if not isinstance(inner, list) or not 2 <= len(inner) <= MOST_PARTS:
        raise RuleError((*path, word), f"a list of 2 to {MOST_PARTS} conditions", inner)
    return kind(tuple(read_condition(part, (*path, word, place)) for place, part in enumerate(inner)))


def write_condition(condition: Condition) -> dict[str, Anything]:
    """Return a condition as a document has it."""
    if isinstance(condition, Combined):
        return {condition.word: [write_condition(part) for part in condition.parts]}
    return {condition.word: fields.write(condition)}


def condition_schema() -> dict[str, Anything]:
    """Return the JSON Schema of a condition, whose own place is ``#/$defs/condition``."""
    parts = {"type": "array", "minItems": 2, "maxItems": MOST_PARTS, "items": {"$ref": "#/$defs/condition"}}
    options = [
        {
            "type": "object",
            "additionalProperties": False,
            "required": [word],
            "properties": {word: parts if issubclass(kind, Combined) else fields.schema_of(kind)},
        }
        for word, kind in KINDS.items()
    ]
    return {"oneOf": options}
