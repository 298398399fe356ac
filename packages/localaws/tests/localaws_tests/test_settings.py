"""What the environment says, and the key pair that all processes of an installation share."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localaws import settings


def test_without_variables_it_is_the_loopback_and_a_folder_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "PORT", "BIND", "HOST", "ADVERTISED_HOST"):
        monkeypatch.delenv(f"TAPELINE_{name}", raising=False)
    assert settings.home() == tmp_path / ".tapeline"
    assert settings.endpoint() == "http://127.0.0.1:4566"
    assert settings.address("TAPELINE_BIND") == settings.address("TAPELINE_ADVERTISED_HOST") == "127.0.0.1"


@pytest.mark.parametrize("port", ["0", "65536", "x", "-1"])
def test_what_is_no_port_is_refused(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("TAPELINE_PORT", port)
    with pytest.raises(ValueError, match="TAPELINE_PORT must be a port"):
        settings.port()


def test_the_root_s_key_pair_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPELINE_HOME", str(tmp_path / "state"))
    with ThreadPoolExecutor(16) as pool:
        (pair,) = set(pool.map(lambda _: settings.root(), range(64)))
    path = tmp_path / "state" / "credentials.json"
    assert [file.name for file in path.parent.iterdir()] == ["credentials.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {
        "access_key_id": pair.access_key_id,
        "secret_access_key": pair.secret_access_key,
    }
    assert pair.secret_access_key not in repr(pair)


def test_the_state_folder_is_made_its_owner_s_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPELINE_HOME", str(tmp_path / "state"))
    (tmp_path / "state" / "mail").mkdir(parents=True)
    (tmp_path / "state" / "mail" / "letter").touch()
    (tmp_path / "state" / "mail").chmod(0o755)
    (tmp_path / "state" / "mail" / "letter").chmod(0o644)
    (tmp_path / "outside").touch()
    (tmp_path / "outside").chmod(0o644)
    (tmp_path / "state" / "link").symlink_to(tmp_path / "outside")
    before = os.umask(0o022)
    try:
        settings.private_home()
        (tmp_path / "state" / "new").touch()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in (tmp_path / "state").rglob("*")}
    assert {name: mode for name, mode in modes.items() if name != "link"} == {
        "mail": 0o700,
        "letter": 0o600,
        "new": 0o600,
    }
    assert stat.S_IMODE((tmp_path / "outside").stat().st_mode) == 0o644
