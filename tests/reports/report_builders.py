"""Rows as the report's queries would give them, made by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tapeline.lake.prices import CostLine
from tapeline.reports.compose import ReportRows, compose
from tapeline.reports.report import Report

FRIDAY = date(2025, 11, 28)
WEDNESDAY = date(2025, 11, 26)
OPENING = datetime(2025, 11, 28, 14, 30)
COST = (
    CostLine("Kinesis, the stream", 24, "hours", Decimal("0.9600")),
    CostLine("SNS, mail", 1, "messages", Decimal("0.0000")),
)


def row(symbol: str, change: float | None, session: date = FRIDAY, **others: Any) -> dict[str, Any]:
    return {
        "session": session,
        "symbol": symbol,
        "close_usd": None if change is None else 100 + change,
        "previous_close_usd": 100.0,
        "change_pct": change,
        "volume_shares": 1_000_000,
        "quotes": 1000,
        "late_quotes": 2,
        "repeated_quotes": 3,
        "last_quote_utc": datetime(session.year, session.month, session.day, 18, 0),
        "minutes_with_quotes": 210,
        "expected_minutes": 210,
        "completeness_pct": 100.0,
        **others,
    }


def anomaly(symbol: str, peak: float, session: date = FRIDAY, **others: Any) -> dict[str, Any]:
    return {
        "session": session,
        "symbol": symbol,
        "direction": "up" if peak > 0 else "down",
        "phase": "regular",
        "started_at_utc": datetime(session.year, session.month, session.day, 15, 2, 5),
        "duration_seconds": 754,
        "peak_change_pct": peak,
        "usual_move_pct": 1.7045,
        "times_usual_move": abs(peak) / 1.7045,
        "times_usual_volume": 2.04,
        "sessions_known": 20,
        "session_change_pct": peak / 2,
        "market_change_pct": 0.1,
        **others,
    }


def gap(symbol: str, minutes: int, session: date = FRIDAY) -> dict[str, Any]:
    start = datetime(session.year, session.month, session.day, 15, 0)
    return {
        "session": session,
        "symbol": symbol,
        "gaps": 1,
        "silent_minutes": minutes,
        "longest_gap_minutes": minutes,
        "longest_started_at_utc": start,
        "longest_ended_at_utc": start + timedelta(minutes=minutes),
    }


def received(source: str = "yahoo", session: date = FRIDAY) -> dict[str, Any]:
    return {
        "session": session,
        "source": source,
        "records": 4000,
        "within_5_seconds": 3900,
        "within_60_seconds": 3990,
        "longest_seconds": 75,
    }


def course(session: date = FRIDAY, intervals: int = 42) -> list[dict[str, Any]]:
    start = datetime(session.year, session.month, session.day, 14, 30)
    return [
        {
            "session": session,
            "interval_utc": start + timedelta(minutes=5 * number),
            "change_pct": round((number % 11 - 4) * 0.13 + number * 0.01, 4),
            "quotes": 60 + number * 7 % 31,
            "symbols": 4,
        }
        for number in range(intervals)
    ]


def report(
    rows: list[dict[str, Any]] | None = None,
    anomalies: list[dict[str, Any]] | None = None,
    gaps: list[dict[str, Any]] | None = None,
    source: str = "yahoo",
) -> Report:
    """A daily report; by default four symbols, an anomaly, a silence."""
    return compose(
        "anomaly_report",
        [FRIDAY],
        [FRIDAY],
        ReportRows(
            sessions=rows
            if rows is not None
            else [row("AAPL", 1.5), row("KO", -0.25), row("SPY", 0.3), row("XOM", 5.88, minutes_with_quotes=189)],
            anomalies=[anomaly("XOM", 5.88)] if anomalies is None else anomalies,
            gaps=[gap("XOM", 12)] if gaps is None else gaps,
            received=[received(source)],
            course=course(),
        ),
        COST,
    )


def weekly() -> Report:
    rows = [
        row("AAPL", 10.0, WEDNESDAY),
        row("AAPL", -10.0, FRIDAY),
        row("KO", 1.0, WEDNESDAY),
        row("KO", 1.0, FRIDAY),
    ]
    return compose(
        "weekly_report",
        [WEDNESDAY, FRIDAY],
        [FRIDAY],
        ReportRows(
            rows,
            [anomaly("AAPL", 10.0, WEDNESDAY), anomaly("AAPL", -10.0, FRIDAY)],
            [gap("*", 7, WEDNESDAY)],
            [received("simulated", WEDNESDAY), received("simulated", FRIDAY)],
            [*course(WEDNESDAY, 13), *course(FRIDAY, 7)],
        ),
        COST,
    )


def composed(rows: list[dict[str, Any]], **findings: Any) -> Report:
    """A daily report of some rows without anomalies and silences, and of what else is given."""
    given = {"anomalies": [], "gaps": [], "received": [received()], "course": course(), **findings}
    return compose("anomaly_report", [FRIDAY], [FRIDAY], ReportRows(sessions=rows, **given), COST)
