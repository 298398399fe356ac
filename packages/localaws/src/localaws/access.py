"""Closes the doors that the base leaves open for convenience even when it enforces IAM.

It takes an empty key, the key `test` and any account number for the root of the account, and does not check the
signature of a root key at all; its administration pages (`/_ministack/reset` wipes everything) ask for no credentials.
Here only the installation's own key pair is root and its signature counts like any other's.
"""

from __future__ import annotations

import json
import os
from typing import Any

from localaws import ministack_names as base

_AUTHORIZED_AS = {
    "sns:PublishBatch": "sns:Publish",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
"""Operations that IAM knows under another's name (Service Authorization Reference, Amazon SNS and Amazon SQS)."""

_OPEN_PATHS = ("/_ministack/health", "/_ministack/ready", "/_ministack/lambda-code/")


def enforce_root_signature() -> None:
    """Let the base treat only the configured key as root, and verify its signature as it does a user's.

    The base has no setting for it.
    """
    base.IS_ROOT.set(_is_root)
    base.IS_ROOT_TO_STS.set(_is_root)
    base.IS_UNCHECKED.set(lambda _key: False)


def authorize_batches() -> None:
    """Let the base ask for the permission that AWS asks for; there is none of a batch operation's own name."""
    name_of = base.ACTION_OF.value

    def extract(*request: Any) -> str | None:
        name = name_of(*request)
        return _AUTHORIZED_AS.get(name, name) if name else None

    base.ACTION_OF.set(extract)


def know_leading_keys() -> None:
    """Let conditions on `dynamodb:LeadingKeys` see the partition keys that a request names, as AWS does.

    The base leaves that key out, and a condition `ForAllValues` holds for what is absent: every key would be allowed.
    Not seen are the keys of a Query and of PartiQL and transactions; a policy of ours with such a condition must not
    allow those.
    """
    context_of = base.DYNAMODB_CONTEXT.value

    def context(body: bytes) -> dict[str, Any]:
        keys = _partition_keys(body)
        return {**context_of(body), **({"dynamodb:LeadingKeys": keys} if keys else {})}

    base.DYNAMODB_CONTEXT.set(context)


def _partition_keys(body: bytes) -> list[str]:
    """Return the partition keys that a request names; none of a malformed one, which the service refuses itself."""
    try:
        request = json.loads(body or b"{}")
        named = [(request.get("TableName"), request.get(part)) for part in ("Item", "Key")]
        for table, entries in request.get("RequestItems", {}).items():
            for entry in entries["Keys"] if isinstance(entries, dict) else entries:
                put, delete = entry.get("PutRequest"), entry.get("DeleteRequest")
                named.append((table, put["Item"] if put else delete["Key"] if delete else entry))
        tables = [(base.TABLES.value.get(str(table).rpartition("/")[2]), item) for table, item in named if item]
        return [str(value) for table, item in tables if table for value in item[table["pk_name"]].values()]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []


def refusal(access_key_id: str, action: str, region: str, resource: str) -> str | None:
    """Say in AWS's words why the caller of this request may not act on a resource; None if it may."""
    denied = base.ENFORCE(access_key_id, action, action.partition(":")[0], region, resource_arn=resource)
    if denied is None:
        return None
    return str(base.DENIAL(action, denied.principal_arn, resource, denied.decision == "Deny"))


def _is_root(access_key_id: str) -> bool:
    return access_key_id == os.environ["AWS_ACCESS_KEY_ID"]


def is_refused(path: str) -> bool:
    """Say whether a path is one of the base's own pages that act or show data without credentials."""
    return path.startswith(("/_ministack/", "/_localstack/")) and not path.startswith(_OPEN_PATHS)
