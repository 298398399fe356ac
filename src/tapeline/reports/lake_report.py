"""A report out of the lake: ask its tables, count what was used, compose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from tapeline.aws.deployment import Deployment
from tapeline.lake import athena, audit, prices, sql_files
from tapeline.lake.athena import Execution
from tapeline.lake.prices import Usage
from tapeline.market import sessions
from tapeline.market.dates import NEW_YORK
from tapeline.market.sessions import NotASessionError, Session
from tapeline.reports.compose import ReportRows, compose
from tapeline.reports.report import Report
from tapeline.stream import raw_zone
from tapeline.stream.keys import RAW_PREFIX, REJECTED_PREFIX

USUAL_SESSIONS = 20
INTERVAL_MINUTES = {"anomaly_report": 5, "weekly_report": 30}


def anomaly_report(deployment: Deployment, session: str) -> Report:
    """Compose the report of one session.

    Raises
    ------
    NotASessionError
        If the exchange does not trade that day.
    """
    return _report(deployment, "anomaly_report", [sessions.session(date.fromisoformat(session))])


def weekly_report(deployment: Deployment, day: str) -> Report:
    """Compose the report of the trading week, Monday to Friday, that a date lies in."""
    week = sessions.week(date.fromisoformat(day))
    if not week:
        raise NotASessionError(f"the exchange does not trade in the week of {day}")
    return _report(deployment, "weekly_report", week)


def _report(deployment: Deployment, kind: str, covered: Sequence[Session]) -> Report:
    queries = _BilledQueries(deployment)
    days = [session.day for session in covered]
    rows = _rows(deployment, queries, days, INTERVAL_MINUTES[kind])
    half_days = [session.day for session in covered if session.is_half_day]
    return compose(kind, days, half_days, rows, prices.cost(_usage(deployment, queries, days, rows)))


def _rows(deployment: Deployment, queries: _BilledQueries, days: Sequence[date], interval_minutes: int) -> ReportRows:
    span = {"first_session": days[0], "last_session": days[-1]}
    before = sessions.previous_session(days[0]).day
    rollups = [audit.recall(deployment, str(day)) for day in days]
    return ReportRows(
        sessions=queries.rows("reports/sessions", {**span, "first_session": before}),
        anomalies=queries.rows("queries/anomalies_with_context", {**span, "sessions": USUAL_SESSIONS}),
        gaps=queries.rows("reports/gaps", span),
        received=queries.rows("reports/received", span),
        course=queries.rows("reports/course", {**span, "interval_minutes": interval_minutes}),
        suspects=queries.rows("reports/suspects", span),
        missing=[symbol for _, missing in rollups for symbol in missing],
        withheld={symbol: reason for withheld, _ in rollups for symbol, reason in withheld.items()},
    )


def _usage(deployment: Deployment, queries: _BilledQueries, days: Sequence[date], rows: ReportRows) -> Usage:
    """Return what was used from the first session to the last, weekends between them included."""
    first, last = days[0], days[-1]
    own = [row for row in rows.sessions if row["session"] >= first]
    start = datetime(first.year, first.month, first.day, tzinfo=NEW_YORK)
    end = datetime(last.year, last.month, last.day, tzinfo=NEW_YORK) + timedelta(days=1)
    calendar = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return prices.usage_of(
        days=len(calendar),
        records=sum(row["records"] for row in rows.received),
        quotes=sum(row["quotes"] for row in own),
        symbols=len({row["symbol"] for row in own}),
        objects=_count_objects(deployment, calendar),
        megabytes_scanned=queries.billed_megabytes(start, end),
        mails=_delivered(deployment, start, end) + 1,
    )


class _BilledQueries:
    """Runs SQL files, and knows what Athena bills for them."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._athena = deployment.client("athena")
        self._own: dict[str, Execution] = {}

    def rows(self, name: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
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
                billed[execution["QueryExecutionId"]] = Execution("", kind, scanned, 0.0).billed_megabytes
        return sum(billed.values())

    def _executions(self, start: datetime) -> Iterator[Any]:
        """Yield executions, the newest first, until one is older than a moment."""
        pages = self._athena.get_paginator("list_query_executions")
        for page in pages.paginate(WorkGroup=self._deployment.outputs.work_group_name):
            if not page["QueryExecutionIds"]:
                return
            answer = self._athena.batch_get_query_execution(QueryExecutionIds=page["QueryExecutionIds"])
            yield from answer["QueryExecutions"]
            if any(execution["Status"]["SubmissionDateTime"] < start for execution in answer["QueryExecutions"]):
                return


def _count_objects(deployment: Deployment, days: Iterable[date]) -> int:
    s3, bucket = deployment.client("s3"), deployment.outputs.bucket_name
    folders = (f"{prefix}dt={day}/" for day in days for prefix in (RAW_PREFIX, REJECTED_PREFIX))
    return sum(1 for folder in folders for _ in raw_zone.list_objects(s3, bucket, folder))


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
