"""One batch of the stream: what to store, what to refuse and what to remember. Pure; it reads through two callables."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from tapeline.market.alerting.in_force import InForce
from tapeline.market.quotes import FIGURES, Quote, QuoteRejectedError, parse_quote
from tapeline.market.rules import CORRECTED
from tapeline.market.symbol_state import Observation, Rules, SymbolState, observe

Key = tuple[str, str]
"""Symbol and timestamp, the identity of a quote."""

INTERNAL_ERROR = "internal_error"
"""Reason of a record on which our own code failed; a fault of ours, never of the record."""


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A record as Kinesis delivers it; `arrived_at` is Kinesis' approximate arrival time, UTC."""

    shard_id: str
    sequence_number: int
    partition_key: str
    arrived_at: datetime
    data: bytes


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that is kept aside, with the reason."""

    record: StreamRecord
    reason: str
    detail: str


KEPT_VERSIONS = 20
"""Versions that an item lists, the newest; an item has at most 400 kB, and the raw zone keeps all."""


class BatchFailedError(RuntimeError):
    """Our code failed on every record of a batch: the release is bad, not the records, and none may be refused."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A quote as the table has it: the version that stands, and the kinds of alert it raised.

    Attributes
    ----------
    superseded : tuple of str
        The newest `KEPT_VERSIONS` it took the place of, oldest first, each as `version_to_json` writes it.
    """

    quote: Quote
    alerts: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A quote to store, with what was computed of it.

    Attributes
    ----------
    superseded : tuple of str
        Versions of the same symbol and time that it takes the place of.
    is_outdated : bool
        Whether a higher revision is stored: it is kept in the raw zone only.
    """

    record: StreamRecord
    observation: Observation
    superseded: tuple[str, ...] = ()
    is_outdated: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """The newest quote of one symbol and the state after it, to be remembered once all before it is stored."""

    sequence_number: int
    observation: Observation
    state: SymbolState

    @property
    def symbol(self) -> str:
        """Whose state it is."""
        return self.observation.quote.symbol


@dataclass(slots=True)
class BatchPlan:
    """What one batch comes to.

    Attributes
    ----------
    entries : list of Entry
        Quotes to store, in stream order; a key again only with a higher revision.
    steps : list of Step
        States in stream order.
    repeated : int
        Quotes that are stored already, sent twice or delivered again; nothing is to be written for them.
    """

    entries: list[Entry] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    repeated: int = 0

    def last_steps(self, before: int | None) -> list[Step]:
        """Return each symbol's last step, of the records before a sequence number or (None) of all."""
        steps = (step for step in self.steps if before is None or step.sequence_number < before)
        return list({step.symbol: step for step in steps}.values())

    def refuse(self, record: StreamRecord, error: Exception) -> None:
        """Keep a record aside on which our code failed, with what is needed to find the fault."""
        self.rejects.append(Reject(record, INTERNAL_ERROR, f"{fault(error)}: {error}"[:500]))


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is remembered from the batches before.

    Attributes
    ----------
    states : mapping of str to SymbolState
        By symbol.
    in_force : callable
        Gives the applied rules for records that arrived at a moment, None if there are none.
    """

    states: Mapping[str, SymbolState]
    in_force: Callable[[datetime], InForce | None] = lambda _: None


def fault(error: Exception) -> str:
    """Return what kind of error our own code raised and where, so that it can be found."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def plan_batch(
    records: Sequence[StreamRecord],
    read_states: Callable[[Iterable[str]], Remembered],
    read_stored: Callable[[Iterable[Key]], Mapping[Key, Stored]],
    rules: Rules,
) -> BatchPlan:
    """Decide what a batch comes to.

    The decision depends on the records, on the state before them and on what is stored, never on a clock or on how the
    stream was cut into batches, so that a retry decides alike.

    Parameters
    ----------
    records : sequence of StreamRecord
        One shard's records in order.
    read_states : callable
        Gives the remembered state of each symbol that has one, and the rules in force; called once.
    read_stored : callable
        Gives the stored quotes among some keys; called once, and only if there are late quotes or revisions.

    Raises
    ------
    BatchFailedError
        If our own code fails on every record. One that it fails on among others is refused as `INTERNAL_ERROR`.
    """
    plan = BatchPlan()
    quotes = read_quotes(records, plan)
    remembered = read_states({quote.symbol for _, quote in quotes}) if quotes else Remembered({})
    observations = _observe(quotes, remembered, rules, plan)
    # The newest quote's revision is decided by the state, so that a retry decides alike; what it replaces is stored.
    keys = {
        _key(observation.quote) for _, observation in observations if observation.late or observation.quote.revision
    }
    stored = dict(read_stored(keys)) if keys else {}
    for record, observation in observations:
        try:
            _add(plan, record, observation, stored)
        except Exception as error:  # noqa: BLE001 - one record's trouble must not stop its shard
            plan.refuse(record, error)
    broken = sum(reject.reason == INTERNAL_ERROR for reject in plan.rejects)
    if broken and broken == len(records):
        raise BatchFailedError(f"no record of {broken} could be decided: {plan.rejects[0].detail}")
    return plan


