"""The processes of `tapeline up`: which there are, their supervisord, and what to do when it was killed itself."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from http.client import HTTPException
from itertools import groupby
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil

from tapeline.aws.local import OTHERS, write_private

LONGEST_SOCKET_PATH = 100
"""Bytes; a Unix socket's path must stay below 104 on macOS and 108 on Linux."""

START_SECONDS = 2
"""How long a program must live to count as started; one that dies sooner is tried again with growing pauses."""

START_ATTEMPTS = 6
"""After so many failed starts (about 20 s) supervisord gives a program up: it is FATAL."""


LOCK_NAME = "supervisord.lock"
"""Supervisord's own file while it lives; it takes it away when it ends in order."""


class LaptopError(RuntimeError):
    """Something keeps the laptop's programs from running; the message says what to do."""


class NotRunningError(LaptopError):
    """No supervisord answers in this state folder."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program of `tapeline up`; those of one priority are stopped together."""

    name: str  # as `status` shows it; names its log too
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)  # of its own, beside that of `up`
    priority: int = 500  # the lower, the earlier it is started and the later it is stopped
    stop_seconds: int = 30  # how long it may take to end after SIGTERM before it is killed


@dataclass(frozen=True, slots=True)
class ProcessState:
    """A program as supervisord sees it."""

    name: str
    state: str  # RUNNING, STARTING, BACKOFF, FATAL, EXITED, STOPPING or STOPPED
    pid: int  # 0 if it does not run
    seconds: int  # how long it has been running, or down
    explanation: str  # why it is not running, in supervisord's words
    log: Path

    @property
    def running(self) -> bool:
        """Whether it is up; one that is just being started again is not."""
        return self.state == "RUNNING"


