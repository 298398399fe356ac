"""The `tapeline` command. Thin: each command reads its options, calls the package and shows what came of it.

Exit codes: 0 done or green; 1 not; 2 wrong usage, or not to be judged. An error is one line that says what to do next.
"""

from __future__ import annotations

import logging
import shlex
import sys
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)
from rich.markup import escape

from tapeline.aws import local
from tapeline.aws.clients import Clients, connect
from tapeline.aws.deployment import DEFAULT_NAME, Deployment, StackError, find_deployment
from tapeline.aws.printable import json_text, log_to_terminal
from tapeline.cli import show
from tapeline.cli.correct import correct
from tapeline.cli.query import query
from tapeline.cli.redrive import redrive
from tapeline.cli.terminal import Terminal
from tapeline.deploy import stack
from tapeline.laptop import up
from tapeline.laptop.airflow import AirflowError
from tapeline.laptop.supervisor import NotRunningError
from tapeline.operations import feed_state, readings
from tapeline.operations import reconcile as reconciling
from tapeline.operations.health import Part, Readings, exit_code, explained, is_green, judge
from tapeline.operations.tail import follow

console = Terminal(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 160)
errors = Terminal(stderr=True, soft_wrap=True, highlight=False)

TAIL_SILENCE_SECONDS = 10.0
"""After so long without a quote `tail` says why there may be none."""

cli = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="""Tapeline, a real-time stock-market pipeline: on this machine with `tapeline up`, on AWS with
    `tapeline deploy --target aws`.

    Exit codes: 0 done, or all green; 1 failed, or not green; 2 wrong usage, or `status` could not judge something.""",
)

Target = Annotated[
    str,
    typer.Option(
        envvar="TAPELINE_TARGET", help="`local`: what runs on this machine. `aws`: your account, by boto3's own chain."
    ),
]
StackName = Annotated[str, typer.Option("--stack", envvar="TAPELINE_STACK", help="Name of the CloudFormation stack.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the template; repeatable.")
]


class CommandError(RuntimeError):
    """A command cannot be done; the message is all the user needs."""


@cli.callback()
def _common() -> None:
    up.adopt_port()


@cli.command("up")
def start(
    producer_options: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- OPTIONS]", help="For the source: see `python -m producer yahoo --help`."),
    ] = None,
    source: Annotated[str, typer.Option(help="`simulated`, `yahoo` (polls) or `yahoo-stream`.")] = "simulated",
    symbols: Annotated[str, typer.Option(help="Tickers with commas between, such as AAPL,MSFT.")] = "",
    every: Annotated[
        float | None, typer.Option(help="Seconds between quotes of a symbol, or between polls.", min=0.001)
    ] = None,
    port: Annotated[
        int | None, typer.Option(envvar="TAPELINE_PORT", help="Port of the local AWS (4566).", min=1, max=65535)
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Leave it running and return.")] = False,
    subscribe: Annotated[str, typer.Option(metavar="EMAIL", help="An address that gets alerts.")] = "",
    airflow: Annotated[bool, typer.Option(envvar="TAPELINE_AIRFLOW", help="Run Airflow and its DAGs too.")] = True,
    airflow_port: Annotated[
        int | None, typer.Option(envvar="TAPELINE_AIRFLOW_PORT", help="Port of its UI (8080).", min=1, max=65535)
    ] = None,
    settings: Settings = None,
) -> None:
    """Run everything on this machine: local AWS, stack, stream, producer, Airflow. Ctrl-C stops it and keeps the data.

    Example: `tapeline up --source yahoo --symbols AAPL,MSFT`
    """
    if source not in up.SOURCES:
        raise typer.BadParameter(f"expected one of {', '.join(up.SOURCES)}, found {source!r}", param_hint="--source")
    if every is not None and source == "yahoo-stream":
        console.print("[yellow]![/] --every is left out: yahoo-stream sends when Yahoo does.", highlight=False)
        every = None
    if every is not None and source == "yahoo" and every < 1:
        raise typer.BadParameter(f"Yahoo is asked every second at most, found {every:g}", param_hint="--every")
    up.choose_ports(port, airflow_port)
    options = up.Options(source, symbols, every, subscribe, airflow, producer_options or (), _parameters(settings))
    up.Laptop(console).up(options, detach=detach)


