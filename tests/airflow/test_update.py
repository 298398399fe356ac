"""An installation of the commit before 0.2.0, with Airflow's database as it left it, goes on with today's code."""

from __future__ import annotations

import gzip
import json
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tapeline.aws import local
from tapeline.desk.lights import DAGS
from tests.airflow.installation import DATABASE, FOLDER, settings
from tests.stack import LocalDeployment, mail_to, subscribe

ROOT = Path(__file__).parents[2]
OPERATOR = "operator@example.com"

PRELUDE = """
import json, logging
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models import DagModel, DagRun
from airflow.models.callback import Callback
from airflow.models.deadline import Deadline
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.session import create_session
from sqlalchemy import select

logging.disable()

def name(thing):
    return f"{type(thing).__module__}.{type(thing).__qualname__}"

def tick(session):
    "What the scheduler does in a round, up to handing tasks to workers."
    from airflow.utils.sqlalchemy import prohibit_commit

    runner = SchedulerJobRunner(Job())
    with prohibit_commit(session) as guard:
        runner._create_dagruns_for_dags(guard, session)
        runner._start_queued_dagruns(session)
        guard.commit()
        runs = list(DagRun.get_running_dag_runs_to_examine(session=session))
        runner._schedule_all_dag_runs(guard, runs, session)
"""

READ_DAGS = """
from datetime import UTC, datetime
with create_session() as session:
    versions = [stored.dag for stored in session.scalars(select(SerializedDagModel))]
    names = {dag.dag_id for dag in versions}
    newest = {dag_id: SerializedDagModel.get_dag(dag_id, session=session) for dag_id in names}
    reports = ("anomaly_report", "weekly_report")
    mappers = {dag_id: newest[dag_id].timetable.default_partition_mapper for dag_id in reports}
    stored = [*(dag.timetable for dag in newest.values()), *mappers.values()]
    days = {"earliest": datetime(2025, 11, 24, tzinfo=UTC), "latest": datetime(2025, 11, 30, tzinfo=UTC)}
    answer = {
        "tasks": {dag.dag_id: len(dag.tasks) for dag in versions},
        "ours": sorted({path for path in map(name, stored) if path.startswith("tapeline.")}),
        "week": [run.partition_key for run in newest["daily_rollup"].timetable.iter_partition_dagrun_infos(**days)],
        "keys": {dag_id: mapper.to_downstream("2025-11-28") for dag_id, mapper in mappers.items()},
        "callbacks": sorted({
            alert.callback_def["__data__"]["path"]
            for dag_id in newest
            for alert in SerializedDagModel.get(dag_id, session=session).deadline_alerts
        }),
    }
"""

TICK = """
def due(session):
    dags = session.scalars(select(DagModel).where(DagModel.next_dagrun_create_after.is_not(None)))
    return {dag.dag_id: dag.next_dagrun_create_after.isoformat() for dag in dags}

with create_session() as session:
    answer = {"due_before": due(session)}
    tick(session)
with create_session() as session:
    found = session.scalars(select(DagRun).order_by(DagRun.id))
    answer["runs"] = [[run.dag_id, str(run.run_type), run.partition_key, str(run.state)] for run in found]
    answer["due_after"] = due(session)
"""

MISS_DEADLINES = """
import structlog
from airflow.sdk.execution_time.callback_supervisor import execute_callback

with create_session() as session:
    for deadline in session.scalars(select(Deadline).where(Deadline.missed.is_(False))):
        deadline.handle_miss(session=session)
with create_session() as session:
    answer = []
    for callback in session.scalars(select(Callback).order_by(Callback.id)):
        done = execute_callback(callback.data["path"], callback.data["kwargs"], "", None, structlog.get_logger())
        answer.append([callback.data["dag_id"], callback.data["path"], *done])
"""


