"""The checks of a staged session: each statement of include/sql/*/checks returns the rows that are wrong.

A check says in its header how much it weighs and on whom. ``Severity: fail`` with ``Scope: session`` is about the feed
as a whole, and nothing of the session is published. With ``Scope: symbol`` only the symbols that it names are withheld:
what was published of them before stays, whole, and the others are replaced. ``Severity: warn`` withholds nothing.

What is usual is learnt from published sessions. A symbol that has become slower for good is therefore withheld once: if
coverage alone names it in the session after as well, or names every symbol, it is published with a warning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

from tapeline.aws.deployment import Deployment
from tapeline.lake import athena, sql_files
from tapeline.market.sessions import previous_session
from tapeline.stream.items import FOLLOWED_KEY

MEMORY = timedelta(days=400)
"""How long it is remembered which symbols were left out."""

MOST_ROWS_SHOWN = 10
MOST_NAMES_SHOWN = 8
COVERAGE = "daily_summary/checks/coverage"
MISSING = "daily_summary/checks/symbols_are_there"
STAGED = "daily_summary/staged_symbols"


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
        told = [f"{self.check} ({self.severity}, {self.scope}): {self.purpose} Not so:", *_table(self.rows)]
        if self.has_more:
            others = sum(self.symbols.values()) - len(self.rows)
            told.append(f"  … and {others:,} more, of {named(self.symbols)}" if self.symbols else "  … and more")
        return "\n".join(told)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a staged session whose feed was well.

    Attributes
    ----------
    session : str
        The session.
    findings : tuple of Finding
        What was found, also what only warns.
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

    def __iter__(self) -> Any:
        """Yield what was found."""
        return iter(self.findings)

    @property
    def expected(self) -> int:
        """How many symbols there should be."""
        return len({*self.published, *self.withheld, *self.missing})

    @property
    def summary(self) -> str:
        """One line for a log."""
        told = [f"{len(self.published):,} of {self.expected:,} symbols of {self.session} pass"]
        if self.withheld:
            told.append(f"withheld: {named(self.withheld)}")
        if self.slower:
            told.append(f"published, though far below their usual coverage: {named(self.slower)}")
        if self.missing:
            told.append(f"without a quote: {named(self.missing)}")
        return "; ".join(told)

    @property
    def table(self) -> str:
        """The symbols that are not published and why, one to a line."""
        rows = [{"symbol": symbol, "because": reason} for symbol, reason in sorted(self.withheld.items())]
        rows += [{"symbol": symbol, "because": "no quote, and one in a session before"} for symbol in self.missing]
        return "\n".join(_table(rows))


class FailedChecksError(ValueError):
    """A staged session is not fit to be published; the message names the rows."""


def audit(deployment: Deployment, tables: Iterable[str], values: Mapping[str, object]) -> Verdict:
    """Run all checks of some tables over what is staged.

    Parameters
    ----------
    deployment : Deployment
        Where.
    tables : iterable of str
        Curated tables.
    values : mapping of str to object
        The session and thresholds, by parameter; a check takes those it knows.

    Returns
    -------
    Verdict
        Which symbols pass and which do not. Iterated over, it gives the findings.

    Raises
    ------
    FailedChecksError
        If a check of the session as a whole does not hold, or no symbol passes; once all have run.
    """
    day = str(values["session"])
    checks = [check for table in tables for check in sql_files.catalogue(f"{table}/checks")]
    findings = tuple(found for check in checks if (found := _run(deployment, check, values)) is not None)
    staged = list(athena.query(deployment, sql_files.load(STAGED).render({"session": day})))
    symbols = {row["symbol"] for row in staged}
    before = _item(deployment, f"rollup#{previous_session(date.fromisoformat(day)).key}")
    missing = {symbol for found in findings if found.check == MISSING for symbol in found.symbols}
    missing |= _strings(before, "missing") & _strings(_item(deployment, FOLLOWED_KEY), "symbols") - symbols
    withheld = _reasons([found for found in findings if found.severity == "fail" and found.scope == "symbol"])
    slower = _slower(findings, withheld, before, symbols)
    withheld = {symbol: reason for symbol, reason in withheld.items() if symbol not in slower}
    staged = [row for row in staged if row["symbol"] not in withheld]
    verdict = Verdict(
        session=day,
        findings=findings,
        published=tuple(row["symbol"] for row in staged),
        withheld=withheld,
        missing=tuple(sorted(missing)),
        slower=tuple(sorted(slower)),
        rows={
            "minute_bars": sum(row["bars"] for row in staged),
            "anomalies": sum(row["anomalies"] for row in staged),
            "daily_summary": len(staged),
        },
        completeness_pct=round(sum(row["completeness_pct"] for row in staged) / max(1, len(staged)), 2),
    )
    failed = [found for found in findings if found.severity == "fail" and found.scope == "session"]
    if failed or not verdict.published:
        told = "\n\n".join(map(str, failed)) or "Not one symbol passes:\n" + verdict.table
        gone = f"{len(missing)} of {verdict.expected} symbols missing: {named(verdict.missing)}.\n" if missing else ""
        raise FailedChecksError(
            f"session {day} is not published, readers see what they saw before: "
            f"{', '.join(found.name for found in failed) or 'no symbol passes'}.\n{gone}\n{told}"
        )
    return verdict


def remember(deployment: Deployment, verdict: Verdict, now: datetime) -> None:
    """Write down for the session's report and the market desk which symbols are published, and which are not and why.

    The item lies in the state table under ``rollup#YYYY-MM-DD``.
    """
    dynamodb = deployment.client("dynamodb")
    dynamodb.put_item(
        TableName=deployment.outputs.state_table_name,
        Item={
            "key": {"S": f"rollup#{verdict.session}"},
            "rolled_up_at": {"S": now.astimezone(UTC).isoformat(timespec="seconds")},
            "published": {"N": str(len(verdict.published))},
            "expected": {"N": str(verdict.expected)},
            "withheld": {"M": {symbol: {"S": reason} for symbol, reason in verdict.withheld.items()}},
            "missing": {"L": [{"S": symbol} for symbol in verdict.missing]},
            "slower": {"L": [{"S": symbol} for symbol in verdict.slower]},
            "expires_at": {"N": str(int((now + MEMORY).timestamp()))},
        },
    )


def recall(deployment: Deployment, day: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the symbols that the newest rollup of a session withheld, with reasons, and those that had no quote."""
    item = _item(deployment, f"rollup#{day}")
    return _withheld(item), tuple(sorted(_strings(item, "missing")))


