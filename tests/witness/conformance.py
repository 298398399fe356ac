"""Every case of conformance.yaml, on the laptop and on Trino over the same files and catalog."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from localaws_tests.athena.lake import TABLES
from localaws_tests.athena.test_conformance import CASES
from tests.witness.client import Answer, Trino
from tests.witness.comparison import REFUSED, Finding, Laptop, compare
from tests.witness.dialect import to_trino

TITLE = "conformance.yaml"
WHAT = (
    "every query and every step of a script of `packages/localaws/tests/localaws_tests/athena/conformance.yaml`; what "
    "a script makes is made twice, here and by Trino."
)

_COPY = "witness"
"""Database in which Trino runs the scripts, over the files of the same quotes."""


def compare_cases(laptop: Laptop, trino: Trino) -> Iterator[Finding]:
    """Compare each query, and each step of a script: both engines run it, each in a database of its own."""
    for case in CASES["queries"]:
        sql = case["sql"]
        yield compare(case["name"], sql, laptop.ask(sql, "lake"), _ask(trino, sql, "lake"))
    database = {"Name": _COPY, "LocationUri": f"s3://lake/{_COPY}/"}
    laptop.aws.client("glue").create_database(DatabaseInput=database)
    for table in TABLES:
        laptop.ask(table, _COPY)
    for case in CASES["scripts"]:
        for number, step in enumerate(case["steps"], 1):
            sql = _moved(step["sql"])
            ours, theirs = laptop.ask(step["sql"], "lake"), _ask(trino, sql, _COPY)
            if theirs is None:  # so that what Trino is asked next has the same before it
                laptop.ask(sql, _COPY)
            elif ours.error and (made := re.match(r"CREATE TABLE (\w+)", sql)) and not theirs.error:
                trino.run(f"DROP TABLE {made[1]}", _COPY)
            yield compare(f"{case['name']}, step {number}", step["sql"], ours, theirs)


def _ask(trino: Trino, sql: str, schema: str) -> Answer | None:
    statement = to_trino(sql)
    return None if statement is None else trino.run(statement.replace("{schema}", schema), schema)


def _moved(sql: str) -> str:
    """Put what a script makes beside what it makes on the laptop."""
    kept = "|".join(re.findall(r"s3://lake/([\w-]+)/", "".join(TABLES)))
    sql = re.sub(r"(?i)(database (?:if (?:not )?exists )?)(\w+)", rf"\1\2_{_COPY}", sql)
    return re.sub(rf"s3://lake/(?!{kept})", f"s3://lake/{_COPY}/", re.sub(r"\blake\.", f"{_COPY}.", sql))


def false_witnesses(findings: Iterable[Finding]) -> list[str]:
    """Name the cases whose `witness` is Trino although Trino answers what is refused here."""
    refused = {found.name.partition(", step ")[0] for found in findings if found.kind == REFUSED}
    return [
        f"the witness of the case is Trino, which answers otherwise: {case['name']}"
        for case in CASES["queries"]
        if case["name"] in refused and case["witness"] == "Trino 476"
    ]
