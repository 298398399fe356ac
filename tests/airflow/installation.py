"""Write installation.sql.gz: Airflow's database of an installation of commit 0ac0a25, before any update.

In an environment with that commit's requirements.lock:

    git archive 0ac0a25 | tar -x -C OLD
    python tests/airflow/installation.py OLD

Every step is Airflow's own, with the DAGs, plugins and modules of OLD; the folder OLD reads ``/opt/tapeline`` in it.
"""

from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

DATABASE = Path(__file__).with_name("installation.sql.gz")
FOLDER = "/opt/tapeline"

RUNS = """
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.assets.manager import AssetManager
from airflow.models.asset import AssetModel
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from airflow.utils.sqlalchemy import prohibit_commit
from sqlalchemy import select

with create_session() as session, prohibit_commit(session) as guard:
    SchedulerJobRunner(Job())._create_dagruns_for_dags(guard, session)
    guard.commit()
with create_session() as session:
    done = select(DagRun).where(DagRun.dag_id == "daily_rollup", DagRun.partition_key == "2025-11-24")
    run = session.scalars(done).one()
    run.state = "success"
    for task in run.get_task_instances(session=session):
        task.state = "success"
    for name in ("daily_summary", "trading_weeks"):
        asset = session.scalars(select(AssetModel).where(AssetModel.name == name)).one()
        AssetManager.register_asset_change(asset=asset, partition_key="2025-11-24", session=session)
"""


def settings(home: Path, checkout: Path) -> dict[str, str]:
    """Return the environment of an Airflow whose database is in a folder, with the DAGs and plugins of a checkout."""
    return {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(checkout / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(checkout / "plugins"),
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }


def main(old: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        environment = {**settings(home, old), "PYTHONPATH": os.pathsep.join([str(old / "src"), str(old)])}
        week = ["--from-date", "2025-11-24", "--to-date", "2025-11-26"]
        for arguments in (
            ["-m", "airflow", "db", "migrate"],
            ["-m", "airflow", "dag-processor", "--num-runs", "1"],
            ["-m", "airflow", "backfill", "create", "--dag-id", "daily_rollup", *week],
            ["-m", "airflow", "dags", "trigger", "history_backfill", "--conf", '{"symbols": ["AAPL"]}'],
            ["-c", RUNS],
        ):
            subprocess.run([sys.executable, *arguments], env=environment, cwd=old, check=True)
        connection = sqlite3.connect(home / "airflow.db")
        connection.execute("DELETE FROM log")  # who ran this, and where
        connection.execute("DELETE FROM job")
        connection.commit()
        text = "\n".join(connection.iterdump()).replace(str(old), FOLDER)
    DATABASE.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
