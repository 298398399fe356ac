"""The market desk's server: what the page, its scripts and its reports are fetched from.

No route answers without a log-in, and who logs in, who reads and who may start what is Airflow's decision (`Access`).
Everything that calls AWS does so in a thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tapeline.aws.athena import StatementFailedError
from tapeline.aws.stack import StackError
from tapeline.desk.access import Access, User
from tapeline.desk.deployment import Deployment
from tapeline.desk.feed import FeedError, feed_of

STATIC = Path(__file__).with_name("static")

PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "frame-src 'self'",
        "frame-ancestors 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
HEADERS = {
    "content-security-policy": PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Of every answer that does not say otherwise."""

log = logging.getLogger(__name__)


def create_app(access: Access, deployment: Callable[[], Deployment]) -> FastAPI:
    """Return the desk's server.

    Parameters
    ----------
    access : Access
        Log-in and permissions.
    deployment : callable
        Finds what is shown; called in a thread when it is first needed.
    """
    feed = feed_of(deployment)
    static = StaticFiles(directory=STATIC)
    app = FastAPI(
        title="Market desk",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(access.user)],
    )
    app.state.feed = feed
    app.add_middleware(_SafeHeaders)
    _tell_errors(app, access)
    reads, known_user = [Depends(access.read)], Depends(access.user)

    @app.get("/", dependencies=reads)
    async def page(request: Request) -> Response:
        return await _file(static, "index.html", request)

    @app.get("/static/{name:path}")
    async def file(name: str, request: Request) -> Response:
        return await _file(static, name, request)

    @app.get("/api/me", dependencies=reads)
    def me(user: User = known_user) -> dict[str, Any]:
        return {"user": user.get_name(), "may_trigger": access.may_trigger(user)}

    @app.get("/api/quotes", dependencies=reads)
    async def quotes(since: int | None = None) -> Response:
        _, document = await feed.document(since)
        return Response(document, media_type="application/json")

    return app


async def _file(static: StaticFiles, name: str, request: Request) -> Response:
    answer = await static.get_response(name, request.scope)
    answer.headers["cache-control"] = "no-cache"  # may be kept, must be asked about
    return answer


def _tell_errors(app: FastAPI, access: Access) -> None:
    """Answer every error with a sentence."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        wants_page = request.url.path.endswith("/") and "text/html" in request.headers.get("accept", "")
        if error.status_code == 401 and wants_page:
            return RedirectResponse(access.login_address(request), status_code=303)
        return JSONResponse({"detail": str(error.detail)}, error.status_code)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> Response:
        found = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
        return JSONResponse({"detail": f"The request is not understood: {found}."}, 422)

    for kind in (BotoCoreError, ClientError, StackError, StatementFailedError, FeedError):
        app.add_exception_handler(kind, _unavailable)


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("%s cannot be answered: %s", request.url.path, error)
    return JSONResponse({"detail": explain(error)}, 503)


def explain(error: BaseException) -> str:
    """Return an error of AWS as a sentence and what to do about it."""
    if isinstance(error, FeedError) and error.__cause__ is not None:
        return explain(error.__cause__)
    if isinstance(error, StackError):
        return f"The deployment is not found: {error}."
    if isinstance(error, ClientError):
        code, call = error.response.get("Error", {}).get("Code", "an error"), error.operation_name
        if "AccessDenied" in code or "NotAuthorized" in code or "Unauthorized" in code:
            return (
                f"AWS does not let Airflow call {call}: attach the stack's policy for Airflow (its output "
                "AirflowPolicyArn) to Airflow's user or role, and deploy again if the stack is older than this page."
            )
        return f"AWS refuses {call} ({code}); `tapeline status` tells how the deployment is."
    if isinstance(error, BotoCoreError):
        return (
            f"AWS does not answer ({type(error).__name__}): on a laptop see whether `tapeline up` runs, on AWS look at "
            "the connection `aws_default` and the network."
        )
    return f"This cannot be read now: {error}"


class _SafeHeaders:
    """Puts `HEADERS` on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in given),
                ]
            await send(message)

        await self._app(scope, receive, with_headers)
