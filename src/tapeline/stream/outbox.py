"""Records that wait to be taken by Kinesis: which of them the next call carries, and when it is due."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

from tapeline.aws.backoff import pause

# API Reference, PutRecords: 500 records and 5 MiB a call, 1 MiB a record, keys included; keys of 1 to 256 characters.
MAX_CALL_RECORDS = 500
MAX_CALL_BYTES = 5 * 1024**2
MAX_RECORD_BYTES = 1024**2
MAX_KEY_CHARACTERS = 256


@dataclass(slots=True)
class WaitingRecord:
    """A record waiting to be accepted."""

    symbol: str
    data: bytes
    added_at: float
    attempts: int = 0

    @property
    def size(self) -> int:
        """Bytes that count against the limits."""
        return len(self.data) + len(self.symbol.encode())


class Outbox:
    """Records waiting per symbol, oldest first, and when each symbol may be tried.

    Not safe for threads; time is passed in.

    Parameters
    ----------
    linger_seconds : float
        How long the first record waits for others to share its call.
    first_pause_seconds, longest_pause_seconds : float
        Back-off after a failure: doubled each time, with jitter between half and all of it.
    """

    def __init__(
        self, linger_seconds: float, first_pause_seconds: float, longest_pause_seconds: float, randomness: random.Random
    ) -> None:
        self._linger_seconds = linger_seconds
        self._first_pause_seconds = first_pause_seconds
        self._longest_pause_seconds = longest_pause_seconds
        self._random = randomness
        self._queues: dict[str, deque[WaitingRecord]] = {}
        self._not_before: dict[str, float] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, symbol: str, data: bytes, now: float) -> None:
        """Put a record behind the others of its symbol."""
        self._queues.setdefault(symbol, deque()).append(WaitingRecord(symbol, data, now))
        self._length += 1

    def due(self, now: float, *, hurry: bool) -> float:
        """Return when `take` is next worth calling; `now` or earlier if at once. There must be something waiting."""
        rested = [queue[0] for symbol, queue in self._queues.items() if self._not_before.get(symbol, now) <= now]
        if not rested:
            return min(self._not_before.values())
        full = len(rested) >= MAX_CALL_RECORDS or self._length > len(self._queues)
        if hurry or full or any(entry.attempts for entry in rested):
            return now
        linger_ends = min(entry.added_at for entry in rested) + self._linger_seconds
        return min(linger_ends, *self._not_before.values()) if self._not_before else linger_ends

    def take(self, now: float) -> list[WaitingRecord]:
        """Return the next call's records: the oldest of each symbol that may be tried, within the limits of a call."""
        batch: list[WaitingRecord] = []
        size = 0
        for symbol, queue in self._queues.items():
            if self._not_before.get(symbol, now) > now:
                continue
            if len(batch) == MAX_CALL_RECORDS or size + queue[0].size > MAX_CALL_BYTES:
                break
            batch.append(queue[0])
            size += queue[0].size
        return batch

    def done(self, entry: WaitingRecord) -> None:
        """Forget a record that was accepted or rejected; its symbol goes behind the others."""
        queue = self._queues.pop(entry.symbol)
        if queue.popleft() is not entry:
            raise AssertionError(f"{entry.symbol}: a record left before an older one")
        self._length -= 1
        self._not_before.pop(entry.symbol, None)
        if queue:
            self._queues[entry.symbol] = queue

    def failed(self, entry: WaitingRecord, now: float) -> None:
        """Keep a record to be tried again, and let its symbol rest."""
        wait = pause(entry.attempts, self._first_pause_seconds, self._longest_pause_seconds, self._random)
        entry.attempts += 1
        self._not_before[entry.symbol] = now + wait


def problem_of(symbol: str, data: bytes) -> str:
    """Return why Kinesis would refuse a record; empty if it would not."""
    if not 1 <= len(symbol) <= MAX_KEY_CHARACTERS:
        return f"a partition key has 1 to {MAX_KEY_CHARACTERS} characters, this has {len(symbol)}"
    size = len(data) + len(symbol.encode())
    if size > MAX_RECORD_BYTES:
        return f"a record has at most {MAX_RECORD_BYTES:,} bytes, this has {size:,}"
    return ""
