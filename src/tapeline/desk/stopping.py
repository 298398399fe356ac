"""Notices that the server is told to stop: it waits for open answers, and a stream of events would never end."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_handlers: dict[int, Any] = {}
_actions: list[tuple[asyncio.AbstractEventLoop, Callable[[], None]]] = []


def when_told_to_stop(act: Callable[[], None]) -> None:
    """Call something in this event loop when the process is told to stop, before what the server does about it.

    Does nothing outside of the main thread, where Python takes no signals, and where the server takes none.
    """
    loop = asyncio.get_running_loop()
    if threading.current_thread() is not threading.main_thread() or (loop, act) in _actions:
        return
    _actions.append((loop, act))
    for number in _SIGNALS:
        handler = signal.getsignal(number)
        if callable(handler) and handler is not _stop and handler is not signal.default_int_handler:
            _handlers[number] = handler
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    for loop, act in _actions:
        if not loop.is_closed():
            loop.call_soon_threadsafe(act)
    _actions.clear()
    signal.signal(number, _handlers[number])
    _handlers[number](number, frame)
