"""The last lines of what the programs of `tapeline up` and the functions print."""

from __future__ import annotations

import json
from pathlib import Path

from tapeline.aws import local
from tapeline.aws.printable import printable
from tapeline.laptop.supervisor import Supervisor

SHOWN_LINES = 8
_TAIL_BYTES = 65_536
_LINE_CHARACTERS = 300


def log_of(name: str) -> list[str]:
    """Return the last lines that a program of `up` or a function printed; of a function its warnings and errors."""
    path = Supervisor(local.home()).log_folder / f"{name}.log"
    lines = _tail_of(path)
    if any(line.startswith('{"level"') for line in lines):
        return _shown([trouble for line in lines if (trouble := _trouble(line))])
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
