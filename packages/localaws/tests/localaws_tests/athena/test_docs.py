"""The document lists the functions that there are, all of them and no others."""

from __future__ import annotations

import re
from pathlib import Path

from localaws.athena import expressions, functions, special

DOCUMENT = Path(__file__).parents[5] / "docs" / "athena-on-the-laptop.md"


def test_document_lists_every_function() -> None:
    section = DOCUMENT.read_text().split("## Functions")[1].split("\n## ")[0]
    tables = functions.catalog()
    there_are = {name for table in tables.values() for name in table} | set(functions.ALIASES)

    assert set(re.findall(r"`(\w+)`", section)) == there_are | set(special.FUNCTIONS) | set(expressions._LAMBDAS) | {
        "now"
    }
