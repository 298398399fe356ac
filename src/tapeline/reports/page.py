"""A report as one self-contained page: no script, nothing loaded, light or dark as the reader's device is."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from tapeline.reports import charts, words
from tapeline.reports.charts import ChartBar
from tapeline.reports.report import Mover, Point, Report
from tapeline.reports.templating import render_page
from tapeline.reports.words import clock, count, percent


def page(report: Report) -> str:
    """Return the whole page."""
    return render_page(
        "report",
        words=words,
        report=report,
        course=_course(report),
        anomalies=_anomalies(report),
        sessions=_sessions(report) if words.span(report) == "week" else "",
        up=_movers("Up most", report.market.top, "up"),
        down=_movers("Down most", report.market.bottom, "down"),
        quotes=_quotes(report),
    )


def _course(report: Report) -> Markup:
    changes = {point: point.change_pct for point in report.course if point.change_pct is not None}
    if not changes:
        return Markup()
    names = [f"{words.moment(report, point.session, point.at)} {percent(change)}" for point, change in changes.items()]
    title = "Mean change from the previous close"
    return charts.line(title, [float(change) for change in changes.values()], names, _axis(tuple(changes)))


def _quotes(report: Report) -> Markup:
    if not report.course:
        return Markup()
    names = [
        f"{words.moment(report, point.session, point.at)} {count(point.quotes, 'quote')}" for point in report.course
    ]
    quotes = [point.quotes for point in report.course]
    return charts.columns(f"Quotes over the {words.span(report)}", quotes, names, _axis(report.course))


def _anomalies(report: Report) -> Markup:
    if not report.anomalies:
        return Markup()
    rows = dict(zip(report.anomalies, words.anomaly_rows(report).rows, strict=True))
    bars = []
    for anomaly, _ in words.farthest(report):
        _, peak, usual, *_ = rows[anomaly]
        bars.append(ChartBar(anomaly.symbol, float(anomaly.peak_change_pct), peak, anomaly.direction))
        bars.append(ChartBar("usual", float(anomaly.usual_move_pct or 0), usual, "usual"))
    return charts.bars("Farthest change of each anomaly, and the usual change of its symbol", bars)


def _sessions(report: Report) -> Markup:
    bars = [
        ChartBar(
            f"{day.session:%a} {day.session.day}",
            float(day.change_pct),
            percent(day.change_pct),
            "down" if day.change_pct.is_signed() else "up",
        )
        for day in report.days
    ]
    return charts.bars("Mean change of each session", bars)


def _movers(title: str, movers: Sequence[Mover], kind: str) -> Markup:
    bars = [ChartBar(mover.symbol, float(mover.change_pct), percent(mover.change_pct), kind) for mover in movers]
    return charts.bars(title, bars) if bars else Markup()


def _axis(course: Sequence[Point]) -> list[tuple[float, str]]:
    """Label an axis: a session's full hours, or the first point of each session of several."""
    last = max(1, len(course) - 1)
    if course[0].session == course[-1].session:
        hours = [(number, clock(point.at)) for number, point in enumerate(course)]
        return [(number / last, hour) for number, hour in hours if hour.endswith(":00")]
    starts = [0] + [number for number in range(1, len(course)) if course[number].session != course[number - 1].session]
    return [(number / last, f"{course[number].session:%a}") for number in starts]
