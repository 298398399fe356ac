"""How a statement of include/sql is sent."""

from __future__ import annotations

import re

import pytest

from tapeline.lake import sql_files
from tapeline.lake.sql_files import SqlFile

BARE = {"ALTER", "DROP", "MSCK", "OPTIMIZE", "VACUUM"}
"""First words that Athena was seen to refuse behind a comment, or that dbt-athena never sends so."""


@pytest.mark.parametrize("file", sql_files.catalogue(), ids=lambda file: file.name)
def test_what_athena_refuses_behind_a_comment_is_sent_without_one(file: SqlFile) -> None:
    statement = re.sub(r"(?m)^\s*--.*\n", "", file.text)
    sent = file.render()
    assert sent.split()[0].upper() in BARE or sent.startswith("-- ")
    assert sent.startswith("-- ") == (statement.split()[0].upper() not in BARE)
    assert sent.endswith(file.text.splitlines()[-1] + "\n")


@pytest.mark.parametrize("word", sorted(BARE))
def test_only_the_comment_before_such_a_statement_is_left_out(word: str) -> None:
    body = f"{word} a\n-- within\nb -- behind\n"
    assert sql_files.parse("x", f"-- Why.\n\n  -- When.\n{body}").render() == body
    assert sql_files.parse("x", f"-- {word} is not run.\nSELECT 1\n").render().startswith("-- ")
