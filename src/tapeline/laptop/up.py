"""`tapeline up` and `down`: everything on this machine is started in order, watched, and stopped without a trace."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape

from tapeline.aws import local
from tapeline.laptop import airflow
from tapeline.laptop.parts import last_words, restart_note
from tapeline.laptop.ports import require_free
from tapeline.laptop.programs import LOCAL_AWS, Options
from tapeline.laptop.start import Start, done, print_addresses, report_last_end, warn
from tapeline.laptop.supervisor import LaptopError, NotRunningError, ProcessState, Supervisor
from tapeline.stream.pump import signals_handled

WATCH_SECONDS = 1.0


class _StopRequestedError(BaseException):
    """Ctrl-C, SIGTERM or a closed terminal."""


class Laptop:
    """Everything that `up` runs on this machine, in one state folder."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._supervisor = Supervisor(local.home())

    def up(self, options: Options, *, detach: bool) -> None:
        """Start everything, wait for the first quote, then watch until Ctrl-C, or leave it running if detached.

        Raises
        ------
        LaptopError
            If it cannot start; what was started is stopped again.
        """
        self._console.on_broken_pipe = self._print_no_more  # type: ignore[method-assign]
        local.own_home()
        with self._only_one(), signals_handled(self._request_stop, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._clear_the_way(options)
            try:
                with self._console.status("Starting the local AWS") as line:
                    deployment = Start(self._supervisor, self._console, options, line).run()
                print_addresses(self._console, options, deployment.outputs)
                if not detach:
                    watch(self._supervisor, self._console)
            except _StopRequestedError:
                self._stop_by_request()
            except BaseException:
                self.down()
                raise

    def down(self) -> bool:
        """Stop everything, saving what it holds; return whether anything ran."""
        with self._console.status("Stopping") as line:
            return self._supervisor.stop(lambda names: line.update(f"Stopping {names}"))

    def _print_no_more(self) -> None:
        """Go on in silence: nobody reads it, as after `tapeline up | head`, which is no reason to stop."""
        self._console.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _request_stop(self, number: int, _frame: Any) -> NoReturn:
        if number == signal.SIGHUP:
            self._print_no_more()
        raise _StopRequestedError

    @contextmanager
    def _only_one(self) -> Iterator[None]:
        """Hold the state folder's lock, so that two `up` at once do not both start."""
        if self._supervisor.is_running():
            states = ", ".join(f"{state.name} {state.state.lower()}" for state in self._supervisor.states())
            raise LaptopError(
                f"Tapeline is already running here ({states}). See `tapeline status`; stop it with `tapeline down`."
            )
        self._supervisor.run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._supervisor.run_folder / "up.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                text = "another `tapeline up` is just starting here; wait for it, or stop it first"
                raise LaptopError(text) from None
            yield

    def _clear_the_way(self, options: Options) -> None:
        with self._console.status("Ending what a killed run left behind"):
            orphans = self._supervisor.end_orphans()
        if orphans:
            done(self._console, f"Ended what a killed run had left: {', '.join(orphans)}")
        require_free(local.port(), "--port")
        if options.airflow:
            airflow.require_installed()
            require_free(airflow.port(), "--airflow-port")

    def _stop_by_request(self) -> None:
        self._console.print("Stopping; the local AWS saves its state. Ctrl-C again kills everything at once.")
        try:
            self.down()
        except _StopRequestedError:
            self._supervisor.kill()
            self._console.print("[red]Killed.[/] What the local AWS had not saved in its last minute is lost.")
            return
        self._console.print("Stopped. The data is kept; `tapeline up` goes on with it.")


def watch(supervisor: Supervisor, console: Console) -> None:
    """Say which program died, came back or was given up, until `tapeline down`; a LaptopError if supervisord dies."""
    pids = {state.name: state.pid for state in supervisor.states()}
    for name in pids:
        restart_note(name).unlink(missing_ok=True)
    given_up: set[str] = set()
    console.print("\nCtrl-C stops everything and keeps the data.\n")
    while True:
        time.sleep(WATCH_SECONDS)
        try:
            states = supervisor.states()
        except NotRunningError:
            if supervisor.was_killed():
                text = "supervisord was killed; its programs are ended now. Start again with `tapeline up`"
                raise LaptopError(text) from None
            console.print("Stopped by `tapeline down`. The data is kept; `tapeline up` goes on with it.")
            return
        for state in states:
            if state.running and state.pid != pids.get(state.name):
                if pids.get(state.name):
                    _report_return(console, state)
                pids[state.name] = state.pid
                given_up.discard(state.name)
            if state.state == "FATAL" and state.name not in given_up:
                given_up.add(state.name)
                console.print(
                    f"[red]✗ {state.name} keeps dying and was given up[/]{escape(last_words(state.name))}\n"
                    f"  Fix the cause, then `tapeline restart {state.name}` in another terminal."
                )


def _report_return(console: Console, state: ProcessState) -> None:
    note = restart_note(state.name)
    how = "was restarted" if note.exists() else "had died and runs again"
    note.unlink(missing_ok=True)
    warn(console, f"{state.name} {how} (pid {state.pid})")
    if state.name == LOCAL_AWS:
        report_last_end(console, local.home())
