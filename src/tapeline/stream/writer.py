"""Quotes into Kinesis: in full batches, in order per symbol, losing none.

The order guarantee: of one symbol, a quote is sent only after Kinesis accepted the one before it. PutRecords answers
for each record alone and does not guarantee their order (API Reference, PutRecords): when the third of five quotes of a
symbol fails, the fourth and fifth are already in, and nothing takes them back. So a call carries at most one quote of a
symbol, the oldest, and only one call is under way. The price: a symbol alone gets one quote per round trip, n symbols
get n. Delivery is at least once: a call whose answer is lost is sent again.
"""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from tapeline.market.quotes import Quote
from tapeline.stream.kinesis_errors import code_of, in_words, is_of_a_record, next_step
from tapeline.stream.outbox import Outbox, WaitingRecord, problem_of
from tapeline.stream.source import Counters, Stop

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_STREAM_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
log = logging.getLogger("producer.kinesis")


class StreamRefusedError(RuntimeError):
    """Kinesis refuses everything, and waiting will not help: no such stream, no right to write to it."""


class KinesisWriter:
    """Takes quotes from one thread and sends them to Kinesis from another.

    Parameters
    ----------
    counters : Counters
        Shared with the source.
    capacity : int
        Quotes held at most; beyond, `put` waits.
    linger_seconds : float
        How long a quote may wait for others to share its call.
    optional_fields : callable
        Which optional fields of a quote the deployment takes at present; the others are left out.
    patience_seconds : float
        Once something has been accepted: how long a missing stream or a missing right is borne before giving up. The
        laptop's AWS needs a moment after a crash to put the stack back.
    """

    def __init__(
        self,
        client: KinesisClient,
        stream_name: str,
        counters: Counters,
        *,
        optional_fields: Callable[[], Collection[str]] = tuple,
        capacity: int = 10_000,
        linger_seconds: float = 0.2,
        first_pause_seconds: float = 0.1,
        longest_pause_seconds: float = 10.0,
        patience_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        randomness: random.Random | None = None,
    ) -> None:
        if not _STREAM_NAME.fullmatch(stream_name):
            raise ValueError(f"a stream's name has up to 128 letters, digits, _ . and -; found {stream_name!r}")
        self.counters = counters
        self.stream_name = stream_name
        self._client = client
        self._optional_fields = optional_fields
        self._capacity = capacity
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._random = randomness or random.Random()  # noqa: S311 - jitter needs no secrecy
        self._outbox = Outbox(linger_seconds, first_pause_seconds, longest_pause_seconds, self._random)
        self._changed = threading.Condition()
        self._closing = False
        self._flushing = False
        self._failure: StreamRefusedError | None = None
        self._accepted_any = False
        self._refused_since: float | None = None
        self._warned_at: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name="kinesis-writer", daemon=True)
        self._thread.start()

    def put(self, quote: Quote, stop: Stop) -> None:
        """Hand over a quote; wait while the writer holds all it may, but no longer once `stop` is set.

        Raises `StreamRefusedError` if the writer has given up, as `flush` does.
        """
        data = _as_taken(quote, self._optional_fields()).to_json().encode()
        problem = problem_of(quote.symbol, data)
        if problem:
            self._reject(quote.symbol, data, problem)
            return
        with self._changed:
            while len(self._outbox) >= self._capacity and self._failure is None and not stop.is_set():
                self._changed.wait(0.1)
            if self._failure is not None:
                raise self._failure
            self._flushing = False
            self._outbox.add(quote.symbol, data, self._clock())
            self._changed.notify_all()

    def close(self, timeout_seconds: float = 20.0) -> int:
        """Send what is waiting, then stop; return how many quotes there was no time to send.

        They are lost unless the source gives them again.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_seconds)
        with self._changed:
            unsent = len(self._outbox)
            if unsent and self._failure is None:
                log.error("Could not send %s quotes within %.0f s of the stop", f"{unsent:,}", timeout_seconds)
            return unsent

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything handed over is accepted; True if so, False after the time."""
        with self._changed:
            self._flushing = True
            self._changed.notify_all()
            empty = self._changed.wait_for(lambda: not len(self._outbox) or self._failure is not None, timeout_seconds)
            if self._failure is not None:
                raise self._failure
            return empty

    @property
    def failure(self) -> StreamRefusedError | None:
        """Why the writer has given up, if it has."""
        return self._failure

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                self._send(batch)
        except StreamRefusedError as failure:
            self._give_up(failure)
        except BaseException as error:
            self._give_up(StreamRefusedError(f"The Kinesis writer broke: {error!r}. Please report this."))
            raise

    def _give_up(self, failure: StreamRefusedError) -> None:
        with self._changed:
            self._failure = failure
            self._changed.notify_all()

    def _next_batch(self) -> list[WaitingRecord]:
        with self._changed:
            while True:
                if not len(self._outbox):
                    if self._closing:
                        return []
                    self._changed.wait()
                    continue
                now = self._clock()
                due = self._outbox.due(now, hurry=self._closing or self._flushing)
                if due <= now:
                    return self._outbox.take(now)
                self._changed.wait(due - now)

    def _send(self, batch: Sequence[WaitingRecord]) -> None:
        try:
            answer: Any = self._client.put_records(
                StreamName=self.stream_name,
                Records=[{"Data": record.data, "PartitionKey": record.symbol} for record in batch],
            )
        except (ClientError, BotoCoreError) as error:
            self._call_failed(batch, error)
            return
        failures: dict[str, int] = {}
        with self._changed:
            now = self._clock()
            for record, result in zip(batch, answer["Records"], strict=True):
                code = result.get("ErrorCode")
                if code:
                    failures[code] = failures.get(code, 0) + 1
                    self._outbox.failed(record, now)
                else:
                    self._outbox.done(record)
            self._changed.notify_all()
        refused = sum(failures.values())
        self.counters.add(sent=len(batch) - refused, retried=refused)
        if refused < len(batch):
            self._accepted_any, self._refused_since = True, None
        for code, count in failures.items():
            self._say(code, f"Kinesis did not take {count} of {len(batch)} records ({in_words(code)})")

    def _call_failed(self, batch: Sequence[WaitingRecord], error: ClientError | BotoCoreError) -> None:
        if is_of_a_record(error):
            self._refused(batch, str(error))
            return
        step = next_step(error, self.stream_name, self._client.meta.region_name)
        if step:
            now = self._clock()
            self._refused_since = now if self._refused_since is None else self._refused_since
            if not self._accepted_any or now - self._refused_since >= self._patience_seconds:
                raise StreamRefusedError(f"{error} {step}") from error
        self.counters.add(retried=len(batch))
        with self._changed:
            now = self._clock()
            for record in batch:
                self._outbox.failed(record, now)
            waiting = len(self._outbox)
        code = code_of(error)
        self._say(code, f"Kinesis took nothing ({in_words(code)}: {error}); {waiting:,} quotes wait")

    def _refused(self, batch: Sequence[WaitingRecord], reason: str) -> None:
        """Reject the record that spoils a call; where there are several, send halves until it stands alone."""
        if len(batch) > 1:
            half = len(batch) // 2
            self._send(batch[:half])
            self._send(batch[half:])
            return
        [record] = batch
        with self._changed:
            self._outbox.done(record)
            self._changed.notify_all()
        self._reject(record.symbol, record.data, reason)

    def _reject(self, symbol: str, data: bytes, reason: str) -> None:
        self.counters.add(rejected=1)
        log.error("Rejected a quote of %s: %s: %s", symbol[:40], reason, data[:400].decode(errors="replace"))

    def _say(self, code: str, message: str) -> None:
        """Warn, but of one kind of trouble only every half minute."""
        now = self._clock()
        if now - self._warned_at.get(code, float("-inf")) >= 30:
            self._warned_at[code] = now
            log.warning("%s. Trying again.", message)


def _as_taken(quote: Quote, optional_fields: Collection[str]) -> Quote:
    """Return a quote as a deployment takes it.

    One that takes no optional field is of a version that rejects a high below the low, as one of them left out looks.
    """
    if quote.doubt and "doubt" not in optional_fields:
        quote = replace(quote, doubt="")
    if quote.revision and "revision" not in optional_fields:
        quote = replace(quote, revision=0)
    if quote.high < quote.low and not optional_fields:
        quote = replace(quote, high=Decimal(0), low=Decimal(0))
    return quote
