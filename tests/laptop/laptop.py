"""Everything that `tapeline up` runs, in a state folder and on a port of its own, and the command to talk to it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from localaws.testing import free_port
from tapeline.aws.clients import Clients, connect
from tapeline.aws.deployment import find_deployment
from tapeline.operations import readings

COMMAND = [sys.executable, "-m", "tapeline.cli.main"]


class Laptop:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.environment = {
            **os.environ,
            "TAPELINE_HOME": str(home),
            "TAPELINE_PORT": str(self.port),
            "TAPELINE_AIRFLOW": "false",  # the streaming half alone
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            umask=0o022,  # as most shells have it
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def listen(self, process: subprocess.Popen[str]) -> list[str]:
        """Return a list that fills with what a process prints."""
        lines: list[str] = []

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)

        threading.Thread(target=read, daemon=True).start()
        return lines

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def aws(self) -> Clients:
        return connect("local")

    def pid(self, name: str) -> int:
        return int(json.loads((self.home / "run" / f"{name}.pid").read_text())["pid"])

    def supervisor_pid(self) -> int:
        return int((self.home / "run" / "supervisord.lock").read_text())

    def readable_for_others(self) -> list[str]:
        """Return what in the state folder grants anybody but its owner anything, links aside."""
        return [
            f"{mode & 0o777:o} {path}"
            for path in (self.home, *self.home.rglob("*"))
            if path.exists() and not stat.S_ISLNK(mode := path.lstat().st_mode) and mode & 0o077
        ]

    def lambda_pids(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.pid("delivery")).children()]

    def kill(self, *pids: int) -> datetime:
        """Kill without warning; return when."""
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return datetime.now(UTC)

    def await_quote(self, since: datetime) -> None:
        """Wait until a quote that the producer got after a moment is stored."""

        def is_stored() -> bool:
            with suppress(Exception):  # whatever was killed is on its way up
                return readings.newest_since(find_deployment(self.aws()), since) is not None
            return False

        await_(is_stored, "a quote newer than the kill")

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs to this state folder, by its command line or its environment."""
        processes = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = [*process.cmdline(), process.environ().get("TAPELINE_HOME", "")]
                if process.pid != os.getpid() and any(word.startswith(str(self.home)) for word in words):
                    processes.append(process)
        return processes


def await_(is_so: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.2)
