"""The page in a real browser: its own policy lets its own style in, and nothing else."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from tapeline.reports.page import page
from tests.browser import ARGUMENTS

from .report_builders import report, weekly


def open_in_browser(chromium: str, folder: Path, html: str, *options: str) -> str:
    """Open a page and return what the browser says: its own log, in which refused styles and errors stand."""
    file = folder / "page.html"
    file.write_text(html, encoding="utf-8")
    command = [chromium, "--headless", *ARGUMENTS]
    command += [f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", "--hide-scrollbars"]
    run = subprocess.run([*command, *options, file.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    return "\n".join(line for line in run.stderr.splitlines() if "CONSOLE" in line) + run.stdout


@pytest.mark.parametrize("html", [page(report()), page(weekly())], ids=["daily", "weekly"])
def test_a_page_opens_without_a_word_from_its_policy(chromium: str, html: str, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    log = open_in_browser(chromium, tmp_path, html, f"--screenshot={picture}", "--window-size=500,900")
    assert log.strip() == ""
    assert struct.unpack(">II", picture.read_bytes()[16:24]) == (500, 900)


def test_the_browser_would_say_if_the_policy_refused_the_style(chromium: str, tmp_path: Path) -> None:
    refused = page(report()).replace("<style>", "<style>/* changed */")
    assert "Content Security Policy" in open_in_browser(chromium, tmp_path, refused, "--dump-dom").split("<!DOCTYPE")[0]
