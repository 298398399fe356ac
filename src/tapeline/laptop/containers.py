"""What the containers of docker-compose.yaml do beside their programs: `python -m tapeline.laptop.containers STEP`.

api-server
    Write the passwords from the environment where Airflow looks for them, then become Airflow's API server.
healthy PART
    Exit with 0 if Airflow says that this part of it is well: ``scheduler``, ``triggerer`` or ``dag_processor``; or if
    the ``api_server`` answers people and tasks.
localaws
    Exit with 0 if the local AWS answers.
set-up
    Deploy the stack to the local AWS, write an AWS configuration for the producer and one for Airflow, each the key of
    a user with the stack's policy for it and nothing else, and put past trading on the stream for the DAGs.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from tapeline.aws import local

USERS = ("admin", "viewer")
"""Airflow's users, as on the laptop."""

STORED_SECONDS = 300.0
"""How long past trading may take to reach DynamoDB before the set-up goes on without."""


class SetUpError(RuntimeError):
    """The environment of a container lacks something; the message says what to set."""


def write_passwords(environment: Mapping[str, str]) -> None:
    """Write the users' passwords, TAPELINE_ADMIN_PASSWORD and so on, into the file that Airflow's settings name.

    Raises
    ------
    SetUpError
        If one is missing: Airflow would make one up and print it into its log.
    """
    variables = {user: f"TAPELINE_{user.upper()}_PASSWORD" for user in USERS}
    if missing := [variable for variable in variables.values() if not environment.get(variable)]:
        raise SetUpError(f"expected a password in {' and '.join(missing)}, found none; set it in .env")
    path = Path(environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps({user: environment[variable] for user, variable in variables.items()}))


def is_healthy(part: str, api_url: str) -> bool:
    """Tell whether Airflow calls a part of itself healthy."""
    if part == "api_server":
        part = "metadatabase"
        _opener().open(f"{api_url}/execution/health", timeout=10).close()
    with _opener().open(f"{api_url}/api/v2/monitor/health", timeout=10) as answer:
        return bool(json.load(answer)[part]["status"] == "healthy")


def aws_config(signer: local.Credentials) -> str:
    """Return an AWS configuration file that signs at the local AWS as this user."""
    return (
        f"[default]\nregion = {local.REGION}\nendpoint_url = {local.endpoint()}\n"
        f"aws_access_key_id = {signer.access_key_id}\naws_secret_access_key = {signer.secret_access_key}\n"
        "s3 =\n    addressing_style = path\n"
    )


def set_up(producer_folder: Path, airflow_folder: Path, say: Callable[[str], None]) -> None:
    """Make the local AWS ready for the other containers; doing it again changes nothing.

    Parameters
    ----------
    producer_folder, airflow_folder : Path
        Where the configuration of each goes, readable by its owner only.
    say : callable
        Told of each step.
    """
    from localaws.mail import Mailbox
    from tapeline.aws.clients import connect
    from tapeline.deploy import stack
    from tapeline.laptop import up

    clients, home = connect("local"), local.own_home()
    deployment = stack.deploy(clients, {}, lambda step: say(f"{step.resource} {step.status} {step.reason}".rstrip()))
    for user, policy, name, folder in (
        (up.PRODUCER_USER, deployment.outputs.producer_policy_arn, "producer.json", producer_folder),
        (up.AIRFLOW_USER, deployment.outputs.airflow_policy_arn, "airflow.json", airflow_folder),
    ):
        path = folder / "config"
        path.touch(mode=0o600)
        path.write_text(aws_config(up.signer_of(clients, user, policy, home / name)))
        say(f"{user} may use the stack")
    up.subscribe_reader(deployment, Mailbox(home / "mail"), home)
    if os.environ.get("TAPELINE_SOURCE") == "simulated":
        from tapeline.laptop.past_trading import put_missing

        say(put_missing(deployment, datetime.now(UTC), STORED_SECONDS))


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main(step: str, *arguments: str) -> int:
    """Do one step and return the exit code."""
    if step == "api-server":
        write_passwords(os.environ)
        os.execvp("airflow", ["airflow", "api-server"])  # noqa: S606
    if step == "set-up":
        set_up(Path(arguments[0]), Path(arguments[1]), lambda text: print(text, flush=True))
        return 0
    try:
        if step == "healthy":
            api_url = os.environ["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"].removesuffix("/execution/")
            return 0 if is_healthy(arguments[0], api_url) else 1
        with _opener().open(f"{local.endpoint()}/_ministack/health", timeout=10):
            return 0
    except (OSError, urllib.error.URLError, KeyError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
