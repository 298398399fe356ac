from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from .stream import LocalDeployment


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalDeployment]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield LocalDeployment()
