"""Count what the stream accepted and what each place keeps, and name what disagrees.

The rules, of which each is one of `tapeline.operations.ledger.DIFFERENCES`:

- an accepted record that is a quote is in DynamoDB (until its time there is over) and in the raw zone with its own
  figures, or under `rejected/` if a quote of the same symbol and time came first with other figures; DynamoDB has the
  highest revision only;
- an accepted record that is no quote is under `rejected/`, by its sequence number;
- DynamoDB and the raw zone hold the same quotes, but for those whose time in DynamoDB is over.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta

from tapeline.aws.deployment import Deployment
from tapeline.operations.ledger import Counts, open_ledger
from tapeline.operations.tally import OnCount, Tally

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which the places disagree: how many, and a few of them by name."""

    name: str
    count: int
    examples: list[str]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How much is where, and in what the places disagree."""

    counts: Counts
    dead_letters: int
    differences: list[Difference] = field(default_factory=list)
    waiting_for: list[str] = field(default_factory=list)
    """Symbols whose quotes were accepted but not delivered when the time to wait was over."""
    seconds: float = 0.0
    """How long it took, waiting included."""

    @property
    def agrees(self) -> bool:
        """Whether nothing is missing anywhere."""
        return not self.differences


def reconcile(
    deployment: Deployment, quote_retention: timedelta, wait_seconds: float, progress: OnCount
) -> Reconciliation:
    """Compare the places for all that was accepted before now; quotes may go on flowing meanwhile.

    The retention is DynamoDB's; the time to wait is for records that were accepted but are not delivered yet.
    """
    started = time.monotonic()
    with open_ledger() as ledger:
        tally = Tally(deployment, quote_retention, ledger, started + wait_seconds, progress)
        tally.read_stream()
        tally.wait_for_delivery()
        tally.read_table()
        tally.read_raw_zone(recent=False)
        tally.read_rejects()
        tally.look_again()
        return Reconciliation(
            counts=ledger.count(),
            dead_letters=tally.dead_letters(),
            differences=[
                Difference(name, number, [" ".join(case) for case in ledger.cases(name, EXAMPLES)])
                for name, number in ledger.differences().items()
                if number
            ],
            waiting_for=tally.behind,
            seconds=time.monotonic() - started,
        )
