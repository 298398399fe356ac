"""What alert rules would have sent, as one self-contained page: figures, a chart of each symbol, every alert."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from datetime import UTC, datetime

from markupsafe import Markup

from tapeline.market.alerting.past import Past, PastAlert
from tapeline.market.dates import NEW_YORK
from tapeline.reports import charts
from tapeline.reports.charts import ChartMark
from tapeline.reports.templating import render_page

MOST_CHARTS = 12
"""Symbols that are drawn, those with the most alerts."""

MOST_ROWS = 500
"""Alerts that are listed, the newest."""

MOST_POINTS = 1500
"""Of a symbol's prices so many are drawn, evenly chosen."""


def past_page(past: Past) -> str:
    """Return the whole page of a run that kept its prices."""
    figures = past.summary()
    counts = Counter(alert.symbol for alert in past.alerts)
    drawn = [symbol for symbol, _ in counts.most_common(MOST_CHARTS)]
    return render_page(
        "past",
        sheets=("report", "past"),
        facts=_facts(past, figures),
        rules=[(rule.name, rule.wish, _count(past, rule.name)) for rule in past.rules.rules if rule.enabled],
        charts=[(symbol, counts[symbol], _chart(past, symbol)) for symbol in drawn],
        rows=[_row(alert) for alert in reversed(past.alerts[-MOST_ROWS:])],
        alerts=len(past.alerts),
    )


def _facts(past: Past, figures: dict[str, object]) -> list[tuple[str, str]]:
    days = sorted(past.sessions)
    return [
        ("Sessions", f"{len(days)} sessions, {days[0]} to {days[-1]}"),
        ("Symbols", f"{figures['symbols']}"),
        ("Alerts", f"{len(past.alerts):,}, {figures['per_symbol_session']:.2f} per symbol and session"),
        ("Trends reversed", f"{figures['reversed_30min_pct']:.1f} % within 30 minutes"),
        ("Messages a day", f"{figures['messages_per_day']:.1f} of what is unusual, "
                           f"{figures['messages_per_day_everything']:.1f} of everything"),
        ("Without a baseline", f"{figures['symbol_sessions_without_baseline']} of {figures['symbol_sessions']} "
                               "sessions of symbols"),
    ]  # fmt: skip


def _count(past: Past, rule: str) -> int:
    return sum(alert.rule == rule for alert in past.alerts)


def _chart(past: Past, symbol: str) -> Markup:
    prices = past.prices[symbol]
    every = max(1, len(prices) // MOST_POINTS)
    shown = prices[::every]
    times = [seconds for seconds, _ in shown]
    marks = [
        ChartMark(min(bisect_left(times, alert.seconds), len(times) - 1), f"{_clock(alert.seconds)} {alert.rule}: "
                  f"{alert.symbol} {alert.fact}", alert.way)
        for alert in past.alerts
        if alert.symbol == symbol
    ]  # fmt: skip
    days = [_day(seconds) for seconds in times]
    starts = [number for number in range(len(days)) if not number or days[number] != days[number - 1]]
    step = max(1, len(starts) // 8)
    labels = [(number / max(1, len(days) - 1), days[number][5:]) for number in starts[::step]]
    return charts.course(f"Prices of {symbol} with its alerts", [price for _, price in shown], marks, labels)


def _row(alert: PastAlert) -> list[str]:
    after = [alert.change_after(name) for name in ("30min", "60min", "close")]
    return [f"{_day(alert.seconds)} {_clock(alert.seconds)}", alert.symbol, alert.rule, f"{alert.price:,.2f}", *after,
            alert.fact]  # fmt: skip


def _clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone(NEW_YORK):%H:%M}"


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone(NEW_YORK):%Y-%m-%d}"
