from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from tests.cli.conftest import deployment  # noqa: F401 - a fixture

from .laptop import Laptop


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """A state folder of its own; whatever a test leaves running in it is killed."""
    made = Laptop(tmp_path_factory.mktemp("laptop"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPELINE_HOME", str(made.home))
        patch.setenv("TAPELINE_PORT", str(made.port))
        yield made
    left = made.processes()
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=10)
