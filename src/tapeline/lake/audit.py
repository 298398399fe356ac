"""The checks of a staged session: each statement of include/sql/*/checks returns the rows that are wrong.

A check says in its header how much it weighs and on whom. ``Severity: fail`` with ``Scope: session`` is about the feed
as a whole, and nothing of the session is published. With ``Scope: symbol`` only the symbols that it names are withheld:
what was published of them before stays, whole, and the others are replaced. ``Severity: warn`` withholds nothing.

What is usual is learnt from published sessions. A symbol that has slowed down to stay so is withheld once: if coverage
alone names it in the session after as well, or names every symbol, it is published with a warning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

from tapeline.aws.deployment import Deployment
from tapeline.lake import athena, sql_files
from tapeline.lake.audit_result import AuditResult, Finding, named
from tapeline.lake.rollup import CURATED
from tapeline.market.sessions import previous_session
from tapeline.stream.items import FOLLOWED_KEY

MEMORY = timedelta(days=400)
"""How long it is remembered which symbols were left out."""

MOST_ROWS_SHOWN = 10
COVERAGE = "daily_summary/checks/coverage"
MISSING = "daily_summary/checks/symbols_are_there"
STAGED = "daily_summary/staged_symbols"


class FailedChecksError(ValueError):
    """A staged session is not fit to be published; the message names the rows."""


def audit(deployment: Deployment, values: Mapping[str, object]) -> AuditResult:
    """Run all checks of the curated tables over what is staged; return which symbols pass and which do not.

    Parameters
    ----------
    values : mapping of str to object
        The session and thresholds, by parameter; a check takes those it knows.

    Raises
    ------
    FailedChecksError
        If a check of the session as a whole does not hold, or no symbol passes; once all have run.
    """
    session = str(values["session"])
    checks = [check for table in CURATED for check in sql_files.catalogue(f"{table}/checks")]
    findings = tuple(finding for check in checks if (finding := _run(deployment, check, values)) is not None)
    staged = list(athena.query(deployment, sql_files.load(STAGED).render({"session": session})))
    before = _item(deployment, f"rollup#{previous_session(date.fromisoformat(session)).key}")
    followed = _strings(_item(deployment, FOLLOWED_KEY), "symbols")
    result = _judge(session, findings, staged, before, followed)
    failed = [finding for finding in findings if finding.severity == "fail" and finding.scope == "session"]
    if failed or not result.published:
        missing = ""
        if result.missing:
            missing = f"{len(result.missing)} of {result.expected} symbols missing: {named(result.missing)}.\n"
        reasons = "\n\n".join(map(str, failed)) or "Not one symbol passes:\n" + result.table
        raise FailedChecksError(
            f"session {session} is not published, readers see what they saw before: "
            f"{', '.join(finding.name for finding in failed) or 'no symbol passes'}.\n{missing}\n{reasons}"
        )
    return result


def remember(deployment: Deployment, result: AuditResult, now: datetime) -> None:
    """Write down for the session's report and the market desk which symbols are published, and which are not and why.

    The item lies in the state table under ``rollup#YYYY-MM-DD``.
    """
    deployment.client("dynamodb").put_item(
        TableName=deployment.outputs.state_table_name,
        Item={
            "key": {"S": f"rollup#{result.session}"},
            "rolled_up_at": {"S": now.astimezone(UTC).isoformat(timespec="seconds")},
            "published": {"N": str(len(result.published))},
            "expected": {"N": str(result.expected)},
            "withheld": {"M": {symbol: {"S": reason} for symbol, reason in result.withheld.items()}},
            "missing": {"L": [{"S": symbol} for symbol in result.missing]},
            "slower": {"L": [{"S": symbol} for symbol in result.slower]},
            "expires_at": {"N": str(int((now + MEMORY).timestamp()))},
        },
    )


def recall(deployment: Deployment, session: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the symbols that the newest rollup of a session withheld, with reasons, and those that had no quote."""
    item = _item(deployment, f"rollup#{session}")
    return _withheld(item), tuple(sorted(_strings(item, "missing")))


def _judge(
    session: str,
    findings: tuple[Finding, ...],
    staged: Sequence[Mapping[str, Any]],
    before: Mapping[str, Any],
    followed: set[str],
) -> AuditResult:
    symbols = {row["symbol"] for row in staged}
    missing = {symbol for finding in findings if finding.check == MISSING for symbol in finding.symbols}
    missing |= _strings(before, "missing") & followed - symbols
    withheld = _reasons([finding for finding in findings if finding.severity == "fail" and finding.scope == "symbol"])
    slower = _slower(findings, withheld, before, symbols)
    withheld = {symbol: reason for symbol, reason in withheld.items() if symbol not in slower}
    passing = [row for row in staged if row["symbol"] not in withheld]
    return AuditResult(
        session=session,
        findings=findings,
        published=tuple(row["symbol"] for row in passing),
        withheld=withheld,
        missing=tuple(sorted(missing)),
        slower=tuple(sorted(slower)),
        rows={
            "minute_bars": sum(row["bars"] for row in passing),
            "anomalies": sum(row["anomalies"] for row in passing),
            "daily_summary": len(passing),
        },
        completeness_pct=round(sum(row["completeness_pct"] for row in passing) / max(1, len(passing)), 2),
    )


def _item(deployment: Deployment, key: str) -> Mapping[str, Any]:
    answer = deployment.client("dynamodb").get_item(
        TableName=deployment.outputs.state_table_name, Key={"key": {"S": key}}
    )
    return answer.get("Item", {})


def _strings(item: Mapping[str, Any], name: str) -> set[str]:
    return {element["S"] for element in item.get(name, {"L": []})["L"]}


def _withheld(item: Mapping[str, Any]) -> dict[str, str]:
    return {symbol: reason["S"] for symbol, reason in item.get("withheld", {"M": {}})["M"].items()}


def _slower(
    findings: Sequence[Finding], withheld: Mapping[str, str], before: Mapping[str, Any], staged: set[str]
) -> set[str]:
    """Return the symbols that only coverage would withhold, and whose slower quotes are to be taken as they are."""
    alone = {finding.name for finding in findings if finding.check == COVERAGE}
    named_now = {symbol for symbol, reason in withheld.items() if reason in alone}
    if named_now == staged:
        return named_now
    named_before = {symbol for symbol, reason in _withheld(before).items() if reason in alone}
    return named_now & (named_before | _strings(before, "slower"))


def _run(deployment: Deployment, check: sql_files.SqlFile, values: Mapping[str, object]) -> Finding | None:
    rows = athena.query(deployment, check.render(check.taken(values), bucket=deployment.outputs.bucket_name))
    shown = tuple(islice(rows, MOST_ROWS_SHOWN))
    if not shown:
        return None
    scope = check.header["Scope"]
    rest = list(rows)
    symbols = Counter(str(row["symbol"]) for row in (*shown, *rest)) if scope == "symbol" else {}
    return Finding(check.name, check.purpose, check.header["Severity"], scope, shown, symbols, has_more=bool(rest))


def _reasons(findings: Sequence[Finding]) -> dict[str, str]:
    """Return what each symbol failed, in words."""
    reasons: dict[str, list[str]] = {}
    for finding in findings:
        for symbol, rows in finding.symbols.items():
            reasons.setdefault(symbol, []).append(finding.name + (f", {rows:,} rows" if rows > 1 else ""))
    return {symbol: "; ".join(names) for symbol, names in sorted(reasons.items())}
