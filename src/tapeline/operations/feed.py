"""Whether the feed is alive: what is followed, what came of it, and what silence means. Pure.

What is followed is what the producer says that it follows, not what was seen lately: so a feed that does not come back
after a weekend is missed, a symbol that was taken out of the list is not, nor is one that is stored but not followed.

Silence counts from a symbol's newest quote or, if that is older, from the moment since which it could have come: the
open of the session, or the start of a producer that began later. It is judged while the exchange is open; the simulated
market never closes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from tapeline.market.durations import words
from tapeline.market.quotes import AFTERWARDS
from tapeline.market.trading_hours import Hours
from tapeline.operations import feed_signs
from tapeline.operations.feed_signs import Followed, NewestQuote

TROUBLED_SILENCE = timedelta(minutes=2)
"""How long all may be silent while the producer itself says that it has trouble; one failed poll is none."""

THIN_SILENCE = timedelta(hours=3)
"""How long a symbol may be silent that is known to trade seldom."""

QUIET_AFTER = timedelta(seconds=90)
HUNG_AFTER = timedelta(minutes=3)
"""The producer says each minute what it follows; one that has not for so long hangs or is dead."""

CLOCK_AHEAD = timedelta(minutes=2)
"""How far the producer's clock may be ahead of ours before it is trouble: a silence is heard so much later."""


class Verdict(StrEnum):
    """How the feed is."""

    ALIVE = "alive"
    WAITING = "waiting"
    """The first quote of the session or of the producer is not due yet."""
    CLOSED = "closed"
    LOST = "lost"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Feed:
    """What is known of the feed as a whole, the same in words, and what to do."""

    verdict: Verdict
    reading: str
    next_step: str = ""
    silent: tuple[str, ...] = ()
    """Symbols that should have had a quote by now; `alive` are those that have."""
    alive: tuple[str, ...] = ()
    trouble: str = ""
    """What is wrong though the feed is not known to be lost."""
    proven: bool = False
    """Whether at least half of the symbols are alive: the end of an outage, for which one quote is not enough."""


def judge_feed(
    now: datetime,
    hours: Hours | None,
    followed: Followed | None,
    newest: Sequence[NewestQuote],
    thin: frozenset[str],
) -> Feed:
    """Judge a feed: by the session that began last, what the producer says, and the newest quote of each symbol.

    The session is None if it is not known; a `thin` symbol trades seldom.
    """
    if followed is None:
        return _unfollowed(now, hours, [quote for quote in newest if quote.source not in AFTERWARDS])
    followed = replace(followed, started_at=min(followed.started_at, now))
    heard = {quote.symbol: quote.heard_at(now, None if followed.never_sleeps else hours) for quote in newest}
    if now - followed.said_at >= HUNG_AFTER:
        return Feed(
            Verdict.LOST,
            f"the producer ({followed.source}) has said nothing for {words(now - followed.said_at)}",
            "It hangs or is dead. On the laptop: `tapeline restart producer`; elsewhere start it again where it runs. "
            "Its log says what it did last.",
        )
    if not followed.never_sleeps and hours is None:
        return Feed(
            Verdict.UNKNOWN,
            "could not be judged: the table of trading days has ended",
            "Make it longer: `make trading-days`, then deploy.",
        )
    if not followed.never_sleeps and hours is not None and not hours.are_at(now):
        return _closed(now, hours, followed, heard, thin)
    begin = followed.started_at if followed.never_sleeps or hours is None else hours.opens_at
    silent, alive = _silent_and_alive(now, begin, followed, heard, thin)
    return _in_session(now, begin, followed, heard, silent, alive, thin)


def named(symbols: Sequence[str]) -> str:
    """Return the first symbols, and that there are more.

    >>> named(["A", "B", "C", "D", "E", "F"])
    'A, B, C, D, E …'
    """
    return ", ".join(symbols[:5]) + (" …" if len(symbols) > 5 else "")


def _since(begin: datetime, followed: Followed, heard: datetime | None) -> datetime:
    """Return the moment from which a symbol's silence counts."""
    if heard is not None and heard >= begin:
        return heard
    return max(begin, followed.started_at)


