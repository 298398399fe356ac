"""Put rejected records and dead letters back onto the stream, losing nothing wherever it may stop.

The order of steps: the stream takes the quotes, and the trend alerts the batches of the table's stream; the lines that
went are kept under ``rejected/redriven/``; then they are taken out of ``rejected/dt=…``, and a dead letter is deleted.
A run that dies in between is done again: what was sent twice is dropped by the processor, which stores a quote once,
and by the trend alerts, which remember what they have sent.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from tapeline.aws.deployment import Deployment
from tapeline.deploy.pointers import is_greeting
from tapeline.market.quotes import Quote
from tapeline.operations.dead_letters import DeadLetters, Letter
from tapeline.operations.rejected import (
    EXAMPLES,
    FINAL_REASONS,
    Redrive,
    describe,
    in_order,
    read_again,
    read_line,
    refusals,
)
from tapeline.stream import raw_zone
from tapeline.stream.batch import Reject, Remembered, StreamRecord
from tapeline.stream.keys import REJECTED_PREFIX, rejected_key
from tapeline.stream.recipient import taken_fields
from tapeline.stream.settings import StreamProcessorSettings
from tapeline.stream.source import Counters
from tapeline.stream.store import StreamStore, reject_to_json
from tapeline.stream.tables import Patience
from tapeline.stream.writer import KinesisWriter

REDRIVEN_PREFIX = f"{REJECTED_PREFIX}redriven/"
"""Within `rejected/`, for its retention, and because who may redrive may write there."""

READ_SECONDS = 60.0
"""Until when to go on against a throttled table."""
_REPLACE = "other figures are stored; `tapeline correct` replaces them"


class RedriveError(RuntimeError):
    """The stream did not take everything. Nothing was taken out of `rejected/` or the queue; run it again."""


def redrive(
    deployment: Deployment, first: str, last: str, *, dead_letters: bool = True, dry_run: bool = True
) -> Redrive:
    """Put on the stream again what the stream takes now, or (dry run) say what that is.

    First and last are dates of arrival of rejected records, ``YYYY-MM-DD``, both included; dead letters are the batches
    in the dead-letter queue.

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
        run.decide()
        if not dry_run:
            run.send()
            run.alert()
            run.mark_rejected()
            run.finish_letters()
    finally:
        run.letters.release()
    return run.result(dry_run=dry_run)


@dataclass(slots=True)
class _Opened:
    """A dead letter with what there still is of its batch."""

    letter: Letter
    receipt: str
    quotes: list[Quote] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    failure: str = ""
    """Why the trend alerts did not take it; of a batch of the table's stream only."""

    @property
    def lost(self) -> int:
        if self.letter.is_of_table:
            return 0
        return max(0, self.letter.records - len(self.quotes) - len(self.rejects))

    @property
    def stays(self) -> bool:
        return bool(self.lost or self.failure)


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
class _Counts:
    rejected: Counter[str] = field(default_factory=Counter)
    redriven: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)


