"""`tapeline redrive`: put on the stream again what was refused or given up and is a quote now."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from tapeline.aws.deployment import DEFAULT_NAME
from tapeline.cli.options import AsJson, StackName, Target, deployment_of
from tapeline.cli.terminal import print_json
from tapeline.market.dates import trading_date
from tapeline.operations.redrive import redrive as run


def redrive(
    first: Annotated[str, typer.Option(help="First date of arrival, YYYY-MM-DD; today if not given.")] = "",
    last: Annotated[str, typer.Option(help="Last date of arrival; the first if not given.")] = "",
    dead_letters: Annotated[
        bool, typer.Option("--dead-letters/--no-dead-letters", help="Also the batches in the dead-letter queue.")
    ] = True,
    go: Annotated[bool, typer.Option("--go", help="Do it. Without this, only say what would be done.")] = False,
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
    as_json: AsJson = False,
) -> None:
    """Read rejected records and dead letters again and put what is a quote now on the stream. A dry run unless `--go`.

    Example: `tapeline redrive --first 2026-03-12 --last 2026-03-13 --go`
    """
    first = first or trading_date(datetime.now(UTC)).isoformat()
    result = run(deployment_of(target, stack_name), first, last or first, dead_letters=dead_letters, dry_run=not go)
    if as_json:
        print_json(asdict(result))
        return
    typer.echo(result.summary)
    if not go:
        typer.echo("Nothing was changed. Add --go to do it.")
