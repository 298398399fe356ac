"""What the containers of docker-compose.yaml do beside their programs: `python -m tapeline.laptop.containers STEP`.

api-server
    Write the passwords from the environment where Airflow looks for them, then become Airflow's API server.
healthy PART
    Exit with 0 if Airflow says that this part of it is well: ``scheduler``, ``triggerer`` or ``dag_processor``; or if
    the ``api_server`` answers people and tasks.
localaws
    Exit with 0 if the local AWS answers.
set-up PRODUCER_FOLDER AIRFLOW_FOLDER
    Make the local AWS ready, see `tapeline.laptop.set_up`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tapeline.aws.local import write_private
from tapeline.laptop import airflow
from tapeline.laptop.airflow import USERS
from tapeline.laptop.ports import ask_local_aws, read_url


class SetUpError(RuntimeError):
    """The environment of a container lacks something; the message says what to set."""


def write_passwords(environment: Mapping[str, str]) -> None:
    """Write the users' passwords, TAPELINE_ADMIN_PASSWORD and so on, into the file that Airflow's settings name.

    One that is missing is a SetUpError: Airflow would make one up and print it into its log.
    """
    variables = {user: f"TAPELINE_{user.upper()}_PASSWORD" for user in USERS}
    if missing := [variable for variable in variables.values() if not environment.get(variable)]:
        raise SetUpError(f"expected a password in {' and '.join(missing)}, found none; set it in .env")
    path = Path(environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    write_private(path, {user: environment[variable] for user, variable in variables.items()})


def is_healthy(part: str, api_url: str) -> bool:
    """Return whether Airflow calls a part of itself healthy."""
    if part == "api_server":
        part = "metadatabase"
        read_url(f"{api_url}/execution/health", timeout=10)
    return airflow.is_healthy(api_url, part, timeout=10)


def main(step: str, *arguments: str) -> int:
    """Do one step and return the exit code."""
    if step == "api-server":
        write_passwords(os.environ)
        os.execvp("airflow", ["airflow", "api-server"])  # noqa: S606
    if step == "set-up":
        from tapeline.laptop.set_up import set_up  # slow, and health checks run every few seconds

        set_up(Path(arguments[0]), Path(arguments[1]), lambda text: print(text, flush=True))
        return 0
    try:
        if step == "localaws":
            ask_local_aws(timeout=10)
            return 0
        api_url = os.environ["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"].removesuffix("/execution/")
        return 0 if is_healthy(arguments[0], api_url) else 1
    except (OSError, KeyError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
