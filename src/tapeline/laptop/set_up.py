"""Make the local AWS of docker-compose.yaml ready for the other containers."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tapeline.aws import local
from tapeline.aws.clients import connect
from tapeline.deploy import stack
from tapeline.laptop.mailbox import subscribe_reader
from tapeline.laptop.past_trading import NotStoredError, put_missing
from tapeline.laptop.users import AIRFLOW_USER, PRODUCER_USER, signer_of

STORED_SECONDS = 300.0
"""How long past trading may take to reach DynamoDB before the set-up goes on without."""


def set_up(producer_folder: Path, airflow_folder: Path, say: Callable[[str], None]) -> None:
    """Deploy the stack, make the users and put past trading on the stream; doing it again changes nothing.

    The AWS configuration of producer and Airflow goes into these folders, readable by its owner only.
    """
    clients, home = connect("local"), local.own_home()
    deployment = stack.deploy(clients, {}, lambda step: say(f"{step.resource} {step.status} {step.reason}".rstrip()))
    for user, policy, name, folder in (
        (PRODUCER_USER, deployment.outputs.producer_policy_arn, "producer.json", producer_folder),
        (AIRFLOW_USER, deployment.outputs.airflow_policy_arn, "airflow.json", airflow_folder),
    ):
        local.write_private(folder / "config", aws_config(signer_of(clients, user, policy, home / name)))
        say(f"{user} may use the stack")
    subscribe_reader(deployment, home)
    if os.environ.get("TAPELINE_SOURCE") == "simulated":
        try:
            trading = put_missing(deployment, (), datetime.now(UTC), wait_seconds=STORED_SECONDS)
            say(trading or "The trading of the newest session is there")
        except NotStoredError as error:
            say(str(error))


def aws_config(signer: local.Credentials) -> str:
    """Return an AWS configuration file that signs at the local AWS as this user."""
    return (
        f"[default]\nregion = {local.REGION}\nendpoint_url = {local.endpoint()}\n"
        f"aws_access_key_id = {signer.access_key_id}\naws_secret_access_key = {signer.secret_access_key}\n"
        "s3 =\n    addressing_style = path\n"
    )
