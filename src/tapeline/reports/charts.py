"""The charts of a report: bars, a line and columns, each as wide as the page lets it be.

Names and axes have a picture of a fixed width; beside it, lengths are per cents of the width there is, so that a chart
fits a phone and a desk alike while its letters keep their size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tapeline.reports.drawing import box, element, label, rule, scale, ticks

ROW = 26
PLOT_HEIGHT = 180
AXIS_HEIGHT = 22
AXIS_PIXELS = 46
NAME_PIXELS = 84
VALUE_WIDTH = 22.0
"""Per cent of the width kept for the figures behind the longest bar."""

AxisLabels = Iterable[tuple[float, str]]
"""Labels of an axis, each at a share of the width between 0 and 1."""


@dataclass(frozen=True, slots=True)
class ChartBar:
    """A bar to the right of its name; `kind` is its class in the style sheet, such as ``up`` or ``usual``."""

    name: str
    value: float
    label: str
    kind: str


def bars(title: str, drawn: Sequence[ChartBar]) -> Markup:
    """Draw bars by their absolute value, one under the other, each with its figure."""
    longest = max((abs(bar.value) for bar in drawn), default=0) or 1
    names, parts = [], []
    for number, bar in enumerate(drawn):
        width = max(0.4, (100 - VALUE_WIDTH) * abs(bar.value) / longest)
        middle = number * ROW + ROW / 2
        tip = f"{bar.name} {bar.label}".strip()
        names.append(label(bar.name, NAME_PIXELS - 8, middle, anchor="end"))
        parts.append(box(tip, bar.kind, 0, middle - 8, f"{width:.2f}%", 16, rx=2))
        parts.append(label(bar.label, f"{width + 1.5:.2f}%", middle))
    return _picture(title, len(drawn) * ROW, NAME_PIXELS, names, parts)


def line(title: str, values: Sequence[float], names: Sequence[str], x_labels: AxisLabels) -> Markup:
    """Draw a line over evenly spaced points, zero marked; each one's name shows under the pointer."""
    marks = ticks(min((*values, 0.0)), max((*values, 0.0)))
    height = scale(marks[-1], marks[0], 0, PLOT_HEIGHT)
    steps = max(1, len(values) - 1)
    points = " ".join(f"{100 * number / steps:.2f},{height(value):.1f}" for number, value in enumerate(values))
    zero = f"{height(0.0):.1f}"
    plot = [
        element("polygon", kind="area", points=f"0,{zero} {points} 100,{zero}"),
        element("polyline", kind="line", points=points),
    ]
    return _with_axes(title, marks, "%", [*plot, *_targets(names)], x_labels)


@dataclass(frozen=True, slots=True)
class ChartMark:
    """Something that happened at a point of a course, by its number; `kind` is its class: ``up``, ``down``, ``on``."""

    number: int
    tip: str
    kind: str


def course(title: str, values: Sequence[float], marked: Sequence[ChartMark], x_labels: AxisLabels) -> Markup:
    """Draw prices over evenly spaced points, and a line from top to bottom where something happened."""
    marks = ticks(min(values), max(values))
    height = scale(marks[-1], marks[0], 0, PLOT_HEIGHT)
    step = 100 / max(1, len(values) - 1)
    points = " ".join(f"{number * step:.3f},{height(value):.1f}" for number, value in enumerate(values))
    plot = [
        *(box(mark.tip, f"mark {mark.kind}", mark.number * step - 0.15, 0, 0.3, PLOT_HEIGHT) for mark in marked),
        element("polyline", kind="line", points=points),
    ]
    return _with_axes(title, marks, "", plot, x_labels)


def columns(title: str, values: Sequence[float], names: Sequence[str], x_labels: AxisLabels) -> Markup:
    """Draw columns from zero up, evenly spaced; each one's name shows under the pointer."""
    marks = ticks(0.0, max((*values, 0.0)))
    height = scale(0.0, marks[-1], 0, PLOT_HEIGHT)
    width = 100 / max(1, len(values))
    plot = [
        box("", "plain", (number + 0.1) * width, PLOT_HEIGHT - height(value), width * 0.8, height(value))
        for number, value in enumerate(values)
    ]
    return _with_axes(title, marks, "", [*plot, *_targets(names)], x_labels)


def _with_axes(title: str, marks: Sequence[float], unit: str, plot: Iterable[str], x_labels: AxisLabels) -> Markup:
    """Put axes around what is drawn in a picture of 100 by `PLOT_HEIGHT` that is stretched to the width there is."""
    top = AXIS_HEIGHT // 2
    height = scale(marks[-1], marks[0], top, top + PLOT_HEIGHT)
    axis = [label(f"{mark:,g}{unit}", AXIS_PIXELS - 8, height(mark), "tick", "end") for mark in marks]
    parts = [rule("grid" if mark else "zero", 0, height(mark), "100%", height(mark)) for mark in marks]
    for share, text in x_labels:
        anchor = "start" if share < 0.02 else "end" if share > 0.98 else "middle"
        parts.append(label(text, f"{100 * share:.2f}%", PLOT_HEIGHT + AXIS_HEIGHT * 1.25, "tick", anchor))
    stretched = {"viewBox": f"0 0 100 {PLOT_HEIGHT}", "preserveAspectRatio": "none"}
    parts.append(element("svg", *plot, y=top, width="100%", height=PLOT_HEIGHT, **stretched))
    return _picture(title, PLOT_HEIGHT + 2 * AXIS_HEIGHT, AXIS_PIXELS, axis, parts)


def _targets(names: Sequence[str]) -> list[Markup]:
    width = 100 / max(1, len(names))
    return [box(name, "target", number * width, 0, width, PLOT_HEIGHT) for number, name in enumerate(names)]


def _picture(title: str, height: float, axis_width: int, axis: Iterable[str], parts: Iterable[str]) -> Markup:
    fixed = element("svg", *axis, aria_hidden="true", width=axis_width, height=height)
    wide = element("svg", *parts, role="img", aria_label=title, kind="drawn", width="100%", height=height)
    return element("div", fixed, wide, kind="chart")
