"""What charts and plots are drawn with: SVG elements, round numbers for an axis, scales.

Colours are the style sheet's, so that light and dark follow the reader's device. Why not a charting library:
docs/decisions/0020-report-page.md.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor, log10

from markupsafe import Markup

Scale = Callable[[float], float]


def element(tag: str, *content: str, **attributes: object) -> Markup:
    """Return an SVG element; text that is no `Markup` is escaped.

    The attribute ``kind`` is its class, an underscore in a name stands for a hyphen. Floats are written with two
    decimals at most; what is None or empty is left out.

    >>> element("text", "A<B", kind="tick", x=1.504, y=2, text_anchor=None)
    Markup('<text class="tick" x="1.5" y="2">A&lt;B</text>')
    """
    names = {name: "class" if name == "kind" else name.replace("_", "-") for name in attributes}
    written = [
        Markup(' {}="{}"').format(names[name], _decimals(value) if isinstance(value, float) else value)
        for name, value in attributes.items()
        if value is not None and value != ""
    ]
    return Markup("<{0}{1}>{2}</{0}>").format(tag, Markup().join(written), Markup().join(content))


def label(text: str, x: float | str, y: float, kind: str = "", anchor: str = "", **attributes: object) -> Markup:
    """Return text at a point: its beginning, or its ``middle`` or ``end``."""
    return element("text", text, kind=kind, x=x, y=y, text_anchor=anchor, **attributes)


def box(tip: str, kind: str, x: float, y: float, width: float | str, height: float, **attributes: object) -> Markup:
    """Return a rectangle that says something under the pointer."""
    title = (element("title", tip),) if tip else ()
    return element("rect", *title, kind=kind, x=x, y=y, width=width, height=height, **attributes)


def rule(kind: str, x1: float, y1: float, x2: float | str, y2: float) -> Markup:
    """Return a straight line."""
    return element("line", kind=kind, x1=x1, y1=y1, x2=x2, y2=y2)


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


def scale(low: float, high: float, start: float, end: float) -> Scale:
    """Return the function that takes a value between `low` and `high` to its place between `start` and `end`."""
    span = high - low or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def _decimals(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
