"""A deployed function in a process of its own, which sees its zip, its SDK and its environment and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import urllib3

logger = logging.getLogger("localaws.lambda")

SDK_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
"""What AWS's Python runtimes ship beside the standard library (Lambda Developer Guide, "Runtime-included SDK")."""

INIT_SECONDS = 60.0
"""AWS gives an initialisation 10 s; a laptop that compiles the SDK for the first time needs more."""

LOG_BYTES = 5_000_000
"""A function's log is kept in two files of this size."""

PATH_STYLE = Path(__file__).with_name("function_aws_config")
"""Where there is no host of a bucket's name, the SDK must put the name into the path."""

_FIELDS = {
    "name": "FunctionName", "arn": "FunctionArn", "role": "Role", "runtime": "Runtime", "handler": "Handler",
    "timeout": "Timeout", "memory": "MemorySize",
}  # fmt: skip
"""Fields of `Function`, and what Lambda calls them."""

_BOOTSTRAP = Path(__file__).with_name("lambda_bootstrap.py")


@dataclass(frozen=True, slots=True)
class Function:
    """A function as deployed, its code unpacked; another object with other values once anything was changed.

    Attributes
    ----------
    folder : Path
        The unpacked zip, named by its hash.
    timeout : int
        Seconds.
    memory : int
        MiB; told to the function, not enforced.
    environment : tuple of (str, str)
        The function's own variables.
    """

    name: str
    arn: str
    role: str
    runtime: str
    handler: str
    timeout: int
    memory: int
    environment: tuple[tuple[str, str], ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class Credentials:
    """Temporary credentials of a function's role.

    Attributes
    ----------
    expires_at : float
        Seconds since the epoch.
    """

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Invocation:
    """How an invocation ended.

    Attributes
    ----------
    result : object
        What the handler returned.
    error : dict or None
        ``errorType`` and ``errorMessage`` if it failed, as Lambda names them.
    seconds : float
        How long it took.
    """

    result: Any
    error: dict[str, Any] | None
    seconds: float
    request_id: str


def fetch(client: Any, name: str, folder: Path) -> Function:
    """Read a function's configuration and unpack its code under `folder`, unless it is there already."""
    answer = client.get_function(FunctionName=name)
    configuration = answer["Configuration"]
    digest = base64.b64decode(configuration["CodeSha256"]).hex()
    task_root = folder / digest[:32]
    if not task_root.exists():
        _unpack(answer["Code"]["Location"], digest, task_root)
    variables = configuration.get("Environment", {}).get("Variables", {})
    given = {field: configuration[name] for field, name in _FIELDS.items()}
    return Function(**given, environment=tuple(sorted(variables.items())), folder=task_root)


def _unpack(location: str, digest: str, task_root: Path) -> None:
    try:
        zipped = urllib3.PoolManager().request("GET", location).data
    except urllib3.exceptions.HTTPError as error:
        raise OSError(f"cannot read the code at {location.partition('?')[0]}: {error}") from error
    actual = hashlib.sha256(zipped).hexdigest()
    if actual != digest:
        raise ValueError(f"the code at {location.partition('?')[0]} should have SHA-256 {digest}, found {actual}")
    task_root.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=task_root.parent))
    with zipfile.ZipFile(BytesIO(zipped)) as archive:
        archive.extractall(draft)
    try:
        draft.rename(task_root)
    except OSError:  # another thread was first
        shutil.rmtree(draft)


