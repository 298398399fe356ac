"""What the package reads is found in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapeline.aws import local


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package as a wheel puts it into an environment."""
    package = tmp_path / "lib" / "python3.11" / "site-packages" / "tapeline"
    (package / "include" / "sql").mkdir(parents=True)
    monkeypatch.setattr(local, "__file__", str(package / "aws" / "local.py"))
    monkeypatch.setattr(local, "PROJECT", package.parents[2])
    return package


def test_in_a_checkout_files_and_state_lie_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAPELINE_HOME", raising=False)
    checkout = Path(__file__).parents[2]
    assert local.files("infra/template.yaml") == checkout / "infra" / "template.yaml"
    assert local.home() == checkout / ".tapeline"


def test_in_a_wheel_files_lie_in_the_package_and_state_with_its_user(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAPELINE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local.files("include/sql") == installed / "include" / "sql"
    assert local.home() == tmp_path / ".tapeline"
