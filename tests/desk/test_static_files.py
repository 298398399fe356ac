"""What the page is made of."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from tapeline.desk.app import STATIC

VENDORED = [
    STATIC / "vendor" / "lightweight-charts.standalone.production.mjs",
    Path(__file__).parent / "vendor/axe.min.js",
]
OURS = sorted([*STATIC.glob("*.js"), *STATIC.glob("*.html"), *STATIC.glob("*.css")])


@pytest.mark.parametrize("file", VENDORED, ids=lambda file: file.name)
def test_a_vendored_file_is_what_its_readme_says(file: Path) -> None:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert digest in (file.parent / "README.md").read_text(encoding="utf-8")
    assert (file.parent / "LICENSE").exists()


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_a_file_of_ours_names_no_other_machine_and_makes_no_markup_of_text(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    allowed = {"https://www.tradingview.com/", "http://www.w3.org/2000/svg"}  # a link a person may follow; a name
    assert set(re.findall(r"https?://[^\s\"'`)]+", text)) <= allowed
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser", text
    )
    if file.suffix == ".html":
        assert not re.search(r"<script(?![^>]*\bsrc=)|\bstyle=|<style|\bon[a-z]+=", text)
