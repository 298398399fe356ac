"""The picture of a query's rows: one page without scripts, drawn as its file's header says.

The header's line is one of

    -- Plot: bars of=<column> by=<column>[,<column>…]
    -- Plot: lines of=<column>[,<column>…] over=<column>
    -- Plot: grid of=<column> across=<column> down=<column> [first=lowest]
    -- Plot: matrix of=<column> between=<column>,<column>
    -- Plot: spans from=<column> to=<column> by=<column>

Units come from the columns' names, `…_usd`, `…_pct` and so on. Times are New York's. Colours are the style sheet's, so
that light and dark follow the device. Why no charting library: docs/decisions/0020-report-page.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import escape
from itertools import pairwise
from math import isfinite
from typing import Any

from tapeline.market.dates import NEW_YORK
from tapeline.reports.drawing import ticks

MAX_BARS = 60
MAX_CELLS = 2000
MAX_POINTS = 800
"""What a page shows at most, so that it stays under 300 kB; it says how much more there is."""

LABELLED_CELLS = 400
WIDTH = 960
ROW = 22
LETTER = 7.2
"""Width of a letter and then some."""

UNITS = {
    "usd": "US dollars",
    "pct": "per cent",
    "shares": "shares",
    "seconds": "seconds",
    "minutes": "minutes",
    "kb": "kB",
    "bytes": "bytes",
}
_WORDS = {
    "vwap": "VWAP",
    "annualised": "annualised volatility",
    "avg": "average",
    "max": "largest",
    "min": "smallest",
    "utc": "",
    "dt": "trading date",
}
_HUES = 4
_MINUS = "−"

Columns = Mapping[str, list[Any]]


class PlotError(ValueError):
    """Rows that make no picture; the message says why."""


@dataclass(frozen=True, slots=True)
class Plot:
    """What a header asks for: the kind of picture and which columns are what in it."""

    kind: str
    roles: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, text: str) -> Plot:
        """Read the header's line.

        >>> Plot.read("bars of=gap_pct by=session,symbol").roles["by"]
        ('session', 'symbol')
        """
        kind, *words = text.split()
        return cls(kind, {role: tuple(names.split(",")) for role, _, names in (word.partition("=") for word in words)})

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that it reads."""
        return tuple(name for role, names in self.roles.items() if role != "first" for name in names)


@dataclass(frozen=True, slots=True)
class Drawing:
    """Parts of an SVG of `WIDTH` by `height`, and what is to be said below it."""

    parts: Sequence[str]
    height: float
    notes: tuple[str, ...] = ()
    legend: tuple[tuple[str, str], ...] = ()
    """Classes of the style sheet and what they stand for."""


def page(title: str, subtitle: str, plot: Plot, columns: Columns, source: str) -> str:
    """Return the whole page.

    Raises
    ------
    PlotError
        If there is nothing in the columns that can be drawn.
    """
    drawing = _KINDS[plot.kind](plot, columns)
    legend = "".join(
        f'<span class="key"><svg width="18" height="12"><path class="{kind}" d="M0 6H18"/></svg>{escape(words)}</span>'
        for kind, words in drawing.legend
    )
    notes = "".join(f"<p>{escape(note)}</p>" for note in drawing.notes)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        'img-src data:">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main><h1>{escape(title)}</h1>"
        f'<p class="lead">{escape(subtitle)}</p><section>{legend}<div class="scroll">'
        f'<svg viewBox="0 0 {WIDTH} {drawing.height:g}" role="img" aria-label="{escape(title)}">'
        f"{''.join(drawing.parts)}</svg></div></section><footer>{notes}<p>Source: {escape(source)}.</p></footer>"
        "</main></body></html>\n"
    )


# Words


def words(column: str) -> str:
    """Return what a column holds, in words, without its unit.

    >>> words("upper_band_usd"), words("max_drawdown_pct"), words("vwap_usd"), words("minute_utc")
    ('upper band', 'largest drawdown', 'VWAP', 'minute')
    """
    *parts, last = column.split("_")
    kept = parts if parts and last in UNITS else [*parts, last]
    return " ".join(filter(None, (_WORDS.get(part, part) for part in kept)))


