"""What every source of quotes offers, and the counts it keeps."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from tapeline.market.quotes import Quote

DEFAULT_SYMBOLS = ("AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "JPM", "XOM", "WMT", "KO", "SPY")
"""Followed when the user names none: liquid, well-known, of several sectors, and the market itself."""


def read_symbols(text: str) -> tuple[str, ...]:
    """Read tickers with commas or blanks between them, each once.

    >>> read_symbols("AAPL, msft,AAPL")
    ('AAPL', 'MSFT')
    """
    return tuple(dict.fromkeys(text.upper().replace(",", " ").split()))


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of everything read: ``read == sent + rejected + repeated + waiting``.

    Attributes
    ----------
    read : int
        Quotes, bars or messages that came from the source.
    sent, retried : int
        Quotes that Kinesis accepted, and times a quote had to be sent once more.
    rejected : int
        Things read that are no quote, and quotes that Kinesis refuses. Each is in the log with its reason.
    repeated : int
        Quotes seen before, not sent again.
    """

    read: int = 0
    sent: int = 0
    retried: int = 0
    rejected: int = 0
    repeated: int = 0

    @property
    def waiting(self) -> int:
        """Quotes read that have not reached Kinesis yet."""
        return self.read - self.sent - self.rejected - self.repeated

    def __str__(self) -> str:
        return (
            f"read {self.read:,}, sent {self.sent:,}, retried {self.retried:,}, "
            f"rejected {self.rejected:,}, repeated {self.repeated:,}"
        )


class Counters:
    """Counts that the source's and the writer's threads add to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(Counts.__dataclass_fields__, 0)

    def add(self, **counts: int) -> None:
        """Add to counts by name, such as ``add(read=1, rejected=1)``."""
        with self._lock:
            for name, count in counts.items():
                self._counts[name] += count

    def now(self) -> Counts:
        """Return the counts as they are at one moment."""
        with self._lock:
            return Counts(**self._counts)


class Stop(Protocol):
    """The wish to end, which is also how a source sleeps: `threading.Event` is one."""

    def is_set(self) -> bool:
        """Return whether to end."""

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep for some seconds, or until it is time to end."""


class Source(Protocol):
    """Where quotes come from.

    Attributes
    ----------
    total : int or None
        How many things it will read; None if it runs until it is stopped.
    """

    total: int | None

    def quotes(self, counters: Counters, stop: Stop) -> Iterator[Quote]:
        """Yield quotes, per symbol as they come, until there are no more or `stop` is set.

        A source counts what it reads, rejects and finds repeated, and says in the log why, in words a person can act
        on. It raises only what makes going on senseless.
        """
