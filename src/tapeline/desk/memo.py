"""Remembers answers for a while, so that ten pages that ask the same cost one."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

V = TypeVar("V")

FAILURE_SECONDS = 2.0
"""How long an error is remembered: pages that all ask again must not each wait for the same time-out."""


@dataclass(slots=True)
class _Slot(Generic[V]):
    lock: threading.Lock = field(default_factory=threading.Lock)
    value: V | None = None
    error: Exception | None = None
    good_until: float = 0.0


class Memo(Generic[V]):
    """Answers by key, good for some seconds, each computed by one thread at a time; the longest unused go first."""

    def __init__(self, seconds: float, most: int = 200) -> None:
        self._seconds = seconds
        self._most = most
        self._slots: OrderedDict[Hashable, _Slot[V]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, compute: Callable[[], V]) -> V:
        """Return the answer of a key, computed if there is none or it is too old."""
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > self._most:
                self._slots.popitem(last=False)
        with slot.lock:
            if time.monotonic() >= slot.good_until:
                try:
                    slot.value, slot.error = compute(), None
                except Exception as error:  # noqa: BLE001 - raised again below, here and for who waits
                    slot.error = error
                kept = self._seconds if slot.error is None else min(self._seconds, FAILURE_SECONDS)
                slot.good_until = time.monotonic() + kept
            if slot.error is not None:
                raise slot.error
            return slot.value  # type: ignore[return-value]
