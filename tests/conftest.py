from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from . import airflow_home  # noqa: F401 - before anything imports Airflow
from . import browser as browsers
from .stack import aws, deployment, lake, local_aws  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a browser; the test is skipped where none can be had."""
    path = browsers.executable()
    if path is None:
        pytest.skip(browsers.WHY_NONE)
    return path


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with browsers.opened() as opened:
        yield opened
