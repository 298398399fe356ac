"""What was refused or given up, judged again: what the stream would take now, and in which order."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tapeline.aws.printable import printable
from tapeline.market.quotes import OPTIONAL_FIELDS, Quote, read_timestamp
from tapeline.market.symbol_state import Rules
from tapeline.operations.dead_letters import Letter
from tapeline.stream.batch import (
    INTERNAL_ERROR,
    BatchFailedError,
    BatchPlan,
    Key,
    Reject,
    Remembered,
    Stored,
    StreamRecord,
    plan_batch,
    read_quotes,
)

EXAMPLES = 3
SHOWN_CHARACTERS = 100

FINAL_REASONS = frozenset({"conflicting_quote"})
"""Refused for what is stored already, not for how they are written: the stream would refuse them again."""


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line under `rejected/`, as `tapeline.stream.store.reject_to_json` writes it: what was refused, and why."""

    reason: str
    record: StreamRecord


def read_line(line: str) -> RejectedLine | None:
    """Read a line under `rejected/`; None if it is none, and then it stays where it is."""
    try:
        reject = json.loads(line)
        if "payload_base64" in reject:
            data = base64.b64decode(reject["payload_base64"], validate=True)
        else:
            data = reject["payload"].encode()
        record = StreamRecord(
            shard_id=str(reject["shard_id"]),
            sequence_number=int(reject["sequence_number"]),
            partition_key=str(reject["partition_key"]),
            arrived_at=read_timestamp(reject["arrived_at"]),
            data=data,
        )
        return RejectedLine(str(reject["reason"]), record)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        return None


def read_again(record: StreamRecord) -> Quote | Reject:
    """Read a record as the stream would today, by its own arrival time."""
    plan = BatchPlan()
    quotes = read_quotes([record], plan)
    return quotes[0][1] if quotes else plan.rejects[0]


def refusals(
    quotes: Sequence[tuple[StreamRecord, Quote]],
    read_states: Callable[[Iterable[str]], Remembered],
    read_stored: Callable[[Iterable[Key]], Mapping[Key, Stored]],
    rules: Rules,
    optional_fields: Collection[str] = OPTIONAL_FIELDS,
) -> dict[int, Reject]:
    """Decide which quotes the stream would refuse, were all put on it again in the order of `in_order`.

    It is the stream's own decision, `tapeline.stream.batch.plan_batch`, over what is remembered and stored now, for
    records that `read_again` takes for quotes and the optional fields that the deployment takes. The rejects are by
    their position in `quotes`.
    """
    refused: dict[int, Reject] = {}
    for position, (record, quote) in enumerate(quotes):
        if lacking := [name for name in OPTIONAL_FIELDS if getattr(quote, name) and name not in optional_fields]:
            detail = f"the deployment takes no {' and no '.join(lacking)} yet; bring it up to date: `tapeline deploy`"
            refused[position] = Reject(record, "unknown_field", detail)
    going = sorted((set(range(len(quotes))) - set(refused)), key=lambda at: (_place(quotes[at][1]), at))
    records = [
        replace(record, sequence_number=at, partition_key=quote.symbol, data=quote.to_json().encode())
        for at, (record, quote) in ((at, quotes[at]) for at in going)
    ]
    try:
        plan = plan_batch(records, read_states, read_stored, rules)
    except BatchFailedError as error:
        return refused | {at: Reject(quotes[at][0], INTERNAL_ERROR, str(error)) for at in going}
    for reject in plan.rejects:
        at = reject.record.sequence_number
        refused[at] = replace(reject, record=quotes[at][0])
    return refused


def in_order(quotes: Iterable[Quote]) -> list[Quote]:
    """Return quotes as they go on the stream: by their own time, so in order per symbol, none twice.

    Of two that share symbol and time but not figures `refusals` names the second.
    """
    distinct = {(quote.symbol, quote.time, quote.to_json()): quote for quote in quotes}
    return sorted(distinct.values(), key=_place)


def _place(quote: Quote) -> tuple[datetime, str]:
    return quote.time, quote.symbol


@dataclass(frozen=True, slots=True)
class Redrive:
    """What a redrive did, or would do."""

    dry_run: bool
    rejected: Mapping[str, int]
    """Lines under `rejected/` by reason; unreadable ones as ``unreadable_line``."""
    redriven: Mapping[str, int]
    """Those of them that the stream takes now, by their old reason."""
    examples: Mapping[str, Sequence[str]]
    """Some that stay rejected, by their old reason: the start of the payload, and why it stays."""
    letters: tuple[tuple[Letter, str], ...] = ()
    """Each dead letter and what becomes of it."""
    unknown_letters: Mapping[str, int] | None = None
    """Messages of another kind, which stay in the queue."""
    letter_quotes: int = 0
    """Records of dead letters that were put on the stream; others were kept under `rejected/`, or are gone from it."""
    letter_rejects: int = 0
    letter_changes: int = 0
    """Changes of the table that the trend alerts got again."""
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
        if self.letter_changes:
            got = "would get" if self.dry_run else "got"
            lines.append(f"  the trend alerts {got} {self.letter_changes:,} changes of the table again")
        lines += [
            f"  {letter.shard_id} from {letter.first}: {letter.records:,} records, {letter.condition}: {fate}"
            for letter, fate in self.letters
        ]
        lines += [f"  left in the queue: {number:,}, {kind}" for kind, number in (self.unknown_letters or {}).items()]
        if self.unknown_letters:
            lines.append(
                "  What is left in the queue cannot be read; docs/runbook.md, `dead letters`, says what to do."
            )
        return "\n".join(map(printable, lines))


def describe(data: bytes, reason: str, detail: str) -> str:
    """Return the start of a payload that stays, and why."""
    payload = data.decode("utf-8", "backslashreplace")
    shown = payload if len(payload) <= SHOWN_CHARACTERS else f"{payload[:SHOWN_CHARACTERS]}…"
    return f"{shown} ({reason}: {detail})"
