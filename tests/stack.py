"""A stack on a local AWS with two hand-made sessions in its lake, for what is asked and done there."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator

import pytest

from localaws.mail import Mailbox, Message
from localaws.testing import LocalAws, running
from tapeline.aws.clients import Clients, connect
from tapeline.aws.deployment import Deployment
from tapeline.deploy import stack
from tests.sql.conftest import filled
from tests.sql.lakes import AthenaLake


class LocalDeployment(Deployment):
    """A deployment on a local AWS of its own."""

    def __init__(self, local: LocalAws, deployment: Deployment) -> None:
        super().__init__(deployment.clients, deployment.outputs)
        self.local = local


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """An empty local AWS, which enforces IAM as always."""
    with pytest.MonkeyPatch.context() as patch, running(tmp_path_factory.mktemp("tapeline")) as local:
        patch.setenv("TAPELINE_HOME", str(local.folder))
        patch.setenv("TAPELINE_PORT", str(local.port))
        yield local


@pytest.fixture(scope="module")
def aws(local_aws: LocalAws) -> Clients:
    """Its owner's clients."""
    return connect("local")


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDeployment]:
    """A stack; nothing delivers its stream."""
    with pytest.MonkeyPatch.context() as patch, running(tmp_path_factory.mktemp("tapeline")) as local:
        patch.setenv("TAPELINE_HOME", str(local.folder))
        patch.setenv("TAPELINE_PORT", str(local.port))
        found = stack.deploy(connect("local"), {}, lambda progress: None)
        patch.undo()
        yield LocalDeployment(local, found)


@pytest.fixture(scope="session")
def lake(deployment: LocalDeployment) -> AthenaLake:
    """The lake of that stack with 2025-11-26 and 2025-11-28 rolled up."""
    return filled(AthenaLake(deployment))


def objects(deployment: LocalDeployment, prefix: str) -> list[str]:
    found = deployment.client("s3").list_objects_v2(Bucket=deployment.outputs.bucket_name, Prefix=prefix)
    return [one["Key"] for one in found.get("Contents", [])]


def mail_to(deployment: LocalDeployment, address: str) -> list[Message]:
    """An address's messages, the oldest first."""
    found = Mailbox(deployment.local.folder / "mail").newest(1000)
    return [message for message in reversed(found) if message.address == address]


def link_in(message: Message) -> str:
    return next(line for line in message.text.split() if line.startswith("http"))


def open_page(url: str) -> tuple[int, str]:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - from our own mail
        return answer.status, answer.read().decode()


def subscribe(deployment: LocalDeployment, topic: str, address: str, filter_policy: dict[str, list[str]]) -> None:
    """Subscribe to some of a topic's messages and confirm by the link in the mail."""
    deployment.client("sns").subscribe(
        TopicArn=topic, Protocol="email", Endpoint=address, Attributes={"FilterPolicy": json.dumps(filter_policy)}
    )
    assert open_page(link_in(mail_to(deployment, address)[-1]))[0] == 200
