"""Airflow on this machine: its settings, its secrets, its log-in and the four programs it consists of.

Its folder is `airflow/` in the state folder: database, logs of tasks, and `secrets.json` (mode 0600), made at the first
start. It is bound to the loopback interface and asks for a log-in; `admin` may do everything, `viewer` look.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from tapeline.aws import local
from tapeline.aws.deployment import StackOutputs
from tapeline.laptop.supervisor import Program

DEFAULT_PORT = 8080
USERS = ("admin", "viewer")
"""User names, which are their roles too."""

SCHEDULER = "airflow-scheduler"
_API_SERVER = "airflow-api-server"
_COMPONENTS = {
    _API_SERVER: ["api-server"],
    "airflow-dag-processor": ["dag-processor"],
    "airflow-triggerer": ["triggerer", "--skip-serve-logs"],
    SCHEDULER: ["scheduler", "--skip-serve-logs"],
}
_DATABASE_SECONDS = 180


class AirflowError(RuntimeError):
    """Airflow's database cannot be made ready, or there is none yet."""


def port() -> int:
    """Return the port of the UI, 8080 or what TAPELINE_AIRFLOW_PORT says.

    Raises
    ------
    ValueError
        If TAPELINE_AIRFLOW_PORT is no port number.
    """
    text = os.environ.get("TAPELINE_AIRFLOW_PORT") or str(DEFAULT_PORT)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ValueError(f"TAPELINE_AIRFLOW_PORT must be a port from 1 to 65535, found {text!r}")
    return int(text)


def address() -> str:
    """Return where a person opens the UI."""
    return f"http://127.0.0.1:{port()}"


def programs() -> list[Program]:
    """Return Airflow's programs, still without their settings, started after everything they may need."""
    return [
        # It waits for running tasks, but not for ever: what is cut off is run again at the next start.
        Program(name, [sys.executable, "-m", "airflow", *arguments], priority=400 + number, stop_seconds=20)
        for number, (name, arguments) in enumerate(_COMPONENTS.items())
    ]


def with_settings(program: Program, environment: Mapping[str, str]) -> Program:
    """Return one of the programs with Airflow's settings."""
    return Program(program.name, program.command, environment, program.priority, program.stop_seconds)


def passwords(home: Path) -> dict[str, str]:
    """Return each user's password."""
    found: dict[str, str] = _secrets(home)["passwords"]  # type: ignore[assignment]
    return found


def settings(home: Path, signer: local.Credentials, outputs: StackOutputs) -> dict[str, str]:
    """Return the environment of Airflow's programs.

    Parameters
    ----------
    home : Path
        The state folder.
    signer : Credentials
        The user that DAGs are on the local AWS, who has the stack's Airflow policy and nothing else.
    outputs : StackOutputs
        The deployment.
    """
    folder = home / "airflow"
    known = _secrets(home)
    connection = {
        "conn_type": "aws",
        "login": signer.access_key_id,
        "password": signer.secret_access_key,
        "extra": {
            "region_name": outputs.region,
            "endpoint_url": local.endpoint(),
            "config_kwargs": {"proxies": {}},  # a proxy for the outside world has no business with our own machine
        },
    }
    return {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
        "AIRFLOW__CORE__DAGS_FOLDER": str(local.PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(local.PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",  # a task is a process of its own, and a laptop has few cores
        "AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH": "65536",  # the statements are longer than 4,096, the default
        "AIRFLOW__CORE__FERNET_KEY": str(known["fernet_key"]),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address()}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{name}" for name in USERS),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port()),
        "AIRFLOW__API__BASE_URL": address(),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": str(known["secret_key"]),
        "AIRFLOW__API_AUTH__JWT_SECRET": str(known["jwt_secret"]),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        # A worker that waits for Athena costs a laptop nothing; with a triggerer in between each wait takes longer.
        "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": os.environ.get("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "False"),
        # At 5 s, the default, a slot stays taken that long after its task, and fast triggers lose a race.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        # A laptop that is busy otherwise answers late; a task that waits 5 s for its API server, the default, fails.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        # A task that was killed with its scheduler is taken up again after a minute instead of five.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        # And what waited in the killed scheduler's queue: looked for this often, not every five minutes.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def note(home: Path, environment: Mapping[str, str]) -> None:
    """Keep the settings for `command`; like the secrets in them, readable by their owner only."""
    _write_private(home / "airflow" / "settings.json", json.dumps(dict(environment)))


def command(home: Path, environment: Mapping[str, str], arguments: Sequence[str]) -> NoReturn:
    """Become one of Airflow's own commands, on the database of this installation.

    Raises
    ------
    AirflowError
        If Airflow never ran here.
    """
    try:
        noted = json.loads((home / "airflow" / "settings.json").read_text())
    except FileNotFoundError:
        raise AirflowError("no Airflow has run here yet; start it with `tapeline up`") from None
    os.execve(sys.executable, [sys.executable, "-m", "airflow", *arguments], {**environment, **noted})  # noqa: S606


def prepare_database(environment: Mapping[str, str]) -> None:
    """Make Airflow's database, or bring it up to the version that is installed.

    Raises
    ------
    AirflowError
        If that fails, with its last words.
    """
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=_DATABASE_SECONDS,
        check=False,
    )
    if done.returncode:
        raise AirflowError(
            f"`airflow db migrate` failed; its last words:\n{done.stderr[-1500:]}\nIf the database is broken, move "
            f"{environment['AIRFLOW_HOME']} away and start again: only the history of runs is lost"
        )


def answers(*parts: str) -> bool:
    """Tell whether the API server answers, and says that these parts (`scheduler`, `dag_processor`, …) are alive."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{address()}/api/v2/monitor/health", timeout=5) as answer:
            health = json.load(answer)
    except (OSError, urllib.error.URLError, ValueError):
        return False
    return all(health[part]["status"] == "healthy" for part in ("metadatabase", *parts))


def _secrets(home: Path) -> dict[str, object]:
    """Return this installation's secrets, made at the first call."""
    folder = home / "airflow"
    path = folder / "secrets.json"
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = {
            "jwt_secret": secrets.token_urlsafe(64),
            "secret_key": secrets.token_urlsafe(32),
            "fernet_key": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "passwords": {user: secrets.token_urlsafe(9) for user in USERS},
        }
        _write_private(folder / "passwords.json", json.dumps(made["passwords"]))
        _write_private(path, json.dumps(made))
    found: dict[str, object] = json.loads(path.read_text())
    return found


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
