from __future__ import annotations

import doctest
import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from types import ModuleType
from typing import Any

import pytest

from tapeline.reports import drawing, words
from tapeline.reports.mail import subject, text
from tapeline.reports.page import page
from tapeline.reports.report import Report

from .report_builders import FRIDAY, WEDNESDAY, anomaly, composed, course, gap, received, report, row, weekly

LINK = "https://example.com/reports/dt=2025-11-28/anomaly-report.html?" + "X" * 200


class Words(HTMLParser):
    """The words of a page that a reader sees, and the attributes that could run or load something."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._hidden += tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.seen.append(data)


def read(html: str) -> Words:
    parser = Words()
    parser.feed(html)
    return parser


@pytest.mark.parametrize("module", [drawing, words])
def test_the_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def test_a_report_counts_ranks_and_averages_its_symbols() -> None:
    result = report()
    assert (result.market.symbols, result.market.up, result.market.down) == (4, 3, 1)
    assert result.market.mean_change_pct == Decimal("1.86")  # (1.50 - 0.25 + 0.30 + 5.88) / 4 = 1.8575
    assert [mover.symbol for mover in result.market.top] == ["XOM", "AAPL", "SPY"]
    assert [mover.symbol for mover in result.market.bottom] == ["KO"]
    assert result.market.benchmark is not None
    assert result.market.benchmark.symbol == "SPY"
    assert result.quality.coverage.completeness_pct == Decimal("97.50")  # 819 of 840
    assert [(worst.symbol, worst.completeness_pct) for worst in result.quality.worst] == [("XOM", Decimal("90.00"))]
    assert (result.traffic.quotes, result.traffic.late_quotes, result.traffic.repeated_quotes) == (4000, 8, 12)


def test_a_symbol_of_the_session_before_that_is_gone_is_missed() -> None:
    result = report([row("AAPL", 1.0), row("AAPL", 1.0, WEDNESDAY), row("GE", 2.0, WEDNESDAY)])
    assert result.quality.missing == ("GE",)
    assert result.market.symbols == 1
    assert "Missing:      GE" in text(result, LINK)


def test_a_week_multiplies_the_changes_of_its_sessions() -> None:
    result = weekly()
    changes = {mover.symbol: mover.change_pct for mover in (*result.market.top, *result.market.bottom)}
    assert changes == {"AAPL": Decimal("-1.00"), "KO": Decimal("2.01")}  # 1.1 * 0.9, 1.01 * 1.01
    assert [(day.session, day.change_pct, day.anomalies) for day in result.days] == [
        (WEDNESDAY, Decimal("5.50"), 1),
        (FRIDAY, Decimal("-4.50"), 1),
    ]


def test_a_symbol_without_a_regular_quote_has_no_change() -> None:
    result = report([row("AAPL", 1.0), row("NIO", None)])
    assert (result.market.symbols, result.market.mean_change_pct) == (1, Decimal("1.00"))


def test_the_mail_of_an_eventful_day_reads_so() -> None:
    body = text(report(), "https://example.com/r")
    assert body == (
        """Fri 28 Nov 2025, half day: 1 anomaly, market +1.86%.

Anomalies
  XOM +5.88% from 10:02 for 12 min: usual 1.70% a day, so 3.4 times;
    volume 2.0 times usual; the session ended at +2.94%.

Up
  Symbol  Change    Close     Shares
  XOM     +5.88%  $105.88  1,000,000
  AAPL    +1.50%  $101.50  1,000,000
  SPY     +0.30%  $100.30  1,000,000

Down
  Symbol  Change   Close     Shares
  KO      -0.25%  $99.75  1,000,000

Market:       +1.86% on average, 3 up, 1 down; SPY +0.30%
Completeness: 97.50% of the minutes of regular trading have a quote;
              least XOM with 90.00%
Freshness:    97.5% arrived within 5 s, the slowest after 1 min; last
              quote 13:00 New York
Gaps:         none in the feed; 1 symbol silent for 3 min or more
Quotes:       4,000 of 4 symbols, 8 late, 12 repeated
Source:       yahoo
Cost:         $0.9600 at list prices for the day

