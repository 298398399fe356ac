"""Charts as plain SVG: no script, no library to load, colours from the page's style sheet.

Names and axes have a picture of a fixed width; beside it, lengths are per cents of the width there is, so that a chart
fits a phone and a desk alike while its letters keep their size. Why not a charting library:
docs/decisions/0020-report-page.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

ROW = 26
PLOT_HEIGHT = 180
AXIS_HEIGHT = 22
AXIS_PIXELS = 46
NAME_PIXELS = 84
VALUE_WIDTH = 22.0
"""Per cent of the width kept for the figures behind the longest bar."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar to the right of its name; `kind` is its class in the style sheet, such as ``up`` or ``usual``."""

    name: str
    value: float
    label: str
    kind: str


def ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Return round numbers that span a range.

    >>> ticks(-0.7, 1.3)
    [-1.0, -0.5, 0.0, 0.5, 1.0, 1.5]
    >>> ticks(0, 0)
    [0.0, 1.0]
    """
    span = high - low
    if span <= 0:
        return [low + 0.0, low + 1.0]
    rough = span / wanted
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = floor(low / step), ceil(high / step)
    return [round(number * step, 10) for number in range(first, last + 1)]


def bars(title: str, found: Sequence[Bar]) -> str:
    """Draw bars by their absolute value, one under the other, each with its figure."""
    longest = max((abs(bar.value) for bar in found), default=0) or 1
    names, drawn = [], []
    for number, bar in enumerate(found):
        width = max(0.4, (100 - VALUE_WIDTH) * abs(bar.value) / longest)
        middle = number * ROW + ROW / 2
        names.append(f'<text x="{NAME_PIXELS - 8}" y="{middle:g}" text-anchor="end">{escape(bar.name)}</text>')
        drawn.append(
            f'<rect class="{bar.kind}" x="0" y="{middle - 8:g}" width="{width:.2f}%" height="16" rx="2">'
            f"<title>{escape(f'{bar.name} {bar.label}'.strip())}</title></rect>"
            f'<text x="{width + 1.5:.2f}%" y="{middle:g}">{escape(bar.label)}</text>'
        )
    return _picture(title, len(found) * ROW, NAME_PIXELS, names, drawn)


def line(title: str, values: Sequence[float], names: Sequence[str], x_labels: Iterable[tuple[float, str]]) -> str:
    """Draw a line over evenly spaced points, zero marked; each point's name shows under the pointer.

    Parameters
    ----------
    title : str
        Read out in place of the picture.
    values, names : sequence of float, sequence of str
        The points.
    x_labels : iterable of (float, str)
        Labels of the axis, each at a share of the width between 0 and 1.
    """
    marks = ticks(min((*values, 0.0)), max((*values, 0.0)))
    low, high = marks[0], marks[-1]

    def height(value: float) -> float:
        return PLOT_HEIGHT * (high - value) / (high - low)

    steps = max(1, len(values) - 1)
    points = " ".join(f"{100 * number / steps:.2f},{height(value):.1f}" for number, value in enumerate(values))
    zero = height(0.0)
    area = f"0,{zero:.1f} {points} 100,{zero:.1f}"
    plot = [
        f'<polygon class="area" points="{area}"/>',
        f'<polyline class="line" points="{points}"/>',
        *_targets(names),
    ]
    return _plot(title, marks, "%", plot, x_labels)


def columns(title: str, values: Sequence[float], names: Sequence[str], x_labels: Iterable[tuple[float, str]]) -> str:
    """Draw columns from zero up, evenly spaced."""
    marks = ticks(0.0, max((*values, 0.0)))
    high = marks[-1]
    width = 100 / max(1, len(values))
    plot = [
        f'<rect class="plain" x="{number * width + width * 0.1:.3f}" y="{PLOT_HEIGHT * (1 - value / high):.1f}" '
        f'width="{width * 0.8:.3f}" height="{PLOT_HEIGHT * value / high:.1f}"/>'
        for number, value in enumerate(values)
    ]
    return _plot(title, marks, "", [*plot, *_targets(names)], x_labels)


def _plot(
    title: str, marks: Sequence[float], unit: str, plot: Iterable[str], x_labels: Iterable[tuple[float, str]]
) -> str:
    """Put axes around what is drawn in a picture of 100 by `PLOT_HEIGHT` that is stretched to the width there is."""
    low, high = marks[0], marks[-1]
    axis, parts = [], []
    for mark in marks:
        y = AXIS_HEIGHT // 2 + PLOT_HEIGHT * (high - mark) / (high - low)
        label = f"{mark:,g}{unit}"
        axis.append(f'<text class="tick" x="{AXIS_PIXELS - 8}" y="{y:.1f}" text-anchor="end">{label}</text>')
        parts.append(f'<line class="{"grid" if mark else "zero"}" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>')
    for share, label in x_labels:
        anchor = "start" if share < 0.02 else "end" if share > 0.98 else "middle"
        y = PLOT_HEIGHT + AXIS_HEIGHT * 1.25
        parts.append(
            f'<text class="tick" x="{100 * share:.2f}%" y="{y:g}" text-anchor="{anchor}">{escape(label)}</text>'
        )
    parts.append(
        f'<svg y="{AXIS_HEIGHT // 2}" width="100%" height="{PLOT_HEIGHT}" viewBox="0 0 100 {PLOT_HEIGHT}" '
        f'preserveAspectRatio="none">{"".join(plot)}</svg>'
    )
    return _picture(title, PLOT_HEIGHT + 2 * AXIS_HEIGHT, AXIS_PIXELS, axis, parts)


def _targets(names: Sequence[str]) -> list[str]:
    width = 100 / max(1, len(names))
    return [
        f'<rect class="target" x="{number * width:.3f}" y="0" width="{width:.3f}" height="{PLOT_HEIGHT}">'
        f"<title>{escape(name)}</title></rect>"
        for number, name in enumerate(names)
    ]


def _picture(title: str, height: float, axis_width: int, axis: Iterable[str], parts: Iterable[str]) -> str:
    return (
        f'<div class="chart"><svg aria-hidden="true" width="{axis_width}" height="{height:g}">{"".join(axis)}</svg>'
        f'<svg role="img" aria-label="{escape(title)}" class="drawn" width="100%" height="{height:g}">'
        f"{''.join(parts)}</svg></div>"
    )
