"""The product and the emulator read the same environment, each in a module of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from localaws import settings
from tapeline.aws import local


def places() -> list[list[object]]:
    product, emulator = local.credentials(), settings.root()
    return [
        [local.home(), local.port(), local.endpoint(), product.access_key_id, product.secret_access_key],
        [settings.home(), settings.port(), settings.endpoint(), emulator.access_key_id, emulator.secret_access_key],
    ]


@pytest.mark.parametrize(
    "variables", [{}, {"PORT": "4999", "BIND": "192.0.2.1", "HOST": "localaws", "ADVERTISED_HOST": "aws.example"}]
)
def test_both_find_the_same_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name in ("PORT", "BIND", "HOST", "ADVERTISED_HOST"):
        monkeypatch.delenv(f"TAPELINE_{name}", raising=False)
    monkeypatch.setenv("TAPELINE_HOME", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(f"TAPELINE_{name}", value)
    product, emulator = places()
    assert product == emulator
    assert local.REGION == settings.REGION


def test_in_the_checkout_both_take_its_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAPELINE_HOME", raising=False)
    monkeypatch.chdir(local.PROJECT)
    assert local.home() == settings.home()
