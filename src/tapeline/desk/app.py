"""The market desk's server: what the page, its scripts and its reports are fetched from.

No route answers without a log-in, and who is logged in, who reads and who may start what is Airflow's decision
(`Access`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path as FilePath
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Body, Depends, FastAPI, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from tapeline.desk.access import Access, User
from tapeline.desk.answers import REPORT_POLICY, SafeHeaders, answer_errors
from tapeline.desk.events import HEALTH_SECONDS, events
from tapeline.desk.models import Health, Me, Rejects, Reports, SessionDetail, Sessions, Started
from tapeline.desk.reader import DeskReader
from tapeline.desk.triggers import TRIGGERS
from tapeline.market.quotes import SYMBOL_PATTERN

STATIC = FilePath(__file__).with_name("static")

_DATE = r"^\d{4}-\d\d-\d\d$"
Symbol = Annotated[str, Path(pattern=f"^{SYMBOL_PATTERN}$")]
SymbolParameter = Annotated[str, Query(alias="symbol", pattern=f"^{SYMBOL_PATTERN}$")]
DayParameter = Annotated[str | None, Query(alias="session", pattern=_DATE)]
Limit = Annotated[int, Query(ge=1, le=200)]
Day = Annotated[str, Path(pattern=_DATE)]
ReportName = Annotated[str, Path(pattern=r"^[a-z-]{1,40}\.html$")]
DagId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,250}$")]
Nothing = Annotated[dict[str, Any], Body(max_length=0)]


def create_app(access: Access, reader: DeskReader, health_seconds: float = HEALTH_SECONDS) -> FastAPI:
    """Return the desk's server, which sends the lights to open pages every `health_seconds`."""
    app = FastAPI(
        title="Market desk", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(access.user)]
    )
    app.add_middleware(SafeHeaders)
    answer_errors(app, access)
    _add_files(app, access)
    _add_market(app, access, reader, health_seconds)
    _add_pipeline(app, access, reader)
    _add_trigger(app, access, reader)
    return app


def _add_files(app: FastAPI, access: Access) -> None:
    static = StaticFiles(directory=STATIC)

    @app.get("/static/{name:path}")
    async def file(name: str, request: Request) -> Response:
        answer = await static.get_response(name, request.scope)
        answer.headers["cache-control"] = "no-cache"  # may be kept, must be asked about
        return answer

    @app.get("/", dependencies=[Depends(access.read)])
    async def page(request: Request) -> Response:
        return await file("index.html", request)


def _add_market(app: FastAPI, access: Access, reader: DeskReader, health_seconds: float) -> None:
    reads, user_of_request = [Depends(access.read)], Depends(access.user)

    @app.get("/api/me", dependencies=reads)
    def me(user: User = user_of_request) -> Me:
        return Me(user=user.get_name(), may_trigger=access.may_trigger(user))

    @app.get("/api/quotes", dependencies=reads)
    async def quotes(since: int | None = None) -> Response:
        return Response(await reader.quotes(since), media_type="application/json")

    @app.get("/api/stream", dependencies=reads)
    async def stream(request: Request) -> Response:
        last = request.headers.get("last-event-id", "")
        updates = await reader.updates(int(last) if last.isdecimal() else None)
        logged_in = partial(access.still_logged_in, request)
        sent = events(updates, reader.health_or_why_not, logged_in, health_seconds)
        return StreamingResponse(sent, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    @app.get("/api/symbols/{symbol}", dependencies=reads)
    async def detail(symbol: Symbol, session: DayParameter = None) -> SessionDetail:
        return await reader.detail(symbol, _day(session) if session else None)

    @app.get("/api/sessions", dependencies=reads)
    async def sessions(symbol: SymbolParameter) -> Sessions:
        return await reader.sessions(symbol)


def _add_pipeline(app: FastAPI, access: Access, reader: DeskReader) -> None:
    reads = [Depends(access.read)]

    @app.get("/api/health", dependencies=reads)
    async def health() -> Health:
        return await reader.health()

    @app.get("/api/rejects", dependencies=reads)
    async def rejects(limit: Limit = 50) -> Rejects:
        return await reader.rejects(limit)

    @app.get("/api/reports", dependencies=reads)
    async def reports() -> Reports:
        return await reader.reports()

    @app.get("/reports/{day}/{name}", dependencies=reads)
    async def report(day: Day, name: ReportName) -> Response:
        body = await reader.report(_day(day), name.removesuffix(".html"))
        if body is None:
            raise HTTPException(404, f"There is no report {name} of {day}.")
        return Response(body, media_type="text/html", headers={"content-security-policy": REPORT_POLICY})


def _add_trigger(app: FastAPI, access: Access, reader: DeskReader) -> None:
    guards, user_of_request = [access.read, _refuse_other_sites, *access.trigger], Depends(access.user)

    @app.post("/api/dags/{dag_id}/trigger", dependencies=[*map(Depends, guards)], status_code=201)
    async def trigger(dag_id: DagId, _: Nothing, user: User = user_of_request) -> Started:
        if dag_id not in TRIGGERS:
            raise HTTPException(404, f"The desk starts {', '.join(TRIGGERS)}, not {dag_id}.")
        run = TRIGGERS[dag_id](datetime.now(UTC), await reader.due_session())
        run_id = await reader.in_thread(lambda: access.start(dag_id, run.conf, run.partition_key, user.get_name()))
        href = f"../dags/{dag_id}/runs/{quote(run_id, safe='')}"
        return Started(dag_id=dag_id, run_id=run_id, dry_run=run.dry_run, href=href)


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
