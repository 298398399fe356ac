"""A report as one self-contained page: no script, nothing loaded, light or dark as the reader's device is."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from tapeline.reports import charts, words
from tapeline.reports.charts import Bar
from tapeline.reports.report import Mover, Point, Report
from tapeline.reports.words import Table

STYLE = """
:root { color-scheme: light dark; --ink: #16202c; --soft: #566274; --paper: #f6f7f9; --card: #fff; --line: #dde2e9;
  --up: #0b7a53; --down: #c02c3a; --accent: #2b62c9; --usual: #a3aebd; --note: #fff3d1; --note-ink: #6b4a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ebf1; --soft: #9aa7b8; --paper: #11161d; --card: #1a212b;
  --line: #2e3845; --up: #3ecb93; --down: #ff7a82; --accent: #7ea8ff; --usual: #5c6878; --note: #3a2f10;
  --note-ink: #ffdf95; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 1rem; margin: 0 0 12px; }
.lead { color: var(--soft); font-size: 1.05rem; margin: 0 0 20px; }
.note { background: var(--note); color: var(--note-ink); border-radius: 8px; padding: 10px 14px; margin: 0 0 16px;
  font-weight: 600; }
.cards { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px; min-width: 0; }
.wide { grid-column: 1 / -1; }
.pair { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 24px; align-items: start; }
@media (max-width: 760px) { .cards, .pair { grid-template-columns: minmax(0, 1fr); } main { padding: 16px 10px 32px; }
  section { padding: 14px 12px; } }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 6px 16px; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { text-align: left; padding: 5px 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 500; vertical-align: bottom; } .number { text-align: right; }
td + td, th + th { padding-left: 16px; } tr:last-child td { border-bottom: 0; }
.long th { white-space: normal; position: sticky; top: 0; background: var(--card); }
.long { max-height: 440px; overflow-y: auto; }
.chart { display: flex; margin-bottom: 12px; } .drawn { flex: 1; min-width: 0; }
svg { display: block; flex: none; overflow: visible; }
svg text { fill: var(--ink); font-size: 13px; dominant-baseline: central; }
svg .tick { fill: var(--soft); font-size: 12px; } .up { fill: var(--up); } .down { fill: var(--down); }
.plain { fill: var(--accent); } .usual { fill: var(--usual); } .grid { stroke: var(--line); }
.zero { stroke: var(--soft); } .line { fill: none; stroke: var(--accent); stroke-width: 2;
  vector-effect: non-scaling-stroke; stroke-linejoin: round; } .area { fill: var(--accent); opacity: .12; }
.target { fill: transparent; } .target:hover { fill: var(--soft); opacity: .25; }
footer { color: var(--soft); font-size: .85rem; margin-top: 20px; }
@media (max-width: 480px) { td + td, th + th { padding-left: 8px; } table { font-size: .82rem; }
  td:not(.number), th { white-space: normal; } }
"""


def page(report: Report) -> str:
    """Return the whole page.

    Its policy lets nothing in but its own style sheet, known by its hash; every word of the data is escaped.
    """
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    title = words.period(report)
    title = title[0].upper() + title[1:]
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in report.unreal)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}: {escape(words.headline(report))}</title><style>{STYLE}</style></head>\n"
        f'<body><main><h1>{escape(title)}</h1><p class="lead">{escape(words.headline(report))}</p>{notes}'
        f'<div class="cards">{"".join(_sections(report))}</div>'
        "<footer>Times are New York's. Prices are of quotes, never adjusted. The same figures are in the tables "
        "daily_summary, anomalies and minute_bars. Cost leaves out running time of Lambda and crawler, Airflow's "
        "machine, storage, logs and network.</footer></main></body></html>\n"
    )


def _sections(report: Report) -> list[str]:
    facts = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in words.facts(report))
    found = [_section("In short", f"<dl>{facts}</dl>", wide=True)]
    if report.course:
        known = {point: point.change_pct for point in report.course if point.change_pct is not None}
        names = [f"{_when(report, point)} {words.percent(change)}" for point, change in known.items()]
        title = "Mean change from the previous close"
        if known:
            drawn = charts.line(title, list(map(float, known.values())), names, _hours(tuple(known)))
            found.append(_section(title, drawn, wide=True))
    found.append(_anomalies(report))
    if report.kind == "weekly_report":
        found.append(_week(report))
    found += [_movers("Up", report.top, "up"), _movers("Down", report.bottom, "down")]
    if report.course:
        title = "Quotes over the day" if len(report.sessions) == 1 else "Quotes over the week"
        names = [f"{_when(report, point)} {words.count(point.quotes, 'quote')}" for point in report.course]
        quotes = [float(point.quotes) for point in report.course]
        found.append(_section(title, charts.columns(title, quotes, names, _hours(report.course)), wide=True))
    found += [_table_section(words.gap_rows(report)), _table_section(words.coverage_rows(report))]
    found.append(_table_section(words.cost_rows(report), wide=True))
    return found


def _anomalies(report: Report) -> str:
    table = words.anomaly_rows(report)
    if not table.rows:
        return _section("Anomalies", "<p>None.</p>", wide=True)
    rows = dict(zip(report.anomalies, table.rows, strict=True))
    bars = []
    for one, _ in words.farthest(report):
        bars.append(Bar(one.symbol, float(one.peak_change_pct), rows[one][1], one.direction))
        bars.append(Bar("usual", float(one.usual_move_pct or 0), rows[one][2], "usual"))
    chart = charts.bars("Farthest change of each anomaly, and the usual change of its symbol", bars)
    return _section("Anomalies", f"{chart}{_table(table, long=True)}", wide=True)


def _week(report: Report) -> str:
    bars = [
        Bar(
            f"{one.session:%a} {one.session.day}",
            float(one.change_pct),
            words.percent(one.change_pct),
            _direction(one.change_pct),
        )
        for one in report.days
    ]
    chart = charts.bars("Mean change of each session", bars)
    return _section("Sessions", f'<div class="pair">{chart}{_table(words.day_rows(report))}</div>', wide=True)


def _movers(title: str, movers: tuple[Mover, ...], kind: str) -> str:
    if not movers:
        return _section(title, "<p>None.</p>")
    bars = [Bar(one.symbol, float(one.change_pct), words.percent(one.change_pct), kind) for one in movers]
    return _section(title, f"{charts.bars(f'{title} most', bars)}{_table(words.movers(title, movers))}")


def _direction(change: object) -> str:
    return "down" if str(change).startswith("-") else "up"


def _hours(course: tuple[Point, ...]) -> list[tuple[float, str]]:
    """Label an axis: a session's full hours, or the first point of each session of several."""
    last = max(1, len(course) - 1)
    if course[0].session == course[-1].session:
        return [
            (number / last, words.clock(point.at))
            for number, point in enumerate(course)
            if words.clock(point.at).endswith(":00")
        ]
    starts = [0] + [number for number in range(1, len(course)) if course[number].session != course[number - 1].session]
    return [(number / last, f"{course[number].session:%a}") for number in starts]


def _when(report: Report, point: Point) -> str:
    return f"{point.session:%a} {words.clock(point.at)}" if len(report.sessions) > 1 else words.clock(point.at)


def _section(title: str, content: str, *, wide: bool = False) -> str:
    return f"<section{' class=wide' if wide else ''}><h2>{escape(title)}</h2>{content}</section>\n"


def _table_section(table: Table, *, wide: bool = False) -> str:
    return _section(table.title, _table(table) if table.rows else "<p>None.</p>", wide=wide)


def _table(table: Table, *, long: bool = False) -> str:
    is_number = [column.endswith(">") for column in table.columns]

    def cells(tag: str, texts: tuple[str, ...]) -> str:
        return "".join(
            f"<{tag}{' class=number' if number else ''}>{escape(text)}</{tag}>"
            for text, number in zip(texts, is_number, strict=True)
        )

    head = cells("th", tuple(column.rstrip(">") for column in table.columns))
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in table.rows)
    kind = "scroll long" if long else "scroll"
    return f'<div class="{kind}"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
