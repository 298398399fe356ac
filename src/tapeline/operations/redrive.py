"""Rejected records and dead letters back onto the stream, losing nothing wherever it may stop.

The order of steps: the stream takes the quotes; the lines that went are kept under ``rejected/redriven/``; then they
are taken out of ``rejected/dt=…``, and a dead letter is deleted. A run that dies in between is done again: what was
sent twice is dropped by the processor, which stores a quote once.
"""

from __future__ import annotations

import gzip
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from typing import Any

from tapeline.aws.deployment import Deployment
from tapeline.market.quotes import Quote
from tapeline.operations.rejected import (
    EXAMPLES,
    FINAL_REASONS,
    Letter,
    Redrive,
    UnknownLetterError,
    describe,
    in_order,
    judge,
    read_again,
    read_letter,
    read_line,
)
from tapeline.stream import raw_zone
from tapeline.stream.batch import Reject, StreamRecord
from tapeline.stream.keys import REJECTED_PREFIX, rejected_key
from tapeline.stream.settings import StreamProcessorSettings
from tapeline.stream.store import StreamStore, reject_to_json
from tapeline.stream.tables import Patience

REDRIVEN_PREFIX = f"{REJECTED_PREFIX}redriven/"
"""Within `rejected/`, for its retention, and because who may redrive may write there."""

MESSAGES_PER_CALL = 10
INVISIBLE_SECONDS = 900
"""How long a received letter is hidden from others, so how long its batch may take."""

READ_RECORDS = 10_000
READ_SECONDS = 60.0
"""Until when to go on against a throttled table."""

_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict"}
_GONE = {"ResourceNotFoundException", "InvalidArgumentException"}


class RedriveError(RuntimeError):
    """The stream did not take everything. Nothing was taken out of `rejected/` or the queue; run it again."""


def redrive(
    deployment: Deployment,
    first: str,
    last: str,
    *,
    dead_letters: bool = True,
    dry_run: bool = True,
) -> Redrive:
    """Put on the stream again what the stream takes now, or (dry run) say what that is.

    Parameters
    ----------
    deployment : Deployment
        Where.
    first, last : str
        Dates of arrival of rejected records, ``YYYY-MM-DD``, both ends included.
    dead_letters : bool
        Also redrive the batches in the dead-letter queue.
    dry_run : bool
        Change nothing.

    Raises
    ------
    RedriveError
        If the stream does not take every quote.
    """
    days = (date.fromisoformat(last) - date.fromisoformat(first)).days
    if days < 0:
        raise ValueError(f"expected a range from an earlier to a later date, found {first} to {last}")
    run = _Run(deployment)
    for number in range(days + 1):
        run.read_rejected(date.fromisoformat(first) + timedelta(days=number))
    try:
        if dead_letters:
            run.read_dead_letters()
        run.judge()
        if not dry_run:
            run.send()
            run.mark_rejected()
            run.finish_letters()
    finally:
        run.release_letters()
    return run.result(dry_run=dry_run)


