"""`tapeline up` and `down`: everything on this machine, started in order, watched, and stopped without a trace."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import psutil
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from localaws.mail import Mailbox, page_url
from tapeline.aws import local
from tapeline.aws.clients import Clients, connect
from tapeline.aws.deployment import DEFAULT_NAME, Deployment, StackOutputs
from tapeline.aws.printable import printable
from tapeline.deploy import stack
from tapeline.laptop import airflow, past_trading
from tapeline.laptop.supervisor import NotRunningError, ProcessState, Program, Supervisor
from tapeline.operations import readings
from tapeline.operations.feed import words
from tapeline.operations.health import Part

PRODUCER_USER = "tapeline-producer"
AIRFLOW_USER = "tapeline-airflow"
"""The laptop's producer and DAGs sign as these users, who have the stack's policy for them and nothing else."""

READER = "you@laptop.example"
"""Who gets reports and anomalies, and the operators' messages, in the laptop's own mailbox."""

LOCAL_AWS = "localaws"
READY_SECONDS = 90.0
FIRST_QUOTE_SECONDS = 45.0
PAST_SECONDS = 120.0
AIRFLOW_SECONDS = 300.0
LOG_TAIL_BYTES = 65_536

NOT_STARTED = "Not started"
"""What supervisord says of a program that nobody has started yet."""

WATCH_SECONDS = 1.0

_INHERITED_AWS = ("AWS_CA_BUNDLE",)
"""Every other AWS_ variable of the shell is about another AWS and must not reach what runs here."""


class UpError(RuntimeError):
    """Something keeps the laptop's programs from running; the message says what to do."""


class _StopRequestedError(BaseException):
    """Ctrl-C, SIGTERM or a closed terminal."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `up` was asked for.

    Attributes
    ----------
    source : str
        `simulated`, `yahoo` or `yahoo-stream`.
    symbols : str
        Tickers with commas between; empty for the producer's own choice.
    every : float or None
        Seconds between two quotes of a symbol, or between two polls; None for the source's own.
    subscribe : str
        An address that gets alerts; empty for none.
    airflow : bool
        Whether Airflow runs too, with a past session for its DAGs and somebody who gets their mail.
    producer : sequence of str
        Further options of the source, as `python -m producer SOURCE --help` lists them.
    parameters : dict of str to str
        Parameters of the template.
    """

    source: str = "simulated"
    symbols: str = ""
    every: float | None = None
    subscribe: str = ""
    airflow: bool = True
    producer: Sequence[str] = ()
    parameters: dict[str, str] | None = None


def programs(options: Options) -> list[Program]:
    """Return what runs, the first started first; another program is another row."""
    producer = [sys.executable, "-m", "producer", options.source]
    if options.symbols:
        producer += ["--symbols", options.symbols]
    if options.every is not None:
        producer += ["--every", f"{options.every:g}"]
    producer += options.producer
    return [
        Program(LOCAL_AWS, [sys.executable, "-m", "localaws"], priority=100, stop_seconds=90),  # it saves its state
        Program("delivery", [sys.executable, "-m", "localaws.delivery"], priority=200, stop_seconds=45),
        Program("producer", producer, priority=300, stop_seconds=30),  # it sends what it holds
        *(airflow.programs() if options.airflow else []),
    ]


