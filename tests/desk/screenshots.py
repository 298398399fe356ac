"""Pictures of each view for README and docs: `make screenshots`, or `python -m tests.desk.screenshots`.

They show the page over the made-up market of the tests, so that they are the same whoever makes them. With the address
of an Airflow that runs (`python -m tests.desk.screenshots http://127.0.0.1:8080`) two more show the desk inside it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page

from tapeline.aws import local
from tapeline.laptop import airflow
from tests.browser import WHY_NONE, executable, opened

from .page_server import ROOT, served, usual_market

FOLDER = Path(__file__).parents[2] / "docs" / "images"
MOST_BYTES = 250_000
WIDE, PHONE = (1280, 800), (390, 844)
VIEWS = [
    ("market-light", "#/market", WIDE, "light", "table.quotes tbody tr"),
    ("market-dark", "#/market", WIDE, "dark", "table.quotes tbody tr"),
    ("symbol-light", "#/symbol/ACME.SIM", WIDE, "light", ".chart canvas"),
    ("symbol-dark", "#/symbol/ACME.SIM", WIDE, "dark", ".chart canvas"),
    ("health-light", "#/health", WIDE, "light", ".rejects details"),
    ("reports-dark", "#/reports/2025-11-28/anomaly-report", WIDE, "dark", "iframe"),
    ("market-phone", "#/market", PHONE, "dark", "table.quotes tbody tr"),
    ("symbol-phone", "#/symbol/ACME.SIM", PHONE, "light", ".chart canvas"),
]


def main() -> None:
    """Write all pictures."""
    if executable() is None:
        sys.exit(WHY_NONE)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with opened() as browser:
        of_views(browser)
        for address in sys.argv[1:]:
            of_airflow(browser, address.rstrip("/"))


def of_views(browser: Browser) -> None:
    """Write the pictures of the page by itself."""
    market = usual_market()
    with served(market) as home:
        for name, view, (width, height), theme, ready in VIEWS:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)  # type: ignore[arg-type]
            page.goto(f"{home}{ROOT}/{view}")
            page.locator(ready).first.wait_for()
            market.move_all()
            _settle(page)
            _write(page, name)
            page.close()


def of_airflow(browser: Browser, address: str) -> None:
    """Write the pictures of the desk and of its lights inside Airflow, logged in with the laptop's password."""
    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]}, color_scheme="dark")
    answer = context.request.post(
        f"{address}/auth/token",
        headers={"Content-Type": "application/json"},
        data=json.dumps({"username": "admin", "password": airflow.passwords(local.home())["admin"]}),
    )
    context.add_cookies([{"name": "_token", "value": answer.json()["access_token"], "url": address}])
    page = context.new_page()
    page.goto(f"{address}/plugin/market-desk")
    page.frame_locator("iframe").locator("table.quotes tbody tr").first.wait_for()
    _settle(page)
    _write(page, "airflow-market")
    page.goto(f"{address}/")
    page.get_by_role("region", name="Pipeline lights").get_by_role("listitem").first.wait_for()
    _settle(page)
    _write(page, "airflow-home")
    context.close()


def _settle(page: Page) -> None:
    page.wait_for_timeout(1500)  # fonts, the chart's first frames, one update


def _write(page: Page, name: str) -> None:
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    size = path.stat().st_size
    print(f"{path.relative_to(FOLDER.parents[1])} {size:,} bytes")
    if size > MOST_BYTES:
        sys.exit(f"expected {MOST_BYTES:,} bytes or less")


if __name__ == "__main__":
    main()
