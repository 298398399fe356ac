"""Event source mappings: read the streams and invoke the deployed functions with AWS's semantics.

`python -m localaws.delivery` reads what is deployed (ListEventSourceMappings), polls each shard of the streams through
their public APIs and runs the functions in processes of their own. It needs nothing of the emulator and reads a real
stream as well. The semantics are those of the Lambda Developer Guide, "Configuring partial batch response" and "Retain
discarded batch records" for Kinesis and DynamoDB:

- one batch in flight per shard, in order; a checkpoint on disk after each success, so that a batch may come twice but
  is never missed;
- a failed batch is retried with back-off, from the lowest reported failure if the function reports any, and split in
  two if the mapping bisects and nothing of it was done; splitting is no retry;
- what was retried too often or grew too old goes to the failure destination with its position, and the shard goes on.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from localaws import settings
from localaws.clients import Clients, connect
from localaws.event_filter import EventFilter, FilterError
from localaws.functions import Functions
from localaws.lambda_process import LambdaProcess, Outcome
from localaws.metrics import Metrics
from localaws.printable import log_to_terminal
from localaws.sources import TRIM_HORIZON, DynamoDBSource, ExpiredIteratorError, KinesisSource, Record, Shard, Source

logger = logging.getLogger("localaws.delivery")

PAYLOAD_BYTES = 6 * 1024 * 1024
"""Lambda invokes with up to 6 MB (Developer Guide, "Lambda quotas")."""

IDLE_SECONDS = 0.5
"""Pause between reads of a shard that has nothing new; AWS reads each shard once a second."""

REFRESH_SECONDS = 2.0
"""How soon a change to a mapping, a function or a stream is noticed."""

METRICS_SECONDS = 10.0
BACKOFF_SECONDS = (0.1, 5.0)
"""First and longest pause after a failure; each is twice the one before."""

_TROUBLE = (BotoCoreError, ClientError, OSError)
_T = TypeVar("_T")


class _Stopped(Exception):  # noqa: N818 (a signal, not an error)
    """The poller was asked to stop."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """An event source mapping as deployed; the attributes are those of the Lambda API, -1 meaning without limit."""

    mapping_id: str
    source_arn: str
    function_name: str
    batch_size: int
    window_seconds: float
    starting_position: str
    retry_attempts: int
    record_age_seconds: int
    bisects: bool
    reports_failures: bool
    failure_destination: str
    filter_json: str

    @classmethod
    def read(cls, description: dict[str, Any]) -> Mapping:
        """Read an element of ListEventSourceMappings."""
        return cls(
            mapping_id=description["UUID"],
            source_arn=description["EventSourceArn"],
            function_name=description["FunctionArn"].split(":")[6],
            batch_size=description.get("BatchSize", 100),
            window_seconds=description.get("MaximumBatchingWindowInSeconds", 0),
            starting_position=description.get("StartingPosition", TRIM_HORIZON),
            retry_attempts=description.get("MaximumRetryAttempts", -1),
            record_age_seconds=description.get("MaximumRecordAgeInSeconds", -1),
            bisects=description.get("BisectBatchOnFunctionError", False),
            reports_failures="ReportBatchItemFailures" in description.get("FunctionResponseTypes", []),
            failure_destination=description.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", ""),
            filter_json=json.dumps(description.get("FilterCriteria") or {}),
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a mapping has got in a shard.

    Attributes
    ----------
    sequence_number : str
        Of the last record that is done with; empty before the first.
    start : str
        ``TRIM_HORIZON``, or the moment of the mapping's first look at the stream, ISO 8601, if it asked for the latest.
    is_closed : bool
        Whether the shard is read to its end.
    """

    sequence_number: str = ""
    start: str = TRIM_HORIZON
    is_closed: bool = False

    @property
    def starting_position(self) -> str | datetime:
        """Where to read while there is no sequence number."""
        return self.start if self.start == TRIM_HORIZON else datetime.fromisoformat(self.start)


