"""What the containers do beside running their programs."""

from __future__ import annotations

import configparser
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from localaws import settings
from tapeline.aws import local
from tapeline.aws.clients import connect
from tapeline.laptop import containers
from tapeline.laptop.set_up import aws_config
from tapeline.stream import heartbeat

HEALTH = {
    "metadatabase": {"status": "healthy"},
    "scheduler": {"status": "healthy"},
    "triggerer": {"status": "unhealthy"},
    "dag_processor": {"status": None},
}


class Airflow(ThreadingHTTPServer):
    tasks_path = "/execution/health"


class Answer(BaseHTTPRequestHandler):
    server: Airflow

    def do_GET(self) -> None:
        self.send_response(200 if self.path in ("/api/v2/monitor/health", self.server.tasks_path) else 404)
        self.end_headers()
        self.wfile.write(json.dumps(HEALTH).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Airflow]:
    server = Airflow(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/execution/"
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", url)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("part", "code"), [("scheduler", 0), ("triggerer", 1), ("dag_processor", 1), ("worker", 1)])
def test_a_part_of_airflow_is_healthy_when_airflow_says_so(airflow: Airflow, part: str, code: int) -> None:
    assert containers.main("healthy", part) == code


def test_the_api_server_is_healthy_when_it_answers_people_and_tasks(airflow: Airflow) -> None:
    assert containers.main("healthy", "api_server") == 0
    airflow.tasks_path = "/elsewhere"
    assert containers.main("healthy", "api_server") == 1


def test_airflow_that_does_not_answer_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "http://127.0.0.1:1/execution/")
    assert containers.main("healthy", "scheduler") == 1


def test_passwords_come_from_the_environment_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "airflow" / "passwords.json"
    containers.write_passwords(
        {
            "TAPELINE_ADMIN_PASSWORD": "one",
            "TAPELINE_VIEWER_PASSWORD": "two",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(path),
        }
    )
    assert json.loads(path.read_text()) == {"admin": "one", "viewer": "two"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_missing_password_is_named_instead_of_being_made_up(tmp_path: Path) -> None:
    environment = {"TAPELINE_ADMIN_PASSWORD": "one", "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(tmp_path)}
    with pytest.raises(containers.SetUpError, match="TAPELINE_VIEWER_PASSWORD"):
        containers.write_passwords(environment)


def test_an_aws_configuration_signs_as_the_user_at_the_local_aws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TAPELINE_HOST", "localaws")
    monkeypatch.setenv("TAPELINE_PORT", "4566")
    path = tmp_path / "config"
    path.write_text(aws_config(local.Credentials("AKIAEXAMPLE", "a%secret/key+")))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    session = boto3.Session()
    keys = session.get_credentials()
    assert keys
    assert (keys.access_key, keys.secret_key) == ("AKIAEXAMPLE", "a%secret/key+")
    client = session.client("s3")
    assert client.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"}).startswith(
        "http://localaws:4566/b/k?"
    )


def test_the_functions_put_a_buckets_name_into_the_path() -> None:
    from localaws.lambda_process import PATH_STYLE

    parser = configparser.ConfigParser()
    parser.read(PATH_STYLE)
    assert parser["default"]["s3"].split() == ["addressing_style", "=", "path"]


def test_the_local_aws_listens_on_the_loopback_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAPELINE_BIND", raising=False)
    monkeypatch.delenv("TAPELINE_HOST", raising=False)
    assert settings.address("TAPELINE_BIND") == "127.0.0.1"
    assert local.endpoint().startswith("http://127.0.0.1:")


def test_between_containers_the_local_aws_has_a_name_and_its_buckets_are_in_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPELINE_HOME", str(tmp_path))
    monkeypatch.setenv("TAPELINE_HOST", "localaws")
    monkeypatch.setenv("TAPELINE_PORT", "4566")
    s3 = connect("local").client("s3")
    assert s3.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"}).startswith(
        "http://localaws:4566/b/k?"
    )


def test_a_beat_is_seen_and_a_missing_or_old_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "heartbeat"
    environment = {**os.environ, heartbeat.VARIABLE: str(path)}

    def exit_code() -> int:
        return subprocess.run([sys.executable, "-m", "tapeline.stream.heartbeat", "60"], env=environment).returncode

    assert exit_code() == 1
    path.touch()
    assert exit_code() == 0
    os.utime(path, (0, 0))
    assert exit_code() == 1


def test_without_the_variable_no_beat_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(heartbeat.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    heartbeat.beat()
    assert not list(tmp_path.iterdir())
