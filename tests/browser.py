"""A browser for the tests: one on this machine, else playwright's own, else the system's package, else none.

`python -m tests.browser` finds or fetches one and exits 1 if it cannot, saying why.
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

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WHY_NONE = (
    "no browser on this machine, and none could be fetched: apt-get install chromium, or playwright install chromium"
)
FETCH_SECONDS = 300


@cache
def executable() -> str | None:
    """Return the path of a browser, fetched if need be; None if none can be had."""
    return _installed() or _from_playwright() or _from_system()


def _installed() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def _from_playwright() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    if not Path(path).exists():
        _say("no browser on this machine; trying `playwright install chromium`")
        _run([sys.executable, "-m", "playwright", "install", "chromium"])
    return path if Path(path).exists() else None


def _from_system() -> str | None:
    if os.geteuid() or not shutil.which("apt-get"):
        return None
    _say("trying `apt-get install chromium`")
    _run(["apt-get", "update", "-qq"])
    _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"])
    return _installed()


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
    found = executable()
    print(found or WHY_NONE)
    sys.exit(found is None)