def read_quotes(records: Sequence[StreamRecord], plan: BatchPlan) -> list[tuple[StreamRecord, Quote]]:
    """Read each record by itself; the plan refuses what is no quote."""
    quotes = []
    for record in records:
        try:
            quotes.append((record, parse_quote(record.data, record.arrived_at)))
        except QuoteRejectedError as error:
            plan.rejects.append(Reject(record, error.reason, error.detail))
        except Exception as error:  # noqa: BLE001 - one record's trouble must not stop its shard
            plan.refuse(record, error)
    return quotes


def _observe(
    quotes: Sequence[tuple[StreamRecord, Quote]], remembered: Remembered, rules: Rules, plan: BatchPlan
) -> list[tuple[StreamRecord, Observation]]:
    observations = []
    states = dict(remembered.states)
    for record, quote in quotes:
        in_force = remembered.in_force(record.arrived_at)  # if it cannot be read, the batch comes again
        try:
            observation, state = observe(states.get(quote.symbol), quote, record.arrived_at, rules, in_force)
        except Exception as error:  # noqa: BLE001 - one record's trouble must not stop its shard
            plan.refuse(record, error)
            continue
        states[quote.symbol] = state
        observations.append((record, observation))
        if not observation.late:
            plan.steps.append(Step(record.sequence_number, observation, state))
    return observations


def _add(plan: BatchPlan, record: StreamRecord, observation: Observation, stored: dict[Key, Stored]) -> None:
    """Decide what becomes of a quote whose symbol and time may be stored already; of the rest, it is stored."""
    quote = observation.quote
    earlier = stored.get(_key(quote))
    if earlier is None or not (observation.late or quote.revision):
        entry = Entry(record, observation)
    elif quote.revision > earlier.quote.revision:
        if observation.late and earlier.alerts:
            observation = replace(observation, alerts=(CORRECTED.name,))
        versions = (*earlier.superseded, version_to_json(earlier.quote, earlier.alerts))
        entry = Entry(record, observation, versions[-KEPT_VERSIONS:])
    elif not observation.late:  # delivered again after its item, or a later version, was stored and before its state
        versions = tuple(text for text in earlier.superseded if _revision(text) < quote.revision)
        entry = Entry(record, observation, versions)
    else:
        figures = figures_of(earlier, quote.revision)
        if figures is None:
            # It counts nowhere; a verdict would depend on how often it was delivered.
            plan.entries.append(Entry(record, replace(observation, suspect=()), is_outdated=True))
        elif figures == _figures(quote):
            plan.repeated += 1
        else:
            plan.rejects.append(Reject(record, "conflicting_quote", _describe_conflict(figures, quote)))
        return
    plan.entries.append(entry)
    stored[_key(quote)] = Stored(quote, observation.alerts, entry.superseded)


def version_to_json(quote: Quote, alerts: Sequence[str]) -> str:
    """Return a version of a quote that another takes the place of, with the alerts it raised, as one line."""
    figures = {name: f"{getattr(quote, name):f}" if name != "volume" else quote.volume for name in FIGURES}
    origin = {"source": quote.source, "ingested_at": quote.ingested_at}
    return json.dumps({"revision": quote.revision, **figures, **origin, "alerts": sorted(alerts)})


def figures_of(stored: Stored, revision: int) -> tuple[Decimal, ...] | None:
    """Return the figures of a stored quote's version, in the order of `FIGURES`, None if it never had this revision."""
    if stored.quote.revision == revision:
        return _figures(stored.quote)
    for text in stored.superseded:
        if _revision(text) == revision:
            version = json.loads(text)
            return tuple(Decimal(version[name]) for name in FIGURES)
    return None


def _revision(version: str) -> int:
    return int(json.loads(version)["revision"])


def _key(quote: Quote) -> Key:
    return quote.symbol, quote.timestamp


def _figures(quote: Quote) -> tuple[Decimal, ...]:
    return tuple(Decimal(getattr(quote, name)) for name in FIGURES)


def _describe_conflict(stored: tuple[Decimal, ...], quote: Quote) -> str:
    figures = zip(FIGURES, stored, _figures(quote), strict=True)
    differences = [f"{name} {before:f} then {now:f}" for name, before, now in figures if before != now]
    stored_quote = f"{quote.symbol} at {quote.timestamp} is stored with other figures, which stay"
    return f"{stored_quote}: {', '.join(differences)}. `tapeline correct` puts a stored quote right"
