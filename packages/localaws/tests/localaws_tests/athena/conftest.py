"""A local AWS with the small lake that `conformance.yaml` describes, and an engine over it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localaws.clients import Clients, connect
from localaws.testing import LocalAws, running
from localaws_tests.athena.lake import Runner, make_lake


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with running(tmp_path_factory.mktemp("aws")) as local, pytest.MonkeyPatch.context() as patch:
        for name in ("TAPELINE_HOME", "TAPELINE_PORT"):
            patch.setenv(name, local.environment[name])
        yield local


@pytest.fixture(scope="session")
def aws(local_aws: LocalAws) -> Clients:
    return connect()


@pytest.fixture(scope="session")
def runner(aws: Clients, local_aws: LocalAws) -> Runner:
    return make_lake(aws, local_aws.folder)
