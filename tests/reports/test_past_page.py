"""The page of `tapeline rules test`: charts of symbols with their alerts, escaped and without a script."""

from __future__ import annotations

from tapeline.market.alerting.past import Past
from tapeline.reports.past_page import past_page
from tests.market.alerting.test_past import RULES, bars


def test_a_page_draws_each_symbol_and_lists_each_alert() -> None:
    past = Past(RULES, keeps_prices=True)
    for symbol, trading, end, close, high, low, volume in bars():
        past.bar(symbol.replace("BOLT", "<BOLT>"), trading, end, close, high, low, volume)
    past.finish()
    page = past_page(past)
    assert page.count('class="mark') == len(past.alerts)
    assert page.count("<tr><td>2026-") == len(past.alerts)
    assert "&lt;BOLT&gt;: " in page
    assert "<BOLT>" not in page
    assert "<script" not in page
    assert f"{len(past.sessions)} sessions, 2026-02-02 to 2026-03-12" in page
