"""The engine: one price moves a symbol's minutes, the rules look, and what is news to a reader is an alert.

The stream, the past and the desk's preview run this and nothing else. It knows no clock: what a price means depends on
the prices before it, the rules and the baseline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from tapeline.market.alerting.baselines import Baseline
from tapeline.market.alerting.conditions.combined import side_of
from tapeline.market.alerting.conditions.condition import NOT
from tapeline.market.alerting.look import Look
from tapeline.market.alerting.minutes import Minutes, Trading
from tapeline.market.alerting.rules import Rule, Watch, WatchingRules


class RuleMemory(NamedTuple):
    """What is remembered of one rule on one symbol.

    Attributes
    ----------
    state : str
        Of the condition, at the last look.
    since : int
        Since when it is so, seconds since 1970; 0 where nothing depends on it.
    told : str
        The state that the reader was told last and that has not ended.
    told_at : int
        When, seconds since 1970; 0 for never.
    """

    state: str = ""
    since: int = 0
    told: str = ""
    told_at: int = 0


FRESH = RuleMemory()


class AlertMemory(NamedTuple):
    """What the engine remembers of one symbol: its minutes, and of each rule by `Rule.key` what is not `FRESH`."""

    minutes: Minutes = Minutes()
    rules: Mapping[str, RuleMemory] = MappingProxyType({})


NO_MEMORY = AlertMemory()


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert of a rule.

    Attributes
    ----------
    way : str
        ``up``, ``down``, or ``on`` for what has no direction.
    price : float
        That it was judged by, USD: the finished minute's close, or the quote's.
    fact : str
        What was seen and how unusual it is, in words, after the symbol.
    """

    rule: Rule
    way: str
    price: float
    fact: str


def advance(
    memory: AlertMemory,
    rules: WatchingRules,
    baseline: Baseline | None,
    trading: Trading,
    seconds: float,
    price: float,
    change_percent: float | None,
    volume: int,
) -> tuple[AlertMemory, tuple[Fired, ...]]:
    """Take one believed price of a symbol, later than all before, and return what it makes known.

    Parameters
    ----------
    rules : WatchingRules
        Those that watch the symbol, see `RuleSet.of`.
    seconds : float
        Time of the quote, since 1970.
    price : float
        USD.
    change_percent : float or None
        The day's change, per cent; None if it is not believed.
    volume : int
        Shares so far today, 0 if unknown.
    """
    known = memory.rules
    before = memory.minutes
    if before.day != trading.day:
        before, known = before.on(trading.day), _next_day(rules.all, known, seconds)
    minutes = before.after(trading, seconds, price, volume)
    has_finished = minutes.finished > before.finished and minutes.finished >= 0
    is_regular = trading.opens <= seconds <= trading.closes and trading.opens > 0
    fired: list[Fired] = []
    changed: dict[str, RuleMemory] = {}
    look = None
    if has_finished and rules.on_minutes:
        look = Look(minutes.closes[-1], change_percent, minutes, baseline)
        _judge(rules.on_minutes, known, look, int(seconds), changed, fired)
    on_quotes = rules.on_quotes if is_regular else rules.on_all_quotes
    if on_quotes:
        look = look if look and look.price == price else Look(price, change_percent, minutes, baseline)
        _judge(on_quotes, known, look, int(seconds), changed, fired)
    if changed:
        known = {key: memory for key, memory in {**known, **changed}.items() if memory is not FRESH}
    return AlertMemory(minutes, known), tuple(fired)


def _judge(
    watches: tuple[Watch, ...],
    known: Mapping[str, RuleMemory],
    look: Look,
    seconds: int,
    changed: dict[str, RuleMemory],
    fired: list[Fired],
) -> None:
    """Let rules look; add the memories that change, and the alerts."""
    for key, state_of, is_standing, rule in watches:
        old = known.get(key)
        if old is None:
            state = state_of(look, NOT)
            if not state and not is_standing:
                continue  # mostly
        else:
            state = state_of(look, old[0])
            if state == old[0] and (not state or side_of(state) == old.told):
                continue
        if state is None:
            continue
        if old is None and is_standing:
            changed[key] = RuleMemory(state, seconds if rule.hold else 0, side_of(state))
            continue
        new = _after(rule, old or FRESH, state, seconds)
        if new != old:
            changed[key] = new
        if new.told_at == seconds and new.told and (old is None or new.told != old.told):
            fired.append(Fired(rule, new.told, look.price, rule.when.fact(look, state)))


def _after(rule: Rule, before: RuleMemory, state: str, seconds: int) -> RuleMemory:
    """Return the memory of a rule after a look that saw a state; whom it tells something, `told_at` is now."""
    side = side_of(state)
    since, told = before.since, before.told
    if rule.hold and side != side_of(before.state):
        since = seconds
    if not side:
        told, since = NOT, 0
        if not rule.is_standing and seconds - before.told_at >= rule.cooldown_seconds:
            return FRESH
    elif (
        side != told
        and seconds - since >= rule.hold_seconds
        and (not before.told_at or seconds - before.told_at >= rule.cooldown_seconds)
    ):
        return RuleMemory(state, since, side, seconds)
    return RuleMemory(state, since, told, before.told_at)


def _next_day(rules: tuple[Rule, ...], known: Mapping[str, RuleMemory], seconds: float) -> dict[str, RuleMemory]:
    """Return the memory as a day begins: of standing rules all, of others how long they must still be silent.

    What is remembered of rules that are gone is dropped.
    """
    kept = {}
    for rule in rules:
        memory = known.get(rule.key)
        if memory is None:
            continue
        if rule.is_standing:
            kept[rule.key] = memory
        elif seconds - memory.told_at < rule.cooldown_seconds:
            kept[rule.key] = RuleMemory(told_at=memory.told_at)
    return kept
