"""The findings of the checks of a staged session, and what becomes of each symbol, in words and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MOST_NAMES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found wrong.

    Attributes
    ----------
    check : str
        Its path under include/sql.
    purpose : str
        What ought to be so, in words.
    severity : str
        ``fail`` or ``warn``.
    scope : str
        ``symbol`` or ``session``.
    rows : tuple of mapping
        The first rows that are wrong, by column.
    symbols : mapping of str to int
        How many rows are wrong of each symbol, all counted; empty for a check of the session.
    has_more : bool
        Whether there are more rows than `rows`.
    """

    check: str
    purpose: str
    severity: str
    scope: str
    rows: tuple[Mapping[str, Any], ...]
    symbols: Mapping[str, int]
    has_more: bool

    @property
    def name(self) -> str:
        """The check as a person says it, such as ``values out of range (minute_bars)``."""
        table, _, name = self.check.partition("/checks/")
        return f"{name.replace('_', ' ')} ({table})"

    def __str__(self) -> str:
        lines = [f"{self.check} ({self.severity}, {self.scope}): {self.purpose} Not so:", *_table(self.rows)]
        if self.has_more:
            others = sum(self.symbols.values()) - len(self.rows)
            lines.append(f"  … and {others:,} more, of {named(self.symbols)}" if self.symbols else "  … and more")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What becomes of a staged session whose feed was well.

    Attributes
    ----------
    findings : tuple of Finding
        What the checks found, also what only warns.
    published : tuple of str
        Symbols that pass.
    withheld : mapping of str to str
        Symbols that do not, each with the reason in words.
    missing : tuple of str
        Symbols that have no quote: those of the session before, and those missing then that are still followed.
    slower : tuple of str
        Symbols that are published although coverage names them.
    rows : mapping of str to int
        How many rows are published, by table.
    completeness_pct : float
        Mean over the symbols that pass, per cent of the minutes open.
    """

    session: str
    findings: tuple[Finding, ...]
    published: tuple[str, ...]
    withheld: Mapping[str, str]
    missing: tuple[str, ...]
    slower: tuple[str, ...]
    rows: Mapping[str, int]
    completeness_pct: float

    @property
    def expected(self) -> int:
        """How many symbols there should be."""
        return len({*self.published, *self.withheld, *self.missing})

    @property
    def summary(self) -> str:
        """One line for a log."""
        parts = [f"{len(self.published):,} of {self.expected:,} symbols of {self.session} pass"]
        if self.withheld:
            parts.append(f"withheld: {named(self.withheld)}")
        if self.slower:
            parts.append(f"published, though far below their usual coverage: {named(self.slower)}")
        if self.missing:
            parts.append(f"without a quote: {named(self.missing)}")
        return "; ".join(parts)

    @property
    def table(self) -> str:
        """The symbols that are not published and why, one to a line."""
        rows = [{"symbol": symbol, "because": reason} for symbol, reason in sorted(self.withheld.items())]
        rows += [{"symbol": symbol, "because": "no quote, and one in a session before"} for symbol in self.missing]
        return "\n".join(_table(rows))


def named(names: Iterable[str], most: int = MOST_NAMES_SHOWN) -> str:
    """Return names as a person lists them, the first of many.

    >>> named(["AAPL", "MSFT"]), named(map(str, range(12)))
    ('AAPL, MSFT', '0, 1, 2, 3, 4, 5, 6, 7 and 4 more')
    """
    listed = list(names)
    more = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {more} more" if more > 0 else "")


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return rows as the lines of a table, under their columns' names."""
    if not rows:
        return []
    names = list(rows[0])
    cells = [[_show(row[name]) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    return ["  " + "  ".join(map(str.ljust, line, widths)).rstrip() for line in (names, *cells)]


def _show(value: object) -> str:
    match value:
        case None:
            return "-"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case float():
            return f"{value:.10g}"
        case _:
            return str(value)
