"""Reports from the lake to the bucket and to people: ask, compose, put the page, send one mail, remember it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tapeline.aws import notify
from tapeline.aws.deployment import Deployment
from tapeline.lake import athena, audit, prices, sql_files
from tapeline.lake.athena import Finished
from tapeline.market import sessions
from tapeline.market.dates import NEW_YORK
from tapeline.market.sessions import NotASessionError
from tapeline.reports.compose import ReportRows, compose
from tapeline.reports.mail import subject, text
from tapeline.reports.page import page
from tapeline.reports.report import Report
from tapeline.stream.keys import RAW_PREFIX, REJECTED_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REPORTS_PREFIX = "reports/"
MEMORY_PREFIX = "report#"
MEMORY = timedelta(days=400)
"""How long it is remembered that a report was sent."""

LINK_LIFE = timedelta(days=7)
"""The longest a signed link may live (S3 User Guide, "Sharing objects with presigned URLs")."""

USUAL_SESSIONS = 20
INTERVAL_MINUTES = {"anomaly_report": 5, "weekly_report": 30}


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a report.

    Attributes
    ----------
    key : str
        Of the page in the bucket.
    sent : bool
        Whether a mail was sent now; not if the last one told the same.
    message_id : str
        SNS's, empty if nothing was sent.
    summary : str
        One line for a log.
    """

    key: str
    sent: bool
    message_id: str
    summary: str


def send_anomaly_report(deployment: Deployment, day: str, *, again: bool = False) -> Published:
    """Write and send the report of one session, ``YYYY-MM-DD``; see `publish`."""
    return publish(deployment, anomaly_report(deployment, day), again=again)


def send_weekly_report(deployment: Deployment, day: str, *, again: bool = False) -> Published:
    """Write and send the report of the trading week of a date, ``YYYY-MM-DD``; see `publish`."""
    return publish(deployment, weekly_report(deployment, day), again=again)


def anomaly_report(deployment: Deployment, day: str) -> Report:
    """Compose the report of one session.

    Raises
    ------
    NotASessionError
        If the exchange does not trade that day.
    """
    return _report(deployment, "anomaly_report", [sessions.session(date.fromisoformat(day))])


def weekly_report(deployment: Deployment, day: str) -> Report:
    """Compose the report of the trading week, Monday to Friday, that a date lies in."""
    week = sessions.week(date.fromisoformat(day))
    if not week:
        raise NotASessionError(f"the exchange does not trade in the week of {day}")
    return _report(deployment, "weekly_report", week)


def published_sessions(deployment: Deployment) -> list[date]:
    """Return the sessions that `daily_summary` has, the newest first, of the last two years with any."""
    return [row["session"] for row in _Lake(deployment).ask("desk/sessions", {"symbol": ""})]


def newest_week(published: Iterable[date]) -> date | None:
    """Return the Monday of the newest week of which all sessions are published; else of the newest with one, or None.

    >>> newest_week(date(2025, 12, day) for day in (1, 2, 3, 4, 5, 8))
    datetime.date(2025, 12, 1)
    >>> newest_week([date(2025, 12, 9)])
    datetime.date(2025, 12, 8)
    """
    found = set(published)
    mondays = sorted({day - timedelta(days=day.weekday()) for day in found}, reverse=True)
    whole = (monday for monday in mondays if all(one.day in found for one in sessions.week(monday)))
    return next(whole, mondays[0] if mondays else None)


def waits_for(deployment: Deployment, day: str) -> list[str]:
    """Return the sessions that the report of a date's week still waits for, as ``YYYY-MM-DD``.

    A week waits for nothing once all its sessions are in `daily_summary`, or it was reported before: then whatever
    changes is to be corrected.
    """
    week = sessions.week(date.fromisoformat(day))
    memory_key: Any = {"key": {"S": f"{MEMORY_PREFIX}weekly_report#{week[-1].key}"}}
    dynamodb, table = deployment.client("dynamodb"), deployment.outputs.state_table_name
    if dynamodb.get_item(TableName=table, Key=memory_key, ConsistentRead=True).get("Item"):
        return []
    span = {"first_session": week[0].day, "last_session": week[-1].day}
    published = {row["session"] for row in _Lake(deployment).ask("reports/sessions", span)}
    return [one.key for one in week if one.day not in published]


