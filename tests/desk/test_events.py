"""What a stream of events says, and when it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from tapeline.desk.events import events
from tapeline.desk.models import Health, PipelineLight


async def quotes(*documents: bytes) -> AsyncIterator[tuple[int, bytes]]:
    for version, document in enumerate(documents, 1):
        yield version, document


async def for_ever() -> AsyncIterator[tuple[int, bytes]]:
    yield 1, b"{}"
    await asyncio.Event().wait()


async def health() -> Health:
    light = PipelineLight(name="quotes", label="Quotes", state="ok", value="<script>\n\n", detail="")
    return Health(at="", lights=[light], dags=(), triggers=())


async def yes() -> bool:
    return True


def fields(event: bytes) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in event.decode().strip().split("\n"))


async def test_quotes_carry_their_version_and_lights_are_one_line_each() -> None:
    told = [fields(event) async for event in events(quotes(b"{}", b'{"a":1}'), health, yes)]
    of_quotes = [event for event in told if event.get("event") == "quotes"]
    assert of_quotes == [
        {"id": "1", "event": "quotes", "data": "{}"},
        {"id": "2", "event": "quotes", "data": '{"a":1}'},
    ]
    assert [json.loads(event["data"]) for event in told if event.get("event") == "health"] == [
        (await health()).model_dump(mode="json")
    ]


async def test_a_stream_ends_with_its_log_in() -> None:
    answers = iter([True, True, False])

    async def logged_in() -> bool:
        return next(answers)

    told = [fields(event) async for event in events(for_ever(), health, logged_in, health_seconds=0.0)]
    assert [event.get("event") for event in told].count("health") == 2
