"""`tapeline query`: run one file of include/sql on the laptop or on AWS and show what came of it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.syntax import Syntax

from tapeline.aws import local
from tapeline.aws.clients import connect
from tapeline.aws.deployment import DEFAULT_NAME, Deployment, find_deployment
from tapeline.cli.query_output import Format, QueryError, check_picture, draw, print_table, write
from tapeline.cli.query_reasons import NOT_YET, Run, Values, why_empty
from tapeline.cli.terminal import Terminal
from tapeline.lake import athena, sql_files
from tapeline.lake.athena import Column, Finished, StatementFailedError
from tapeline.lake.parameters import Lookup
from tapeline.market import sessions
from tapeline.reports.plots import PlotError

LATEST = "latest"
QUIET_SECONDS = 2
PIPED_WIDTH = 240


def query(
    file: Annotated[
        str, typer.Argument(help="Name or path, such as `top_movers`; without one, all of them are listed.")
    ] = "",
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter's value; repeatable. A date may be `latest`."),
    ] = None,
    target: Annotated[
        str, typer.Option(envvar="TAPELINE_TARGET", help="`local`: this machine. `aws`: your account.")
    ] = "local",
    stack_name: Annotated[
        str, typer.Option("--stack", envvar="TAPELINE_STACK", help="Name of the CloudFormation stack.")
    ] = DEFAULT_NAME,
    output_format: Annotated[Format, typer.Option("--format", help="How to give the rows.")] = Format.TABLE,
    output: Annotated[Path | None, typer.Option(help="A file for the rows, instead of standard output.")] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw the result as a page and print where it is.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the statement and do not run it.")] = False,
) -> None:
    """Run one SQL file of include/sql and show its rows, the bytes it scanned, its time and its price.

    Without a value a query takes the newest session there is, or the last ones.

    Example: `tapeline query intraday_vwap --set session=2026-03-12 --set symbol=AAPL --plot`
    """
    console = Terminal(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    notes = Terminal(stderr=True, highlight=False)
    if not file:
        _list_files(console)
        return
    statement = sql_files.load(file)
    given = _read_settings(values or [])
    if plot:
        check_picture(statement)
    if dry_run and LATEST not in given.values() and sql_files.BUCKET not in statement.text:
        _print_statement(console, statement.render(given))
        return

    deployment = find_deployment(connect(target), stack_name)
    athena_run = _Runs(deployment, statement.name)
    with _Patience(notes, f"running {statement.name}"):
        taken = _look_up(statement, given, athena_run, lambda: _latest_session(deployment))
        text = statement.render(taken, bucket=deployment.outputs.bucket_name)
        if not dry_run:
            columns, found = athena_run(text)
    if dry_run:
        _print_statement(console, text)
        return

    if output_format is Format.TABLE and output is None:
        print_table(console, columns, found, statement.header.get("Total"))
    else:
        write(output_format, output, columns, found)
    notes.print(f"[dim]{escape(summary(athena_run.finished, len(found), target))}[/]")
    shown: Values = {one.name: taken.get(one.name, one.default) for one in statement.parameters}
    shown |= {
        one.name: one.read(str(told)) for one in statement.parameters if (told := taken.get(one.name)) is not None
    }
    if not found and columns:
        notes.print(escape(f"No rows: {why_empty(statement, shown, athena_run)}"))
    elif plot:
        try:
            with local.private():
                path = draw(statement, shown, columns, found, local.home() / "pictures")
            notes.print(f"Picture: {escape(str(path))}", soft_wrap=True)
        except PlotError as error:
            notes.print(escape(f"No picture: {error}."))


class _Runs:
    """Runs statements one after the other and remembers what each of them took."""

    def __init__(self, deployment: Deployment, name: str) -> None:
        self._deployment = deployment
        self._name = name
        self.finished: list[Finished] = []

    def __call__(self, text: str) -> tuple[Sequence[Column], list[tuple[Any, ...]]]:
        try:
            finished = athena.run(self._deployment, text)
            columns, rows = athena.results(self._deployment, finished)
            found = list(rows)
        except StatementFailedError as error:
            raise QueryError(explain(self._name, error)) from error
        self.finished.append(finished)
        return columns, found


def _read_settings(settings: Iterable[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise QueryError(f"--set takes NAME=VALUE, such as session=2026-03-12; found {setting!r}")
        if name in given:
            raise QueryError(f"--set gives {name} twice: {given[name]} and {value}")
        given[name] = value
    return given


def _look_up(statement: sql_files.SqlFile, given: Mapping[str, str], run: Run, latest: Callable[[], str]) -> Values:
    """Return the values of a statement's parameters that are not its constants: those given and those looked up.

    Athena lists partitions before it knows what a query in `params` will give. With constants it reads no other.
    """
    dates = {one.name: isinstance(one.default, Lookup) for one in statement.parameters if one.kind == "date"}
    asked = {name for name, value in given.items() if value == LATEST and name in dates}
    values: Values = {name: value for name, value in given.items() if name not in asked}
    lookup = statement.render_lookup(values)
    if lookup is not None:
        columns, [row] = run(lookup)
        values |= {column.name: value for column, value in zip(columns, row, strict=True)}
    newest = max((found for name in dates if isinstance(found := values.get(name), date)), default=None)
    return values | {name: newest if dates[name] else latest() for name in asked}


def _latest_session(deployment: Deployment) -> str:
    outputs = deployment.outputs
    pages = (
        deployment.client("glue")
        .get_paginator("get_partitions")
        .paginate(DatabaseName=outputs.database_name, TableName=outputs.raw_table_name, ExcludeColumnSchema=True)
    )
    days = sorted((partition["Values"][0] for page in pages for partition in page["Partitions"]), reverse=True)
    for day in days:
        if sessions.is_session(date.fromisoformat(day)):
            return str(day)
    raise QueryError(
        f"{outputs.raw_table_name} has no partition of a session yet, so there is no latest one; "
        f"let quotes flow and run the crawler {outputs.crawler_name} (the DAG crawl_raw_data does)"
    )


def explain(name: str, error: StatementFailedError) -> str:
    """Say in plain words why a statement failed and what to do next.

    Parameters
    ----------
    name : str
        The file's, for the hint.
    error : StatementFailedError
        With Athena's reason.
    """
    reason = error.reason
    lowered = reason.lower()
    missing = "does not exist" in lowered or "not found" in lowered or "not_found" in lowered
    if missing and "stock_data_table" in lowered:
        hint = "the crawler has not seen the raw zone yet: start the DAG crawl_raw_data, or the Glue crawler itself"
    elif missing and "trading_sessions" in lowered:
        hint = "make the view first: tapeline query trading_sessions/view"
    elif missing and ("daily_bars" in lowered or "daily_history" in lowered):
        hint = "make them first: tapeline query daily_history/ddl, then tapeline query daily_history/view"
    elif missing and (table := next((one for one in _CURATED if one in lowered), "")):
        staging = f"{table}_staging" in lowered
        hint = f"{NOT_YET}; to have the table before that: tapeline query {table}/{'staging_ddl' if staging else 'ddl'}"
    elif "bytes scanned limit" in lowered:
        hint = "the work group's scan limit stopped it: ask for fewer sessions, or ask a curated table instead"
    elif error.state == "CANCELLED":
        hint = "somebody or the work group stopped it; run it again"
    else:
        hint = f"look at the statement with tapeline query {name} --dry-run"
    return f"{name} failed: {reason} What to do: {hint}."


_CURATED = ("minute_bars", "daily_summary", "anomalies")


def summary(finished: Sequence[Finished], rows: int, target: str) -> str:
    """Return the line below a result: rows, bytes scanned, time and price of all that was run for it.

    >>> summary([Finished("q", "DML", 1_234_567, 0.42)], 7, "local")
    '7 rows, 1.2 MB scanned, 0.42 s, $0.000050 on AWS'
    """
    where = " on AWS" if target == "local" else ""
    return (
        f"{rows:,} row{'' if rows == 1 else 's'}, {_size(sum(one.scanned_bytes for one in finished))} scanned, "
        f"{sum(one.seconds for one in finished):.2f} s, ${sum(one.price_usd for one in finished):.6f}{where}"
    )


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _list_files(console: Terminal) -> None:
    for file in sorted(sql_files.catalogue(), key=lambda file: (not file.name.startswith("queries/"), file.name)):
        if "/checks/" not in file.name:
            defaults = {one.name: one.default for one in file.parameters}
            parameters = " ".join(f"{name}={'…' if isinstance(at, Lookup) else at}" for name, at in defaults.items())
            console.print(f"[bold]{file.name.removeprefix('queries/')}[/]  [dim]{escape(parameters)}[/]")
            console.print(f"    {escape(file.purpose)}")
    console.print("… is looked up: the newest session there is, or the last ones. --set NAME=VALUE gives another.")


def _print_statement(console: Terminal, text: str) -> None:
    if console.is_terminal:
        console.print(Syntax(text, "sql", background_color="default"))
    else:
        sys.stdout.write(text)


class _Patience:
    """A spinner that shows only when something takes over two seconds."""

    def __init__(self, console: Terminal, text: str) -> None:
        self._status = console.status(f"{text} …")
        self._timer = threading.Timer(QUIET_SECONDS, self._status.start)

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        self._status.stop()
