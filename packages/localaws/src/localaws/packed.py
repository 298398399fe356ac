"""Containers that keep their values as JSON text: an item of twenty attributes takes 0.9 kB here, as dicts 5 kB.

Half a million small dicts a day are also what the garbage collector would walk over again and again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, SupportsIndex

from msgspec import Raw
from msgspec.json import decode, encode


class PackedMap(dict[str, Any]):
    """A map as the base uses one for the items of a partition; each look at a value makes a new object.

    A value that is changed after it was read stays as it was in here: the base copies an item to change it.
    """

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, encode(value))

    def __getitem__(self, key: str) -> Any:
        return decode(super().__getitem__(key))

    def __iter__(self) -> Iterator[str]:  # with this, dict(self) asks `__getitem__` instead of copying what is inside
        return super().__iter__()

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default."""
        packed = super().get(key)
        return default if packed is None else decode(packed)

    def pop(self, key: str, *default: Any) -> Any:
        """Remove a value and return it."""
        if key in self:
            return decode(super().pop(key))
        return super().pop(key, *default)

    def values(self) -> Any:
        """Return all values."""
        return [decode(packed) for packed in list(super().values())]

    def items(self) -> Any:
        """Return all keys and values; another thread may store and remove meanwhile."""
        keys = list(super().keys())  # in one step, which a list of pairs would not be: it wakes the garbage collector
        return [(key, decode(packed)) for key in keys if (packed := self.packed(key)) is not None]

    def packed(self, key: str) -> bytes | None:
        """Return a value's JSON text."""
        text: bytes | None = super().get(key)
        return text

    def put_packed(self, key: str, text: bytes) -> None:
        """Store a value by its JSON text."""
        super().__setitem__(key, text)


def text_of(items: dict[str, Any], key: str) -> bytes | None:
    """Return the JSON text of a value in a map, packed or plain; None if it is not there."""
    if isinstance(items, PackedMap):
        return items.packed(key)
    return encode(items[key]) if key in items else None


class PackedList(list[Any]):
    """A list as the base uses one for the records of a DynamoDB stream: appended, read, deleted from the front."""

    def append(self, value: Any) -> None:
        """Add a value at the end."""
        super().append(encode(value))

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        if isinstance(index, slice):
            return [decode(packed) for packed in super().__getitem__(index)]
        return decode(super().__getitem__(index))

    def __iter__(self) -> Iterator[Any]:
        return map(decode, super().__iter__())

    def packed_from(self, index: int) -> bytes:
        """Return the values from an index on as the JSON text of a list."""
        return b"[" + b",".join(super().__getitem__(slice(index, None))) + b"]"

    def extend_packed(self, texts: Iterable[bytes]) -> None:
        """Add the values of such texts at the end."""
        for text in texts:
            super().extend(bytes(value) for value in decode(text, type=list[Raw]))