class Laptop:
    """Everything that `up` runs on this machine, in one state folder.

    Parameters
    ----------
    console : Console
        Where to say what happens.
    """

    def __init__(self, console: Console) -> None:
        self.home = local.home()
        self.supervisor = Supervisor(self.home)
        self._console = console

    def up(self, options: Options, *, detach: bool) -> None:
        """Start everything, wait for the first quote, then watch until Ctrl-C, or leave it running if detached.

        Raises
        ------
        UpError
            If it cannot start; what was started is stopped again.
        """
        self._console.on_broken_pipe = self._go_on_unheard  # type: ignore[method-assign]
        local.own_home()
        with self._only_one(), self._signals_raise():
            self._clear_the_way(options)
            try:
                self._start(options)
                if not detach:
                    self._watch()
            except _StopRequestedError:
                self._stop_by_request()
            except BaseException:
                self.down()
                raise

    def down(self) -> bool:
        """Stop everything, saving what it holds; tell whether anything ran."""
        orphans = self.supervisor.orphans()
        running = self.supervisor.is_running()
        if running or orphans:
            with self._console.status("Stopping") as line:
                self.supervisor.stop(lambda name: line.update(f"Stopping {name}"))
                self.supervisor.end_orphans(orphans)
        return running or bool(orphans)

    @contextmanager
    def _signals_raise(self) -> Iterator[None]:
        """Turn Ctrl-C, SIGTERM and a closed terminal into one exception."""

        def stop(number: int, _frame: Any) -> None:
            if number == signal.SIGHUP:
                self._go_on_unheard()
            raise _StopRequestedError

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _go_on_unheard(self) -> None:
        """Print no more: nobody reads it, as after `tapeline up | head`, which is no reason to stop."""
        self._console.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    # Starting

    @contextmanager
    def _only_one(self) -> Iterator[None]:
        """Hold the state folder's lock, so that two `up` at once do not both start."""
        if self.supervisor.is_running():
            states = ", ".join(f"{state.name} {state.state.lower()}" for state in self.supervisor.states())
            raise UpError(
                f"Tapeline is already running here ({states}). See `tapeline status`; stop it with `tapeline down`."
            )
        self.supervisor.run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.supervisor.run_folder / "up.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UpError("another `tapeline up` is just starting here; wait for it, or stop it first") from None
            yield

    def _clear_the_way(self, options: Options) -> None:
        if orphans := self.supervisor.orphans():
            with self._console.status("Ending what a killed run left behind"):
                self.supervisor.end_orphans(orphans)
            self._say(f"Ended what a killed run had left: {', '.join(orphans)}")
        _require_free(local.port(), "--port")
        if options.airflow:
            _require_free(airflow.port(), "--airflow-port")

    def _start(self, options: Options) -> None:
        started = time.monotonic()
        table = programs(options)
        self._note_port()
        self.supervisor.start(table, _environment())
        with self._console.status("Starting the local AWS") as line:
            self.supervisor.start_program(LOCAL_AWS)
            self._await_local_aws()
            self._say(f"Local AWS answers at {local.endpoint()}", started)
            began = time.monotonic()
            deployment = self._deploy(options, line)
            self._say(f"Stack `{DEFAULT_NAME}` is in place", began)
            self._tell_earlier_data(deployment)
            signer = signer_of(
                deployment.clients, PRODUCER_USER, deployment.outputs.producer_policy_arn, self.home / "producer.json"
            )
            os.kill(
                self.supervisor.state(LOCAL_AWS).pid, signal.SIGUSR1
            )  # it saves stack and user now, not in a minute
            line.update("Starting delivery and producer")
            self.supervisor.start_program("delivery")
            if options.airflow and options.source == "simulated":
                self._put_past_trading(deployment, options, line)
            began, since = time.monotonic(), datetime.now(UTC)
            producer = next(program for program in table if program.name == "producer")
            self.supervisor.describe(_signed(producer, signer, deployment.outputs))
            self.supervisor.start_program(producer.name)
            if options.subscribe:
                deployment.client("sns").subscribe(
                    TopicArn=deployment.outputs.alert_topic_arn, Protocol="email", Endpoint=options.subscribe
                )
            line.update("Waiting for the first quote")
            self._await_quote(deployment, since, began)
            if options.airflow:
                self._start_airflow(deployment, line)
        self._tell_addresses(options, deployment.outputs)

    def _await_local_aws(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if answers():
                self._tell_last_end()
                return
            self._raise_if_given_up()
            time.sleep(0.1)
        raise UpError(f"the local AWS does not answer after {READY_SECONDS:.0f} s{self._last_words(LOCAL_AWS)}")

    def _deploy(self, options: Options, line: Status) -> Deployment:
        done = 0

        def tell(step: stack.Progress) -> None:
            nonlocal done
            done += step.status in ("made", "changed", "taken over")
            line.update(f"Deploying the stack: {done} resources, {step.resource} {step.status}")

        line.update("Deploying the stack")
        return stack.deploy(connect("local"), options.parameters or {}, tell)

    def _tell_last_end(self) -> None:
        """Repeat what the local AWS says about how it ended, if it was killed."""
        report = self.home / "aws" / "last-start.txt"
        if report.exists() and "killed" in (text := report.read_text().strip()):
            self._console.print(f"[yellow]![/] {text}", highlight=False)

    def _tell_earlier_data(self, deployment: Deployment) -> None:
        outputs = deployment.outputs
        items = deployment.client("dynamodb").describe_table(TableName=deployment.outputs.table_name)["Table"][
            "ItemCount"
        ]
        pages = deployment.client("s3").get_paginator("list_objects_v2")
        days = [
            prefix["Prefix"]
            for page in pages.paginate(Bucket=outputs.bucket_name, Prefix="raw-data/", Delimiter="/")
            for prefix in page.get("CommonPrefixes", [])
        ]
        if days:
            span = sorted(day.removeprefix("raw-data/dt=").rstrip("/") for day in days)
            dates = span[0] if len(span) == 1 else f"{len(span)} trading dates from {span[0]} to {span[-1]}"
            self._say(f"Found earlier data: {items:,} quotes in DynamoDB, the raw zone of {dates}")

    def _await_quote(self, deployment: Deployment, since: datetime, began: float) -> None:
        deadline = time.monotonic() + FIRST_QUOTE_SECONDS
        while time.monotonic() < deadline:
            self._raise_if_given_up()
            if quote := readings.newest_since(deployment, since):
                self._say(f"Quotes flow: {quote.symbol} at {float(quote.price):,.2f} USD", began)
                return
            time.sleep(0.3)
        self._console.print(
            "[yellow]![/] No quote yet. If the market is closed, the producer waits for it; else its log says why:"
            f"{escape(self._last_words('producer'))}"
        )

    def _put_past_trading(self, deployment: Deployment, options: Options, line: Status) -> None:
        """Put the newest session on the stream, and today's so far, where the raw zone has nothing of them."""
        from producer.simulated import SIMULATED_SYMBOLS, SimulatedMarket
        from tapeline.stream.pump import run
        from tapeline.stream.source import Counters, read_symbols
        from tapeline.stream.writer import KinesisWriter

        now = datetime.now(UTC)
        wanted = past_trading.missing_sessions(deployment, now)
        if not wanted:
            return
        began = time.monotonic()
        days = " and ".join(one.key for one in wanted)
        line.update(f"Simulating the trading of {days}")
        symbols = read_symbols(options.symbols) or SIMULATED_SYMBOLS
        past = past_trading.PastTrading(SimulatedMarket(symbols), wanted, now)
        run(
            past,
            KinesisWriter(deployment.client("kinesis"), deployment.outputs.stream_name, Counters()),
            stop=threading.Event(),
        )
        deadline = time.monotonic() + PAST_SECONDS
        while not past_trading.is_stored(deployment, past):
            self._raise_if_given_up()
            if time.monotonic() > deadline:
                self._console.print(f"[yellow]![/] The trading of {days} is not stored yet; its rollup may fail once.")
                return
            time.sleep(0.5)
        self._say(f"Simulated the trading of {days} for the DAGs: {past.total:,} quotes", began)

    def _start_airflow(self, deployment: Deployment, line: Status) -> None:
        began = time.monotonic()
        line.update("Preparing Airflow's database")
        subscribe_reader(deployment, Mailbox(self.home / "mail"), self.home)
        signer = signer_of(
            deployment.clients, AIRFLOW_USER, deployment.outputs.airflow_policy_arn, self.home / "airflow.json"
        )
        settings = airflow.settings(self.home, signer, deployment.outputs)
        airflow.note(self.home, settings)
        airflow.prepare_database({**_environment(), **settings})
        line.update("Starting Airflow")
        deadline = began + AIRFLOW_SECONDS
        for program in airflow.programs():
            if program.name == airflow.SCHEDULER:  # a task that finds no API server fails
                self._wait_for_airflow(deadline)
            self.supervisor.describe(airflow.with_settings(program, settings))
            self.supervisor.start_program(program.name)
        if self._wait_for_airflow(deadline, "scheduler", "dag_processor"):
            self._say(f"Airflow answers at {airflow.address()}", began)
        else:
            self._console.print(
                f"[yellow]![/] Airflow does not answer yet at {airflow.address()}; its logs say why:"
                f"{escape(self._last_words(airflow.SCHEDULER))}"
            )

    def _wait_for_airflow(self, deadline: float, *parts: str) -> bool:
        """Wait until the API server answers and these parts are alive; tell whether they are."""
        while not (alive := airflow.answers(*parts)) and time.monotonic() < deadline:
            self._raise_if_given_up()
            time.sleep(1)
        return alive

    def _tell_addresses(self, options: Options, outputs: StackOutputs) -> None:
        airflow_lines = []
        if options.airflow:
            log_in = ", ".join(f"{name} / {word}" for name, word in airflow.passwords(self.home).items())
            airflow_lines = [("Airflow", f"{airflow.address()}   log in as {log_in}")]
        rows = (
            *airflow_lines,
            ("Local AWS", f"{local.endpoint()}   bucket {outputs.bucket_name}, table {outputs.table_name}"),
            ("Mailbox", f"{mailbox_address()}   alerts for you: tapeline subscribe you@example.com"),
            ("Watch", "tapeline status   tapeline tail   tapeline reconcile"),
            ("Logs", str(self.supervisor.log_folder)),
            ("Stop", "tapeline down"),
        )
        print_ = partial(self._console.print, highlight=False, soft_wrap=True)
        print_(f"\n[bold]Tapeline runs[/]: {SOURCES[options.source]}, Kinesis, DynamoDB and S3, alerts by SNS")
        for name, text in rows:
            print_(f"  {name:<10} {text}")

    # Watching

    def _watch(self) -> None:
        known = {state.name: state.pid for state in self.supervisor.states()}
        for name in known:
            _restarts(name).unlink(missing_ok=True)
        told: set[str] = set()
        self._console.print("\nCtrl-C stops everything and keeps the data.\n")
        while True:
            time.sleep(WATCH_SECONDS)
            try:
                states = self.supervisor.states()
            except NotRunningError:
                if not self.supervisor.was_killed():
                    self._console.print("Stopped by `tapeline down`. The data is kept; `tapeline up` goes on with it.")
                    return
                raise UpError(
                    "supervisord was killed; its programs are ended now. Start again with `tapeline up`"
                ) from None
            for state in states:
                if state.running and state.pid != known.get(state.name):
                    if known.get(state.name):
                        was_asked_for = _restarts(state.name).exists()
                        _restarts(state.name).unlink(missing_ok=True)
                        how = "was restarted" if was_asked_for else "had died and runs again"
                        self._console.print(f"[yellow]![/] {state.name} {how} (pid {state.pid})")
                        if state.name == LOCAL_AWS:
                            self._tell_last_end()
                    known[state.name] = state.pid
                    told.discard(state.name)
                if state.state == "FATAL" and state.name not in told:
                    told.add(state.name)
                    self._console.print(
                        f"[red]✗ {state.name} keeps dying and was given up[/]{escape(self._last_words(state.name))}\n"
                        f"  Mend the cause, then `tapeline restart {state.name}` in another terminal."
                    )

    def _stop_by_request(self) -> None:
        self._console.print("Stopping; the local AWS saves its state. Ctrl-C again kills everything at once.")
        try:
            self.down()
        except _StopRequestedError:
            self.supervisor.kill()
            self._console.print("[red]Killed.[/] What the local AWS had not saved in its last minute is lost.")
            return
        self._console.print("Stopped. The data is kept; `tapeline up` goes on with it.")

    # Words

    def _raise_if_given_up(self) -> None:
        given_up = [state for state in self.supervisor.states() if state.state == "FATAL"]
        if given_up:
            name = given_up[0].name
            raise UpError(f"{name} keeps dying and was given up{self._last_words(name)}")

    def _last_words(self, name: str) -> str:
        lines = last_lines(self.supervisor.log_folder / f"{name}.log", 8)
        return "".join(f"\n    {line}" for line in lines) if lines else " (its log is empty)"

    def _say(self, text: str, since: float | None = None) -> None:
        took = "" if since is None else f" [dim]({words(time.monotonic() - since)})[/]"
        self._console.print(f"[green]✓[/] {text}{took}", highlight=False)

    def _note_port(self) -> None:
        (self.supervisor.run_folder / "port").write_text(str(local.port()))


SOURCES = {
    "simulated": "the simulated market",
    "yahoo": "Yahoo quotes",
    "yahoo-stream": "Yahoo's live stream",
}


def adopt_port() -> None:
    """Let commands reach the `up` of this state folder on the port it took, unless TAPELINE_PORT says otherwise."""
    noted = local.home() / "run" / "port"
    if not os.environ.get("TAPELINE_PORT") and noted.exists() and Supervisor(local.home()).is_running():
        os.environ["TAPELINE_PORT"] = noted.read_text()


def choose_ports(port: int | None, airflow_port: int | None) -> None:
    """Let this process and all it starts use a port for the local AWS, and one for Airflow's UI."""
    if port is not None:
        os.environ["TAPELINE_PORT"] = str(port)
    if airflow_port is not None:
        os.environ["TAPELINE_AIRFLOW_PORT"] = str(airflow_port)


def run_airflow(arguments: Sequence[str]) -> NoReturn:
    """Become one of Airflow's own commands, with the settings of the last `up`."""
    airflow.command(local.own_home(), _environment(), arguments)


def mailbox_address() -> str:
    """Return where a person reads the mail that the local AWS sends."""
    return page_url()


def parts() -> list[Part]:
    """Return each program of `up` as `status` shows it; all of them down if nothing runs, none in a container."""
    if os.environ.get("TAPELINE_IN_CONTAINER"):
        return []  # each is a service of its own there, which `docker compose ps` shows
    supervisor = Supervisor(local.home())
    try:
        states = supervisor.states()
    except NotRunningError:
        left = supervisor.orphans()
        detail = f"killed, and left {', '.join(left)} running unwatched" if left else "not running"
        return [
            Part("tapeline", up=False, detail=detail, next_step="Start everything with `make run` (`tapeline up`).")
        ]
    return [_part(state) for state in states]


def _restarts(name: str) -> Path:
    """Return the file that tells the `up` in the foreground that a program did not die but was restarted."""
    return local.home() / "run" / f"{name}.restarted"


def restart(name: str) -> ProcessState:
    """Stop one program of `up` and start it again; return how it is then.

    Raises
    ------
    UpError
        If there is no such program, or it does not come up.
    """
    supervisor = Supervisor(local.home())
    known = [state.name for state in supervisor.states()]
    if name not in known:
        raise UpError(f"expected one of {', '.join(known)}, found {name!r}")
    supervisor.restart_program(name)
    _restarts(name).touch(mode=0o600)
    deadline = time.monotonic() + READY_SECONDS
    while (state := supervisor.state(name)).state in ("STARTING", "BACKOFF") and time.monotonic() < deadline:
        time.sleep(0.2)
    if not state.running:
        last = "".join(f"\n    {line}" for line in log_of(name))
        raise UpError(f"{name} does not come up: {state.state.lower()} {state.explanation}{last}")
    return state


def log_of(name: str) -> list[str]:
    """Return the last lines that a program of `up` or a function printed; of a function its warnings and errors."""
    path = Supervisor(local.home()).log_folder / f"{name}.log"
    lines = _tail_of(path)
    if any(line.startswith('{"level"') for line in lines):
        told = [told for line in lines if (told := _trouble(line))]
        return [printable(line[:300]) for line in told][-8:]
    return last_lines(path, 8)


def _trouble(line: str) -> str:
    """Return a warning or an error of a function's log as one line; empty for what else it says."""
    try:
        entry = json.loads(line)
    except ValueError:
        return "" if line.startswith("{") else line  # Lambda's own words, such as a time-out
    if not isinstance(entry, dict) or entry.get("level") not in ("WARNING", "ERROR", "CRITICAL"):
        return ""
    why = f" ({entry['exception'].splitlines()[-1]})" if entry.get("exception") else ""
    return f"{entry.get('timestamp', '')} {entry['level']} {entry.get('message', '')}{why}"


def _is_stopped(pid: int) -> bool:
    """Tell whether a process was told to stop (SIGSTOP, a debugger): to its supervisor it runs."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False


def _part(state: ProcessState) -> Part:
    if state.running and _is_stopped(state.pid):
        return Part(
            state.name,
            up=False,
            detail=f"stopped by a signal, pid {state.pid}",
            next_step=f"Let it go on, `kill -CONT {state.pid}`, or start it anew: `tapeline restart {state.name}`.",
        )
    if state.running:
        return Part(state.name, up=True, detail=f"running for {words(state.seconds)}, pid {state.pid}")
    is_to_come = state.state == "STOPPED" and state.explanation == NOT_STARTED
    is_given_up = state.state in ("FATAL", "EXITED", "STOPPED") and not is_to_come
    return Part(
        state.name,
        up=False,
        detail="not started yet"
        if is_to_come
        else f"{state.state.lower()}: {state.explanation}"
        if state.explanation
        else state.state.lower(),
        next_step=f"Read {state.log}, mend the cause, then `tapeline restart {state.name}`."
        if is_given_up
        else "It is being started; look once more in half a minute.",
        log=tuple(last_lines(state.log, 8)),
        passing=not is_given_up,
    )


def answers() -> bool:
    """Tell whether the local AWS answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{local.endpoint()}/_ministack/health", timeout=2):
            return True
    except (OSError, urllib.error.URLError):
        return False


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a log, long ones cut."""
    return [printable(line[:300]) for line in _tail_of(path)][-count:]


def _tail_of(path: Path) -> list[str]:
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [line for line in lines if line.strip()]


def _environment() -> dict[str, str]:
    """Return this process's environment for the programs, without what would mislead or slow them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_") or name in _INHERITED_AWS}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # without it each start compiles everything anew
    return {
        **kept,
        "TAPELINE_HOME": str(local.home()),
        "TAPELINE_PORT": str(local.port()),
        "TAPELINE_TARGET": "local",
        "PYTHONUNBUFFERED": "1",
    }


def _signed(program: Program, signer: local.Credentials, outputs: StackOutputs) -> Program:
    environment = {
        **local.environment(signer),
        "TAPELINE_TARGET": "aws",
        "TAPELINE_STREAM": outputs.stream_name,
        "TAPELINE_STACK": DEFAULT_NAME,  # whatever the user's own shell says
    }
    return Program(program.name, program.command, environment, program.priority, program.stop_seconds)


def signer_of(clients: Clients, user: str, policy_arn: str, path: Path) -> local.Credentials:
    """Return a key of a user with one policy, who is made first if need be; the key noted at the path is used again."""
    iam = clients.client("iam")
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=user)
    for policy in iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]:
        if policy["PolicyArn"] != policy_arn:
            iam.detach_user_policy(UserName=user, PolicyArn=policy["PolicyArn"])
    iam.attach_user_policy(UserName=user, PolicyArn=policy_arn)

    keys = {key["AccessKeyId"] for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]}
    if path.exists():
        signer = local.Credentials(**json.loads(path.read_text()))
        if signer.access_key_id in keys:
            return signer
    for key in keys:
        iam.delete_access_key(UserName=user, AccessKeyId=key)
    made = iam.create_access_key(UserName=user)["AccessKey"]
    path.touch(mode=0o600)
    path.write_text(json.dumps({"access_key_id": made["AccessKeyId"], "secret_access_key": made["SecretAccessKey"]}))
    return local.Credentials(made["AccessKeyId"], made["SecretAccessKey"])


