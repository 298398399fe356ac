"""Cells, the stronger coloured the higher or lower: a grid of rows by sessions, and a matrix of all by all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from markupsafe import Markup

from tapeline.reports.drawing import box, label
from tapeline.reports.plots import bars
from tapeline.reports.plots.plot import LETTER, MAX_CELLS, WIDTH, Columns, Picture, Plot, PlotError, name_width
from tapeline.reports.plots.wording import MINUS, digits, is_known, number, short, with_unit, words

LABELLED_CELLS = 400
"""With more of them no figure stands in a cell."""

Colour = Callable[[float], tuple[str, float]]
"""Class of the style sheet and strength of a value's colour."""


@dataclass(frozen=True, slots=True)
class _Cells:
    """What stands where: rows and columns, the values by both, and how they are shown."""

    rows: Sequence[Any]
    columns: Sequence[Any]
    values: Mapping[tuple[Any, Any], float]
    colour: Colour
    decimals: int


def draw_grid(plot: Plot, columns: Columns) -> Picture:
    """Draw one row for each name, by its mean, and one column for each session; bars if there is one session."""
    (column,), (across,), (down,) = plot.roles["of"], plot.roles["across"], plot.roles["down"]
    cells = zip(columns[down], columns[across], columns[column], strict=True)
    values = {(name, session): float(value) for name, session, value in cells if is_known(value)}
    if not values:
        raise PlotError(f"no value of {words(column)} in any row")
    lowest_first = "first" in plot.roles
    by_name: dict[Any, list[float]] = {}
    for (name, _), value in values.items():
        by_name.setdefault(name, []).append(value if lowest_first else -value)
    names = sorted(by_name, key=lambda name: (sum(by_name[name]) / len(by_name[name]), str(name)))
    sessions = sorted({session for _, session in values})
    if len(sessions) == 1:
        one_column = {column: [values[name, sessions[0]] for name in names], down: names}
        return bars.draw(Plot("bars", {"of": (column,), "by": (down,)}), one_column)
    shown_sessions = sessions[-MAX_CELLS // 25 :]
    shown = names[: max(1, MAX_CELLS // len(shown_sessions))]
    low, high = min(values.values()), max(values.values())
    kind, faintest = ("down", high) if lowest_first else ("hot", low)

    def colour(value: float) -> tuple[str, float]:
        return kind, abs(value - faintest) / (high - low) * 0.6 + 0.1 if high > low else 0.25

    order = f"Rows by their mean of {words(column)}, the {'lowest' if lowest_first else 'highest'} first."
    notes = [order] if len(names) > 1 else []
    if len(values) < len(names) * len(sessions):
        notes.append("An empty cell has no row.")
    if len(shown) < len(names):
        notes.append(f"The first {len(shown)} of {len(names)}.")
    if len(shown_sessions) < len(sessions):
        notes.append(f"The last {len(shown_sessions)} of {len(sessions)} sessions.")
    drawn = _Cells(shown, shown_sessions, values, colour, digits(column, values.values()))
    return _picture(with_unit(column), drawn, [low, high] if high > low else [], notes)


def draw_matrix(plot: Plot, columns: Columns) -> Picture:
    """Draw the correlation of each with each, those that move alike beside each other."""
    (column,), (first, second) = plot.roles["of"], plot.roles["between"]
    pairs: dict[tuple[str, str], float] = {}
    for name, other, value in zip(columns[first], columns[second], columns[column], strict=True):
        if is_known(value):
            pairs[name, other] = pairs[other, name] = float(value)
    if not pairs:
        raise PlotError(f"no value of {words(column)} for any two")
    order = clustered(sorted({name for pair in pairs for name in pair}), pairs)
    shown = order[: int(MAX_CELLS**0.5)]
    values = pairs | {(name, name): 1.0 for name in shown}
    notes = ["Those that move alike stand side by side. An empty cell: too few sessions in common."]
    if len(shown) < len(order):
        notes.append(f"Shown: {len(shown)} of {len(order)}.")
    cells = _Cells(shown, shown, values, lambda value: ("up" if value >= 0 else "down", abs(value) * 0.95), 2)
    return _picture(f"{with_unit(column)}, from {MINUS}1 to 1", cells, [-1.0, -0.5, 0.5, 1.0], notes)


def clustered(names: Sequence[str], pairs: Mapping[tuple[str, str], float]) -> list[str]:
    """Return the names in an order in which those of high correlation stand together: average linkage.

    >>> alike = {("A", "C"): 0.9, ("C", "A"): 0.9, ("B", "D"): 0.8, ("D", "B"): 0.8}
    >>> clustered(["A", "B", "C", "D"], alike)
    ['A', 'C', 'B', 'D']
    """
    groups = [[name] for name in names]

    def closeness(left: list[str], right: list[str]) -> float:
        return sum(pairs.get((a, b), 0.0) for a in left for b in right) / (len(left) * len(right))

    close = {(a, b): closeness(groups[a], groups[b]) for a in range(len(groups)) for b in range(a)}
    alive = set(range(len(groups)))
    while len(alive) > 1:
        b, a = max(close, key=lambda pair: (close[pair], -pair[0], -pair[1]))
        left, right = groups[a], groups[b]
        choices = [(left, right), (left[::-1], right), (left, right[::-1]), (left[::-1], right[::-1])]
        left, right = max(choices, key=lambda pair: pairs.get((pair[0][-1], pair[1][0]), 0.0))
        sizes = len(groups[a]), len(groups[b])
        alive.remove(b)
        for c in alive - {a}:
            to_a, to_b = close[max(a, c), min(a, c)], close.pop((max(b, c), min(b, c)))
            close[max(a, c), min(a, c)] = (to_a * sizes[0] + to_b * sizes[1]) / sum(sizes)
        close.pop((b, a))
        groups[a] = left + right
    return groups[alive.pop()] if groups else []


def _picture(title: str, cells: _Cells, samples: Sequence[float], notes: Sequence[str]) -> Picture:
    """Draw cells under a title, beside which samples of the colours stand."""
    rows, columns = list(map(str, cells.rows)), list(map(short, cells.columns))
    left, longest = name_width(rows), LETTER * max(map(len, columns))
    width = min(64.0, (WIDTH - left - 8) / len(columns))
    slanted = longest > width - 4
    top = 44 + (longest * 0.85 if slanted else 12)
    height = 18.0 if len(rows) > 12 else 24.0
    labelled = len(rows) * len(columns) <= LABELLED_CELLS and width >= 40
    parts = [label(title, 0, 14, "tick"), *_legend(cells, samples)]
    for place, name in enumerate(columns):
        x, y = left + (place + 0.5) * width, top - 8
        if not slanted:
            parts.append(label(name, x, y, "tick", "middle"))
        elif width >= 9 or place % 2 == 0:
            parts.append(label(name, x, y, "tick", transform=f"rotate(-60 {x:.1f} {y:.1f})"))
    parts += [label(name, left - 8, top + (row + 0.5) * height, anchor="end") for row, name in enumerate(rows)]
    for (row, name), (place, column) in product(enumerate(cells.rows), enumerate(cells.columns)):
        if (value := cells.values.get((name, column))) is None:
            continue
        x, y, figure = left + place * width, top + row * height, number(value, cells.decimals)
        kind, strength = cells.colour(value)
        tip = f"{rows[row]} {columns[place]} {figure}"
        parts.append(box(tip, kind, round(x), round(y), width - 1, height - 1, opacity=strength))
        if labelled:
            parts.append(label(figure, x + width / 2, y + height / 2, "cell", "middle"))
    return Picture(parts, top + len(rows) * height + 8, notes)


def _legend(cells: _Cells, samples: Sequence[float]) -> list[Markup]:
    """Write sample values with their colours, from the right end to the left."""
    parts = []
    x = WIDTH - 8.0
    for value in reversed(samples):
        figure = number(value, cells.decimals)
        kind, strength = cells.colour(value)
        x -= LETTER * len(figure) + 22
        parts.append(box("", kind, round(x), 8, 14, 12, opacity=strength))
        parts.append(label(figure, x + 20, 14, "tick"))
        x -= 10
    return parts
