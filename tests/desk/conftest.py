from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, ViewportSize

from .page_server import ROOT, Market, served, usual_market

WIDE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}


@dataclass
class Desk:
    """The page in a browser, the market that it is told of, and what the browser complained of."""

    market: Market
    home: str
    browser: Browser
    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, view: str = "#/market") -> Page:
        self.page.goto(f"{self.home}{ROOT}/{view}")
        return self.page

    def shape(self, *, phone: bool = False, dark: bool = False) -> None:
        """Take another window."""
        self.page.context.close()
        self.page = self._window(phone=phone, dark=dark)

    def cut(self) -> None:
        """Let nothing reach the server any more."""
        self.page.route("**/api/**", lambda route: route.abort())
        self.market.streams = False

    def mend(self) -> None:
        self.page.unroute("**/api/**")
        self.market.streams = True

    def _window(self, *, phone: bool = False, dark: bool = False) -> Page:
        context = self.browser.new_context(
            viewport=PHONE if phone else WIDE, color_scheme="dark" if dark else "light", has_touch=phone
        )
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", self._listen)
        page.on("request", self._watch)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def _watch(self, request: Request) -> None:
        if not request.url.startswith((self.home, "data:")):
            self.complaints.append(f"a request left the machine: {request.url}")

    def _listen(self, message: ConsoleMessage) -> None:
        of_airflow = "allow-scripts and allow-same-origin" in message.text  # its frame around pages of plugins
        if message.type in ("error", "warning") and not of_airflow:
            self.complaints.append(message.text)


@pytest.fixture(scope="module")
def _page_server() -> Iterator[tuple[Market, str]]:
    market = Market()
    with served(market) as home:
        yield market, home


@pytest.fixture
def desk(browser: Browser, _page_server: tuple[Market, str]) -> Iterator[Desk]:
    """The page over the usual market; the test fails if the browser complains of anything."""
    market, home = _page_server
    market.__dict__.update(usual_market().__dict__)
    made = Desk(market, home, browser, None)  # type: ignore[arg-type]
    made.page = made._window()
    yield made
    made.page.context.close()
    assert made.complaints == []
