"""What the producer says that it follows, so that somebody misses it when it falls silent.

One item of the state table, key `followed`, holds source, symbols and pace, when the producer started, when its loop
was last seen at work, and trouble in words while there is any. It is written at the start, each minute, and when the
trouble changes; it stays when the producer stops. A loop that hangs is no longer seen, and the item grows old.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tapeline.market.quotes import timestamp_of
from tapeline.stream.items import FOLLOWED_KEY
from tapeline.stream.recipient import Recipient
from tapeline.stream.source import Counters, Stop
from tapeline.stream.tables import Item

SAY_SECONDS = 60.0
LOOK_SECONDS = 300.0
FIRST_LOOK_SECONDS = 10.0
MAX_TROUBLE_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a live source says of itself: whom it follows, how often it asks, and its trouble.

    Attributes
    ----------
    source : str
        Its name in `producer.sources.SOURCES`.
    every_seconds : float
        Between two quotes of a symbol; 0 if they come when they come.
    trouble : callable
        What keeps all quotes away, in words; empty if nothing does.
    """

    source: str
    symbols: Sequence[str]
    every_seconds: float
    trouble: Callable[[], str] = lambda: ""

    def item(self, started_at: str, said_at: str, trouble: str) -> Item:
        """Return the item of the state table."""
        item: Item = {
            "key": {"S": FOLLOWED_KEY},
            "source": {"S": self.source},
            "symbols": {"L": [{"S": symbol} for symbol in dict.fromkeys(self.symbols)]},
            "every_seconds": {"N": f"{self.every_seconds:g}"},
            "started_at": {"S": started_at},
            "said_at": {"S": said_at},
        }
        if trouble:
            item["trouble"] = {"S": trouble[:MAX_TROUBLE_CHARACTERS]}
        return item


class WatchedStop:
    """A stop that notes in `looked_at`, seconds since 1970, each look: who looks works, who hangs does not look."""

    LONGEST_WAIT_SECONDS = 10.0

    def __init__(self, stop: Stop, clock: Callable[[], float] = time.time) -> None:
        self._stop = stop
        self._clock = clock
        self.looked_at = 0.0

    def is_set(self) -> bool:
        """Return whether to end."""
        self.looked_at = self._clock()
        return self._stop.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep for some seconds, or until it is time to end; a long sleep is not a hang."""
        left = float("inf") if timeout is None else timeout
        while not self.is_set() and left > self.LONGEST_WAIT_SECONDS:
            self._stop.wait(self.LONGEST_WAIT_SECONDS)
            left -= self.LONGEST_WAIT_SECONDS
        if not self._stop.is_set():
            self._stop.wait(left)
        return self.is_set()


class Announcer:
    """Decides when to say what is followed; by the producer's counters it notices that Kinesis takes nothing."""

    def __init__(
        self, announcement: Announcement, deployment: Recipient, counters: Counters, started_at: float
    ) -> None:
        self._announcement = announcement
        self._deployment = deployment
        self._counters = counters
        self._started_at = timestamp_of(started_at)
        self._announced: tuple[float, str] = (0.0, "")
        self._not_before = 0.0
        self._sent = (started_at, -1)

    def turn(self, looked_at: float, now: float) -> None:
        """Say it if it is time and the loop has been seen at work since the last time; times are seconds since 1970."""
        trouble = self._announcement.trouble() or self._stuck(now)
        said_at, old_trouble = self._announced
        if looked_at <= said_at or now < self._not_before or (trouble == old_trouble and now - said_at < SAY_SECONDS):
            return
        item = self._announcement.item(self._started_at, timestamp_of(looked_at), trouble)
        if self._deployment.put_followed(item):
            self._announced = looked_at, trouble
        else:
            self._not_before = now + SAY_SECONDS

    def _stuck(self, now: float) -> str:
        counts = self._counters.now()
        since, sent = self._sent
        if counts.sent != sent or not counts.waiting:
            self._sent = now, counts.sent
            return ""
        return f"Kinesis takes nothing, {counts.waiting:,} quotes wait" if now - since >= SAY_SECONDS else ""


@contextmanager
def announcing(
    announcement: Announcement, deployment: Recipient, counters: Counters, stop: WatchedStop, clock: Callable[[], float]
) -> Iterator[None]:
    """Read the deployment's outputs now and then and say what is followed, from a thread of its own.

    Its calls to AWS may take long, and quotes do not wait for them; only for the first look at the outputs, and that
    for ten seconds at most.
    """
    done, looked = threading.Event(), threading.Event()
    announcer = Announcer(announcement, deployment, counters, clock())

    def work() -> None:
        next_look = 0.0
        while True:
            if clock() >= next_look:
                deployment.look()
                next_look = clock() + LOOK_SECONDS
                looked.set()
            announcer.turn(stop.looked_at, clock())
            if done.wait(1.0):
                return

    thread = threading.Thread(target=work, name="producer-followed", daemon=True)
    thread.start()
    looked.wait(FIRST_LOOK_SECONDS)
    try:
        yield
    finally:
        done.set()
        thread.join(1.0)  # it may be within a call, and nothing is lost with it
