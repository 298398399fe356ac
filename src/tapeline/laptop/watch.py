"""What `tapeline up` does in the foreground: say which program died, was restarted or was given up."""

from __future__ import annotations

import time

from rich.console import Console
from rich.markup import escape

from tapeline.aws import local
from tapeline.laptop.errors import LaptopError, NotRunningError
from tapeline.laptop.parts import last_words, restart_note
from tapeline.laptop.programs import LOCAL_AWS
from tapeline.laptop.start import tell_last_end, warn
from tapeline.laptop.supervisor import ProcessState, Supervisor

WATCH_SECONDS = 1.0


def watch(supervisor: Supervisor, console: Console) -> None:
    """Watch the programs until `tapeline down` stops them.

    Raises
    ------
    LaptopError
        If supervisord was killed.
    """
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
                raise LaptopError(
                    "supervisord was killed; its programs are ended now. Start again with `tapeline up`"
                ) from None
            console.print("Stopped by `tapeline down`. The data is kept; `tapeline up` goes on with it.")
            return
        for state in states:
            if state.running and state.pid != pids.get(state.name):
                if pids.get(state.name):
                    _tell_return(console, state)
                pids[state.name] = state.pid
                given_up.discard(state.name)
            if state.state == "FATAL" and state.name not in given_up:
                given_up.add(state.name)
                console.print(
                    f"[red]✗ {state.name} keeps dying and was given up[/]{escape(last_words(state.name))}\n"
                    f"  Fix the cause, then `tapeline restart {state.name}` in another terminal."
                )


def _tell_return(console: Console, state: ProcessState) -> None:
    note = restart_note(state.name)
    how = "was restarted" if note.exists() else "had died and runs again"
    note.unlink(missing_ok=True)
    warn(console, f"{state.name} {how} (pid {state.pid})")
    if state.name == LOCAL_AWS:
        tell_last_end(console, local.home())
