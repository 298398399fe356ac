"""The page's scripts: what they compute, run by deno, and their types of the server's answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.desk import answer_types

ROOT = Path(__file__).parents[2]
DENO = Path(sys.executable).with_name("deno")


@pytest.mark.skipif(not DENO.exists(), reason=f"no deno beside {sys.executable}; `make setup` installs it")
def test_what_the_scripts_compute() -> None:
    environment = {"DENO_DIR": str(ROOT / ".deno_cache"), "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
    command = [str(DENO), "test", "--quiet", "--no-remote", "--no-npm", "--no-check", "tests/desk/static"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_types_of_the_answers_are_those_of_the_models() -> None:
    text = answer_types.FILE.read_text(encoding="utf-8")
    assert text == answer_types.text(), "write it again: python -m tests.desk.answer_types"