def named(symbols: Iterable[str]) -> str:
    """Return symbols as a person lists them.

    >>> named(["AAPL", "MSFT"]), named(map(str, range(12)))
    ('AAPL, MSFT', '0, 1, 2, 3, 4, 5, 6, 7 and 4 more')
    """
    found = list(symbols)
    more = len(found) - MOST_NAMES_SHOWN
    return ", ".join(found[:MOST_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _item(deployment: Deployment, key: str) -> Mapping[str, Any]:
    dynamodb = deployment.client("dynamodb")
    found = dynamodb.get_item(TableName=deployment.outputs.state_table_name, Key={"key": {"S": key}})
    return found.get("Item", {})


def _strings(item: Mapping[str, Any], name: str) -> set[str]:
    return {one["S"] for one in item.get(name, {"L": []})["L"]}


def _withheld(item: Mapping[str, Any]) -> dict[str, str]:
    return {symbol: reason["S"] for symbol, reason in item.get("withheld", {"M": {}})["M"].items()}


def _slower(
    findings: Sequence[Finding], withheld: Mapping[str, str], before: Mapping[str, Any], staged: set[str]
) -> set[str]:
    """Return the symbols that only coverage would withhold, and whose slower quotes are to be taken as they are."""
    alone = {found.name for found in findings if found.check == COVERAGE}
    named_now = {symbol for symbol, reason in withheld.items() if reason in alone}
    if named_now == staged:
        return named_now
    named_before = {symbol for symbol, reason in _withheld(before).items() if reason in alone}
    return named_now & (named_before | _strings(before, "slower"))


def _run(deployment: Deployment, check: sql_files.SqlFile, values: Mapping[str, object]) -> Finding | None:
    taken = {parameter.name for parameter in check.parameters}
    statement = check.render(
        {name: value for name, value in values.items() if name in taken}, bucket=deployment.outputs.bucket_name
    )
    rows = athena.query(deployment, statement)
    shown = tuple(islice(rows, MOST_ROWS_SHOWN))
    if not shown:
        return None
    scope = check.header["Scope"]
    rest = list(rows)
    symbols = Counter(str(row["symbol"]) for row in (*shown, *rest)) if scope == "symbol" else {}
    return Finding(
        check=check.name,
        purpose=check.purpose,
        severity=check.header["Severity"],
        scope=scope,
        rows=shown,
        symbols=symbols,
        has_more=bool(rest),
    )


def _reasons(findings: Sequence[Finding]) -> dict[str, str]:
    """Return what each symbol failed, in words."""
    told: dict[str, list[str]] = {}
    for finding in findings:
        for symbol, rows in finding.symbols.items():
            told.setdefault(symbol, []).append(finding.name + (f", {rows:,} rows" if rows > 1 else ""))
    return {symbol: "; ".join(reasons) for symbol, reasons in sorted(told.items())}


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
