"""The commands that look at a deployment: `tapeline status`, `tail` and `reconcile`."""

from __future__ import annotations

import sys
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from tapeline.aws.deployment import DEFAULT_NAME, Deployment, StackError
from tapeline.aws.printable import json_text
from tapeline.cli import show
from tapeline.cli.errors import error_text
from tapeline.cli.options import AsJson, StackName, Target, deployment_of
from tapeline.cli.terminal import console, errors, nowhere, print_json
from tapeline.laptop.parts import log_of, parts
from tapeline.laptop.ports import local_aws_answers
from tapeline.operations.feed_signs import read_followed
from tapeline.operations.health import Readings, exit_code, explained, is_green, judge
from tapeline.operations.light import Part
from tapeline.operations.readings import read_readings
from tapeline.operations.reconcile import reconcile as compare
from tapeline.operations.tail import follow
from tapeline.operations.tally import quote_retention
from tapeline.stream.pump import stop_on_signals

TAIL_SILENCE_SECONDS = 10.0
"""After so long without a quote `tail` says why there may be none."""


def status(target: Target = "local", stack_name: StackName = DEFAULT_NAME, as_json: AsJson = False) -> None:
    """Show how everything is, and what to do about what is not well.

    Exits 0 if all is judged and well, 1 if a light is yellow or red, 2 if something could not be judged.

    Example: `tapeline status --json | jq '.lights[] | select(.colour == "red")'`
    """
    readings = _readings(target, stack_name)
    lights = judge(readings)
    if target == "local":
        lights = explained(lights, log_of)
    if as_json:
        judged = {"green": is_green(lights), "lights": [asdict(light) for light in lights]}
        print_json({**judged, "market_open": readings.market_open, **asdict(readings)})
    else:
        show.status(console, readings, lights)
    if code := exit_code(lights):
        raise typer.Exit(code)


def _readings(target: str, stack_name: str) -> Readings:
    now = datetime.now(UTC)
    if target != "local":
        try:
            return read_readings(deployment_of(target, stack_name), parts=[], now=now)
        except (BotoCoreError, ClientError, StackError) as error:
            return Readings(at=now, parts=[], measured=False, unread={"stack": error_text(error)})
    programs = parts()
    if not local_aws_answers():
        return Readings(at=now, parts=programs, measured=False)
    try:
        return read_readings(deployment_of(target, stack_name), parts=programs, now=now)
    except StackError as error:
        missing = Part("stack", up=False, detail=str(error), next_step="Make it: `tapeline deploy`.")
        return Readings(at=now, parts=[*programs, missing], measured=False)


def tail(
    symbols: Annotated[list[str] | None, typer.Argument(metavar="[SYMBOL]…", help="All if none is given.")] = None,
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
    as_json: AsJson = False,
) -> None:
    """Show quotes as they are stored, alerts marked, until Ctrl-C.

    Example: `tapeline tail AAPL MSFT`
    """
    stop = threading.Event()
    deployment = deployment_of(target, stack_name)
    only = {symbol.upper() for symbol in symbols or []}
    silence = threading.Timer(TAIL_SILENCE_SECONDS, lambda: errors.print(_why_silent(deployment, only)))
    silence.daemon = True
    silence.start()
    with stop_on_signals(stop):  # an exception could rise where it is swallowed, as in a destructor
        for item in follow(deployment, only, stop):
            silence.cancel()
            if as_json:
                sys.stdout.write(json_text(show.plain_item(item)) + "\n")
                sys.stdout.flush()
            else:
                console.print(show.quote_line(item))
    silence.cancel()


def _why_silent(deployment: Deployment, only: set[str]) -> str:
    """Return why `tail` may have nothing to show."""
    followed = read_followed(deployment.client("dynamodb"), deployment.outputs.state_table_name)
    symbols = followed.symbols if followed else ()
    what = f"; the producer follows {', '.join(symbols[:12])}{' …' if len(symbols) > 12 else ''}" if symbols else ""
    who = ", ".join(sorted(only)) or "any symbol"
    return f"No new quote of {who} in {TAIL_SILENCE_SECONDS:.0f} s{what}. Ctrl-C ends this."


def reconcile(
    wait: Annotated[float, typer.Option(help="Seconds to wait for records that are not delivered yet.", min=0)] = 300.0,
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
    as_json: AsJson = False,
) -> None:
    """Compare what the stream accepted with DynamoDB, raw zone and rejects. Exits 1 and names what is missing where.

    It reads the whole stream, table and raw zone: on AWS that costs what reading them costs.

    Example: `tapeline reconcile --wait 60`
    """
    deployment = deployment_of(target, stack_name)
    with (nowhere if as_json else console).status("Reconciling") as line:
        retention = quote_retention(deployment)
        result = compare(
            deployment, retention, wait, lambda step, number: line.update(f"Reconciling: {step}, {number:,}")
        )
    if as_json:
        print_json({"agrees": result.agrees, **asdict(result)})
    else:
        show.reconciliation(console, result)
    if not result.agrees:
        raise typer.Exit(1)
