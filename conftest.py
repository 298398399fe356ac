"""What keeps `make test` quick: how the tests are shared out, and what is left out of the coverage."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from botocore.loaders import JSONFileLoader
from coverage import Coverage

# Files that wait long begin first, so that no process ends long after the others.
LONGEST = (
    "tests/laptop/test_laptop.py",
    "tests/dags/test_airflow_server.py",
    "tests/dags/test_rollup_and_reports.py",
    "tests/desk/test_desk_in_airflow.py",
    "tests/sql/test_on_athena.py",
)

UNMEASURED = (
    "tests/dags/",
    "tests/desk/test_desk_in_airflow.py",
    "tests/laptop/test_laptop.py",
    "tests/operations/test_watch_clock.py",
    "tests/sql/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the others keep their order."""
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Leave out of the coverage what would only slow it; pytest-cov's `no_cover` does not in a process of pytest-xdist.

    Property tests run the same lines thousands of times, and those of the watch each minute of a weekend, and
    those of SQL files and DAGs run DuckDB and Airflow: measured, they take half as long again, or twice as long.
    """
    paused: list[Coverage] = []
    if item.get_closest_marker("hypothesis") or item.nodeid.startswith(UNMEASURED):
        while measuring := Coverage.current():  # in a process of pytest-xdist two, one within the other
            measuring.stop()
            paused.append(measuring)
    try:
        return (yield)
    finally:
        for measuring in reversed(paused):
            measuring.start()


@pytest.fixture(scope="session", autouse=True)
def models_read_once() -> Iterator[None]:
    """Let all sessions of botocore share the models of AWS's services, which each would parse again for its clients."""
    loader, read = JSONFileLoader(), JSONFileLoader.load_file
    read_once = cache(lambda path: read(loader, path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: read_once(path))
        yield
