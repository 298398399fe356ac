"""What `tapeline up` gives Airflow: secrets of its own, a log-in, and a past session to work on."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tapeline.aws import local
from tapeline.laptop import airflow


def settings(home: Path) -> dict[str, str]:
    return airflow.settings(home, local.Credentials("AKIA", "secret"))


def test_secrets_are_made_once_for_each_installation_and_read_by_nobody_else(tmp_path: Path) -> None:
    first, again, other = settings(tmp_path / "a"), settings(tmp_path / "a"), settings(tmp_path / "b")
    assert first == again
    for name in ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__CORE__FERNET_KEY"):
        assert first[name] != other[name]
    assert len(first["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 64
    for name in ("secrets.json", "passwords.json"):
        assert stat.S_IMODE((tmp_path / "a" / "airflow" / name).stat().st_mode) == 0o600


def test_an_admin_and_a_viewer_log_in_with_passwords_of_their_own(tmp_path: Path) -> None:
    variables = settings(tmp_path)
    passwords = airflow.passwords(tmp_path)
    assert variables["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "admin:admin,viewer:viewer"
    assert json.loads(Path(variables["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).read_text()) == passwords
    assert passwords["admin"] != passwords["viewer"]
    assert variables["AIRFLOW__API__HOST"] == "127.0.0.1"


def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPELINE_AIRFLOW_PORT", "http")
    with pytest.raises(ValueError, match="found 'http'"):
        airflow.port()
