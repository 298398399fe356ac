"""What `tapeline up` makes of its options before anything starts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from tapeline.aws import local
from tapeline.aws.deployment import StackOutputs
from tapeline.cli.main import app
from tapeline.laptop import up
from tapeline.laptop.parts import log_of, part_of
from tapeline.laptop.programs import Options, programs, signed
from tapeline.laptop.supervisor import LOCK_NAME, LaptopError, NotRunningError, ProcessState, Supervisor
from tapeline.laptop.up import Laptop
from tapeline.operations.light import Part


@pytest.fixture
def options_of_up(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """What the laptop was asked for; it does not start."""
    options_of_all: list[Options] = []
    monkeypatch.setattr(Laptop, "up", lambda self, options, *, detach: options_of_all.append(options))
    return options_of_all


@pytest.mark.parametrize(
    ("options", "every", "words"),
    [
        (
            ["--source", "yahoo-stream", "--every", "5"],
            None,
            "left out: yahoo-stream sends when it gets a quote",
        ),
        (["--source", "yahoo-stream"], None, ""),
        (["--source", "yahoo", "--every", "5"], 5.0, ""),
        (["--source", "simulated", "--every", "0.2"], 0.2, ""),
    ],
)
def test_a_pace_goes_to_the_sources_that_have_one(
    options_of_up: list[Options], options: list[str], every: float | None, words: str
) -> None:
    done = CliRunner().invoke(app, ["up", *options])
    assert done.exit_code == 0, done.output
    assert [options.every for options in options_of_up] == [every]
    assert words in done.output
    producer = next(program for program in programs(options_of_up[0]) if program.name == "producer")
    assert ("--every" in producer.command) == (every is not None)


def test_a_pace_that_yahoos_poller_refuses_is_refused_before_anything_starts(options_of_up: list[Options]) -> None:
    done = CliRunner().invoke(app, ["up", "--source", "yahoo", "--every", "0.5"])
    assert done.exit_code == 2
    assert "expected 1 s or more for yahoo, found 0.5" in " ".join(re.sub(r"[│╭╰─╮╯]", "", done.output).split())
    assert options_of_up == []


def test_the_producer_is_told_the_laptops_own_stack_whatever_the_shell_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPELINE_STACK", "of-my-account")
    outputs = StackOutputs(**dict.fromkeys(StackOutputs.__dataclass_fields__, "x"))
    program = next(program for program in programs(Options()) if program.name == "producer")
    signed_producer = signed(program, local.Credentials("AKIA", "key"), outputs)
    assert (signed_producer.environment["TAPELINE_STACK"], signed_producer.environment["TAPELINE_STREAM"]) == (
        "tapeline",
        "x",
    )


def test_a_functions_log_tells_its_warnings_and_errors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TAPELINE_HOME", str(tmp_path))
    (tmp_path / "logs").mkdir()
    lines = [
        {"level": "INFO", "message": "batch stored", "timestamp": "2026-11-26 02:00:00"},
        {"level": "ERROR", "message": "again", "timestamp": "2026-11-26 02:00:01", "exception": "Traceback\nThrottled"},
        {"_aws": {"Timestamp": 1}},
    ]
    text = "\n".join([*map(json.dumps, lines), "Task timed out after 60.00 seconds"])
    (tmp_path / "logs" / "stock-market-stream-processor.log").write_text(text)
    (tmp_path / "logs" / "producer.log").write_text("one\ntwo\n")
    assert log_of("stock-market-stream-processor") == [
        "2026-11-26 02:00:01 ERROR again (Throttled)",
        "Task timed out after 60.00 seconds",
    ]
    assert log_of("producer") == ["one", "two"]
    assert log_of("no-such-program") == []


def test_a_program_that_is_to_come_is_no_trouble_and_one_that_was_stopped_is(tmp_path: Path) -> None:
    def part(explanation: str) -> Part:
        return part_of(ProcessState("airflow-scheduler", "STOPPED", 0, 0, explanation, tmp_path / "none.log"))

    assert (part("Not started").passing, part("Not started").detail) == (True, "not started yet")
    assert not part("Nov 26 02:00 AM").passing


def test_a_run_that_another_terminal_stops_ends_without_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TAPELINE_HOME", str(tmp_path))
    monkeypatch.setattr(up, "WATCH_SECONDS", 0.0)
    terminal = StringIO()
    supervisor = Supervisor(tmp_path)
    states: Iterator[list[object]] = iter([[]])

    def gone() -> list[object]:
        for answer in states:
            return answer
        raise NotRunningError

    monkeypatch.setattr(supervisor, "states", gone)
    up.watch(supervisor, Console(file=terminal))
    assert "Stopped by `tapeline down`" in terminal.getvalue()

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK_NAME).touch()
    states = iter([[]])
    with pytest.raises(LaptopError, match="was killed"):
        up.watch(supervisor, Console(file=terminal))
