"""What docker-compose.yaml, Dockerfile and .env.example promise; docs/docker.md tells how they were brought up."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tapeline.aws import local
from tapeline.laptop import airflow

FILE = local.PROJECT / "docker-compose.yaml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
ONE_SHOT = {"airflow-init", "set-up"}
AIRFLOW = {"airflow-init", "api-server", "scheduler", "dag-processor", "triggerer", "worker"}
PINNED = re.compile(r"[a-z]+:[\w.-]*\d[\w.-]*@sha256:[0-9a-f]{64}")
SECRET = re.compile(r"PASSWORD$|SECRET|FERNET|_KEY$|TOKEN$|AUTH$|SQL_ALCHEMY_CONN|BROKER_URL|RESULT_BACKEND")

OTHER_ON_A_SERVER = {
    "AIRFLOW_HOME",
    "AIRFLOW_CONN_AWS_DEFAULT",
    "AIRFLOW__CORE__DAGS_FOLDER",
    "AIRFLOW__CORE__PLUGINS_FOLDER",
    "AIRFLOW__CORE__PARALLELISM",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE",
    "AIRFLOW__API__HOST",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE",
    "NO_PROXY",
    "no_proxy",
}
"""Settings that both have, with another value for each machine; all others must be the same."""


@pytest.fixture
def made_env(tmp_path: Path) -> Path:
    """Return a folder in which `make env` has made an .env."""
    for name in ("Makefile", ".env.example"):
        shutil.copy(local.PROJECT / name, tmp_path)
    subprocess.run(["make", "env"], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def with_defaults(value: object) -> str:
    """Return a value of the file as it is when .env says nothing."""
    return re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", str(value))


def docker_compose() -> list[str]:
    for command in (["docker", "compose"], ["docker-compose"]):
        try:
            answer = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=True)
        except (FileNotFoundError, subprocess.CalledProcessError):
            continue
        if not answer.stdout.lstrip("v").startswith("1."):
            return command
    pytest.skip("no Docker Compose 2 on this machine; its checks of docker-compose.yaml are left out")


def compose_config(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COMPOSE_", "TAPELINE_"))}
    return subprocess.run(
        [*docker_compose(), "--project-directory", str(folder), "--file", str(FILE), *options, "config"],
        capture_output=True,
        text=True,
        env=environment,
    )


def test_the_file_is_valid_by_the_compose_specification() -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [checker, "--builtin-schema", "vendor.compose-spec", FILE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_docker_compose_accepts_the_file_with_every_profile(made_env: Path) -> None:
    done = compose_config(made_env, "--profile", "localaws", "--profile", "celery")
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == set(SERVICES)


def test_without_a_profile_there_is_neither_redis_nor_a_local_aws(made_env: Path) -> None:
    done = compose_config(made_env)
    assert done.returncode == 0, done.stderr
    services = set(yaml.safe_load(done.stdout)["services"])
    assert services == (AIRFLOW - {"worker"}) | {"postgres", "producer"}


def test_docker_compose_says_what_to_do_when_there_is_no_env_file(tmp_path: Path) -> None:
    done = compose_config(tmp_path)
    assert done.returncode != 0
    assert "run `make env` to make .env" in done.stderr


def test_make_env_makes_secrets_of_its_own_that_only_their_owner_reads(made_env: Path) -> None:
    path = made_env / ".env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    values = dict(line.split("=", 1) for line in path.read_text().splitlines() if line and not line.startswith("#"))
    secrets = [value for name, value in values.items() if SECRET.search(name)]
    assert len(secrets) == 7
    assert len(set(secrets)) == 7
    assert all(len(secret) >= 44 for secret in secrets)


def test_the_fernet_key_that_make_env_makes_is_one(made_env: Path) -> None:
    from cryptography.fernet import Fernet

    key = re.search(r"^AIRFLOW_FERNET_KEY=(.*)$", (made_env / ".env").read_text(), re.MULTILINE)
    assert key
    assert Fernet(key[1]).decrypt(Fernet(key[1]).encrypt(b"a connection")) == b"a connection"


def test_make_env_leaves_an_env_file_alone_that_is_there(made_env: Path) -> None:
    before = (made_env / ".env").read_text()
    done = subprocess.run(["make", "env"], cwd=made_env, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "belong to the data" in done.stdout
    assert (made_env / ".env").read_text() == before


def test_every_variable_of_the_file_is_taught_by_the_example() -> None:
    variables = set(re.findall(r"\$\{(\w+)", FILE.read_text()))
    taught = set(re.findall(r"^#?(\w+)=", (local.PROJECT / ".env.example").read_text(), re.MULTILINE))
    assert variables - taught <= {"TAPELINE_VERSION", "TAPELINE_WORKER_CONCURRENCY"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_a_health_check_or_ends_by_itself(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    if name in ONE_SHOT:
        assert check == {"disable": True}
        assert SERVICES[name]["restart"] == "no"
    else:
        assert check["test"][0] in ("CMD", "CMD-SHELL")
        assert {"interval", "timeout", "retries", "start_period"} <= set(check)
        assert SERVICES[name]["restart"] == "unless-stopped"
        assert SERVICES[name]["deploy"]["resources"]["limits"]["memory"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] not in ("", "0", "root")
    assert not service["user"].startswith("0:")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & set(service)
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned_or_built_here(name: str) -> None:
    service = SERVICES[name]
    if "build" in service:
        assert service["image"].startswith("tapeline:")
    else:
        assert PINNED.fullmatch(service["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_port_is_published_on_the_loopback_alone(name: str) -> None:
    assert all(str(port).startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_stands_in_the_file(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if SECRET.search(variable):
            assert value is None or re.search(r"\$\{\w+:\?", value), variable
            assert value is None or not re.search(r"(?<!\$)\b[0-9a-f]{16}", value), variable


def test_the_data_network_reaches_nothing_outside_and_only_those_who_need_it_are_in_it() -> None:
    networks = yaml.safe_load(FILE.read_text())["networks"]
    assert networks["data"] == {"internal": True}
    assert {name for name, service in SERVICES.items() if "data" in service.get("networks", [])} == (
        AIRFLOW | {"postgres", "redis"}
    )


def test_airflow_is_set_as_on_the_laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TAPELINE_AIRFLOW_PORT", "TAPELINE_PORT"):
        monkeypatch.delenv(name, raising=False)
    laptop = airflow.settings(tmp_path, local.Credentials("AKIA", "key"))
    server = {name: with_defaults(value) for name, value in SERVICES["scheduler"]["environment"].items()}
    assert set(laptop) <= set(server)
    for name in set(laptop) - OTHER_ON_A_SERVER:
        assert server[name] == laptop[name], name


@pytest.mark.parametrize("name", sorted(AIRFLOW))
def test_every_part_of_airflow_has_the_same_settings(name: str) -> None:
    environment = SERVICES[name]["environment"]
    own = {"TAPELINE_ADMIN_PASSWORD", "TAPELINE_VIEWER_PASSWORD"} if name == "api-server" else set()
    assert {key: value for key, value in environment.items() if key not in own} == SERVICES["scheduler"]["environment"]


def test_producer_and_airflow_mean_the_same_stack() -> None:
    assert SERVICES["producer"]["environment"]["TAPELINE_STACK"] == "${TAPELINE_STACK:-tapeline}"
    assert SERVICES["scheduler"]["environment"]["TAPELINE_STACK"] == "${TAPELINE_STACK:-tapeline}"


@pytest.mark.parametrize("name", ["scheduler", "worker"])
def test_tasks_run_only_once_there_is_somebody_to_report_to(name: str) -> None:
    assert SERVICES[name]["depends_on"]["api-server"] == {"condition": "service_healthy"}


def test_the_image_is_built_on_a_pinned_base_and_is_not_root() -> None:
    text = (local.PROJECT / "Dockerfile").read_text()
    base = re.search(r"^ARG BASE_IMAGE=(.*)$", text, re.MULTILINE)
    assert base
    assert PINNED.fullmatch(base[1])
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${BASE_IMAGE}"}
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE)[-1] == SERVICES["scheduler"]["user"]


def test_the_executors_and_drivers_that_the_file_asks_for_can_be_loaded(tmp_path: Path) -> None:
    code = (
        "import asyncpg, psycopg2, redis; from airflow.executors.executor_loader import ExecutorLoader as Loader; "
        "print([Loader.import_executor_cls(Loader.lookup_executor_name_by_str(name))[0].__name__ "
        "for name in ('LocalExecutor', 'CeleryExecutor')])"
    )
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor,CeleryExecutor",
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip().splitlines()[-1:] == ["['LocalExecutor', 'CeleryExecutor']"], done.stderr[-1500:]


@pytest.mark.parametrize("name", ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CELERY__RESULT_BACKEND"])
def test_a_database_is_reached_by_a_driver_that_the_image_has(name: str) -> None:
    from sqlalchemy import make_url

    url = re.sub(r"\$\{[^}]*\}", "password", SERVICES["scheduler"]["environment"][name]).removeprefix("db+")
    assert make_url(url).get_dialect().import_dbapi().__name__ == "psycopg2"


def test_the_image_takes_neither_secrets_nor_data_nor_history() -> None:
    lines = (local.PROJECT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert rules[-1] == "**/.*"  # .env, .git, .tapeline
    assert not any(rule.startswith("!.") for rule in rules)


def test_the_image_gets_the_versions_that_are_tested() -> None:
    def packages(name: str) -> dict[str, str]:
        text = (local.PROJECT / name).read_text()
        return {block.split("==")[0]: block for block in re.split(r"\n(?=\S)", text.strip())}

    tested, server = packages("requirements.lock"), packages("requirements-server.lock")
    assert {"apache-airflow", "psycopg2-binary", "ministack", "yfinance"} <= set(server)
    assert not {"pytest", "mypy", "ruff", "moto"} & set(server)
    for name, block in server.items():
        version, *hashes = block.split(" \\\n")
        assert version.split(" ;")[0] == tested[name].split(" \\\n")[0].split(" ;")[0]
        assert set(hashes) <= set(tested[name].split(" \\\n"))
        assert hashes