class _Run:
    def __init__(self, deployment: Deployment) -> None:
        self._s3 = deployment.client("s3")
        self._deployment = deployment
        self._outputs = deployment.outputs
        self._counts = _Counts()
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
        self._opened: list[_Opened] = []
        self._by_name: dict[str, _Opened] = {}
        self._again: list[tuple[_Opened, str]] = []
        self._greetings: list[str] = []
        self._unread: set[str] = set()
        self.letters = DeadLetters(deployment)

    def read_rejected(self, day: date) -> None:
        """Read one day's rejects and note which are quotes now."""
        bucket = self._outputs.bucket_name
        listing = raw_zone.list_objects(self._s3, bucket, f"{REJECTED_PREFIX}dt={day}/")
        for key in [stored["Key"] for stored in listing]:
            for line in raw_zone.get_lines(self._s3, bucket, key):
                self._read_line(key, line)

    def _read_line(self, key: str, line: str) -> None:
        refusal = read_line(line)
        if refusal is None:
            self._counts.rejected["unreadable_line"] += 1
            self._show("unreadable_line", describe(line.encode(), "unreadable_line", "no line of the stream processor"))
            return
        self._counts.rejected[refusal.reason] += 1
        if refusal.reason in FINAL_REASONS:
            self._show(refusal.reason, describe(refusal.record.data, refusal.reason, _REPLACE))
            return
        read = read_again(refusal.record)
        if isinstance(read, Reject):
            self._show(refusal.reason, describe(refusal.record.data, read.reason, read.detail))
        else:
            self._candidates.append(_Candidate(refusal.record, read, key=key, line=line, reason=refusal.reason))

    def _show(self, reason: str, example: str) -> None:
        if len(shown := self._counts.examples.setdefault(reason, [])) < EXAMPLES:
            shown.append(example)

    def read_dead_letters(self) -> None:
        """Receive every message, and read the batches that it is about."""
        for message in self.letters.receive():
            if is_greeting(message.body):
                self._greetings.append(message.receipt)
                continue
            if message.unread:
                self._counts.unknown.update(message.unread)
                self._unread.add(message.receipt)
            for name, letter in message.letters:
                self._read_letter(name, letter, message.receipt)

    def _read_letter(self, name: str, letter: Letter, receipt: str) -> None:
        if name in self._by_name:  # a message that came twice
            self._again.append((self._by_name[name], receipt))
            return
        opened = self._by_name[name] = _Opened(letter, receipt)
        self._opened.append(opened)
        if letter.is_of_table:
            return
        for record in self.letters.records_of(letter):
            read = read_again(record)
            if isinstance(read, Reject):
                opened.rejects.append(read)
            else:
                self._candidates.append(_Candidate(record, read, opened))

    def decide(self) -> None:
        """Decide as the stream would which quotes go; the others stay, or are kept as rejected."""
        refused = refusals(
            [(candidate.record, candidate.quote) for candidate in self._candidates],
            lambda symbols: Remembered(self._store.read_states(symbols).states),  # alerts are not asked for
            self._store.read_stored,
            self._rules,
            self._outputs.quote_fields.split(","),
        )
        for position, candidate in enumerate(self._candidates):
            reject = refused.get(position)
            if candidate.opened is not None:
                if reject:
                    candidate.opened.rejects.append(reject)
                else:
                    candidate.opened.quotes.append(candidate.quote)
            elif reject:
                self._show(candidate.reason, describe(candidate.record.data, reject.reason, reject.detail))
            else:
                self._counts.redriven[candidate.reason] += 1
                self._moves.setdefault(candidate.key, {})[candidate.line] = candidate.quote

    def send(self) -> None:
        """Put every quote on the stream, in order per symbol, and wait until Kinesis has taken all."""
        quotes = in_order(
            [
                *(quote for moved in self._moves.values() for quote in moved.values()),
                *(quote for opened in self._opened for quote in opened.quotes),
            ]
        )
        if not quotes:
            return
        fields, kinesis = taken_fields(self._outputs.quote_fields), self._deployment.client("kinesis")
        writer = KinesisWriter(kinesis, self._outputs.stream_name, Counters(), optional_fields=lambda: fields)
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

    def alert(self) -> None:
        """Let the trend alerts have the batches of the table's stream again, as Lambda would."""
        function = self._deployment.client("lambda")
        for opened in self._opened:
            if not opened.letter.is_of_table:
                continue
            # As small as Lambda had it: an invocation takes 6 MB either way.
            event = json.dumps({"Records": opened.letter.events}, separators=(",", ":"), ensure_ascii=False)
            try:
                answer = function.invoke(FunctionName=self._outputs.trend_alerts_name, Payload=event.encode())
                result = json.loads(answer["Payload"].read())
            except (BotoCoreError, ClientError) as error:
                opened.failure = f"the trend alerts could not be invoked: {error}"
                continue
            if "FunctionError" in answer:
                opened.failure = f"the trend alerts failed again: {result.get('errorMessage', result)}"
            elif result.get("batchItemFailures"):
                opened.failure = "the trend alerts could not send all; their log says why"

    def mark_rejected(self) -> None:
        """Keep the lines that went under `REDRIVEN_PREFIX`, then take them out of `rejected/`."""
        for key, moved in self._moves.items():
            kept_at = REDRIVEN_PREFIX + key.removeprefix(REJECTED_PREFIX)
            raw_zone.put_lines(self._s3, self._outputs.bucket_name, kept_at, list(moved))
            raw_zone.remove_lines(self._s3, self._outputs.bucket_name, key, moved)

    def finish_letters(self) -> None:
        """Keep what is no quote under `rejected/`; delete the messages of which nothing is lost or undone."""
        for opened in self._opened:
            for reject in opened.rejects:
                record = reject.record
                key = rejected_key(record.arrived_at, record.shard_id, str(record.sequence_number))
                raw_zone.put_lines(self._s3, self._outputs.bucket_name, key, [reject_to_json(reject)])
        pointing = [*((opened, opened.receipt) for opened in self._opened), *self._again]
        staying = self._unread | {receipt for opened, receipt in pointing if opened.stays}
        done = dict.fromkeys(receipt for _, receipt in pointing if receipt not in staying)
        self.letters.delete([*done, *self._greetings])

    def result(self, *, dry_run: bool) -> Redrive:
        """Return what this run did or would do."""
        return Redrive(
            dry_run=dry_run,
            rejected=dict(self._counts.rejected),
            redriven=dict(self._counts.redriven),
            examples={reason: tuple(shown) for reason, shown in self._counts.examples.items() if shown},
            letters=tuple((replace(opened.letter, events=None), _fate(opened, dry_run)) for opened in self._opened),
            unknown_letters=dict(self._counts.unknown),
            letter_quotes=sum(len(opened.quotes) for opened in self._opened),
            letter_changes=sum(opened.letter.records for opened in self._opened if opened.letter.is_of_table),
            letter_rejects=sum(len(opened.rejects) for opened in self._opened),
            lost=sum(opened.lost for opened in self._opened),
        )


def _settings(deployment: Deployment) -> StreamProcessorSettings:
    """Return the settings of the deployed processor."""
    function = deployment.client("lambda").get_function_configuration(
        FunctionName=deployment.outputs.stream_processor_name
    )
    return StreamProcessorSettings.from_environment(function["Environment"]["Variables"])


def _fate(opened: _Opened, dry_run: bool) -> str:
    if opened.failure:
        return f"{opened.failure}, so the letter stays"
    if opened.lost:
        return f"{opened.lost:,} records are gone from the stream, so the letter stays; delete it by hand"
    return "would be redriven and deleted" if dry_run else "redriven and deleted"
