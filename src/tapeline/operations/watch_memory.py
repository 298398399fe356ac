"""What a watch of the feed remembers, and what it sends: a message of each change once, whoever looks first. Pure.

Two may watch at once, the function of the stack each minute and the DAG feed_watchdog; they share one memory, and each
judges the lights that it can see. A light that turns red is reported, and once that it is well again; an outage is over
when quotes come, not when the market closes or the producer restarts. A single symbol that is silent is reported, its
return is not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tapeline.market.durations import words
from tapeline.market.quotes import read_timestamp, write_timestamp
from tapeline.operations.feed import Feed, Verdict, named
from tapeline.operations.health import Readings
from tapeline.operations.light import Colour, Light

FEED = "feed"
"""What the memory is about."""

TOLD_BY_ALARMS = ("alarm", "iterator age", "rejects")
"""Lights that the stack's own alarms send to the same topic."""

TOLD_ONCE = ("calendar",)
"""Lights that are reported once for what they say, and never as well again: two that watch may differ in it."""

THIN_FOR = timedelta(days=7)
"""How long a symbol that was missed and came back by itself has more time before it is missed again.

Missed all the same, it is reported once in so long."""

SYMBOLS_EVERY = timedelta(minutes=30)
SYMBOLS_AFTER_OUTAGE = timedelta(minutes=5)
"""From one message about single symbols to the next, and from the end of an outage to the first."""

LONGEST_START = timedelta(minutes=6)
"""A feed that has been waiting for its first quote so long is lost, however often it was restarted."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A symbol that is silent: since when it is known, and whether at least half of the others stayed alive."""

    at: datetime
    others_alive: bool


@dataclass(frozen=True, slots=True)
class Memory:
    """What was reported and seen last."""

    red: Mapping[str, str] = field(default_factory=dict)
    """Lights that were reported as red, with what they said."""
    missed: Mapping[str, Missed] = field(default_factory=dict)
    """Symbols that are known to be silent and have not come back."""
    thin_until: Mapping[str, datetime] = field(default_factory=dict)
    """Symbols that came back by themselves."""
    told_again: Mapping[str, datetime] = field(default_factory=dict)
    """Those of them that were reported as silent once more, and before when they are not again."""
    symbols_from: datetime | None = None
    """Before this nothing more is reported of single symbols."""
    waiting_since: datetime | None = None
    """Since when the feed is in session without a sign of life but not yet missed."""
    had_subscribers: bool = False

    def thin(self, now: datetime) -> tuple[str, ...]:
        """Return the symbols that are known to trade seldom."""
        return tuple(sorted(symbol for symbol, until in self.thin_until.items() if until > now))

    def to_json(self) -> str:
        """Return it as the text that `from_json` reads."""
        return json.dumps(
            {
                "red": dict(self.red),
                "missed": {
                    symbol: [write_timestamp(miss.at), miss.others_alive] for symbol, miss in self.missed.items()
                },
                "thin_until": {symbol: write_timestamp(until) for symbol, until in self.thin_until.items()},
                "told_again": {symbol: write_timestamp(until) for symbol, until in self.told_again.items()},
                "had_subscribers": self.had_subscribers,
                **{name: write_timestamp(at) if (at := getattr(self, name)) else None for name in _MOMENTS},
            },
            separators=(",", ":"),
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, text: str) -> Memory:
        """Read it; a memory of an older version, which named the red lights only, is read as that.

        That version reported what alarms do as well; nothing would ever say that such a light is well again.
        """
        if not text.startswith("{"):
            return cls(red={name: "" for name in text.split(", ") if name and not name.startswith(TOLD_BY_ALARMS)})
        document = json.loads(text)
        return cls(
            red={name: reading for name, reading in document["red"].items() if not name.startswith(TOLD_BY_ALARMS)},
            missed={symbol: Missed(read_timestamp(at), alive) for symbol, (at, alive) in document["missed"].items()},
            thin_until={symbol: read_timestamp(until) for symbol, until in document["thin_until"].items()},
            told_again={symbol: read_timestamp(until) for symbol, until in document.get("told_again", {}).items()},
            had_subscribers=document["had_subscribers"],
            **{name: read_timestamp(document[name]) if document[name] else None for name in _MOMENTS},
        )


_MOMENTS = ("symbols_from", "waiting_since")


@dataclass(frozen=True, slots=True)
class Message:
    """One message to the operations topic."""

    subject: str
    text: str
    severity: str = "error"


def look(memory: Memory, readings: Readings, lights: Sequence[Light]) -> tuple[Memory, Message | None]:
    """Return the memory after a look, and the message that is due.

    The lights are what the readings mean, all or some of those of `tapeline.operations.health`; what is not among them
    stays as it is known.
    """
    now, feed = readings.at, readings.feed
    seen = {light.name: light for light in lights if not light.name.startswith(TOLD_BY_ALARMS)}
    memory = _with_signs(memory, readings)
    if "quotes" in seen and feed.verdict is Verdict.WAITING and memory.waiting_since:
        waiting = now - memory.waiting_since
        if waiting >= LONGEST_START:
            reading = f"no quote for {words(waiting)} though the producer was restarted"
            seen["quotes"] = replace(seen["quotes"], colour=Colour.RED, reading=reading, next_step="Read its log.")

    red = [light for light in seen.values() if light.colour is Colour.RED]
    new = [light for light in red if not _is_reported(light, memory)]
    over = [name for name in memory.red if name in seen and _is_over(seen[name], feed)]
    still = {name: reading for name, reading in memory.red.items() if name not in over}
    memory = replace(memory, red={**still, **{light.name: light.reading for light in new}})
    if "quotes" in over:
        memory = replace(memory, symbols_from=now + SYMBOLS_AFTER_OUTAGE)

    silent: tuple[str, ...] = ()
    if "quotes" in seen and "states" not in readings.unread:
        memory, silent = _symbols(memory, readings, feed)
    return memory, _message(memory, feed, new, over, silent)


