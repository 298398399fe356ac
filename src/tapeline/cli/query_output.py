"""How `tapeline query` gives the rows of a result: a table on the terminal, a file for a program, or a picture."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tapeline.aws.printable import json_text, printable
from tapeline.cli.errors import CommandError
from tapeline.lake import sql_files
from tapeline.lake.athena import Column, Execution
from tapeline.lake.sql_files import SqlFile
from tapeline.market.dates import NEW_YORK
from tapeline.reports import plots

SHOWN_ROWS = 40
_INTEGERS = ("tinyint", "smallint", "integer", "bigint")
_FLOATS = ("float", "real", "double")
_NUMBERS = (*_INTEGERS, *_FLOATS, "decimal")

Rows = Sequence[tuple[Any, ...]]


class Format(StrEnum):
    """How a result is given."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def print_table(console: Console, columns: Sequence[Column], rows: Rows, total: str | None = None) -> None:
    """Print the first rows as wide as the console, and say what was left out.

    Names of columns are broken; columns at the end that still do not fit are left out. `total` is the column that is
    NULL in the row of all of them.
    """
    if not columns or not rows:
        return
    shown = list(islice(rows, SHOWN_ROWS))
    cells = [
        _cells(column, [row[place] for row in shown], "all" if column.name == total else "")
        for place, column in enumerate(columns)
    ]
    heads = [column.name for column in columns]
    fitting = _fitting(list(map(len, heads)), cells, console.width)
    if fitting < len(columns):
        heads = [_broken(head.split("_"), max(map(len, column))) for head, column in zip(heads, cells, strict=True)]
        fitting = _fitting([max(map(len, head.splitlines())) for head in heads], cells, console.width)
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for column, head in list(zip(columns, heads, strict=True))[:fitting]:
        is_number = column.type in _NUMBERS
        table.add_column(escape(head), justify="right" if is_number else "left", overflow="fold", vertical="bottom")
    for row in zip(*cells[:fitting], strict=True):
        table.add_row(*map(escape, row))
    console.print(table)
    if len(rows) > SHOWN_ROWS:
        console.print(f"[dim]… and {len(rows) - SHOWN_ROWS:,} more; --format csv gives them all[/]")
    if fitting < len(columns):
        left_out = escape(", ".join(column.name for column in columns[fitting:]))
        text = f"Too wide for {console.width} columns, left out: {left_out}; --format csv gives them all"
        console.print(f"[dim]{text}[/]")
    moments = [value for row in shown for value in row[:fitting] if isinstance(value, datetime)]
    if moments:
        newest = max(moments).replace(tzinfo=UTC)
        there = newest.astimezone(NEW_YORK)
        console.print(f"[dim]Times are UTC (Z); at {newest:%Y-%m-%d %H:%M}Z it was {there:%H:%M} in New York[/]")


def _fitting(heads: Sequence[int], cells: Sequence[Sequence[str]], width: int) -> int:
    """Return how many columns fit, of two spaces each besides their letters; one at the least."""
    needed = 0
    for place, (head, column) in enumerate(zip(heads, cells, strict=True)):
        needed += max(head, *map(len, column)) + 2
        if needed > width:
            return max(1, place)
    return len(heads)


def _broken(parts: Sequence[str], width: int) -> str:
    """Break a column's name behind underscores into lines not much longer than its values."""
    longest = max(width, *(len(part) + 1 for part in parts))
    lines = [""]
    for place, part in enumerate(parts):
        piece = part + ("_" if place < len(parts) - 1 else "")
        if lines[-1] and len(lines[-1]) + len(piece) > longest:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)


def _cells(column: Column, values: Sequence[Any], null: str) -> list[str]:
    digits = _digits(column.name, values)
    moments = [value for value in values if isinstance(value, datetime)]
    if moments and all(moment.second == moment.microsecond == 0 for moment in moments):
        return [null if value is None else f"{value:%Y-%m-%d %H:%M}Z" for value in values]
    return [null if value is None else cell(value, digits) for value in values]