class Supervisor:
    """The supervisord of one state folder: `run/` has its configuration, socket and notes of processes."""

    def __init__(self, home: Path) -> None:
        self.run_folder = home / "run"
        self.log_folder = home / "logs"
        self.socket = self.run_folder / "supervisor.sock"
        if len(os.fsencode(self.socket)) > LONGEST_SOCKET_PATH:
            short = Path(tempfile.gettempdir()) / f"tapeline-{os.getuid()}"
            self.socket = short / f"{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}.sock"

    def start(self, programs: Sequence[Program], environment: Mapping[str, str]) -> None:
        """Start supervisord, but none of its programs yet; a NotRunningError if it does not come up."""
        self.run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log_folder.mkdir(mode=0o700, exist_ok=True)
        self.socket.parent.mkdir(mode=0o700, exist_ok=True)
        if self.socket.parent.lstat().st_uid != os.getuid():
            raise NotRunningError(f"{self.socket.parent} is somebody else's; set TMPDIR to a folder of your own")
        for program in programs:
            self.describe(program)
        configuration = self.run_folder / "supervisord.conf"
        configuration.write_text(self._configuration(programs))
        output = self.log_folder / "supervisord.out"
        with output.open("ab") as log:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--configuration", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.run_folder.parent,
                env=dict(environment),
                umask=OTHERS,  # supervisord sets its own only where it goes into the background
                start_new_session=True,  # the terminal's Ctrl-C is for `up`, which then stops things in order
            )
        deadline = time.monotonic() + 30
        while not self.is_running():
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise NotRunningError(f"supervisord did not start; what it printed is in {output}")
            time.sleep(0.05)

    def describe(self, program: Program) -> None:
        """Write what a program runs, for its next start."""
        write_private(self.run_folder / f"{program.name}.json", asdict(program))

    def was_killed(self) -> bool:
        """Return whether a supervisord that does not answer any more left without cleaning up."""
        return (self.run_folder / LOCK_NAME).exists()

    def is_running(self) -> bool:
        """Return whether supervisord answers."""
        try:
            with suppress(Fault):  # it is shutting down
                self._call("getState")
        except NotRunningError:
            return False
        return True

    def pid(self) -> int:
        """Return supervisord's process id."""
        return int(self._call("getPID"))

    def start_program(self, name: str) -> None:
        """Start a program unless it is running or being started; return before it is up."""
        with suppress(Fault):  # ALREADY_STARTED
            self._call("startProcess", name, False)

    def restart_program(self, name: str) -> None:
        """Stop a program, killing it if it does not end in time, and start it again."""
        if pid := self.state(name).pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)  # one that was stopped by a signal hears no other
        with suppress(Fault):  # NOT_RUNNING
            self._call("stopProcess", name)
        self._call("startProcess", name, False)

    def states(self) -> list[ProcessState]:
        """Return each program's state, in the order of their starts; a NotRunningError without supervisord."""
        states = [
            ProcessState(
                name=info["name"],
                state=info["statename"],
                pid=info["pid"],
                seconds=info["now"] - (info["start"] if info["pid"] else info["stop"] or info["start"] or info["now"]),
                explanation=info["spawnerr"] or ("" if info["pid"] else info["description"]),
                log=self.log_folder / f"{info['name']}.log",
            )
            for info in self._call("getAllProcessInfo")
        ]
        return sorted(states, key=lambda state: (self._priority(state.name), state.name))

    def state(self, name: str) -> ProcessState:
        """Return one program's state."""
        return next(state for state in self.states() if state.name == name)

    def stop(self, progress: Callable[[str], None]) -> bool:
        """Stop all programs in reverse order, then supervisord and what is left; return whether anything ran.

        `progress` is called with the names of the programs that are being stopped, with commas between.
        """
        orphans = self.end_orphans()
        try:
            daemon = psutil.Process(self.pid())
            family = daemon.children(recursive=True)
            for _, stage in groupby(reversed(self.states()), key=lambda state: self._priority(state.name)):
                names = [state.name for state in stage]
                progress(", ".join(names))
                self._stop_together(names)
            self._call("shutdown")
        except NotRunningError:
            return bool(orphans)
        except (Fault, psutil.NoSuchProcess):  # it is shutting down
            return True
        while daemon.is_running() and daemon.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.05)
        _end(family, seconds=2)
        return True

    def _stop_together(self, names: Sequence[str]) -> None:
        for name in names:
            with suppress(Fault):  # NOT_RUNNING
                self._call("stopProcess", name, False)
        while any(state.pid for state in self.states() if state.name in names):
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill everything at once, without saving anything."""
        with suppress(NotRunningError, psutil.NoSuchProcess):
            daemon = psutil.Process(self.pid())
            _end([daemon, *daemon.children(recursive=True)], seconds=0)

    def orphans(self) -> dict[str, psutil.Process]:
        """Return the processes that a killed supervisord left running, by name, as their notes tell.

        A process counts only if its id, its start and its command are those of the note: ids are used again.
        """
        if self.is_running():
            return {}
        orphans = {}
        for path in self.run_folder.glob("*.pid"):
            with suppress(psutil.Error, ValueError, KeyError, TypeError):
                note = json.loads(path.read_text())
                process, command = psutil.Process(note["pid"]), note["command"]
                now = process.cmdline()  # Airflow's programs call themselves `airflow …`
                is_same = now[1:] == command[1:] or ("airflow" in command and "airflow" in " ".join(now))
                if is_same and abs(process.create_time() - note["started"]) < 2:
                    orphans[path.stem] = process
        return orphans

    def end_orphans(self) -> list[str]:
        """End the orphans, the last started first, each of which may save what it holds; return their names."""
        orphans = self.orphans()
        for name, process in sorted(orphans.items(), key=lambda pair: -self._priority(pair[0])):
            with suppress(psutil.NoSuchProcess):
                family = process.children(recursive=True)
                process.terminate()
                _, alive = psutil.wait_procs([process], timeout=self._description(name).get("stop_seconds", 10))
                _end([*alive, *family], seconds=1)
        return list(orphans)

    def _priority(self, name: str) -> int:
        return int(self._description(name).get("priority", 999))

    def _description(self, name: str) -> dict[str, Any]:
        try:
            document: dict[str, Any] = json.loads((self.run_folder / f"{name}.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return document

    def _call(self, method: str, *arguments: object) -> Any:
        from supervisor.xmlrpc import SupervisorTransport  # optional: a machine that only reaches an account lacks it

        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        proxy: Any = ServerProxy("http://127.0.0.1", transport=transport)
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        except (OSError, HTTPException) as error:
            raise NotRunningError(f"nothing is running in {self.run_folder.parent}: {error}") from error
        finally:
            transport.close()

    def _configuration(self, programs: Iterable[Program]) -> str:
        # Paths are relative to the state folder: supervisord trips over a per cent sign in a log's path.
        sections: dict[str, dict[str, object]] = {
            "unix_http_server": {"file": self.socket, "chmod": "0700"},
            "rpcinterface:supervisor": {
                "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
            },
            "supervisord": {
                "logfile": "logs/supervisord.log",
                "logfile_maxbytes": "5MB",
                "logfile_backups": 1,
                "pidfile": f"run/{LOCK_NAME}",
            },
        }
        for program in programs:
            sections[f"program:{program.name}"] = {
                "command": shlex.join([sys.executable, "-m", "tapeline.laptop.launch", "run", program.name]),
                "priority": program.priority,
                "autostart": "false",
                "autorestart": "true",
                "startsecs": START_SECONDS,
                "startretries": START_ATTEMPTS,
                "stopwaitsecs": program.stop_seconds,
                "killasgroup": "true",
                "umask": f"{OTHERS:03o}",
                "redirect_stderr": "true",
                "stdout_logfile": f"logs/{program.name}.log",
                "stdout_logfile_maxbytes": "10MB",
                "stdout_logfile_backups": 3,
            }
        return "\n\n".join(
            "\n".join([f"[{name}]", *(f"{key} = {_escape(value)}" for key, value in settings.items())])
            for name, settings in sections.items()
        )


def _escape(value: object) -> str:
    """Keep supervisord from reading a per cent sign as an expression, or what follows ` ;` as a comment."""
    return str(value).replace("%", "%%").replace(" ;", " \\;")


def _end(processes: Sequence[psutil.Process], seconds: float) -> None:
    """Wait until processes have gone, then kill what is left of them."""
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
