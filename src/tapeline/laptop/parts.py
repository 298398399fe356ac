"""The programs of `tapeline up`: how they are, what they printed last, and how one is restarted."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import psutil

from tapeline.aws import local
from tapeline.aws.printable import printable
from tapeline.laptop.supervisor import LaptopError, NotRunningError, ProcessState, Supervisor
from tapeline.market.durations import words
from tapeline.operations.light import Part

NOT_STARTED = "Not started"
"""What supervisord says of a program that nobody has started yet."""

RESTART_SECONDS = 90.0
SHOWN_LINES = 8
_TAIL_BYTES = 65_536
_LINE_CHARACTERS = 300


def parts() -> list[Part]:
    """Return each program of `up` as `status` shows it; all of them down if nothing runs, none in a container."""
    if os.environ.get("TAPELINE_IN_CONTAINER"):
        return []  # each is a service of its own there, which `docker compose ps` shows
    supervisor = Supervisor(local.home())
    try:
        return [part_of(state) for state in supervisor.states()]
    except NotRunningError:
        orphans = supervisor.orphans()
        detail = f"killed, and left {', '.join(orphans)} running unwatched" if orphans else "not running"
        next_step = "Start everything with `make run` (`tapeline up`)."
        return [Part("tapeline", up=False, detail=detail, next_step=next_step)]


def part_of(state: ProcessState) -> Part:
    """Return a program of `up` as `status` shows it, with what to do if it is not up."""
    if state.running and _is_paused(state.pid):
        next_step = f"Let it go on, `kill -CONT {state.pid}`, or restart it: `tapeline restart {state.name}`."
        return Part(state.name, up=False, detail=f"stopped by a signal, pid {state.pid}", next_step=next_step)
    if state.running:
        return Part(state.name, up=True, detail=f"running for {words(state.seconds)}, pid {state.pid}")
    is_to_come = state.state == "STOPPED" and state.explanation == NOT_STARTED
    is_given_up = state.state in ("FATAL", "EXITED", "STOPPED") and not is_to_come
    why = f": {state.explanation}" if state.explanation else ""
    detail = "not started yet" if is_to_come else f"{state.state.lower()}{why}"
    next_step = "It is being started; look again in half a minute."
    if is_given_up:
        next_step = f"Read {state.log}, fix the cause, then `tapeline restart {state.name}`."
    log = tuple(last_lines(state.log))
    return Part(state.name, up=False, detail=detail, next_step=next_step, log=log, passing=not is_given_up)


def restart(name: str) -> ProcessState:
    """Stop one program of `up` and start it again; return how it is then.

    Raises
    ------
    LaptopError
        If there is no such program, or it does not come up.
    """
    supervisor = Supervisor(local.home())
    names = [state.name for state in supervisor.states()]
    if name not in names:
        raise LaptopError(f"expected one of {', '.join(names)}, found {name!r}")
    supervisor.restart_program(name)
    restart_note(name).touch(mode=0o600)
    deadline = time.monotonic() + RESTART_SECONDS
    while (state := supervisor.state(name)).state in ("STARTING", "BACKOFF") and time.monotonic() < deadline:
        time.sleep(0.2)
    if not state.running:
        raise LaptopError(f"{name} does not come up: {state.state.lower()} {state.explanation}{last_words(name)}")
    return state


def restart_note(name: str) -> Path:
    """Return the file that says to the `up` in the foreground that a program did not die but was restarted."""
    return local.home() / "run" / f"{name}.restarted"


def _is_paused(pid: int) -> bool:
    """Return whether a process is stopped by SIGSTOP or a debugger: to its supervisor it runs."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False


def log_of(name: str) -> list[str]:
    """Return the last lines that a program of `up` or a function printed; of a function its warnings and errors."""
    lines = _tail_of(Supervisor(local.home()).log_folder / f"{name}.log")
    if any(line.startswith('{"level"') for line in lines):
        lines = [trouble for line in lines if (trouble := _trouble(line))]
    return _shown(lines)


def last_lines(path: Path) -> list[str]:
    """Return the last lines of a log, long ones cut."""
    return _shown(_tail_of(path))


def last_words(name: str) -> str:
    """Return the last lines of a program's log as a message goes on with them."""
    lines = last_lines(Supervisor(local.home()).log_folder / f"{name}.log")
    return "".join(f"\n    {line}" for line in lines) if lines else " (its log is empty)"


def _shown(lines: list[str]) -> list[str]:
    return [printable(line[:_LINE_CHARACTERS]) for line in lines[-SHOWN_LINES:]]


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


def _tail_of(path: Path) -> list[str]:
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [line for line in lines if line.strip()]
