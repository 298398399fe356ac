"""Keeps the base as quick and as small after a day as in its first minute.

Left alone it walks over all records of a stream at every call, counts a reader's place from the oldest record without
noticing when that one expires, looks through two weeks of metrics at every look at any, checks each number of an
item that it stores five times, which is most of what storing takes, and once a minute unpacks every item to see which
have expired, for seconds in which nobody is answered.
`test_bounds.py` fails if the base works otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import msgspec

from localaws import ministack_names as base
from localaws.packed import text_of

METRIC_SECONDS = 6 * 3600
"""How long metrics are kept; AWS keeps points of a minute for 15 days."""

ITERATOR_SECONDS = 10
"""How often expired iterators are forgotten; each read leaves one for five minutes, and to use an expired one fails."""

TRIM_SECONDS = 10
"""How often the records of a DynamoDB stream are looked at for old ones."""

_SLACK_SECONDS = 60
"""Records are dropped a minute's worth at a time."""


def keep_bounds() -> None:
    """Let the base use the rules of this module in place of its own."""
    base.EXPIRE_RECORDS.set(expire_records)
    base.EXPIRE_ITERATORS.wrap(partial(at_most_every, ITERATOR_SECONDS))
    base.METRIC_SECONDS.set(METRIC_SECONDS)
    base.TRIM_CHANGES.wrap(partial(at_most_every, TRIM_SECONDS))
    base.EXPIRIES.value.__class__ = _HiddenFromTheReaper  # its thread runs already; `expire_items` does its work
    base.BATCH_WRITE.wrap(validating_once)
    for function in (base.NUMBER_ERROR, base.CANONICAL_NUMBER, base.NUMBER_BYTES):
        function.wrap(remembered)


def expire_records(stream: dict[str, Any]) -> None:
    """Drop the records that are older than the stream's retention, and move the iterators that count from the first."""
    cutoff = time.time() - stream["RetentionPeriodHours"] * 3600
    for shard_id, shard in stream["shards"].items():
        records = shard["records"]
        if not records or records[0]["ApproximateArrivalTimestamp"] >= cutoff - _SLACK_SECONDS:
            continue
        expired = next((n for n, r in enumerate(records) if r["ApproximateArrivalTimestamp"] >= cutoff), len(records))
        del records[:expired]
        for iterator in base.ITERATORS.value.all_values():
            if iterator["shard_id"] == shard_id and iterator["stream_arn"] == stream["StreamARN"]:
                iterator["position"] = max(0, iterator["position"] - expired)


class _HiddenFromTheReaper(base.AccountRegionScopedDict):  # type: ignore[misc]
    __slots__ = ()

    def all_items(self) -> list[Any]:
        return []


def expire_items() -> None:
    """Delete the items whose time to live is over, looking at nothing else of them."""
    now = time.time()
    for (account, region, name), setting in base.AccountRegionScopedDict.all_items(base.EXPIRIES.value):
        table = base.TABLES.value.get_scoped(account, region, name)
        if table is None or setting.get("TimeToLiveStatus") != "ENABLED":
            continue
        expiry = msgspec.defstruct("Expiry", [("at", Any, None)], rename={"at": setting["AttributeName"]})
        decoder = msgspec.json.Decoder(expiry)
        with base.ITEMS_LOCK.value:
            for hash_value, items in list(table["items"].items()):
                for range_value in list(items):
                    if _is_over(text_of(items, range_value) or b"{}", decoder, now):
                        base.REMOVE_ITEM(table, hash_value, range_value)


def _is_over(text: bytes, decoder: msgspec.json.Decoder[Any], now: float) -> bool:
    at = decoder.decode(text).at
    try:
        return float(at["N"]) <= now
    except (KeyError, TypeError, ValueError):
        return False  # none, or no number: such an item stays


def at_most_every(seconds: float, work: Callable[..., None]) -> Callable[..., None]:
    """Return a function that does the work when it is called, unless it did it with the same arguments a moment ago."""
    next_time: dict[Any, float] = {}

    def work_if_due(*arguments: Any, **named: Any) -> None:
        which = (arguments, *named.items())
        if time.monotonic() >= next_time.get(which, 0.0):
            next_time[which] = time.monotonic() + seconds
            work(*arguments, **named)

    return work_if_due


def validating_once(write: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    """Return BatchWriteItem as the base does it, but for a second look at items that it has just found valid."""

    def written(request: dict[str, Any]) -> Any:
        validate, valid = base.VALIDATE_ITEM.value, {}

        def validate_once(item: Any, *names: Any) -> Any:
            if id(item) in valid:
                return None
            valid[id(item)] = item  # which keeps the id from being given to another
            return validate(item, *names)

        base.VALIDATE_ITEM.set(validate_once)
        try:
            return write(request)
        finally:
            base.VALIDATE_ITEM.set(validate)

    return written


def remembered(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that remembers its answers for recent texts, and for nothing else."""
    of_text = lru_cache(maxsize=50_000)(function)
    return lambda value: of_text(value) if isinstance(value, str) else function(value)
