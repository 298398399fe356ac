"""`python -m producer`: quotes from a source onto the stream.

Exit codes: 0 the source ended or a signal came and everything read was sent; 1 quotes could not be sent; 2 wrong usage.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from inspect import Signature, signature
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, NoRegionError

from producer.sources import SOURCES, OpenSource
from tapeline.aws.clients import connect
from tapeline.aws.deployment import DEFAULT_NAME
from tapeline.aws.printable import log_to_terminal
from tapeline.stream.announcement import Announcement, WatchedStop, announcing
from tapeline.stream.pump import run, stop_on_signals
from tapeline.stream.recipient import Recipient
from tapeline.stream.source import Counters, Source
from tapeline.stream.writer import KinesisWriter, StreamRefusedError

log = logging.getLogger("producer")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="""Put quotes on the Kinesis stream, from one source, until it ends or Ctrl-C (SIGTERM) comes.

    Quotes of a symbol arrive in order; a quote seen before is not sent again; only what Kinesis did not take is sent
    again. The log counts what was read, sent, retried, rejected and repeated.

    Examples: `python -m producer simulated`, `python -m producer yahoo --symbols AAPL,MSFT`,
    `python -m producer replay bars.parquet --speed 60`""",
)

StreamOption = Annotated[str, typer.Option("--stream", envvar="TAPELINE_STREAM", help="Name of the Kinesis stream.")]
TargetOption = Annotated[
    str,
    typer.Option(
        "--target",
        envvar="TAPELINE_TARGET",
        help="`local`: this machine's AWS, as its owner. `aws`: whatever the AWS_ variables, profile or role say. "
        "Default: `aws` if AWS_ACCESS_KEY_ID is set, else `local`.",
    ),
]
StackOption = Annotated[
    str,
    typer.Option(
        "--stack",
        envvar="TAPELINE_STACK",
        help="Name of the CloudFormation stack: it says what the deployment takes, and learns what is followed.",
    ),
]
STREAM_NAME = "stock-market-stream"


@app.command()
def replay(
    file: Annotated[
        Path, typer.Argument(help="CSV or Parquet: symbol, timestamp (UTC), open, high, low, close, volume.")
    ],
    speed: Annotated[str, typer.Option(help="Times as fast as it happened, such as 60, or max.")] = "60",
    stream: StreamOption = STREAM_NAME,
    target: TargetOption = "",
) -> None:
    """Replay the bars of a file, in time order; pauses of over an hour are skipped."""
    from producer.bar_file import BarFileError
    from producer.replay import ReplaySource, read_speed

    try:
        source = ReplaySource(file, read_speed(speed))
    except (BarFileError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    _produce(source, stream, target, None, "")


def _command(open_source: OpenSource) -> Callable[..., None]:
    """Return a live source's command: its own options, then those that say where its quotes go."""

    def produce(
        stream: StreamOption = STREAM_NAME,
        target: TargetOption = "",
        stack_name: StackOption = DEFAULT_NAME,
        **options: Any,
    ) -> None:
        source, announcement = open_source(**options)
        _produce(source, stream, target, announcement, stack_name)

    own = signature(open_source, eval_str=True).parameters.values()
    destination = [p for p in signature(produce, eval_str=True).parameters.values() if p.kind is not p.VAR_KEYWORD]
    produce.__signature__ = Signature([*own, *destination])  # type: ignore[attr-defined]
    produce.__doc__ = open_source.__doc__
    return produce


for _name, _source in SOURCES.items():
    app.command(_name)(_command(_source.load()))


def _produce(source: Source, stream_name: str, target: str, announcement: Announcement | None, stack_name: str) -> None:
    """Run a source; a live one says what it follows, and sends what its deployment takes."""
    target = target or ("aws" if os.environ.get("AWS_ACCESS_KEY_ID") else "local")
    stop, counters = threading.Event(), Counters()
    try:
        aws = connect(target)
        deployment = Recipient(aws, stack_name, stream_name)
        kinesis = aws.client("kinesis")
        writer = KinesisWriter(kinesis, stream_name, counters, optional_fields=lambda: deployment.quote_fields)
    except NoRegionError as error:
        raise typer.BadParameter("no AWS region: set AWS_DEFAULT_REGION, or a region in the profile") from error
    except (BotoCoreError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error

    def beside(watched: WatchedStop) -> AbstractContextManager[None]:
        return announcing(announcement, deployment, counters, watched, time.time) if announcement else nullcontext()

    with stop_on_signals(stop):
        try:
            counts = run(source, writer, stop=stop, beside=beside)
        except StreamRefusedError as error:
            log.critical("%s", error)
            sys.exit(1)
    if counts.waiting:
        sys.exit(1)


def main() -> None:
    """Run the command line."""
    level = os.environ.get("LOG_LEVEL", "INFO").upper()
    log_to_terminal(level, "%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S%z")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    app()


if __name__ == "__main__":
    main()
