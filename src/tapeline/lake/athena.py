"""One statement on Athena: start it, wait for it, read its rows in Python's types, say what it cost."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, repeat
from typing import Any

from tapeline.aws.deployment import Deployment
from tapeline.lake.prices import TERABYTE_SCANNED

MEGABYTE = 1_000_000
MINIMUM_MEGABYTES = 10
"""Athena bills scanned bytes rounded up to the megabyte, at least 10; DDL is free. A terabyte is taken as 10^12 bytes,
the dearer reading."""

_FINISHED = {"SUCCEEDED", "FAILED", "CANCELLED"}
_FIRST_WAITS = (0.05,) * 4 + (0.1,) * 6
_LATER_WAIT = 0.5
_CHUNK_BYTES = 1024 * 1024

_FIELD = re.compile(r'("[^"]*(?:""[^"]*)*"|)[,\n]')
"""A field of a stored result: Athena quotes every value and leaves a null empty."""

_READERS: dict[str, Callable[[str], Any]] = {
    "boolean": lambda text: text == "true",
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), int),
    **dict.fromkeys(("float", "real", "double"), float),
    "decimal": Decimal,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
}


class StatementFailedError(RuntimeError):
    """Athena ended a statement without a result: `state` is ``FAILED`` or ``CANCELLED``, `reason` in its words."""

    def __init__(self, state: str, reason: str, query_id: str) -> None:
        super().__init__(f"Athena says {state} to query {query_id}: {reason}")
        self.state = state
        self.reason = reason
        self.query_id = query_id


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result with Athena's name for its type: ``bigint``, ``varchar``, ``double`` and so on."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Execution:
    """A statement that succeeded.

    Attributes
    ----------
    kind : str
        ``DML``, ``DDL`` or ``UTILITY``.
    seconds : float
        From its start to its end, the time in the queue included.
    output : str
        Where its result is stored, ``s3://bucket/key``; empty if Athena does not say.
    """

    query_id: str
    kind: str
    scanned_bytes: int
    seconds: float
    output: str = ""

    @property
    def billed_megabytes(self) -> int:
        """What Athena charges for: whole megabytes, at least 10; none for DDL."""
        return 0 if self.kind == "DDL" else max(MINIMUM_MEGABYTES, -(-self.scanned_bytes // MEGABYTE))

    @property
    def price_usd(self) -> float:
        """What Athena charges for it at list price."""
        return self.billed_megabytes * float(TERABYTE_SCANNED) / 1_000_000


def run(deployment: Deployment, statement: str) -> Execution:
    """Run one statement to its end in the deployment's database and work group.

    Interrupted while it waits, it asks Athena to stop, for a query that nobody reads still costs.

    Raises
    ------
    StatementFailedError
        If Athena does not succeed.
    """
    athena, outputs = deployment.client("athena"), deployment.outputs
    query_id = athena.start_query_execution(
        QueryString=statement,
        QueryExecutionContext={"Database": outputs.database_name},
        WorkGroup=outputs.work_group_name,
    )["QueryExecutionId"]
    try:
        for wait in chain(_FIRST_WAITS, repeat(_LATER_WAIT)):
            execution = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            if execution["Status"]["State"] in _FINISHED:
                break
            time.sleep(wait)
    except KeyboardInterrupt:
        athena.stop_query_execution(QueryExecutionId=query_id)
        raise
    status = execution["Status"]
    if status["State"] != "SUCCEEDED":
        raise StatementFailedError(status["State"], status.get("StateChangeReason", "no reason given"), query_id)
    statistics = execution.get("Statistics", {})
    return Execution(
        query_id=query_id,
        kind=execution.get("StatementType", "DML"),
        scanned_bytes=statistics.get("DataScannedInBytes", 0),
        seconds=statistics.get("TotalExecutionTimeInMillis", 0) / 1000,
        output=execution.get("ResultConfiguration", {}).get("OutputLocation", ""),
    )


def query(deployment: Deployment, statement: str) -> Iterator[dict[str, Any]]:
    """Run one statement and return its rows by the names of their columns; see `run` and `results`."""
    return by_name(*results(deployment, run(deployment, statement)))


def by_name(columns: Sequence[Column], rows: Iterable[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Return rows by the names of their columns."""
    names = [column.name for column in columns]
    return (dict(zip(names, row, strict=True)) for row in rows)


def results(deployment: Deployment, finished: Execution) -> tuple[tuple[Column, ...], Iterator[tuple[Any, ...]]]:
    """Return the columns of a result and its rows, which are fetched as they are read.

    Values are bool, int, float, Decimal, date, datetime (without a zone, as Athena's timestamp) or None; those of any
    other type are the text that Athena gives. What does not fit into the first page of a thousand rows is read from
    the stored result, in one request and many times as fast as page by page.
    """
    athena = deployment.client("athena")
    pages = iter(athena.get_paginator("get_query_results").paginate(QueryExecutionId=finished.query_id))
    first = next(pages)
    described = first["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    columns = tuple(Column(column["Name"], column["Type"]) for column in described)
    readers = [_READERS.get(column.type, str) for column in columns]
    if "NextToken" in first and finished.output.endswith(".csv"):
        records = _stored(deployment, finished.output)
    else:
        lines = (row["Data"] for page in chain([first], pages) for row in page["ResultSet"]["Rows"])
        records = ([cell.get("VarCharValue") for cell in line] for line in lines)

    def rows() -> Iterator[tuple[Any, ...]]:
        header: list[str | None] = [column.name for column in columns]
        for number, cells in enumerate(records):
            if number or cells != header:  # the first row of a SELECT repeats the names
                yield tuple(None if cell is None else read(cell) for cell, read in zip(cells, readers, strict=True))

    return columns, rows()


def _stored(deployment: Deployment, url: str) -> Iterator[list[str | None]]:
    """Read the CSV of a result as it comes; a record goes on over the end of a line within quotes."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    body: Any = deployment.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
    record = ""
    for line in io.TextIOWrapper(io.BufferedReader(body, _CHUNK_BYTES), encoding="utf-8", newline="\n"):
        record += line
        if record.count('"') % 2 == 0:
            yield [cell[1:-1].replace('""', '"') if cell else None for cell in _FIELD.findall(record)]
            record = ""