def link_sdk(folder: Path) -> Path:
    """Return a folder that holds the SDK of this virtual environment and nothing else of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in SDK_PACKAGES:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"{package} belongs to the SDK of AWS's Python runtime and is not installed here")
        origin = Path(spec.origin)
        target = origin.parent if origin.name == "__init__.py" else origin
        link = folder / target.name
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return folder


class LambdaProcess:
    """One execution environment: answers one event at a time, and a fresh process follows one that died.

    Parameters
    ----------
    function : Function
        What to run.
    credentials : Credentials
        Of the function's role.
    sdk : Path
        Folder from `link_sdk`.
    logs : Path
        Folder of the function's log.
    on_line : callable
        Called with each line that the function prints, in a thread.
    endpoint_url, region : str
        Where the function's SDK calls.
    """

    def __init__(
        self,
        function: Function,
        credentials: Credentials,
        sdk: Path,
        logs: Path,
        on_line: Callable[[bytes], None],
        *,
        endpoint_url: str | None,
        region: str,
    ) -> None:
        self.function = function
        self.credentials = credentials
        self._log = _log_file(logs, function.name)
        self._on_line = on_line
        self._received = bytearray()
        ours, theirs = socket.socketpair()
        self._channel = ours
        # The interpreter itself, not the virtual environment's: -I and -S leave sys.path to the bootstrap.
        python = getattr(sys, "_base_executable", sys.executable)
        with theirs:
            self._process = subprocess.Popen(
                [python, "-I", "-S", "-X", "utf8", _BOOTSTRAP, str(theirs.fileno()), sdk, function.arn],
                env=_environment(function, credentials, endpoint_url, region),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in a terminal is for the one who waits for us
            )
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()
        self._init_error = self._await_answer(INIT_SECONDS).get("error")
        if self._init_error:
            self.close()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def is_usable(self) -> bool:
        """Say whether the next event may go to this process: it lives, and its credentials outlast an invocation."""
        lasts = self.credentials.expires_at - time.time() > self.function.timeout + 60
        return self._process.poll() is None and self._init_error is None and lasts

    def invoke(self, event: str) -> Invocation:
        """Run the handler on one event, a JSON document; after a failure ask `is_usable`."""
        started = time.time()
        request_id = str(uuid.uuid4())
        deadline = started + self.function.timeout
        if self._init_error:
            return Invocation(None, self._init_error, 0.0, request_id)
        line = f'{{"request_id": "{request_id}", "deadline": {deadline}, "event": {event}}}\n'
        try:
            self._channel.settimeout(self.function.timeout)
            self._channel.sendall(line.encode())
        except OSError:
            answer = self._died()
        else:
            answer = self._await_answer(self.function.timeout)
        return Invocation(answer.get("result"), answer.get("error"), time.time() - started, request_id)

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self._channel.close()
        self._reader.join(timeout=5)

    def _await_answer(self, seconds: float) -> dict[str, Any]:
        """Read one line from the process; one that answers late or not at all is ended, and that is its answer."""
        deadline = time.monotonic() + seconds
        while (end := self._received.find(b"\n")) < 0:
            try:
                self._channel.settimeout(max(0.001, deadline - time.monotonic()))
                chunk = self._channel.recv(1 << 16)
            except TimeoutError:
                self.close()
                return _failure("Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds")
            except OSError:
                chunk = b""
            if not chunk:
                return self._died()
            self._received += chunk
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _died(self) -> dict[str, Any]:
        self.close()
        return _failure("Runtime.ExitError", f"The runtime exited with code {self._process.returncode}")

    def _read_output(self) -> None:
        """Write what the function prints to its log and show it to the listener."""
        assert self._process.stdout is not None  # noqa: S101 (for the type checker: it is a pipe)
        with self._process.stdout as output:
            for line in output:
                self._log.info("%s", line.decode(errors="replace").rstrip("\n"))
                self._on_line(line)


def _failure(error_type: str, message: str) -> dict[str, Any]:
    return {"error": {"errorType": error_type, "errorMessage": message}}


def _environment(function: Function, credentials: Credentials, endpoint_url: str | None, region: str) -> dict[str, str]:
    """Return the function's variables and Lambda's own (Developer Guide, "Defined runtime environment variables")."""
    environment = {
        **dict(function.environment),
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}",
        "AWS_REGION": region,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "LAMBDA_TASK_ROOT": str(function.folder),
        "LANG": "en_US.UTF-8",
        "PATH": os.defpath,
        "TZ": ":UTC",
        "_HANDLER": function.handler,
    }
    if endpoint_url:
        environment["AWS_ENDPOINT_URL"] = endpoint_url
        environment["AWS_CONFIG_FILE"] = str(PATH_STYLE)
    return environment


def _log_file(folder: Path, name: str) -> logging.Logger:
    log = logging.getLogger(f"localaws.function.{folder}.{name}")
    if not log.handlers:
        folder.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(folder / f"{name}.log", maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
    return log
