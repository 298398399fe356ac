"""The newest quote of every symbol, read once for all pages that watch.

The stream processor keeps each symbol's newest quote with its figures in the small table of states, as one JSON text.
While somebody watches, one Scan of that table twice a second finds what changed; each change is written as JSON once,
and every page is sent the same bytes. Nobody watching, nothing is read.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from tapeline.aws.deployment import Deployment
from tapeline.desk.models import Point, Words
from tapeline.desk.spark import Spark, read_points
from tapeline.market.dates import trading_date
from tapeline.market.quotes import read_timestamp
from tapeline.market.rules import words_of_kinds
from tapeline.market.suspicion import is_suspect
from tapeline.market.suspicion_words import FIGURES, REASONS
from tapeline.stream import items

PAUSE_SECONDS = 0.5
"""Between the starts of two looks."""

LEASE_SECONDS = 10.0
"""How long a page that polls counts as watching after its last request."""

log = logging.getLogger(__name__)

WORDS = Words.model_validate({"kinds": words_of_kinds(), "figures": FIGURES, "reasons": REASONS})
"""What a page gets with its first document."""


class FeedError(RuntimeError):
    """The newest quotes cannot be read; the message says why."""


@dataclass(slots=True)
class _Entry:
    """A symbol as it was read last, and the versions of the feed in which quote and sparkline last changed."""

    text: str
    day: date
    fields: bytes
    version: int
    spark: Spark = field(default_factory=Spark)
    spark_version: int = 0
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class _Published:
    """A version and the documents that were made of it, by the version that each begins at."""

    version: int
    documents: dict[int | None, bytes]


class Feed:
    """All symbols as they are now, in numbered versions.

    Parameters
    ----------
    read_newest : callable
        Reads each symbol with its newest quote, JSON; called in a thread.
    read_earlier : callable
        Reads the course of a session so far, by symbol; called in a thread, once for each session.
    """

    def __init__(
        self,
        read_newest: Callable[[], Iterable[tuple[str, str]]],
        read_earlier: Callable[[date], Mapping[str, list[Point]]],
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._read_newest = read_newest
        self._read_earlier = read_earlier
        self._pause = pause_seconds
        # Versions go on from the clock, so that one of an earlier process is not taken for one of this.
        self._first_version = time.time_ns() // 1_000_000
        self._published = _Published(self._first_version, {})
        self._entries: dict[str, _Entry] = {}
        self._unreadable: dict[str, str] = {}
        self._lock = threading.Lock()  # over changes of the entries, which threads make
        self._at = ""
        self._trouble: Exception | None = None
        self._watchers = 0
        self._lease = 0.0
        self._task: asyncio.Task[None] | None = None
        self._looked = asyncio.Event()
        self._filled: set[date] = set()
        self._filling: set[asyncio.Task[None]] = set()
        self._closed = False
        self._pool = ThreadPoolExecutor(2, "market-desk-feed")  # its own: a slow query elsewhere must not delay it

    @property
    def is_running(self) -> bool:
        """Whether the tables are being read."""
        return self._task is not None and not self._task.done()

    async def document(self, since: int | None = None) -> tuple[int, bytes]:
        """Return the version and the JSON document of what changed since another version, or of all; see `begin`."""
        await self.begin()
        return self._document(since)

    async def updates(self, since: int | None = None) -> AsyncGenerator[tuple[int, bytes], None]:
        """Yield version and document: at first what changed since a version, or all, then each change.

        It ends when the quotes cannot be read any more. Who is slower than the feed misses versions, never changes.
        """
        with self._watching(), suppress(FeedError):
            await self.begin()
            while self._trouble is None and not self._closed:
                if self._published.version == since:
                    await self._looked.wait()
                else:
                    since, document = self._document(since)
                    yield since, document

    def close(self) -> None:
        """End all that wait for updates; nothing is read any more."""
        self._closed = True
        self._wake()

    @contextmanager
    def _watching(self) -> Iterator[None]:
        self._watchers += 1
        try:
            yield
        finally:
            self._watchers -= 1

    async def begin(self) -> None:
        """Start to look if nobody does, and wait for the first look; then go on for a while without being asked.

        Raises
        ------
        FeedError
            If the newest quotes cannot be read now.
        """
        self._lease = time.monotonic() + LEASE_SECONDS
        if not self.is_running:
            self._at, self._trouble = "", None
            self._task = asyncio.create_task(self._run())
        while not (self._at or self._trouble or self._closed):
            await self._looked.wait()
        if self._trouble is not None:
            raise FeedError(str(self._trouble)) from self._trouble

    async def _run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await asyncio.get_running_loop().run_in_executor(self._pool, self._look)
                self._trouble = None
            except Exception as error:  # noqa: BLE001 - every page gets it; the next look may succeed
                log.warning("the newest quotes cannot be read: %s", error)
                self._trouble = error
            self._wake()
            self._fill_sparks()
            await asyncio.sleep(max(0.0, began + self._pause - time.monotonic()))
            if self._closed or not (self._watchers or time.monotonic() < self._lease):
                return

    def _look(self) -> None:
        """Read all symbols and note what changed."""
        newest = self._read_newest()
        with self._lock:
            changed = False
            for symbol, text in newest:
                before = self._entries.get(symbol)
                if before is not None and before.text == text:
                    continue
                try:
                    self._entries[symbol] = _changed(symbol, text, before, self._published.version + 1)
                    changed = True
                except (ValueError, KeyError, TypeError, OverflowError) as error:
                    self._pass_over(symbol, text, error)
            self._at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            if changed:
                self._publish()

    def _pass_over(self, symbol: str, text: str, error: Exception) -> None:
        """Leave a symbol as it was whose newest quote cannot be read: it must not take the others from the page."""
        if self._unreadable.get(symbol) != text:
            self._unreadable[symbol] = text
            log.warning("the newest quote of %r cannot be shown: %r in %.300r", symbol, error, text)

    def _publish(self) -> None:
        before, version = self._published.version, self._published.version + 1
        # One assignment: whoever reads in between has the one version or the other, whole.
        self._published = _Published(version, {before: self._build(version, before)})

    def _document(self, since: int | None) -> tuple[int, bytes]:
        version, documents = self._published.version, self._published.documents
        if since is not None and not self._first_version <= since <= version:
            since = None
        if since not in documents:
            documents[since] = self._build(version, since)
        return version, documents[since]

    def _build(self, version: int, since: int | None) -> bytes:
        seen = -1 if since is None else since
        entries = list(self._entries.values())
        symbols = b",".join(
            entry.fields + (b',"spark":' + entry.spark.to_json() if entry.spark_version > seen else b"") + b"}"
            for entry in entries
            if max(entry.version, entry.spark_version) > seen
        )
        simulated = any(entry.simulated for entry in entries)
        head: dict[str, object] = {"version": version, "at": self._at, "simulated": simulated}
        if since is None:
            head["words"] = WORDS.model_dump()
        return json.dumps(head)[:-1].encode() + b', "symbols": [' + symbols + b"]}"

    def _wake(self) -> None:
        looked, self._looked = self._looked, asyncio.Event()
        looked.set()

    def _fill_sparks(self) -> None:
        """Begin to read, in the background, the course of sessions that are shown and not read yet."""
        for day in {entry.day for entry in self._entries.values()} - self._filled:
            self._filled.add(day)
            task = asyncio.create_task(self._fill(day))
            self._filling.add(task)
            task.add_done_callback(self._filling.discard)

    async def _fill(self, day: date) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._read_points, day)
        except Exception as error:  # noqa: BLE001 - sparklines then begin now
            log.warning("the course of %s cannot be read, its sparklines begin now: %s", day, error)
        else:
            self._wake()

    def _read_points(self, day: date) -> None:
        course = self._read_earlier(day)
        with self._lock:
            shown = {symbol: entry for symbol, entry in self._entries.items() if entry.day == day and symbol in course}
            for symbol, entry in shown.items():
                entry.spark.put_before(course[symbol])
                entry.spark_version = self._published.version + 1
            if shown:
                self._publish()


def _changed(symbol: str, text: str, before: _Entry | None, version: int) -> _Entry:
    quote = json.loads(text)
    moment = read_timestamp(quote["timestamp"])
    day = trading_date(moment)
    spark, spark_version = (before.spark, before.spark_version) if before and before.day == day else (Spark(), version)
    suspect = quote.get("suspect") or []
    judged = {"symbol": symbol, **quote, "anomaly": bool(quote["reasons"]), "suspect": suspect}
    fields = json.dumps(judged, separators=(",", ":"), allow_nan=False)  # a browser reads no Infinity
    believed = not is_suspect(suspect, "price")
    if believed and spark.add(int(moment.timestamp()), quote["price"]):
        spark_version = version
    fields = fields[:-1]  # without its closing brace: a sparkline may follow
    return _Entry(text, day, fields.encode(), version, spark, spark_version, quote["source"] == "simulated")


def feed_of(deployment: Callable[[], Deployment]) -> Feed:
    """Return the feed of a deployment, which is found when it is first read."""
    return Feed(lambda: read_newest(deployment()), lambda day: read_points(deployment(), day))


def read_newest(deployment: Deployment) -> list[tuple[str, str]]:
    """Return each symbol with its newest quote: one Scan of the table of states, a request for each megabyte of it."""
    dynamodb = deployment.client("dynamodb")
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=deployment.outputs.state_table_name,
        ProjectionExpression="symbol, newest",
        FilterExpression="begins_with(#key, :prefix) AND attribute_exists(newest)",
        ExpressionAttributeNames={"#key": "key"},
        ExpressionAttributeValues={":prefix": {"S": items.SYMBOL_PREFIX}},
    )
    return [(item["symbol"]["S"], item["newest"]["S"]) for page in pages for item in page["Items"]]
