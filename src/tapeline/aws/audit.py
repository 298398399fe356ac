"""The checks of a staged session: each statement of include/sql/*/checks returns the rows that are wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tapeline import sql
from tapeline.aws import athena
from tapeline.aws.session import Session
from tapeline.aws.stack import StackOutputs

MOST_ROWS_SHOWN = 10


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
    rows : tuple of mapping
        The first rows that are wrong, by column.
    has_more : bool
        Whether there are more of them.
    """

    check: str
    purpose: str
    severity: str
    rows: tuple[Mapping[str, Any], ...]
    has_more: bool

    def __str__(self) -> str:
        lines = [f"{self.check} ({self.severity}): {self.purpose} Not so:"]
        lines += ["  " + ", ".join(f"{name}={value}" for name, value in row.items()) for row in self.rows]
        return "\n".join([*lines, *(["  … and more"] if self.has_more else [])])


class FailedChecksError(ValueError):
    """A staged session is not fit to be published; the message names the rows."""


def audit(
    session: Session, outputs: StackOutputs, tables: Iterable[str], values: Mapping[str, object]
) -> list[Finding]:
    """Run all checks of some tables over what is staged, and return what only warns.

    Parameters
    ----------
    session : Session
        Where.
    outputs : StackOutputs
        The deployment's names.
    tables : iterable of str
        Curated tables.
    values : mapping of str to object
        The session and thresholds, by parameter; a check takes those it knows.

    Raises
    ------
    FailedChecksError
        If a check that must hold does not, once all have run.
    """
    checks = [check for table in tables for check in sql.catalogue(f"{table}/checks")]
    findings = [finding for check in checks if (finding := _run(session, outputs, check, values)) is not None]
    failed = [finding for finding in findings if finding.severity == "fail"]
    if failed:
        found = "\n".join(map(str, failed))
        raise FailedChecksError(
            f"{len(failed)} of {len(checks)} checks of the staged session {values['session']} failed; nothing was "
            f"published, readers see what they saw before.\n{found}"
        )
    return findings


def _run(session: Session, outputs: StackOutputs, check: sql.SqlFile, values: Mapping[str, object]) -> Finding | None:
    taken = {parameter.name for parameter in check.parameters}
    client = session.client("athena")
    finished = athena.run(
        client,
        check.render({name: value for name, value in values.items() if name in taken}, bucket=outputs.bucket_name),
        database=outputs.database_name,
        work_group=outputs.work_group_name,
    )
    columns, rows = athena.results(client, finished)
    names = [column.name for column in columns]
    shown = [dict(zip(names, row, strict=True)) for row in islice(rows, MOST_ROWS_SHOWN + 1)]
    if not shown:
        return None
    return Finding(
        check=check.name,
        purpose=check.purpose,
        severity=check.header["Severity"],
        rows=tuple(shown[:MOST_ROWS_SHOWN]),
        has_more=len(shown) > MOST_ROWS_SHOWN,
    )