def unit(column: str) -> str:
    """Return the unit that a column's name ends in, in words, or nothing.

    >>> unit("vwap_usd"), unit("times_average")
    ('US dollars', '')
    """
    return UNITS.get(column.rpartition("_")[2], "")


def with_unit(column: str) -> str:
    """Return what a column holds and in what unit.

    >>> with_unit("gap_pct")
    'gap, per cent'
    """
    return ", ".join(filter(None, (words(column), unit(column))))


def value_words(value: object) -> str:
    """Return a value of a parameter or a label as a person reads it.

    >>> value_words(date(2026, 3, 12)), value_words(Decimal("2.0")), value_words("AAPL")
    ('Thu 12 Mar 2026', '2', 'AAPL')
    """
    if isinstance(value, datetime):
        return f"{_local(value):%a %d %b %Y %H:%M}"
    if isinstance(value, date):
        return f"{value:%a} {value.day} {value:%b %Y}"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(value)


def subtitle(parameters: Mapping[str, object], plot: Plot) -> str:
    """Return the values that a query ran with, the dates of a range together, and the time zone of times.

    >>> bars = Plot.read("bars of=change_pct by=symbol")
    >>> subtitle({"session": date(2026, 3, 12), "movers": 5, "min_gap_pct": 2}, bars)
    'Thu 12 Mar 2026 · movers 5 · gap at least 2 per cent'
    """
    left = dict(parameters)
    told = [str(left.pop("symbol"))] if left.get("symbol") else []
    days = [value_words(left.pop(name)) for name in ("session", "first_session", "last_session") if left.get(name)]
    told += [" to ".join(dict.fromkeys(days))] if days else []
    told += [_told(name, value) for name, value in left.items() if value is not None]
    if any(name.endswith("_utc") for name in plot.columns):
        told.append("times in New York")
    return " · ".join(told)


def _told(name: str, value: object) -> str:
    found = f"{value_words(value)} {unit(name)}".strip()
    bound = {"min": "at least ", "max": "at most "}.get(name.partition("_")[0])
    return f"{words(name.partition('_')[2])} {bound}{found}" if bound else f"{words(name)} {found}"


def number(value: float, digits: int | None = None) -> str:
    """Return a number with thousands apart and a true minus sign.

    >>> number(-1234.5, 2), number(14906588.0), number(0.3), number(-0.001, 2)
    ('−1,234.50', '14,906,588', '0.3', '0.00')
    """
    text = f"{value:,.{digits}f}" if digits is not None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
    return text.replace("-", _MINUS if text.strip("-0.") else "")


def _digits(column: str, values: Iterable[float]) -> int:
    largest = max((abs(value) for value in values), default=0)
    return 0 if unit(column) in ("shares", "bytes") or largest >= 10_000 else 2


def _local(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC).astimezone(NEW_YORK)


# Bars


def _bars(plot: Plot, columns: Columns) -> Drawing:
    (column,) = plot.roles["of"]
    labels = [" ".join(map(_label, row)) for row in zip(*(columns[name] for name in plot.roles["by"]), strict=True)]
    known = [(label, float(value)) for label, value in zip(labels, columns[column], strict=True) if _is_known(value)]
    if not known:
        raise PlotError(f"nothing is known of {words(column)} in any of the {len(labels)} rows")
    shown = known[:MAX_BARS]
    digits = _digits(column, (value for _, value in shown))
    marks = ticks(min(0.0, *(value for _, value in shown)), max(0.0, *(value for _, value in shown)))
    left = max(60.0, LETTER * max(len(label) for label, _ in shown) + 12)
    place = _scale(marks[0], marks[-1], left + (70 if marks[0] < 0 else 0), WIDTH - 76)
    top, height = 52, len(shown) * ROW
    parts = [_text(left, 14, with_unit(column), "tick", "start")]
    for mark in marks:
        parts.append(_line(place(mark), top - 6, place(mark), top + height, "grid" if mark else "zero"))
        parts.append(_text(place(mark), top - 14, number(mark), "tick", "middle"))
    signed = any(value < 0 for _, value in known) or words(column) in ("change", "gap")
    for row, (label, value) in enumerate(shown):
        y = top + row * ROW
        kind = "plain" if not signed else "up" if value >= 0 else "down"
        x, width = min(place(0), place(value)), abs(place(value) - place(0))
        told = number(value, digits)
        parts.append(_text(left - 8, y + ROW / 2, label, "", "end"))
        parts.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{y + 3}" width="{max(width, 1):.1f}" height="{ROW - 6}">'
            f"<title>{escape(f'{label}: {told}')}</title></rect>"
        )
        end, anchor = (x + width + 6, "start") if value >= 0 else (x - 6, "end")
        parts.append(_text(end, y + ROW / 2, told, "tick", anchor))
    notes = [f"The first {len(shown)} of {len(known)} rows."] if len(known) > len(shown) else []
    if unknown := len(labels) - len(known):
        notes.append(f"Nothing is known of {unknown} more.")
    return Drawing(parts, top + height + 8, tuple(notes))


