"""The deployed functions: their code, their roles' credentials, and processes of them."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

from localaws.clients import Clients, LocalClients
from localaws.lambda_process import Credentials, Function, LambdaProcess, fetch, link_sdk
from localaws.metrics import Metrics

KNOWN_SECONDS = 2.0
"""How soon a new deployment of a function is noticed."""


class Functions:
    """The deployed functions, their roles' credentials and their processes' surroundings.

    Parameters
    ----------
    aws : Clients
        The target.
    folder : Path
        Where code is unpacked.
    logs : Path
        Where the functions' logs are.
    metrics : Metrics
        Hears what the functions print.
    """

    def __init__(self, aws: Clients, folder: Path, logs: Path, metrics: Metrics) -> None:
        self._aws = aws
        self._code = folder / "code"
        shutil.rmtree(self._code, ignore_errors=True)  # of former deployments
        self._sdk = link_sdk(folder / "sdk")
        self._logs = logs
        self._metrics = metrics
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Function]] = {}

    def current(self, name: str) -> Function:
        """Return a function as deployed, at most `KNOWN_SECONDS` old."""
        with self._lock:
            read_at, function = self._known.get(name, (0.0, None))
            if function is None or time.monotonic() - read_at > KNOWN_SECONDS:
                function = fetch(self._aws.client("lambda"), name, self._code)
                self._known[name] = (time.monotonic(), function)
            return function

    def usable(self, process: LambdaProcess | None, function: Function) -> LambdaProcess:
        """Return a process for the function's next event: this one, or else a fresh one in its place."""
        if process is not None and process.is_usable() and process.function == function:
            return process
        if process is not None:
            process.close()
        return self._start(function)

    def _start(self, function: Function) -> LambdaProcess:
        """Start a process for a function under its own role."""
        answer = self._aws.client("sts").assume_role(
            RoleArn=function.role, RoleSessionName=f"lambda-{function.name}"[:64]
        )
        keys = answer["Credentials"]
        return LambdaProcess(
            function,
            Credentials(
                keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], keys["Expiration"].timestamp()
            ),
            self._sdk,
            self._logs,
            self._metrics.add_line,
            endpoint_url=self._aws.endpoint_url,
            region=self._aws.region,
        )

    def of_role(self, process: LambdaProcess) -> LocalClients:
        """Return clients that sign as a process's role."""
        keys = process.credentials
        session = boto3.Session(keys.access_key_id, keys.secret_access_key, keys.session_token, self._aws.region)
        return LocalClients(session, self._aws.endpoint_url)

    def are_known(self, process: LambdaProcess) -> bool:
        """Say whether the target still knows the credentials of a process's role."""
        try:
            self.of_role(process).client("sts").get_caller_identity()  # needs no permission
        except ClientError as error:
            return error.response["Error"]["Code"] not in ("InvalidClientTokenId", "ExpiredToken")
        return True
