"""The filter patterns of an event source mapping: which records are worth an invocation.

Values, `exists` and `prefix` mean what the Lambda Developer Guide says ("Filter rule syntax"). Its other operators are
not supported here: a pattern with one is an error, never a pattern that happens not to match.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_OPERATORS = ("exists", "prefix")
_MISSING: Any = object()


class FilterError(ValueError):
    """A pattern that Lambda would refuse, or an operator that is not supported here."""


class EventFilter:
    """Decides by the `FilterCriteria` of a mapping; without any, every record passes.

    Parameters
    ----------
    criteria : mapping
        As `ListEventSourceMappings` gives it: ``{"Filters": [{"Pattern": "<JSON>"}]}``.

    Raises
    ------
    FilterError
        If a pattern is not one.
    """

    def __init__(self, criteria: Mapping[str, Any]) -> None:
        self._patterns = [_read(entry["Pattern"]) for entry in criteria.get("Filters", [])]

    def passes(self, record: Mapping[str, Any]) -> bool:
        """Say whether any pattern matches a record, a Kinesis record's `data` being the JSON object in it."""
        return not self._patterns or any(_matches(pattern, record) for pattern in self._patterns)

    @property
    def is_open(self) -> bool:
        """Whether every record passes."""
        return not self._patterns


def _read(text: str) -> dict[str, Any]:
    try:
        pattern = json.loads(text)
    except json.JSONDecodeError as error:
        raise FilterError(f"a filter pattern must be JSON: {error}; found {text[:100]!r}") from error
    _check(pattern)
    return dict(pattern)


def _check(pattern: Any) -> None:
    """Raise unless each leaf is a list of conditions that `_holds` knows."""
    if not isinstance(pattern, dict):
        raise FilterError(f"expected an object or, at its leaves, a list of conditions, found {pattern!r}")
    for key, inner in pattern.items():
        if key.startswith("$"):
            raise FilterError(f"{key} is not supported here")
        if isinstance(inner, list):
            for condition in inner:
                _check_condition(condition)
        else:
            _check(inner)


def _check_condition(condition: Any) -> None:
    if isinstance(condition, dict) and (len(condition) != 1 or next(iter(condition)) not in _OPERATORS):
        raise FilterError(
            f"not supported here: expected values or one of {', '.join(_OPERATORS)}, found {json.dumps(condition)}"
        )


def _matches(pattern: Mapping[str, Any], value: Any) -> bool:
    return all(_matches_key(key, inner, value) for key, inner in pattern.items())


def _matches_key(key: str, inner: Any, value: Any) -> bool:
    inside = value.get(key, _MISSING) if isinstance(value, Mapping) else _MISSING
    if isinstance(inner, list):
        return _matches_leaf(inner, inside)
    return _matches(inner, inside)


def _matches_leaf(conditions: Sequence[Any], value: Any) -> bool:
    """Try each value of a list in the record, or the value, or its absence, which only `{"exists": false}` wants."""
    values = value if isinstance(value, list) else [value]
    return any(_holds(condition, value) for condition in conditions for value in values)


def _holds(condition: Any, value: Any) -> bool:
    if not isinstance(condition, dict):
        return _equal(condition, value)
    name, operand = next(iter(condition.items()))
    if name == "exists":
        return bool(operand) == (value is not _MISSING)
    return isinstance(value, str) and value.startswith(operand)


def _equal(wanted: Any, value: Any) -> bool:
    """Strings, numbers, booleans and null are equal to their own kind only: 1 is not true."""
    return isinstance(wanted, bool) == isinstance(value, bool) and bool(wanted == value)
