"""The recipes of CONTRIBUTING.md, followed to the letter in a copy of the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECIPES = dict(re.findall(r"^## (Add .+?)\n(.*?)(?=^## |\Z)", (ROOT / "CONTRIBUTING.md").read_text(), re.M | re.S))
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "images")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the checkout that borrows this one's environment."""
    copy = tmp_path / "tapeline"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    for name in ("requirements.lock", "pyproject.toml", "packages/localaws/pyproject.toml"):
        os.utime(copy / name, (0, 0))  # a newer one would have make install the copy into this checkout's environment
    return copy


def test_there_are_four() -> None:
    assert len(RECIPES) == 4


@pytest.mark.skipif(not (ROOT / ".venv/.ready").exists(), reason="a recipe runs make, and make set up no .venv here")
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_works_as_it_stands(recipe: str, checkout: Path) -> None:
    for kind, place, text in re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```$", RECIPES[recipe], re.M | re.S):
        path = checkout / place
        if kind == "console":
            for command in re.findall(r"^\$ (.+)$", text, re.M):
                run(command, checkout)
        elif kind == "diff":
            path.write_text(changed(path.read_text(), text))
        else:
            assert not path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def changed(text: str, diff: str) -> str:
    """Apply a diff whose hunks are told apart by lines of ``@@`` and found by their unmarked lines."""
    for hunk in diff.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        before, after = ("".join(line[1:] for line in lines if line[0] in marks) for marks in (" -", " +"))
        assert text.count(before) == 1, f"expected once:\n{before}"
        text = text.replace(before, after)
    return text


def run(command: str, checkout: Path) -> None:
    paths = (checkout / "src", checkout / "packages/localaws/src", checkout)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "WORKERS": "0", "COLUMNS": "120"}
    environment.pop("PYTEST_ADDOPTS", None)
    for name in [name for name in environment if name.startswith(("AIRFLOW", "PYTEST_XDIST"))]:
        del environment[name]  # the tests of the copy have a home of their own
    done = subprocess.run(
        ["bash", "-c", command], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
