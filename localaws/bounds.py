"""Keeps the base as quick and as small after a day as in its first minute.

Left alone it walks over all records of a stream at every call, counts a reader's place from the oldest record without
noticing when that one expires, and looks through two weeks of metrics at every look at any.
`tests/localaws/test_bounds.py` fails if these seams move.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch, kinesis

METRIC_SECONDS = 6 * 3600
"""How long metrics are kept; AWS keeps points of a minute for 15 days."""

ITERATOR_SECONDS = 10
"""How often expired iterators are forgotten; each read leaves one for five minutes, and to use an expired one fails."""

_SLACK_SECONDS = 60
"""Records are dropped a minute's worth at a time."""


def keep_bounds() -> None:
    """Let the base use the two rules of this module in place of its own."""
    kinesis._expire_records = expire_records
    kinesis._expire_iterators = at_most_every(ITERATOR_SECONDS, kinesis._expire_iterators)
    cloudwatch.TWO_WEEKS_SECONDS = METRIC_SECONDS


def expire_records(stream: dict[str, Any]) -> None:
    """Drop the records that are older than the stream's retention, and move the iterators that count from the first."""
    cutoff = time.time() - stream["RetentionPeriodHours"] * 3600
    for shard_id, shard in stream["shards"].items():
        records = shard["records"]
        if not records or records[0]["ApproximateArrivalTimestamp"] >= cutoff - _SLACK_SECONDS:
            continue
        expired = next((n for n, r in enumerate(records) if r["ApproximateArrivalTimestamp"] >= cutoff), len(records))
        del records[:expired]
        for iterator in kinesis._shard_iterators.all_values():
            if iterator["shard_id"] == shard_id and iterator["stream_arn"] == stream["StreamARN"]:
                iterator["position"] = max(0, iterator["position"] - expired)


def at_most_every(seconds: float, work: Callable[[], None]) -> Callable[[], None]:
    """Return a function that does the work when it is called, unless it was done a moment ago."""
    next_time = 0.0

    def work_if_due() -> None:
        nonlocal next_time
        if time.monotonic() >= next_time:
            next_time = time.monotonic() + seconds
            work()

    return work_if_due
