"""A local AWS for the tests of this folder; it enforces IAM, as always."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localaws.testing import LocalAws, running
from tapeline.aws.clients import Clients, connect


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with pytest.MonkeyPatch.context() as patch, running(tmp_path_factory.mktemp("tapeline")) as local:
        patch.setenv("TAPELINE_HOME", str(local.folder))
        patch.setenv("TAPELINE_PORT", str(local.port))
        yield local


@pytest.fixture(scope="module")
def aws(local_aws: LocalAws) -> Clients:
    return connect("local")