@cli.command()
def down() -> None:
    """Stop what `tapeline up` runs, also what a killed one left behind. The data is kept.

    Example: `tapeline down`
    """
    stopped = up.Laptop(console).down()
    console.print("Stopped. The data is kept." if stopped else "Nothing was running.")


@cli.command(
    "airflow",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
    options_metavar="COMMAND...",
)
def run_airflow(context: typer.Context) -> None:
    """Run one of Airflow's own commands on the Airflow of this machine.

    Example: `tapeline airflow backfill create --dag-id daily_rollup --from-date 2026-03-12 --to-date 2026-03-13`
    """
    up.run_airflow(context.args)


@cli.command()
def status(target: Target = "local", stack_name: StackName = DEFAULT_NAME, as_json: AsJson = False) -> None:
    """Show how everything is, and what to do about what is not well.

    Exits 0 if all is judged and well, 1 if a light is yellow or red, 2 if something could not be judged.

    Example: `tapeline status --json | jq '.lights[] | select(.colour == "red")'`
    """
    readings = _readings(target, stack_name)
    lights = judge(readings)
    if target == "local":
        lights = explained(lights, up.log_of)
    if as_json:
        judged = {"green": is_green(lights), "lights": [asdict(light) for light in lights]}
        _print_json({**judged, "market_open": readings.market_open, **asdict(readings)})
    else:
        show.status(console, readings, lights)
    if code := exit_code(lights):
        raise typer.Exit(code)


@cli.command()
def restart(
    part: Annotated[str, typer.Argument(help="As `tapeline status` names it: `producer`, `delivery`, `localaws` …")],
) -> None:
    """Stop one part of what `tapeline up` runs on this machine and start it again, also one that hangs or was given up.

    Example: `tapeline restart producer`
    """
    with console.status(f"Restarting {escape(part)}"):
        state = up.restart(part)
    console.print(f"{part} runs again, pid {state.pid}. Its log: {state.log}")


@cli.command("env")
def environment(target: Target = "local", stack_name: StackName = DEFAULT_NAME) -> None:
    """Print the deployment's names as variables for a shell, and on this machine what lets `aws` reach it.

    Example: `eval "$(tapeline env)"`, then `aws s3 ls s3://$BUCKET_NAME/rejected/`
    """
    outputs = _deployment(target, stack_name).outputs
    reach = local.environment(local.credentials()) if target == "local" else {}
    names = {name.upper(): value for name, value in asdict(outputs).items()}
    for name, value in {**reach, **names}.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


