"""The settings of the base, which reads them from the environment when it is imported."""

from __future__ import annotations

import os
from pathlib import Path

from localaws.settings import ACCOUNT_ID, REGION, KeyPair, address


def prepare(folder: Path, port: int, root: KeyPair) -> None:
    """Make MiniStack serve loopback only, enforce IAM and keep its state in `folder`.

    Whatever the caller's shell says to AWS clients or to MiniStack is removed first: it is about another AWS.
    """
    for name in list(os.environ):
        if name.startswith(("AWS_", "MINISTACK_", "LOCALSTACK_", "LAMBDA_", "S3_")) or name in ("SERVICES", "USE_SSL"):
            del os.environ[name]
    os.environ |= {
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": root.access_key_id,  # the base takes its root key pair from these two
        "AWS_SECRET_ACCESS_KEY": root.secret_access_key,
        "BIND_HOST": "127.0.0.1",
        "CLOUDTRAIL_RECORDING": "0",
        "DOCKER_HOST": "unix:///nonexistent",  # no Docker, even where there is one
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "MINISTACK_HOST": address("TAPELINE_ADVERTISED_HOST"),  # it writes URLs of queues and of functions' code
        "MINISTACK_REGION": REGION,
        "PERSIST_STATE": "1",
        "S3_DATA_DIR": str(folder / "aws" / "s3"),
        "S3_PERSIST": "1",
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(folder / "aws" / "state"),
    }
