"""A report as a mail: a subject, and plain text in lines of at most 72 characters."""

from __future__ import annotations

import textwrap

from tapeline.aws.printable import MAX_SUBJECT_CHARACTERS
from tapeline.reports import words
from tapeline.reports.report import Report
from tapeline.reports.words import Table

WIDTH = 72
LABEL = 14


def subject(report: Report, *, corrected: bool = False) -> str:
    """Return the subject, under 100 ASCII characters; unreal data is said in front."""
    kinds = [source for source in ("simulated", "replay") if source in report.sources]
    front = "".join(f"[{kind}] " for kind in kinds) + ("Corrected: " if corrected else "")
    full = f"{front}{words.period(report)}: {words.headline(report)}"
    return full.encode("ascii", "replace").decode()[:MAX_SUBJECT_CHARACTERS]


def text(report: Report, link: str, *, corrected: bool = False) -> str:
    """Return the mail's body.

    Without an anomaly it is short: the facts, the first movers and the link. The link stands on a line of its own and
    is never broken, however long.
    """
    parts = [_fill(f"{_sentence(words.period(report))}: {words.headline(report)}.")]
    if corrected:
        parts.append(_fill("This replaces an earlier report: the figures have changed since."))
    parts += map(_fill, report.unreal)
    if report.anomalies:
        parts.append(_anomalies(report))
        parts += [_table(words.movers("Up", report.top)), _table(words.movers("Down", report.bottom))]
    if report.kind == "weekly_report":
        parts.append(_table(words.day_rows(report)))
    facts = list(words.facts(report))
    if not report.anomalies:
        for label, found in (("Up", report.top), ("Down", report.bottom)):
            said = ", ".join(f"{one.symbol} {words.percent(one.change_pct)}" for one in found[:3])
            facts.append((label, said or words.NONE))
    parts.append("\n".join(_fact(label, value) for label, value in facts))
    parts.append(f"Charts and tables:\n{link}")
    return "\n\n".join(filter(None, parts)) + "\n"


def _anomalies(report: Report) -> str:
    shown = words.farthest(report)
    lines = [_fill(words.anomaly_sentence(report, one, others), "  ") for one, others in shown]
    left = len(report.anomalies) - sum(1 + others for _, others in shown)
    unknown = words.nothing_usual(report)
    more = [f"  ... and {left} more, on the page"] if left else []
    return "\n".join(["Anomalies", *lines, *more, *([_fill(unknown, "  ")] if unknown else [])])


def _table(table: Table) -> str:
    if not table.rows:
        return f"{table.title}: {words.NONE}"
    headers = [column.rstrip(">") for column in table.columns]
    widths = [max(len(cell) for cell in column) for column in zip(headers, *table.rows, strict=True)]
    lines = []
    for cells in (headers, *table.rows):
        pairs = zip(cells, widths, table.columns, strict=True)
        lines.append("  ".join(f"{cell:{'>' if column[-1] == '>' else '<'}{width}}" for cell, width, column in pairs))
    return "\n".join([table.title, *(f"  {line}".rstrip() for line in lines)])


def _fact(label: str, value: str) -> str:
    return textwrap.fill(
        value, WIDTH, initial_indent=f"{label + ':':<{LABEL}}", subsequent_indent=" " * LABEL, break_on_hyphens=False
    )


def _fill(sentence: str, indent: str = "") -> str:
    return textwrap.fill(
        sentence, WIDTH, initial_indent=indent, subsequent_indent=indent + "  " * bool(indent), break_on_hyphens=False
    )


def _sentence(words_: str) -> str:
    return words_[0].upper() + words_[1:]