# Lines


def _lines(plot: Plot, columns: Columns) -> Drawing:
    (over,) = plot.roles["over"]
    names = plot.roles["of"]
    at = columns[over]
    rows = sorted((row for row in range(len(at)) if at[row] is not None), key=lambda row: at[row])
    rows = rows[:: -(-len(rows) // MAX_POINTS)] if rows else rows
    moments = [at[row] for row in rows]
    series = {
        name: [float(columns[name][row]) if _is_known(columns[name][row]) else None for row in rows] for name in names
    }
    values = [value for points in series.values() for value in points if value is not None]
    if not values:
        raise PlotError(f"nothing is known of {words(names[0])} at any time")
    marks = ticks(min(values), max(values), 6)
    left, top, height = 20 + LETTER * max(len(number(mark)) for mark in marks), 40, 380
    seconds = [_seconds(moment) for moment in moments]
    x = _scale(seconds[0], max(seconds[-1], seconds[0] + 60), left, WIDTH - 12)
    y = _scale(marks[-1], marks[0], top, top + height)
    units = unit(names[0])
    parts = [_text(left, 14, units if len(names) > 1 else with_unit(names[0]), "tick", "start")]
    for mark in marks:
        parts.append(_line(left, y(mark), WIDTH - 12, y(mark), "grid"))
        parts.append(_text(left - 8, y(mark), number(mark), "tick", "end"))
    for moment, label in _time_marks(moments):
        parts.append(_line(x(moment), top + height, x(moment), top + height + 5, "zero"))
        parts.append(_text(x(moment), top + height + 16, label, "tick", "middle"))
    kinds = {name: f"line hue{place % _HUES}{' band' if '_band_' in name else ''}" for place, name in enumerate(names)}
    for name in reversed(names):
        for run in _runs(seconds, series[name]):
            points = " ".join(f"{x(moment):.1f},{y(value):.1f}" for moment, value in run)
            parts.append(f'<polyline class="{kinds[name]}" points="{points}"/>')
            if len(run) == 1:
                parts.append(f'<circle class="{kinds[name]}" cx="{x(run[0][0]):.1f}" cy="{y(run[0][1]):.1f}" r="3"/>')
    step = (WIDTH - 12 - left) / max(1, len(rows) - 1)
    for place, moment in enumerate(seconds):
        told = [f"{words(name)} {number(value, 2)}" for name in names if (value := series[name][place]) is not None]
        parts.append(
            f'<rect class="target" x="{x(moment) - step / 2:.1f}" y="{top}" width="{step:.1f}" height="{height}">'
            f"<title>{escape(' '.join([_clock(moments[place]), *told]))}</title></rect>"
        )
    axis = "time in New York" if isinstance(moments[0], datetime) else words(over)
    parts.append(_text((left + WIDTH) / 2, top + height + 38, axis, "tick", "middle"))
    legend = tuple((kinds[name], words(name)) for name in names) if len(names) > 1 else ()
    return Drawing(parts, top + height + 50, (), legend)


def _runs(seconds: Sequence[float], values: Sequence[float | None]) -> list[list[tuple[float, float]]]:
    """Cut a line where values are missing, or times: at more than ten of its usual steps."""
    steps = sorted(after - before for before, after in pairwise(seconds))
    longest = 10 * steps[len(steps) // 2] if steps else 0
    found: list[list[tuple[float, float]]] = []
    before: float | None = None
    for moment, value in zip(seconds, values, strict=True):
        if value is None:
            before = None
            continue
        if before is None or moment - before > longest:
            found.append([])
        found[-1].append((moment, value))
        before = moment
    return found


def _seconds(moment: date | datetime) -> float:
    if isinstance(moment, datetime):
        return moment.replace(tzinfo=UTC).timestamp()
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC).timestamp()


def _clock(moment: date | datetime) -> str:
    return f"{_local(moment):%H:%M}" if isinstance(moment, datetime) else value_words(moment)


def _time_marks(moments: Sequence[date | datetime]) -> list[tuple[float, str]]:
    """Mark round times of New York within a day, else up to ten of the moments."""
    first, last = moments[0], moments[-1]
    if isinstance(first, datetime) and isinstance(last, datetime) and last - first <= timedelta(hours=30):
        length = (last - first) / timedelta(minutes=1)
        minutes = next((step for step in (5, 15, 30, 60, 120) if length / step <= 9), 240)
        at = first.replace(hour=0, minute=0, second=0, microsecond=0)
        at += timedelta(minutes=minutes) * -(-(first - at) // timedelta(minutes=minutes))
        found = [at + timedelta(minutes=minutes) * place for place in range(10)]
        shown = [one for one in found if one <= last] or [first]
        return [(_seconds(one), f"{_local(one):%H:%M}") for one in shown]
    step = -(-len(moments) // 10)
    return [
        (_seconds(one), f"{_local(one) if isinstance(one, datetime) else one:%d %b}".lstrip("0"))
        for one in moments[::step]
    ]


# Cells


def _grid(plot: Plot, columns: Columns) -> Drawing:
    (column,), (across,), (down,) = plot.roles["of"], plot.roles["across"], plot.roles["down"]
    cells = {
        (row, place): float(value)
        for row, place, value in zip(columns[down], columns[across], columns[column], strict=True)
        if _is_known(value)
    }
    if not cells:
        raise PlotError(f"nothing is known of {words(column)} in any row")
    places = sorted({place for _, place in cells})
    if len(places) == 1:
        known = sorted(cells, key=lambda cell: (cells[cell] * (1 if "first" in plot.roles else -1), str(cell[0])))
        one_column = {column: [cells[cell] for cell in known], down: [row for row, _ in known]}
        return _bars(Plot("bars", {"of": (column,), "by": (down,)}), one_column)
    by_row: dict[Any, list[float]] = {}
    for (row, _), value in cells.items():
        by_row.setdefault(row, []).append(value)
    lowest_first = "first" in plot.roles
    sign = 1 if lowest_first else -1
    rows = sorted(by_row, key=lambda row: (sign * sum(by_row[row]) / len(by_row[row]), str(row)))
    shown_places = places[-MAX_CELLS // 25 :]
    shown = rows[: max(1, MAX_CELLS // len(shown_places))]
    low, high = min(cells.values()), max(cells.values())
    kind, faintest = ("down", high) if lowest_first else ("hot", low)
    notes = (
        [f"Rows by their mean of {words(column)}, the {'lowest' if lowest_first else 'highest'} first."]
        if len(rows) > 1
        else []
    )
    if len(cells) < len(rows) * len(places):
        notes.append("Where a cell is empty there is no row.")
    if len(shown) < len(rows):
        notes.append(f"The first {len(shown)} of {len(rows)}.")
    if len(shown_places) < len(places):
        notes.append(f"The last {len(shown_places)} of {len(places)} sessions.")
    return _cells(
        [str(row) for row in shown],
        [_short(place) for place in shown_places],
        lambda row, place: cells.get((shown[row], shown_places[place])),
        lambda value: (kind, abs(value - faintest) / (high - low) * 0.6 + 0.1 if high > low else 0.25),
        with_unit(column),
        _digits(column, cells.values()),
        ((kind, low), (kind, high)) if high > low else (),
        notes,
    )


def _matrix(plot: Plot, columns: Columns) -> Drawing:
    (column,), (one, other) = plot.roles["of"], plot.roles["between"]
    pairs: dict[tuple[str, str], float] = {}
    for first, second, value in zip(columns[one], columns[other], columns[column], strict=True):
        if _is_known(value):
            pairs[first, second] = pairs[second, first] = float(value)
    if not pairs:
        raise PlotError(f"nothing is known of {words(column)} of any two")
    names = sorted({name for pair in pairs for name in pair})
    order = clustered(names, pairs)
    side = int(MAX_CELLS**0.5)
    shown = order[:side]
    notes = ["Those that move alike stand beside each other. Empty: too few in common."]
    if len(shown) < len(order):
        notes.append(f"{len(shown)} of {len(order)}.")
    return _cells(
        shown,
        shown,
        lambda row, place: 1.0 if row == place else pairs.get((shown[row], shown[place])),
        lambda value: ("up" if value >= 0 else "down", abs(value) * 0.95),
        f"{with_unit(column)}, from {_MINUS}1 to 1",
        2,
        (("down", -1.0), ("down", -0.5), ("up", 0.5), ("up", 1.0)),
        notes,
    )


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
        b, a = max((pair for pair in close), key=lambda pair: (close[pair], -pair[0], -pair[1]))
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


def _cells(
    rows: Sequence[str],
    places: Sequence[str],
    value_of: Callable[[int, int], float | None],
    colour: Callable[[float], tuple[str, float]],
    what: str,
    digits: int,
    scale: Sequence[tuple[str, float]],
    notes: Sequence[str],
) -> Drawing:
    left = max(60.0, LETTER * max(map(len, rows)) + 12)
    width = min(64.0, (WIDTH - left - 8) / len(places))
    slanted = LETTER * max(map(len, places)) > width - 4
    top = 44 + (LETTER * 0.85 * max(map(len, places)) if slanted else 12)
    height = 18.0 if len(rows) > 12 else 24.0
    labelled = len(rows) * len(places) <= LABELLED_CELLS and width >= 40
    parts = [_text(0, 14, what, "tick", "start")]
    at = WIDTH - 8.0
    for kind, value in reversed(scale):
        label = number(value, digits)
        at -= LETTER * len(label) + 6
        parts.append(_text(at + 4, 14, label, "tick", "start"))
        at -= 16
        parts.append(
            f'<rect class="{kind}" x="{at:.0f}" y="8" width="14" height="12" opacity="{colour(value)[1]:.2f}"/>'
        )
        at -= 10
    for place, label in enumerate(places):
        x = left + (place + 0.5) * width
        turn = f' transform="rotate(-60 {x:.1f} {top - 8:.1f})"' if slanted else ""
        if not slanted or width >= 9 or place % 2 == 0:
            anchor = "start" if slanted else "middle"
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{top - 8:.1f}" text-anchor="{anchor}"{turn}>{escape(label)}</text>'
            )
    for row, label in enumerate(rows):
        y = top + row * height
        parts.append(_text(left - 8, y + height / 2, label, "", "end"))
        for place in range(len(places)):
            found = value_of(row, place)
            if found is None:
                continue
            kind, strength = colour(found)
            x = left + place * width
            parts.append(
                f'<rect class="{kind}" x="{x:.0f}" y="{y:.0f}" width="{width - 1:.1f}" height="{height - 1:g}" '
                f'opacity="{strength:.2f}"><title>{escape(label)} {escape(places[place])} '
                f"{number(found, digits)}</title></rect>"
            )
            if labelled:
                parts.append(_text(x + width / 2, y + height / 2, number(found, digits), "cell", "middle"))
    return Drawing(parts, top + len(rows) * height + 8, tuple(notes))


def _short(value: object) -> str:
    return f"{value.day} {value:%b}" if isinstance(value, date) else str(value)


# Spans of time


def _spans(plot: Plot, columns: Columns) -> Drawing:
    (start,), (end,), (by,) = plot.roles["from"], plot.roles["to"], plot.roles["by"]
    found = [one for one in zip(columns[by], columns[start], columns[end], strict=True) if None not in one]
    if not found:
        raise PlotError("no row has both a beginning and an end")
    names = list(dict.fromkeys(name for name, _, _ in sorted(found, key=lambda one: (one[1], one[0]))))
    shown = names[:MAX_BARS]
    spans = [one for one in found if one[0] in set(shown)][:MAX_CELLS]
    first, last = min(one[1] for one in spans), max(one[2] for one in spans)
    left, top = max(60.0, LETTER * max(map(len, shown)) + 12), 52
    height = len(shown) * ROW
    x = _scale(_seconds(first), max(_seconds(last), _seconds(first) + 60), left, WIDTH - 28)
    parts = [_text(left, 14, "time in New York", "tick", "start")]
    for moment, label in _time_marks([first, last]):
        parts.append(_line(x(moment), top - 6, x(moment), top + height, "grid"))
        parts.append(_text(x(moment), top - 14, label, "tick", "middle"))
    for row, name in enumerate(shown):
        parts.append(_text(left - 8, top + (row + 0.5) * ROW, name, "", "end"))
    for name, began, ended in spans:
        y = top + shown.index(name) * ROW
        told = f"{name} {_clock(began)} to {_clock(ended)}, {round((ended - began) / timedelta(minutes=1))} minutes"
        parts.append(
            f'<rect class="down" x="{x(_seconds(began)):.1f}" y="{y + 4}" height="{ROW - 8}" '
            f'width="{max(1.0, x(_seconds(ended)) - x(_seconds(began))):.1f}"><title>{escape(told)}</title></rect>'
        )
    notes = [f"{len(shown)} of {len(names)}."] if len(shown) < len(names) else []
    if len(spans) < len(found):
        notes.append(f"The first {len(spans)} of {len(found)} rows.")
    return Drawing(parts, top + height + 8, tuple(notes))


_KINDS: dict[str, Callable[[Plot, Columns], Drawing]] = {
    "bars": _bars,
    "lines": _lines,
    "grid": _grid,
    "matrix": _matrix,
    "spans": _spans,
}


# Pieces


def _is_known(value: object) -> bool:
    return value is not None and isfinite(float(value))  # type: ignore[arg-type]


def _label(value: object) -> str:
    return _short(value) if isinstance(value, date) else str(value)


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = high - low or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def _text(x: float, y: float, text: str, kind: str, anchor: str) -> str:
    classes = f' class="{kind}"' if kind else ""
    anchored = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text{classes} x="{x:.1f}" y="{y:.1f}"{anchored}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


STYLE = """
:root { color-scheme: light dark; --ink: #16202c; --soft: #566274; --paper: #f6f7f9; --card: #fff; --line: #dde2e9;
  --up: #0b7a53; --down: #c02c3a; --accent: #2b62c9; --hue1: #b4540a; --hue2: #7a3fb3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ebf1; --soft: #9aa7b8; --paper: #11161d; --card: #1a212b;
  --line: #2e3845; --up: #3ecb93; --down: #ff7a82; --accent: #7ea8ff; --hue1: #ffb066; --hue2: #c9a2ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 1.3rem; line-height: 1.3; margin: 0 0 4px; }
.lead { color: var(--soft); margin: 0 0 16px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px; }
.scroll { overflow-x: auto; } .scroll svg { width: 100%; min-width: 640px; }
svg { vertical-align: middle; } .key { margin-right: 18px; font-size: 13px; } .key svg { margin-right: 6px; }
text { fill: var(--ink); font-size: 12px; dominant-baseline: central; }
.tick { fill: var(--soft); } .cell { font-size: 11px; pointer-events: none; }
.up { fill: var(--up); } .down { fill: var(--down); } .plain, .hot { fill: var(--accent); }
.grid { stroke: var(--line); } .zero { stroke: var(--soft); }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.hue0 { stroke: var(--accent); } .hue1 { stroke: var(--hue1); } .hue2, .hue3 { stroke: var(--hue2); }
.band { stroke-width: 1.2; stroke-dasharray: 5 3; }
.target { fill: transparent; } .target:hover { fill: var(--soft); opacity: .25; }
footer { color: var(--soft); font-size: .85rem; margin-top: 12px; } footer p { margin: 2px 0; }
"""
