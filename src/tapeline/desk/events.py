"""Server-sent events: quotes as they change, lights every few seconds, for as long as the log-in is good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from tapeline.desk.models import Health

HEALTH_SECONDS = 8.0
"""The page takes a silence of 30 s for a broken connection."""


async def events(
    updates: AsyncIterator[tuple[int, bytes]],
    health: Callable[[], Awaitable[Health]],
    still_logged_in: Callable[[], Awaitable[bool]],
    health_seconds: float = HEALTH_SECONDS,
) -> AsyncIterator[bytes]:
    """Yield events until the updates end or the log-in does.

    Parameters
    ----------
    updates : async iterator of (int, bytes)
        Versions and documents of the feed.
    health, still_logged_in : callable
        Asked every few seconds.
    health_seconds : float
        How often.
    """

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
