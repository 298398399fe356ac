"""Histories of a stream drawn by chance from all that the parser accepts and much that it refuses, delivered by chance.

`python -m tests.lambdas.histories --count 100000` tries many: each is delivered once in order, and once with retries,
splits, repeats, failures and crashes. Both must end alike. A history that does not is printed by its seed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console
from rich.progress import track

from tapeline.market.alerting.baselines import Baseline
from tapeline.market.alerting.in_force import Mute
from tapeline.market.alerting.rules import read_rules

from .conftest import ENVIRONMENT
from .deployment import OPENING, CrashError, Deployment, Faults, load_handler, make_records
from .memory import MemoryDynamoDB, MemoryS3

SYMBOLS = ("AAPL", "NVDA", "^VIX")
USUAL = ("94", "99.5", "100", "100.25", "101", "105.01", "106", "118", "81")
EXTREME = (
    "0", "-0", "0E+5", "0.00", "1e-38", "1e-30", "1e-9", "0.0001", "1000", "10000", "1e6", "999999999999.99", "1e12",
    "130", "130.3", "129.8", "50", "0.1", "99.999999999999999999999999999999999999",
    "1.2345678901234567890123456789012345678",
    "100.0000000000000000000000000000000001",
)  # fmt: skip
VOLUMES = ("0", "1", "1000", "99000", "5e6", "1e9", "1e15", "9223372036854775807")
TIMES = (
    "1970-01-01T00:00:00Z", "2000-02-29T23:59:59.999Z", "2026-03-08T06:59:59Z", "2026-03-08T07:00:00Z",
    "2026-03-12T13:30:00.000Z", "2026-03-12T13:30:00.001Z", "2026-03-13T03:59:59Z", "2026-03-13T04:00:00Z",
)  # fmt: skip
DOUBTS = ("", "", "", "previous_close: no bar of 2026-03-11", "price: odd; volume: half of it", "a remark")
GARBAGE = (b"", b"\xff\xfe", b"not json", b"[]", b"{}", b"[" * 5000, b'{"symbol": "AAPL"}', b"\x1f\x8b\x08", b"\x00")
BASELINE = Baseline(20, (0.002,) * 7, (0.01,) * 7, (3000.0,) * 13, 0.01, 104.0, 96.0, 105.0, 95.0)
EVERY_CONDITION: list[dict[str, Any]] = [
    {"name": "level", "when": {"level": {"price": 100}}, "cooldown": 5},
    {"name": "day", "when": {"day_change": {"beyond": 5}}, "cooldown": 0, "hours": "all"},
    {"name": "move", "when": {"move": {"within": 5, "beyond": 1}}, "cooldown": 3},
    {"name": "hour", "when": {"move": {"within": 60, "beyond": 2, "window": "block"}}, "cooldown": 10},
    {"name": "trend", "when": {"trend": {"short": 2, "long": 5, "band": 0.5}}, "for": 2, "cooldown": 4},
    {"name": "volume", "when": {"volume": {"beyond": 2, "within": 5}}},
    {"name": "extreme", "when": {"extreme": {"sessions": 20}}, "cooldown": 0},
    {"name": "band", "when": {"band": {"minutes": 5, "deviations": 1}}, "cooldown": 0},
    {"name": "both", "cooldown": 2,
     "when": {"all": [{"level": {"price": 99, "way": "up"}}, {"move": {"within": 3, "beyond": 1}}]}},
    {"name": "either", "cooldown": 2,
     "when": {"any": [{"level": {"price": 105, "way": "up"}}, {"level": {"price": 95, "way": "down"}}]}},
]  # fmt: skip
FIRST = read_rules([((), {"rules": EVERY_CONDITION})])
SECOND = read_rules([((), {"rules": [{**rule, "cooldown": 1} for rule in EVERY_CONDITION if rule["name"] != "trend"]})])
ARRIVALS = (OPENING + timedelta(days=1)).timestamp()
FAILING = ("batch_get_item", "put_object", "get_object", "batch_write_item", "batch_write_item")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One invocation: how far before the checkpoint it starts, its size, its time, and which calls meet what."""

    back: int
    size: int
    seconds: float
    fates: dict[tuple[str, int], str]

    def faults(self) -> Faults:
        counts: dict[str, int] = {}

        def choose(operation: str) -> str | None:
            counts[operation] = counts.get(operation, 0) + 1
            return self.fates.get((operation, counts[operation]))

        return Faults(choose)


def draw_payloads(random: Random) -> list[bytes]:
    """Return the records of one history."""
    sent: list[str] = []
    extreme = random.choice((0.02, 0.1, 0.5))
    return [_draw_payload(random, extreme, sent) for _ in range(random.randint(1, 60))]


