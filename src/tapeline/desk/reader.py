"""Reads what the desk shows. What waits for AWS or the database does so in a thread, and is kept for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import TypeVar

from tapeline.aws.deployment import Deployment
from tapeline.desk import lake
from tapeline.desk.access import Run
from tapeline.desk.answers import explain
from tapeline.desk.events import on_stop
from tapeline.desk.feed import feed_of
from tapeline.desk.history import History
from tapeline.desk.lights import Lights
from tapeline.desk.memo import Memo
from tapeline.desk.models import Health, Rejects, Report, Reports, SessionDetail, Sessions
from tapeline.desk.triggers import TRIGGERS

THREADS = 8
"""For calls to AWS, beside those of the feed: slow ones must take none away from Airflow's own."""

LIST_SECONDS = 5.0
"""How long a list of rejects or reports is good."""

T = TypeVar("T")


class DeskReader:
    """The market and the pipeline of a deployment, which is found in a thread when it is first needed.

    `last_runs` gives the last ends of a DAG's runs, the newest first.
    """

    def __init__(self, deployment: Callable[[], Deployment], last_runs: Callable[[str], list[Run]]) -> None:
        self._deployment = deployment
        self._feed = feed_of(deployment)
        self._history = History(deployment)
        self._lights = Lights(deployment, last_runs, tuple(TRIGGERS), lambda: datetime.now(UTC))
        self._rejects: Memo[Rejects] = Memo(LIST_SECONDS)
        self._reports: Memo[list[Report]] = Memo(LIST_SECONDS)
        self._pool = ThreadPoolExecutor(THREADS, "market-desk")

    async def in_thread(self, call: Callable[[], T]) -> T:
        """Return what a call gives that may wait for AWS or the database."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    async def quotes(self, since: int | None) -> bytes:
        """Return what changed since a version, or all, as the JSON of `models.Quotes`."""
        return (await self._feed.document(since))[1]

    async def updates(self, since: int | None) -> AsyncIterator[tuple[int, bytes]]:
        """Return versions and documents as they come, once the first is read; they end when the server is to stop."""
        await self._feed.begin()
        on_stop(self._feed.close)
        return self._feed.updates(since)

    async def detail(self, symbol: str, day: date | None) -> SessionDetail:
        """Return a session of a symbol, by default its newest."""
        return await self.in_thread(lambda: self._history.detail(symbol, day))

    async def sessions(self, symbol: str) -> Sessions:
        """Return the sessions of a symbol."""
        return await self.in_thread(lambda: self._history.sessions(symbol))

    async def health(self) -> Health:
        """Return the lights."""
        return await self.in_thread(self._lights.document)

    async def health_or_why_not(self) -> Health:
        """Return the lights, all unknown if they cannot be judged."""
        try:
            return await self.health()
        except Exception as error:  # noqa: BLE001 - each light shows it
            return self._lights.unknown(explain(error))

    async def due_session(self) -> str:
        """Return the newest session that should be rolled up by now."""
        return await self.in_thread(self._lights.due_session)

    async def rejects(self, most: int) -> Rejects:
        """Return the newest rejected records."""
        return await self.in_thread(lambda: self._rejects.get(most, lambda: lake.rejects(self._deployment(), most)))

    async def reports(self) -> Reports:
        """Return the stored reports."""
        reports = await self.in_thread(lambda: self._reports.get(None, lambda: lake.reports(self._deployment())))
        return Reports(reports=reports)

    async def report(self, day: date, name: str) -> bytes | None:
        """Return a stored report, HTML; None if there is none."""
        return await self.in_thread(lambda: lake.report(self._deployment(), day, name))
