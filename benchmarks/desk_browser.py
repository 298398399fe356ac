"""How smooth the market desk is in a browser: 500 symbols, 5 quotes a second each, two updates a second of all of them.

The page is the real one; its server is a made-up market in this process that sends what the real one would: deltas of
all symbols. Measured in headless Chromium: how long frames took, tasks over 50 ms (long tasks, W3C), and the time the
page's thread worked for an update. The baseline is the same page over the same symbols while nothing moves, still and
scrolled: without a graphics card scrolling alone keeps the thread busy.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

from tests.browser import WHY_NONE, executable, opened
from tests.desk.page_server import ROOT, Market, served, usual_market

SYMBOLS = 500
QUOTES_PER_SECOND = 5.0
UPDATES_PER_SECOND = 2.0
SECONDS = 10
WINDOW = {"width": 1280, "height": 800}

_WATCH = """() => {
  window.seen = { frames: [], tasks: [] };
  new PerformanceObserver((list) => seen.tasks.push(...list.getEntries().map((one) => one.duration)))
    .observe({ type: "longtask" });
  let last = performance.now();
  const frame = (now) => { seen.frames.push(now - last); last = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}"""


@dataclass(frozen=True, slots=True)
class Smoothness:
    """What a browser went through in some seconds; times in milliseconds."""

    frames: list[float]
    long_tasks: list[float]
    busy_ms: float
    """Work of the page's thread."""

    def line(self, name: str, updates: float) -> str:
        """Return it as a row of a table."""
        frames = sorted(self.frames)
        late = sum(frame > 50 for frame in frames) / len(frames)
        longest = max(self.long_tasks, default=0.0)
        return (
            f"{name:<26}{len(frames) / SECONDS:8.1f}{_quantile(frames, 0.5):9.1f}{_quantile(frames, 0.99):9.1f}"
            f"{late:9.2%}{len(self.long_tasks):8}{longest:10.0f}{self.busy_ms / updates:8.1f}"
        )


def main() -> None:
    """Print both tables."""
    if executable() is None:
        print(WHY_NONE)
        sys.exit(1)
    market = usual_market()
    for number in range(SYMBOLS - len(market.quotes)):
        market.add(f"N{number:03}.SIM", 100.0 + number, 101.0 + number, "up" if number % 3 else None)
    market.pause_seconds = 1 / UPDATES_PER_SECOND
    print(f"{SYMBOLS} symbols, {SYMBOLS * QUOTES_PER_SECOND:,.0f} quotes/s, {SECONDS} s each, headless Chromium")
    print(f"{'':<26}{'frames/s':>8}{'p50 ms':>9}{'p99 ms':>9}{'>50 ms':>9}{'long':>8}{'longest':>10}{'ms/upd.':>8}")
    with served(market) as home, opened() as browser:
        page = browser.new_page(viewport={"width": WINDOW["width"], "height": WINDOW["height"]})
        page.goto(f"{home}{ROOT}/")
        page.locator("table.quotes tbody tr").nth(SYMBOLS - 1).wait_for(state="attached")
        page.evaluate(_WATCH)
        updates = UPDATES_PER_SECOND * SECONDS
        print(_measure(page).line("nothing moves", updates))
        print(_measure(page, scroll=True).line("nothing moves, scrolled", updates))
        with _moving(market):
            print(_measure(page).line("quotes move", updates))
            page.get_by_role("columnheader", name="Change %", exact=True).get_by_role("button").click()
            print(_measure(page).line("sorted by what moves", updates))
            print(_measure(page, scroll=True).line("sorted and scrolled", updates))


@contextmanager
def _moving(market: Market) -> Iterator[None]:
    stop = threading.Event()

    def move() -> None:
        while not stop.wait(1 / QUOTES_PER_SECOND):
            market.move_all()

    thread = threading.Thread(target=move, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _measure(page: Page, *, scroll: bool = False) -> Smoothness:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.wait_for_timeout(1000)
    page.evaluate("seen.frames = []; seen.tasks = []")
    before = _busy_seconds(session)
    for step in range(SECONDS * 10):
        if scroll:
            page.mouse.wheel(0, 240 if step // 40 % 2 == 0 else -240)
        page.wait_for_timeout(100)
    busy = _busy_seconds(session) - before
    seen = page.evaluate("seen")
    return Smoothness(seen["frames"], seen["tasks"], busy * 1000)


def _busy_seconds(session: Any) -> float:
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def _quantile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


if __name__ == "__main__":
    main()
