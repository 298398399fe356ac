"""What was refused or given up, read again: which of it is a quote now, and in which order it goes on the stream."""

from __future__ import annotations

import base64
import binascii
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tapeline.batch import Reject, StreamRecord
from tapeline.printable import printable
from tapeline.quotes import Quote, QuoteRejectedError, parse_quote, read_timestamp

EXAMPLES = 3
SHOWN_CHARACTERS = 100

FINAL_REASONS = frozenset({"conflicting_quote"})
"""Refused for what is stored already, not for how they are written: the stream would refuse them again."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A line under `rejected/`, as `stream_store.reject_to_json` writes it.

    Attributes
    ----------
    line : str
        As it stands in the object.
    reason : str
        Why it was refused.
    record : StreamRecord
        What was refused.
    """

    line: str
    reason: str
    record: StreamRecord


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Some records, read again.

    Attributes
    ----------
    quotes : tuple of (StreamRecord, Quote)
        Those that are quotes now.
    rejects : tuple of Reject
        Those that still are none, with the reason of today.
    """

    quotes: tuple[tuple[StreamRecord, Quote], ...]
    rejects: tuple[Reject, ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: a batch of the Kinesis stream that delivery gave up.

    Attributes
    ----------
    shard_id, first, last : str
        The batch's place on the stream: shard, first and last sequence number.
    records : int
        How many it had.
    condition : str
        Why it was given up, in Lambda's words: ``RetryAttemptsExhausted`` and so on.
    """

    shard_id: str
    first: str
    last: str
    records: int
    condition: str


class UnknownLetterError(ValueError):
    """A message in the dead-letter queue that tells of no batch of the Kinesis stream."""


def read_line(line: str) -> Kept | None:
    """Read a line under `rejected/`; None if it is none, and then it stays where it is."""
    try:
        told = json.loads(line)
        if "payload_base64" in told:
            data = base64.b64decode(told["payload_base64"], validate=True)
        else:
            data = told["payload"].encode()
        record = StreamRecord(
            shard_id=str(told["shard_id"]),
            sequence_number=int(told["sequence_number"]),
            partition_key=str(told["partition_key"]),
            arrived_at=read_timestamp(told["arrived_at"]),
            data=data,
        )
        return Kept(line, str(told["reason"]), record)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        return None


def read_letter(body: str) -> Letter:
    """Read a dead letter (Lambda Developer Guide, "Retaining discarded batch records for a Kinesis source").

    Raises
    ------
    UnknownLetterError
        If it is of another kind.
    """
    try:
        told = json.loads(body)
        batch = told["KinesisBatchInfo"]
        return Letter(
            shard_id=batch["shardId"],
            first=batch["startSequenceNumber"],
            last=batch["endSequenceNumber"],
            records=int(batch["batchSize"]),
            condition=str(told.get("requestContext", {}).get("condition", "unknown")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        kind = "a batch of the table's stream" if "DDBStreamBatchInfo" in body else f"not understood ({error})"
        raise UnknownLetterError(kind) from error


def judge(records: Iterable[StreamRecord]) -> Verdicts:
    """Read records again, each by its own arrival time."""
    quotes, rejects = [], []
    for record in records:
        try:
            quotes.append((record, parse_quote(record.data, record.arrived_at)))
        except QuoteRejectedError as error:
            rejects.append(Reject(record, error.reason, error.detail))
    return Verdicts(tuple(quotes), tuple(rejects))


def redrivable(lines: Iterable[str]) -> dict[str, Quote]:
    """Return the lines that are quotes now, each with its quote; `FINAL_REASONS` never are."""
    found: dict[str, Quote] = {}
    for line in lines:
        kept = read_line(line)
        if kept is None or kept.reason in FINAL_REASONS:
            continue
        for _, quote in judge([kept.record]).quotes:
            found[line] = quote
    return found


def in_order(quotes: Iterable[Quote]) -> list[Quote]:
    """Return quotes as they go on the stream: by their own time, so in order per symbol, none twice.

    Two that share symbol and time but not figures both go; the stream keeps the first and refuses the second.
    """
    distinct = {(quote.symbol, quote.time, quote.to_json()): quote for quote in quotes}
    return sorted(distinct.values(), key=lambda quote: (quote.time, quote.symbol))


@dataclass(frozen=True, slots=True)
class Redrive:
    """What a redrive found and did, or would do.

    Attributes
    ----------
    dry_run : bool
        Nothing was changed.
    rejected : mapping of str to int
        Lines under `rejected/` by reason; unreadable ones as ``unreadable_line``.
    redriven : mapping of str to int
        Those of them that are quotes now, by their old reason.
    examples : mapping of str to sequence of str
        The start of some payloads that stay rejected, by reason.
    letters : tuple of (Letter, str)
        Each dead letter and what becomes of it.
    unknown_letters : mapping of str to int
        Messages of another kind, which stay in the queue.
    letter_quotes, letter_rejects, lost : int
        Records of dead letters: put on the stream, kept under `rejected/`, gone from the stream.
    """

    dry_run: bool
    rejected: Mapping[str, int]
    redriven: Mapping[str, int]
    examples: Mapping[str, Sequence[str]]
    letters: tuple[tuple[Letter, str], ...] = ()
    unknown_letters: Mapping[str, int] | None = None
    letter_quotes: int = 0
    letter_rejects: int = 0
    lost: int = 0

    @property
    def summary(self) -> str:
        """A few lines for a log or a terminal."""
        goes = "would go" if self.dry_run else "went"
        total, moved = sum(self.rejected.values()), sum(self.redriven.values())
        lines = [f"Rejected records: {total:,}, of which {moved:,} are quotes now and {goes} on the stream again."]
        for reason, number in sorted(self.rejected.items()):
            lines.append(f"  {reason}: {number:,}, quotes now: {self.redriven.get(reason, 0):,}")
            lines += [f"    stays: {example}" for example in self.examples.get(reason, ())]
        lines.append(
            f"Dead letters: {len(self.letters):,}; {self.letter_quotes:,} of their records {goes} on the stream again, "
            f"{self.letter_rejects:,} {'would be' if self.dry_run else 'are'} kept as rejected, {self.lost:,} are lost."
        )
        lines += [
            f"  {letter.shard_id} from {letter.first}: {letter.records:,} records, {letter.condition}: {fate}"
            for letter, fate in self.letters
        ]
        lines += [f"  left in the queue: {number:,}, {kind}" for kind, number in (self.unknown_letters or {}).items()]
        return "\n".join(map(printable, lines))


def tally(lines: Iterable[str], moved: Mapping[str, Quote]) -> tuple[Counter[str], Counter[str], dict[str, list[str]]]:
    """Count lines by reason, those that move by theirs, and take some examples of those that stay."""
    all_reasons: Counter[str] = Counter()
    moved_reasons: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    for line in lines:
        kept = read_line(line)
        reason = kept.reason if kept else "unreadable_line"
        all_reasons[reason] += 1
        if line in moved:
            moved_reasons[reason] += 1
        elif len(shown := examples.setdefault(reason, [])) < EXAMPLES:
            payload = kept.record.data.decode("utf-8", "backslashreplace") if kept else line
            shown.append(payload if len(payload) <= SHOWN_CHARACTERS else f"{payload[:SHOWN_CHARACTERS]}…")
    return all_reasons, moved_reasons, examples
