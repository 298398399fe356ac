"""The users of this machine's AWS: the producer and Airflow sign as one each, with the stack's policy for it alone."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from tapeline.aws import local
from tapeline.aws.clients import Clients
from tapeline.aws.local import write_private

PRODUCER_USER = "tapeline-producer"
AIRFLOW_USER = "tapeline-airflow"


def signer_of(clients: Clients, user: str, policy_arn: str, path: Path) -> local.Credentials:
    """Return a key of a user with this policy alone, made if missing; the key that `path` keeps is used again."""
    iam = clients.client("iam")
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=user)
    for policy in iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]:
        if policy["PolicyArn"] != policy_arn:
            iam.detach_user_policy(UserName=user, PolicyArn=policy["PolicyArn"])
    iam.attach_user_policy(UserName=user, PolicyArn=policy_arn)

    keys = {key["AccessKeyId"] for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]}
    if path.exists():
        signer = local.Credentials(**json.loads(path.read_text()))
        if signer.access_key_id in keys:
            return signer
    for key in keys:
        iam.delete_access_key(UserName=user, AccessKeyId=key)
    new_key = iam.create_access_key(UserName=user)["AccessKey"]
    signer = local.Credentials(new_key["AccessKeyId"], new_key["SecretAccessKey"])
    write_private(path, asdict(signer))
    return signer


def forget_users(clients: Clients) -> None:
    """Take the stack's policies from the users of this machine: a policy in use cannot be removed."""
    iam = clients.client("iam")
    for user in (PRODUCER_USER, AIRFLOW_USER):
        with suppress(iam.exceptions.NoSuchEntityException):
            for policy in iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]:
                iam.detach_user_policy(UserName=user, PolicyArn=policy["PolicyArn"])
