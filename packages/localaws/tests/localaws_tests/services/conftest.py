"""A local AWS for the tests of this folder, and small deployments on it."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from localaws.clients import Clients, connect
from localaws.delivery import Delivery
from localaws.testing import LocalAws, running

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with running(tmp_path_factory.mktemp("aws")) as local:
        yield local


@pytest.fixture
def aws(local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Clients:
    monkeypatch.setenv("TAPELINE_HOME", str(local_aws.folder))
    monkeypatch.setenv("TAPELINE_PORT", str(local_aws.port))
    return connect()


def zip_of(source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", source)
    return buffer.getvalue()


def deploy_function(aws: Clients, name: str, source: str, *, actions: list[str], **settings: Any) -> str:
    """Create a role that allows these actions and a function under it; return the function's ARN."""
    iam = aws.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document)
    settings = {"Timeout": 20, "MemorySize": 256, **settings}
    answer = aws.client("lambda").create_function(
        FunctionName=name, Role=role, Runtime="python3.13", Handler="handler.handler",
        Code={"ZipFile": zip_of(source)}, **settings,
    )  # fmt: skip
    return str(answer["FunctionArn"])


@dataclass
class RunningDelivery:
    """A delivery in a thread, with what the tests wait for."""

    delivery: Delivery
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self.delivery.run, args=(self.stop,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.stop.set()
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()


@pytest.fixture
def start_delivery(aws: Clients, local_aws: LocalAws) -> Iterator[Callable[[], RunningDelivery]]:
    started: list[RunningDelivery] = []

    def start(folder: Path = local_aws.folder) -> RunningDelivery:
        started.append(RunningDelivery(Delivery(aws, folder)))
        return started[-1]

    yield start
    for delivery in started:
        delivery.close()


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 40) -> Any:
    """Ask until the answer is true; a wait that ends says what it was for."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if answer := condition():
            return answer
        pause.wait(0.05)
    raise AssertionError(f"waited {seconds} s in vain for {what}")
