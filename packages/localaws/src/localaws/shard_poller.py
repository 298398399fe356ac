"""One shard of a stream, read for one mapping: batches are gathered, the function is invoked, failures are retried."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from localaws import discards
from localaws.clients import Clients
from localaws.event_filter import EventFilter
from localaws.functions import Functions
from localaws.lambda_process import Function, Invocation, LambdaProcess
from localaws.mapping import Checkpoint, Checkpoints, Mapping
from localaws.metrics import Metrics
from localaws.sources import ExpiredIteratorError, Record, Source

logger = logging.getLogger("localaws.delivery")

PAYLOAD_BYTES = 6 * 1024 * 1024
"""Lambda invokes with up to 6 MB (Developer Guide, "Lambda quotas")."""

IDLE_SECONDS = 0.5
"""Pause between reads of a shard that has nothing new; AWS reads each shard once a second."""

BACKOFF_SECONDS = (0.1, 5.0)
"""First and longest pause after a failure; each is twice the one before."""

TROUBLE = (BotoCoreError, ClientError, OSError)
"""What a call of AWS fails with while it is away."""

_T = TypeVar("_T")


class _Stopped(Exception):  # noqa: N818 (a signal, not an error)
    """The poller was asked to stop."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record that passed the filter, and its part of the event."""

    record: Record
    text: str


def _event(entries: Sequence[_Entry]) -> str:
    return '{"Records": [' + ",".join(entry.text for entry in entries) + "]}"