Charts and tables:
https://example.com/r
"""
    )


def test_a_symbol_that_comes_and_goes_is_told_once_and_every_event_is_counted() -> None:
    spells = [anomaly("XOM", peak) for peak in (5.5, 5.9, -5.1)]
    result = report(anomalies=[*spells, anomaly("KO", 5.2), *(anomaly(f"S{number}", 5.05) for number in range(12))])
    body = text(result, LINK)
    assert result.anomalies[0].peak_change_pct == Decimal("5.90")
    assert "XOM +5.90% from 10:02 for 12 min (and 2 more): usual" in body
    assert "  ... and 2 more, on the page" in body  # 16 events, of which 12 symbols' 14 are told
    assert body.count("for 12 min") == 12


def test_a_day_without_anomalies_is_a_short_mail_too() -> None:
    quiet = report(anomalies=[], gaps=[])
    body = text(quiet, LINK)
    assert subject(quiet) == "Fri 28 Nov 2025, half day: no anomalies, market +1.86%"
    assert len(body.splitlines()) < 20
    assert "Up:           XOM +5.88%, AAPL +1.50%, SPY +0.30%" in body
    assert quiet.severity == "info"


@pytest.mark.parametrize("source", ["simulated", "replay"])
def test_unreal_data_is_said_in_subject_mail_and_page(source: str) -> None:
    result = report(source=source)
    assert subject(result).startswith(f"[{source}] ")
    assert result.unreal[0] in " ".join(text(result, LINK).split())
    assert result.unreal[0] in " ".join(read(page(result)).seen)


@pytest.mark.parametrize("result", [report(), report([], [], []), weekly(), report(gaps=[gap("*", 9)])])
def test_mails_keep_to_72_characters_and_ascii_subjects_under_100(result: Report) -> None:
    quality = replace(result.quality, missing=tuple(f"SYM{number}" for number in range(30)))
    many = replace(result, anomalies=result.anomalies * 40, quality=quality)
    for mailed in (result, many):
        assert all(len(line) <= 72 for line in text(mailed, LINK).splitlines() if line != LINK)
        assert LINK in text(mailed, LINK).splitlines()
        for corrected in (False, True):
            line = subject(mailed, corrected=corrected)
            assert line.isascii()
            assert len(line) < 100


@pytest.mark.parametrize("result", [report(), weekly(), report(gaps=[gap("*", 9), gap("KO", 44)])])
def test_every_figure_of_the_mail_stands_in_the_page(result: Report) -> None:
    seen = " ".join(" ".join(read(page(result)).seen).split())
    for label, value in words.facts(result):
        assert f"{label} {value}" in seen or value in seen
    figures = re.findall(r"[-+]?\$?[\d,]*\.?\d+%?", text(result, "").split("Charts and tables")[0])
    assert [figure for figure in figures if figure not in seen] == []


def test_every_figure_of_the_tables_is_the_reports_own() -> None:
    result = report()
    assert words.mover_rows(result.market.top).rows[0] == ("XOM", "+5.88%", "$105.88", "1,000,000")
    assert words.anomaly_rows(result).rows == (("XOM", "+5.88%", "1.70%", "3.4", "2.0", "10:02", "12 min", "+2.94%"),)
    assert words.cost_rows(result).rows[-1] == ("In all", "", "$0.9600")


def test_a_page_runs_and_loads_nothing_and_hostile_names_stay_text() -> None:
    hostile = '<script>alert("1")</script>'
    html = page(report([row(hostile, 3.0), row("a&b'\"", -2.0)], [anomaly(hostile, 6.0)], [gap(hostile, 5)], "<b>x"))
    parsed = read(html)
    assert "script" not in parsed.tags
    assert not {"b", "img", "iframe", "object"} & set(parsed.tags)
    assert not [name for name, _ in parsed.attributes if name.startswith("on") or name in {"src", "style"}]
    assert {value for name, value in parsed.attributes if name == "href"} == {"data:,"}
    assert any(hostile in seen for seen in parsed.seen)
    assert "default-src 'none'" in html
    assert "unsafe" not in html


def test_a_page_with_nothing_to_show_is_still_a_page() -> None:
    empty = report([], [], [])
    empty = replace(empty, course=(), sources=(), traffic=replace(empty.traffic, arrival=None))
    assert "no market data" in page(empty)


def test_reports_that_differ_in_cost_or_in_quotes_of_the_evening_have_one_fingerprint() -> None:
    result = report()
    assert replace(result, cost=()).fingerprint == result.fingerprint
    traffic = replace(result.traffic, quotes=result.traffic.quotes + 98, arrival=None, last_quote_at=None)
    assert replace(result, traffic=traffic).fingerprint == result.fingerprint
    assert report(anomalies=[]).fingerprint != result.fingerprint


def test_a_report_that_was_sent_before_reports_had_parts_is_still_known() -> None:
    remembered = [report().fingerprint, weekly().fingerprint]  # as version 0.1.0 stored them
    assert remembered == [
        "64bca129d6cc1c7141eaefd3c0e800c5d581a5a94a43c74ae685909ad805a1f3",
        "30413e99527a087e2b659e30ea67382b9f899de129a7098a504e746759c1709f",
    ]


def test_symbols_that_are_not_published_come_first_in_subject_and_mail() -> None:
    rows = [row("AAPL", 1.0), row("KO", 1.0, WEDNESDAY), row("GE", 2.0, WEDNESDAY)]
    result = composed(rows, withheld={"THIN": "coverage (daily_summary)"}, missing=["NIO"])
    assert subject(result).startswith("Fri 28 Nov 2025, half day: 4 of 5 symbols missing, ")
    body = text(result, LINK)
    assert "4 of 5 symbols missing" in body.splitlines()[0]
    assert "Missing:      GE, KO, NIO\nLeft out:     THIN: coverage (daily_summary)\n" in body
    assert "4 of 5 symbols missing" in " ".join(read(page(result)).seen)
    assert result.severity == "warning"


def test_suspect_and_corrected_figures_are_named() -> None:
    codes = [("NVDA", "previous_close:far", 390), ("AAPL", "price:zero", 1), ("KO", "corrected", 2)]
    suspects = [{"symbol": symbol, "code": code, "quotes": quotes} for symbol, code, quotes in codes]
    body = " ".join(text(composed([row("AAPL", 1.0)], suspects=suspects), LINK).split())
    assert "Suspect: NVDA previous close (far) 390 quotes, AAPL price (zero) 1 quote Corrected: KO 2 quotes" in body
    assert "Suspect" not in text(report(), LINK)


def test_what_is_not_known_on_the_first_day_is_said_once() -> None:
    unknown: dict[str, Any] = {"usual_move_pct": None, "times_usual_move": None, "times_usual_volume": None}
    first = text(report(anomalies=[anomaly(symbol, 6.0, **unknown) for symbol in ("AAPL", "KO", "XOM")]), LINK)
    assert first.count("usual") == 1
    assert "  What is usual is not known yet.\n" in first
    assert "AAPL +6.00% from 10:02 for 12 min: the session ended at +3.00%." in " ".join(first.split())
    later = text(report(anomalies=[anomaly("AAPL", 6.0, **unknown), anomaly("KO", 5.5)]), LINK)
    assert "  What is usual of AAPL is not known yet.\n" in later


@pytest.mark.parametrize(
    ("source", "within", "expected"),
    [
        ("yahoo", 3990, "97.5% arrived within 5 s"),
        ("simulated", 3990, "97.5% arrived within 5 s"),
        ("simulated", 96, "not measured, the quotes were made up afterwards"),
        ("replay", 3990, "not measured, the quotes were replayed"),
    ],
)
def test_freshness_is_told_of_quotes_that_came_as_they_were_quoted(source: str, within: int, expected: str) -> None:
    rows = [{**received(source), "within_60_seconds": within}, {**received("correction"), "longest_seconds": 90_000}]
    body = " ".join(text(composed([row("AAPL", 1.0)], received=rows), LINK).split())
    assert expected in body
    assert "25 h" not in body


def test_figures_that_two_wrong_prices_make_break_no_report() -> None:
    rows = [row("ODD", 9.9e27, close_usd=1e12, previous_close_usd=1e-14), row("NIO", None, previous_close_usd=None)]
    far = anomaly("ODD", 9.9e27, times_usual_move=1e300)
    result = composed(rows, anomalies=[far], course=[{**course()[0], "change_pct": None}])
    assert "ODD" in text(result, LINK)
    assert "ODD" in " ".join(read(page(result)).seen)


def test_one_of_a_thing_is_said_in_the_singular() -> None:
    assert ("SNS, mail", "1 message", "$0.0000") in words.cost_rows(report()).rows
