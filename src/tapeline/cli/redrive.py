"""`tapeline redrive`: put on the stream again what was refused or given up and is a quote now."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from tapeline.aws.clients import connect
from tapeline.aws.deployment import DEFAULT_NAME, find_deployment
from tapeline.aws.printable import json_text, printable
from tapeline.market.dates import trading_date
from tapeline.operations.redrive import RedriveError
from tapeline.operations.redrive import redrive as run


def redrive(
    first: Annotated[str, typer.Option(help="First date of arrival, YYYY-MM-DD; today if not given.")] = "",
    last: Annotated[str, typer.Option(help="Last date of arrival; the first if not given.")] = "",
    dead_letters: Annotated[
        bool, typer.Option("--dead-letters/--no-dead-letters", help="Also the batches in the dead-letter queue.")
    ] = True,
    go: Annotated[bool, typer.Option("--go", help="Do it. Without this, only say what would be done.")] = False,
    target: Annotated[
        str, typer.Option(envvar="TAPELINE_TARGET", help="`local`: this machine. `aws`: your account.")
    ] = "local",
    stack_name: Annotated[
        str, typer.Option("--stack", envvar="TAPELINE_STACK", help="Name of the CloudFormation stack.")
    ] = DEFAULT_NAME,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Read rejected records and dead letters again and put what is a quote now on the stream. A dry run unless `--go`.

    Example: `tapeline redrive --first 2026-03-12 --last 2026-03-13 --go`
    """
    first = first or trading_date(datetime.now(UTC)).isoformat()
    deployment = find_deployment(connect(target), stack_name)
    try:
        found = run(deployment, first, last or first, dead_letters=dead_letters, dry_run=not go)
    except RedriveError as error:
        typer.echo(printable(f"Error: {error}"), err=True)
        raise typer.Exit(1) from error
    if as_json:
        sys.stdout.write(json_text(asdict(found), indent=2) + "\n")
        return
    typer.echo(found.summary)
    if not go:
        typer.echo("Nothing was changed. Add --go to do it.")
