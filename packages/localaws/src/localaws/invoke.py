"""Lambda's Invoke, with the function in a process of its own as the delivery runs it, also when a schedule invokes it.

The base runs functions in workers that see this whole virtual environment and the server's own variables.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from localaws import ministack_names as base
from localaws.clients import connect
from localaws.extensions import Request, Response, ServiceError
from localaws.functions import Functions
from localaws.lambda_process import Invocation, LambdaProcess
from localaws.metrics import Metrics

_INVOCATIONS = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
_IDLE = 2
"""Processes of a function that are kept for the next invocation."""

SETTLE_SECONDS = 300.0
"""A machine that was just switched on or has just woken has this long before schedules look at what runs on it."""


class LambdaInvoke:
    """Answers Invoke of a function's newest code, synchronous or not; code and logs go under the state folder."""

    service = "lambda"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._idle: dict[str, list[LambdaProcess]] = defaultdict(list)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._settled = Settled(time.time)
        base.CALL_FUNCTION.set(self._invoke_by_rule)

    async def start(self) -> None:
        """Prepare where code is unpacked; functions call this server back as any client does."""
        aws = connect()
        self._metrics = Metrics(aws.client("cloudwatch"))
        self._functions = Functions(aws, self._folder / "invoke", self._folder / "logs", self._metrics)

    async def stop(self) -> None:
        """End the idle processes."""
        for processes in self._idle.values():
            for process in processes:
                process.close()

    async def handle(self, request: Request) -> Response | None:
        """Answer Invoke; versions, aliases, dry runs and functions that do not exist are the base's."""
        match = _INVOCATIONS.fullmatch(request.path)
        kind = request.headers.get("x-amz-invocation-type", "RequestResponse")
        if request.method != "POST" or match is None or kind == "DryRun" or "Qualifier" in request.query:
            return None
        name = unquote(match[1]).split(":function:")[-1]
        try:
            event = json.dumps(json.loads(request.body or b"{}"))  # on one line
        except ValueError as error:
            raise ServiceError("InvalidRequestContentException", f"Could not parse request body: {error}") from error
        call = asyncio.create_task(asyncio.to_thread(self._invoke, name, event))
        if kind == "Event":
            self._tasks.add(call)
            call.add_done_callback(self._tasks.discard)
            return Response(202, b"")
        outcome = await call
        if outcome is None:
            return None
        headers = {"Content-Type": "application/json", "X-Amz-Executed-Version": "$LATEST"}
        if outcome.error:
            return Response(200, json.dumps(outcome.error).encode(), {**headers, "X-Amz-Function-Error": "Unhandled"})
        return Response(200, json.dumps(outcome.result).encode(), headers)

    def _invoke_by_rule(self, arn: str, payload: str) -> None:
        """Invoke a rule's target, as the base's scheduler asks for it, and return before it is done."""
        name = arn.split(":function:")[-1].split(":")[0]
        if self._settled.is_now():
            event = json.dumps(json.loads(payload or "{}"))
            threading.Thread(target=self._invoke, args=(name, event), name=f"rule:{name}", daemon=True).start()

    def _invoke(self, name: str, event: str) -> Invocation | None:
        try:
            function = self._functions.current(name)
        except ClientError:
            return None
        with self._lock:
            idle = self._idle[name]
            process = idle.pop() if idle else None
        process = self._functions.usable(process, function)
        outcome = process.invoke(event)
        self._metrics.add_invocation(name, outcome.seconds, failed=bool(outcome.error))
        self._metrics.flush()
        with self._lock:
            if process.is_usable() and len(self._idle[name]) < _IDLE:
                self._idle[name].append(process)
                return outcome
        process.close()
        return outcome


class Settled:
    """Whether this machine has been awake for a while; asked at least every minute or two.

    Parameters
    ----------
    clock : callable
        The time of day in seconds, which goes on while a machine sleeps.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._awake_since = self._asked_at = clock()

    def is_now(self) -> bool:
        """Say whether it has been awake for that long now."""
        now = self._clock()
        if now - self._asked_at > SETTLE_SECONDS:
            self._awake_since = now
        self._asked_at = now
        return now - self._awake_since >= SETTLE_SECONDS
