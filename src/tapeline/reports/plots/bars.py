"""Bars: one value for each row, from zero to the left or right."""

from __future__ import annotations

from tapeline.reports.drawing import box, label, rule, scale, ticks
from tapeline.reports.plots.plot import WIDTH, Columns, Picture, Plot, PlotError, name_width
from tapeline.reports.plots.wording import digits, is_known, number, short, with_unit, words

MAX_BARS = 60
ROW = 22
TOP = 52


def draw(plot: Plot, columns: Columns) -> Picture:
    """Draw the rows in their order, each with its figure."""
    (column,) = plot.roles["of"]
    names = [" ".join(map(short, row)) for row in zip(*(columns[name] for name in plot.roles["by"]), strict=True)]
    bars = [(name, float(value)) for name, value in zip(names, columns[column], strict=True) if is_known(value)]
    if not bars:
        raise PlotError(f"no value of {words(column)} in any of the {len(names)} rows")
    shown = bars[:MAX_BARS]
    values = [value for _, value in shown]
    decimals = digits(column, values)
    signed = any(value < 0 for _, value in bars) or words(column) in ("change", "gap")
    marks = ticks(min(0.0, *values), max(0.0, *values))
    left, bottom = name_width(name for name, _ in shown), TOP + len(shown) * ROW
    x = scale(marks[0], marks[-1], left + (70 if marks[0] < 0 else 0), WIDTH - 76)
    parts = [label(with_unit(column), left, 14, "tick")]
    for mark in marks:
        parts.append(rule("grid" if mark else "zero", x(mark), TOP - 6, x(mark), bottom))
        parts.append(label(number(mark), x(mark), TOP - 14, "tick", "middle"))
    for place, (name, value) in enumerate(shown):
        top = TOP + place * ROW
        kind = "plain" if not signed else "up" if value >= 0 else "down"
        start, width = min(x(0), x(value)), abs(x(value) - x(0))
        figure = number(value, decimals)
        end, anchor = (start + width + 6, "") if value >= 0 else (start - 6, "end")
        parts.append(label(name, left - 8, top + ROW / 2, anchor="end"))
        parts.append(box(f"{name}: {figure}", kind, start, top + 3, max(width, 1.0), ROW - 6))
        parts.append(label(figure, end, top + ROW / 2, "tick", anchor))
    notes = [f"The first {len(shown)} of {len(bars)} rows."] if len(bars) > len(shown) else []
    if unknown := len(names) - len(bars):
        notes.append(f"{unknown} more without a value.")
    return Picture(parts, bottom + 8, notes)
