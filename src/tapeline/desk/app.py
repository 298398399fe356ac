"""The market desk's server: what the page, its scripts and its reports are fetched from.

No route answers without a log-in, and who is logged in, who reads and who may start what is Airflow's decision
(`Access`). Everything that calls AWS or the database does so in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path as FilePath
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import Body, Depends, FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from tapeline.aws.deployment import Deployment
from tapeline.desk import lake
from tapeline.desk.access import Access, User
from tapeline.desk.answers import PAGE_POLICY, REPORT_POLICY, SafeHeaders, explain, tell_errors
from tapeline.desk.errands import ERRANDS
from tapeline.desk.events import events
from tapeline.desk.feed import feed_of
from tapeline.desk.history import History
from tapeline.desk.lights import Lights
from tapeline.desk.memo import Memo
from tapeline.desk.stopping import on_stop
from tapeline.market.quotes import SYMBOL_PATTERN

__all__ = ["PAGE_POLICY", "STATIC", "create_app"]

STATIC = FilePath(__file__).with_name("static")

THREADS = 8
"""For calls to AWS, beside those of the feed: slow ones must take none away from Airflow's own."""

LIST_SECONDS = 5.0
"""How long a list of rejects or reports is good."""

_DATE = r"^\d{4}-\d\d-\d\d$"
Symbol = Annotated[str, Path(pattern=f"^{SYMBOL_PATTERN}$")]
AskedSymbol = Annotated[str, Query(alias="symbol", pattern=f"^{SYMBOL_PATTERN}$")]
AskedDay = Annotated[str | None, Query(alias="session", pattern=_DATE)]
Limit = Annotated[int, Query(ge=1, le=200)]
Day = Annotated[str, Path(pattern=_DATE)]
ReportName = Annotated[str, Path(pattern=r"^[a-z-]{1,40}\.html$")]
DagId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,250}$")]
Nothing = Annotated[dict[str, Any], Body(max_length=0)]
T = TypeVar("T")


def create_app(access: Access, deployment: Callable[[], Deployment]) -> FastAPI:
    """Return the desk's server.

    Parameters
    ----------
    access : Access
        Log-in and permissions.
    deployment : callable
        Finds what is shown; called in a thread when it is first needed.
    """
    desk = _Desk(access, deployment)
    app = FastAPI(
        title="Market desk", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(access.user)]
    )
    app.state.feed = desk.feed
    app.add_middleware(SafeHeaders)
    tell_errors(app, access)
    _add_page(app, access)
    _add_market(app, access, desk)
    _add_pipeline(app, access, desk)
    _add_trigger(app, access, desk)
    return app


