"""The desk with the whole stack behind it: producer, stream, functions, tables, and Airflow's own server and log-in."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from localaws.testing import free_port
from tapeline.aws.deployment import StackOutputs, find_deployment
from tapeline.laptop import airflow
from tapeline.laptop.programs import environment as shell
from tapeline.laptop.users import AIRFLOW_USER, signer_of
from tests.laptop.conftest import laptop  # noqa: F401 - a fixture
from tests.laptop.laptop import Laptop, await_

from .conftest import PHONE, WIDE

HOSTILE = "<script>window.hacked=true</script>"


@dataclass
class Site:
    """Airflow with the desk, over a laptop on which quotes flow."""

    laptop: Laptop
    outputs: StackOutputs
    address: str
    passwords: dict[str, str]
    browser: Browser
    server: subprocess.Popen[bytes]

    def put(self, data: str, key: str) -> float:
        """Put a record on the stream; return when it had arrived."""
        self.laptop.aws().client("kinesis").put_record(
            StreamName=self.outputs.stream_name, Data=data.encode(), PartitionKey=key
        )
        return time.monotonic()

    def replay(self, symbol: str, price: float, previous_close: float) -> float:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        figures = dict.fromkeys(("open", "high", "low", "price"), price)
        quote = {"symbol": symbol, "timestamp": now, **figures, "previous_close": previous_close, "volume": 1000}
        return self.put(json.dumps({**quote, "source": "replay", "ingested_at": now}), symbol)

    def log_in(self, page: Page, user: str) -> None:
        """Log in as a person does, at the form that the desk leads to."""
        page.goto(f"{self.address}/market-desk/")
        page.get_by_label("Username").fill(user)
        page.get_by_label("Password").fill(self.passwords[user])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(re.compile("/market-desk/"))


@pytest.fixture(scope="module")
def site(laptop: Laptop, browser: Browser) -> Iterator[Site]:  # noqa: F811
    up = laptop.run("up", "--detach", "--every", "0.5", "--symbols", "ACME.SIM,BOLT.SIM,CRUX.SIM")
    assert up.returncode == 0, up.stdout + up.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPELINE_AIRFLOW_PORT", str(free_port()))
        aws = laptop.aws()
        outputs = find_deployment(aws).outputs
        signer = signer_of(aws, AIRFLOW_USER, outputs.airflow_policy_arn, laptop.home / "airflow.json")
        environment = {**shell(), **airflow.settings(laptop.home, signer)}
        airflow.prepare_database(environment)
        address = airflow.address()
        log = laptop.home / "api-server.log"
        with log.open("wb") as told:
            server = subprocess.Popen(
                [sys.executable, "-m", "airflow", "api-server"], env=environment, stdout=told, stderr=subprocess.STDOUT
            )
        try:

            def answers() -> bool:
                assert server.poll() is None, log.read_text()[-3000:]
                with suppress(OSError), urllib.request.urlopen(f"{address}/api/v2/version", timeout=5):  # noqa: S310
                    return True
                return False

            await_(answers, "Airflow's server")
            yield Site(laptop, outputs, address, airflow.passwords(laptop.home), browser, server)
        finally:
            server.terminate()
            server.wait(30)
    laptop.run("down")


@pytest.fixture(scope="module")
def admin(site: Site) -> Iterator[Page]:
    with site.browser.new_context(viewport=WIDE) as context:
        page = context.new_page()
        page.set_default_timeout(20_000)
        site.log_in(page, "admin")
        yield page


@pytest.fixture
def desk(site: Site, admin: Page) -> Page:
    """The market, open and logged in."""
    admin.set_viewport_size(WIDE)
    admin.goto(f"{site.address}/market-desk/#/market")
    expect(admin.locator("#connection")).to_have_text("Live", timeout=30_000)
    return admin


def price(page: Page, symbol: str) -> Any:
    return page.locator(f"table.quotes tr:has(a:text-is('{symbol}')) td.price")


def test_nothing_answers_without_a_log_in(site: Site) -> None:
    with site.browser.new_context() as context:
        for path in (
            "api/me",
            "api/quotes",
            "api/stream",
            "api/health",
            "api/rejects",
            "api/reports",
            "static/desk.js",
        ):
            answer = context.request.get(f"{site.address}/market-desk/{path}")
            assert (path, answer.status) == (path, 401)
        page = context.new_page()
        page.goto(f"{site.address}/market-desk/")
        assert "/auth/login" in page.url


def test_quotes_appear_and_move(desk: Page) -> None:
    expect(price(desk, "ACME.SIM")).to_be_visible()
    before = price(desk, "ACME.SIM").inner_text()
    expect(price(desk, "ACME.SIM")).not_to_have_text(before, timeout=30_000)
    expect(desk.locator("#badges")).to_contain_text("Simulated")


def test_a_replayed_anomaly_shows_within_two_seconds_of_its_arrival_on_the_stream(site: Site, desk: Page) -> None:
    taken = []
    for number in range(5):  # the machine may be busy with something else for a moment
        symbol = f"MOVE{number}"
        arrived = site.replay(symbol, 110.0, 100.0)
        row = desk.locator(f"table.quotes tr:has(a:text-is('{symbol}'))")
        expect(row.locator("td.marks")).to_contain_text("Anomaly", timeout=30_000)
        taken.append(time.monotonic() - arrived)
        expect(row.locator("td.percent")).to_have_text("+10.00%")
        expect(desk.locator("#announcer")).to_contain_text(f"{symbol} far from the previous close, at 110.00.")
    print(f"anomalies shown after {', '.join(f'{seconds:.2f} s' for seconds in taken)}")
    assert min(taken) < 2.0


def test_it_sorts_filters_and_opens_a_symbol(site: Site, desk: Page) -> None:
    site.replay("ZERO", 50.0, 50.0)
    expect(price(desk, "ZERO")).to_be_visible(timeout=30_000)
    desk.get_by_role("columnheader", name="Symbol").get_by_role("button").click()
    expect(desk.locator("table.quotes tbody th").first).to_have_text("ZERO")
    desk.get_by_label("Filter symbols").fill("acme")
    expect(desk.locator("table.quotes tbody tr")).to_have_count(1)
    desk.get_by_role("table").get_by_role("link", name="ACME.SIM").click()
    expect(desk.get_by_role("group", name=re.compile("Chart of ACME.SIM"))).to_be_visible(timeout=30_000)
    expect(desk.locator("a.day[aria-current=date]")).to_have_attribute("aria-label", re.compile("today"))
    last = desk.locator(".legend.values").inner_text()
    expect(desk.locator(".legend.values")).not_to_have_text(last, timeout=30_000)  # the last candle goes on


def test_hostile_records_are_rejected_shown_and_inert(site: Site, desk: Page) -> None:
    site.put(HOSTILE, "hostile")
    site.put(json.dumps({"symbol": HOSTILE, "timestamp": "2026-11-20T15:00:00Z", "price": 1}), HOSTILE)

    def is_listed() -> bool:
        rejects = desk.request.get(f"{site.address}/market-desk/api/rejects").json()["rejects"]
        return len(rejects) == 2

    await_(is_listed, "both rejects")
    desk.get_by_role("link", name="Health").click()
    desk.reload()
    expect(desk.locator(".rejects details")).to_have_count(2)
    for summary in desk.locator(".rejects summary").all():
        summary.click()
    expect(desk.locator(".rejects pre").first).to_contain_text("<script>")
    expect(desk.locator(".rejects pre").last).to_contain_text("<script>")
    assert desk.evaluate("window.hacked") is None
    assert desk.locator("main script").count() == 0
    # Its light says what to do, and an admin may do it from here.
    expect(desk.get_by_role("button", name="Run it: redrive_rejected").first).to_be_visible(timeout=60_000)


def test_a_viewer_reads_and_starts_nothing(site: Site) -> None:
    with site.browser.new_context(viewport=WIDE) as context:
        page = context.new_page()
        page.set_default_timeout(20_000)
        site.log_in(page, "viewer")
        page.goto(f"{site.address}/market-desk/#/health")
        expect(page.get_by_role("link", name="Open redrive_rejected").first).to_be_visible(timeout=60_000)
        expect(page.get_by_role("button", name=re.compile("Run it"))).to_have_count(0)
        answer = page.request.post(
            f"{site.address}/market-desk/api/dags/redrive_rejected/trigger",
            headers={"X-Requested-With": "market-desk", "Content-Type": "application/json"},
            data="{}",
        )
        assert answer.status == 403


def test_it_stands_in_airflows_own_page_in_its_theme_and_its_lights_on_the_home_page(site: Site, desk: Page) -> None:
    desk.goto(f"{site.address}/plugin/market-desk")
    inside = desk.frame_locator("iframe[title='Market desk']")
    expect(inside.locator("table.quotes tbody tr").first).to_be_visible(timeout=30_000)
    theme = desk.evaluate("document.documentElement.classList.contains('dark') ? 'dark' : 'light'")
    expect(inside.locator("html")).to_have_attribute("data-theme", theme)
    other = {"dark": "light", "light": "dark"}[theme]
    desk.evaluate(f"localStorage.setItem('theme', '{other}')")
    desk.reload()
    expect(inside.locator("html")).to_have_attribute("data-theme", other)
    desk.goto(f"{site.address}/")
    strip = desk.get_by_role("region", name="Pipeline lights")
    expect(strip.get_by_role("listitem").filter(has_text="Quotes")).to_be_visible(timeout=30_000)
    strip.get_by_role("link", name="Market desk").click()
    expect(inside.get_by_role("heading", name="Pipeline health")).to_be_visible(timeout=30_000)


def test_a_phone_shows_it_without_scrolling_sideways(site: Site, desk: Page) -> None:
    desk.set_viewport_size(PHONE)
    expect(price(desk, "BOLT.SIM")).to_be_visible()
    assert desk.evaluate("document.documentElement.scrollWidth") == 390


def test_when_the_server_is_gone_the_page_says_since_when(site: Site, desk: Page) -> None:
    site.server.kill()  # the end of the story
    expect(desk.locator("#banner")).to_contain_text("The server does not answer since", timeout=60_000)
