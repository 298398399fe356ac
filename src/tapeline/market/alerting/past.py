"""Rules over the past: what would have fired, what came after, and how many messages a reader would have had.

Prices go through the stream's own engine in time order, baselines walking forward: a session is judged by what the
sessions before it teach, and never by itself.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from statistics import median
from typing import Any

from tapeline.market.alerting.baselines import HOURS, Baseline
from tapeline.market.alerting.budget import HOUR_SECONDS, messages
from tapeline.market.alerting.conditions.combined import side_of
from tapeline.market.alerting.engine import AlertMemory, advance
from tapeline.market.alerting.learning import Learner
from tapeline.market.alerting.minutes import Trading, trading_of
from tapeline.market.alerting.rules import UNUSUAL, RuleSet
from tapeline.market.quotes import Quote, timestamp_of
from tapeline.market.suspicion import Limits, SuspectRun, SymbolMemory, judge_quote

UNUSUAL_HOUR = 3.0
"""An hour that moves over so many times what is usual ought to have an alert."""

_LIMITS = Limits()
_KEPT = float(1 - _LIMITS.price_percent / 100)
_KEPT_OVERNIGHT = float(1 - _LIMITS.change_percent / 100)


@dataclass(frozen=True, slots=True)
class PastAlert:
    """An alert that would have been sent.

    Attributes
    ----------
    day : str
        Trading date.
    seconds : float
        When, since 1970.
    word, way : str
        Of the rule's condition, and its direction: ``up``, ``down`` or ``on``.
    price : float
        USD.
    after : mapping of str to float
        Price 30 and 60 minutes later in the same session, and at its end; what is not known is left out.
    """

    symbol: str
    day: str
    seconds: float
    rule: str
    word: str
    way: str
    severity: str
    audience: str
    price: float
    fact: str
    after: Mapping[str, float] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The condition's word with its direction, such as ``trend_up``."""
        return self.word if self.way == "on" else f"{self.word}_{self.way}"

    @property
    def time(self) -> str:
        """When, in contract form."""
        return timestamp_of(self.seconds)

    def change_after(self, name: str) -> str:
        """Return the change from its price until later, a key of `after`, in words; empty if it is not known."""
        price = self.after.get(name)
        return "" if price is None else f"{(price / self.price - 1) * 100:+.2f}%"

    def to_json(self) -> dict[str, Any]:
        """Return it as `tapeline rules test --json` prints it."""
        return {
            "symbol": self.symbol,
            "time": self.time,
            "rule": self.rule,
            "kind": self.kind,
            "price": self.price,
            "severity": self.severity,
            "audience": self.audience,
            "fact": self.fact,
            "after": dict(self.after),
        }


@dataclass(slots=True)
class _Symbol:
    """One symbol's session under way."""

    memory: AlertMemory = field(default_factory=AlertMemory)
    learner: Learner = field(default_factory=Learner)
    baseline: Baseline | None = None
    day: str = ""
    close: float = 0.0
    previous_close: float = 0.0
    low: float = 0.0
    high: float = 0.0
    volume: int = 0
    run: SuspectRun | None = None
    times: list[float] = field(default_factory=list)
    prices: list[float] = field(default_factory=list)
    alerts: list[PastAlert] = field(default_factory=list)


