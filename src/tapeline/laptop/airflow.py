"""Airflow on this machine: its settings, its secrets, its log-in and its four programs.

Its folder is `airflow/` in the state folder: database, logs of tasks, and `secrets.json` (mode 0600), made at the first
start. It listens on the loopback interface and asks for a log-in; `admin` may do everything, `viewer` only look.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from tapeline.aws import local
from tapeline.aws.local import write_private
from tapeline.laptop.ports import read_url
from tapeline.laptop.supervisor import LaptopError, Program

USERS = ("admin", "viewer")
"""User names, which are their roles too."""

SCHEDULER = "airflow-scheduler"
_COMPONENTS = {
    "airflow-api-server": (["api-server"], 400),
    # These are stopped together, and before the API server, which their tasks talk to.
    "airflow-dag-processor": (["dag-processor"], 410),
    "airflow-triggerer": (["triggerer", "--skip-serve-logs"], 410),
    SCHEDULER: (["scheduler", "--skip-serve-logs"], 410),
}
_DATABASE_SECONDS = 180

_SETTINGS = {
    "AIRFLOW__CORE__DAGS_FOLDER": str(local.PROJECT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(local.PROJECT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__PARALLELISM": "2",  # a task is a process of its own, and a laptop has few cores
    "AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH": "65536",  # the statements are longer than 4,096, the default
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{name}" for name in USERS),
    "AIRFLOW__API__HOST": local.LOOPBACK,
    "AIRFLOW__API__WORKERS": "1",
    "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    # At 5 s, the default, a slot stays taken that long after its task, and fast triggers lose a race.
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    # A laptop that is busy otherwise answers late; a task that waits 5 s for its API server, the default, fails.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    # A task that was killed with its scheduler is started again after a minute instead of five.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    # What waited in the killed scheduler's queue is looked for this often, not every five minutes.
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}
"""What is the same for each installation."""


class AirflowError(LaptopError):
    """Airflow is not installed, its database cannot be made ready, or there is none yet."""


def require_installed() -> None:
    """Raise an AirflowError where Airflow, an extra of its own, is not installed."""
    if find_spec("airflow") is None:
        raise AirflowError(
            "Airflow is not installed here: use the environment that `make setup` makes in a checkout of Tapeline "
            "(`tapeline up --no-airflow` needs none)"
        )


def port() -> int:
    """Return the port of the UI, 8080 or what TAPELINE_AIRFLOW_PORT says; a ValueError if that is no port number."""
    return local.read_port("TAPELINE_AIRFLOW_PORT", 8080)


def address() -> str:
    """Return where a person opens the UI."""
    return f"http://127.0.0.1:{port()}"


def programs() -> list[Program]:
    """Return Airflow's programs, still without their settings, started after everything they may need."""
    return [
        # It waits for running tasks, but not without end: what is cut off is run again at the next start.
        Program(name, [sys.executable, "-m", "airflow", *arguments], priority=priority, stop_seconds=20)
        for name, (arguments, priority) in _COMPONENTS.items()
    ]


def passwords(home: Path) -> dict[str, str]:
    """Return each user's password."""
    return dict(_secrets(home)["passwords"])


def settings(home: Path, signer: local.Credentials) -> dict[str, str]:
    """Return the environment of Airflow's programs.

    `signer` is the user that DAGs are on the local AWS, who has the stack's Airflow policy and nothing else.
    """
    folder = home / "airflow"
    keys = _secrets(home)
    connection = {
        "conn_type": "aws",
        "login": signer.access_key_id,
        "password": signer.secret_access_key,
        "extra": {
            "region_name": local.REGION,
            "endpoint_url": local.endpoint(),
            "config_kwargs": {"proxies": {}},  # this machine is not reached through a proxy
        },
    }
    return {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet_key"],
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address()}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__API__PORT": str(port()),
        "AIRFLOW__API__BASE_URL": address(),
        "AIRFLOW__API__SECRET_KEY": keys["secret_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt_secret"],
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        # A worker that waits for Athena costs a laptop nothing; with a triggerer in between each wait takes longer.
        "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": os.environ.get("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "False"),
        **_SETTINGS,
    }


def note(home: Path, variables: Mapping[str, str]) -> None:
    """Keep the settings for `command`; like the secrets in them, readable by their owner only."""
    write_private(home / "airflow" / "settings.json", variables)


def command(environment: Mapping[str, str], arguments: Sequence[str]) -> NoReturn:
    """Become one of Airflow's own commands, with the settings of the last `up`; an AirflowError if there is none."""
    require_installed()
    try:
        settings_of_up = json.loads((local.own_home() / "airflow" / "settings.json").read_text())
    except FileNotFoundError:
        raise AirflowError("no Airflow has run here yet; start it with `tapeline up`") from None
    os.execve(sys.executable, [sys.executable, "-m", "airflow", *arguments], {**environment, **settings_of_up})  # noqa: S606


def prepare_database(variables: Mapping[str, str]) -> None:
    """Make Airflow's database, or update it to the version that is installed.

    Raises
    ------
    AirflowError
        If that fails, with the end of its output.
    """
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    migration = subprocess.run(
        migrate, env=dict(variables), capture_output=True, text=True, timeout=_DATABASE_SECONDS, check=False
    )
    if migration.returncode:
        raise AirflowError(
            f"`airflow db migrate` failed; the end of its output:\n{migration.stderr[-1500:]}\n"
            f"If the database is broken, move {variables['AIRFLOW_HOME']} away and start again: only the history of "
            "runs is lost"
        )


def answers(*parts: str) -> bool:
    """Return whether the API server answers and says that these parts (`scheduler`, `dag_processor`, …) are alive."""
    try:
        return is_healthy(address(), "metadatabase", *parts, timeout=5)
    except (OSError, ValueError):
        return False


def is_healthy(api_url: str, *parts: str, timeout: float) -> bool:
    """Return whether Airflow's health page calls these parts healthy; an OSError or ValueError if it does not say."""
    health = json.loads(read_url(f"{api_url}/api/v2/monitor/health", timeout=timeout))
    return all(health[part]["status"] == "healthy" for part in parts)


def _secrets(home: Path) -> dict[str, Any]:
    """Return this installation's secrets, made at the first call."""
    folder = home / "airflow"
    path = folder / "secrets.json"
    if not path.exists():
        keys: dict[str, Any] = {
            "jwt_secret": secrets.token_urlsafe(64),
            "secret_key": secrets.token_urlsafe(32),
            "fernet_key": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "passwords": {user: secrets.token_urlsafe(9) for user in USERS},
        }
        write_private(folder / "passwords.json", keys["passwords"])
        write_private(path, keys)
    return dict(json.loads(path.read_text()))
