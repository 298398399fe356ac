"""One batch of the stream: what to store, what to refuse and what to remember. Pure; it reads through two callables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tapeline.quotes import Quote, QuoteRejectedError, parse_quote
from tapeline.symbol_state import Observation, Rules, SymbolState, observe

Key = tuple[str, str]
"""Symbol and timestamp, the identity of a quote."""

MARKET_FIELDS = ("open", "high", "low", "price", "previous_close", "volume")


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
class Plan:
    """What one batch comes to.

    Attributes
    ----------
    observations : list of (StreamRecord, Observation)
        Quotes to store, in stream order, no key twice.
    rejects : list of Reject
        Records to keep aside.
    steps : list of Step
        States in stream order.
    repeated : int
        Quotes that are stored already, sent twice or delivered again; nothing is to be written for them.
    """

    observations: list[tuple[StreamRecord, Observation]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    repeated: int = 0

    def last_steps(self, before: int | None) -> list[Step]:
        """Return each symbol's last step, of the records before a sequence number or (None) of all."""
        steps = (step for step in self.steps if before is None or step.sequence_number < before)
        return list({step.symbol: step for step in steps}.values())


def plan_batch(
    records: Sequence[StreamRecord],
    read_states: Callable[[Iterable[str]], Mapping[str, SymbolState]],
    read_stored: Callable[[Iterable[Key]], Mapping[Key, Quote]],
    rules: Rules,
) -> Plan:
    """Decide what a batch comes to.

    The decision depends on the records, on the state before them and on what is stored, never on a clock or on how the
    stream was cut into batches, so that a retry decides alike.

    Parameters
    ----------
    records : sequence of StreamRecord
        One shard's records in order.
    read_states : callable
        Gives the remembered state of each symbol that has one; called once.
    read_stored : callable
        Gives the stored quotes among some keys; called once, and only if there are late quotes.
    rules : Rules
        Thresholds and cooldown.
    """
    plan = Plan()
    quotes: list[tuple[StreamRecord, Quote]] = []
    for record in records:
        try:
            quotes.append((record, parse_quote(record.data, record.arrived_at)))
        except QuoteRejectedError as error:
            plan.rejects.append(Reject(record, error.reason, error.detail))

    states = dict(read_states({quote.symbol for _, quote in quotes})) if quotes else {}
    observed: list[tuple[StreamRecord, Observation]] = []
    for record, quote in quotes:
        observation, states[quote.symbol] = observe(states.get(quote.symbol), quote, record.arrived_at, rules)
        observed.append((record, observation))
        if not observation.late:
            plan.steps.append(Step(record.sequence_number, observation, states[quote.symbol]))

    late = {_key(observation.quote) for _, observation in observed if observation.late}
    stored = dict(read_stored(late)) if late else {}
    for record, observation in observed:
        earlier = stored.setdefault(_key(observation.quote), observation.quote) if observation.late else None
        if earlier is None or earlier is observation.quote:
            stored[_key(observation.quote)] = observation.quote
            plan.observations.append((record, observation))
        elif _same_figures(earlier, observation.quote):
            plan.repeated += 1
        else:
            plan.rejects.append(Reject(record, "conflicting_quote", _describe_conflict(earlier, observation.quote)))
    return plan


def _key(quote: Quote) -> Key:
    return quote.symbol, quote.timestamp


def _same_figures(one: Quote, other: Quote) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in MARKET_FIELDS)


def _describe_conflict(stored: Quote, found: Quote) -> str:
    differences = [
        f"{name} {getattr(stored, name)} then {getattr(found, name)}"
        for name in MARKET_FIELDS
        if getattr(stored, name) != getattr(found, name)
    ]
    return f"{found.symbol} at {found.timestamp} is stored with other figures, which stay: {', '.join(differences)}"
