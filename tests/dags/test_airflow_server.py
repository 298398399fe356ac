"""The real api-server with the laptop's log-in: who may look, who may start, what a backfill and an event come to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from localaws.testing import free_port
from tapeline.aws import local
from tapeline.desk.lights import DAGS
from tapeline.desk.triggers import TRIGGERS
from tapeline.laptop import airflow
from tapeline.market.sessions import is_session
from tests.airflow_home import HOME
from tests.dags.conftest import scheduled, wait_until

THANKSGIVING = [
    ("2025-11-24", "2025-11-24T21:30:00Z"),
    ("2025-11-25", "2025-11-25T21:30:00Z"),
    ("2025-11-26", "2025-11-26T21:30:00Z"),
    ("2025-11-28", "2025-11-28T18:30:00Z"),  # half an hour after 13:00 in New York
    ("2025-12-01", "2025-12-01T21:30:00Z"),
    ("2025-12-02", "2025-12-02T21:30:00Z"),
    ("2025-12-03", "2025-12-03T21:30:00Z"),
]

OPEN_TO_ALL = {
    "/api/v2/monitor/health": "for load balancers: it says what is alive and nothing else",
    "/api/v2/version": "Airflow's version",
    "/api/v2/auth/login": "leads to the log-in",
    "/api/v2/auth/logout": "forgets who asked, and leads to the log-in",
}
"""What answers without a token, and why that does no harm."""


@dataclass
class Server:
    address: str
    passwords: dict[str, str]
    environment: dict[str, str]

    def ask(
        self, path: str, user: str = "", method: str = "GET", body: Any = None, *, token: str = "", **more: str
    ) -> tuple[int, Any]:
        """Return the status and the body of an answer; more headers may be given."""
        headers = {"Content-Type": "application/json", **{name.replace("_", "-"): text for name, text in more.items()}}
        if user or token:
            headers["Authorization"] = f"Bearer {token or self._token(user)}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, headers, method=method)  # noqa: S310
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode(errors="replace")

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(f"/api/v2/dags/{dag_id}/dagRuns?limit=100", "admin")[1]["dag_runs"]
        return found

    def operations(self) -> list[tuple[str, str]]:
        """Return method and path of everything the API has, something in place of each parameter."""
        paths = self.ask("/openapi.json", "admin")[1]["paths"]
        return [(method.upper(), re.sub(r"\{.*?\}", "1", path)) for path, known in paths.items() for method in known]

    def _token(self, user: str) -> str:
        log_in = {"username": user, "password": self.passwords[user]}
        return str(self.ask("/auth/token", method="POST", body=log_in)[1]["access_token"])


@pytest.fixture(scope="module")
def server(stored_dags: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The api-server as `tapeline up` starts it, on the tests' database, which has the DAGs and no scheduler."""
    home = tmp_path_factory.mktemp("laptop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPELINE_AIRFLOW_PORT", str(free_port()))
        settings = airflow.settings(home, local.Credentials("AKIA", "secret"))
        address = airflow.address()
    settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{HOME}/airflow.db"
    airflow.note(home, settings)
    environment = {**os.environ, **settings, "TAPELINE_HOME": str(home)}
    found = Server(address, airflow.passwords(home), environment)
    command = [sys.executable, "-m", "airflow", "api-server"]
    with (home / "api-server.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: _answers(found, process), "the api-server")
        yield found
    finally:
        process.terminate()
        process.wait(timeout=30)


def _answers(server: Server, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the api-server has ended"
    try:
        return server.ask("/api/v2/monitor/health")[0] == 200
    except OSError:
        return False


def test_nothing_but_the_log_in_answers_without_a_token(server: Server) -> None:
    operations = server.operations()
    assert len(operations) > 100
    answers = {(method, path): server.ask(path, method=method)[0] for method, path in operations}
    assert {path for (_, path), status in answers.items() if status != 401} == set(OPEN_TO_ALL)
    assert server.ask("/ui/dags")[0] == 401
    assert server.ask("/ui/config")[0] == 401


def test_a_wrong_password_or_token_is_none(server: Server) -> None:
    log_in = {"username": "viewer", "password": server.passwords["admin"]}
    assert server.ask("/auth/token", method="POST", body=log_in)[0] == 401
    assert server.ask("/api/v2/dags", token="made.up.token")[0] in (401, 403)


def test_a_viewer_sees_every_dag_and_starts_changes_and_deletes_nothing(server: Server) -> None:
    status, listed = server.ask("/api/v2/dags", "viewer")
    assert (status, sorted(dag["dag_id"] for dag in listed["dags"])) == (200, list(DAGS))
    assert server.ask("/api/v2/dags/daily_rollup/dagRuns", "viewer")[0] == 200
    one = {"logical_date": None, "partition_key": "2025-11-26"}
    span = {"dag_id": "daily_rollup", "from_date": "2025-11-24T00:00:00Z", "to_date": "2025-12-03T00:00:00Z"}
    for method, path, body in (
        ("POST", "/api/v2/dags/daily_rollup/dagRuns", one),
        ("POST", "/api/v2/dags/daily_rollup/clearTaskInstances", {"dry_run": False}),
        ("POST", "/api/v2/backfills", span),
        ("PATCH", "/api/v2/dags/daily_rollup", {"is_paused": True}),
        ("DELETE", "/api/v2/dags/daily_rollup", None),
        ("POST", "/api/v2/variables", {"key": "a", "value": "b"}),
        ("POST", "/api/v2/connections", {"connection_id": "a", "conn_type": "aws"}),
    ):
        assert server.ask(path, "viewer", method, body)[0] == 403, path
    assert server.runs("daily_rollup") == []


@pytest.mark.parametrize(
    ("dag_id", "key", "reason"),
    [
        (
            "daily_rollup",
            "2025-11-27",
            "does not trade on 2025-11-27 (Thursday); the sessions around it are 2025-11-26",
        ),
        ("anomaly_report", "2025-11-29", "the sessions around it are 2025-11-28 and 2025-12-01"),
        ("daily_rollup", "foo", "expected the date of a session such as"),
        ("anomaly_report", "foo", "expected the date of a session such as"),
        ("weekly_report", "foo", "expected the date of a session such as"),
    ],
)
def test_a_key_that_names_no_session_is_refused_with_the_reason(
    server: Server, dag_id: str, key: str, reason: str
) -> None:
    run = {"logical_date": None, "partition_key": key}
    status, answer = server.ask(f"/api/v2/dags/{dag_id}/dagRuns", "admin", "POST", run)
    assert status == 400
    assert reason in json.dumps(answer)


def test_a_backfill_over_thanksgiving_by_form_or_command_makes_seven_runs(server: Server) -> None:
    form = {
        "dag_id": "daily_rollup",
        "from_date": "2025-11-24T00:00:00.000Z",
        "to_date": "2025-12-03T00:00:00.000Z",
        "max_active_runs": 1,
        "reprocess_behavior": "none",
        "run_backwards": False,
        "dag_run_conf": {"min_completeness_pct": 90, "max_change_pct": 50, "threshold_pct": 5},
    }
    status, made = server.ask("/api/v2/backfills", "admin", "POST", form)
    assert status == 200
    by_form = server.runs("daily_rollup")
    assert sorted((run["partition_key"], run["run_after"]) for run in by_form) == THANKSGIVING
    assert server.ask(f"/api/v2/backfills/{made['id']}/cancel", "admin", "PUT")[0] == 200

    dates = ["--from-date", "2025-11-24", "--to-date", "2025-12-03", "--reprocess-behavior", "failed"]
    command = [sys.executable, "-m", "tapeline.cli.main", "airflow", "backfill", "create", "--dag-id", "daily_rollup"]
    done = subprocess.run(
        [*command, *dates], env=server.environment, cwd=Path(__file__).parents[2], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    known = {run["dag_run_id"] for run in by_form}
    by_command = [run for run in server.runs("daily_rollup") if run["dag_run_id"] not in known]
    assert sorted((run["partition_key"], run["run_after"]) for run in by_command) == THANKSGIVING


def test_a_session_starts_its_report_and_a_week_is_started_as_often_as_it_is_told(server: Server) -> None:
    """2024-11-28 is Thanksgiving. Nothing may be left waiting: Airflow would keep it so for ever."""
    assets = {asset["name"]: asset["id"] for asset in server.ask("/api/v2/assets", "admin")[1]["assets"]}
    started = []
    for asset, key in (
        ("daily_summary", "2024-11-29"),
        ("daily_summary", "2024-11-25"),
        ("daily_summary", "2024-11-25"),
        ("trading_weeks", "2024-11-25"),
        ("trading_weeks", "2024-11-29"),  # a day of the same week
        ("daily_summary", "2024-11-28"),  # no session: starts nothing
    ):
        event = {"asset_id": assets[asset], "partition_key": key}
        assert server.ask("/api/v2/assets/events", "admin", "POST", event)[0] == 200
        assert scheduled() == []
        runs = [
            sorted(run["partition_key"] for run in server.runs(dag_id))
            for dag_id in ("anomaly_report", "weekly_report")
        ]
        started.append(runs)
    assert started == [
        [["2024-11-29"], []],
        [["2024-11-25", "2024-11-29"], []],
        [["2024-11-25", "2024-11-25", "2024-11-29"], []],
        [["2024-11-25", "2024-11-25", "2024-11-29"], ["2024-11-25"]],
        [["2024-11-25", "2024-11-25", "2024-11-29"], ["2024-11-25", "2024-11-25"]],
        [["2024-11-25", "2024-11-25", "2024-11-29"], ["2024-11-25", "2024-11-25"]],
    ]


def test_a_half_filled_week_of_an_installation_before_is_cleared_away(stored_dags: Any) -> None:
    from airflow.models.asset import AssetPartitionDagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        waiting = {"mappers": "a window of sessions, as weekly_report had it"}
        session.add(
            AssetPartitionDagRun(target_dag_id="weekly_report", partition_key="2024-11-18", rollup_fingerprint=waiting)
        )
    assert scheduled() == []


def test_the_market_desk_starts_dags_for_whom_airflow_lets_and_notes_who_it_was(server: Server) -> None:
    def start(dag_id: str, user: str, **headers: str) -> tuple[int, Any]:
        return server.ask(f"/market-desk/api/dags/{dag_id}/trigger", user, "POST", {}, **headers)

    ours = {"X_Requested_With": "market-desk"}
    started = {}
    for dag_id in TRIGGERS:
        assert start(dag_id, "", **ours)[0] == 401
        assert start(dag_id, "viewer", **ours)[0] == 403
        assert start(dag_id, "admin")[0] == 403  # as another site's page would ask
        status, answer = start(dag_id, "admin", **ours)
        assert status == 201, (dag_id, answer)
        (run,) = [run for run in server.runs(dag_id) if run["dag_run_id"] == answer["run_id"]]
        assert (run["triggering_user_name"], run["note"]) == ("admin", "Started from the market desk.")
        assert answer["dry_run"] == run["conf"].get("dry_run", False)
        started[dag_id] = run
    assert started["repair_partitions"]["conf"]["dry_run"] is True
    assert started["redrive_rejected"]["conf"]["dry_run"] is True
    assert is_session(date.fromisoformat(started["daily_rollup"]["partition_key"]))
    told = server.ask("/api/v2/eventLogs?event=trigger_dag_run&limit=100", "admin")[1]["event_logs"]
    assert {(entry["dag_id"], entry["owner"]) for entry in told} >= {(dag_id, "admin") for dag_id in TRIGGERS}


def test_the_market_desk_is_for_those_who_have_logged_in(server: Server) -> None:
    for path in ("", "static/desk.js", "api/me", "api/quotes", "api/stream", "api/health", "reports/2025-11-28/a.html"):
        assert server.ask(f"/market-desk/{path}")[0] == 401
    assert server.ask("/market-desk/api/me", "viewer") == (200, {"user": "viewer", "may_trigger": False})
    assert server.ask("/market-desk/api/me", "admin") == (200, {"user": "admin", "may_trigger": True})
    plugins = server.ask("/api/v2/plugins", "admin")[1]["plugins"]
    (desk,) = [plugin for plugin in plugins if plugin["name"] == "market_desk"]
    assert [view["destination"] for view in desk["react_apps"]] == ["dashboard", "dag"]
    assert server.ask("/api/v2/plugins/importErrors", "admin")[1]["total_entries"] == 0


@pytest.mark.parametrize("dag_id", DAGS)
def test_a_plain_trigger_of_the_form_is_taken(server: Server, dag_id: str) -> None:
    """What it does without a key and dates is told by the runs of test_rollup_and_reports."""
    for logical_date in (None, "2025-12-01T15:00:00Z"):
        form: dict[str, Any] = {"logical_date": logical_date, "conf": {}}
        status, run = server.ask(f"/api/v2/dags/{dag_id}/dagRuns", "admin", "POST", form)
        assert (status, run.get("partition_key")) == (200, None), run
