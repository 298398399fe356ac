"""One port on the loopback interface: MiniStack's application behind our thin layer."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import uvicorn

from localaws import access, alarms, bounds, paging, resources, settings
from localaws import ministack_names as base
from localaws.athena.api import Athena
from localaws.clients import connect
from localaws.crawler import Crawler
from localaws.extensions import Extension, Response, install
from localaws.invoke import LambdaInvoke
from localaws.journal import Keeper
from localaws.mail import Mailbox
from localaws.pages import Pages
from localaws.sns_mail import SnsMail
from localaws.sns_subjects import SnsSubjects

logger = logging.getLogger("localaws")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def build(folder: Path, endpoint: str, secret: str) -> Layer:
    """Return the application: what this layer adds, in the order in which it starts, and its pages."""
    mailbox = Mailbox(folder / "mail")
    mail = SnsMail(mailbox, endpoint, secret)
    athena = Athena(folder, connect())
    resources.name_resources(athena.workgroup_of)
    return Layer(
        [Keeper(folder / "aws"), mail, SnsSubjects(), athena, Crawler(folder), LambdaInvoke(folder)],
        Pages(mailbox, mail, endpoint, secret),
    )


class Layer:
    """The ASGI application: refuses the base's unauthenticated pages, starts and stops the extensions, and hands on."""

    def __init__(self, parts: Sequence[object], pages: Pages) -> None:
        self._parts = parts
        self._pages = pages
        access.enforce_root_signature()
        access.authorize_batches()
        access.know_leading_keys()
        access.sign_code_locations()
        access.check_containers()
        bounds.keep_bounds()
        alarms.evaluate_by_dimension()
        paging.read_by_the_page()
        # The base's poller would invoke the functions too, whole batch or nothing; `localaws.delivery` does it.
        base.POLLER_STARTED.set(True)
        install(part for part in parts if isinstance(part, Extension))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's event loop, as ASGI 3 asks."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith("/_localaws/"):
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            await _send(
                send,
                self._pages.answer(scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers),
            )
        elif scope["type"] == "http" and (refusal := access.refused(scope)) is not None:
            await _send(send, refusal)
        else:
            await base.app(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start our parts after the base has loaded its state and stop them before it saves it."""

        async def received() -> MutableMapping[str, Any]:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._each("stop", reversed(self._parts))
            return message

        async def sent(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "lifespan.startup.complete":
                await self._each("start", self._parts)
            await send(message)

        try:
            await base.app(scope, received, sent)
        except Exception as error:
            # The server would go on without: with no state loaded, or none saved.
            logger.critical("the local AWS cannot go on", exc_info=error)
            os._exit(1)

    async def _each(self, step: str, parts: Any) -> None:
        for part in parts:
            if (method := getattr(part, step, None)) is not None:
                await method()


async def _send(send: Send, response: Response) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in response.headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def run(folder: Path, port: int, secret: str) -> None:
    """Serve until SIGTERM or SIGINT, then save the state and exit."""
    for number in (signal.SIGTERM, signal.SIGINT):  # which the server raises again once it has shut down
        signal.signal(number, lambda *_: sys.exit())
    uvicorn.run(
        build(folder, f"http://127.0.0.1:{port}", secret),
        host=settings.address("TAPELINE_BIND"),
        port=port,
        http="httptools",  # with uvloop, a third of the time that the base's own server takes for a short request
        loop="uvloop",
        lifespan="on",
        ws="none",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        access_log=False,
        log_level="warning",
    )
