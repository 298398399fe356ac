"""Lines and spans over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from markupsafe import Markup

from tapeline.reports.drawing import Scale, box, element, label, rule, scale, ticks
from tapeline.reports.plots.bars import MAX_BARS, ROW
from tapeline.reports.plots.plot import LETTER, MAX_CELLS, WIDTH, Columns, Picture, Plot, PlotError, name_width
from tapeline.reports.plots.wording import is_known, local, number, unit, value_words, with_unit, words

MAX_POINTS = 800
HUES = 4
RIGHT = WIDTH - 12
TOP, HEIGHT = 40, 380
SPANS_TOP = 52

Moment = date | datetime
Run = list[tuple[float, float]]
"""Points of a line without a gap: seconds and a value."""


def draw_lines(plot: Plot, columns: Columns) -> Picture:
    """Draw columns over a time, with a gap where values or times are missing."""
    (over,) = plot.roles["over"]
    names = plot.roles["of"]
    times = columns[over]
    rows = sorted((row for row in range(len(times)) if times[row] is not None), key=lambda row: times[row])
    rows = rows[:: -(-len(rows) // MAX_POINTS)] if rows else rows
    series = {
        name: [float(columns[name][row]) if is_known(columns[name][row]) else None for row in rows] for name in names
    }
    values = [value for points in series.values() for value in points if value is not None]
    if not values:
        raise PlotError(f"no value of {words(names[0])} at any time")
    moments = [times[row] for row in rows]
    marks = ticks(min(values), max(values), 6)
    left, bottom = 20 + LETTER * max(len(number(mark)) for mark in marks), TOP + HEIGHT
    x = _time_scale(moments[0], moments[-1], left, RIGHT)
    y = scale(marks[-1], marks[0], TOP, bottom)
    parts = [label(unit(names[0]) if len(names) > 1 else with_unit(names[0]), left, 14, "tick")]
    for mark in marks:
        parts.append(rule("grid", left, y(mark), RIGHT, y(mark)))
        parts.append(label(number(mark), left - 8, y(mark), "tick", "end"))
    for moment, text in _time_marks(moments):
        parts.append(rule("zero", x(moment), bottom, x(moment), bottom + 5))
        parts.append(label(text, x(moment), bottom + 16, "tick", "middle"))
    kinds = {name: f"line hue{place % HUES}{' band' if '_band_' in name else ''}" for place, name in enumerate(names)}
    places = [_seconds(moment) for moment in moments]
    for name in reversed(names):
        parts += _curve(kinds[name], _runs(places, series[name]), x, y)
    step = (RIGHT - left) / max(1, len(rows) - 1)
    for place, moment in enumerate(moments):
        tip = [f"{words(name)} {number(value, 2)}" for name in names if (value := series[name][place]) is not None]
        start = x(places[place]) - step / 2
        parts.append(box(" ".join([_clock(moment), *tip]), "target", start, TOP, step, HEIGHT))
    axis = "time in New York" if isinstance(moments[0], datetime) else words(over)
    parts.append(label(axis, (left + WIDTH) / 2, bottom + 38, "tick", "middle"))
    legend = [(kinds[name], words(name)) for name in names] if len(names) > 1 else []
    return Picture(parts, bottom + 50, legend=legend)


def _curve(kind: str, runs: Sequence[Run], x: Scale, y: Scale) -> list[Markup]:
    parts = []
    for run in runs:
        points = " ".join(f"{x(moment):.1f},{y(value):.1f}" for moment, value in run)
        parts.append(element("polyline", kind=kind, points=points))
        if len(run) == 1:
            parts.append(element("circle", kind=kind, cx=x(run[0][0]), cy=y(run[0][1]), r=3))
    return parts


def _runs(moments: Sequence[float], values: Sequence[float | None]) -> list[Run]:
    """Cut a line where values are missing, or times: at more than ten of its usual steps."""
    steps = sorted(after - before for before, after in pairwise(moments))
    longest = 10 * steps[len(steps) // 2] if steps else 0
    runs: list[Run] = []
    before: float | None = None
    for moment, value in zip(moments, values, strict=True):
        if value is None:
            before = None
            continue
        if before is None or moment - before > longest:
            runs.append([])
        runs[-1].append((moment, value))
        before = moment
    return runs


def draw_spans(plot: Plot, columns: Columns) -> Picture:
    """Draw spans of time, one line for each name, the earliest first."""
    (start,), (end,), (by,) = plot.roles["from"], plot.roles["to"], plot.roles["by"]
    spans = [span for span in zip(columns[by], columns[start], columns[end], strict=True) if None not in span]
    if not spans:
        raise PlotError("no row has both a beginning and an end")
    names = list(dict.fromkeys(name for name, _, _ in sorted(spans, key=lambda span: (span[1], span[0]))))
    places = {name: place for place, name in enumerate(names[:MAX_BARS])}
    shown = [span for span in spans if span[0] in places][:MAX_CELLS]
    first, last = min(began for _, began, _ in shown), max(ended for _, _, ended in shown)
    left, bottom = name_width(places), SPANS_TOP + len(places) * ROW
    x = _time_scale(first, last, left, WIDTH - 28)
    parts = [label("time in New York", left, 14, "tick")]
    for moment, text in _time_marks([first, last]):
        parts.append(rule("grid", x(moment), SPANS_TOP - 6, x(moment), bottom))
        parts.append(label(text, x(moment), SPANS_TOP - 14, "tick", "middle"))
    parts += [label(name, left - 8, SPANS_TOP + (place + 0.5) * ROW, anchor="end") for name, place in places.items()]
    for name, began, ended in shown:
        at, width = x(_seconds(began)), x(_seconds(ended)) - x(_seconds(began))
        minutes = round((ended - began) / timedelta(minutes=1))
        tip = f"{name} {_clock(began)} to {_clock(ended)}, {minutes} minutes"
        parts.append(box(tip, "down", at, SPANS_TOP + places[name] * ROW + 4, max(1.0, width), ROW - 8))
    notes = [f"Shown: {len(places)} of {len(names)}."] if len(places) < len(names) else []
    if len(shown) < len(spans):
        notes.append(f"The first {len(shown)} of {len(spans)} rows.")
    return Picture(parts, bottom + 8, notes)


# Time


def _seconds(moment: Moment) -> float:
    if isinstance(moment, datetime):
        return moment.replace(tzinfo=UTC).timestamp()
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC).timestamp()


def _time_scale(first: Moment, last: Moment, start: float, end: float) -> Scale:
    return scale(_seconds(first), max(_seconds(last), _seconds(first) + 60), start, end)


def _clock(moment: Moment) -> str:
    return f"{local(moment):%H:%M}" if isinstance(moment, datetime) else value_words(moment)


def _time_marks(moments: Sequence[Moment]) -> list[tuple[float, str]]:
    """Mark round times of New York within a day, else up to ten of the moments."""
    first, last = moments[0], moments[-1]
    if isinstance(first, datetime) and isinstance(last, datetime) and last - first <= timedelta(hours=30):
        length = (last - first) / timedelta(minutes=1)
        step = timedelta(minutes=next((step for step in (5, 15, 30, 60, 120) if length / step <= 9), 240))
        midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
        start = midnight + step * -(-(first - midnight) // step)
        marks = [mark for place in range(10) if (mark := start + step * place) <= last] or [first]
        return [(_seconds(mark), f"{local(mark):%H:%M}") for mark in marks]
    days = moments[:: -(-len(moments) // 10)]
    return [(_seconds(day), f"{local(day) if isinstance(day, datetime) else day:%d %b}".lstrip("0")) for day in days]
