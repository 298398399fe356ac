"""The wheel works outside the checkout: in a bare environment the command finds SQL, template and functions."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tapeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a wheel in an environment of its own, which borrows the dependencies from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = [sys.executable, "-m", "uv"]
    build = ["build", "--quiet", "--wheel", "--offline", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*uv, *build, "--out-dir", str(folder), str(ROOT)], check=True)
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv/bin/python"
    (wheel,) = folder.glob("tapeline-*.whl")
    subprocess.run(
        [*uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(python), str(wheel)], check=True
    )
    # A path in a .pth file is searched, but its own .pth files are not read: the checkout stays out of reach.
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv")}))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "venv/bin/tapeline"


def run(tapeline: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TAPELINE_HOME": str(folder / "home"), "COLUMNS": "120"}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [str(tapeline), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_a_query_is_found_and_shown(tapeline: Path, tmp_path: Path) -> None:
    done = run(tapeline, tmp_path, "query", "--dry-run", "top_movers")
    assert done.returncode == 0, done.stderr
    assert "SELECT" in done.stdout


def test_deploy_explains_itself(tapeline: Path, tmp_path: Path) -> None:
    done = run(tapeline, tmp_path, "deploy", "--help")
    assert done.returncode == 0, done.stderr
    assert "--target" in done.stdout


def test_the_emulator_is_not_needed_and_up_says_what_is(tapeline: Path, tmp_path: Path) -> None:
    done = run(tapeline, tmp_path, "up")
    assert done.returncode == 1
    assert "localaws" in done.stderr


def test_the_functions_zips_are_built_from_the_wheel(tapeline: Path, tmp_path: Path) -> None:
    script = "from pathlib import Path; from tapeline.deploy import lambda_zip; print(lambda_zip.__file__); "
    script += "[print(zip.function) for zip in lambda_zip.build_all(Path('build')).values()]"
    done = subprocess.run(
        [str(tapeline.with_name("python")), "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith(str(tapeline.parents[1]))
    assert done.stdout.splitlines()[1:] == ["stream_processor", "trend_alerts", "feed_watch"]


def test_template_and_types_are_in_it(tapeline: Path) -> None:
    package = next((tapeline.parents[1] / "lib").glob("python*/site-packages/tapeline"))
    assert (package / "infra/template.yaml").read_text() == (ROOT / "infra/template.yaml").read_text()
    assert (package / "py.typed").exists()