def publish(deployment: Deployment, report: Report, *, again: bool = False) -> Published:
    """Put the page under ``reports/dt=…/`` and send the mail, once for each content.

    Run again, it does nothing if the report tells the same as the last that was sent (the cost aside, which grows with
    every look at the tables), so that page and mail keep agreeing. If the figures have changed, the page is replaced
    and a mail follows that says so in its subject. The memory is written last: a run that dies before it sends the mail
    once more, never not at all.

    Parameters
    ----------
    deployment : Deployment
        Where.
    report : Report
        What to say.
    again : bool
        Put the page and send the mail whatever was sent before.
    """
    s3 = deployment.client("s3")
    dynamodb = deployment.client("dynamodb")
    outputs = deployment.outputs
    day = report.sessions[-1].isoformat()
    key = f"{REPORTS_PREFIX}dt={day}/{report.kind.replace('_', '-')}.html"
    memory_key: Any = {"key": {"S": f"{MEMORY_PREFIX}{report.kind}#{day}"}}
    sent = dynamodb.get_item(TableName=outputs.state_table_name, Key=memory_key, ConsistentRead=True).get("Item")
    last = sent["fingerprint"]["S"] if sent else ""
    if last == report.fingerprint and not again and _exists(s3, outputs.bucket_name, key):
        return Published(key, sent=False, message_id="", summary=f"{key} and its mail stand: nothing has changed")

    s3.put_object(
        Bucket=outputs.bucket_name,
        Key=key,
        Body=page(report).encode(),
        ContentType="text/html; charset=utf-8",
        CacheControl="no-cache",
    )
    corrected = bool(last) and last != report.fingerprint
    message_id = notify.publish(
        deployment.client("sns"),
        outputs.alert_topic_arn,
        subject(report, corrected=corrected),
        text(report, _link(deployment, key), corrected=corrected),
        kind=report.kind,
        severity=report.severity,
        session=day,
    )
    now = datetime.now(UTC)
    dynamodb.put_item(
        TableName=outputs.state_table_name,
        Item={
            **memory_key,
            "fingerprint": {"S": report.fingerprint},
            "sent_at": {"S": now.isoformat()},
            "expires_at": {"N": str(int((now + MEMORY).timestamp()))},
        },
    )
    return Published(key, True, message_id, f"{key} is written and sent: {subject(report, corrected=corrected)}")


def _report(deployment: Deployment, kind: str, asked: Sequence[sessions.Session]) -> Report:
    lake = _Lake(deployment)
    first, last = asked[0].day, asked[-1].day
    span = {"first_session": first, "last_session": last}
    before = sessions.previous_session(first).day
    judged = [audit.recall(deployment, str(one.day)) for one in asked]
    findings = ReportRows(
        sessions=lake.ask("reports/sessions", {"first_session": before, "last_session": last}),
        anomalies=lake.ask("queries/anomalies_with_context", {**span, "sessions": USUAL_SESSIONS}),
        gaps=lake.ask("reports/gaps", span),
        received=lake.ask("reports/received", span),
        course=lake.ask("reports/course", {**span, "interval_minutes": INTERVAL_MINUTES[kind]}),
        suspects=lake.ask("reports/suspects", span),
        missing=[symbol for _, gone in judged for symbol in gone],
        withheld={symbol: reason for withheld, _ in judged for symbol, reason in withheld.items()},
    )
    own = [row for row in findings.sessions if row["session"] >= first]
    start = datetime(first.year, first.month, first.day, tzinfo=NEW_YORK)
    end = datetime(last.year, last.month, last.day, tzinfo=NEW_YORK) + timedelta(days=1)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    usage = prices.usage_of(
        days=len(days),
        records=sum(row["records"] for row in findings.received),
        quotes=sum(row["quotes"] for row in own),
        symbols=len({row["symbol"] for row in own}),
        objects=_count_objects(deployment.client("s3"), deployment.outputs.bucket_name, days),
        megabytes_scanned=lake.billed_megabytes(start, end),
        mails=_delivered(deployment, start, end) + 1,
    )
    half_days = [one.day for one in asked if one.is_half_day]
    return compose(kind, [one.day for one in asked], half_days, findings, prices.cost(usage))


