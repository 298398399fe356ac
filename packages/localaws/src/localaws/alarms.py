"""Alarms that look at their own metric, period by period.

The base puts the points of every metric of the same name together, whatever their dimensions, and all periods into one.
AWS's rules are in the CloudWatch User Guide, "Evaluating an alarm" and "Configuring how CloudWatch alarms treat missing
data". Alarms are looked at whenever metrics arrive, not by the clock, and one whose metric never had a point stays as
it is.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from typing import Any

from localaws import ministack_names as base

Alarm = dict[str, Any]

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def evaluate_by_dimension() -> None:
    """Let the base evaluate its alarms by the rules of this module."""
    base.EVALUATE_ALARM.set(evaluate)


def evaluate(alarm: Alarm) -> None:
    """Look at the alarm's last periods, and change its state and tell its actions if it is another now."""
    points = _points(alarm)
    if not points:
        return
    now = time.time()
    state, reason = state_of(alarm, points, now)
    before = alarm["StateValue"]
    if state == before:
        return
    alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(now))
    base.RECORD_ALARM_HISTORY(alarm["AlarmName"], before, state, reason)
    base.TELL_ALARM_ACTIONS(alarm, before, state, reason)
    base.EVALUATE_PARENT_ALARMS(alarm)


def state_of(alarm: Alarm, points: list[dict[str, Any]], now: float) -> tuple[str, str]:
    """Return the state that the points of an alarm's metric put it in at this time, and why."""
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    threshold, comparison = float(alarm.get("Threshold") or 0), str(alarm.get("ComparisonOperator"))
    values = _values(alarm, statistic, points, now)
    missing = alarm.get("TreatMissingData") or "missing"
    if all(value is None for value in values):
        if missing == "ignore":
            return alarm["StateValue"], alarm["StateReason"]
        if missing == "missing":
            return "INSUFFICIENT_DATA", f"Insufficient Data: no datapoints were received for {len(values)} period(s)"
    beyond = _COMPARISONS[comparison]
    breaching = sum(missing == "breaching" if value is None else beyond(value, threshold) for value in values)
    needed = alarm.get("DatapointsToAlarm") or len(values)
    shown = ", ".join("missing" if value is None else f"{value:g}" for value in values)
    reason = (
        f"Threshold Crossed: {statistic} [{shown}], newest first; {breaching} of {needed} {comparison} {threshold:g}"
    )
    return ("ALARM" if breaching >= needed else "OK"), reason


def _points(alarm: Alarm) -> list[dict[str, Any]]:
    dimensions = {each["Name"]: each["Value"] for each in alarm.get("Dimensions") or []}
    key = (alarm.get("Namespace"), alarm.get("MetricName"), base.DIMENSIONS_KEY(dimensions))
    points = base.METRICS.value.get(key) or []
    return [point for point in points if alarm.get("Unit") in (None, "", point["Unit"])]


def _values(alarm: Alarm, statistic: str, points: list[dict[str, Any]], now: float) -> list[float | None]:
    """Return the statistic of each period, the newest first; None of a period without a point."""
    period, count = int(alarm.get("Period") or 60), int(alarm.get("EvaluationPeriods") or 1)
    by_period: list[list[dict[str, Any]]] = [[] for _ in range(count)]
    for point in points:
        if 0 <= (age := int((now - point["Timestamp"]) // period)) < count:
            by_period[age].append(point)
    return [base.STATISTIC(base.STATISTICS(those), statistic, those) if those else None for those in by_period]