@dataclass(slots=True)
class _Opened:
    """A dead letter with what the stream still has of its batch."""

    letter: Letter
    receipt: str
    quotes: list[Quote] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return max(0, self.letter.records - len(self.quotes) - len(self.rejects))


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A quote that may go, with where it lies: a line of an object, or a dead letter."""

    record: StreamRecord
    quote: Quote
    opened: _Opened | None = None
    key: str = ""
    line: str = ""
    reason: str = ""


@dataclass(slots=True)
class _Found:
    rejected: Counter[str] = field(default_factory=Counter)
    redriven: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)


class _Run:
    def __init__(self, deployment: Deployment) -> None:
        self._s3 = deployment.client("s3")
        self._sqs = deployment.client("sqs")
        self._kinesis = deployment.client("kinesis")
        self._outputs = deployment.outputs
        self._found = _Found()
        settings = _settings(deployment)
        deadline = time.monotonic() + READ_SECONDS
        self._rules = settings.rules
        self._store = StreamStore(
            dynamodb=deployment.client("dynamodb"),
            s3=self._s3,
            table_name=deployment.outputs.table_name,
            state_table_name=deployment.outputs.state_table_name,
            bucket_name=deployment.outputs.bucket_name,
            quote_retention=settings.quote_retention,
            patience=Patience(lambda: deadline - time.monotonic()),
        )
        self._candidates: list[_Candidate] = []
        self._moves: dict[str, dict[str, Quote]] = {}
        self._letters: list[_Opened] = []
        self._held: dict[str, None] = {}

    def read_rejected(self, day: date) -> None:
        """Read one day's rejects and note which are quotes now."""
        bucket = self._outputs.bucket_name
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{REJECTED_PREFIX}dt={day}/")
        for key in [one["Key"] for page in pages for one in page.get("Contents", [])]:
            for line in raw_zone.get_lines(self._s3, bucket, key):
                self._read_line(key, line)

    def _read_line(self, key: str, line: str) -> None:
        kept = read_line(line)
        if kept is None:
            self._found.rejected["unreadable_line"] += 1
            self._show("unreadable_line", describe(line.encode(), "unreadable_line", "no line of the stream processor"))
            return
        self._found.rejected[kept.reason] += 1
        if kept.reason in FINAL_REASONS:
            self._show(
                kept.reason,
                describe(kept.record.data, kept.reason, "other figures are stored; `tapeline correct` replaces them"),
            )
            return
        read = read_again(kept.record)
        if isinstance(read, Reject):
            self._show(kept.reason, describe(kept.record.data, read.reason, read.detail))
        else:
            self._candidates.append(_Candidate(kept.record, read, key=key, line=line, reason=kept.reason))

    def _show(self, reason: str, example: str) -> None:
        if len(shown := self._found.examples.setdefault(reason, [])) < EXAMPLES:
            shown.append(example)

    def read_dead_letters(self) -> None:
        """Receive every letter, and read its batch from the stream while that still has it."""
        for message in self._receive():
            self._held[message["ReceiptHandle"]] = None
            try:
                letter = read_letter(message["Body"])
            except UnknownLetterError as error:
                self._found.unknown[str(error)] += 1
                continue
            opened = _Opened(letter, message["ReceiptHandle"])
            self._letters.append(opened)
            for record in self._fetch(letter):
                read = read_again(record)
                if isinstance(read, Reject):
                    opened.rejects.append(read)
                else:
                    self._candidates.append(_Candidate(record, read, opened))

    def judge(self) -> None:
        """Decide as the stream would which quotes go; the others stay, or are kept as rejected."""
        refused = judge(
            [(one.record, one.quote) for one in self._candidates],
            self._store.read_states,
            self._store.read_stored,
            self._rules,
            self._outputs.quote_fields.split(","),
        )
        for position, one in enumerate(self._candidates):
            reject = refused.get(position)
            if one.opened is not None:
                (one.opened.rejects.append(reject) if reject else one.opened.quotes.append(one.quote))
            elif reject:
                self._show(one.reason, describe(one.record.data, reject.reason, reject.detail))
            else:
                self._found.redriven[one.reason] += 1
                self._moves.setdefault(one.key, {})[one.line] = one.quote

    def _receive(self) -> Iterator[Any]:
        seen: set[str] = set()
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=self._outputs.dead_letter_queue_url,
                MaxNumberOfMessages=MESSAGES_PER_CALL,
                VisibilityTimeout=INVISIBLE_SECONDS,
                WaitTimeSeconds=1,
            )
            messages = [one for one in answer.get("Messages", []) if one["MessageId"] not in seen]
            if not messages:
                return
            seen |= {one["MessageId"] for one in messages}
            yield from messages

    def _fetch(self, letter: Letter) -> Iterator[StreamRecord]:
        """Yield a batch's records, as far as the stream still has them."""
        try:
            iterator: str | None = self._kinesis.get_shard_iterator(
                StreamName=self._outputs.stream_name,
                ShardId=letter.shard_id,
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                StartingSequenceNumber=letter.first,
            )["ShardIterator"]
        except self._kinesis.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _GONE:  # the stream was made anew, or its retention is over
                return
            raise
        while iterator:
            answer = self._kinesis.get_records(ShardIterator=iterator, Limit=READ_RECORDS)
            for record in answer["Records"]:
                number = int(record["SequenceNumber"])
                if number > int(letter.last):
                    return
                yield StreamRecord(
                    shard_id=letter.shard_id,
                    sequence_number=number,
                    partition_key=record["PartitionKey"],
                    arrived_at=record["ApproximateArrivalTimestamp"].astimezone(UTC),
                    data=record["Data"],
                )
                if number == int(letter.last):
                    return
            if not answer["Records"] and not answer.get("MillisBehindLatest"):
                return
            iterator = answer.get("NextShardIterator")

    def send(self) -> None:
        """Put every quote on the stream, in order per symbol, and wait until Kinesis has taken all."""
        from tapeline.stream.recipient import taken_fields
        from tapeline.stream.source import Counters
        from tapeline.stream.writer import KinesisWriter

        quotes = in_order(
            [
                *(quote for moved in self._moves.values() for quote in moved.values()),
                *(quote for opened in self._letters for quote in opened.quotes),
            ]
        )
        if not quotes:
            return
        fields = taken_fields(self._outputs.quote_fields)
        writer = KinesisWriter(self._kinesis, self._outputs.stream_name, Counters(), optional_fields=lambda: fields)
        stop = threading.Event()
        try:
            for quote in quotes:
                writer.put(quote, stop)
            while not writer.flush(timeout_seconds=1.0):
                pass
        finally:
            writer.close()
        sent = writer.counters.now().sent
        if sent != len(quotes):
            raise RedriveError(
                f"Kinesis took {sent:,} of {len(quotes):,} quotes; the rest stays where it is, run it again"
            )

    def mark_rejected(self) -> None:
        """Keep the lines that went under `REDRIVEN_PREFIX`, then take them out of `rejected/`."""
        for key, moved in self._moves.items():
            kept_at = REDRIVEN_PREFIX + key.removeprefix(REJECTED_PREFIX)
            raw_zone.put_lines(self._s3, self._outputs.bucket_name, kept_at, list(moved))
            while not self._take_out(key, moved):
                pass

    def _take_out(self, key: str, moved: dict[str, Quote]) -> bool:
        """Return whether it is done; not if the processor has just added a line, and then it is tried again."""
        place: Any = {"Bucket": self._outputs.bucket_name, "Key": key}
        try:
            answer = self._s3.get_object(**place)
            lines = gzip.decompress(answer["Body"].read()).decode().splitlines()
            left = [line for line in lines if line not in moved]
            if left:
                body = gzip.compress("".join(f"{line}\n" for line in left).encode(), mtime=0)
                self._s3.put_object(**place, Body=body, IfMatch=answer["ETag"])
            else:
                self._s3.delete_object(**place, IfMatch=answer["ETag"])
        except self._s3.exceptions.NoSuchKey:
            return True
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _CHANGED:
                return False
            raise
        return True

    def finish_letters(self) -> None:
        """Keep what is no quote under `rejected/`; delete the letters of which nothing is lost."""
        for opened in self._letters:
            for reject in opened.rejects:
                record = reject.record
                key = rejected_key(record.arrived_at, record.shard_id, str(record.sequence_number))
                raw_zone.put_lines(self._s3, self._outputs.bucket_name, key, [reject_to_json(reject)])
            if not opened.lost:
                self._sqs.delete_message(QueueUrl=self._outputs.dead_letter_queue_url, ReceiptHandle=opened.receipt)
                del self._held[opened.receipt]

    def release_letters(self) -> None:
        """Let others see the letters that stay."""
        for receipt in self._held:
            self._sqs.change_message_visibility(
                QueueUrl=self._outputs.dead_letter_queue_url, ReceiptHandle=receipt, VisibilityTimeout=0
            )

    def result(self, *, dry_run: bool) -> Redrive:
        """Say what was found."""
        return Redrive(
            dry_run=dry_run,
            rejected=dict(self._found.rejected),
            redriven=dict(self._found.redriven),
            examples={reason: tuple(shown) for reason, shown in self._found.examples.items() if shown},
            letters=tuple((opened.letter, _fate(opened, dry_run)) for opened in self._letters),
            unknown_letters=dict(self._found.unknown),
            letter_quotes=sum(len(opened.quotes) for opened in self._letters),
            letter_rejects=sum(len(opened.rejects) for opened in self._letters),
            lost=sum(opened.lost for opened in self._letters),
        )


def _settings(deployment: Deployment) -> StreamProcessorSettings:
    """Return the settings of the deployed processor."""
    function = deployment.client("lambda").get_function_configuration(
        FunctionName=deployment.outputs.stream_processor_name
    )
    return StreamProcessorSettings.from_environment(function["Environment"]["Variables"])


def _fate(opened: _Opened, dry_run: bool) -> str:
    if opened.lost:
        return f"{opened.lost:,} records are gone from the stream, so the letter stays; delete it by hand"
    return "would be redriven and deleted" if dry_run else "redriven and deleted"
