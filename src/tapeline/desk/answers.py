"""What every answer of the desk has in common: safe headers, and a sentence where something went wrong."""

from __future__ import annotations

import logging

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tapeline.aws.deployment import StackError
from tapeline.desk.access import Access, StartError
from tapeline.desk.feed import FeedError
from tapeline.desk.history import UnknownSymbolError
from tapeline.lake.athena import StatementFailedError
from tapeline.market.sessions import NotASessionError

_NOWHERE_ELSE = "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    f"frame-src 'self'; {_NOWHERE_ELSE}"
)
REPORT_POLICY = f"sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; {_NOWHERE_ELSE}"
"""A report is a page by itself: no script, no origin, nothing loaded; its styles and its charts are in it."""

HEADERS = {
    b"content-security-policy": PAGE_POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
"""Of every answer that does not say otherwise."""

_STATUS: dict[type[Exception], int] = {UnknownSymbolError: 404, NotASessionError: 422, StartError: 409} | dict.fromkeys(
    (BotoCoreError, ClientError, StackError, StatementFailedError, FeedError), 503
)

log = logging.getLogger(__name__)


def answer_errors(app: FastAPI, access: Access) -> None:
    """Answer every error with a sentence; send a person who wants the page without a log-in to the log-in."""

    async def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
        wants_page = request.url.path.endswith("/") and "text/html" in request.headers.get("accept", "")
        if error.status_code == 401 and wants_page:
            return RedirectResponse(access.login_address(request), status_code=303)
        return JSONResponse({"detail": str(error.detail)}, error.status_code)

    async def malformed(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        why = "; ".join(f"{'.'.join(map(str, fault['loc'][1:]))}: {fault['msg']}" for fault in error.errors())
        return JSONResponse({"detail": f"The request is not understood: {why}."}, 422)

    async def failed(request: Request, error: Exception) -> Response:
        status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
        if status == 503:
            log.warning("%s cannot be answered: %s", request.url.path, error)
        return JSONResponse({"detail": explain(error)}, status)

    app.add_exception_handler(HTTPException, refuse)
    app.add_exception_handler(RequestValidationError, malformed)
    for kind in _STATUS:
        app.add_exception_handler(kind, failed)


def explain(error: BaseException) -> str:
    """Return an error as a sentence, with what to do about it where a person can act."""
    if isinstance(error, FeedError) and error.__cause__ is not None:
        return explain(error.__cause__)
    if isinstance(error, StackError):
        return f"The deployment is not found: {error}."
    if isinstance(error, ClientError):
        code, call = error.response.get("Error", {}).get("Code", "an error"), error.operation_name
        if any(word in code for word in ("AccessDenied", "NotAuthorized", "Unauthorized", "AuthorizationError")):
            return (
                f"AWS does not let Airflow call {call}: attach the stack's policy for Airflow (its output "
                "AirflowPolicyArn) to Airflow's user or role, and deploy again if the stack is older than this page."
            )
        return f"AWS refuses {call} ({code}); `tapeline status` shows how the deployment is."
    if isinstance(error, BotoCoreError):
        return (
            f"AWS does not answer ({type(error).__name__}): on a laptop see whether `tapeline up` runs, on AWS look at "
            "the connection `aws_default` and the network."
        )
    return f"{str(error).rstrip('.')}."


class SafeHeaders:
    """Middleware that puts `HEADERS` on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                missing = [(name, value) for name, value in HEADERS.items() if name not in present]
                message["headers"] = [*message["headers"], *missing]
            await send(message)

        await self._app(scope, receive, with_headers)