def _digits(name: str, values: Sequence[Any]) -> int:
    """Return how many decimals a column has: as many in each of its rows."""
    if name.endswith(("_usd", "_pct")):
        return 2
    largest = max((abs(float(value)) for value in values if isinstance(value, float | Decimal)), default=0.0)
    return 0 if name.endswith("_shares") or largest >= 10_000 else 2 if largest > 1 else 4


def cell(value: Any, digits: int = 2) -> str:
    """Return a value as a person reads it: thousands apart, nothing for NULL, times with their zone.

    >>> cell(1234.5), cell(1200000), cell(0.98765, 4), cell(datetime(2026, 3, 12, 14, 30))
    ('1,234.50', '1,200,000', '0.9877', '2026-03-12 14:30:00Z')
    """
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float() | Decimal():
            return f"{value:,.{digits}f}"
        case datetime():
            return value.isoformat(sep=" ", timespec="milliseconds" if value.microsecond else "seconds") + "Z"
        case _:
            return printable(str(value))


def write(output_format: Format, output: Path | None, columns: Sequence[Column], rows: Rows) -> None:
    """Write all rows for a program, to a file or (None) to standard output; a table is written as CSV."""
    if output_format is Format.PARQUET:
        _write_parquet(output, columns, rows)
        return
    shown = printable if output is None and sys.stdout.isatty() else str
    with nullcontext(sys.stdout) if output is None else output.open("w", encoding="utf-8", newline="") as file:
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
    import pyarrow  # slow to import, and needed by this format alone
    import pyarrow.parquet

    if output is None and sys.stdout.isatty():
        raise CommandError("Parquet is not for a terminal; name a file with --output, or pipe it on")
    types = {
        "boolean": pyarrow.bool_(),
        **dict.fromkeys(_INTEGERS, pyarrow.int64()),
        **dict.fromkeys(_FLOATS, pyarrow.float64()),
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


def summary(finished: Sequence[Execution], rows: int, target: str) -> str:
    """Return the line below a result: rows, bytes scanned, time and price of all that was run for it.

    >>> summary([Execution("q", "DML", 1_234_567, 0.42)], 7, "local")
    '7 rows, 1.2 MB scanned, 0.42 s, $0.000050 on AWS'
    """
    where = " on AWS" if target == "local" else ""
    return (
        f"{rows:,} row{'' if rows == 1 else 's'}, {_size(sum(run.scanned_bytes for run in finished))} scanned, "
        f"{sum(run.seconds for run in finished):.2f} s, ${sum(run.price_usd for run in finished):.6f}{where}"
    )


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def check_plot(statement: SqlFile) -> None:
    """Raise a CommandError for a file without a picture, with the names of the queries that have one."""
    if "Plot" not in statement.header:
        others = [file.name.rpartition("/")[2] for file in sql_files.catalogue("queries/") if "Plot" in file.header]
        raise CommandError(f"{statement.name} has no picture that makes sense; these have one: {', '.join(others)}")


def draw(
    statement: SqlFile, parameters: Mapping[str, object], columns: Sequence[Column], rows: Rows, folder: Path
) -> Path:
    """Draw a result as its file's header says, on a page that needs no network and no script, and return where it is.

    The parameters that it ran with go into the title.

    Raises
    ------
    PlotError
        If there is nothing to draw.
    """
    if not rows:
        raise plots.PlotError("there are no rows to draw")
    plot = plots.Plot.read(statement.header["Plot"])
    by_name = {column.name: [row[position] for row in rows] for position, column in enumerate(columns)}
    title, subtitle = statement.purpose.removesuffix("."), plots.subtitle(parameters, plot)
    page = plots.page(title, subtitle, plot, by_name, statement.header["Source"].removesuffix("."))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{statement.name.rpartition('/')[2]}.html"
    path.write_text(page, encoding="utf-8")
    return path
