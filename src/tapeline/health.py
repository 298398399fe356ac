"""What a pipeline's readings mean: which light is green, and for each that is not what to do next. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from tapeline.quotes import read_timestamp

SIMULATED_SILENCE = timedelta(seconds=60)
MARKET_SILENCE = timedelta(minutes=5)
"""How long a symbol may be silent: the simulated market never sleeps; a poll of a real one comes every 30 s in session,
but a quote only when its time moved."""

ACTIVE_WINDOW = timedelta(hours=24)
"""A symbol whose newest quote came earlier than this is no longer followed, and not missed."""

SLOW_SECONDS, TOO_SLOW_SECONDS = 30.0, 300.0
"""Latency and iterator age that are worth a look, and that lose their purpose; the latter is the template's alarm."""

UNJUDGED_SOURCES = ("replay",)


class Colour(StrEnum):
    """A light's colour; grey says that there is nothing to judge, which is no trouble."""

    GREEN = "green"
    GREY = "grey"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Light:
    """One line of the page.

    Attributes
    ----------
    name : str
        What is judged.
    colour : Colour
        How it is.
    reading : str
        What was found.
    next_step : str
        What to do, in words; empty if nothing.
    log : tuple of str
        The last lines of the log that explains it.
    """

    name: str
    colour: Colour
    reading: str
    next_step: str = ""
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """Something that must be up: a process on the laptop, a resource or a mapping on AWS.

    Attributes
    ----------
    name : str
        As the page shows it.
    up : bool
        Whether it works.
    detail : str
        Its state in the words of who runs it.
    next_step : str
        What to do if it is down.
    log : tuple of str
        Its last words if it is down.
    passing : bool
        Whether it is on its way up, so that waiting is all there is to do.
    """

    name: str
    up: bool
    detail: str
    next_step: str = ""
    log: tuple[str, ...] = ()
    passing: bool = False


@dataclass(frozen=True, slots=True)
class NewestQuote:
    """The newest quote of a symbol.

    Attributes
    ----------
    symbol : str
    timestamp, ingested_at : str
        Its own time and when the producer got it, UTC.
    price, change_percent : str
        USD and per cent of the previous close, as stored.
    source : str
        Where it came from.
    """

    symbol: str
    timestamp: str
    price: str
    change_percent: str
    source: str
    ingested_at: str


@dataclass(frozen=True, slots=True)
class Readings:
    """What was measured; None where there was nothing to measure.

    Attributes
    ----------
    at : datetime
        When, UTC.
    parts : sequence of Part
        What must be up.
    measured : bool
        Whether there was a deployment to read the rest from.
    market_open : bool
        Whether the New York Stock Exchange is in regular session.
    quotes_per_second : float or None
        Into the stream processor, in the last minute.
    latency_seconds : float or None
        From the producer to the store, the slowest of the last minutes.
    iterator_age_seconds : dict of str to (float or None)
        How old the last record was that each function took from its stream, by function.
    newest : sequence of NewestQuote
        One per symbol.
    rejected_last_hour, rejected_last_day : dict of str to int
        Records under `rejected/`, by reason.
    dead_letters : int
        Batches that delivery gave up.
    alerts_last_hour, alerts_last_day : int
        Alerts sent.
    subscribers, unconfirmed : int
        E-mail addresses that get alerts, and those that have not confirmed.
    alarms : sequence of str
        Alarms that are ringing.
    """

    at: datetime
    parts: Sequence[Part]
    measured: bool = True
    market_open: bool = False
    quotes_per_second: float | None = None
    latency_seconds: float | None = None
    iterator_age_seconds: dict[str, float | None] = field(default_factory=dict)
    newest: Sequence[NewestQuote] = ()
    rejected_last_hour: dict[str, int] = field(default_factory=dict)
    rejected_last_day: dict[str, int] = field(default_factory=dict)
    dead_letters: int = 0
    alerts_last_hour: int = 0
    alerts_last_day: int = 0
    subscribers: int = 0
    unconfirmed: int = 0
    alarms: Sequence[str] = ()


def is_green(lights: Iterable[Light]) -> bool:
    """Tell whether no light is yellow or red."""
    return all(light.colour in (Colour.GREEN, Colour.GREY) for light in lights)


