"""How the tests are shared out: files that wait long begin first, so that no process ends long after the others."""

from __future__ import annotations

import pytest

LONGEST = (
    "tests/laptop/test_laptop.py",
    "tests/dags/test_airflow_server.py",
    "tests/dags/test_rollup_and_reports.py",
    "tests/desk/test_desk_in_airflow.py",
    "tests/sql/test_on_athena.py",
)

UNMEASURED = ("tests/dags/", "tests/sql/", "tests/laptop/test_laptop.py", "tests/desk/test_desk_in_airflow.py")


@pytest.hookimpl(trylast=True)  # after Hypothesis has marked its tests
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the others keep their order. Leave out of the coverage what would only slow it.

    Property tests run the same lines thousands of times, and those of SQL files and DAGs run DuckDB and Airflow:
    measured, they take half as long again.
    """
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))
    for item in items:
        if item.get_closest_marker("hypothesis") or item.nodeid.startswith(UNMEASURED):
            item.add_marker("no_cover")
