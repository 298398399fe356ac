"""Compares what two engines answered to one statement."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from localaws.athena.engine import Engine
from localaws.athena.errors import QueryError
from localaws.athena.pages import read_page
from localaws.athena.statements import Statement
from localaws.clients import Clients
from localaws_tests.athena.test_conformance import shown
from tests.witness.client import Answer, Row

AGREES, REFUSED, ALONE, DIFFERS = "agrees", "refused here by name", "no statement of Trino's", "differs"

_OURS_ONLY = re.compile("not supported on the laptop|not registered here")
_ALL = 10_000_000
_CLOSE = 1e-12
"""Relative difference of two sums of the same doubles, added up in another order."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How one statement fared.

    Attributes
    ----------
    name : str
        Case, and the step of a script: ``a script, step 3``.
    kind : str
        One of the four constants of this module.
    detail : str
        What is different, both sides named.
    """

    name: str
    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Laptop:
    """Athena on the laptop, run in this process."""

    aws: Clients
    engine: Engine

    def ask(self, sql: str, database: str) -> Answer:
        """Run a statement to its end."""
        statement = Statement(str(uuid.uuid4()), sql, database, "s3://lake/results/")
        try:
            outcome = self.engine.execute(statement)
        except QueryError as error:
            return Answer(error=error.code or _hive_words(str(error)), message=str(error))
        columns = [shown(column) for column in outcome.columns]
        if not columns or not outcome.output.endswith((".csv", ".txt")):
            return Answer(columns, [], outcome.update_count)
        rows, _ = read_page(self.aws.client("s3"), outcome.output, 0, _ALL)
        return Answer(columns, rows[1:] if outcome.has_header else rows, outcome.update_count)


def _hive_words(message: str) -> str:
    """Return Trino's name of an error that Athena words as Hive does, without a name."""
    return "ALREADY_EXISTS" if re.search(r"(?i)already\s?exists", message) else "SYNTAX_ERROR"


def compare(name: str, sql: str, laptop: Answer, trino: Answer | None) -> Finding:
    """Say how the laptop's answer stands to Trino's; `sql` tells whether the order of rows counts."""
    if trino is None:
        return Finding(name, ALONE)
    if laptop.error and not trino.error:
        kind = REFUSED if _OURS_ONLY.search(laptop.message) else DIFFERS
        return Finding(name, kind, f"here {laptop.message}; Trino answers {_short(trino)}")
    if trino.error:
        if laptop.error == trino.error or trino.error.endswith(f"_{laptop.error}"):  # TABLE_ALREADY_EXISTS
            return Finding(name, AGREES)
        return Finding(name, DIFFERS, f"here {_short(laptop)}; Trino {_short(trino)}")
    return Finding(name, *_answers(laptop, trino, re.sub(r"--[^\n]*", "", sql)))


def _answers(laptop: Answer, trino: Answer, sql: str) -> tuple[str, str]:
    if trino.updated is not None:
        same = laptop.updated in (None, trino.updated)  # Athena counts no rows of CREATE TABLE AS
        return (AGREES, "") if same else (DIFFERS, f"rows changed here {laptop.updated}; Trino {trino.updated}")
    if not laptop.columns or not trino.columns:
        return AGREES, ""  # a statement that one of the two gives no rows for
    if laptop.columns != trino.columns:
        return DIFFERS, f"columns here {laptop.columns}; Trino {trino.columns}"
    ordered = bool(re.search(r"(?i)\border\s+by\b", sql))
    ours, theirs = (_arranged(answer.rows, ordered=ordered) for answer in (laptop, trino))
    if len(ours) != len(theirs):
        return DIFFERS, f"rows here {len(ours)}; Trino {len(theirs)}"
    if not ordered and re.search(r"(?i)\blimit\b", sql):
        return AGREES, ""  # any so many rows
    same_row = _same_values([column.rpartition(" ")[2] for column in laptop.columns])
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True), 1):
        if not same_row(one, other):
            return DIFFERS, f"row {number} here {one}; Trino {other}"
    return AGREES, ""


def _arranged(rows: Sequence[Row], *, ordered: bool) -> list[Row]:
    return list(rows) if ordered else sorted(rows, key=lambda row: [(cell is None, cell or "") for cell in row])


def _same_values(kinds: list[str]) -> Callable[[Row, Row], bool]:
    def same(one: Row, other: Row) -> bool:
        return all(
            mine == its or (kind == "double" and mine is not None and its is not None and _close(mine, its))
            for mine, its, kind in zip(one, other, kinds, strict=True)
        )

    return same


def _close(one: str, other: str) -> bool:
    return math.isclose(float(one), float(other), rel_tol=_CLOSE)


def _short(answer: Answer) -> str:
    return f"{answer.error}: {answer.message}"[:200] if answer.error else str(answer.rows)[:200]
