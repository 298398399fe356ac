"""Finds the object that a query failed on, for DuckDB does not always name it and bundles hide it.

Nothing is looked for before a query has failed; then its scans are run again over half of their objects, and half of
those.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from localaws.athena.errors import QueryError
from localaws.athena.files import DataFile


@dataclass(frozen=True, slots=True)
class Suspect:
    """The objects of a scan, and how to read some of them again: it returns what reading them fails with."""

    files: list[DataFile]
    failure: Callable[[list[DataFile]], duckdb.Error | None]


def explain(suspects: list[Suspect]) -> QueryError | None:
    """Return Athena's error about the object that cannot be read; None if all can."""
    for suspect in suspects:
        files, error = suspect.files, suspect.failure(suspect.files)
        while error is not None and len(files) > 1:
            half, rest = files[: len(files) // 2], files[len(files) // 2 :]
            error = suspect.failure(half)
            files, error = (half, error) if error is not None else (rest, suspect.failure(rest))
        if error is not None:
            return _about(files[0], str(error))
    return None


def _about(file: DataFile, message: str) -> QueryError:
    """Put what DuckDB says about one object into the words of Athena's engine, as Trino 476 and users show them.

    The words about JSON are those of openaq/openaq-fetch issue 635; Athena does not name the object there, and we do.
    """
    if "gzip" in message.lower():
        cause = "Not in GZIP format" if "not a GZIP" in message else "Unexpected end of ZLIB input stream"
        split = f"{file.url} (offset=0, length={file.size})"
        return QueryError("HIVE_CANNOT_OPEN_SPLIT", f"Error opening Hive split {split}: {cause}")
    if "Malformed JSON" in message:
        place, what = _broken_line(file)
        return QueryError("HIVE_CURSOR_ERROR", f"Row is not a valid JSON Object - JSONException: {what} ({place})")
    if found := re.search(r"JSON transform error .*? line (\d+): (.*)", message):
        return QueryError("HIVE_BAD_DATA", f"Error parsing a field: {found[2]} ({file.url}, line {found[1]})")
    if found := re.search(r"!!HIVE_BAD_DATA: (.*?)!!", message, re.DOTALL):
        return QueryError("HIVE_BAD_DATA", f"{found[1]} ({file.url})")
    first = message.splitlines()[0].replace(file.path, file.url)
    if file.path.endswith(".parquet") or "arquet" in message:
        return QueryError("HIVE_BAD_DATA", f"Malformed Parquet file: {first} [{file.url}]")
    return QueryError("HIVE_CURSOR_ERROR", f"Failed to read file at {file.url}: {first}")


def _broken_line(file: DataFile) -> tuple[str, str]:
    """Return where the first line that is no JSON is, and what is wrong with it: DuckDB counts otherwise."""
    with (gzip.open if file.path.endswith(".gz") else open)(file.path, "rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                json.loads(line.strip() or b"null")
            except ValueError as error:
                return f"{file.url}, line {number}", str(error)
    return file.url, "not as JSON lines are"
