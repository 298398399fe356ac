"""Health, reports, connection, theme, width and accessibility of the page, in a browser, over a made-up market."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import PHONE, Desk
from .page_server import ROOT, utc

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
VIEWS = {
    "market": "#/market",
    "symbol": "#/symbol/ACME.SIM",
    "health": "#/health",
    "reports": "#/reports/2025-11-28/anomaly-report",
}
READY = {"market": "table.quotes tbody tr", "symbol": ".chart canvas", "health": ".light", "reports": "iframe"}


def open_view(desk: Desk, view: str) -> Page:
    page = desk.open(VIEWS[view])
    page.locator(READY[view]).first.wait_for()
    return page


# Health


def test_each_light_says_its_state_in_words_and_what_to_do(desk: Desk) -> None:
    page = open_view(desk, "health")
    expect(page.locator(".light")).to_have_count(10)
    bad = page.locator(".light", has_text="Dead letters")
    expect(bad.locator(".state")).to_have_text("Problem")
    expect(bad.locator(".todo")).to_have_text(
        "What to do: Find the reason in the processor's log, mend it, then redrive."
    )
    link = bad.get_by_role("link", name="Open redrive_rejected")
    assert link.evaluate("one => [new URL(one.href).pathname, one.target]") == ["/dags/redrive_rejected", "_top"]
    expect(page.get_by_role("status").filter(has_text="1 problem, 1 warning, 1 could not be judged")).to_be_visible()
    expect(page.locator("#health-count")).to_have_text("1, 1 problem")
    expect(page.locator(".light", has_text="Last report").locator(".state")).to_have_text("Could not be judged")
    expect(page.locator(".light", has_text="Alarms").locator(".state")).to_have_text("Nothing to judge")


def test_a_light_changes_as_it_is_told(desk: Desk) -> None:
    page = open_view(desk, "health")
    light = page.locator(".light", has_text="Dead letters")
    well = {"state": "ok", "value": "none", "todo": None, "dag_id": None}
    desk.market.lights[4] = desk.market.lights[4].model_copy(update=well)
    expect(light.locator(".state")).to_have_text("Well")
    expect(light.locator(".todo")).to_be_hidden()
    expect(light.get_by_role("link")).to_have_count(0)


def test_a_dag_is_run_after_a_question(desk: Desk) -> None:
    page = open_view(desk, "health")
    page.get_by_role("button", name="Run it: repair_partitions").click()
    dialog = page.get_by_role("dialog", name="Run a DAG")
    expect(dialog).to_contain_text("Run repair_partitions now?")
    assert desk.market.triggered == []
    dialog.get_by_role("button", name="Run it").click()
    expect(dialog.get_by_role("status")).to_contain_text("Started as a dry run")
    assert desk.market.triggered == ["repair_partitions"]
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_who_may_not_run_a_dag_sees_no_button_for_it(desk: Desk) -> None:
    desk.market.may_trigger = False
    page = open_view(desk, "health")
    expect(page.get_by_role("link", name="Open daily_rollup")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Run it"))).to_have_count(0)


def test_rejects_stand_by_reason_and_their_payload_is_text(desk: Desk) -> None:
    page = open_view(desk, "health")
    expect(page.locator(".rejects details")).to_have_count(3)
    page.get_by_role("button", name="not json 2").click()
    expect(page.locator(".rejects details")).to_have_count(2)
    page.locator(".rejects summary").first.click()
    expect(page.locator(".rejects pre").first).to_have_text("hello <script>window.hacked = true</script>\\u{202e}")
    expect(page.locator(".rejects summary").first).to_contain_text("New York")
    expect(page.locator(".rejects summary").first).to_contain_text("Partition key 7")
    assert page.evaluate("window.hacked") is None
    assert page.locator("main script").count() == 0


# Reports


def test_a_report_opens_inside_the_page_in_a_frame_that_may_do_nothing(desk: Desk) -> None:
    page = desk.open("#/reports")
    expect(page.get_by_role("heading", name="1 anomaly, market +1.86%")).to_be_visible()  # the newest, by itself
    page.get_by_role("link", name="Session Fri, 28 Nov 2025").click()
    expect(page.locator("iframe")).to_have_attribute("sandbox", "")
    expect(page.frame_locator("iframe").get_by_role("heading", level=1)).to_have_text("Fri 28 Nov 2025, half day")
    assert page.url.endswith("#/reports/2025-11-28/anomaly-report")


def test_without_reports_the_page_says_when_there_will_be_one(desk: Desk) -> None:
    desk.page.route("**/api/reports", lambda route: route.fulfill(json={"reports": []}))
    expect(desk.open("#/reports").get_by_text("No report yet")).to_be_visible()


# What is known, and since when


def test_before_the_first_quote_the_page_says_so(desk: Desk) -> None:
    desk.market.quotes.clear()
    expect(desk.open().get_by_text("No quotes yet")).to_be_visible()


def test_while_nothing_has_come_the_page_says_that_it_loads(desk: Desk) -> None:
    desk.market.silent = True
    expect(desk.open().get_by_role("heading", name="Loading quotes")).to_be_visible()


def test_simulated_stale_and_delayed_are_said(desk: Desk) -> None:
    page = desk.open()
    badges = page.locator("#badges")
    expect(badges).to_have_text("Simulated")
    now = page.evaluate("Date.now()") / 1000
    for quote in desk.market.quotes.values():
        old = {"timestamp": utc(now - 900), "ingested_at": utc(now)}
        desk.market.trade(quote.symbol, quote.price, source="yahoo", **old)
    expect(badges).to_have_text("Stale: newest quote 15 min old")
    expect(page.locator("tr.stale")).to_have_count(12)
    for quote in desk.market.quotes.values():
        desk.market.trade(quote.symbol, quote.price, timestamp=utc(now - 50), ingested_at=utc(now + 40))
    expect(badges).to_have_text("Delayed by 1 min")


def test_a_market_is_closed_only_if_no_quote_is_missed(desk: Desk) -> None:
    desk.market.is_open = False
    quotes, old = desk.market.quotes, {"timestamp": utc(time.time() - 900), "ingested_at": utc(time.time() - 899)}
    for name in quotes:
        desk.market.trade(name, quotes[name].price, source="yahoo", **old)
    badges = desk.open().locator("#badges")
    expect(badges).to_have_text("Market closed: newest quote 15 min old")
    desk.market.lights[0] = desk.market.lights[0].model_copy(update={"state": "bad"})
    expect(badges).to_have_text("Stale: newest quote 15 min old")
    desk.market.lights[0] = desk.market.lights[0].model_copy(update={"state": "ok"})
    desk.market.trade("ACME.SIM", 270.81, source="simulated", **old)  # that market never closes
    expect(badges).to_have_text("SimulatedStale: newest quote 15 min old")


def test_without_a_server_the_page_says_since_when_and_keeps_the_last_values(desk: Desk) -> None:
    page = open_view(desk, "market")
    expect(page.locator("#connection")).to_have_text("Live")
    desk.cut()
    banner = page.locator("#banner")
    expect(banner).to_have_text(
        re.compile(r"The server does not answer since \d\d:\d\d:\d\d New York. What you see are the last")
    )
    expect(page.locator("#connection")).to_have_text("No connection")
    expect(page.locator("table.quotes tbody tr")).to_have_count(12)
    assert page.evaluate("document.documentElement.classList.contains('gone')")
    desk.mend()
    expect(banner).to_be_hidden()
    desk.complaints.clear()  # the browser's own lines about requests that failed


def test_without_a_stream_the_page_polls_and_goes_on(desk: Desk) -> None:
    desk.market.streams = False
    page = desk.open()
    expect(page.locator("#connection")).to_have_text("Live, by polling")
    desk.market.trade("ACME.SIM", 271.5)
    expect(page.locator("td.price").first).to_have_text("271.50")
    desk.complaints.clear()  # the stream that was refused


def test_an_expired_log_in_is_said_with_a_way_back(desk: Desk) -> None:
    page = open_view(desk, "market")
    desk.market.logged_in = False
    banner = page.locator("#banner")
    expect(banner).to_contain_text("Your log-in has expired")
    link = banner.get_by_role("link", name="Log in again")
    assert "/api/v2/auth/login?next=" in str(link.get_attribute("href"))
    desk.market.logged_in = True
    expect(banner).to_be_hidden(timeout=15_000)
    desk.complaints.clear()  # the requests that were refused


# Theme, width, keyboard, accessibility


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_inside_airflow_the_page_follows_its_theme_whatever_the_device_likes(desk: Desk, theme: str) -> None:
    desk.shape(dark=theme == "light")
    page = desk.page
    page.goto(f"{desk.home}/plugin/market-desk?theme={theme}")
    inside = page.frame_locator("iframe").locator("html")
    expect(inside).to_have_attribute("data-theme", theme)
    other = {"light": "dark", "dark": "light"}[theme]
    page.evaluate(f"document.documentElement.className = '{other}'")
    expect(inside).to_have_attribute("data-theme", other)


def test_alone_the_page_follows_what_airflow_keeps_and_else_the_device(desk: Desk) -> None:
    desk.shape(dark=True)
    page = desk.open()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.evaluate("localStorage.setItem('theme', 'light')")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_inside_airflow_links_lead_the_whole_window_and_the_address_names_the_view(desk: Desk) -> None:
    page = desk.page
    page.goto(f"{desk.home}/plugin/market-desk")
    inside = page.frame_locator("iframe")
    inside.get_by_role("link", name="Health").click()
    expect(page).to_have_url(f"{desk.home}/plugin/market-desk{ROOT}/#/health")
    inside.get_by_role("link", name="Open daily_rollup").click()
    expect(page).to_have_url(f"{desk.home}/dags/daily_rollup")
    desk.complaints.clear()  # there is no such page on this server


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_shows_each_view_without_scrolling_sideways(desk: Desk, view: str) -> None:
    desk.shape(phone=True)
    page = open_view(desk, view)
    page.set_viewport_size({"width": 318, "height": 700})  # inside Airflow's frame on such a phone
    assert page.evaluate("document.documentElement.scrollWidth") == 318
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for name in ("Market", "Health", "Reports"):
        expect(page.get_by_role("navigation").get_by_role("link", name=name)).to_be_in_viewport()


def test_a_phone_sorts_by_columns_it_does_not_show(desk: Desk) -> None:
    desk.shape(phone=True)
    page = open_view(desk, "market")
    page.get_by_label("Sort by").select_option("volume descending")
    quotes = desk.market.quotes
    expect(page.locator("table.quotes tbody th").first).to_have_text(max(quotes, key=lambda one: quotes[one].volume))


def test_the_first_tab_skips_to_the_content(desk: Desk) -> None:
    page = open_view(desk, "market")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    assert page.url.endswith("#/market")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious(desk: Desk, view: str, dark: bool) -> None:
    desk.shape(dark=dark)
    page = open_view(desk, view)
    if view == "symbol":
        page.get_by_text("The same as a table").click()
    elif view == "health":
        page.locator(".rejects summary").first.click()
    page.evaluate(AXE)  # past the page's policy, as a person's developer tools are
    found = page.evaluate("axe.run(document, {resultTypes: ['violations'], iframes: false})")["violations"]
    assert [(one["id"], one["impact"], [node["html"][:160] for node in one["nodes"]][:4]) for one in found] == []
