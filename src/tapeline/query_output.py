"""How `tapeline query` gives the rows of a result: a table on the terminal, a file for a program, or a picture."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tapeline.aws.athena import Column
from tapeline.printable import json_text, printable
from tapeline.sql import SqlFile

SHOWN_ROWS = 40

Rows = Sequence[tuple[Any, ...]]


class QueryError(ValueError):
    """A query cannot be run; the message says why and what to do next."""


class Format(StrEnum):
    """How a result is given."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def print_table(console: Console, columns: Sequence[Column], rows: Rows) -> None:
    """Print the first rows, numbers to the right, and say how many more there are."""
    if not columns or not rows:
        return
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for column in columns:
        table.add_column(escape(column.name), justify="right" if _is_number(column) else "left", overflow="fold")
    for row in islice(rows, SHOWN_ROWS):
        table.add_row(*(escape(cell(column.name, value)) for column, value in zip(columns, row, strict=True)))
    console.print(table)
    if len(rows) > SHOWN_ROWS:
        console.print(f"[dim]… and {len(rows) - SHOWN_ROWS:,} more; --format csv gives them all[/]")


def cell(name: str, value: Any) -> str:
    """Return a value as a person reads it: dollars and per cents with two decimals, thousands apart, nothing for NULL.

    >>> cell("close_usd", 1234.5), cell("volume_shares", 1200000), cell("correlation", 0.98765)
    ('1,234.50', '1,200,000', '0.9877')
    """
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float() | Decimal():
            return f"{value:,.2f}" if name.endswith(("_usd", "_pct")) else f"{value:,.4f}".rstrip("0").rstrip(".")
        case datetime():
            return value.isoformat(sep=" ", timespec="milliseconds" if value.microsecond else "seconds")
        case _:
            return str(value)


def _is_number(column: Column) -> bool:
    return column.type in {"tinyint", "smallint", "integer", "bigint", "float", "real", "double", "decimal"}


def write(output_format: Format, output: Path | None, columns: Sequence[Column], rows: Rows) -> None:
    """Write all rows for a program, to a file or (None) to standard output; a table is written as CSV."""
    if output_format is Format.PARQUET:
        _write_parquet(output, columns, rows)
        return
    shown = printable if output is None and sys.stdout.isatty() else str
    stream: AbstractContextManager[IO[str]]
    stream = nullcontext(sys.stdout) if output is None else output.open("w", encoding="utf-8", newline="")
    with stream as file:
        if output_format is Format.JSON:
            documents = [dict(zip((column.name for column in columns), row, strict=True)) for row in rows]
            file.write(json_text(documents, indent=1, default=_plain) + "\n")
        else:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(column.name for column in columns)
            writer.writerows([shown(v) if isinstance(v, str) else v for v in map(_plain, row)] for row in rows)


def _plain(value: Any) -> Any:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat(sep=" ")
        case date() | Decimal():
            return str(value)
        case _:
            return value


def _write_parquet(output: Path | None, columns: Sequence[Column], rows: Rows) -> None:
    import pyarrow
    import pyarrow.parquet

    if output is None and sys.stdout.isatty():
        raise QueryError("Parquet is not for a terminal; name a file with --output, or pipe it on")
    types = {
        "boolean": pyarrow.bool_(),
        **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), pyarrow.int64()),
        **dict.fromkeys(("float", "real", "double"), pyarrow.float64()),
        "date": pyarrow.date32(),
        "timestamp": pyarrow.timestamp("us"),
    }
    by_column = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [
        pyarrow.array(
            values if column.type in types else [None if value is None else str(value) for value in values],
            types.get(column.type, pyarrow.string()),
        )
        for column, values in zip(columns, by_column, strict=True)
    ]
    table = pyarrow.table(arrays, names=[column.name for column in columns])
    pyarrow.parquet.write_table(table, output or sys.stdout.buffer)


def draw(statement: SqlFile, columns: Sequence[Column], rows: Rows, folder: Path) -> Path:
    """Draw a result as its file's header says, on a page that needs no network, and return where it is.

    The header's line is ``-- Plot: <bar|line|heatmap> x=<column> y=<column>[,<column>…] [by=<column>] [z=<column>]``.

    Raises
    ------
    QueryError
        If the file says nothing of a picture, or there are no rows.
    """
    if "Plot" not in statement.header:
        raise QueryError(f"{statement.name} has no picture that makes sense: its header has no line Plot")
    if not rows:
        raise QueryError(f"{statement.name} has no rows to draw")
    import plotly.graph_objects

    kind, *words = statement.header["Plot"].split()
    roles = dict(word.split("=", 1) for word in words)
    by_name = {column.name: [row[position] for row in rows] for position, column in enumerate(columns)}
    figure = plotly.graph_objects.Figure()
    for trace in _traces(kind, roles, by_name):
        figure.add_trace(trace)
    figure.update_layout(
        title=statement.purpose, xaxis_title=roles["x"], yaxis_title=roles["y"], template="plotly_white"
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{statement.name.rpartition('/')[2]}.html"
    figure.write_html(path, include_plotlyjs=True)
    return path


def _traces(kind: str, roles: Mapping[str, str], by_name: Mapping[str, list[Any]]) -> list[Any]:
    from plotly.graph_objects import Bar, Heatmap, Scatter

    x = by_name[roles["x"]]
    if kind == "heatmap":
        return [Heatmap(x=x, y=by_name[roles["y"]], z=by_name[roles["z"]], colorscale="RdBu", zmid=0)]
    if kind == "bar":
        return [Bar(x=x, y=by_name[name], name=name) for name in roles["y"].split(",")]
    if "by" not in roles:
        return [Scatter(x=x, y=by_name[name], name=name, mode="lines") for name in roles["y"].split(",")]
    groups = by_name[roles["by"]]
    return [
        Scatter(
            x=[value for value, group in zip(x, groups, strict=True) if group == wanted],
            y=[value for value, group in zip(by_name[roles["y"]], groups, strict=True) if group == wanted],
            name=str(wanted),
            mode="lines+markers",
        )
        for wanted in dict.fromkeys(groups)
    ]
