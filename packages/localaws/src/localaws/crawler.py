"""Glue crawlers that crawl: their states, their history, and a process for each crawl.

The base keeps the definitions; what runs, ran and came of it is ours, on disk beside the base's state.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from localaws.extensions import Request, Response, ServiceError, json_response
from localaws.ministack_names import SERVICE_HANDLERS

LOG_GROUP = "/aws-glue/crawlers"
HISTORY = 100
"""Crawls that are remembered of each crawler."""


@dataclass(slots=True)
class Run:
    """One crawl; times in seconds since the epoch."""

    id: str
    started: float
    state: str = "RUNNING"  # RUNNING, STOPPING, then COMPLETED, FAILED or STOPPED
    ended: float = 0.0
    error: str = ""
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.ended > 0

    def end(self, state: str, error: str = "") -> None:
        """Note how it ended."""
        self.state, self.error, self.ended = state, error, time.time()


class Crawler:
    """Answers Glue's crawler operations, over the local AWS's state folder."""

    service = "glue"

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "crawlers"
        self._base = SERVICE_HANDLERS["glue"]
        self._runs: dict[str, list[Run]] = {}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._environment = {**os.environ, "TAPELINE_HOME": str(folder)}
        self._operations = {
            "StartCrawler": self._start,
            "StopCrawler": self._stop,
            "GetCrawler": self._get,
            "GetCrawlers": self._refuse,
            "GetCrawlerMetrics": self._metrics,
            "ListCrawls": self._refuse,
            "CreateCrawler": self._check,
            "UpdateCrawler": self._change,
            "DeleteCrawler": self._change,
        }

    async def start(self) -> None:
        """Read what earlier crawls came to; one that was running has failed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.glob("*-crawls.json"):
            runs = [Run(**document) for document in json.loads(path.read_text())]
            for run in runs:
                if not run.is_over:
                    run.end("FAILED", "The local AWS stopped while the crawler ran")
            self._runs[path.name.removesuffix("-crawls.json")] = runs

    async def stop(self) -> None:
        """End the crawls that run."""
        for process in self._processes.values():
            process.kill()
        for task in list(self._tasks):
            await task

    async def handle(self, request: Request) -> Response | None:
        """Answer an operation, or leave it to the base."""
        operation = self._operations.get(request.operation)
        return await operation(request) if operation else None

    async def _ask_base(self, request: Request, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        headers = {**request.headers, "x-amz-target": f"AWSGlue.{operation}"}
        status, _, body = await self._base("POST", "/", headers, json.dumps(parameters).encode(), {})
        document: dict[str, Any] = json.loads(body or b"{}")
        if status != 200:
            code = str(document.get("__type", "InternalServiceException")).rpartition("#")[2]
            raise ServiceError(code, str(document.get("message") or document.get("Message") or ""))
        return document

    # Running

    async def _start(self, request: Request) -> Response:
        name = request.json().get("Name") or ""
        crawler = (await self._ask_base(request, "GetCrawler", {"Name": name}))["Crawler"]
        _require_catalog_targets(crawler.get("Targets"))
        if self._running(name):
            raise ServiceError("CrawlerRunningException", f"Crawler with name {name} has already started")
        run = Run(str(uuid.uuid4()), time.time())
        self._runs.setdefault(name, []).append(run)
        del self._runs[name][:-HISTORY]
        task = asyncio.create_task(self._crawl(name, run))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return json_response({})

    async def _crawl(self, name: str, run: Run) -> None:
        with (self._folder / "crawls.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "localaws.crawl", name, run.id,
                stdout=asyncio.subprocess.PIPE, stderr=log, env=self._environment,
            )  # fmt: skip
        self._processes[name] = process
        result: dict[str, Any] | None = None
        assert process.stdout  # noqa: S101 (it is a pipe, see above)
        async for line in process.stdout:
            document = json.loads(line)
            if document.get("state") == "STOPPING":
                run.state = "STOPPING"
            else:
                result = document
        await process.wait()
        del self._processes[name]
        if not run.is_over:
            run.result = result or {}
            error = (
                run.result.get("error")
                if result
                else f"The crawl ended with exit code {process.returncode}; see {self._folder / 'crawls.log'}"
            )
            run.end("FAILED" if error else "COMPLETED", error or "")
        self._keep(name)

    async def _stop(self, request: Request) -> Response:
        name = request.json().get("Name") or ""
        await self._ask_base(request, "GetCrawler", {"Name": name})
        run = self._running(name)
        if run is None:
            raise ServiceError("CrawlerNotRunningException", f"Crawler with name {name} isn't running")
        if run.state == "STOPPING":
            raise ServiceError("CrawlerStoppingException", f"Crawler with name {name} is already stopping")
        run.end("STOPPED")
        if process := self._processes.get(name):
            process.kill()
        return json_response({})

    def _running(self, name: str) -> Run | None:
        runs = self._runs.get(name)
        return runs[-1] if runs and not runs[-1].is_over else None

    def _keep(self, name: str) -> None:
        path = self._folder / f"{name}-crawls.json"
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps([asdict(run) for run in self._runs[name]]))
        draft.rename(path)

    async def _check(self, request: Request) -> None:
        """Refuse a crawler that could not run here; the base makes the others."""
        _require_catalog_targets(request.json().get("Targets"))

    async def _change(self, request: Request) -> Response | None:
        """Refuse to change a crawler that runs; the base does the rest."""
        name = request.json().get("Name") or ""
        if self._running(name):
            raise ServiceError("CrawlerRunningException", f"Crawler with name {name} is running")
        if targets := request.json().get("Targets"):
            _require_catalog_targets(targets)
        if request.operation == "DeleteCrawler":
            self._runs.pop(name, None)
            for path in self._folder.glob(f"{name}-*.json"):
                path.unlink()
        return None

    # Asking

    async def _get(self, request: Request) -> Response:
        document = await self._ask_base(request, "GetCrawler", request.json())
        return json_response({"Crawler": self._described(document["Crawler"])})

    def _described(self, crawler: dict[str, Any]) -> dict[str, Any]:
        runs = self._runs.get(crawler["Name"], [])
        running = self._running(crawler["Name"])
        described = {key: value for key, value in crawler.items() if key != "LastCrawl"}
        described["State"] = running.state if running else "READY"
        described["CrawlElapsedTime"] = int((time.time() - running.started) * 1000) if running else 0
        if over := [run for run in runs if run.is_over]:
            last = over[-1]
            described["LastCrawl"] = {
                "Status": {"COMPLETED": "SUCCEEDED", "STOPPED": "CANCELLED"}.get(last.state, "FAILED"),
                "LogGroup": LOG_GROUP,
                "LogStream": crawler["Name"],
                "MessagePrefix": last.id,
                "StartTime": last.started,
                **({"ErrorMessage": last.error} if last.error else {}),
            }
        return described

    async def _metrics(self, request: Request) -> Response:
        names = request.json().get("CrawlerNameList")
        if not names:
            names = [item["Name"] for item in (await self._ask_base(request, "GetCrawlers", {}))["Crawlers"]]
        return json_response({"CrawlerMetricsList": [self._measured(name) for name in names]})

    def _measured(self, name: str) -> dict[str, Any]:
        runs = self._runs.get(name, [])
        over = [run for run in runs if run.is_over]
        seconds = [run.ended - run.started for run in over]
        last = over[-1] if over else None
        return {
            "CrawlerName": name,
            "TimeLeftSeconds": 1.0 if self._running(name) else 0.0,
            "StillEstimating": bool(self._running(name)) and not over,
            "LastRuntimeSeconds": seconds[-1] if seconds else 0.0,
            "MedianRuntimeSeconds": statistics.median(seconds) if seconds else 0.0,
            "TablesCreated": 0,
            "TablesUpdated": len(last.result.get("tables_updated", ())) if last else 0,
            "TablesDeleted": 0,
        }

    async def _refuse(self, request: Request) -> Response:
        raise ServiceError(
            "InvalidInputException",
            f"{request.operation} is not supported here; GetCrawler has the last crawl, {LOG_GROUP} the log of all",
        )


def _require_catalog_targets(targets: dict[str, Any] | None) -> None:
    """Refuse targets that are not tables of the catalog, such as paths of S3."""
    kinds = [kind for kind, listed in (targets or {}).items() if listed]
    if kinds != ["CatalogTargets"]:
        shown = ", ".join(kinds) or "none"
        raise ServiceError("InvalidInputException", f"not supported here: expected CatalogTargets, found {shown}")
