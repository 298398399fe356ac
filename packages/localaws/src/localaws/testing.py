"""A local AWS of its own for a test or a benchmark."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from localaws.settings import REGION


@dataclass
class LocalAws:
    """A running `python -m localaws` and how to speak to it as the account's root."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def endpoint(self) -> str:
        """Address of every service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment for a process of the project that should use this local AWS."""
        return {**os.environ, "TAPELINE_HOME": str(self.folder), "TAPELINE_PORT": str(self.port)}

    @property
    def root(self) -> dict[str, str]:
        """The key pair of the account's root."""
        pair: dict[str, str] = json.loads((self.folder / "credentials.json").read_text())
        return pair

    def client(self, service: str, access_key_id: str = "", secret_access_key: str = "", token: str = "") -> Any:
        """Return a boto3 client, of the root user unless another key is given."""
        session: Any = boto3.Session(
            access_key_id or self.root["access_key_id"],
            secret_access_key or self.root["secret_access_key"],
            token or None,
            REGION,
        )
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60)
        return session.client(service, endpoint_url=self.endpoint, config=config)

    def stop(self) -> int:
        """Stop it cleanly and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        """Kill it without warning."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Start it (again) over the same folder and wait until it answers."""
        self.process = _spawn(self.folder, self.port)
        _await_answer(self)


@contextmanager
def running(folder: Path) -> Iterator[LocalAws]:
    """Run a local AWS over this state folder on a free port; it is gone when the block ends."""
    port = free_port()
    local = LocalAws(folder, port, _spawn(folder, port))
    try:
        _await_answer(local)
        yield local
    finally:
        if local.process.poll() is None:
            local.kill()


def free_port() -> int:
    """Return a port that is free on the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _spawn(folder: Path, port: int) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "TAPELINE_HOME": str(folder), "TAPELINE_PORT": str(port)}
    with (folder / "localaws.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "localaws"], env=environment, stdout=log, stderr=subprocess.STDOUT
        )


def _await_answer(local: LocalAws) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if local.process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{local.endpoint}/_localaws/health", timeout=5):  # noqa: S310 (our own)
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(
        f"the local AWS did not start; its log ends:\n{(local.folder / 'localaws.log').read_text()[-2000:]}"
    )
