"""The filter patterns of an event source mapping: which records are worth an invocation.

The operators and their meaning are those of the Lambda Developer Guide, "Filter rule syntax"; one that is not known
here is an error, never a pattern that happens not to match.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MISSING: Any = object()


class FilterError(ValueError):
    """A pattern that Lambda would refuse, or an operator that is not known here."""


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
        if key == "$or":
            for choice in inner:
                _check(choice)
        elif isinstance(inner, list):
            for condition in inner:
                _check_condition(condition)
        else:
            _check(inner)


def _check_condition(condition: Any) -> None:
    if not isinstance(condition, dict):
        return
    if len(condition) != 1 or next(iter(condition)) not in _OPERATORS:
        raise FilterError(f"expected one of {', '.join(_OPERATORS)}, found {json.dumps(condition)}")
    name, operand = next(iter(condition.items()))
    if name == "numeric" and (len(operand) % 2 or any(sign not in _COMPARISONS for sign in operand[::2])):
        raise FilterError(f"expected pairs of a sign ({', '.join(_COMPARISONS)}) and a number, found {operand!r}")


def _matches(pattern: Mapping[str, Any], value: Any) -> bool:
    return all(_matches_key(key, inner, value) for key, inner in pattern.items())


def _matches_key(key: str, inner: Any, value: Any) -> bool:
    if key == "$or":
        return any(_matches(choice, value) for choice in inner)
    found = value.get(key, _MISSING) if isinstance(value, Mapping) else _MISSING
    if isinstance(inner, list):
        return _matches_leaf(inner, found)
    return _matches(inner, found)


def _matches_leaf(conditions: Sequence[Any], found: Any) -> bool:
    """Try each value of a list in the record, or the value, or its absence, which only `{"exists": false}` wants."""
    values = found if isinstance(found, list) else [found]
    return any(_holds(condition, value) for condition in conditions for value in values)


def _holds(condition: Any, value: Any) -> bool:
    if not isinstance(condition, dict):
        return _equal(condition, value)
    name, operand = next(iter(condition.items()))
    if name == "exists":
        return bool(operand) == (value is not _MISSING)
    return value is not _MISSING and _OPERATORS[name](operand, value)


def _equal(wanted: Any, value: Any) -> bool:
    """Strings, numbers, booleans and null are equal to their own kind only: 1 is not true."""
    return isinstance(wanted, bool) == isinstance(value, bool) and bool(wanted == value)


def _anything_but(unwanted: Any, value: Any) -> bool:
    refused = unwanted if isinstance(unwanted, list) else [unwanted]
    return not any(_holds(condition, value) for condition in refused)


def _numeric(rule: Sequence[Any], value: Any) -> bool:
    try:
        number = float(value)  # DynamoDB spells numbers as strings
    except (TypeError, ValueError):
        return False
    pairs = zip(rule[::2], rule[1::2], strict=True)
    return not isinstance(value, bool) and all(_COMPARISONS[sign](number, limit) for sign, limit in pairs)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "exists": lambda _wanted, _value: True,  # answered by `_holds`, which sees an absent key
    "prefix": lambda start, value: isinstance(value, str) and value.startswith(start),
    "suffix": lambda end, value: isinstance(value, str) and value.endswith(end),
    "equals-ignore-case": lambda wanted, value: isinstance(value, str) and value.lower() == wanted.lower(),
    "anything-but": _anything_but,
    "numeric": _numeric,
}
