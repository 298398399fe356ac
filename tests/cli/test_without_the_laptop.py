"""The command line where the laptop's AWS, supervisord and Airflow are not installed, as with the wheel alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import sys
sys.modules |= dict.fromkeys(["airflow", "localaws", "supervisor"])  # None: they cannot be imported
from tapeline.cli.main import app
app(sys.argv[1:], prog_name="tapeline")
"""


def tapeline(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"TAPELINE_HOME": str(home), "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["deploy", "--help"], "Make the stack or bring it up to date"),
        (["up", "--help"], "Run everything on this machine"),
        (["query", "--dry-run", "top_movers"], "rank_from_top <= movers"),
    ],
)
def test_what_needs_no_laptop_works(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = tapeline(tmp_path, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert words in done.stdout


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["up"], "localaws"),
        (["down"], "localaws"),
        (["status"], "supervisor"),
        (["restart", "producer"], "supervisor"),
        (["airflow", "version"], "Airflow"),
    ],
)
def test_what_needs_one_says_in_a_line_what_to_install(tmp_path: Path, arguments: list[str], name: str) -> None:
    done = tapeline(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {name} is not installed here")
    assert "`make setup`" in done.stderr
    assert done.stderr.count("\n") == 1