class _Desk:
    """What the routes share."""

    def __init__(self, access: Access, deployment: Callable[[], Deployment]) -> None:
        self.deployment = deployment
        self.feed = feed_of(deployment)
        self.history = History(deployment)
        self.lights = Lights(deployment, access.last_runs, tuple(ERRANDS), lambda: datetime.now(UTC))
        self.rejects: Memo[dict[str, Any]] = Memo(LIST_SECONDS)
        self.reports: Memo[list[dict[str, str]]] = Memo(LIST_SECONDS)
        self._pool = ThreadPoolExecutor(THREADS, "market-desk")

    async def thread(self, call: Callable[[], T]) -> T:
        """Return what a call gives that may wait for AWS or the database."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    async def health(self) -> dict[str, Any]:
        """Return the lights, all unknown if they cannot be judged."""
        try:
            return await self.thread(self.lights.document)
        except Exception as error:  # noqa: BLE001 - told in each light
            return self.lights.unknown(explain(error))


def _add_page(app: FastAPI, access: Access) -> None:
    static = StaticFiles(directory=STATIC)

    @app.get("/", dependencies=[Depends(access.read)])
    async def page(request: Request) -> Response:
        return await _file(static, "index.html", request)

    @app.get("/static/{name:path}")
    async def file(name: str, request: Request) -> Response:
        return await _file(static, name, request)


async def _file(static: StaticFiles, name: str, request: Request) -> Response:
    answer = await static.get_response(name, request.scope)
    answer.headers["cache-control"] = "no-cache"  # may be kept, must be asked about
    return answer


def _add_market(app: FastAPI, access: Access, desk: _Desk) -> None:
    reads, known_user = [Depends(access.read)], Depends(access.user)

    @app.get("/api/me", dependencies=reads)
    def me(user: User = known_user) -> dict[str, Any]:
        return {"user": user.get_name(), "may_trigger": access.may_trigger(user)}

    @app.get("/api/quotes", dependencies=reads)
    async def quotes(since: int | None = None) -> Response:
        _, document = await desk.feed.document(since)
        return Response(document, media_type="application/json")

    @app.get("/api/stream", dependencies=reads)
    async def stream(request: Request) -> Response:
        last = request.headers.get("last-event-id", "")
        await desk.feed.begin()
        on_stop(desk.feed.close)
        told = events(
            desk.feed.updates(int(last) if last.isdecimal() else None),
            desk.health,
            partial(access.still_logged_in, request),
        )
        return StreamingResponse(told, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    @app.get("/api/symbols/{symbol}", dependencies=reads)
    async def detail(symbol: Symbol, session: AskedDay = None) -> JSONResponse:
        day = _day(session) if session else None
        return JSONResponse(await desk.thread(lambda: desk.history.detail(symbol, day)))

    @app.get("/api/sessions", dependencies=reads)
    async def sessions(symbol: AskedSymbol) -> JSONResponse:
        return JSONResponse(await desk.thread(lambda: desk.history.sessions(symbol)))


def _add_pipeline(app: FastAPI, access: Access, desk: _Desk) -> None:
    reads = [Depends(access.read)]

    @app.get("/api/health", dependencies=reads)
    async def health() -> JSONResponse:
        return JSONResponse(await desk.thread(desk.lights.document))

    @app.get("/api/rejects", dependencies=reads)
    async def rejects(limit: Limit = 50) -> JSONResponse:
        def look() -> dict[str, Any]:
            return lake.rejects(desk.deployment(), limit)

        return JSONResponse(await desk.thread(lambda: desk.rejects.get(limit, look)))

    @app.get("/api/reports", dependencies=reads)
    async def reports() -> JSONResponse:
        found = await desk.thread(lambda: desk.reports.get(None, lambda: lake.reports(desk.deployment())))
        return JSONResponse({"reports": found})

    @app.get("/reports/{day}/{name}", dependencies=reads)
    async def report(day: Day, name: ReportName) -> Response:
        asked = _day(day)
        body = await desk.thread(lambda: lake.report(desk.deployment(), asked, name.removesuffix(".html")))
        if body is None:
            raise HTTPException(404, f"There is no report {name} of {day}.")
        return Response(body, media_type="text/html", headers={"content-security-policy": REPORT_POLICY})


def _add_trigger(app: FastAPI, access: Access, desk: _Desk) -> None:
    guards = [Depends(access.read), Depends(_refuse_other_sites), *map(Depends, access.trigger)]
    known_user = Depends(access.user)

    @app.post("/api/dags/{dag_id}/trigger", dependencies=guards, status_code=201)
    async def trigger(dag_id: DagId, _: Nothing, user: User = known_user) -> dict[str, Any]:
        if dag_id not in ERRANDS:
            raise HTTPException(404, f"The desk starts {', '.join(ERRANDS)}, not {dag_id}.")
        errand = ERRANDS[dag_id](datetime.now(UTC), await desk.thread(desk.lights.due_session))
        run_id = await desk.thread(lambda: access.start(dag_id, errand.conf, errand.partition_key, user.get_name()))
        href = f"../dags/{dag_id}/runs/{quote(run_id, safe='')}"
        return {"dag_id": dag_id, "run_id": run_id, "dry_run": errand.dry_run, "href": href}


async def _refuse_other_sites(request: Request) -> None:
    """Refuse what a form or script of another site could send with the user's cookie."""
    if request.headers.get("x-requested-with") != "market-desk":
        raise HTTPException(403, "Only the market desk's own page may ask for this.")
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise HTTPException(403, "Another site may not ask for this.")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Expected a body of application/json.")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise HTTPException(422, f"Expected a date such as 2026-03-12, found {text}.") from None
