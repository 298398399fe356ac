"""What a pipeline's readings mean: which light is green, and for each that is not what to do next. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tapeline.market.alerting.in_force import RulesInForce
from tapeline.market.durations import words
from tapeline.market.trading_hours import LAST_DAY, Hours
from tapeline.operations.feed import Feed, Verdict, judge_feed
from tapeline.operations.feed_signs import Followed, NewestQuote
from tapeline.operations.light import Colour, Light, Part
from tapeline.stream.batch import INTERNAL_ERROR

SLOW_SECONDS, TOO_SLOW_SECONDS = 30.0, 300.0
"""Latency and iterator age that are worth a look, and that lose their purpose; the latter is the template's alarm."""

CALENDAR_NOTICE = timedelta(days=90)
"""How long before the table of trading days ends it is shown."""

CALENDAR_URGENT = timedelta(days=14)
"""How long before it is red, and a message is sent."""

ITERATOR_AGE = "iterator age of "
EXPLAINED_BY = {
    "quotes": "producer",
    "latency": "stock-market-stream-processor",
    "rejects": "stock-market-stream-processor",
    "dead letters": "stock-market-stream-processor",
    "alerts": "stock-market-trend-alerts",
}
"""The program of the laptop whose log explains a light."""


@dataclass(frozen=True, slots=True)
class Readings:
    """What was measured; None where there was nothing to measure."""

    at: datetime
    """UTC."""
    parts: Sequence[Part]
    measured: bool = True
    """Whether there was a deployment to read the rest from."""
    hours: Hours | None = None
    """The session of the New York Stock Exchange that began last; None where the table of trading days has ended."""
    followed: Followed | None = None
    """None if no producer has ever said what it follows."""
    quotes_per_second: float | None = None
    """Into the stream processor, in the last minute."""
    latency_seconds: float | None = None
    """From the producer to the store, the slowest of the last minutes."""
    iterator_age_seconds: dict[str, float | None] = field(default_factory=dict)
    """How old the last record was that each function took from its stream, by function."""
    newest: Sequence[NewestQuote] = ()
    thin: Sequence[str] = ()
    """Symbols that were missed lately and came back by themselves: they trade seldom, and have more time."""
    rejected_last_hour: dict[str, int] = field(default_factory=dict)
    """Records under `rejected/`, by reason."""
    rejected_last_day: dict[str, int] = field(default_factory=dict)
    dead_letters: int = 0
    alerts_last_hour: int = 0
    alerts_last_day: int = 0
    subscribers: int = 0
    """E-mail addresses that get alerts; those that have not confirmed are not among them."""
    unconfirmed: int = 0
    had_subscribers: bool = False
    """Whether somebody is known to have got them once."""
    rules: RulesInForce | None = None
    """The alert rules; None while none have been applied."""
    alarms: Sequence[str] = ()
    """Those that are ringing."""
    unread: dict[str, str] = field(default_factory=dict)
    """What could not be read and why, by the names of `UNREAD`."""

    @property
    def market_open(self) -> bool:
        """Whether the New York Stock Exchange is in regular session."""
        return self.hours is not None and self.hours.are_at(self.at)

    @property
    def feed(self) -> Feed:
        """What they say about the feed."""
        return judge_feed(self.at, self.hours, self.followed, self.newest, frozenset(self.thin))


UNREAD: Mapping[str, Mapping[str, str]] = {
    "parts": {"parts": "stream and functions"},
    "metrics": {"latency": "latency", "iterator_age": "iterator age"},
    "states": {"quotes": "quotes"},
    "rejects": {"rejects": "rejects"},
    "dead letters": {"dead_letters": "dead letters"},
    "alarms": {"alarms": "alarm"},
    "subscribers": {"alerts": "alerts"},
    "rules": {"rules": "rules"},
}
"""What is read, and the lights that cannot be judged without it: their groups and names."""


def is_green(lights: Iterable[Light]) -> bool:
    """Return whether all is judged and well: no light is yellow, red or unjudged, and there is one at all."""
    lights = list(lights)
    return bool(lights) and all(light.colour in (Colour.GREEN, Colour.GREY) for light in lights)


