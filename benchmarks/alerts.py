"""What the default rules would have sent over real bars, beside the rules of before this version.

Before, windows counted quotes: a trend was the cross of the last 5 and 20 prices, with a cooldown of 15 minutes. The
same bars go through both. Needs the folder of market data that TAPELINE_MARKET_DATA names.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from producer.bar_columns import BarColumns, read_columns
from tapeline.market.alerting.files import read_files
from tapeline.market.alerting.past import Past

ROOT = Path(__file__).parents[1]
FILES = (
    "yahoo_1m/2026-03_many_symbols",
    "yahoo_5m/2025-12_2026-03_many_symbols",
    "ib_5m/SPY_2018-01_2020-12_5min",
)
COOLDOWN_SECONDS = 15 * 60
SHORT, LONG = 5, 20


def main() -> None:
    """Print a table of figures per file."""
    folder = os.environ.get("TAPELINE_MARKET_DATA")
    if not folder:
        print("alerts: left out, TAPELINE_MARKET_DATA names no folder of market data")
        return
    rules = read_files([ROOT / "include" / "rules"]).rules
    for name in FILES:
        columns = read_columns(Path(folder) / f"{name}.parquet")
        started = time.process_time()
        past = Past(rules)
        for row in columns.regular():
            past.bar(*row)
        past.finish()
        seconds = time.process_time() - started
        figures = past.summary()
        judged = figures["symbol_sessions"] - figures["symbol_sessions_without_baseline"]
        hours = figures["unusual_hours"]
        print(f"{name}: {columns.rows:,} bars, {figures['sessions']} sessions, {figures['symbols']} symbols")
        print(f"  before: {before(columns)}")
        print(
            f"  now, of {judged:,} symbol-sessions with a baseline: {len(past.alerts) / judged:.2f} alerts each "
            f"(limit 2 and {hours / judged:.2f} for hours of over 3 times the usual move), trends "
            f"{sum(alert.word == 'trend' for alert in past.alerts) / judged:.2f}, reversed within 30 minutes "
            f"{figures['reversed_30min_pct']:.1f} %, within 60 {figures['reversed_60min_pct']:.1f} %, last word false "
            f"{figures['false_last_word_pct']:.1f} % of the time; {figures['unusual_hours_with_alert_pct']:.0f} % of "
            f"{hours} such hours have an alert"
        )
        print(
            f"  messages to a reader of all symbols: {figures['messages_per_day']:.1f} a day (usual day "
            f"{figures['messages_per_usual_day']:.0f}); of everything {figures['messages_per_day_everything']:.1f}, "
            f"worst hour {figures['messages_worst_hour']}"
        )
        print(f"  {seconds / columns.rows * 1e6:.1f} us of processor time a bar")


def before(columns: BarColumns) -> str:
    """Return the figures of trends as the rules of before would have raised them."""
    prices: dict[str, list[float]] = {}
    sides: dict[str, bool] = {}
    told: dict[tuple[str, bool], float] = {}
    last: dict[str, tuple[float, bool]] = {}
    sessions = set()
    alerts = reversed_soon = false = count = 0
    for symbol, trading, end, close, *_ in columns.regular():
        sessions.add((symbol, trading.day))
        window = prices.setdefault(symbol, [])
        window.append(close)
        del window[:-LONG]
        count += 1
        if len(window) < LONG:
            continue
        short, long = sum(window[-SHORT:]) * (LONG // SHORT), sum(window)
        if short != long:
            is_up = short > long
            if sides.get(symbol, is_up) != is_up and end - told.get((symbol, is_up), 0) >= COOLDOWN_SECONDS:
                before_at, before_way = last.get(symbol, (0.0, is_up))
                reversed_soon += before_way != is_up and end - before_at <= 30 * 60
                alerts += 1
                told[symbol, is_up] = end
                last[symbol] = end, is_up
            sides[symbol] = is_up
        false += symbol in last and last[symbol][1] != sides.get(symbol)
    return (
        f"{alerts / len(sessions):.1f} trends per symbol and session, {100 * reversed_soon / max(alerts, 1):.0f} % "
        f"reversed within 30 minutes, last word false {100 * false / count:.1f} % of the time"
    )