def judge(readings: Readings) -> list[Light]:
    """Return every light of the page, the parts first."""
    parts = [_part(part) for part in readings.parts]
    if not readings.measured:
        return parts
    return [
        *parts,
        _flow(readings),
        _slowness("latency", readings.latency_seconds, "from the producer to the store"),
        *(
            _slowness(f"iterator age of {name}", age, "behind its stream")
            for name, age in readings.iterator_age_seconds.items()
        ),
        _rejects(readings),
        _dead_letters(readings.dead_letters),
        *_alarms(readings.alarms),
        _alerts(readings),
    ]


def silent(readings: Readings) -> list[NewestQuote]:
    """Return the newest quotes of the symbols that should have had a newer one by now."""
    return [quote for quote in readings.newest if _is_silent(quote, readings)]


def age(quote: NewestQuote, now: datetime) -> timedelta:
    """Return how long ago a quote came in."""
    return max(timedelta(0), now - read_timestamp(quote.ingested_at))


def words(seconds: float) -> str:
    """Return a duration as a person says it.

    >>> words(0.25), words(42), words(150), words(7300), words(200000)
    ('0.2 s', '42 s', '2 min 30 s', '2 h 1 min', '2 d 7 h')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, smaller_size, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {name}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def _part(part: Part) -> Light:
    if part.up:
        return Light(part.name, Colour.GREEN, part.detail)
    return Light(part.name, Colour.YELLOW if part.passing else Colour.RED, part.detail, part.next_step, part.log)


def _is_silent(quote: NewestQuote, readings: Readings) -> bool:
    if quote.source in UNJUDGED_SOURCES or age(quote, readings.at) > ACTIVE_WINDOW:
        return False
    if quote.source == "simulated":
        return age(quote, readings.at) > SIMULATED_SILENCE
    return readings.market_open and age(quote, readings.at) > MARKET_SILENCE


def _flow(readings: Readings) -> Light:
    rate = readings.quotes_per_second
    text = "no quote counted in the last minute" if not rate else f"{rate:,.1f} quotes/s in the last minute"
    followed = [
        quote
        for quote in readings.newest
        if quote.source not in UNJUDGED_SOURCES and age(quote, readings.at) <= ACTIVE_WINDOW
    ]
    if not followed:
        return Light("quotes", Colour.GREEN if rate else Colour.GREY, f"{text}; no symbol is followed")
    quiet = silent(readings)
    if not quiet:
        closed = "" if readings.market_open or any(q.source == "simulated" for q in followed) else "; market closed"
        return Light("quotes", Colour.GREEN, f"{text}, {len(followed)} symbols{closed}")
    names = ", ".join(quote.symbol for quote in quiet[:5]) + (" …" if len(quiet) > 5 else "")
    if len(quiet) == len(followed):
        newest = min(age(quote, readings.at) for quote in followed)
        return Light(
            "quotes",
            Colour.RED,
            f"nothing new for {words(newest.total_seconds())}",
            "If a part above is down, mend that first. Else read the producer's log: it says whether the source "
            "refuses, is closed or is silent.",
        )
    return Light(
        "quotes",
        Colour.YELLOW,
        f"{text}, {len(quiet)} of {len(followed)} symbols silent: {names}",
        "Look for these symbols in the producer's log: renamed, delisted, halted, or no longer asked for.",
    )


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
    if not hour:
        return Light("rejects", Colour.GREEN, reading)
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in _by_count(readings.rejected_last_hour))
    return Light(
        "rejects",
        Colour.YELLOW,
        f"{reading} ({reasons})",
        "Nothing is lost: payload and reason are under rejected/ in the bucket. One reason for many records points to "
        "a changed or broken source.",
    )


def _by_count(counts: dict[str, int]) -> Iterator[tuple[str, int]]:
    return iter(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _dead_letters(count: int) -> Light:
    if not count:
        return Light("dead letters", Colour.GREEN, "none")
    return Light(
        "dead letters",
        Colour.RED,
        f"{count:,} batches were given up",
        "Read the function's log for the cause and mend it. Each message names shard and sequence numbers; the stream "
        "keeps the records for 24 h. `tapeline reconcile` names what is missing.",
    )


def _alarms(names: Sequence[str]) -> list[Light]:
    return [
        Light(
            "alarm",
            Colour.RED,
            name,
            "The alarm's description in CloudWatch says what to do; docs/runbook.md has more.",
        )
        for name in names
    ]


def _alerts(readings: Readings) -> Light:
    reading = f"{readings.alerts_last_hour:,} sent in the last hour, {readings.alerts_last_day:,} in the last 24 h"
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
