"""Every DAG file is known, documented and says who owns it, when it runs and what it tells when it fails."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction
from botocore.exceptions import ClientError, EndpointConnectionError

from tapeline.airflow.defaults import CURATED, headline
from tapeline.airflow.retries import RetryUnlessFinal, is_final
from tapeline.desk.lights import DAGS
from tapeline.lake import rollup
from tapeline.lake.athena import StatementFailedError
from tapeline.market.sessions import NotASessionError
from tests.airflow_home import ROOT
from tests.dags.documentation import DOCUMENT, render

SECTIONS = ("**What.**", "**When", "**Input", "utput", "**Start by hand.**", "**Rerun safety.**", "**When it fails.**")

HEAVY = ("pandas", "exchange_calendars", "boto3", "botocore", "pyarrow", "tapeline.aws.clients")


def test_every_file_parses_to_the_one_dag_of_its_name(dag_bag: Any) -> None:
    assert dag_bag.import_errors == {}
    assert sorted(dag_bag.dags) == list(DAGS)


@pytest.mark.parametrize("dag_id", DAGS)
def test_a_dag_is_a_runbook_of_its_own(dag_bag: Any, dag_id: str) -> None:
    dag = dag_bag.dags[dag_id]
    assert dag.doc_md.strip().startswith(f"# {dag_id}: ")
    assert [section for section in SECTIONS if section not in dag.doc_md] == []
    assert dag.tags
    assert dag.description == headline(dag.doc_md)
    assert len(dag.description) > 20
    assert dag.catchup is False
    assert dag.max_active_runs <= 2
    for name in dag.params:
        param = dag.params.get_param(name)
        assert param.description
        assert param.value is None or param.schema.get("format") != "date"  # a fixed date is soon an old one


@pytest.mark.parametrize("dag_id", DAGS)
def test_a_task_has_an_owner_a_limit_and_tells_of_its_failure(dag_bag: Any, dag_id: str) -> None:
    for task in dag_bag.dags[dag_id].tasks:
        assert task.owner == "data-engineering"
        assert task.execution_timeout is not None or getattr(task, "timeout", None)
        assert task.on_failure_callback
        assert task.retries >= 1  # whatever kills a worker must not end a run
        assert isinstance(task.retry_policy, RetryUnlessFinal)


def test_of_a_backfill_no_two_sessions_write_a_table_at_once(dag_bag: Any) -> None:
    """A backfill runs as many sessions side by side as it is told, whatever the DAG's own limit of runs."""
    assert {task.max_active_tis_per_dag for task in dag_bag.dags["daily_rollup"].tasks} == {1}


@pytest.mark.parametrize("dag_id", DAGS)
def test_a_dag_comes_back_from_the_database(dag_bag: Any, dag_id: str) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    found = DagSerialization.from_dict(DagSerialization.to_dict(dag_bag.dags[dag_id]))
    assert found.timetable.summary
    assert [task.task_id for task in found.tasks] == [task.task_id for task in dag_bag.dags[dag_id].tasks]


def test_each_curated_table_is_an_asset() -> None:
    assert tuple(CURATED) == rollup.CURATED


def test_the_assets_link_the_dags(dag_bag: Any) -> None:
    told = {
        (dag_id, asset.name) for dag_id, dag in dag_bag.dags.items() for task in dag.tasks for asset in task.outlets
    }
    assert told == {
        ("anomaly_report", "trading_weeks"),
        ("crawl_raw_data", "raw_quotes"),
        ("daily_rollup", "minute_bars"),
        ("daily_rollup", "anomalies"),
        ("daily_rollup", "daily_summary"),
        ("history_backfill", "daily_history"),
    }


def test_reading_all_dags_asks_nobody_and_imports_nothing_heavy() -> None:
    program = f"""
import socket, sys
def refuse(*arguments, **named): raise AssertionError("a DAG file went to the network")
socket.socket.connect = refuse
import airflow.sdk
from airflow.providers.amazon.aws.operators import athena, glue_crawler
before = set(sys.modules)
from pathlib import Path
for path in sorted(Path({str(ROOT / "dags")!r}).glob("*.py")):
    exec(compile(path.read_text(), path.name, "exec"), {{"__name__": path.stem, "__doc__": "x"}})
heavy = set({HEAVY!r}) & (set(sys.modules) - before)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_dags_md_is_what_the_docstrings_say(dag_bag: Any) -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == render(dag_bag), "write it anew: python -m tests.dags.documentation"


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (NotASessionError("XNYS does not trade on 2025-11-27"), True),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "StartQueryExecution"), True),
        (ClientError({"Error": {"Code": "ValidationError"}}, "DescribeStacks"), True),  # no such stack
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "GetPartitions"), False),
        (ClientError({"Error": {"Code": "InternalServerException"}}, "GetPartitions"), False),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), False),
        (StatementFailedError("FAILED", "HIVE_BAD_DATA: Error parsing field value", "1"), True),
        (StatementFailedError("FAILED", "ICEBERG_VACUUM_MORE_RUNS_NEEDED: run it again", "1"), False),
        (RuntimeError("Final state of Athena job is FAILED. Error: INVALID_CAST_ARGUMENT: Could not cast"), True),
        (RuntimeError("Final state of Athena job is FAILED. Error: ICEBERG_COMMIT_ERROR: Failed to commit"), False),
        (json.JSONDecodeError("Expecting value", "<html>", 0), False),  # an answer cut off
        (TimeoutError("after 1800 s"), False),
    ],
)
def test_what_another_try_would_find_unchanged_is_not_tried_again(error: Exception, final: bool) -> None:
    assert is_final(error) is final
    decision = RetryUnlessFinal().evaluate(error, 1, 2)
    assert decision.action == (RetryAction.FAIL if final else RetryAction.DEFAULT)
