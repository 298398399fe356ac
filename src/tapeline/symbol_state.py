"""What the stream remembers of one symbol, and how one quote moves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from tapeline import anomalies, indicators, trends
from tapeline.quotes import Quote, read_timestamp
from tapeline.trends import Side


@dataclass(frozen=True, slots=True)
class Rules:
    """What a deployment may set.

    Attributes
    ----------
    thresholds : mapping of str to Decimal
        A threshold per anomaly rule, 0 turns a rule off: `price_move` in per cent, `band_break` in standard deviations.
    alert_cooldown : timedelta
        After an alert, how long (by the quotes' own time) the same symbol raises no other of the same kind.
    """

    thresholds: Mapping[str, Decimal] = field(
        default_factory=lambda: {"price_move": Decimal(5), "band_break": Decimal(0)}
    )
    alert_cooldown: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class SymbolState:
    """The memory of one symbol, as it is after one quote.

    Attributes
    ----------
    newest_timestamp : str
        Time of the newest quote.
    prices : tuple of Decimal
        The last prices, at most 20, oldest first, USD.
    side : {"up", "down"} or None
        The last side the short average took; a touch keeps it.
    anomalies : tuple of str
        The rules that held for the newest quote.
    alerted : mapping of str to str
        Time of the quote of the last alert, by kind.
    """

    newest_timestamp: str
    prices: tuple[Decimal, ...]
    side: Side | None = None
    anomalies: tuple[str, ...] = ()
    alerted: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observation:
    """A quote with what was computed of it, as it is stored.

    Attributes
    ----------
    quote : Quote
        The quote itself.
    arrived_at : datetime
        When Kinesis took it, UTC.
    change : Decimal
        USD since the previous close.
    change_percent : Decimal
        Per cent of the previous close, two decimals.
    moving_average, moving_average_5 : Decimal or None
        Means of the last 20 and 5 prices up to this one, USD; None for a late quote.
    trend : {"up", "down"} or None
        The side the short average is on.
    anomaly_reasons : tuple of str
        Rules that hold.
    alerts : tuple of str
        Kinds of alert this quote raises: `trend_up`, `trend_down` or the name of an anomaly rule.
    late : bool
        Whether a newer quote of the symbol came first.
    """

    quote: Quote
    arrived_at: datetime
    change: Decimal
    change_percent: Decimal
    moving_average: Decimal | None
    moving_average_5: Decimal | None
    trend: Side | None
    anomaly_reasons: tuple[str, ...]
    alerts: tuple[str, ...]
    late: bool


def observe(
    state: SymbolState | None, quote: Quote, arrived_at: datetime, rules: Rules
) -> tuple[Observation, SymbolState]:
    """Compute what a quote means after all before it, and the state after it.

    A quote not newer than the newest of its symbol is late: its own figures are computed, but it moves no average,
    enters no state and raises no alert.

    Parameters
    ----------
    state : SymbolState or None
        The state before, None for a symbol never seen.
    quote : Quote
        The quote.
    arrived_at : datetime
        Its arrival on the stream, aware.
    rules : Rules
        Thresholds and cooldown.
    """
    change = indicators.change(quote.price, quote.previous_close)
    percent = indicators.change_percent(quote.price, quote.previous_close)
    if state is not None and quote.time <= read_timestamp(state.newest_timestamp):
        reasons = anomalies.reasons(quote, (), rules.thresholds)
        late = Observation(quote, arrived_at, change, percent, None, None, None, reasons, (), late=True)
        return late, state

    earlier = state.prices if state else ()
    prices = (*earlier, quote.price)[-indicators.LONG_WINDOW :]
    reasons = anomalies.reasons(quote, earlier, rules.thresholds)
    side = trends.side(prices)
    side_before = state.side if state else None

    entered = [name for name in reasons if state is None or name not in state.anomalies]
    if trends.crossed(side_before, side):
        entered.append(f"trend_{side}")
    alerted = state.alerted if state else {}
    alerts = tuple(kind for kind in entered if _cooled_down(alerted.get(kind), quote, rules))

    return (
        Observation(
            quote=quote,
            arrived_at=arrived_at,
            change=change,
            change_percent=percent,
            moving_average=indicators.moving_average(prices, indicators.LONG_WINDOW),
            moving_average_5=indicators.moving_average(prices, indicators.SHORT_WINDOW),
            trend=side or side_before,
            anomaly_reasons=reasons,
            alerts=alerts,
            late=False,
        ),
        SymbolState(
            newest_timestamp=quote.timestamp,
            prices=prices,
            side=side or side_before,
            anomalies=reasons,
            alerted={**alerted, **dict.fromkeys(alerts, quote.timestamp)},
        ),
    )


def _cooled_down(last_alert: str | None, quote: Quote, rules: Rules) -> bool:
    return last_alert is None or quote.time - read_timestamp(last_alert) >= rules.alert_cooldown
