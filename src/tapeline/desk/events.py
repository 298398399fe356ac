"""Server-sent events: quotes as they change, lights every few seconds, until the log-in or the server ends."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from tapeline.desk.models import Health

HEALTH_SECONDS = 8.0
"""How often a page is sent the lights; it takes a silence of 30 s for a broken connection."""

_handlers: dict[int, Any] = {}
_actions: list[tuple[asyncio.AbstractEventLoop, Callable[[], None]]] = []


async def events(
    updates: AsyncIterator[tuple[int, bytes]],
    health: Callable[[], Awaitable[Health]],
    still_logged_in: Callable[[], Awaitable[bool]],
    health_seconds: float = HEALTH_SECONDS,
) -> AsyncIterator[bytes]:
    """Yield events until the updates (versions and documents of the feed) end or the log-in does."""

    async def quotes() -> AsyncIterator[bytes]:
        async for version, document in updates:
            yield b"id: %d\nevent: quotes\ndata: %s\n\n" % (version, document)

    async def lights() -> AsyncIterator[bytes]:
        while await still_logged_in():
            yield b"event: health\ndata: %s\n\n" % (await health()).model_dump_json().encode()
            await asyncio.sleep(health_seconds)

    yield b"retry: 2000\n\n"
    async for event in _interleaved(quotes(), lights()):
        yield event


async def _interleaved(*sources: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what comes from several sources as it comes; end with the first that ends."""
    waiting = {asyncio.ensure_future(_next(source)): source for source in sources}
    try:
        while True:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                source = waiting.pop(task)
                event = task.result()
                if event is None:
                    return
                yield event
                waiting[asyncio.ensure_future(_next(source))] = source
    finally:
        for task in waiting:
            task.cancel()
        for task in waiting:
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _next(source: AsyncIterator[bytes]) -> bytes | None:
    return await anext(source, None)


def on_stop(act: Callable[[], None]) -> None:
    """Call something in this event loop when the process is asked to stop, before what the server does about it.

    The server waits for open answers, and a stream of events would never end. Does nothing outside of the main thread,
    where Python takes no signals, and where the server takes none.
    """
    loop = asyncio.get_running_loop()
    if threading.current_thread() is not threading.main_thread() or (loop, act) in _actions:
        return
    _actions.append((loop, act))
    for number in (signal.SIGTERM, signal.SIGINT):
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
