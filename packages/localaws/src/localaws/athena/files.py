"""A file of a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a table: where it is, on S3 and here, its size in bytes, and its values of the partition keys."""

    url: str
    path: str
    size: int
    values: tuple[str, ...] = ()
