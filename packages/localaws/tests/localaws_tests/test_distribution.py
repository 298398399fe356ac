"""The distribution as another project gets it: its wheel without the product beside it, and the README's example."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

SCRIPT = """
import importlib.util, json, sys, urllib.error, urllib.request
from pathlib import Path
import localaws
from localaws.athena.functions import catalog
from localaws.testing import running
assert localaws.__file__.startswith(sys.argv[1]), localaws.__file__
assert importlib.util.find_spec("tapeline") is None
with running(Path(sys.argv[2])) as aws:
    account = aws.client("sts").get_caller_identity()["Account"]
    try:
        urllib.request.urlopen(aws.endpoint + "/_localaws/mail")
    except urllib.error.HTTPError as error:
        page = error.read().decode()
print(json.dumps([account, "max-width" in page and "<h1>Closed</h1>" in page, len(catalog()["scalar"]) > 50]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    (built,) = folder.glob("localaws-*.whl")
    return built


def test_the_wheel_holds_all_that_it_reads(wheel: Path) -> None:
    held = {name.removeprefix("localaws/") for name in zipfile.ZipFile(wheel).namelist()}
    source = PROJECT / "src" / "localaws"
    needed = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert needed <= held
    assert "py.typed" in needed
    assert [name for name in held if name.endswith("licenses/LICENSE")]


def test_the_wheel_answers_without_the_product(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    # The interpreter itself with two folders: a folder that is only named here has no .pth file read, by which the
    # virtual environment would find the checkout.
    python = getattr(sys, "_base_executable", sys.executable)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    environment = {**kept, "PYTHONPATH": os.pathsep.join([str(site), sysconfig.get_path("purelib")])}
    command = [python, "-c", SCRIPT, str(site), str(tmp_path / "state")]
    answer = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.stdout == '["000000000000", true, true]\n', answer.stderr


def test_the_example_of_the_readme_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
    expected = re.search(r"# (\[.*\])$", example.strip())
    assert expected is not None
    command = [sys.executable, "-c", example]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.stdout == expected[1] + "\n", answer.stderr
