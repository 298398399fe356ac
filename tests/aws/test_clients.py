import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tapeline.aws import local
from tapeline.aws.clients import connect


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TAPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TAPELINE_TARGET", raising=False)
    monkeypatch.delenv("TAPELINE_PORT", raising=False)
    return tmp_path / "home"


def test_the_key_pair_is_made_once_and_only_its_owner_can_read_it(home: Path) -> None:
    first = local.credentials()
    assert local.credentials() == first
    assert stat.S_IMODE((home / "credentials.json").stat().st_mode) == 0o600
    assert first.secret_access_key not in repr(first)
    assert [path.name for path in home.iterdir()] == ["credentials.json"]


def test_processes_that_make_the_key_pair_together_agree_on_one(home: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        pairs = set(pool.map(lambda _: local.credentials(), range(64)))
    assert len(pairs) == 1
    assert json.loads((home / "credentials.json").read_text())["access_key_id"] == pairs.pop().access_key_id


def test_a_local_session_calls_only_this_machine_and_ignores_proxies(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPELINE_PORT", "4999")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    kinesis: Any = connect("local").client("kinesis")
    assert kinesis.meta.endpoint_url == "http://127.0.0.1:4999"
    assert kinesis.meta.config.proxies == {}


def test_the_target_comes_from_the_argument_then_the_environment_then_is_local(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert connect().target == "local"
    monkeypatch.setenv("TAPELINE_TARGET", "aws")
    assert connect().target == "aws"
    assert connect("local").target == "local"
    with pytest.raises(ValueError, match="one of local, aws, found 'azure'"):
        connect("azure")


def test_a_port_that_is_no_port_is_named_in_the_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPELINE_PORT", "http")
    with pytest.raises(ValueError, match="TAPELINE_PORT must be a port from 1 to 65535, found 'http'"):
        local.endpoint()


def test_a_client_is_made_once_per_session(home: Path) -> None:
    here = connect("local")
    assert here.client("s3") is here.client("s3")
