"""Weighs what was found against the differences that are known, and writes docs/witness.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import jinja2
import yaml

from tests.witness.comparison import AGREES, ALONE, DIFFERS, REFUSED, Finding

PAGE = Path("docs/witness.md")
_HERE = Path(__file__).parent


class Known(TypedDict):
    """A difference that was looked into."""

    part: str
    name: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Part:
    """One of the comparisons of a run."""

    title: str
    what: str
    findings: Sequence[Finding]

    def count(self, kind: str) -> int:
        """Return how many statements fared so."""
        return sum(found.kind == kind for found in self.findings)

    @property
    def share(self) -> str:
        """Say how many of the statements that Trino has too agree."""
        asked = len(self.findings) - self.count(ALONE)
        return f"{100 * self.count(AGREES) / asked:.1f} %"

    @property
    def refused(self) -> list[Finding]:
        """Return what is refused here and answered by Trino."""
        return [found for found in self.findings if found.kind == REFUSED]


def known_differences() -> list[Known]:
    """Return the reviewed list."""
    found: list[Known] = yaml.safe_load((_HERE / "differences.yaml").read_text())
    return found


def surprises(parts: Sequence[Part], known: Sequence[Known]) -> list[str]:
    """Return what the list does not know, and what it knows that is no longer so."""
    listed = {(one["part"], one["name"]) for one in known}
    differing = {
        (part.title, found.name): found.detail for part in parts for found in part.findings if found.kind == DIFFERS
    }
    unknown = [
        f"not in the list of known differences: {part}: {name}: {detail}"
        for (part, name), detail in differing.items()
        if (part, name) not in listed
    ]
    gone = [
        f"in the list of known differences, but both agree now: {part}: {name}"
        for part, name in sorted(listed - differing.keys())
    ]
    return unknown + gone


def write_page(parts: Sequence[Part], known: Sequence[Known], versions: dict[str, str]) -> str:
    """Return docs/witness.md of this run."""
    environment = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)  # noqa: S701 (it writes Markdown)
    template = environment.from_string((_HERE / "page.md.jinja").read_text())
    return template.render(
        parts=parts,
        known=known,
        versions=versions,
        kinds=(AGREES, REFUSED, ALONE, DIFFERS),
        day=datetime.now(UTC).date().isoformat(),
    )