def deciding(readings: Readings, lights: Sequence[Light]) -> Callable[[str], tuple[str, Message | None]]:
    """Return `look` with these for `tell_once`, which keeps the memory as text."""

    def decide(state: str) -> tuple[str, Message | None]:
        memory, message = look(Memory.from_json(state), readings, lights)
        return memory.to_json(), message

    return decide


def _is_reported(light: Light, memory: Memory) -> bool:
    return light.name in memory.red and (light.name not in TOLD_ONCE or memory.red[light.name] == light.reading)


def _is_over(light: Light, feed: Feed) -> bool:
    if light.name in TOLD_ONCE:
        return False
    if light.name == "quotes":
        # Not when the market has closed or the producer has restarted: that proves nothing.
        return feed.verdict is Verdict.ALIVE and feed.proven
    return light.colour not in (Colour.RED, Colour.UNJUDGED)


def _with_signs(memory: Memory, readings: Readings) -> Memory:
    """Note what is to be remembered though it is not reported."""
    now, feed = readings.at, readings.feed
    waiting_since = (memory.waiting_since or now) if feed.verdict is Verdict.WAITING else None
    had = memory.had_subscribers or readings.subscribers > 0
    return replace(memory, waiting_since=waiting_since, had_subscribers=had)


def _symbols(memory: Memory, readings: Readings, feed: Feed) -> tuple[Memory, tuple[str, ...]]:
    """Note which single symbols are silent and which have come back; return those to be reported."""
    now = readings.at
    followed = readings.followed.symbols if readings.followed else ()
    missed = {symbol: miss for symbol, miss in memory.missed.items() if symbol in followed}
    for symbol, until in memory.told_again.items():
        if until <= now and symbol in missed and missed[symbol].at > until - THIN_FOR:
            del missed[symbol]  # its silence was not reported; if it is still silent, that is done now
    thin = {symbol: until for symbol, until in memory.thin_until.items() if symbol in followed and until > now}
    told_again = {symbol: until for symbol, until in memory.told_again.items() if symbol in followed and until > now}
    silent: tuple[str, ...] = ()
    if feed.verdict is Verdict.ALIVE:
        back = [symbol for symbol in missed if symbol in feed.alive]
        thin |= {
            symbol: now + THIN_FOR
            for symbol in back
            if missed[symbol].others_alive and _others_alive(symbol, followed, feed)
        }
        missed = {symbol: miss for symbol, miss in missed.items() if symbol not in back}
        silent = tuple(symbol for symbol in feed.silent if symbol not in missed)
        if memory.symbols_from is not None and now < memory.symbols_from:
            silent = ()
        missed |= {symbol: Missed(now, True) for symbol in silent}
        silent = tuple(symbol for symbol in silent if symbol not in told_again)
        told_again |= {symbol: now + THIN_FOR for symbol in silent if symbol in thin}
    if silent:
        memory = replace(memory, symbols_from=now + SYMBOLS_EVERY)
    if feed.verdict in (Verdict.ALIVE, Verdict.LOST):
        missed = {
            symbol: replace(miss, others_alive=miss.others_alive and _others_alive(symbol, followed, feed))
            for symbol, miss in missed.items()
        }
    return replace(memory, missed=missed, thin_until=thin, told_again=told_again), silent


def _others_alive(symbol: str, followed: Sequence[str], feed: Feed) -> bool:
    """Return whether the silence of a symbol is its own, for else it was an outage."""
    silent = set(feed.silent) - {symbol}
    return feed.verdict is Verdict.ALIVE and 2 * len(silent) <= len(set(followed) - {symbol})


def _message(
    memory: Memory, feed: Feed, new: Sequence[Light], over: Sequence[str], silent: Sequence[str]
) -> Message | None:
    if not (new or over or silent):
        return None
    parts = [f"{light.name}: {light.reading}\n  {light.next_step}" for light in new]
    if silent:
        parts.append(f"quotes: {feed.reading}\n  {feed.next_step}\n  New among them: {', '.join(silent)}")
    if over:
        parts.append(f"Well again: {', '.join(over)}.")
    still = [name for name in memory.red if name not in TOLD_ONCE and name not in {light.name for light in new}]
    if still:
        parts.append(f"Still red: {', '.join(still)}.")
    if new:
        subject = f"Feed: {', '.join(light.name for light in new)} red - {new[0].reading}"
    elif silent:
        subject = f"Feed: {named(silent)} silent"
    else:
        subject = "Feed: well again" if not still else f"Feed: {', '.join(over)} well again"
    parts.append("Each change is reported once. `tapeline status` shows how it is now; docs/runbook.md has more.")
    return Message(subject, "\n\n".join(parts), "error" if new else "warning" if silent else "info")