def _silent_and_alive(
    now: datetime, begin: datetime, followed: Followed, heard: Mapping[str, datetime], thin: frozenset[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if thin.issuperset(followed.symbols):
        thin = frozenset()  # with nobody else to go by, each is missed like any
    silent = tuple(
        symbol
        for symbol in followed.symbols
        if now - _since(begin, followed, heard.get(symbol))
        >= (max(THIN_SILENCE, followed.patience) if symbol in thin else followed.patience)
    )
    alive = tuple(
        symbol for symbol in followed.symbols if symbol not in silent and symbol in heard and heard[symbol] >= begin
    )
    return silent, alive


def _trouble(now: datetime, followed: Followed) -> tuple[str, str]:
    """Return what is wrong with a producer that goes on, and what to do; empty if nothing."""
    own = f"the producer says: {followed.trouble}" if followed.trouble else ""
    if followed.said_at - now <= CLOCK_AHEAD:
        return own, "See the producer's log." if own else ""
    ahead = f"the producer's clock is {words(followed.said_at - now)} ahead"
    return "; ".join(filter(None, (own, ahead))), "Set the clock where the producer runs: silence is heard late."


def _trouble_in_session(now: datetime, followed: Followed, wrong: str) -> str:
    """Return what is wrong with a producer, as it follows the reading of its feed."""
    quiet = now - followed.said_at
    silence = f"the producer has said nothing for {words(quiet)}" if quiet >= QUIET_AFTER else ""
    return "".join(f"; {trouble}" for trouble in (wrong, silence) if trouble)


def _in_session(
    now: datetime,
    begin: datetime,
    followed: Followed,
    heard: Mapping[str, datetime],
    silent: tuple[str, ...],
    alive: tuple[str, ...],
    thin: frozenset[str],
) -> Feed:
    count = len(followed.symbols)
    if not count:
        return Feed(Verdict.UNKNOWN, "could not be judged: no symbol is followed", "Start the producer with symbols.")
    usual = set(followed.symbols) - thin or set(followed.symbols)
    newest = max((heard[symbol] for symbol in followed.symbols if symbol in heard), default=None)
    wrong, remedy = _trouble(now, followed)
    trouble = _trouble_in_session(now, followed, wrong)
    quietest = now - max(_since(begin, followed, heard.get(symbol)) for symbol in followed.symbols)
    is_troubled = followed.trouble and quietest >= min(followed.patience, TROUBLED_SILENCE)
    feed = Feed(
        Verdict.ALIVE,
        f"{count} symbols{trouble}",
        f"Quotes still come. {remedy}" if wrong else "",
        silent,
        alive,
        wrong,
        proven=2 * len(usual.intersection(alive)) >= len(usual),
    )
    if is_troubled or (silent and not alive):
        what = f"nothing new for {words(now - newest)}" if newest else "no quote has ever come"
        return replace(
            feed,
            verdict=Verdict.LOST,
            reading=f"{what}, {count} symbols followed{trouble}",
            next_step="If `tapeline status` shows a part that is down, fix that first. Else read the producer's log: "
            "it says whether the source refuses, is closed or is silent.",
        )
    if silent and 2 * len(silent) > max(2, count):
        return replace(
            feed,
            verdict=Verdict.LOST,
            reading=f"{len(silent)} of {count} symbols silent: {named(silent)}{trouble}",
            next_step="Most of what is followed does not come: read the producer's log for what the source says.",
        )
    if silent:
        return replace(
            feed,
            reading=f"{len(silent)} of {count} symbols silent: {named(silent)}{trouble}",
            next_step="Look for these symbols in the producer's log: renamed, delisted, halted, or seldom traded. Take "
            "out of its list what is gone.",
        )
    if not alive:
        since = words(now - max(begin, followed.started_at))
        start = "start" if followed.started_at > begin or followed.never_sleeps else "open"
        return replace(
            feed,
            verdict=Verdict.WAITING,
            reading=f"waiting for the first quote since the {start}, {since} ago{trouble}",
            next_step=remedy,
        )
    return feed


def _closed(
    now: datetime, hours: Hours, followed: Followed, heard: Mapping[str, datetime], thin: frozenset[str]
) -> Feed:
    """Say of a market that is closed how its last session ended, which nothing can have changed since."""
    count = f"{len(followed.symbols)} symbols; market closed"
    wrong, remedy = _trouble(now, followed)
    if wrong:
        return Feed(Verdict.CLOSED, f"{count}; {wrong}", f"Fix it before the market opens. {remedy}", trouble=wrong)
    silent, alive = _silent_and_alive(hours.closes_at, hours.opens_at, followed, heard, thin)
    if silent and not alive and followed.started_at < hours.closes_at:
        trouble = "nothing came any more when the last session ended"
        return Feed(
            Verdict.CLOSED,
            f"{count}; {trouble}",
            "The next session shows whether quotes come again. See the producer's log before it opens.",
            silent,
            trouble=trouble,
        )
    return Feed(Verdict.CLOSED, count)


def _unfollowed(now: datetime, hours: Hours | None, newest: Sequence[NewestQuote]) -> Feed:
    """Judge a deployment whose producer has never said what it follows: an older one, or none at all."""
    sources = {quote.source for quote in newest}
    never_sleeps = feed_signs.SIMULATED in sources
    is_open = never_sleeps or (hours is not None and hours.are_at(now))
    last = max((quote.heard_at(now, None if never_sleeps else hours) for quote in newest), default=None)
    if last is None:
        return Feed(
            Verdict.UNKNOWN,
            "could not be judged: nothing has ever been followed here",
            "Start a producer: it says what it follows.",
        )
    only_simulated = sources == {feed_signs.SIMULATED}
    patience = feed_signs.SIMULATED_SILENCE if only_simulated else feed_signs.MARKET_SILENCE
    since = last if hours is None or never_sleeps else max(last, hours.opens_at)
    if is_open and now - since >= patience:
        return Feed(
            Verdict.LOST,
            f"nothing new for {words(now - last)}, and no producer says what it follows",
            "Start the producer.",
            tuple(quote.symbol for quote in newest),
        )
    return Feed(
        Verdict.UNKNOWN,
        "could not be judged: quotes have come, but no producer says what it follows",
        "Restart the producer in this version: it then says what it follows, and silence is heard.",
    )
