"""Run the witness: `make witness`.

Exit codes: 0, all agrees but for the known differences; 1, something else differs, or a known difference is gone; 2,
this machine has no Java, no Maven or no archive to run a witness with.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from localaws.clients import connect
from localaws.testing import running
from localaws_tests.athena.lake import make_lake
from tests.witness import archive, both_ways, conformance, event_rules, include_sql, report
from tests.witness.absent import AbsentError
from tests.witness.both_ways import BothWays
from tests.witness.comparison import Finding, Laptop
from tests.witness.include_sql import IncludeSql
from tests.witness.month import make_month
from tests.witness.server import running_trino


def main() -> int:
    """Run every part, write the page and return the exit code."""
    logging.getLogger("pyiceberg").setLevel(logging.WARNING)
    try:
        java, java_version = archive.find_java()
        program = archive.trino_folder()
        with tempfile.TemporaryDirectory(prefix="tapeline-witness-") as folder:
            parts, versions = _compare(java, program, Path(folder))
    except AbsentError as error:
        print(f"No witness on this machine: {error}", file=sys.stderr)
        return 2
    known = report.known_differences()
    report.PAGE.write_text(report.write_page(parts, known, {**versions, "Java": java_version}))
    found = [*report.surprises(parts, known), *conformance.false_witnesses(parts[0].findings)]
    for line in found:
        print(line)
    print(f"wrote {report.PAGE}")
    return 1 if found else 0


def _compare(java: Path, program: Path, folder: Path) -> tuple[list[report.Part], dict[str, str]]:
    with running(folder / "aws") as aws:
        os.environ.update(TAPELINE_HOME=str(aws.folder), TAPELINE_PORT=str(aws.port))
        print("starting Trino …", flush=True)
        with running_trino(java, program, folder / "trino", aws) as trino:
            runner = make_lake(connect(), aws.folder)
            laptop = Laptop(runner.aws, runner.engine)
            parts = [_part(conformance.TITLE, conformance.WHAT, conformance.compare_cases(laptop, trino))]
            parts.append(_part(both_ways.TITLE, both_ways.WHAT, BothWays(laptop, trino).findings()))
            print("rolling up a month …", flush=True)
            month = make_month(include_sql.LEFT)
            what = include_sql.WHAT.format(origin=month.origin, sessions=len(month.sessions))
            parts.append(_part(include_sql.TITLE, what, IncludeSql(laptop, trino, month).findings()))
            versions = {"Trino": trino.version(), "event-ruler": event_rules.RULER}
    parts.append(_part(event_rules.TITLE, event_rules.WHAT, event_rules.compare_rules(java)))
    return parts, versions


def _part(title: str, what: str, findings: Iterator[Finding]) -> report.Part:
    began = time.monotonic()
    part = report.Part(title, what, list(findings))
    print(f"{title}: {len(part.findings)} statements, {time.monotonic() - began:.0f} s", flush=True)
    return part


if __name__ == "__main__":
    sys.exit(main())
