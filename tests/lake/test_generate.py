"""The generated SQL is what table.yaml and templates say, and a new column needs a line there and its select."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from include.sql import generate
from tapeline.lake import sql_files
from tapeline.lake.parameters import PART_END, PART_START


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Path(shutil.copytree(sql_files.ROOT, tmp_path / "sql"))


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))


def test_the_files_in_the_tree_are_what_is_generated() -> None:
    assert generate.outdated() == {}


def test_a_column_of_table_yaml_comes_into_every_statement_that_names_columns(root: Path) -> None:
    change(
        root / "daily_summary" / "table.yaml",
        "  quotes: {",
        "  unheard_of_usd: {type: double, unit: USD, meaning: high less low}\n  quotes: {",
    )
    names = {path.relative_to(root).as_posix() for path in generate.outdated(root)}
    tables = ("ddl", "staging_ddl", "stage_session", "replace_session")
    assert names == {f"daily_summary/{name}.sql" for name in tables}
    assert all("unheard_of_usd" in text for text in generate.outdated(root).values())


def test_a_change_of_a_generated_part_by_hand_is_undone_and_the_select_is_kept(root: Path) -> None:
    path = root / "daily_summary" / "stage_session.sql"
    before = path.read_text()
    change(path, "close_usd - base_usd AS change_usd", "base_usd - close_usd AS change_usd")
    change(path, "WHEN MATCHED THEN DELETE\n", "")
    expected = before.replace("close_usd - base_usd AS change_usd", "base_usd - close_usd AS change_usd")
    assert generate.outdated(root) == {path: expected}


def test_a_file_that_lost_the_line_behind_its_select_is_refused(root: Path) -> None:
    change(root / "minute_bars" / "stage_session.sql", generate.REST, "")
    with pytest.raises(ValueError, match=r"expected the line .* behind the select of .*minute_bars/stage_session.sql"):
        generate.outdated(root)


def test_a_part_that_files_have_alike_is_written_from_one_place(root: Path) -> None:
    change(root / "templates" / "parts.jinja", "-10, params.session", "-11, params.session")
    files = generate.outdated(root)
    names = {path.relative_to(root).as_posix() for path in files}
    assert names == {f"daily_summary/checks/{name}.sql" for name in ("most_symbols_are_there", "symbols_are_there")}
    for path, text in files.items():
        assert text == path.read_text().replace("-10, params.session", "-11, params.session")


@pytest.mark.parametrize("line", [PART_START, PART_END])
def test_a_part_that_lost_its_first_or_last_line_is_refused(root: Path, line: str) -> None:
    path = root / "daily_summary" / "checks" / "coverage.sql"
    change(path, line, "--")
    with pytest.raises(ValueError, match=r"expected a generated part from .* to .*daily_summary/checks/coverage.sql"):
        generate.outdated(root)
