"""The market and the detail of a symbol, in a browser, over a made-up market."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Page, expect

from tapeline.desk.course import mark
from tapeline.desk.models import LastAlert

from .conftest import Desk
from .page_server import ROOT, utc

SYMBOLS = ["ACME", "BOLT", "CRUX", "DUNE", "ECHO", "FLUX", "GLOW", "HALO", "IRIS", "JADE", "KITE", "LOOM"]


def row(page: Page, symbol: str) -> str:
    return f"table.quotes tbody tr:has(a:text-is('{symbol}.SIM'))"


def cell(page: Page, symbol: str, name: str) -> str:
    return f"{row(page, symbol)} td.{name}"


def order(page: Page) -> list[str]:
    return [one.removesuffix(".SIM") for one in page.locator("table.quotes tbody th").all_text_contents()]


def sort_by(page: Page, name: str) -> None:
    page.get_by_role("columnheader", name=name, exact=True).get_by_role("button").click()


def test_every_symbol_stands_in_the_table_with_its_figures(desk: Desk) -> None:
    page = desk.open()
    expect(page.locator("table.quotes tbody tr")).to_have_count(12)
    assert order(page) == SYMBOLS
    # 270.81 against 255.00: 15.81 USD, which is 6.2 %.
    found = page.locator(row(page, "ACME"))
    expect(found.locator("td.price")).to_have_text("270.81")
    expect(found.locator("td.change")).to_have_text("+15.81")
    expect(found.locator("td.percent")).to_have_text("+6.20%")
    expect(found.locator("td.age")).to_have_text(re.compile(r"^\d s$"))
    expect(found.locator("td.marks")).to_contain_text("Anomaly")
    expect(found.locator("path.line")).to_have_attribute("d", re.compile(r"^M.*L"))
    expect(page.locator(cell(page, "KITE", "change"))).to_have_text("−15.97")
    expect(page.locator(cell(page, "HALO", "price"))).to_have_text("0.8125")
    expect(page.locator(cell(page, "IRIS", "percent"))).to_have_text("0.00%")


def test_a_quote_moves_its_row_and_nothing_else(desk: Desk) -> None:
    page = desk.open()
    expect(page.locator(cell(page, "BOLT", "price"))).to_have_text("396.12")
    page.evaluate("document.querySelectorAll('table.quotes tbody tr').forEach((row, at) => { row.mine = at; })")
    page.get_by_role("link", name="DUNE.SIM").focus()
    desk.market.trade("BOLT.SIM", 404.0)
    expect(page.locator(cell(page, "BOLT", "price"))).to_have_text("404.00")
    expect(page.locator(cell(page, "BOLT", "percent"))).to_have_text("+1.00%")
    expect(page.locator(cell(page, "BOLT", "price")).locator(".tick")).to_have_attribute("data-direction", "up")
    assert page.evaluate("[...document.querySelectorAll('table.quotes tbody tr')].map((row) => row.mine)") == list(
        range(12)
    )
    assert page.evaluate("document.activeElement.textContent") == "DUNE.SIM"


def test_the_age_of_a_quote_goes_on_by_itself(desk: Desk) -> None:
    page = desk.open()
    age = page.locator(cell(page, "LOOM", "age"))
    expect(age).to_have_text(re.compile(r"^\d s$"))
    before = int(age.inner_text().removesuffix(" s"))
    expect(age).to_have_text(f"{before + 2} s")


def test_a_column_sorts_the_largest_first_and_then_the_smallest(desk: Desk) -> None:
    page = desk.open()
    expect(page.locator("table.quotes tbody tr")).to_have_count(12)
    ends = {
        "Price": ("FLUX", "HALO"),
        "Change": ("ACME", "KITE"),
        "Change %": ("ACME", "KITE"),
        "Average": ("FLUX", "HALO"),
        "Marks": ("ACME", "IRIS"),
    }
    for column, (first, last) in ends.items():
        sort_by(page, column)
        head = page.get_by_role("columnheader", name=column, exact=True)
        expect(head).to_have_attribute("aria-sort", "descending")
        assert (column, order(page)[0], order(page)[-1]) == (column, first, last)
        sort_by(page, column)
        expect(head).to_have_attribute("aria-sort", "ascending")
        expect(page.locator("th[aria-sort]")).to_have_count(1)
        assert order(page)[-1] == first


def test_volume_session_and_age_sort_too(desk: Desk) -> None:
    page = desk.open()
    quotes = desk.market.quotes
    expect(page.locator("table.quotes tbody tr")).to_have_count(12)
    sort_by(page, "Volume")
    by_volume = sorted(quotes, key=lambda one: -quotes[one].volume)
    assert order(page) == [one.removesuffix(".SIM") for one in by_volume]
    sort_by(page, "Session")
    highest = order(page)[0] + ".SIM"
    assert quotes[highest].price == quotes[highest].high
    desk.market.trade("GLOW.SIM", 386.8)
    sort_by(page, "Age")
    expect(page.locator("table.quotes tbody th").first).to_have_text("GLOW.SIM")


def test_the_order_follows_the_market_but_not_under_the_readers_hand(desk: Desk) -> None:
    page = desk.open()
    sort_by(page, "Change %")
    page.get_by_role("table").get_by_role("link", name="KITE.SIM").focus()
    desk.market.trade("KITE.SIM", 584.1)  # 10 % up from 531
    expect(page.locator(cell(page, "KITE", "percent"))).to_have_text("+10.00%")
    assert order(page)[-1] == "KITE"
    page.locator("#filter").focus()
    desk.market.trade("KITE.SIM", 584.2)
    expect(page.locator("table.quotes tbody th").first).to_have_text("KITE.SIM")


def test_the_filter_leaves_the_symbols_that_match(desk: Desk) -> None:
    page = desk.open()
    expect(page.locator("table.quotes tbody tr")).to_have_count(12)
    page.get_by_label("Filter symbols").fill("l")
    assert order(page) == ["BOLT", "FLUX", "GLOW", "HALO", "LOOM"]
    expect(page.get_by_text("5 of 12")).to_be_visible()
    page.get_by_label("Filter symbols").fill("nothing")
    expect(page.get_by_text("No symbol matches")).to_be_visible()
    page.get_by_label("Filter symbols").fill("")


def test_marked_only_leaves_what_is_unusual_today_and_a_trend_is_not(desk: Desk) -> None:
    market, now = desk.market, time.time()
    market.trade("BOLT.SIM", 396.12, suspect=["high:far"])
    market.quotes["ECHO.SIM"].last_alert = LastAlert(kind="band_break", timestamp=utc(now))
    market.quotes["FLUX.SIM"].last_alert = LastAlert(kind="band_break", timestamp=utc(now - 86_400))
    market.quotes["GLOW.SIM"].last_alert = LastAlert(kind="correction", timestamp=utc(now))
    page = desk.open()
    expect(page.locator("table.quotes tbody tr")).to_have_count(12)
    page.get_by_label("Marked only").check()
    assert order(page) == ["ACME", "BOLT", "ECHO", "GLOW"]


def test_suspect_figures_are_shown_as_such_in_table_and_detail(desk: Desk) -> None:
    wrong = {"suspect": ["price:far", "previous_close:doubted"], "change": None, "change_percent": None}
    desk.market.trade("BOLT.SIM", 10.0**12, **wrong, anomaly=False, reasons=[], last_alert=None)
    page = desk.open()
    price = page.locator(cell(page, "BOLT", "price")).locator(".suspect")
    expect(price).to_have_text("1T")
    expect(price).to_have_attribute("title", "Looks wrong: price out of all proportion")
    expect(page.locator(cell(page, "BOLT", "percent"))).to_have_text("–")
    expect(page.locator(cell(page, "BOLT", "marks"))).to_contain_text(
        "Looks wrong: price out of all proportion, previous close doubted by the source"
    )
    expect(page.locator(".figure.suspects dd")).to_have_text("1")
    sort_by(page, "Price")
    assert order(page)[-1] == "BOLT"  # a price that is not believed is neither high nor low
    page.get_by_role("link", name="BOLT.SIM").first.click()
    expect(page.locator(".head .big.suspect")).to_have_text("1T")
    expect(page.locator("dl.facts .suspect")).to_have_text(["400.00"])
    desk.market.trade("BOLT.SIM", 396.0, suspect=[])
    expect(page.locator(".head .big")).to_have_text("396.00")
    expect(page.locator(".suspect:not(.key)")).to_have_count(0)
    assert "1T" not in page.locator(".legend.values").inner_text()


def test_nothing_in_the_table_is_cut_at_any_width(desk: Desk) -> None:
    market, far = desk.market, {"suspect": ["high:far"], "anomaly": True, "reasons": ["price_move"], "trend": "up"}
    market.add("BRK-A", 745_000.0, 740_000.0, "up")
    market.add("ABCDEFGH.X", 1234.56, 1400.0, "down")
    market.trade("BOLT.SIM", 396.12, **far, timestamp=utc(time.time() - 85_000))
    page = desk.open()
    expect(page.locator("table.quotes tbody tr")).to_have_count(14)
    clipped = """() => [...document.querySelectorAll("table.quotes :is(th, td), .figure :is(dd, dt)")]
        .filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.textContent)"""
    for width in (1280, 1000, 870, 760, 640, 390, 318):
        page.set_viewport_size({"width": width, "height": 1400})
        expect(page.locator(cell(page, "LOOM", "percent"))).to_have_text("+0.78%")
        assert (width, page.evaluate(clipped)) == (width, [])
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_an_anomaly_is_marked_listed_and_read_out_but_a_price_is_not(desk: Desk) -> None:
    page = desk.open()
    expect(page.locator(cell(page, "CRUX", "price"))).to_have_text("181.94")
    announcer = page.locator("#announcer")
    desk.market.trade("CRUX.SIM", 182.0)
    expect(page.locator(cell(page, "CRUX", "price"))).to_have_text("182.00")
    assert announcer.inner_text() == ""
    desk.market.trade("CRUX.SIM", 189.9)  # 5.5 % above 180
    expect(announcer).to_have_text("CRUX.SIM far from the previous close, at 189.90.")
    expect(page.locator(cell(page, "CRUX", "marks"))).to_contain_text("Anomaly")
    expect(page.locator("ol.alerts li").first).to_contain_text("CRUX.SIM far from the previous close")
    expect(page.locator(".figure.flagged dd")).to_have_text("2")


def test_a_symbol_opens_by_keyboard_and_back_leads_to_the_same_table(desk: Desk) -> None:
    page = desk.open()
    page.get_by_label("Filter symbols").fill("ECHO")
    page.get_by_label("Filter symbols").press("Tab")
    while page.evaluate("document.activeElement.textContent") != "ECHO.SIM":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="ECHO.SIM")).to_be_visible()
    assert page.url.endswith("#/symbol/ECHO.SIM")
    assert page.title() == "ECHO.SIM · Market desk"
    page.go_back()
    expect(page.locator("table.quotes tbody tr")).to_have_count(1)
    expect(page.get_by_label("Filter symbols")).to_have_value("ECHO")


def test_the_detail_draws_the_session_and_says_the_same_in_words(desk: Desk) -> None:
    page = desk.open("#/symbol/ACME.SIM")
    chart = page.get_by_role("group", name=re.compile(r"Chart of ACME.SIM, .*: 240 minutes, open .*, 3 marks"))
    expect(chart.locator("canvas").first).to_be_visible()
    expect(page.locator("ol.events li")).to_have_count(3)
    expect(page.locator("dl.facts")).to_contain_text("Previous close")
    page.get_by_text("The same as a table").click()
    expect(page.locator("details table tbody tr")).to_have_count(240)
    detail = desk.market.detail("ACME.SIM", desk.market.sessions[0])
    opening = page.locator("details table tbody tr").first.locator("td").all_inner_texts()
    assert opening[:4] == [f"{price:,.2f}" for price in detail.candles[0][1:5]]
    expect(page.get_by_role("link", name="www.tradingview.com")).to_be_visible()  # its licence asks for it


def test_todays_last_candle_goes_on_with_the_quotes(desk: Desk) -> None:
    page = desk.open("#/symbol/ACME.SIM")
    expect(page.locator(".legend.values")).to_contain_text("C ")
    desk.market.trade("ACME.SIM", 299.5)
    expect(page.locator(".legend.values")).to_contain_text("C 299.50")
    expect(page.locator(".head .big")).to_have_text("299.50")


def test_another_session_is_chosen_from_the_calendar(desk: Desk) -> None:
    page = desk.open("#/symbol/ACME.SIM")
    today = page.locator("a.day[aria-current=date]")
    expect(today).to_have_attribute("aria-label", re.compile("23 Nov 2026, today"))
    page.get_by_role("link", name="Fri, 20 Nov 2026").click()
    expect(page.locator("#chart-title")).to_have_text("Fri, 20 Nov 2026")
    expect(page.get_by_text("from the curated minute bars")).to_be_visible()
    assert page.url.endswith("#/symbol/ACME.SIM/2026-11-20")
    page.get_by_role("button", name="Earlier month").click()
    page.get_by_role("link", name="Fri, 30 Oct 2026").click()
    expect(page.locator("#chart-title")).to_have_text("Fri, 30 Oct 2026")


def test_a_past_session_shows_its_own_figures(desk: Desk) -> None:
    page = desk.open("#/symbol/ACME.SIM")
    expect(page.get_by_role("heading", name="Newest quote")).to_be_visible()
    page.get_by_role("link", name="Fri, 20 Nov 2026").click()
    figures = desk.market.detail("ACME.SIM", "2026-11-20").figures
    assert figures is not None
    expect(page.locator(".head .big")).to_have_text(f"{figures.close_usd:,.2f}")
    expect(page.locator(".head")).to_contain_text("at the end of Fri, 20 Nov 2026")
    for told in ("VWAP123.45", f"High{figures.high_usd:,.2f}", f"Volume{figures.volume_shares:,}"):
        expect(page.locator("dl.facts")).to_contain_text(told)
    desk.market.trade("ACME.SIM", 999.0, suspect=[])
    desk.market.trade("BOLT.SIM", 398.0)
    page.get_by_role("link", name="Mon, 23 Nov 2026").click()
    expect(page.locator(".head .big")).to_have_text("999.00")  # and the newest session the newest quote
    page.go_back()
    expect(page.locator("#chart-title")).to_have_text("Fri, 20 Nov 2026")
    assert "999.00" not in page.locator("main").inner_text()


def test_a_session_says_which_symbols_were_not_published_and_why(desk: Desk) -> None:
    page = desk.open("#/symbol/ACME.SIM/2026-11-20")
    expect(page.locator("dl.facts")).to_contain_text("VWAP")
    expect(page.locator(".warning")).to_be_hidden()
    desk.market.left_out = {"ACME.SIM": "values out of range (minute_bars)", "BOLT.SIM": "no quote"}
    page.reload()
    expect(page.locator(".warning")).to_have_text(
        "ACME.SIM was left out when this session was published: values out of range (minute_bars). "
        "Left out of this session: BOLT.SIM."
    )


def test_what_happened_is_newest_first_and_all_of_it_can_be_read(desk: Desk) -> None:
    detail = desk.market.detail("ACME.SIM", desk.market.sessions[0])
    start = detail.candles[0][0]
    marks = [mark(start + 60 * at, "price_move", f"Number {at}.").model_dump() for at in range(26)]
    desk.page.route("**/api/symbols/**", lambda route: route.fulfill(json={**detail.model_dump(), "marks": marks}))
    page = desk.open("#/symbol/ACME.SIM")
    expect(page.locator("ol.events li[data-kind]").first).to_contain_text("Number 25.")
    page.get_by_role("button", name="Show all 26").click()
    expect(page.locator("ol.events li[data-kind]")).to_have_count(26)
    expect(page.locator("ol.events li").last).to_contain_text("Number 0.")


def test_candles_have_a_body_and_the_reader_chooses_theirs(desk: Desk) -> None:
    detail = desk.market.detail("ACME.SIM", desk.market.sessions[0])
    thin = [[at, close, close, close, close, 45_000, 1] for at, *_, close, _, _ in detail.candles]
    thin[0][5] = 21_878_299
    del thin[100:151]
    desk.page.route("**/api/symbols/**", lambda route: route.fulfill(json={**detail.model_dump(), "candles": thin}))
    page = desk.open("#/symbol/ACME.SIM")
    shapes = page.get_by_role("group", name="Drawn as")
    expect(shapes.get_by_role("button", name="5 min", exact=True)).to_have_attribute("aria-pressed", "true")
    said = page.locator("section:has(#chart-title) p[role=status]")
    expect(said).to_have_text(
        re.compile(
            r"^Volume cut off: .* had 22,058,299 shares, with what was traded before the first quote\. No quotes"
        )
    )
    shapes.get_by_role("button", name="Line").click()
    expect(said).to_contain_text("21,878,299")
    desk.market.trade("ACME.SIM", 299.5)
    expect(page.locator(".legend.values")).to_contain_text("C 299.50")  # the line goes on too
    expect(page.locator(".chart .zone")).to_have_text("New York")


def test_a_symbol_that_nobody_knows_shows_no_others_figures(desk: Desk) -> None:
    page = desk.open("#/symbol/ACME.SIM")
    expect(page.locator("dl.facts")).to_contain_text("Previous close")
    page.evaluate("location.hash = '#/symbol/ZZZZ'")
    expect(page.get_by_role("alert")).to_contain_text("Nothing is known of ZZZZ")
    text = page.locator("main").inner_text()
    assert not re.search(r"\d\.\d\d", text), text
    desk.complaints.clear()  # the browser's own line about the 404


def test_the_chart_moves_and_zooms_by_keyboard(desk: Desk) -> None:
    page = desk.open("#/symbol/ACME.SIM")
    page.locator(".chart canvas").first.wait_for()
    page.locator(".chart").focus()
    before = page.locator(".chart").screenshot()
    page.keyboard.press("+")
    page.wait_for_function(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
    )
    assert page.locator(".chart").screenshot() != before


def test_hostile_symbols_are_text(desk: Desk) -> None:
    hostile = "<img src=x onerror=window.hacked=true>"
    desk.market.add(hostile, 12.5, 10.0, "up")
    desk.market.quotes[hostile].source = "<script>window.hacked=true</script>"
    page = desk.open()
    link = page.get_by_role("link", name=hostile).first
    expect(link).to_be_visible()
    link.click()
    expect(page.get_by_role("heading", name=hostile)).to_be_visible()
    expect(page.locator("dl.facts")).to_contain_text("<script>")
    desk.market.trade(hostile, 12.5, source="a\u202eb\x07c\u2028d\ud800e")
    expect(page.locator("dl.facts")).to_contain_text(r"a\u{202e}b\u{7}c\u{2028}d\u{d800}e")
    page.goto(f"{desk.home}{ROOT}/#/symbol/%E0%A4%A")  # a broken escape
    expect(page.get_by_role("heading", name="Quotes")).to_be_visible()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, main script").count() == 0
    # The browser's own lines about sessions of what can be no symbol, and nothing else, such as of its policy.
    assert all(complaint.startswith("Failed to load resource") for complaint in desk.complaints)
    desk.complaints.clear()


def test_five_hundred_symbols_scroll_and_are_patched_as_they_come_in_sight(desk: Desk) -> None:
    for number in range(488):
        desk.market.add(f"N{number:03}.SIM", 100.0, 100.0)
    page = desk.open()
    expect(page.locator("table.quotes tbody tr")).to_have_count(500)
    desk.market.trade("N487.SIM", 104.0)
    desk.market.trade("ACME.SIM", 255.0)
    expect(page.locator(cell(page, "ACME", "percent"))).to_have_text("0.00%")
    assert page.locator(cell(page, "N487", "percent")).inner_text() != "+4.00%"  # nobody sees it yet
    page.locator(row(page, "N487")).scroll_into_view_if_needed()
    expect(page.locator(cell(page, "N487", "percent"))).to_have_text("+4.00%")
