"""Reports to the bucket and to people: put the page, send one mail, remember it; and which report is due."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from tapeline.aws import notify
from tapeline.aws.deployment import Deployment
from tapeline.lake import athena, sql_files
from tapeline.market import sessions
from tapeline.reports.lake_report import anomaly_report, weekly_report
from tapeline.reports.mail import subject, text
from tapeline.reports.page import page
from tapeline.reports.report import Report
from tapeline.stream.keys import REPORTS_PREFIX

MEMORY_PREFIX = "report#"
MEMORY = timedelta(days=400)
"""How long it is remembered that a report was sent."""

LINK_LIFE = timedelta(days=7)
"""The longest a signed link may live (S3 User Guide, "Sharing objects with presigned URLs")."""


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a report: its page's key in the bucket, whether a mail was sent now, and one line for a log."""

    key: str
    sent: bool
    summary: str


def send_anomaly_report(deployment: Deployment, session: str, *, again: bool = False) -> Published:
    """Write and send the report of one session, ``YYYY-MM-DD``; see `publish`."""
    return publish(deployment, anomaly_report(deployment, session), again=again)


def send_weekly_report(deployment: Deployment, day: str, *, again: bool = False) -> Published:
    """Write and send the report of the trading week of a date, ``YYYY-MM-DD``; see `publish`."""
    return publish(deployment, weekly_report(deployment, day), again=again)


def published_sessions(deployment: Deployment) -> list[date]:
    """Return the sessions that `daily_summary` has, the newest first, of the last two years with any."""
    statement = sql_files.load("desk/sessions").render({"symbol": ""})
    return [row["session"] for row in athena.query(deployment, statement)]


def newest_week(published: Iterable[date]) -> date | None:
    """Return the Monday of the newest week of which all sessions are published; else of the newest with one, or None.

    >>> newest_week(date(2025, 12, day) for day in (1, 2, 3, 4, 5, 8))
    datetime.date(2025, 12, 1)
    >>> newest_week([date(2025, 12, 9)])
    datetime.date(2025, 12, 8)
    """
    days = set(published)
    mondays = sorted({day - timedelta(days=day.weekday()) for day in days}, reverse=True)
    whole = (monday for monday in mondays if all(session.day in days for session in sessions.week(monday)))
    return next(whole, mondays[0] if mondays else None)


def waits_for(deployment: Deployment, day: str) -> list[str]:
    """Return the sessions that the report of a date's week still waits for, as ``YYYY-MM-DD``.

    A week waits for nothing once all its sessions are in `daily_summary`, or it was reported before: then whatever
    changes is to be corrected.
    """
    week = sessions.week(date.fromisoformat(day))
    if _last_fingerprint(deployment, "weekly_report", week[-1].day):
        return []
    statement = sql_files.load("reports/sessions").render({"first_session": week[0].day, "last_session": week[-1].day})
    published = {row["session"] for row in athena.query(deployment, statement)}
    return [session.key for session in week if session.day not in published]


def publish(deployment: Deployment, report: Report, *, again: bool = False) -> Published:
    """Put the page under ``reports/dt=…/`` and send the mail, once for each content.

    Run again, it does nothing if the report says the same as the last that was sent (the cost aside, which grows with
    every look at the tables), so that page and mail keep agreeing, unless it is to do so `again` whatever was sent. If
    the figures have changed, the page is replaced and a mail follows that says so in its subject. The memory is written
    last: a run that dies before sends the mail once more, never not at all.
    """
    day = report.sessions[-1]
    key = f"{REPORTS_PREFIX}dt={day}/{report.kind.replace('_', '-')}.html"
    last = _last_fingerprint(deployment, report.kind, day)
    if last == report.fingerprint and not again and _exists(deployment, key):
        return Published(key, sent=False, summary=f"{key} and its mail stand: nothing has changed")
    s3, bucket, body = deployment.client("s3"), deployment.outputs.bucket_name, page(report).encode()
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="text/html; charset=utf-8", CacheControl="no-cache")
    corrected = bool(last) and last != report.fingerprint
    title = subject(report, corrected=corrected)
    mail = text(report, _link(deployment, key), corrected=corrected)
    sns, topic = deployment.client("sns"), deployment.outputs.alert_topic_arn
    notify.publish(sns, topic, title, mail, kind=report.kind, severity=report.severity, session=str(day))
    _remember(deployment, report, day)
    return Published(key, sent=True, summary=f"{key} is written and sent: {title}")


def _last_fingerprint(deployment: Deployment, kind: str, day: date) -> str:
    """Return the fingerprint of the last report of this kind and session that was sent; empty without one."""
    answer = deployment.client("dynamodb").get_item(
        TableName=deployment.outputs.state_table_name, Key=_memory_key(kind, day), ConsistentRead=True
    )
    return str(answer["Item"]["fingerprint"]["S"]) if "Item" in answer else ""


def _remember(deployment: Deployment, report: Report, day: date) -> None:
    now = datetime.now(UTC)
    memory: dict[str, Any] = {
        "fingerprint": {"S": report.fingerprint},
        "sent_at": {"S": now.isoformat()},
        "expires_at": {"N": str(int((now + MEMORY).timestamp()))},
    }
    table = deployment.outputs.state_table_name
    deployment.client("dynamodb").put_item(TableName=table, Item=_memory_key(report.kind, day) | memory)


def _memory_key(kind: str, day: date) -> dict[str, Any]:
    return {"key": {"S": f"{MEMORY_PREFIX}{kind}#{day}"}}


def _exists(deployment: Deployment, key: str) -> bool:
    answer = deployment.client("s3").list_objects_v2(Bucket=deployment.outputs.bucket_name, Prefix=key, MaxKeys=1)
    return bool(answer.get("KeyCount"))


def _link(deployment: Deployment, key: str) -> str:
    """Return a signed link on the laptop; on AWS the console's page of the object, which asks for a log-in."""
    bucket, region = deployment.outputs.bucket_name, deployment.outputs.region
    if deployment.clients.target == "local":
        return deployment.client("s3").generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=int(LINK_LIFE.total_seconds())
        )
    return f"https://{region}.console.aws.amazon.com/s3/object/{bucket}?region={region}&prefix={quote(key)}"