class _Lake:
    """Runs the SQL files, and knows what Athena bills for them."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._athena = deployment.client("athena")
        self._own: dict[str, Finished] = {}

    def ask(self, name: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
        """Return the rows of a SQL file, by column name."""
        finished = athena.run(self._deployment, sql_files.load(name).render(values))
        self._own[finished.query_id] = finished
        return list(athena.by_name(*athena.results(self._deployment, finished)))

    def billed_megabytes(self, start: datetime, end: datetime) -> int:
        """Return what the work group scanned between two moments, this object's own queries included, as billed."""
        billed = {name: finished.billed_megabytes for name, finished in self._own.items()}
        for execution in self._executions(start):
            submitted = execution["Status"]["SubmissionDateTime"]
            if start <= submitted < end:
                scanned = execution.get("Statistics", {}).get("DataScannedInBytes", 0)
                kind = execution.get("StatementType", "DML")
                billed[execution["QueryExecutionId"]] = Finished("", kind, scanned, 0.0).billed_megabytes
        return sum(billed.values())

    def _executions(self, start: datetime) -> Iterator[Any]:
        """Yield executions, the newest first, until one is older than a moment."""
        pages = self._athena.get_paginator("list_query_executions").paginate(
            WorkGroup=self._deployment.outputs.work_group_name
        )
        for names in pages:
            if not names["QueryExecutionIds"]:
                return
            answer = self._athena.batch_get_query_execution(QueryExecutionIds=names["QueryExecutionIds"])
            yield from answer["QueryExecutions"]
            if any(one["Status"]["SubmissionDateTime"] < start for one in answer["QueryExecutions"]):
                return


def _count_objects(s3: S3Client, bucket: str, days: Iterable[date]) -> int:
    pages = s3.get_paginator("list_objects_v2")
    return sum(
        len(found.get("Contents", []))
        for day in days
        for prefix in (RAW_PREFIX, REJECTED_PREFIX)
        for found in pages.paginate(Bucket=bucket, Prefix=f"{prefix}dt={day}/")
    )


def _delivered(deployment: Deployment, start: datetime, end: datetime) -> int:
    """Return how many messages of the alert topic SNS delivered, by its own metric; the laptop has none."""
    topic = {"Name": "TopicName", "Value": deployment.outputs.alert_topic_arn.rpartition(":")[2]}
    metric: Any = {"Namespace": "AWS/SNS", "MetricName": "NumberOfNotificationsDelivered", "Dimensions": [topic]}
    answer = deployment.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "delivered", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Sum"}}],
        StartTime=start,
        EndTime=end,
    )
    return int(sum(sum(result["Values"]) for result in answer["MetricDataResults"]))


def _exists(s3: S3Client, bucket: str, key: str) -> bool:
    return bool(s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("KeyCount"))


def _link(deployment: Deployment, key: str) -> str:
    """Return a signed link on the laptop; on AWS the console's page of the object, which asks for a log-in."""
    if deployment.clients.target == "local":
        signed: str = deployment.client("s3").generate_presigned_url(
            "get_object",
            Params={"Bucket": deployment.outputs.bucket_name, "Key": key},
            ExpiresIn=int(LINK_LIFE.total_seconds()),
        )
        return signed
    return (
        f"https://{deployment.outputs.region}.console.aws.amazon.com/s3/object/{deployment.outputs.bucket_name}"
        f"?region={deployment.outputs.region}&prefix={quote(key)}"
    )
