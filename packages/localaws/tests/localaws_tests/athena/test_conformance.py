"""Every statement of `conformance.yaml` gives the answer that stands beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from localaws.athena.errors import QueryError
from localaws_tests.athena.lake import Runner

CASES = yaml.safe_load((Path(__file__).parent / "conformance.yaml").read_text())


def check(runner: Runner, step: dict[str, Any]) -> None:
    assert step.keys() <= {"name", "sql", "columns", "rows", "error", "updated", "witness"}, f"stray key in {step}"
    if "error" in step:
        with pytest.raises(QueryError) as caught:
            runner.run(step["sql"])
        assert step["error"] in str(caught.value)
        return
    outcome, rows = runner.run(step["sql"])
    if "columns" in step:
        assert [shown(column) for column in outcome.columns] == step["columns"]
    if "rows" in step:
        assert rows == step["rows"]
    if "updated" in step:
        assert outcome.update_count == step["updated"]


def shown(column: dict[str, Any]) -> str:
    digits = f"({column['Precision']},{column['Scale']})" if column["Type"] == "decimal" else ""
    return f"{column['Name']} {column['Type']}{digits}"


@pytest.mark.parametrize("case", CASES["queries"], ids=lambda case: case["name"])
def test_query_answers_as_athena_does(runner: Runner, case: dict[str, Any]) -> None:
    check(runner, case)


@pytest.mark.parametrize("case", CASES["scripts"], ids=lambda case: case["name"])
def test_script_goes_as_in_athena(runner: Runner, case: dict[str, Any]) -> None:
    for step in case["steps"]:
        check(runner, step)


def test_names_of_the_cases_are_distinct() -> None:
    names = [case["name"] for kind in ("queries", "scripts") for case in CASES[kind]]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", ["queries", "scripts"])
def test_each_case_says_who_else_gave_its_answer(kind: str) -> None:
    assert [case["name"] for case in CASES[kind] if not case.get("witness")] == []
