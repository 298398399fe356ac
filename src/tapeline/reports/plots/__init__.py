"""The picture of a query's rows: one page without scripts, drawn as its file's header says.

The header's line is one of

    -- Plot: bars of=<column> by=<column>[,<column>…]
    -- Plot: lines of=<column>[,<column>…] over=<column>
    -- Plot: grid of=<column> across=<column> down=<column> [first=lowest]
    -- Plot: matrix of=<column> between=<column>,<column>
    -- Plot: spans from=<column> to=<column> by=<column>

Units come from the columns' names, `…_usd`, `…_pct` and so on. Times are New York time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tapeline.reports.drawing import element
from tapeline.reports.plots import bars, cells, times
from tapeline.reports.plots.plot import WIDTH, Columns, Picture, Plot, PlotError
from tapeline.reports.plots.wording import unit, value_words, words
from tapeline.reports.templating import render_page

__all__ = ["Plot", "PlotError", "page", "subtitle"]

_KINDS: dict[str, Callable[[Plot, Columns], Picture]] = {
    "bars": bars.draw,
    "lines": times.draw_lines,
    "grid": cells.draw_grid,
    "matrix": cells.draw_matrix,
    "spans": times.draw_spans,
}


def page(title: str, subtitle: str, plot: Plot, columns: Columns, source: str) -> str:
    """Return the whole page.

    Raises
    ------
    PlotError
        If there is nothing in the columns that can be drawn.
    """
    picture = _KINDS[plot.kind](plot, columns)
    view = f"0 0 {WIDTH} {picture.height:g}"
    svg = element("svg", *picture.parts, viewBox=view, role="img", aria_label=title)
    return render_page("plot", title=title, subtitle=subtitle, svg=svg, picture=picture, source=source)


def subtitle(parameters: Mapping[str, object], plot: Plot) -> str:
    """Return the values that a query ran with, the dates of a range together, and the time zone of times.

    >>> from datetime import date
    >>> bars = Plot.read("bars of=change_pct by=symbol")
    >>> subtitle({"session": date(2026, 3, 12), "movers": 5, "min_gap_pct": 2}, bars)
    'Thu 12 Mar 2026 · movers 5 · gap at least 2 per cent'
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    symbol, days = given.pop("symbol", ""), ("session", "first_session", "last_session")
    range_ = dict.fromkeys(value_words(given.pop(name)) for name in days if name in given)
    parts = [str(symbol), " to ".join(range_), *(_setting(name, value) for name, value in given.items())]
    if any(name.endswith("_utc") for name in plot.columns):
        parts.append("times in New York")
    return " · ".join(filter(None, parts))


def _setting(name: str, value: object) -> str:
    amount = f"{value_words(value)} {unit(name)}".strip()
    bound, _, rest = name.partition("_")
    limit = {"min": "at least", "max": "at most"}.get(bound)
    return f"{words(rest)} {limit} {amount}" if limit else f"{words(name)} {amount}"
