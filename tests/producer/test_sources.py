"""The registry of live sources: one line there, and every command line knows a source."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from producer.__main__ import app as producer
from producer.sources import SOURCES, LiveSource
from tapeline.cli.main import app as tapeline
from tapeline.laptop.programs import PRODUCER, Options, programs
from tapeline.laptop.up import Laptop

VENDOR = '''
"""A vendor's quotes."""
from typing import Annotated

import typer

from producer.options import SymbolsOption, symbols_of
from tapeline.stream.announcement import Announcement
from tests.producer.builders import FixedSource, quote


def open_vendor(
    symbols: SymbolsOption = "AAPL", every: Annotated[float, typer.Option(help="Seconds between.", min=2.0)] = 5.0
):
    """Ask the vendor."""
    wanted = symbols_of(symbols)
    print("opened", *wanted, every)
    return FixedSource([quote(symbol, 1) for symbol in wanted]), Announcement("vendor", wanted, every)
'''


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_has_a_command_with_its_own_options_and_those_of_the_stream(name: str) -> None:
    shown = CliRunner().invoke(producer, [name, "--help"], env={"COLUMNS": "200", "TERM": "dumb"}, color=False)
    assert shown.exit_code == 0
    assert all(option in shown.output for option in ("--symbols", "--stream", "--target", "--stack"))
    assert ("--every" in shown.output) == (SOURCES[name].least_seconds() is not None)


def test_a_new_source_is_a_folder_and_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe of CONTRIBUTING.md: `python -m producer` and `tapeline up` know it, its options and its least pace."""
    (tmp_path / "vendor_of_quotes").mkdir()
    (tmp_path / "vendor_of_quotes" / "__init__.py").write_text(VENDOR)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(SOURCES, "vendor", LiveSource("the vendor's quotes", "vendor_of_quotes:open_vendor"))

    asked: list[Options] = []
    monkeypatch.setattr(Laptop, "up", lambda self, options, *, detach: asked.append(options))
    too_fast = CliRunner().invoke(tapeline, ["up", "--source", "vendor", "--every", "1"])
    assert (too_fast.exit_code, asked) == (2, [])
    assert CliRunner().invoke(tapeline, ["up", "--source", "vendor", "--every", "3"]).exit_code == 0
    command = next(program.command for program in programs(asked[0]) if program.name == PRODUCER)
    assert command[1:] == ["-m", "producer", "vendor", "--every", "3"]

    line = 'SOURCES["vendor"] = LiveSource("a vendor", "vendor_of_quotes:open_vendor")'
    program = f"from producer.sources import SOURCES, LiveSource; {line}; from producer.__main__ import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run(
        [sys.executable, "-c", program, *command[3:], "--target", "moon"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "opened AAPL 3.0\n"
    assert (done.returncode, "target must be one of" in done.stderr) == (2, True), done.stderr
