"""Charts as plain SVG: no script, no library to load, colours from the page's style sheet.

Lengths along x are per cents of the width, so that a chart fits a phone and a desk alike while its letters keep their
size; lines lie in an inner picture that is stretched. Why not a charting library: docs/decisions/0020-report-page.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

ROW = 26
PLOT_HEIGHT = 180
AXIS_HEIGHT = 22
LEFT = 14.0
"""Per cent of the width that labels on the left take."""

NAME_WIDTH = 22.0
"""Per cent of the width for the names of bars."""

VALUE_WIDTH = 16.0
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
    space = 100 - NAME_WIDTH - VALUE_WIDTH
    parts = []
    for number, bar in enumerate(found):
        width = max(0.4, space * abs(bar.value) / longest)
        middle = number * ROW + ROW / 2
        parts.append(
            f'<text class="name" x="{NAME_WIDTH - 1:g}%" y="{middle:g}" text-anchor="end">{escape(bar.name)}</text>'
            f'<rect class="{bar.kind}" x="{NAME_WIDTH:g}%" y="{middle - 8:g}" width="{width:.2f}%" height="16" rx="2">'
            f"<title>{escape(f'{bar.name} {bar.label}'.strip())}</title></rect>"
            f'<text class="value" x="{NAME_WIDTH + width + 1:.2f}%" y="{middle:g}">{escape(bar.label)}</text>'
        )
    return _picture(title, len(found) * ROW, parts)


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
    parts = [*_y_axis(marks, "%"), *_x_axis(x_labels)]
    parts.append(
        f'<svg x="{LEFT:g}%" y="{AXIS_HEIGHT // 2}" width="{100 - LEFT:g}%" height="{PLOT_HEIGHT}" '
        f'viewBox="0 0 100 {PLOT_HEIGHT}" preserveAspectRatio="none">'
        f'<polygon class="area" points="{area}"/><polyline class="line" points="{points}"/>'
    )
    parts += _targets(names)
    parts.append("</svg>")
    return _picture(title, PLOT_HEIGHT + 2 * AXIS_HEIGHT, parts)


def columns(title: str, values: Sequence[float], names: Sequence[str], x_labels: Iterable[tuple[float, str]]) -> str:
    """Draw columns from zero up, evenly spaced."""
    marks = ticks(0.0, max((*values, 0.0)))
    high = marks[-1]
    width = 100 / max(1, len(values))
    parts = [*_y_axis(marks, ""), *_x_axis(x_labels)]
    parts.append(
        f'<svg x="{LEFT:g}%" y="{AXIS_HEIGHT // 2}" width="{100 - LEFT:g}%" height="{PLOT_HEIGHT}" '
        f'viewBox="0 0 100 {PLOT_HEIGHT}" preserveAspectRatio="none">'
    )
    parts += [
        f'<rect class="plain" x="{number * width + width * 0.1:.3f}" y="{PLOT_HEIGHT * (1 - value / high):.1f}" '
        f'width="{width * 0.8:.3f}" height="{PLOT_HEIGHT * value / high:.1f}"/>'
        for number, value in enumerate(values)
    ]
    parts += _targets(names)
    parts.append("</svg>")
    return _picture(title, PLOT_HEIGHT + 2 * AXIS_HEIGHT, parts)


def _y_axis(marks: Sequence[float], unit: str) -> list[str]:
    low, high = marks[0], marks[-1]
    parts = []
    for mark in marks:
        y = AXIS_HEIGHT // 2 + PLOT_HEIGHT * (high - mark) / (high - low)
        kind = "zero" if mark == 0 else "grid"
        parts.append(
            f'<line class="{kind}" x1="{LEFT:g}%" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{LEFT - 1.5:g}%" y="{y:.1f}" text-anchor="end">{mark:,g}{unit}</text>'
        )
    return parts


def _x_axis(labels: Iterable[tuple[float, str]]) -> list[str]:
    y = PLOT_HEIGHT + AXIS_HEIGHT * 1.25
    parts = []
    for share, label in labels:
        anchor = "start" if share < 0.02 else "end" if share > 0.98 else "middle"
        x = LEFT + share * (100 - LEFT)
        parts.append(f'<text class="tick" x="{x:.2f}%" y="{y:g}" text-anchor="{anchor}">{escape(label)}</text>')
    return parts


def _targets(names: Sequence[str]) -> list[str]:
    width = 100 / max(1, len(names))
    return [
        f'<rect class="target" x="{number * width:.3f}" y="0" width="{width:.3f}" height="{PLOT_HEIGHT}">'
        f"<title>{escape(name)}</title></rect>"
        for number, name in enumerate(names)
    ]


def _picture(title: str, height: float, parts: Iterable[str]) -> str:
    return (
        f'<svg role="img" aria-label="{escape(title)}" width="100%" height="{height:g}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
