"""A report as a mail: a subject, and plain text in lines of at most 72 characters."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from tapeline.aws.notify import mail_subject
from tapeline.reports import words
from tapeline.reports.report import UNREAL, Mover, Report
from tapeline.reports.templating import templates
from tapeline.reports.words import NONE, TextTable

WIDTH = 72
LABEL = 14
FIRST_MOVERS = 3
"""How many are named where there is no table of them."""


def subject(report: Report, *, corrected: bool = False) -> str:
    """Return the subject, under 100 ASCII characters; unreal data is said in front."""
    front = "".join(f"[{source}] " for source in UNREAL if source in report.sources)
    return mail_subject(f"{front}{'Corrected: ' if corrected else ''}{words.period(report)}: {words.headline(report)}")


def text(report: Report, link: str, *, corrected: bool = False) -> str:
    """Return the mail's body.

    Without an anomaly it is short: the facts, the first movers and the link. The link stands on a line of its own and
    is never broken, however long.
    """
    pieces = {"words": words, "fill": _fill, "fact": _fact, "first_of": _first_of, "in_columns": _in_columns}
    return templates.get_template("mail.txt.j2").render(pieces, report=report, link=link, corrected=corrected)


def _fill(sentence: str, first: str = "", others: str = "") -> str:
    return textwrap.fill(sentence, WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)


def _fact(label: str, value: str) -> str:
    return _fill(value, f"{label + ':':<{LABEL}}", " " * LABEL)


def _first_of(movers: Sequence[Mover]) -> str:
    return ", ".join(f"{mover.symbol} {words.percent(mover.change_pct)}" for mover in movers[:FIRST_MOVERS]) or NONE


def _in_columns(table: TextTable) -> str:
    if not table.rows:
        return f": {NONE}"
    widths = [max(map(len, column)) for column in zip(table.columns, *table.rows, strict=True)]
    lines = []
    for row in (table.columns, *table.rows):
        cells = (f"{cell:{'>' if place in table.numbers else '<'}{widths[place]}}" for place, cell in enumerate(row))
        lines.append(f"  {'  '.join(cells)}".rstrip())
    return "\n".join(["", *lines])
