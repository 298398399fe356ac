"""What `tapeline up` gives Airflow: secrets of its own, a log-in, and a past session to work on."""

from __future__ import annotations

import json
import stat
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from producer.simulated import SimulatedMarket
from tapeline.aws import local
from tapeline.deploy.stack import StackOutputs
from tapeline.laptop import airflow
from tapeline.laptop.past_trading import PastTrading, missing_sessions
from tapeline.market import sessions
from tapeline.stream.keys import raw_key
from tapeline.stream.source import Counters
from tests.dags.conftest import Deployment

OUTPUTS = StackOutputs(**dict.fromkeys(StackOutputs.__slots__, "x") | {"region": "us-east-1"})


class Never:
    def is_set(self) -> bool:
        return False


def settings(home: Path) -> dict[str, str]:
    return airflow.settings(home, local.Credentials("AKIA", "secret"), OUTPUTS)


def test_secrets_are_made_once_for_each_installation_and_read_by_nobody_else(tmp_path: Path) -> None:
    first, again, other = settings(tmp_path / "a"), settings(tmp_path / "a"), settings(tmp_path / "b")
    assert first == again
    for name in ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__CORE__FERNET_KEY"):
        assert first[name] != other[name]
    assert len(first["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 64
    for name in ("secrets.json", "passwords.json"):
        assert stat.S_IMODE((tmp_path / "a" / "airflow" / name).stat().st_mode) == 0o600


def test_an_admin_and_a_viewer_log_in_with_passwords_of_their_own(tmp_path: Path) -> None:
    found = settings(tmp_path)
    passwords = airflow.passwords(tmp_path)
    assert found["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "admin:admin,viewer:viewer"
    assert json.loads(Path(found["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).read_text()) == passwords
    assert passwords["admin"] != passwords["viewer"]
    assert found["AIRFLOW__API__HOST"] == "127.0.0.1"


def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPELINE_AIRFLOW_PORT", "http")
    with pytest.raises(ValueError, match="found 'http'"):
        airflow.port()


def test_past_trading_covers_a_session_and_the_one_under_way_until_now() -> None:
    now = datetime(2025, 12, 1, 15, 0, tzinfo=UTC)  # 10:00 in New York
    half_day, monday = sessions.session(date(2025, 11, 28)), sessions.session(date(2025, 12, 1))
    trading = PastTrading(SimulatedMarket(["ACME.SIM"]), [half_day, monday], now)
    quotes = list(trading.quotes(Counters(), Never()))  # type: ignore[arg-type]
    assert len(quotes) == trading.total == (30 + 210 + 30) + (30 + 30)
    assert [quotes[0].timestamp, quotes[269].timestamp] == ["2025-11-28T14:00:00Z", "2025-11-28T18:29:00Z"]
    assert [quotes[270].timestamp, quotes[-1].timestamp] == ["2025-12-01T14:00:00Z", "2025-12-01T14:59:00Z"]


def test_only_sessions_without_quotes_are_made_up(deployment: Deployment) -> None:
    def missing(now: str) -> list[str]:
        moment = datetime.fromisoformat(now)
        return [one.key for one in missing_sessions(deployment.session, deployment.outputs, moment)]

    # The deployment has quotes of 2025-11-26 and 2025-11-28 alone.
    assert missing("2025-11-30T12:00:00+00:00") == []
    assert missing("2025-12-01T15:00:00+00:00") == ["2025-12-01"]
    assert missing("2025-11-26T12:00:00+00:00") == ["2025-11-25"]
    assert missing("2025-12-02T21:10:00+00:00") == ["2025-12-01", "2025-12-02"]


def test_quotes_of_the_evening_alone_are_no_session(deployment: Deployment) -> None:
    key = raw_key(datetime(2025, 12, 4, 0, 30, tzinfo=UTC), "shard-1", "7")  # 19:30 in New York
    deployment.session.client("s3").put_object(Bucket=deployment.outputs.bucket_name, Key=key, Body=b"")
    evening = datetime(2025, 12, 4, 1, 0, tzinfo=UTC)
    assert [one.key for one in missing_sessions(deployment.session, deployment.outputs, evening)] == ["2025-12-03"]