class ShardPoller(threading.Thread):
    """Reads one shard for one mapping and invokes the function, until it is stopped or the shard ends.

    Parameters
    ----------
    mapping : Mapping
        May be replaced while it runs.
    shard_id : str
        The shard.
    source : Source
        Its stream.
    """

    def __init__(
        self,
        mapping: Mapping,
        shard_id: str,
        source: Source,
        checkpoints: Checkpoints,
        functions: Functions,
        metrics: Metrics,
        aws: Clients,
    ) -> None:
        super().__init__(name=f"{mapping.function_name}:{shard_id}", daemon=True)
        self.mapping = mapping
        self._shard_id = shard_id
        self._source = source
        self._checkpoints = checkpoints
        self._functions = functions
        self._metrics = metrics
        self._aws = aws
        self._stop_event = threading.Event()
        self._process: LambdaProcess | None = None
        self._role: tuple[LambdaProcess, Clients] | None = None
        self._filter = EventFilter({})
        self._filter_json = ""
        self._checkpoint = checkpoints.load(shard_id) or Checkpoint()
        self._read_to = self._checkpoint.sequence_number
        self._iterator: str | None = None
        self._has_more = True
        self._pending: deque[_Entry] = deque()
        self._pending_bytes = 0
        self._window_ends = 0.0

    def stop(self) -> None:
        """Ask it to finish the invocation in flight and end; `join` waits for that."""
        self._stop_event.set()

    def run(self) -> None:
        """Deliver batch after batch."""
        try:
            while True:
                self._deliver(self._next_batch())
        except _Stopped:
            pass
        finally:
            if self._process is not None:
                self._process.close()

    # Reading

    def _next_batch(self) -> list[_Entry]:
        """Gather records until the batch is full, its payload is, or its window is over."""
        while not self._is_full() and not (self._pending and time.monotonic() >= self._window_ends):
            if self._has_more:
                self._retry(self._read)
            else:
                until_window = self._window_ends - time.monotonic() if self._pending else IDLE_SECONDS
                self._wait(max(0.0, min(IDLE_SECONDS, until_window)))
                self._has_more = True
        batch: list[_Entry] = []
        size = 0
        while self._pending and len(batch) < self.mapping.batch_size:
            size += len(self._pending[0].text) + 1
            if batch and size > PAYLOAD_BYTES - 1000:
                break
            batch.append(self._pending.popleft())
            self._pending_bytes -= len(batch[-1].text) + 1
        return batch

    def _is_full(self) -> bool:
        return len(self._pending) >= self.mapping.batch_size or self._pending_bytes > PAYLOAD_BYTES - 1000

    def _read(self) -> None:
        """Read once; what the filter refuses is done with as soon as nothing before it is pending."""
        try:
            if self._iterator is None:
                start = self._checkpoint.starting_position
                self._iterator = self._source.iterator(self._shard_id, self._read_to, start)
            records, next_iterator, self._has_more = self._source.read(
                self._shard_id, self._iterator or "", self.mapping.batch_size
            )
        except ExpiredIteratorError:
            self._iterator = None
            return
        except TROUBLE:
            self._iterator = None
            raise
        self._metrics.add_polled(self.mapping.mapping_id, len(records))
        wanted = self._filtered(records)
        if wanted and not self._pending:
            self._window_ends = time.monotonic() + self.mapping.window_seconds
        for record in wanted:
            entry = _Entry(record, record.to_json())
            self._pending.append(entry)
            self._pending_bytes += len(entry.text) + 1
        if records:
            self._read_to = records[-1].sequence_number
            if not self._pending:
                self._save(self._read_to)
        self._iterator = next_iterator
        if next_iterator is None:
            self._end_of_shard()

    def _end_of_shard(self) -> None:
        """Deliver what is pending of a shard that was split or merged away, and let its children begin."""
        while self._pending:
            count = min(len(self._pending), self.mapping.batch_size)
            self._deliver([self._pending.popleft() for _ in range(count)])
        self._save(self._read_to, is_closed=True)
        logger.info("%s: read to the end of %s", self.mapping.function_name, self._shard_id)
        raise _Stopped

    def _filtered(self, records: list[Record]) -> list[Record]:
        if self.mapping.filter_json != self._filter_json:
            self._filter = EventFilter(json.loads(self.mapping.filter_json))
            self._filter_json = self.mapping.filter_json
        if self._filter.is_open:
            return records
        views = ((record, self._source.filter_view(record)) for record in records)
        return [record for record, view in views if view is not None and self._filter.passes(view)]

    def _save(self, sequence_number: str, *, is_closed: bool = False) -> None:
        self._checkpoint = Checkpoint(sequence_number, self._checkpoint.start, is_closed)
        self._checkpoints.save(self._shard_id, self._checkpoint)

    # Invoking

    def _deliver(self, batch: list[_Entry]) -> None:
        """Invoke with a batch, and with what failed of it, until all is done with or given up."""
        todo = [(batch, 0)]  # parts in reverse order, each with its failed invocations
        pause = BACKOFF_SECONDS[0]
        while todo:
            entries, failures = todo.pop()
            entries = self._give_up_old(entries)
            if not entries:
                continue
            outcome = self._invoke(entries)
            done = self._done(entries, outcome)
            if done:
                self._save(entries[done - 1].record.sequence_number)
                entries, failures, pause = entries[done:], 0, BACKOFF_SECONDS[0]
            if not entries:
                continue
            if self._has_lost_its_credentials():
                todo.append((entries, failures))  # no failure of the function's: another process gets new ones
                self._wait(pause)
                continue
            failures += 1
            if 0 <= self.mapping.retry_attempts < failures:
                self._give_up(entries, "RetryAttemptsExhausted", failures, outcome)
                continue
            if self.mapping.bisects and len(entries) > 1 and not done:
                middle = len(entries) // 2
                todo += [(entries[middle:], failures - 1), (entries[:middle], failures - 1)]
            else:
                todo.append((entries, failures))
            self._wait(pause)
            pause = min(2 * pause, BACKOFF_SECONDS[1])

    def _invoke(self, entries: Sequence[_Entry]) -> Invocation:
        function = self._retry(lambda: self._functions.current(self.mapping.function_name))
        self._process = self._retry(lambda: self._functions.usable(self._process, function))
        age = max(0.0, time.time() - entries[-1].record.arrived_at)
        outcome = self._process.invoke(_event(entries))
        self._metrics.add_invocation(function.name, outcome.seconds, failed=bool(outcome.error), age=age)
        if outcome.error:
            kind, message = outcome.error.get("errorType"), outcome.error.get("errorMessage")
            logger.warning("%s failed on %d records: %s: %s", function.name, len(entries), kind, message)
        return outcome

    def _has_lost_its_credentials(self) -> bool:
        """End the process if its credentials are no longer known: a local AWS that was killed forgets the newest."""
        process = self._process
        if process is None or self._retry(lambda: self._functions.are_known(process)):
            return False
        process.close()
        self._process = None
        return True

    def _done(self, entries: Sequence[_Entry], outcome: Invocation) -> int:
        """Count the records that are done: up to the lowest reported failure, all without one, none after an error."""
        if outcome.error:
            return 0
        if not self.mapping.reports_failures or outcome.result is None:
            return len(entries)
        failures = outcome.result.get("batchItemFailures") if isinstance(outcome.result, dict) else ()
        if not failures:  # {} and an empty or null list are success, what is no object is not
            return len(entries) if isinstance(outcome.result, dict) else 0
        # As numbers: the base's sequence numbers begin with zeros, AWS's do not, and a function may have lost them.
        positions = {int(entry.record.sequence_number): number for number, entry in enumerate(entries)}
        try:
            return min(positions[int(failure["itemIdentifier"])] for failure in failures)
        except (KeyError, TypeError, ValueError):  # an identifier that is none of this batch's fails the batch
            return 0

    def _give_up_old(self, entries: list[_Entry]) -> list[_Entry]:
        limit = self.mapping.record_age_seconds
        if limit < 0:
            return entries
        old = next((n for n, e in enumerate(entries) if time.time() - e.record.arrived_at <= limit), len(entries))
        if old:
            self._give_up(entries[:old], "RecordAgeExceeded", 0, None)
        return entries[old:]

    def _give_up(self, entries: Sequence[_Entry], condition: str, failures: int, outcome: Invocation | None) -> None:
        """Tell the failure destination where the records are that nobody will see again, and go on behind them."""
        first, last = entries[0].record, entries[-1].record
        logger.error(
            "%s: %s, gave up %d records of %s from %s to %s",
            *(self.mapping.function_name, condition, len(entries), self._shard_id),
            *(first.sequence_number, last.sequence_number),
        )
        function = self._retry(lambda: self._functions.current(self.mapping.function_name))
        records = [entry.record for entry in entries]
        document = {
            **discards.message(condition, failures, outcome, function.arn),
            self._source.batch_info: discards.position(records, self._shard_id, self.mapping.source_arn),
        }
        if destination := self.mapping.failure_destination:
            self._retry(lambda: self._send(function, destination, document, _event(entries)))
        self._save(last.sequence_number)

    def _send(self, function: Function, destination: str, document: dict[str, Any], event: str) -> None:
        """Tell the failure destination, in the name of the function's role; what it refuses is dropped, as AWS does.

        AWS counts the records of a refused delivery as dropped (Lambda Developer Guide, "Event source mapping
        metrics", `OnFailureDestinationDeliveredEventCount`), so nothing tries it again.
        """
        process = self._process = self._process or self._functions.usable(None, function)
        if self._role is None or self._role[0] is not process:
            self._role = process, self._functions.of_role(process)
        place = f"{self.mapping.mapping_id}/{self._shard_id}"
        try:
            discards.send(self._aws, self._role[1], destination, document, place, event)
        except ClientError as error:
            if self._has_lost_its_credentials():
                raise  # no refusal of what was sent: another process gets new ones
            self._metrics.add_failed_delivery(function.name)
            logger.warning("%s: %s refused what was given up, so it is lost: %s", function.name, destination, error)

    # Time

    def _wait(self, seconds: float) -> None:
        if self._stop_event.wait(seconds):
            raise _Stopped

    def _retry(self, call: Callable[[], _T]) -> _T:
        """Call until it works: what is around the function may be away for a while, which is no failure of a batch."""
        pause = BACKOFF_SECONDS[0]
        while True:
            if self._stop_event.is_set():
                raise _Stopped
            try:
                return call()
            except TROUBLE as error:
                logger.warning("%s: %s; trying again in %.1f s", self.name, error, pause)
            self._wait(pause)
            pause = min(2 * pause, BACKOFF_SECONDS[1])
