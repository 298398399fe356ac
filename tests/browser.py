"""A browser for the tests: one on this machine, or playwright's own. A test never fetches one.

`python -m tests.browser` does, once: playwright's, or for root the system's package; exit code 1 if it cannot.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WHY_NONE = "no browser on this machine; `.venv/bin/python -m tests.browser` fetches one, or: apt-get install chromium"
FETCH_SECONDS = 300


@cache
def executable() -> str | None:
    """Return the path of a browser on this machine, None if there is none."""
    return _installed() or _of_playwright()


def fetch() -> str | None:
    """Return the path of a browser, fetched if need be; None if none can be had."""
    if not (path := executable()):
        _say("no browser on this machine; trying `playwright install chromium`")
        _run([sys.executable, "-m", "playwright", "install", "chromium"])
        path = _of_playwright() or _from_system()
    return path


def _installed() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def _of_playwright() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def _from_system() -> str | None:
    if os.geteuid() or not shutil.which("apt-get"):
        return None
    _say("trying `apt-get install`")
    _run(["apt-get", "update", "-qq"])
    for package in NAMES[:2]:  # the first takes half of the processor time, and some systems have none
        _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package])
        if path := _installed():
            return path
    return None


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        _say(f"`{' '.join(command)}` took over {FETCH_SECONDS} s")
        return
    if done.returncode:
        _say(f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()[-300:]}")


def _say(text: str) -> None:
    print(f"tests.browser: {text}", file=sys.stderr, flush=True)


@contextmanager
def opened() -> Iterator[Browser]:
    """Yield a headless browser.

    While it is open the thread counts as running an event loop, so keep it no longer than a module of tests.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    browser_path = fetch()
    print(browser_path or WHY_NONE)
    sys.exit(browser_path is None)
