"""What the documents say of the repository: links lead somewhere, decisions have a date, the version is one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DECISIONS = ROOT / "docs" / "decisions"
DOCUMENTS = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("packages/*/*.md")})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_to_a_file(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)\s#]+)[^)]*\)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_decision_has_a_date_and_a_status_and_stands_in_the_index() -> None:
    index = (DECISIONS / "README.md").read_text()
    for record in sorted(DECISIONS.glob("0*.md")):
        title, _, date_and_status = record.read_text().split("\n", 3)[:3]
        stated = re.fullmatch(r"Date: (\d{4}-\d\d-\d\d)\. Status: (accepted|replaced by \d{4})\.", date_and_status)
        assert stated, f"{record.name} says {date_and_status!r}"
        assert f"| [{record.name[:4]}]({record.name}) | {title[2:]} | {stated[1]} | {stated[2]} |" in index


def test_the_newest_version_of_the_changelog_is_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    sections = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = [section for section in sections if section != "Unreleased"]
    assert re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", released[0])
    dates = [section[-11:-1] for section in released]
    assert dates == sorted(dates, reverse=True)
