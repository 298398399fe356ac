"""The picture of a query's rows: one page without scripts, drawn as its file's header says.

The header's line is one of

    -- Plot: bars of=<column> by=<column>[,<column>…]
    -- Plot: lines of=<column>[,<column>…] over=<column>
    -- Plot: grid of=<column> across=<column> down=<column> [first=lowest]
    -- Plot: matrix of=<column> between=<column>,<column>
    -- Plot: spans from=<column> to=<column> by=<column>

Units come from the columns' names, `…_usd`, `…_pct` and so on. Times are New York's.
"""

from tapeline.reports.plots.layout import page, subtitle
from tapeline.reports.plots.plot import Plot, PlotError

__all__ = ["Plot", "PlotError", "page", "subtitle"]