class Checkpoints:
    """The checkpoints of one mapping, a small file per shard, each replaced as a whole.

    Parameters
    ----------
    folder : Path
        The mapping's own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, shard_id: str) -> Checkpoint | None:
        """Return a shard's checkpoint, or None if the mapping has never seen the shard."""
        try:
            document = json.loads((self._folder / f"{shard_id}.json").read_text())
        except FileNotFoundError:
            return None
        return Checkpoint(document["sequence_number"], document["start"], document["is_closed"])

    def save(self, shard_id: str, checkpoint: Checkpoint) -> None:
        """Write a shard's checkpoint; a reader sees the old one or the new one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{shard_id}.{os.getpid()}"
        document = {name: getattr(checkpoint, name) for name in ("sequence_number", "start", "is_closed")}
        draft.write_text(json.dumps(document))
        draft.replace(self._folder / f"{shard_id}.json")

    def is_empty(self) -> bool:
        """Say whether the mapping is new here."""
        return not self._folder.exists()


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record that passed the filter, and its part of the event."""

    record: Record
    text: str


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
        except _TROUBLE:
            self._iterator = None
            raise
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

    def _invoke(self, entries: Sequence[_Entry]) -> Outcome:
        function = self._retry(lambda: self._functions.current(self.mapping.function_name))
        if self._process is None or not self._process.is_usable() or self._process.function != function:
            if self._process is not None:
                self._process.close()
            self._process = self._retry(lambda: self._functions.start(function))
        age = max(0.0, time.time() - entries[-1].record.arrived_at)
        outcome = self._process.invoke('{"Records": [' + ",".join(entry.text for entry in entries) + "]}")
        dimensions = (("FunctionName", function.name),)
        for name, value, unit in (
            ("Invocations", 1, "Count"),
            ("Errors", 1 if outcome.error else 0, "Count"),
            ("Duration", outcome.seconds * 1000, "Milliseconds"),
            ("IteratorAge", age * 1000, "Milliseconds"),
        ):
            self._metrics.add("AWS/Lambda", name, value, unit, dimensions)
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

    def _done(self, entries: Sequence[_Entry], outcome: Outcome) -> int:
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

    def _give_up(self, entries: Sequence[_Entry], condition: str, failures: int, outcome: Outcome | None) -> None:
        """Tell the failure destination where the records are that nobody will see again, and go on behind them."""
        first, last = entries[0].record, entries[-1].record
        logger.error(
            "%s: %s, gave up %d records of %s from %s to %s",
            *(self.mapping.function_name, condition, len(entries), self._shard_id),
            *(first.sequence_number, last.sequence_number),
        )
        message = {
            "requestContext": {
                "requestId": outcome.request_id if outcome else str(uuid.uuid4()),
                "functionArn": self._retry(lambda: self._functions.current(self.mapping.function_name)).arn,
                "condition": condition,
                "approximateInvokeCount": failures,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled" if outcome and outcome.error else None,
            },
            "version": "1.0",
            "timestamp": _iso(time.time()),
            self._source.batch_info: {
                "shardId": self._shard_id,
                "startSequenceNumber": first.sequence_number,
                "endSequenceNumber": last.sequence_number,
                "approximateArrivalOfFirstRecord": _iso(first.arrived_at),
                "approximateArrivalOfLastRecord": _iso(last.arrived_at),
                "batchSize": len(entries),
                "streamArn": self.mapping.source_arn,
            },
        }
        if destination := self.mapping.failure_destination:
            self._retry(lambda: self._send(destination, json.dumps(message)))
        self._save(last.sequence_number)

    def _send(self, destination: str, body: str) -> None:
        service, owner, name = destination.split(":")[2], *destination.split(":")[4:6]
        if service == "sqs":
            sqs = self._aws.client("sqs")
            url = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=owner)["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody=body)
        else:
            self._aws.client("sns").publish(TopicArn=destination, Message=body)

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
            except _TROUBLE as error:
                logger.warning("%s: %s; trying again in %.1f s", self.name, error, pause)
            self._wait(pause)
            pause = min(2 * pause, BACKOFF_SECONDS[1])


class Delivery:
    """All mappings of one target.

    Parameters
    ----------
    aws : Clients
        The target.
    folder : Path
        State folder; checkpoints, code and logs are kept in it.
    """

    def __init__(self, aws: Clients, folder: Path) -> None:
        self._aws = aws
        self._folder = folder / "delivery"
        self.metrics = Metrics(aws.client("cloudwatch"))
        self._functions = Functions(aws, folder / "lambda", folder / "logs", self.metrics)
        self._pollers: dict[tuple[str, str], ShardPoller] = {}
        self._complaints: dict[str, str] = {}

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set, then finish what is in flight."""
        flushed_at = time.monotonic()
        is_reachable = True
        while not stop.is_set():
            try:
                self.refresh()
                if time.monotonic() - flushed_at >= METRICS_SECONDS:
                    flushed_at = time.monotonic()
                    self.metrics.flush()
                is_reachable = True
                if heartbeat := os.environ.get("TAPELINE_HEARTBEAT"):  # the file that a health check looks at
                    Path(heartbeat).touch()
            except _TROUBLE as error:
                if is_reachable:
                    logger.warning("cannot read what is deployed: %s; trying again until it works", error)
                is_reachable = False
            stop.wait(REFRESH_SECONDS)
        self.close()

    def refresh(self) -> None:
        """Start and stop pollers so that they are those of the deployed mappings and the streams' shards."""
        pages = self._aws.client("lambda").get_paginator("list_event_source_mappings").paginate()
        described: list[Any] = [entry for page in pages for entry in page["EventSourceMappings"]]
        streams = [entry for entry in described if entry["EventSourceArn"].split(":")[2] in ("kinesis", "dynamodb")]
        wanted: dict[tuple[str, str], tuple[Mapping, Source]] = {}
        for entry in streams:
            mapping = Mapping.read(entry)
            if entry["State"] in ("Enabled", "Updating") and self._is_sound(mapping):
                try:
                    source = self._source(mapping)
                    shards = self._readable(mapping, source)
                except ClientError as error:  # a stream or a function that is gone is no matter of the other mappings
                    self._complain(mapping, str(error))
                else:
                    wanted |= {(mapping.mapping_id, shard): (mapping, source) for shard in shards}
        for key, poller in list(self._pollers.items()):
            if not poller.is_alive():
                del self._pollers[key]
            elif key in wanted:
                poller.mapping = wanted[key][0]
            else:
                poller.stop()  # it stays listed until it has ended, so that the shard never has two
        for key, (mapping, source) in wanted.items():
            if key not in self._pollers:
                self._start(mapping, key[1], source)
        self._forget({entry["UUID"] for entry in streams})

    def close(self) -> None:
        """Stop the pollers; one whose function still runs is waited for, but not for long."""
        for poller in self._pollers.values():
            poller.stop()
        for poller in self._pollers.values():
            poller.join(timeout=10)
        try:
            self.metrics.flush()
        except _TROUBLE as error:
            logger.warning("the last metrics were not sent: %s", error)

    def _is_sound(self, mapping: Mapping) -> bool:
        """Say whether the mapping can be delivered as it is, and complain if not."""
        reason = ""
        try:
            EventFilter(json.loads(mapping.filter_json))
        except FilterError as error:
            reason = str(error)
        if not re.match(r"$|arn:aws[a-z-]*:(sqs|sns):", mapping.failure_destination):
            reason = f"expected a queue or a topic as failure destination, found {mapping.failure_destination}"
        if reason:
            self._complain(mapping, reason)
        return not reason

    def _complain(self, mapping: Mapping, reason: str) -> None:
        """Say once why a mapping is not delivered."""
        if self._complaints.get(mapping.mapping_id) != reason:
            logger.error("%s is not delivered to: %s", mapping.function_name, reason)
        self._complaints[mapping.mapping_id] = reason

    def _source(self, mapping: Mapping) -> Source:
        if ":kinesis:" in mapping.source_arn:
            role = self._functions.current(mapping.function_name).role
            return KinesisSource(self._aws.client("kinesis"), mapping.source_arn, self._aws.region, role)
        return DynamoDBSource(self._aws.client("dynamodbstreams"), mapping.source_arn)

    def _checkpoints(self, mapping: Mapping) -> Checkpoints:
        return Checkpoints(self._folder / mapping.mapping_id)

    def _readable(self, mapping: Mapping, source: Source) -> list[str]:
        """Name the shards to read now: a child waits until its parents are read to the end, or are gone."""
        shards = source.shards()
        checkpoints = self._checkpoints(mapping)
        if checkpoints.is_empty() and shards:
            self._begin(mapping, checkpoints, shards)
        known = {shard.shard_id: checkpoints.load(shard.shard_id) for shard in shards}
        closed = {shard_id for shard_id, checkpoint in known.items() if checkpoint and checkpoint.is_closed}
        return [
            shard.shard_id
            for shard in shards
            if shard.shard_id not in closed and all(parent in closed or parent not in known for parent in shard.parents)
        ]

    @staticmethod
    def _begin(mapping: Mapping, checkpoints: Checkpoints, shards: Sequence[Shard]) -> None:
        """Note where a new mapping starts, so that a restart before its first record starts there too."""
        start = TRIM_HORIZON if mapping.starting_position == TRIM_HORIZON else datetime.now(UTC).isoformat()
        for shard in shards:
            checkpoints.save(shard.shard_id, Checkpoint(start=start))

    def _start(self, mapping: Mapping, shard_id: str, source: Source) -> None:
        logger.info("%s: reading %s of %s", mapping.function_name, shard_id, mapping.source_arn)
        checkpoints = self._checkpoints(mapping)
        poller = ShardPoller(mapping, shard_id, source, checkpoints, self._functions, self.metrics, self._aws)
        self._pollers[mapping.mapping_id, shard_id] = poller
        poller.start()

    def _forget(self, mapping_ids: set[str]) -> None:
        """Remove the checkpoints of mappings that were deleted."""
        for folder in self._folder.glob("*/"):
            if folder.name not in mapping_ids:
                shutil.rmtree(folder, ignore_errors=True)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def main() -> None:
    """Deliver until SIGTERM or Ctrl-C."""
    log_to_terminal(logging.INFO, "%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Delivery(connect(), settings.private_home()).run(stop)


if __name__ == "__main__":
    main()