def exit_code(lights: Iterable[Light]) -> int:
    """Return 0 if all is judged and well, 1 if a light is yellow or red, else 2: something could not be judged."""
    lights = list(lights)
    if any(light.colour in (Colour.YELLOW, Colour.RED) for light in lights):
        return 1
    return 0 if is_green(lights) else 2


def judge(readings: Readings) -> list[Light]:
    """Return every light of the page, the parts first."""
    return [light for group in judge_by_group(readings).values() for light in group]


def judge_by_group(readings: Readings) -> dict[str, list[Light]]:
    """Return every light of the page by group; parts, iterator ages and alarms are many or none, the others one."""
    parts = [_part(part) for part in readings.parts]
    if not readings.measured:
        return {"parts": parts or [unjudged("stack", readings.unread.get("stack", "nothing answers"))]}
    groups = {
        "parts": parts,
        "quotes": [_quotes(readings)],
        "latency": [_slowness("latency", readings.latency_seconds, "from the producer to the store")],
        "iterator_age": [
            _slowness(f"{ITERATOR_AGE}{name}", age, "behind its stream")
            for name, age in readings.iterator_age_seconds.items()
        ],
        "rejects": [_rejects(readings)],
        "dead_letters": [_dead_letters(readings.dead_letters)],
        "alarms": _alarms(readings.alarms),
        "alerts": [_alerts(readings)],
        "rules": _rules(readings.rules, readings.newest),
        "calendar": _calendar(readings.at),
    }
    for subject, reason in readings.unread.items():
        for group, name in UNREAD[subject].items():
            judged = [light for light in groups[group] if light.name != name]
            groups[group] = [unjudged(name, reason), *judged]
    return groups


def unjudged(name: str, reason: str) -> Light:
    """Return the light of something that could not be read."""
    return Light(
        name,
        Colour.UNJUDGED,
        f"could not be judged: {reason}",
        "It may be well or not. Fix what keeps it from being read: a right, the network, a missing stack.",
    )


def explained(lights: Sequence[Light], log_of: Callable[[str], Sequence[str]]) -> list[Light]:
    """Give each light that is not well the last words of the program that it speaks of, by that program's name."""
    troubled = (Colour.YELLOW, Colour.RED)
    return [
        replace(light, log=tuple(log_of(program)))
        if light.colour in troubled and not light.log and (program := _program(light.name))
        else light
        for light in lights
    ]


def _program(light: str) -> str:
    """Return the program of the laptop whose log explains a light; empty if none does."""
    if light.startswith(ITERATOR_AGE):
        return light.removeprefix(ITERATOR_AGE)
    return EXPLAINED_BY.get(light, "")


def _part(part: Part) -> Light:
    if part.up:
        return Light(part.name, Colour.GREEN, part.detail)
    return Light(part.name, Colour.YELLOW if part.passing else Colour.RED, part.detail, part.next_step, part.log)


def _quotes(readings: Readings) -> Light:
    feed = readings.feed
    rate = readings.quotes_per_second
    text = "" if rate is None else f"{rate:,.1f} quotes/s in the last minute, "
    colour = {
        Verdict.ALIVE: Colour.YELLOW if feed.silent or feed.trouble else Colour.GREEN,
        Verdict.WAITING: Colour.YELLOW if feed.trouble else Colour.GREY,
        Verdict.CLOSED: Colour.YELLOW if feed.trouble else Colour.GREEN,
        Verdict.LOST: Colour.RED,
        Verdict.UNKNOWN: Colour.UNJUDGED,
    }[feed.verdict]
    return Light("quotes", colour, text + feed.reading, feed.next_step)


def _slowness(name: str, seconds: float | None, what: str) -> Light:
    if seconds is None:
        return Light(name, Colour.GREY, "nothing measured in the last minutes")
    reading = f"{words(seconds)} {what}"
    if seconds < SLOW_SECONDS:
        return Light(name, Colour.GREEN, reading)
    return Light(
        name,
        Colour.YELLOW if seconds < TOO_SLOW_SECONDS else Colour.RED,
        reading,
        "A replay or a restart catches up by itself: look whether it falls. If it grows, the function fails or is too "
        "slow: read its log for retried batches.",
    )


