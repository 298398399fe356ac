"""The commands that put records on the stream: `tapeline replay` and `redrive`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tapeline.aws.deployment import DEFAULT_NAME
from tapeline.aws.printable import log_to_terminal
from tapeline.cli.errors import CommandError
from tapeline.cli.options import AsJson, StackName, Target, deployment_of
from tapeline.cli.terminal import console, print_json
from tapeline.market.dates import trading_date
from tapeline.operations.redrive import redrive as redrive_rejects
from tapeline.stream.pump import run, stop_on_signals
from tapeline.stream.source import Counters, Counts
from tapeline.stream.writer import KinesisWriter, StreamRefusedError


def replay(
    file: Annotated[
        Path, typer.Argument(help="CSV or Parquet of bars: symbol, timestamp (UTC), open, high, low, close, volume.")
    ],
    speed: Annotated[str, typer.Option(help="Times as fast as it happened, such as 60, or `max`.")] = "60",
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
    as_json: AsJson = False,
) -> None:
    """Put a file of bars on the stream as quotes. Ctrl-C sends what is held and stops.

    Example: `tapeline replay bars.parquet --speed max && tapeline reconcile`
    """
    from producer.bar_file import BarFileError  # reads by pyarrow, which takes as long to import as all the rest
    from producer.replay import ReplaySource, read_speed

    try:
        factor = read_speed(speed)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--speed") from error
    try:
        source = ReplaySource(file, factor)
    except (BarFileError, OSError) as error:
        raise CommandError(str(error)) from error
    log_to_terminal(logging.WARNING, "%(message)s")
    deployment = deployment_of(target, stack_name)
    stop = threading.Event()
    writer = KinesisWriter(deployment.client("kinesis"), deployment.outputs.stream_name, Counters())
    try:
        with stop_on_signals(stop), _progress(source.total, quiet=as_json) as tell:
            counts = run(source, writer, stop=stop, on_progress=tell)
    except StreamRefusedError as error:
        raise CommandError(str(error)) from error
    if as_json:
        print_json({**asdict(counts), "waiting": counts.waiting})
    else:
        console.print(f"Done: {counts}" if not stop.is_set() else f"Stopped: {counts}")
    if counts.rejected and counts.rejected == counts.read:
        raise CommandError(f"all {counts.rejected:,} rows were rejected, each for the reason above; nothing was sent")
    if counts.waiting:
        raise CommandError(f"{counts.waiting:,} quotes were read, not sent; replay the file again, repeats do no harm")


@contextmanager
def _progress(total: int | None, *, quiet: bool) -> Iterator[Callable[[Counts], None]]:
    """Show how far a replay is, how fast, and how long it will take."""
    rate_column = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("Replaying"), BarColumn(), MofNCompleteColumn(), rate_column, TimeRemainingColumn())
    with Progress(*columns, console=console, disable=quiet) as progress:
        task = progress.add_task("", total=total, rate="")

        def tell(counts: Counts) -> None:
            speed = progress.tasks[0].speed
            rate = f"{speed:,.0f} quotes/s" if speed else ""
            progress.update(task, completed=counts.read - counts.waiting, rate=rate)

        yield tell


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
    deployment, first = deployment_of(target, stack_name), first or trading_date(datetime.now(UTC)).isoformat()
    result = redrive_rejects(deployment, first, last or first, dead_letters=dead_letters, dry_run=not go)
    if as_json:
        print_json(asdict(result))
        return
    typer.echo(result.summary)
    if not go:
        typer.echo("Nothing was changed. Add --go to do it.")