@dataclass(slots=True)
class Past:
    """A run over the past; complete after `finish`.

    Attributes
    ----------
    judged_from : str
        First trading date whose alerts count; those before only teach.
    alerts : list of PastAlert
        In time order.
    keeps_prices : bool
        Whether to keep `prices` of the sessions judged, by symbol: seconds since 1970 and USD, in time order.
    sessions : set of str
        Trading dates judged.
    false_bars : int
        Bars at whose end the last message about a trend was false: the condition holds the other way. `judged_bars`
        are those of symbols with a baseline.
    symbol_sessions, without_baseline : int
        Sessions of symbols that were judged, and those of them for which there was no baseline yet.
    unusual_hours : list of (symbol, first second, last second, times usual)
        Hours of the session that moved over `UNUSUAL_HOUR` times what was usual.
    """

    rules: RuleSet
    judged_from: str = ""
    alerts: list[PastAlert] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)
    symbol_sessions: int = 0
    without_baseline: int = 0
    keeps_prices: bool = False
    prices: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    suspect_bars: int = 0
    judged_bars: int = 0
    false_bars: int = 0
    unusual_hours: list[tuple[str, float, float, float]] = field(default_factory=list)
    _symbols: dict[str, _Symbol] = field(default_factory=dict)
    _trend_keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._trend_keys = tuple(rule.key for rule in self.rules.rules if rule.when.word == "trend" and rule.enabled)

    def bar(
        self, symbol: str, trading: Trading, end: float, close: float, high: float, low: float, volume: int
    ) -> None:
        """Take a bar of regular trading, later than all before of its symbol; it counts at its end.

        Parameters
        ----------
        end : float
            Seconds since 1970.
        close, high, low : float
            USD.
        volume : int
            The bar's own, shares.
        """
        state = self._of_day(symbol, trading, close)
        state.volume += volume
        if state.low * _KEPT <= close and close * _KEPT <= state.high:
            state.run = None
        elif state.low and not self._is_believed(symbol, state, end, close):
            self.suspect_bars += 1
            return
        if close > state.high:
            state.high = close
        if close < state.low or not state.low:
            state.low = close
        change = round((close / state.previous_close - 1) * 100, 2) if state.previous_close else None
        self._advance(symbol, state, trading, end, close, change, state.volume)
        state.learner.add(state.memory.minutes.finished, close, high, low, state.volume)

    def quote(
        self, symbol: str, trading: Trading, seconds: float, price: float, change_percent: float | None, volume: int
    ) -> None:
        """Take a quote whose price the stream believed, later than all before of its symbol.

        Parameters
        ----------
        seconds : float
            Its time, since 1970.
        price : float
            USD.
        change_percent : float or None
            Of the day, per cent; None if it is not believed.
        volume : int
            Shares so far today; 0 if unknown.
        """
        state = self._of_day(symbol, trading, price)
        finished = state.memory.minutes.finished if state.memory.minutes.day == trading.day else -2
        self._advance(symbol, state, trading, seconds, price, change_percent, volume)
        minutes = state.memory.minutes
        if minutes.finished > finished and minutes.finished >= 0:
            state.learner.add(minutes.finished, minutes.closes[-1], state.high, state.low, minutes.volumes[-1])
            state.high = state.low = 0.0
        if trading.opens <= seconds <= trading.closes:
            state.high = max(state.high, price)
            state.low = min(state.low or price, price)

    def _of_day(self, symbol: str, trading: Trading, price: float) -> _Symbol:
        state = self._symbols.get(symbol)
        if state is None:
            state = self._symbols[symbol] = _Symbol()
        if state.day != trading.day:
            self._end_session(symbol, state)
            self._begin_session(state, trading.day, price)
        return state

    def _advance(
        self,
        symbol: str,
        state: _Symbol,
        trading: Trading,
        seconds: float,
        price: float,
        change: float | None,
        volume: int,
    ) -> None:
        state.memory, fired = advance(
            state.memory, self.rules.of(symbol), state.baseline, trading, seconds, price, change, volume
        )
        for alert in fired:
            rule = alert.rule
            of_rule = rule.name, rule.when.word, alert.way, rule.severity, rule.audience
            state.alerts.append(PastAlert(symbol, trading.day, seconds, *of_rule, alert.price, alert.fact))
        if state.baseline and state.day >= self.judged_from:
            self.judged_bars += 1
            self.false_bars += any(
                (told := state.memory.rules.get(key)) and told.told and side_of(told.state) != told.told
                for key in self._trend_keys
            )
        state.close = price
        state.times.append(seconds)
        state.prices.append(price)

    def finish(self) -> None:
        """End the sessions under way."""
        for symbol, state in self._symbols.items():
            self._end_session(symbol, state)
            state.day = ""
        self.alerts.sort(key=lambda alert: (alert.seconds, alert.symbol, alert.rule))

    def summary(self) -> dict[str, Any]:
        """Return the figures of the run, as `tapeline rules test --json` prints them."""
        trends = [alert for alert in self.alerts if alert.word == "trend"]
        default = [alert for alert in self.alerts if alert.audience == UNUSUAL]
        covered = self._hours_with_alert()
        hours = len(self.unusual_hours)
        return {
            "sessions": len(self.sessions),
            "symbols": len(self._symbols),
            "alerts": [alert.to_json() for alert in self.alerts],
            "symbol_sessions": self.symbol_sessions,
            "symbol_sessions_without_baseline": self.without_baseline,
            "per_symbol_session": _ratio(len(self.alerts), self.symbol_sessions),
            "trends_per_symbol_session": _ratio(len(trends), self.symbol_sessions),
            "reversed_30min_pct": _ratio(100 * _reversed(trends, 30), len(trends)),
            "reversed_60min_pct": _ratio(100 * _reversed(trends, 60), len(trends)),
            "false_last_word_pct": _ratio(100 * self.false_bars, self.judged_bars),
            "messages_per_day": _ratio(sum(self._messages(default).values()), len(self.sessions)),
            "messages_per_usual_day": self._usual_day(default),
            "messages_per_day_everything": _ratio(sum(self._messages(self.alerts).values()), len(self.sessions)),
            "messages_worst_hour": _worst_hour(self._sent(self.alerts)),
            "unusual_hours": hours,
            "unusual_hours_with_alert_pct": _ratio(100 * covered, hours) if hours else None,
            "suspect_bars": self.suspect_bars,
        }

    def _begin_session(self, state: _Symbol, day: str, price: float) -> None:
        state.day, state.previous_close, state.volume = day, state.close, 0
        state.low = state.high = 0.0
        state.run = None
        if state.close and not _is_near(price, state.close, state.close, _KEPT_OVERNIGHT):
            # A split, most likely: no change of the day is known, and prices of before are in other shares.
            state.learner.rescale(price / state.close)
            state.baseline = state.learner.baseline()
            state.previous_close = 0.0

    def _is_believed(self, symbol: str, state: _Symbol, end: float, price: float) -> bool:
        """Return what the stream would make of a price far from the day's, by its own code."""
        timestamp = timestamp_of(end)
        zero = Decimal(0)
        quote = Quote(symbol, timestamp, zero, zero, zero, Decimal(repr(price)), zero, 0, "replay", timestamp)
        low, high = Decimal(repr(state.low)), Decimal(repr(state.high))
        memory = SymbolMemory(day=state.day, low=low, high=high, price_run=state.run)
        verdict = judge_quote(quote, (Decimal(repr(state.close)),), memory, _LIMITS)
        state.run = verdict.memory.price_run
        return "price" not in verdict.figures

    def _end_session(self, symbol: str, state: _Symbol) -> None:
        if not state.day:
            return
        if state.day >= self.judged_from:
            self.sessions.add(state.day)
            self.symbol_sessions += 1
            self.without_baseline += state.baseline is None
            self.alerts += [replace(alert, after=_after(alert, state)) for alert in state.alerts]
            self._note_unusual_hours(symbol, state)
            if self.keeps_prices:
                self.prices.setdefault(symbol, []).extend(zip(state.times, state.prices, strict=True))
        state.times, state.prices, state.alerts = [], [], []
        state.learner.end_session()
        state.baseline = state.learner.baseline()

    def _note_unusual_hours(self, symbol: str, state: _Symbol) -> None:
        opens = trading_of(state.day).opens
        for hour in range(HOURS if state.baseline else 0):
            start, end = opens + hour * HOUR_SECONDS, opens + (hour + 1) * HOUR_SECONDS
            first, last = bisect_right(state.times, start), bisect_right(state.times, end)
            usual = state.baseline.hour_move[hour] if state.baseline else 0.0
            if last == first or not usual:
                continue
            move = abs(state.prices[last - 1] / state.prices[max(first - 1, 0)] - 1)
            if move > UNUSUAL_HOUR * usual:
                self.unusual_hours.append((symbol, start, end, move / usual))

    def _hours_with_alert(self) -> int:
        times: dict[str, list[float]] = {}
        for alert in self.alerts:
            times.setdefault(alert.symbol, []).append(alert.seconds)
        return sum(
            bisect_right(times.get(symbol, []), end) > bisect_right(times.get(symbol, []), start)
            for symbol, start, end, _ in self.unusual_hours
        )

    def _sent(self, alerts: list[PastAlert]) -> list[float]:
        return [moment for moment, _ in messages((alert.seconds, alert.severity == "critical") for alert in alerts)]

    def _messages(self, alerts: list[PastAlert]) -> dict[str, int]:
        """Return how many messages a reader of these alerts had on each day."""
        by_day = dict.fromkeys(sorted(self.sessions), 0)
        of_day: dict[str, list[PastAlert]] = {}
        for alert in alerts:
            of_day.setdefault(alert.day, []).append(alert)
        return by_day | {day: len(self._sent(of_that)) for day, of_that in of_day.items()}

    def _usual_day(self, alerts: list[PastAlert]) -> float:
        return float(median(self._messages(alerts).values())) if self.sessions else 0.0


def _after(alert: PastAlert, state: _Symbol) -> dict[str, float]:
    after = {"close": state.prices[-1]}
    for name, seconds in (("30min", HOUR_SECONDS / 2), ("60min", HOUR_SECONDS)):
        place = bisect_left(state.times, alert.seconds + seconds)
        if place < len(state.times):
            after[name] = state.prices[place]
    return after


def _reversed(trends: list[PastAlert], minutes: int) -> int:
    """Count the trends that the opposite one of the same rule and symbol followed within some minutes."""
    last: dict[tuple[str, str], PastAlert] = {}
    count = 0
    for alert in trends:
        before = last.get((alert.symbol, alert.rule))
        count += bool(before and before.way != alert.way and alert.seconds - before.seconds <= minutes * 60)
        last[alert.symbol, alert.rule] = alert
    return count


def _worst_hour(sent: list[float]) -> int:
    return max((bisect_left(sent, moment + HOUR_SECONDS) - place for place, moment in enumerate(sent)), default=0)


def _ratio(part: float, whole: float) -> float:
    return round(part / whole, 3) if whole else 0.0


def _is_near(price: float, low: float, high: float, kept: float) -> bool:
    return low * kept <= price and price * kept <= high