def _rejects(readings: Readings) -> Light:
    hour, day = sum(readings.rejected_last_hour.values()), sum(readings.rejected_last_day.values())
    reading = f"{hour:,} in the last hour, {day:,} in the last 24 h"
    if failed := readings.rejected_last_day.get(INTERNAL_ERROR, 0):
        return Light(
            "rejects",
            Colour.RED,
            f"our own code failed on {failed:,} in the last 24 h ({INTERNAL_ERROR}); {reading}",
            "Nothing is lost: the record and the error are under rejected/, the traceback is in the stream processor's "
            "log. Report it; once it is fixed, `tapeline redrive --go` brings the records back.",
        )
    if not hour:
        return Light("rejects", Colour.GREEN, reading)
    by_count = sorted(readings.rejected_last_hour.items(), key=lambda pair: (-pair[1], pair[0]))
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in by_count)
    return Light(
        "rejects",
        Colour.YELLOW,
        f"{reading} ({reasons})",
        "Nothing is lost: payload and reason are under rejected/ in the bucket. One reason for many records points to "
        "a changed or broken source.",
    )


def _dead_letters(count: int) -> Light:
    if not count:
        return Light("dead letters", Colour.GREEN, "none")
    return Light(
        "dead letters",
        Colour.RED,
        f"{count:,} batches were given up",
        "Read the function's log for the cause and fix it, then `tapeline redrive --go` brings them back from the "
        "bucket. `tapeline reconcile` names what is missing.",
    )


def _alarms(names: Sequence[str]) -> list[Light]:
    next_step = "The alarm's description in CloudWatch says what to do; docs/runbook.md has more."
    return [Light("alarm", Colour.RED, name, next_step) for name in names]


def _alerts(readings: Readings) -> Light:
    reading = f"{readings.alerts_last_hour:,} sent in the last hour, {readings.alerts_last_day:,} in the last 24 h"
    if readings.had_subscribers and not readings.subscribers:
        return Light(
            "alerts",
            Colour.RED,
            f"nobody gets them any more; {reading}",
            "The last address has unsubscribed, or a mail scanner has opened the link that does so. Subscribe again: "
            "`tapeline subscribe you@example.com`; docs/runbook.md says how to keep scanners out.",
        )
    if readings.unconfirmed:
        return Light(
            "alerts",
            Colour.YELLOW,
            f"{reading}; {readings.unconfirmed} of {readings.subscribers + readings.unconfirmed} addresses unconfirmed",
            "Open the link in the mail `AWS Notification - Subscription Confirmation`, or subscribe again.",
        )
    if not readings.subscribers:
        return Light("alerts", Colour.GREY, f"{reading}; nobody gets them: `tapeline subscribe you@example.com`")
    addresses = "1 address" if readings.subscribers == 1 else f"{readings.subscribers} addresses"
    return Light("alerts", Colour.GREEN, f"{reading}, to {addresses}")


def _rules(rules: RulesInForce | None, newest: Sequence[NewestQuote]) -> list[Light]:
    if rules is None:
        return []
    reading = f"version {rules.version.number} by {rules.version.by}: {rules.enabled} on"
    unknown = [quote.symbol for quote in newest if quote.symbol not in rules.known]
    if not unknown or not rules.waiting:
        return [Light("rules", Colour.GREEN, reading)]
    silent = f"{', '.join(rules.waiting)} silent on {len(unknown)} of {len(newest)} symbols, which have no baseline yet"
    return [Light("rules", Colour.GREY, f"{reading}; {silent}: it takes 5 sessions rolled up, `tapeline rules learn`")]


def _calendar(now: datetime) -> list[Light]:
    left = LAST_DAY - now.date()
    if left > CALENDAR_NOTICE:
        return []
    return [
        Light(
            "calendar",
            Colour.RED if left <= CALENDAR_URGENT else Colour.YELLOW,
            f"the table of trading days ends on {LAST_DAY}; after it no silence of a real market is heard",
            "Update Tapeline, or make the table longer (LAST_DAY in src/tapeline/market/sessions.py, "
            "`make trading-days`), and deploy.",
        )
    ]
