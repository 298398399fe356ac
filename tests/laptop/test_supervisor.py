from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tapeline.laptop import supervisor as module
from tapeline.laptop.supervisor import NotRunningError, Program, Supervisor

from .laptop import await_

SLEEPER = "import time; print('awake', flush=True); time.sleep(1000)"


def make_program(name: str, code: str, **environment: str) -> Program:
    return Program(name, [sys.executable, "-c", code], environment, stop_seconds=5)


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(module, "START_SECONDS", 1)
    monkeypatch.setattr(module, "START_ATTEMPTS", 1)
    made = Supervisor(tmp_path / "a folder; with 100% odd words")
    yield made
    made.end_orphans()
    made.kill()


def test_a_program_gets_its_words_and_variables_as_they_are(supervisor: Supervisor) -> None:
    code = "import os, sys, time; print(os.environ['ODD'], sys.argv[1:], flush=True); time.sleep(1000)"
    odd = "a\"b'c %(ENV_HOME)s; d,e=f"
    program = Program("odd", [sys.executable, "-c", code, odd], {"ODD": odd}, stop_seconds=5)

    supervisor.start([program], os.environ)
    supervisor.start_program("odd")

    log = supervisor.log_folder / "odd.log"
    await_(lambda: log.exists() and log.read_text() == f"{odd} {[odd]}\n", "the program's output")


def test_a_program_that_keeps_dying_is_given_up(supervisor: Supervisor) -> None:
    supervisor.start([make_program("frail", "print('no such table'); raise SystemExit(3)")], os.environ)
    supervisor.start_program("frail")

    await_(lambda: supervisor.state("frail").state == "FATAL", "the end of the attempts")
    assert not supervisor.state("frail").running
    assert "no such table" in supervisor.state("frail").log.read_text()


def test_what_a_program_writes_is_its_owner_s_alone(supervisor: Supervisor, tmp_path: Path) -> None:
    written = tmp_path / "written"
    before = os.umask(0o022)
    try:
        code = f"import time; open({str(written)!r}, 'w').close(); print('done', flush=True); time.sleep(1000)"
        supervisor.start([make_program("writer", code)], os.environ)
        supervisor.start_program("writer")
    finally:
        os.umask(before)
    log = supervisor.log_folder / "writer.log"
    await_(lambda: log.exists() and log.read_text() == "done\n", "its file")

    assert [path.stat().st_mode & 0o077 for path in (written, log, supervisor.socket)] == [0, 0, 0]


def test_a_killed_program_comes_back(supervisor: Supervisor) -> None:
    supervisor.start([make_program("sleeper", SLEEPER)], os.environ)
    supervisor.start_program("sleeper")
    await_(lambda: supervisor.state("sleeper").running, "the first start")
    before = supervisor.state("sleeper").pid

    os.kill(before, signal.SIGKILL)

    await_(lambda: supervisor.state("sleeper").running and supervisor.state("sleeper").pid != before, "the second")


def test_programs_are_stopped_in_reverse_order_and_their_children_too(supervisor: Supervisor) -> None:
    parent = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'], start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(1000)"
    )
    first = Program("first", [sys.executable, "-c", SLEEPER], priority=1, stop_seconds=5)
    second = Program("second", [sys.executable, "-c", parent], priority=2, stop_seconds=5)
    supervisor.start([first, second], os.environ)
    for name in ("first", "second"):
        supervisor.start_program(name)
    log = supervisor.log_folder / "second.log"
    await_(lambda: log.exists() and log.read_text().endswith("\n"), "the child")
    stopped: list[str] = []

    assert supervisor.stop(stopped.append)

    assert stopped == ["second", "first"]
    assert not supervisor.is_running()
    assert not psutil.pid_exists(int(log.read_text()))
    with pytest.raises(NotRunningError):
        supervisor.states()


def test_programs_of_one_priority_are_stopped_together(supervisor: Supervisor, tmp_path: Path) -> None:
    code = (  # at SIGTERM each of the two waits for the other's
        "import pathlib, signal, sys, time\n"
        f"mine, other = (pathlib.Path({str(tmp_path)!r}, name) for name in sys.argv[1:])\n"
        "def stop(*_):\n"
        "    mine.touch()\n"
        "    while not other.exists(): time.sleep(0.05)\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print('ready', flush=True)\n"
        "time.sleep(1000)"
    )
    pairs = {"left": "right", "right": "left"}
    programs = [Program(name, [sys.executable, "-c", code, name, pairs[name]], stop_seconds=60) for name in pairs]
    supervisor.start(programs, os.environ)
    for name in pairs:
        supervisor.start_program(name)
    logs = [supervisor.log_folder / f"{name}.log" for name in pairs]
    await_(lambda: all(log.exists() and log.read_text() == "ready\n" for log in logs), "both programs")
    stopped: list[str] = []

    began = time.monotonic()
    supervisor.stop(stopped.append)

    assert stopped == ["right, left"]
    assert time.monotonic() - began < 60


def test_an_orphan_is_known_by_its_start_and_command_not_by_its_number_alone(supervisor: Supervisor) -> None:
    supervisor.start([make_program("sleeper", SLEEPER)], os.environ)
    supervisor.start_program("sleeper")
    await_(lambda: supervisor.state("sleeper").running, "the start")
    pid = supervisor.state("sleeper").pid
    assert supervisor.orphans() == {}

    daemon = psutil.Process(supervisor.pid())
    daemon.kill()
    psutil.wait_procs([daemon], timeout=5)

    assert {name: orphan.pid for name, orphan in supervisor.orphans().items()} == {"sleeper": pid}
    note = supervisor.run_folder / "sleeper.pid"
    original = note.read_text()
    note.write_text(original.replace('"started": ', '"started": 1'))
    assert supervisor.orphans() == {}
    note.write_text(original)
    assert supervisor.end_orphans() == ["sleeper"]
    await_(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, "its end")


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    long = Supervisor(tmp_path / ("deep" * 40))

    assert len(os.fsencode(long.socket)) < 104
    assert long.socket == Supervisor(tmp_path / ("deep" * 40)).socket
