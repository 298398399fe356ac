"""A report as a mail: a subject, and plain text in lines of at most 72 characters."""

from __future__ import annotations

import textwrap

from tapeline.aws.notify import mail_subject
from tapeline.reports import words
from tapeline.reports.report import UNREAL, Report
from tapeline.reports.templating import templates
from tapeline.reports.words import NONE, TextTable

WIDTH = 72
FIRST_MOVERS = 3
"""How many are named where there is no table of them."""


def subject(report: Report, *, corrected: bool = False) -> str:
    """Return the subject, under 100 ASCII characters; unreal data is said in front."""
    front = "".join(f"[{source}] " for source in UNREAL if source in report.sources)
    full = f"{front}{'Corrected: ' if corrected else ''}{words.period(report)}: {words.headline(report)}"
    return mail_subject(full)


def text(report: Report, link: str, *, corrected: bool = False) -> str:
    """Return the mail's body.

    Without an anomaly it is short: the facts, the first movers and the link. The link stands on a line of its own and
    is never broken, however long.
    """
    shown = words.farthest(report)
    up, down = map(words.mover_rows, (report.market.top, report.market.bottom))
    movers = () if report.anomalies else (("Up", _in_one_line(up)), ("Down", _in_one_line(down)))
    return templates.get_template("mail.txt.j2").render(
        words=words,
        report=report,
        shown=shown,
        more_anomalies=len(report.anomalies) - sum(1 + others for _, others in shown),
        up=up,
        down=down,
        facts=(*words.facts(report), *movers),
        link=link,
        corrected=corrected,
        fill=_fill,
        in_columns=_in_columns,
    )


def _fill(sentence: str, first: str = "", others: str = "") -> str:
    return textwrap.fill(sentence, WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)


def _in_columns(table: TextTable) -> str:
    if not table.rows:
        return f": {NONE}"
    widths = [max(map(len, column)) for column in zip(table.columns, *table.rows, strict=True)]
    lines = []
    for row in (table.columns, *table.rows):
        cells = (f"{cell:{'>' if place in table.numbers else '<'}{widths[place]}}" for place, cell in enumerate(row))
        lines.append(f"  {'  '.join(cells)}".rstrip())
    return "\n".join(["", *lines])


def _in_one_line(movers: TextTable) -> str:
    return ", ".join(f"{symbol} {change}" for symbol, change, *_ in movers.rows[:FIRST_MOVERS]) or NONE