class Installation:
    """Airflow on the database that the commit before has left, each step in a process of its own."""

    def __init__(self, home: Path, aws: LocalDeployment) -> None:
        owner = json.loads((aws.local.folder / "credentials.json").read_text())
        aws_default = {
            "conn_type": "aws",
            "login": owner["access_key_id"],
            "password": owner["secret_access_key"],
            "extra": {
                "region_name": local.REGION,
                "endpoint_url": aws.local.endpoint,
                "config_kwargs": {"proxies": {}},
            },
        }
        self.environment = {**settings(home, ROOT), "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws_default)}
        connection = sqlite3.connect(home / "airflow.db")
        connection.executescript(gzip.decompress(DATABASE.read_bytes()).decode().replace(FOLDER, str(ROOT)))
        connection.close()
        self.airflow("db", "migrate")  # as `tapeline up` and a server's start do

    def airflow(self, *arguments: str) -> None:
        self._run("-m", "airflow", *arguments)

    def ask(self, program: str) -> Any:
        """Return what a program with Airflow in its hands says is the answer."""
        return json.loads(self._run("-c", f"{PRELUDE}\n{program}\nprint(json.dumps(answer))").splitlines()[-1])

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
        return done.stdout


@pytest.fixture(scope="module")
def installation(deployment: LocalDeployment, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    subscribe(deployment, deployment.outputs.operations_topic_arn, OPERATOR, {})
    return Installation(tmp_path_factory.mktemp("airflow"), deployment)


def test_what_is_stored_is_read_before_the_dag_processor_has_run(installation: Installation) -> None:
    dags = installation.ask(READ_DAGS)
    assert sorted(dags["tasks"]) == list(DAGS)
    assert dags["ours"] == [
        "tapeline.timetables.TradingHoursTimetable",
        "tapeline.timetables.TradingSessionMapper",
        "tapeline.timetables.TradingSessionTimetable",
        "tapeline.timetables.TradingWeekMapper",
    ]
    assert dags["week"] == ["2025-11-24", "2025-11-25", "2025-11-26", "2025-11-28"]
    assert dags["keys"] == {"anomaly_report": "2025-11-28", "weekly_report": "2025-11-24"}
    assert dags["callbacks"] == ["tapeline.orchestration.tell_late"]


def test_the_scheduler_starts_what_waited_and_knows_what_is_due_next(installation: Installation) -> None:
    round_ = installation.ask(TICK)
    assert ["daily_rollup", "backfill", "2025-11-24", "success"] in round_["runs"]
    assert ["daily_rollup", "backfill", "2025-11-25", "running"] in round_["runs"]
    assert ["anomaly_report", "asset_triggered", "2025-11-24"] in [run[:3] for run in round_["runs"]]
    assert ["weekly_report", "asset_triggered", "2025-11-24"] in [run[:3] for run in round_["runs"]]
    assert set(round_["due_after"]) == set(round_["due_before"]) >= {"crawl_raw_data", "daily_rollup", "feed_watchdog"}
    assert all(round_["due_after"][dag_id] >= moment for dag_id, moment in round_["due_before"].items())


def test_a_deadline_that_was_set_before_is_told_if_it_is_missed(
    installation: Installation, deployment: LocalDeployment
) -> None:
    calls = installation.ask(MISS_DEADLINES)
    assert {tuple(call[1:]) for call in calls} == {("tapeline.orchestration.tell_late", True, None)}
    subjects = Counter(message.subject for message in mail_to(deployment, OPERATOR))
    assert subjects["daily_rollup is late"] == 1  # the scheduled run; three of a backfill wait for each other
    assert subjects["crawl_raw_data is late"] == subjects["feed_watchdog is late"] == 1


def test_the_dag_processor_stores_todays_names_and_the_runs_of_before_go_on(installation: Installation) -> None:
    installation.airflow("dag-processor", "--num-runs", "1")
    dags = installation.ask(READ_DAGS)
    assert sorted(dags["tasks"]) == list(DAGS)
    assert dags["ours"] == [
        "tapeline.airflow.timetables.TradingHoursTimetable",
        "tapeline.airflow.timetables.TradingSessionMapper",
        "tapeline.airflow.timetables.TradingSessionTimetable",
        "tapeline.airflow.timetables.TradingWeekMapper",
    ]
    assert dags["callbacks"] == ["tapeline.airflow.trouble.tell_late"]
    round_ = installation.ask(TICK)
    assert ["daily_rollup", "backfill", "2025-11-25", "running"] in round_["runs"]
    assert ["weekly_report", "asset_triggered", "2025-11-24", "running"] in round_["runs"]
