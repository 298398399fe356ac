"""A server with open streams stops when it is asked to."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request

from localaws.testing import free_port

SERVER = """
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from tapeline.desk.events import events, on_stop
from tapeline.desk.feed import Feed
from tapeline.desk.models import Health

NEWEST = '{"timestamp": "2026-03-12T14:30:00Z", "price": 1, "source": "yahoo", "reasons": []}'
feed = Feed(lambda: [("AAPL", NEWEST)], lambda day: {})


async def health():
    return Health(at="", lights=[], dags=(), triggers=())


async def logged_in():
    return True


async def stream(request):
    await feed.begin()
    on_stop(feed.close)
    return StreamingResponse(events(feed.updates(), health, logged_in), media_type="text/event-stream")


uvicorn.run(
    Starlette(routes=[Route("/stream", stream)]), port=int(sys.argv[1]), timeout_graceful_shutdown=120,
    log_level="warning",
)
"""


def test_streams_end_when_the_server_is_asked_to_stop() -> None:
    port = free_port()
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(port)])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        for _ in range(200):
            try:
                answer = opener.open(f"http://127.0.0.1:{port}/stream", timeout=30)
                break
            except OSError:
                assert server.poll() is None
                try:
                    server.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
        with answer:
            lines = iter(answer.readline, b"")
            document = next(line for line in lines if line.startswith(b"data: ") and b"symbols" in line)
            assert json.loads(document.removeprefix(b"data: "))["symbols"][0]["symbol"] == "AAPL"
            server.send_signal(signal.SIGTERM)
            rest = list(lines)  # to its end
        assert b"symbols" not in b"".join(rest)
        server.wait(60)  # half of what the server would wait for streams that do not end
    finally:
        server.kill()
        server.wait()
