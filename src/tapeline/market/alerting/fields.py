"""Fields of rules and conditions: declared once, then read with clear errors, and described in schema and docs.

>>> @dataclass(frozen=True)
... class Example:
...     within: int = whole("Minutes to look back", 1, 60)
>>> read(Example, {"within": 30}, ("when", "example"))
Example(within=30)
>>> read(Example, {"within": 61}, ("when", "example"))
Traceback (most recent call last):
    ...
tapeline.market.alerting.fields.RuleError: when.example.within: expected a whole number from 1 to 60, found 61
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from typing import Any, TypeVar

T = TypeVar("T")

Path = tuple[str | int, ...]


class RuleError(ValueError):
    """A rule that cannot be read.

    Attributes
    ----------
    path : tuple of (str or int)
        Where in the document, keys and positions from the top.
    """

    def __init__(self, path: Path, expected: str, found: object) -> None:
        self.path, self.expected, self.found = path, expected, shown(found)
        super().__init__(f"{dotted(path)}: expected {expected}, found {self.found}")


def dotted(path: Path) -> str:
    """Return a path as people read it, positions counted from 1."""
    return ".".join(str(part + 1) if isinstance(part, int) else part for part in path)


def shown(found: object) -> str:
    """Return what was found as an error shows it."""
    if found is MISSING:
        return "nothing"
    text = repr(found)
    return text if len(text) <= 60 else f"{text[:60]}…"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a field may hold.

    Attributes
    ----------
    words : str
        What the field says, for the docs.
    expected : str
        For errors: "a whole number from 1 to 60".
    schema : mapping
        The same in JSON Schema.
    read : callable
        Gives the value of what a file has, or None if that is not what is expected.
    """

    words: str
    expected: str
    schema: Mapping[str, Any]
    read: Callable[[Any], Any]


def declared(kind: Kind, default: Any = MISSING) -> Any:
    """Return a dataclass field of some kind."""
    return dataclasses.field(default=default, metadata={"kind": kind})


def whole(words: str, least: int, most: int, default: Any = MISSING) -> Any:
    """Declare a whole number."""

    def read_whole(value: Any) -> Any:
        return value if type(value) is int and least <= value <= most else None

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return declared(Kind(words, f"a whole number from {least} to {most}", schema, read_whole), default)


def number(words: str, least: float, most: float, default: Any = MISSING) -> Any:
    """Declare a number."""

    def read_number(value: Any) -> Any:
        return float(value) if type(value) in (int, float) and least <= value <= most else None

    schema = {"type": "number", "minimum": least, "maximum": most}
    return declared(Kind(words, f"a number from {least:g} to {most:g}", schema, read_number), default)


def choice(words: str, *options: str | int, default: Any = MISSING) -> Any:
    """Declare one of a few words or numbers."""

    def read_choice(value: Any) -> Any:
        return value if type(value) in (str, int) and value in options else None

    return declared(
        Kind(words, f"one of {', '.join(map(str, options))}", {"enum": list(options)}, read_choice), default
    )


def fields_of(cls: type) -> dict[str, Kind]:
    """Return the declared fields of a class, by name."""
    return {field.name: field.metadata["kind"] for field in dataclasses.fields(cls) if "kind" in field.metadata}


def read(cls: type[T], values: Any, path: Path) -> T:
    """Read an object of a class from what a document has.

    Raises
    ------
    RuleError
        If a field is missing, unknown, or not what is expected.
    """
    kinds = fields_of(cls)
    if not isinstance(values, Mapping):
        raise RuleError(path, f"a map of {', '.join(kinds)}", values)
    refuse_unknown(values, kinds, path)
    required = {field.name for field in dataclasses.fields(cls) if field.default is MISSING}  # type: ignore[arg-type]
    found = {}
    for name, kind in kinds.items():
        if name not in values:
            if name in required:
                raise RuleError((*path, name), kind.expected, MISSING)
            continue
        found[name] = kind.read(values[name])
        if found[name] is None:
            raise RuleError((*path, name), kind.expected, values[name])
    return cls(**found)


def refuse_unknown(values: Mapping[str, Any], known: Mapping[str, Any], path: Path) -> None:
    """Raise `RuleError` at the first key that is not among those known."""
    for name in values:
        if name not in known:
            raise RuleError((*path, str(name)), f"only {', '.join(known)}", name)


def write(thing: Any) -> dict[str, Any]:
    """Return the declared fields as a document has them, those with their defaults left out."""
    return {
        field.name: value
        for field in dataclasses.fields(thing)
        if "kind" in field.metadata and (value := getattr(thing, field.name)) != field.default
    }


def schema_of(cls: type) -> dict[str, Any]:
    """Return the JSON Schema of a class of declared fields."""
    defaults = {field.name: field.default for field in dataclasses.fields(cls)}
    properties = {
        name: {**kind.schema, "description": kind.words}
        | ({} if defaults[name] is MISSING else {"default": defaults[name]})
        for name, kind in fields_of(cls).items()
    }
    required = [name for name in properties if defaults[name] is MISSING]
    schema: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
    return schema | ({"required": required} if required else {})
