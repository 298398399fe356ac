"""Daily history: which sessions of which symbols are missing, how to fetch them in pieces, which rows to believe."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from tapeline.market.quotes import MAX_ABSOLUTE_USD, MAX_SHARES, SYMBOL_PATTERN, write_timestamp

CHUNK_SESSIONS = 250
"""A year: one request, and far fewer months than the 100 partitions one statement may write (Athena User Guide)."""


@dataclass(frozen=True, slots=True)
class DailyBar:
    """One session of one symbol, USD and shares, as a vendor gives it."""

    session: date
    symbol: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """One request: the missing sessions of one symbol within a year, oldest first."""

    symbol: str
    sessions: tuple[date, ...]

    @property
    def first(self) -> date:
        """The oldest session."""
        return self.sessions[0]

    @property
    def last(self) -> date:
        """The newest session."""
        return self.sessions[-1]

    @property
    def name(self) -> str:
        """Name of its object, the same each time."""
        symbol = "".join(letter if letter.isalnum() else "_" for letter in self.symbol)
        return f"{symbol}-{self.first}-{self.last}.json.gz"


@dataclass(frozen=True, slots=True)
class RefusedBar:
    """A row that is not believed, with what is wrong."""

    bar: DailyBar
    reason: str


@dataclass(frozen=True, slots=True)
class FilledChunk:
    """What became of a chunk.

    Attributes
    ----------
    absent : tuple of date
        Sessions that the source has nothing of: before a listing, a halt.
    error : str
        Why nothing came, for a symbol the source does not know; empty else.
    """

    chunk: Chunk
    rows: int
    absent: tuple[date, ...]
    refused: tuple[RefusedBar, ...]
    error: str = ""

    def __str__(self) -> str:
        parts = [f"{self.chunk.symbol} {self.chunk.first} to {self.chunk.last}: {self.rows} sessions stored"]
        if self.error:
            parts.append(self.error)
        elif self.absent:
            parts.append(f"{len(self.absent)} the source does not have")
        parts += [f"{refusal.bar.session} refused: {refusal.reason}" for refusal in self.refused[:3]]
        return "; ".join(parts)


def missing_chunks(
    symbols: Iterable[str], sessions: Sequence[date], present: Iterable[tuple[str, date]]
) -> list[Chunk]:
    """Return what to fetch: per symbol the sessions that are not present, a year to a chunk.

    Raises
    ------
    ValueError
        If a symbol is no ticker.
    """
    stored = set(present)
    chunks = []
    for symbol in dict.fromkeys(symbols):
        if not re.fullmatch(SYMBOL_PATTERN, symbol):
            raise ValueError(f"expected a ticker such as AAPL or BRK-B, found {symbol[:40]!r}")
        wanted = [session for session in sorted(set(sessions)) if (symbol, session) not in stored]
        start = 0
        for position in range(1, len(wanted) + 1):
            full = position - start == CHUNK_SESSIONS
            if position == len(wanted) or full or (wanted[position] - wanted[start]).days > 365:
                chunks.append(Chunk(symbol, tuple(wanted[start:position])))
                start = position
    return chunks


def check(chunk: Chunk, bars: Iterable[DailyBar]) -> tuple[list[DailyBar], list[RefusedBar]]:
    """Keep the chunk's sessions, each once, the last of repeats; refuse rows that cannot be.

    Rows of other sessions, which lie between missing ones, are passed over in silence.
    """
    good: dict[date, DailyBar] = {}
    refused = []
    for bar in bars:
        if bar.session not in chunk.sessions:
            continue
        if reason := _fault(chunk, bar):
            refused.append(RefusedBar(bar, reason))
        else:
            good[bar.session] = bar
    return [good[session] for session in sorted(good)], refused


def row(bar: DailyBar, vendor: str, fetched_at: datetime) -> str:
    """Return a bar as a line of JSON for `daily_history_incoming`."""
    return json.dumps(
        {
            "session": bar.session.isoformat(),
            "symbol": bar.symbol,
            **{f"{name}_usd": float(getattr(bar, name)) for name in ("open", "high", "low", "close")},
            "volume_shares": bar.volume,
            "vendor": vendor,
            "fetched_at_utc": write_timestamp(fetched_at),
        }
    )


def _fault(chunk: Chunk, bar: DailyBar) -> str:
    prices = (bar.open, bar.high, bar.low, bar.close)
    if bar.symbol != chunk.symbol:
        return f"expected {chunk.symbol}, found {bar.symbol}"
    if not all(price.is_finite() and 0 < price <= MAX_ABSOLUTE_USD for price in prices):
        return f"prices must lie between 0 and 10^12 USD, found {', '.join(map(str, prices))}"
    if not bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
        return f"open {bar.open} and close {bar.close} must lie between low {bar.low} and high {bar.high}"
    if not 0 <= bar.volume <= MAX_SHARES:
        return f"volume must lie between 0 and 2^63 shares, found {bar.volume}"
    return ""
