"""One start of `tapeline up`, from the local AWS to Airflow, and what it prints."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from producer.sources import SOURCES
from tapeline.aws import local
from tapeline.aws.clients import connect
from tapeline.aws.deployment import DEFAULT_NAME, Deployment, StackOutputs
from tapeline.deploy import stack
from tapeline.deploy.stack_events import Progress
from tapeline.lake.partitions import date_folders
from tapeline.laptop import airflow
from tapeline.laptop.mailbox import mailbox_address, subscribe_reader
from tapeline.laptop.parts import last_words
from tapeline.laptop.past_trading import NotStoredError, put_missing
from tapeline.laptop.ports import local_aws_answers, note_port
from tapeline.laptop.programs import DELIVERY, LOCAL_AWS, PRODUCER, Options, environment, programs, signed
from tapeline.laptop.supervisor import LaptopError, Supervisor
from tapeline.laptop.users import AIRFLOW_USER, PRODUCER_USER, signer_of
from tapeline.market.durations import words
from tapeline.operations import readings
from tapeline.stream.keys import RAW_PREFIX
from tapeline.stream.source import read_symbols

READY_SECONDS = 90.0
FIRST_QUOTE_SECONDS = 45.0
PAST_SECONDS = 120.0
AIRFLOW_SECONDS = 300.0


class Start:
    """One start of everything, a step after the other: `line` shows what is being done, `console` what is done."""

    def __init__(self, supervisor: Supervisor, console: Console, options: Options, line: Status) -> None:
        self._home = local.home()
        self._supervisor = supervisor
        self._console = console
        self._options = options
        self._line = line

    def run(self) -> Deployment:
        """Start everything and wait for the first quote; a LaptopError if a program is given up or does not answer."""
        deployment = self._start_local_aws()
        self._line.update("Starting delivery and producer")
        self._supervisor.start_program(DELIVERY)
        if self._options.airflow and self._options.source == "simulated":
            self._put_past_trading(deployment)
        self._start_producer(deployment)
        if self._options.airflow:
            self._start_airflow(deployment)
        return deployment

    def _start_local_aws(self) -> Deployment:
        began = time.monotonic()
        note_port()
        self._supervisor.start(programs(self._options), environment())
        self._supervisor.start_program(LOCAL_AWS)
        self._await_local_aws()
        done(self._console, f"Local AWS answers at {local.endpoint()}", began)
        began = time.monotonic()
        deployment = self._deploy()
        done(self._console, f"Stack `{DEFAULT_NAME}` is in place", began)
        self._report_earlier_data(deployment)
        return deployment

    def _await_local_aws(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if local_aws_answers():
                report_last_end(self._console, self._home)
                return
            self._raise_if_given_up()
            time.sleep(0.1)
        raise LaptopError(f"the local AWS does not answer after {READY_SECONDS:.0f} s{last_words(LOCAL_AWS)}")

    def _deploy(self) -> Deployment:
        resources = 0

        def tell(step: Progress) -> None:
            nonlocal resources
            resources += step.status in ("made", "changed", "taken over")
            self._line.update(f"Deploying the stack: {resources} resources, {step.resource} {step.status}")

        self._line.update("Deploying the stack")
        return stack.deploy(connect("local"), self._options.parameters or {}, tell)

    def _report_earlier_data(self, deployment: Deployment) -> None:
        outputs = deployment.outputs
        items = deployment.client("dynamodb").describe_table(TableName=outputs.table_name)["Table"]["ItemCount"]
        if days := date_folders(deployment, RAW_PREFIX):
            dates = days[0] if len(days) == 1 else f"{len(days)} trading dates from {days[0]} to {days[-1]}"
            done(self._console, f"Found earlier data: {items:,} quotes in DynamoDB, the raw zone of {dates}")

    def _put_past_trading(self, deployment: Deployment) -> None:
        began = time.monotonic()
        self._line.update("Simulating the trading of the newest session, where it is missing")
        try:
            symbols, now = read_symbols(self._options.symbols), datetime.now(UTC)
            trading = put_missing(deployment, symbols, now, wait_seconds=PAST_SECONDS, on_wait=self._raise_if_given_up)
        except NotStoredError as error:
            warn(self._console, str(error))
            return
        if trading:
            done(self._console, trading, began)

    def _start_producer(self, deployment: Deployment) -> None:
        began, since = time.monotonic(), datetime.now(UTC)
        outputs = deployment.outputs
        signer = signer_of(deployment.clients, PRODUCER_USER, outputs.producer_policy_arn, self._home / "producer.json")
        # The local AWS saves stack and user now, not in a minute.
        os.kill(self._supervisor.state(LOCAL_AWS).pid, signal.SIGUSR1)
        producer = next(program for program in programs(self._options) if program.name == PRODUCER)
        self._supervisor.describe(signed(producer, signer, outputs))
        self._supervisor.start_program(PRODUCER)
        if self._options.subscribe:
            deployment.client("sns").subscribe(
                TopicArn=outputs.alert_topic_arn, Protocol="email", Endpoint=self._options.subscribe
            )
        self._line.update("Waiting for the first quote")
        deadline = time.monotonic() + FIRST_QUOTE_SECONDS
        while time.monotonic() < deadline:
            self._raise_if_given_up()
            if quote := readings.newest_since(deployment, since):
                done(self._console, f"Quotes flow: {quote.symbol} at {float(quote.price):,.2f} USD", began)
                return
            time.sleep(0.3)
        text = "No quote yet. If the market is closed, the producer waits for it; else its log says why:"
        warn(self._console, text + last_words(PRODUCER))

    def _start_airflow(self, deployment: Deployment) -> None:
        began = time.monotonic()
        self._line.update("Preparing Airflow's database")
        subscribe_reader(deployment, self._home)
        policy = deployment.outputs.airflow_policy_arn
        signer = signer_of(deployment.clients, AIRFLOW_USER, policy, self._home / "airflow.json")
        settings = airflow.settings(self._home, signer)
        airflow.note(self._home, settings)
        airflow.prepare_database({**environment(), **settings})
        self._line.update("Starting Airflow")
        deadline = began + AIRFLOW_SECONDS
        for program in airflow.programs():
            if program.name == airflow.SCHEDULER:  # a task that finds no API server fails
                self._wait_for_airflow(deadline)
            self._supervisor.describe(replace(program, environment=settings))
            self._supervisor.start_program(program.name)
        if self._wait_for_airflow(deadline, "scheduler", "dag_processor"):
            done(self._console, f"Airflow answers at {airflow.address()}", began)
        else:
            log = last_words(airflow.SCHEDULER)
            warn(self._console, f"Airflow does not answer yet at {airflow.address()}; its logs say why:{log}")

    def _wait_for_airflow(self, deadline: float, *parts: str) -> bool:
        """Wait until the API server answers and these parts are alive; return whether they are."""
        while not (alive := airflow.answers(*parts)) and time.monotonic() < deadline:
            self._raise_if_given_up()
            time.sleep(1)
        return alive

    def _raise_if_given_up(self) -> None:
        for state in self._supervisor.states():
            if state.state == "FATAL":
                raise LaptopError(f"{state.name} keeps dying and was given up{last_words(state.name)}")


def report_last_end(console: Console, home: Path) -> None:
    """Repeat what the local AWS says about how it ended, if it was killed."""
    report = home / "aws" / "last-start.txt"
    if report.exists() and "killed" in (text := report.read_text().strip()):
        warn(console, text)


def print_addresses(console: Console, options: Options, outputs: StackOutputs) -> None:
    """Print where everything is that `up` has started."""
    rows = []
    if options.airflow:
        log_in = ", ".join(f"{name} / {password}" for name, password in airflow.passwords(local.home()).items())
        rows = [("Airflow", f"{airflow.address()}   log in as {log_in}")]
    rows += [
        ("Local AWS", f"{local.endpoint()}   bucket {outputs.bucket_name}, table {outputs.table_name}"),
        ("Mailbox", f"{mailbox_address()}   alerts for you: tapeline subscribe you@example.com"),
        ("Watch", "tapeline status   tapeline tail   tapeline reconcile"),
        ("Logs", str(local.home() / "logs")),
        ("Stop", "tapeline down"),
    ]
    print_ = partial(console.print, highlight=False, soft_wrap=True)
    print_(f"\n[bold]Tapeline runs[/]: {SOURCES[options.source].title}, Kinesis, DynamoDB and S3, alerts by SNS")
    for name, text in rows:
        print_(f"  {name:<10} {text}")


def done(console: Console, text: str, since: float | None = None) -> None:
    """Report a step that is done, and how long it took since a moment (monotonic seconds) if one is given."""
    took = "" if since is None else f" [dim]({words(time.monotonic() - since)})[/]"
    console.print(f"[green]✓[/] {escape(text)}{took}", highlight=False)


def warn(console: Console, text: str) -> None:
    """Report something that is wrong but stops nothing."""
    console.print(f"[yellow]![/] {escape(text)}", highlight=False)
