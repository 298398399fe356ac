"""`tapeline query`: run one file of include/sql on the laptop or on AWS and show what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.syntax import Syntax

from tapeline.aws import local
from tapeline.aws.deployment import DEFAULT_NAME, Deployment
from tapeline.cli.errors import CommandError
from tapeline.cli.options import StackName, Target, deployment_of, read_settings
from tapeline.cli.query_output import Format, check_plot, draw, print_table, summary, write
from tapeline.cli.query_reasons import Run, Values, why_empty, why_failed
from tapeline.cli.terminal import console, errors, slow_status
from tapeline.lake import athena, sql_files
from tapeline.lake.athena import Column, Execution, StatementFailedError
from tapeline.lake.parameters import Lookup
from tapeline.lake.partitions import registered
from tapeline.market import sessions
from tapeline.reports.plots import PlotError

LATEST = "latest"


def query(
    file: Annotated[
        str, typer.Argument(help="Name or path, such as `top_movers`; without one, all of them are listed.")
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter's value; repeatable. A date may be `latest`."),
    ] = None,
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
    output_format: Annotated[Format, typer.Option("--format", help="How to give the rows.")] = Format.TABLE,
    output: Annotated[Path | None, typer.Option(help="A file for the rows, instead of standard output.")] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw the result as a page and print where it is.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the statement and do not run it.")] = False,
) -> None:
    """Run one SQL file of include/sql and show its rows, the bytes it scanned, its time and its price.

    Without a value a query takes the newest session there is, or the last ones.

    Example: `tapeline query intraday_vwap --set session=2026-03-12 --set symbol=AAPL --plot`
    """
    if not file:
        _list_files()
        return
    statement = sql_files.load(file)
    options = read_settings(settings)
    if plot:
        check_plot(statement)
    if dry_run and LATEST not in options.values() and sql_files.BUCKET not in statement.text:
        _print_statement(statement.render(options))
        return

    deployment = deployment_of(target, stack_name)
    run = _Runner(deployment, statement.name)
    with slow_status(f"running {statement.name}"):
        values = _look_up(statement, options, run, lambda: _latest_session(deployment))
        text = statement.render(values, bucket=deployment.outputs.bucket_name)
        if not dry_run:
            columns, rows = run(text)
    if dry_run:
        _print_statement(text)
        return

    if output_format is Format.TABLE and output is None:
        print_table(console, columns, rows, statement.header.get("Total"))
    else:
        write(output_format, output, columns, rows)
    errors.print(f"[dim]{escape(summary(run.finished, len(rows), target))}[/]")
    shown = _values_of(statement, values)
    if not rows and columns:
        errors.print(escape(f"No rows: {why_empty(statement, shown, run)}"))
    elif plot:
        try:
            with local.private():
                path = draw(statement, shown, columns, rows, local.home() / "pictures")
            errors.print(f"Picture: {escape(str(path))}")
        except PlotError as error:
            errors.print(escape(f"No picture: {error}."))


class _Runner:
    """Runs statements and remembers what each of them took."""

    def __init__(self, deployment: Deployment, name: str) -> None:
        self._deployment = deployment
        self._name = name
        self.finished: list[Execution] = []

    def __call__(self, text: str) -> tuple[Sequence[Column], list[tuple[Any, ...]]]:
        try:
            finished = athena.run(self._deployment, text)
            columns, row_iterator = athena.results(self._deployment, finished)
            rows = list(row_iterator)
        except StatementFailedError as error:
            raise CommandError(why_failed(self._name, error)) from error
        self.finished.append(finished)
        return columns, rows


def _values_of(statement: sql_files.SqlFile, values: Values) -> Values:
    """Return the value of each of a statement's parameters, a text read as the parameter's kind."""
    shown = {parameter.name: values.get(parameter.name, parameter.default) for parameter in statement.parameters}
    return shown | {
        parameter.name: parameter.read(str(value))
        for parameter in statement.parameters
        if (value := values.get(parameter.name)) is not None
    }


def _look_up(statement: sql_files.SqlFile, options: Mapping[str, str], run: Run, latest: Callable[[], str]) -> Values:
    """Return the values of a statement's parameters that are not its constants: of the options, and looked up.

    Athena lists partitions before it knows what a query in `params` will give. With constants it reads no other.
    """
    date_parameters = [parameter for parameter in statement.parameters if parameter.kind == "date"]
    dates = {parameter.name: isinstance(parameter.default, Lookup) for parameter in date_parameters}
    latest_names = {name for name, value in options.items() if value == LATEST and name in dates}
    values: Values = {name: value for name, value in options.items() if name not in latest_names}
    lookup = statement.render_lookup(values)
    if lookup is not None:
        columns, [row] = run(lookup)
        values |= {column.name: value for column, value in zip(columns, row, strict=True)}
    newest = max((value for name in dates if isinstance(value := values.get(name), date)), default=None)
    return values | {name: newest if dates[name] else latest() for name in latest_names}


def _latest_session(deployment: Deployment) -> str:
    for day in sorted(registered(deployment), reverse=True):
        if sessions.is_session(date.fromisoformat(day)):
            return day
    outputs = deployment.outputs
    raise CommandError(
        f"{outputs.raw_table_name} has no partition of a session yet, so there is no latest one; "
        f"let quotes flow and run the crawler {outputs.crawler_name} (the DAG crawl_raw_data does)"
    )


def _list_files() -> None:
    for file in sorted(sql_files.catalogue(), key=lambda file: (not file.name.startswith("queries/"), file.name)):
        if "/checks/" not in file.name:
            shown = {p.name: "…" if isinstance(p.default, Lookup) else p.default for p in file.parameters}
            parameters = " ".join(f"{name}={default}" for name, default in shown.items())
            console.print(f"[bold]{file.name.removeprefix('queries/')}[/]  [dim]{escape(parameters)}[/]")
            console.print(f"    {escape(file.purpose)}")
    console.print("… is looked up: the newest session there is, or the last ones. --set NAME=VALUE gives another.")


def _print_statement(text: str) -> None:
    if console.is_terminal:
        console.print(Syntax(text, "sql", background_color="default"))
    else:
        sys.stdout.write(text)
