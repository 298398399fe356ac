"""Closes the doors that the base leaves open for convenience even when it enforces IAM.

It takes an empty key, the key `test` and any account number for the root of the account, and does not check the
signature of a root key at all; its administration pages (`/_ministack/reset` wipes everything) ask for no credentials.
Here only the installation's own key pair is root and its signature counts like any other's.
"""

from __future__ import annotations

import os

from ministack.core import iam_evaluator
from ministack.services import sts

_OPEN_PATHS = ("/_ministack/health", "/_ministack/ready", "/_ministack/lambda-code/")


def enforce_root_signature() -> None:
    """Let the base treat only the configured key as root, and verify its signature as it does a user's.

    The base has no setting for it. `is_root_access_key` answers who is root; `_is_root_key` answers whose signature is
    not checked, which is nobody's here.
    """
    iam_evaluator.is_root_access_key = sts.is_root_access_key = _is_root
    iam_evaluator._is_root_key = lambda _key: False


def _is_root(access_key_id: str) -> bool:
    return access_key_id == os.environ["AWS_ACCESS_KEY_ID"]


def is_refused(path: str) -> bool:
    """Say whether a path is one of the base's own pages that act or show data without credentials."""
    return path.startswith(("/_ministack/", "/_localstack/")) and not path.startswith(_OPEN_PATHS)