def subscribe_reader(deployment: Deployment, mailbox: Mailbox, home: Path) -> None:
    """Subscribe the laptop's own reader to both topics and confirm, once; who leaves is not subscribed again.

    A trend of the simulated market turns every few minutes: of alerts the reader gets all but those.
    """
    note = home / "reader.json"
    if note.exists():
        return
    sns = deployment.client("sns")
    no_trends = json.dumps({"kind": [{"anything-but": ["trend_up", "trend_down"]}]})
    for topic, attributes in (
        (deployment.outputs.alert_topic_arn, {"FilterPolicy": no_trends}),
        (deployment.outputs.operations_topic_arn, {}),
    ):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=READER, Attributes=attributes)
        for message in mailbox.newest(20):
            token = re.search(rf"topic={re.escape(quote(topic, safe=''))}&token=(\w+)", message.text)
            if token and message.address == READER:
                sns.confirm_subscription(TopicArn=topic, Token=token[1])
                break
    note.write_text(json.dumps({"address": READER}))


def forget_users(clients: Clients) -> None:
    """Take the stack's policies from the users of this machine: a policy in use cannot be removed."""
    iam = clients.client("iam")
    for user in (PRODUCER_USER, AIRFLOW_USER):
        with suppress(iam.exceptions.NoSuchEntityException):
            for policy in iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]:
                iam.detach_user_policy(UserName=user, PolicyArn=policy["PolicyArn"])


def _require_free(port: int, option: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UpError(
                f"port {port} on 127.0.0.1 cannot be used ({error.strerror}). If another program has it, "
                f"stop that, or choose another port: `tapeline up {option} {_free_port()}`"
            ) from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
