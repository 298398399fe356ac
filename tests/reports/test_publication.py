"""Reports from a real lake on the local AWS: rows, page, mail, and a second run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from localaws.mail import Message
from tapeline.market.sessions import NotASessionError
from tapeline.reports import lake_report, publication
from tests.sql.lakes import AthenaLake
from tests.stack import LocalDeployment, link_in, mail_to, objects, open_page, subscribe

Read = Callable[[], list[Message]]


@pytest.fixture(scope="module")
def messages(deployment: LocalDeployment) -> Read:
    """Return what reached a reader's mailbox since the last look; its filter lets warnings of anomaly reports in."""
    wanted = {"kind": ["anomaly_report"], "severity": ["warning"]}
    subscribe(deployment, deployment.outputs.alert_topic_arn, "reports@example.com", wanted)
    seen = len(mail_to(deployment, "reports@example.com"))

    def read() -> list[Message]:
        nonlocal seen
        result = mail_to(deployment, "reports@example.com")[seen:]
        seen += len(result)
        return result

    return read


def test_a_session_is_reported_from_its_tables(deployment: LocalDeployment, lake: AthenaLake) -> None:
    result = lake_report.anomaly_report(deployment, "2025-11-28")
    assert [(mover.symbol, mover.change_pct) for mover in result.market.top] == [
        ("XOM", Decimal("5.88")),
        ("AAPL", Decimal("2.67")),
    ]
    assert [(one.symbol, one.phase, one.peak_change_pct, one.usual_move_pct) for one in result.anomalies] == [
        ("AAPL", "pre", Decimal("5.88"), Decimal("2.01")),
        ("XOM", "regular", Decimal("5.88"), Decimal("1.98")),
    ]
    assert (result.market.symbols, result.traffic.quotes) == (2, 10)
    assert (result.quality.coverage.minutes, result.quality.coverage.expected_minutes) == (6, 630)
    assert result.sources == ("replay",)
    assert result.half_days == result.sessions
    cost = {line.name: line.quantity for line in result.cost}
    assert cost["Kinesis, records in and out"] == 10
    assert cost["Kinesis, the stream"] == 24
    assert cost["Athena, scanned"] >= 5 * 10  # five queries of ten megabytes at the least


def test_a_day_without_a_session_has_no_report(deployment: LocalDeployment, lake: AthenaLake) -> None:
    with pytest.raises(NotASessionError):
        lake_report.anomaly_report(deployment, "2025-11-27")


def test_a_report_is_sent_once_for_what_it_says(deployment: LocalDeployment, lake: AthenaLake, messages: Read) -> None:
    messages()
    first = publication.send_anomaly_report(deployment, "2025-11-28")
    assert first.sent
    assert first.key == "reports/dt=2025-11-28/anomaly-report.html"
    assert first.key in objects(deployment, "reports/")

    again = publication.send_anomaly_report(deployment, "2025-11-28")
    assert not again.sent
    (message,) = messages()
    assert message.subject == "[replay] Fri 28 Nov 2025, half day: 2 anomalies, market +4.28%"
    status, page = open_page(link_in(message))
    assert status == 200
    assert "2 anomalies, market +4.28%" in page

    deployment.client("s3").delete_object(Bucket=deployment.outputs.bucket_name, Key=first.key)
    assert publication.send_anomaly_report(deployment, "2025-11-28").sent  # a lost page is written again
    assert publication.send_anomaly_report(deployment, "2025-11-28", again=True).sent
    assert [one.subject.count("Corrected") for one in messages()] == [0, 0]


def test_changed_figures_are_sent_as_a_correction(
    deployment: LocalDeployment, lake: AthenaLake, messages: Read
) -> None:
    result = lake_report.anomaly_report(deployment, "2025-11-26")
    publication.publish(deployment, result)
    messages()
    publication.publish(deployment, replace(result, market=replace(result.market, up=result.market.up + 1)))
    (message,) = messages()
    assert message.subject.startswith("[replay] Corrected: Wed 26 Nov 2025")


def test_a_run_that_dies_before_the_memory_sends_once_more(
    deployment: LocalDeployment, lake: AthenaLake, messages: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = lake_report.anomaly_report(deployment, "2025-11-26")
    result = replace(result, market=replace(result.market, up=12345))
    messages()
    with monkeypatch.context() as patch:
        patch.setattr(deployment.client("dynamodb"), "put_item", _die)
        with pytest.raises(InterruptedError):
            publication.publish(deployment, result)
    assert publication.publish(deployment, result).sent
    assert not publication.publish(deployment, result).sent
    assert len(messages()) == 2


def test_a_week_is_reported_whole_whichever_of_its_days_is_named(deployment: LocalDeployment, lake: AthenaLake) -> None:
    result = lake_report.weekly_report(deployment, "2025-11-28")
    assert [session.day for session in result.sessions] == [24, 25, 26, 28]
    assert [(day.session.day, day.anomalies) for day in result.days] == [(24, 0), (25, 0), (26, 2), (28, 2)]
    assert next(line.quantity for line in result.cost if line.unit == "hours") == 5 * 24


def test_a_week_waits_for_its_sessions_unless_it_was_reported_before(
    deployment: LocalDeployment, lake: AthenaLake
) -> None:
    def waits(day: str) -> list[str]:
        return publication.waits_for(deployment, day)

    published = publication.published_sessions(deployment)
    assert (max(published), publication.newest_week(published)) == (date(2025, 11, 28), date(2025, 11, 17))
    remembered = {"key": {"S": f"{publication.MEMORY_PREFIX}weekly_report#2025-11-28"}}  # by another test, perhaps
    deployment.client("dynamodb").delete_item(TableName=deployment.outputs.state_table_name, Key=remembered)
    assert waits("2025-11-26") == ["2025-11-25"]
    assert waits("2025-11-19") == []
    assert waits("2025-12-03") == ["2025-12-01", "2025-12-02", "2025-12-03", "2025-12-04", "2025-12-05"]
    publication.send_weekly_report(deployment, "2025-12-03")
    assert waits("2025-12-03") == []


def _die(**_: Any) -> None:
    raise InterruptedError
