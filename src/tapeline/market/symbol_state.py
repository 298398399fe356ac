"""What the stream remembers of one symbol, and how one quote moves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from tapeline.market import indicators, suspicion
from tapeline.market.alerting.engine import NO_MEMORY, AlertMemory, Fired, advance
from tapeline.market.alerting.in_force import InForce
from tapeline.market.alerting.minutes import Minutes, trading_on
from tapeline.market.dates import partition_of
from tapeline.market.indicators import Side
from tapeline.market.quotes import CORRECTION, Quote, read_timestamp
from tapeline.market.rules import CORRECTED, KINDS, SUSPECT, default_thresholds, unanswerable
from tapeline.market.rules import reasons as reasons_of
from tapeline.market.suspicion import NO_LIMITS, QUIET_REASONS, Limits, QuoteVerdict, SymbolMemory, figure_of


@dataclass(frozen=True, slots=True)
class Rules:
    """What a deployment may set.

    Attributes
    ----------
    thresholds : mapping of str to Decimal
        By rule; 0, or none, turns it off.
    alert_cooldown : timedelta
        After an alert, how long (by the quotes' own time) the same symbol raises no other of the same kind.
    """

    thresholds: Mapping[str, Decimal] = field(default_factory=default_thresholds)
    alert_cooldown: timedelta = timedelta(minutes=15)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class SymbolState:
    """The memory of one symbol, as it is after one quote.

    Attributes
    ----------
    newest_timestamp : str
        Time of the newest quote.
    prices : tuple of Decimal
        The last prices that were believed, at most 20, oldest first, USD.
    side : {"up", "down"} or None
        The last side the short average took; a touch keeps it.
    anomalies : tuple of str
        The rules that held for the newest quote; of one that its figures could not answer, whether it held before.
    alerted : mapping of str to str
        Time of the quote of the last alert, by kind.
    suspect : tuple of str
        What was suspect of the newest quote, as far as a message has said so.
    revision : int
        Of the newest quote.
    is_counted : bool
        Whether the newest quote's price is the last of `prices`.
    alerting : AlertMemory
        What the applied rules remember.
    """

    newest_timestamp: str
    prices: tuple[Decimal, ...]
    side: Side | None = None
    anomalies: tuple[str, ...] = ()
    alerted: Mapping[str, str] = field(default_factory=dict)
    suspect: tuple[str, ...] = ()
    revision: int = 0
    is_counted: bool = True
    memory: SymbolMemory = field(default_factory=SymbolMemory)
    alerting: AlertMemory = NO_MEMORY


@dataclass(frozen=True, slots=True)
class Observation:
    """A quote with what was computed of it, as it is stored.

    Attributes
    ----------
    arrived_at : datetime
        When Kinesis took the quote, UTC.
    change : Decimal or None
        USD since the previous close; None if one of the two is suspect.
    change_percent : Decimal or None
        Per cent of the previous close, two decimals.
    moving_average, moving_average_5 : Decimal or None
        Means of the last 20 and 5 prices up to this one, USD; None for a late quote or a suspect price.
    trend : {"up", "down"} or None
        The side the short average is on.
    anomaly_reasons : tuple of str
        Rules that hold.
    alerts : tuple of str
        Kinds of alert this quote raises: names of `tapeline.market.rules.KINDS`.
    late : bool
        Whether a newer quote of the symbol came first.
    suspect : tuple of str
        Figures that are not believed, ``figure:reason``.
    confirms : str
        Time of the first quote of the run of suspect prices that this one confirms; mostly empty.
    fired : tuple of Fired
        Of the applied rules, those that fired, muted ones too.
    muted : tuple of str
        Names of those of them that are muted and so in no message.
    """

    quote: Quote
    arrived_at: datetime
    change: Decimal | None
    change_percent: Decimal | None
    moving_average: Decimal | None
    moving_average_5: Decimal | None
    trend: Side | None
    anomaly_reasons: tuple[str, ...]
    alerts: tuple[str, ...]
    late: bool
    suspect: tuple[str, ...] = ()
    confirms: str = ""
    fired: tuple[Fired, ...] = ()
    muted: tuple[str, ...] = ()


def observe(
    state: SymbolState | None, quote: Quote, arrived_at: datetime, rules: Rules, in_force: InForce | None = None
) -> tuple[Observation, SymbolState]:
    """Compute what a quote means after all before it, and the state after it.

    A quote not newer than the newest of its symbol is late: its own figures are computed, but it moves no average,
    enters no state and raises no alert. A higher revision of the newest takes the place of its price, without an alert
    but one that corrects those it raised. Suspect figures count as absent.

    Parameters
    ----------
    state : SymbolState or None
        The state before, None for a symbol never seen.
    arrived_at : datetime
        The quote's arrival on the stream, aware.
    in_force : InForce or None
        The applied rules for records that arrived then; None while none were ever applied, when trends and anomalies
        raise the alerts of before.
    """
    if state is None:
        return _observe_next(SymbolState(newest_timestamp="", prices=()), quote, arrived_at, rules, in_force)
    if quote.time > read_timestamp(state.newest_timestamp):
        return _observe_next(state, quote, arrived_at, rules, in_force)
    if quote.timestamp == state.newest_timestamp and quote.revision > state.revision:
        return _observe_revision(state, quote, arrived_at, rules)
    day = state.memory if state.memory.day == partition_of(quote.timestamp) else SymbolMemory()
    seen = (day.low, day.high) if day.low is not None and day.high is not None else ()
    verdict = _judge(quote, seen, SymbolMemory(), rules)
    return _observation(quote, arrived_at, verdict, reasons=_anomalies(quote, (), verdict, rules), late=True), state


def _observe_next(
    state: SymbolState, quote: Quote, arrived_at: datetime, rules: Rules, in_force: InForce | None
) -> tuple[Observation, SymbolState]:
    verdict = _judge(quote, state.prices, state.memory, rules)
    is_counted = "price" not in verdict.figures
    earlier = () if verdict.new_scale else state.prices
    side_before = None if verdict.new_scale else state.side
    prices = (*earlier, quote.price)[-indicators.LONG_WINDOW :] if is_counted else earlier
    reasons = _anomalies(quote, earlier, verdict, rules)
    side = indicators.side(prices) if is_counted else None

    entered = []
    alerting = state.alerting
    fired: tuple[Fired, ...] = ()
    muted: tuple[str, ...] = ()
    if in_force is None:
        entered += [name for name in reasons if name not in state.anomalies]
        if indicators.crossed(side_before, side):
            entered.append(f"trend_{side}")
    elif is_counted:
        alerting, fired, muted = _apply(in_force, alerting, quote, arrived_at, verdict)
    reported = set(map(figure_of, state.suspect))
    unreported = [
        reason for reason in verdict.reasons if not (reason in QUIET_REASONS or figure_of(reason) in reported)
    ]
    if unreported:
        entered.append(SUSPECT.name)
    alerts = tuple(
        kind
        for kind in entered
        # What is wrong once a price is confirmed is other news than that the price looks wrong.
        if _cooled_down(state.alerted.get(kind), quote, rules) or (kind == SUSPECT.name and verdict.confirms)
    )
    # Suspect figures that no message names are news when the cooldown is over.
    suspect = tuple(reason for reason in verdict.reasons if SUSPECT.name in alerts or reason not in unreported)
    alerts += tuple(alert.rule.name for alert in fired if alert.rule.name not in muted)
    averaged = prices if is_counted else ()
    trend = side or side_before
    observation = _observation(
        quote, arrived_at, verdict, averaged, trend, reasons=reasons, alerts=alerts, fired=fired, muted=muted
    )
    return observation, SymbolState(
        newest_timestamp=quote.timestamp,
        prices=prices,
        side=trend,
        anomalies=_remembered(state.anomalies, reasons, verdict),
        alerted=_alerted(state.alerted, alerts, quote.timestamp) if alerts else state.alerted,
        suspect=suspect,
        revision=quote.revision,
        is_counted=is_counted,
        memory=verdict.memory,
        alerting=alerting,
    )


def _alerted(before: Mapping[str, str], alerts: Sequence[str], timestamp: str) -> dict[str, str]:
    """Return when each kind was alerted last; of applied rules, which remember that themselves, the newest only."""
    return {kind: moment for kind, moment in before.items() if kind in KINDS} | dict.fromkeys(alerts, timestamp)


def _apply(
    in_force: InForce, memory: AlertMemory, quote: Quote, arrived_at: datetime, verdict: QuoteVerdict
) -> tuple[AlertMemory, tuple[Fired, ...], tuple[str, ...]]:
    """Let the applied rules look at a quote whose price is believed."""
    if verdict.new_scale:
        memory = AlertMemory(Minutes(day=memory.minutes.day), memory.rules)
    rules = in_force.rules.of(quote.symbol)
    is_comparable = "previous_close" not in verdict.figures
    memory, fired = advance(
        memory,
        rules,
        in_force.baselines.get(quote.symbol),
        trading_on(quote.timestamp),
        quote.time.timestamp(),
        float(quote.price),
        float(indicators.change_percent(quote.price, quote.previous_close)) if is_comparable else None,
        0 if "volume" in verdict.figures else quote.volume,
    )
    if not fired:
        return memory, (), ()
    arrived = arrived_at.timestamp()
    muted = tuple(alert.rule.name for alert in fired if in_force.is_muted(alert.rule.name, quote.symbol, arrived))
    return memory, fired, muted


def _observe_revision(
    state: SymbolState, quote: Quote, arrived_at: datetime, rules: Rules
) -> tuple[Observation, SymbolState]:
    earlier = state.prices[:-1] if state.is_counted else state.prices
    verdict = _judge(quote, earlier, replace(state.memory, price_run=None, volume_run=None), rules)
    is_counted = "price" not in verdict.figures
    prices = (*earlier, quote.price)[-indicators.LONG_WINDOW :] if is_counted else earlier
    reasons = _anomalies(quote, earlier, verdict, rules)
    side = indicators.side(prices) or state.side
    false = [kind for kind, timestamp in state.alerted.items() if timestamp == state.newest_timestamp]
    averaged, alerts = prices if is_counted else (), (CORRECTED.name,) if false else ()
    minutes = state.alerting.minutes.revised(float(quote.price) if is_counted else None)
    told_at = int(read_timestamp(state.newest_timestamp).timestamp())
    observation = _observation(quote, arrived_at, verdict, averaged, side, reasons=reasons, alerts=alerts)
    return observation, replace(
        state,
        prices=prices,
        side=side,
        anomalies=_remembered(state.anomalies, reasons, verdict),
        # What was alerted in error must not keep a true alert back.
        alerted={kind: timestamp for kind, timestamp in state.alerted.items() if kind not in false}
        | ({CORRECTED.name: quote.timestamp} if false else {}),
        suspect=verdict.reasons,
        revision=quote.revision,
        is_counted=is_counted,
        memory=verdict.memory,
        alerting=AlertMemory(
            minutes, {key: memory for key, memory in state.alerting.rules.items() if memory.told_at != told_at}
        ),
    )


def _judge(quote: Quote, prices: Sequence[Decimal], memory: SymbolMemory, rules: Rules) -> QuoteVerdict:
    return suspicion.judge_quote(quote, prices, memory, NO_LIMITS if quote.source == CORRECTION else rules.limits)


def _anomalies(quote: Quote, earlier: Sequence[Decimal], verdict: QuoteVerdict, rules: Rules) -> tuple[str, ...]:
    return reasons_of(quote, earlier, rules.thresholds, absent=verdict.figures)


def _remembered(before: Sequence[str], now: Sequence[str], verdict: QuoteVerdict) -> tuple[str, ...]:
    """Return the rules that hold, with those that held before and could not be applied."""
    return (*now, *(name for name in before if name in unanswerable(verdict.figures)))


def _observation(
    quote: Quote,
    arrived_at: datetime,
    verdict: QuoteVerdict,
    prices: Sequence[Decimal] = (),
    trend: Side | None = None,
    *,
    reasons: tuple[str, ...],
    alerts: tuple[str, ...] = (),
    late: bool = False,
    fired: tuple[Fired, ...] = (),
    muted: tuple[str, ...] = (),
) -> Observation:
    is_comparable = not verdict.figures & {"price", "previous_close"}
    return Observation(
        quote=quote,
        arrived_at=arrived_at,
        change=indicators.change(quote.price, quote.previous_close) if is_comparable else None,
        change_percent=indicators.change_percent(quote.price, quote.previous_close) if is_comparable else None,
        moving_average=indicators.moving_average(prices, indicators.LONG_WINDOW) if prices else None,
        moving_average_5=indicators.moving_average(prices, indicators.SHORT_WINDOW) if prices else None,
        trend=trend,
        anomaly_reasons=reasons,
        alerts=alerts,
        late=late,
        suspect=verdict.reasons,
        confirms=verdict.confirms,
        fired=fired,
        muted=muted,
    )


def _cooled_down(last_alert: str | None, quote: Quote, rules: Rules) -> bool:
    return last_alert is None or quote.time - read_timestamp(last_alert) >= rules.alert_cooldown
