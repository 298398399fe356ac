"""A few worker processes: statements run beside each other and never in the server that everything else needs."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from localaws import settings
from localaws.athena.statements import Statement

SIZE = 4
"""Statements at a time; further ones wait, as in Athena when the account's limit is reached."""

STATEMENTS_PER_WORKER = 200
"""After which a worker is replaced, so that what its libraries keep does not add up."""

MEMORY_KILOBYTES = 700_000
"""A worker that has ever had more is replaced too: not all of it comes back to the system."""

IDLE_SECONDS = 300
"""How long more than one worker stays without work."""

_ANSWER_BYTES = 16 * 1024 * 1024


class Worker:
    """One process, and how many statements it has run."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.statements = 0

    async def run(self, statement: Statement) -> dict[str, Any] | None:
        """Return the worker's answer, or None if it died."""
        self.statements += 1
        assert self.process.stdin  # noqa: S101 (a pipe, see `Pool._worker`)
        assert self.process.stdout  # noqa: S101 (likewise)
        try:
            self.process.stdin.write(json.dumps(asdict(statement)).encode() + b"\n")
            await self.process.stdin.drain()
            line = await self.process.stdout.readline()
        except (ConnectionError, ValueError):
            return None
        return json.loads(line) if line.endswith(b"\n") else None


class Pool:
    """Runs statements in worker processes, over the local AWS's state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "athena"
        self._environment = {**os.environ, "TAPELINE_HOME": str(folder), "TAPELINE_PORT": str(settings.port())}
        self._places = asyncio.Semaphore(SIZE)
        self._idle: list[Worker] = []
        self._running: dict[str, Worker] = {}

    async def start(self) -> None:
        """Take statements, and soon have one worker ready for the first."""
        self._folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._folder / "scratch", ignore_errors=True)
        self._warming = asyncio.create_task(self._warm_up())

    async def _warm_up(self) -> None:
        await asyncio.sleep(5)  # the start of everything else has enough to do
        if not self._idle and not self._running:
            self._idle.append(await self._worker())

    async def stop(self) -> None:
        """End all workers."""
        self._warming.cancel()
        for worker in [*self._idle, *self._running.values()]:
            await _end(worker)
        self._idle.clear()

    async def run(self, statement: Statement, started: Callable[[], bool]) -> dict[str, Any] | None:
        """Run a statement when there is a place; `started` says whether it is still wanted.

        Returns
        -------
        dict or None
            The worker's answer; None if it was stopped or died.
        """
        async with self._places:
            if not started():
                return None
            worker = self._idle.pop() if self._idle else await self._worker()
            self._running[statement.id] = worker
            try:
                answer = await worker.run(statement)
            finally:
                del self._running[statement.id]
            if answer is None or worker.statements >= STATEMENTS_PER_WORKER or answer["memory"] > MEMORY_KILOBYTES:
                await _end(worker)
            else:
                self._idle.append(worker)
                asyncio.get_running_loop().call_later(IDLE_SECONDS, self._trim)
            return answer

    def _trim(self) -> None:
        while len(self._idle) > 1 and not self._running:
            self._idle.pop(0).process.kill()

    def cancel(self, number: str) -> None:
        """Stop a statement at once, if it runs."""
        if worker := self._running.get(number):
            worker.process.kill()

    async def _worker(self) -> Worker:
        with (self._folder / "workers.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "localaws.athena.worker",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
                env=self._environment, limit=_ANSWER_BYTES,
            )  # fmt: skip
        return Worker(process)


async def _end(worker: Worker) -> None:
    if worker.process.returncode is None:
        worker.process.kill()
    await worker.process.wait()
