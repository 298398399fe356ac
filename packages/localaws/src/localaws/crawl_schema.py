"""The columns of JSON lines, inferred as a Glue crawler infers them: whole numbers grow to double, never back."""

from __future__ import annotations

import json
import zlib
from typing import Any

Kind = Any
"""A type: a name such as ``bigint``, a list with one element's type, a dict of fields, or None of nulls alone."""

Schema = dict[str, Kind]

_READ_BYTES = 8 * 1024 * 1024
_NUMBERS = ("int", "bigint", "double")


def read_object(body: bytes) -> tuple[Schema | None, int]:
    """Return the columns of an object of JSON lines, plain or gzip, and how many records were read.

    The columns are None if it holds anything else: then none of it is data of the table.
    """
    try:
        text = _unpacked(body).decode("utf-8")
        lines = [line for line in text.split("\n") if line.strip()]
        if len(text) >= _READ_BYTES:
            lines.pop()  # cut short
        records = [json.loads(line) for line in lines]
    except (ValueError, zlib.error):
        return None, 0
    if not records or not all(isinstance(record, dict) for record in records):
        return None, 0
    schema: Schema = {}
    for record in records:
        schema = merge(schema, {name.lower(): kind_of(value) for name, value in record.items()})
    return schema, len(records)


def _unpacked(body: bytes) -> bytes:
    if body[:2] != b"\x1f\x8b":
        return body[:_READ_BYTES]
    text = b""
    while body and len(text) < _READ_BYTES:  # a gzip file may have several members
        unpacker = zlib.decompressobj(31)
        text += unpacker.decompress(body, _READ_BYTES - len(text))
        body = unpacker.unused_data
    return text


def kind_of(value: Any) -> Kind:
    """Return the type of one value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "int" if -(2**31) <= value < 2**31 else "bigint" if -(2**63) <= value < 2**63 else "double"
    if isinstance(value, float):
        return "double"
    if isinstance(value, list):
        element: Kind = None
        for item in value:
            element = _wider(element, kind_of(item))
        return [element]
    if isinstance(value, dict):
        return {name.lower(): kind_of(item) for name, item in value.items()}
    return None if value is None else "string"


def merge(left: Schema, right: Schema) -> Schema:
    """Return the columns of both, each with a type that holds the values of both."""
    if left == right:
        return left
    return {name: _wider(left.get(name), right.get(name)) for name in {**left, **right}}


def _wider(left: Kind, right: Kind) -> Kind:
    """Return the type that holds both.

    >>> _wider("int", "double"), _wider("double", "int"), _wider("int", "string")
    ('double', 'double', 'string')
    """
    if left is None or left == right:
        return right if left is None else left
    if right is None:
        return left
    if left in _NUMBERS and right in _NUMBERS:
        return max(left, right, key=_NUMBERS.index)
    if isinstance(left, dict) and isinstance(right, dict):
        return merge(left, right)
    if isinstance(left, list) and isinstance(right, list):
        return [_wider(left[0], right[0])]
    return "string"


def to_glue(kind: Kind) -> str:
    """Spell a type for the catalog."""
    if isinstance(kind, dict):
        return "struct<" + ",".join(f"{name}:{to_glue(field)}" for name, field in kind.items()) + ">"
    if isinstance(kind, list):
        return f"array<{to_glue(kind[0])}>"
    return str(kind or "string")