def _draw_payload(random: Random, extreme: float, sent: list[str]) -> bytes:
    kind = random.random()
    if kind < 0.05:
        return random.choice((*GARBAGE, random.randbytes(random.randint(0, 80))))
    if sent and kind < 0.12:
        return random.choice(sent).encode()
    figures = {name: _draw(random, extreme, USUAL, EXTREME) for name in ("open", "high", "low", "price")}
    if random.random() < 0.7:  # a quote whose figures agree
        figures = dict.fromkeys(figures, figures["price"])
    moment = f"2026-03-12T{13 + (minute := random.randint(0, 40)) // 60}:{30 + minute % 30:02}:{minute % 4 * 15:02}Z"
    optional = ""
    if random.random() < 0.15:
        optional = f', "revision": {random.choice((0, 1, 1, 2, 3, 10**9))}'
    if doubt := random.choice(DOUBTS) if random.random() < 0.2 else "":
        optional += f', "doubt": {json.dumps(doubt)}'
    text = (
        f'{{"symbol": "{random.choice(SYMBOLS)}", "timestamp": "{_draw(random, extreme, (moment,), TIMES)}", '
        + "".join(f'"{name}": {figure}, ' for name, figure in figures.items())
        + f'"previous_close": {_draw(random, extreme, ("100", "100", "90"), EXTREME)}, '
        f'"volume": {_draw(random, extreme, ("1000", "250000"), VOLUMES)}, '
        f'"source": "{random.choice(("yahoo", "replay", "correction"))}", '
        f'"ingested_at": "2026-03-12T13:{random.choice((30, 31))}:00Z"{optional}}}'
    )
    sent.append(text)
    return text.encode()


def _draw(random: Random, extreme: float, usual: tuple[str, ...], others: tuple[str, ...]) -> str:
    return random.choice(others if random.random() < extreme else usual)


def draw_deliveries(random: Random) -> list[Delivery]:
    """Return how one history is delivered, until what is left comes in order."""
    return [
        Delivery(
            back=random.choice((0, 0, 3, 30)),
            size=random.randint(1, 60),
            seconds=random.choice((60.0, 60.0, 5.0)),
            fates={
                (random.choice(FAILING), random.randint(1, 4)): random.choice(("fail", "crash", "late crash", "half"))
                for _ in range(random.randint(0, 3))
            },
        )
        for _ in range(random.randint(1, 8))
    ]


def deliver_by_chance(subject: Deployment, records: list[dict[str, object]], deliveries: list[Delivery]) -> None:
    """Deliver records as Lambda may: from a checkpoint that moves on as far as a delivery reports."""
    done = 0
    for delivery in deliveries:
        start = max(0, done - delivery.back)
        batch = records[start : start + delivery.size]
        if not batch:
            continue
        try:
            failed = subject.deliver(batch, delivery.faults(), delivery.seconds)
        except CrashError:
            continue
        numbers = [record["kinesis"]["sequenceNumber"] for record in batch]  # type: ignore[index]
        done = max(done, start + (len(batch) if failed is None else numbers.index(failed)))
    while done < len(records):
        assert subject.deliver(records[done : done + 7]) is None
        done += 7


def differences(processor: ModuleType, seed: int) -> list[str]:
    """Deliver the history of a seed both ways; return what differs, and what is neither stored nor rejected."""
    random = Random(seed)
    records = make_records(list(draw_payloads(random)))
    reference, subject = (Deployment(processor, MemoryDynamoDB(), MemoryS3()) for _ in range(2))
    if seed % 2:
        begins = ARRIVALS + random.randint(0, 60) / 1000
        mute = Mute("*", "NVDA", begins, begins + 60, "test") if seed % 3 else None  # type: ignore[arg-type]
        for deployment in (reference, subject):
            baselines = dict.fromkeys(SYMBOLS, BASELINE)
            deployment.apply((0.0, FIRST), (begins, SECOND), baselines=baselines, mute=mute)
    for start in range(0, len(records), 13):
        assert reference.deliver(records[start : start + 13]) is None
    deliver_by_chance(subject, records, draw_deliveries(random))
    names = ("items", "raw zone", "rejects", "states")
    found = [
        f"{name}: {_differing(ours, wanted)} is not {_differing(wanted, ours)}"
        for name, ours, wanted in zip(names, subject.content(), reference.content(), strict=True)
        if ours != wanted
    ]
    if subject.dynamodb.alerts != reference.dynamodb.alerts:
        found.append(f"alerts: {subject.dynamodb.alerts ^ reference.dynamodb.alerts}")
    internal = [one["detail"] for one in reference.rejects().values() if one["reason"] == "internal_error"]
    return found + [f"internal error: {detail}" for detail in internal]


def _differing(one: Any, other: Any) -> Any:
    if isinstance(one, dict):
        return {key: value for key, value in one.items() if other.get(key) != value}
    return one - other


def main() -> None:
    """Try many histories; exit with 1 at the first that ends otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tests.lambdas.histories", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="How many histories (default 100,000).")
    parser.add_argument("--seed", type=int, default=0, help="The first one's seed; each next is one more.")
    options = parser.parse_args()
    console = Console(stderr=True)
    logging.disable(logging.CRITICAL)
    with pytest.MonkeyPatch.context() as patch, Path(os.devnull).open("w") as nowhere:
        processor = load_handler("stream_processor", ENVIRONMENT, patch)
        patch.setattr("tapeline.stream.tables.FIRST_PAUSE_SECONDS", 0.0)
        seeds = range(options.seed, options.seed + options.count)
        for seed in track(seeds, description="Histories", console=console):
            with contextlib.redirect_stdout(nowhere):  # the function's metrics
                found = differences(processor, seed)
            if found:
                console.print(f"seed {seed}:", *found, sep="\n", markup=False)
                sys.exit(1)
    console.print(f"{options.count:,} histories from seed {options.seed}: each ended as one delivery in order.")


if __name__ == "__main__":
    main()