@cli.command()
def deploy(
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Make the stack or bring it up to date. Parameters that are not given keep their values.

    Example: `tapeline deploy --target aws --set AlertEmails=you@example.com --set PriceMovePercent=3`
    """
    clients = _clients(target)
    with show.steps(console, "Deploying", quiet=as_json) as tell:
        outputs = stack.deploy(clients, _parameters(settings), tell, stack_name=stack_name).outputs
    if as_json:
        _print_json(asdict(outputs))
    else:
        show.outputs(console, stack_name, outputs)


@cli.command()
def destroy(
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
    delete_data: Annotated[bool, typer.Option("--delete-data", help="Remove bucket and tables too, for ever.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the stack. Bucket and tables stay, and the next deploy takes them over, unless --delete-data is given.

    Example: `tapeline destroy --target aws --delete-data`
    """
    clients = _clients(target)
    what = "and all its data, for ever" if delete_data else "but keep its data"
    where = "on this machine" if target == "local" else f"in {clients.region} of your AWS account"
    if not yes:
        typer.confirm(f"Remove stack {stack_name} {where} {what}?", abort=True)
    if target == "local":
        up.forget_users(clients)
    with show.steps(console, "Removing") as tell:
        kept = stack.destroy(clients, tell, delete_data=delete_data, stack_name=stack_name)
    console.print("Removed." + (f" Kept: {', '.join(kept)}." if kept else ""))


@cli.command()
def subscribe(
    email: Annotated[str, typer.Argument(help="Who gets mail.")],
    topic: Annotated[
        str, typer.Option(help="`alerts` on trends and anomalies, or `operations` on failures.")
    ] = "alerts",
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
) -> None:
    """Send alerts to an address, once it has confirmed.

    Example: `tapeline subscribe you@example.com`
    """
    if "@" not in email.strip("@"):
        raise typer.BadParameter(f"expected an e-mail address such as you@example.com, found {email!r}")
    deployment = _deployment(target, stack_name)
    topics = {"alerts": deployment.outputs.alert_topic_arn, "operations": deployment.outputs.operations_topic_arn}
    if topic not in topics:
        raise typer.BadParameter(f"expected alerts or operations, found {topic!r}", param_hint="--topic")
    answer = deployment.client("sns").subscribe(TopicArn=topics[topic], Protocol="email", Endpoint=email)
    if answer["SubscriptionArn"].startswith("arn:"):
        console.print(f"{escape(email)} gets {topic} already.")
    elif target == "local":
        console.print(f"Confirm once: open the link in the mail to {escape(email)} at {up.mailbox_address()}")
    else:
        console.print(f"AWS has mailed {escape(email)} a link; {topic} come once it is opened (look in spam too).")


@cli.command()
def tail(
    symbols: Annotated[list[str] | None, typer.Argument(metavar="[SYMBOL]…", help="All if none is given.")] = None,
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
    as_json: AsJson = False,
) -> None:
    """Show quotes as they are stored, alerts marked, until Ctrl-C.

    Example: `tapeline tail AAPL MSFT`
    """
    from tapeline.stream.pump import stop_on_signals

    stop = threading.Event()
    deployment = _deployment(target, stack_name)
    wanted = {symbol.upper() for symbol in symbols or []}
    silence = threading.Timer(TAIL_SILENCE_SECONDS, lambda: errors.print(_say_silence(deployment, wanted)))
    silence.daemon = True
    silence.start()
    with stop_on_signals(stop):  # an exception could rise where it is swallowed, as in a destructor
        for item in follow(deployment, wanted, stop):
            silence.cancel()
            if as_json:
                sys.stdout.write(json_text(show.plain_item(item)) + "\n")
                sys.stdout.flush()
            else:
                console.print(show.quote_line(item))
    silence.cancel()


def _say_silence(deployment: Deployment, wanted: set[str]) -> str:
    """Return why `tail` may have nothing to show."""
    found = feed_state.read_followed(deployment.client("dynamodb"), deployment.outputs.state_table_name)
    followed = found.symbols if found else ()
    who = ", ".join(sorted(wanted)) or "any symbol"
    what = f"the producer follows {', '.join(followed[:12])}{' …' if len(followed) > 12 else ''}" if followed else ""
    return f"No new quote of {who} in {TAIL_SILENCE_SECONDS:.0f} s{'; ' + what if what else ''}. Ctrl-C ends this."


@cli.command()
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
    from producer.bar_file import BarFileError
    from producer.replay import ReplaySource
    from tapeline.stream.pump import run, stop_on_signals
    from tapeline.stream.source import Counters
    from tapeline.stream.writer import KinesisWriter, StreamRefusedError

    try:
        source = ReplaySource(file, _speed(speed))
    except (BarFileError, OSError) as error:
        raise CommandError(str(error)) from error
    log_to_terminal(logging.WARNING, "%(message)s")
    deployment = _deployment(target, stack_name)
    stop = threading.Event()
    writer = KinesisWriter(deployment.client("kinesis"), deployment.outputs.stream_name, Counters())
    try:
        with stop_on_signals(stop), show.replaying(console, source.total, quiet=as_json) as tell:
            counts = run(source, writer, stop=stop, on_progress=tell)
    except StreamRefusedError as error:
        raise CommandError(str(error)) from error
    if as_json:
        _print_json({**asdict(counts), "waiting": counts.waiting})
    else:
        console.print(f"Done: {counts}" if not stop.is_set() else f"Stopped: {counts}")
    if counts.rejected and counts.rejected == counts.read:
        raise CommandError(f"all {counts.rejected:,} rows were rejected, each for the reason above; nothing was sent")
    if counts.waiting:
        raise CommandError(
            f"{counts.waiting:,} quotes were read but not sent; replay the file again, repeats do no harm"
        )


@cli.command()
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
    deployment = _deployment(target, stack_name)
    with show.counting(errors if as_json else console, quiet=as_json) as tell:
        result = reconciling.reconcile(deployment.clients, reconciling.Places.of(deployment), wait, tell)
    if as_json:
        _print_json({"agrees": result.agrees, **asdict(result)})
    else:
        show.reconciliation(console, result)
    if not result.agrees:
        raise typer.Exit(1)


cli.command()(query)
cli.command()(correct)
cli.command()(redrive)


def _clients(target: str) -> Clients:
    if target == "local" and not up.answers():
        raise CommandError(
            f"the local AWS does not answer at {local.endpoint()}. Start everything with `make run`, or mean your "
            "account with `--target aws`"
        )
    return connect(target)


def _deployment(target: str, stack_name: str) -> Deployment:
    return find_deployment(_clients(target), stack_name)


def _readings(target: str, stack_name: str) -> Readings:
    now = datetime.now(UTC)
    if target != "local":
        try:
            return readings.read_readings(_deployment(target, stack_name), parts=[], now=now)
        except (BotoCoreError, ClientError, StackError) as error:
            return Readings(at=now, parts=[], measured=False, unread={"stack": _explained(error)})
    parts = up.parts()
    if not up.answers():
        return Readings(at=now, parts=parts, measured=False)
    try:
        return readings.read_readings(_deployment(target, stack_name), parts=parts, now=now)
    except StackError as error:
        missing = Part("stack", up=False, detail=str(error), next_step="Make it: `tapeline deploy`.")
        return Readings(at=now, parts=[*parts, missing], measured=False)


def _parameters(settings: list[str] | None) -> dict[str, str]:
    pairs = [setting.partition("=") for setting in settings or []]
    wrong = [name for name, equals, _ in pairs if not (name and equals)]
    if wrong:
        raise typer.BadParameter(f"expected NAME=VALUE, found {wrong[0]!r}", param_hint="--set")
    return {name: value for name, _, value in pairs}


def _speed(text: str) -> float | None:
    from producer.__main__ import read_speed

    try:
        return read_speed(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--speed") from error


def _print_json(document: Any) -> None:
    sys.stdout.write(json_text(document, indent=2, default=str) + "\n")


def app() -> None:
    """Run the command line; what a user can mend is one red line, anything else a traceback worth a report."""
    try:
        cli()
    except (
        AirflowError,
        BotoCoreError,
        ClientError,
        CommandError,
        NotRunningError,
        StackError,
        up.UpError,
        ValueError,
    ) as error:
        _fail(_explained(error))


def _explained(error: Exception) -> str:
    """Return what a user can do about an error."""
    if isinstance(error, NoRegionError):
        return (
            "no AWS region is set: export AWS_DEFAULT_REGION, such as us-east-1, or choose a profile with AWS_PROFILE"
        )
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return "no AWS credentials are found: choose a profile with AWS_PROFILE, or sign in with `aws configure sso`"
    if isinstance(error, EndpointConnectionError):
        return f"{error}. Is it running, and is the network there?"
    if isinstance(error, ClientError):
        details = error.response["Error"]
        return f"AWS refused {error.operation_name}: {details.get('Code')}: {details.get('Message')}"
    return str(error)


def _fail(message: str) -> None:
    errors.print(f"[red]Error:[/] {escape(message)}")
    sys.exit(1)


if __name__ == "__main__":
    app()
