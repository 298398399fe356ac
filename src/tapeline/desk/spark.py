"""Sparklines: a session's course in at most 60 points, kept while it goes on and filled from the raw zone at first."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING

from tapeline.aws import raw_zone
from tapeline.desk.deployment import Deployment
from tapeline.partitions import RAW_PREFIX, ObjectKey, parse_key
from tapeline.quotes import read_timestamp

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Point = tuple[int, float]
"""Seconds since 1970 and a price in USD."""

MOST_POINTS = 60
FIRST_STEP_SECONDS = 5
MOST_OBJECTS = 120
"""Objects of the raw zone that are opened to fill all sparklines of a session, however many symbols there are."""

_READERS = 4


class Spark:
    """The course of one symbol: points at least a step apart, which doubles whenever there are too many.

    >>> spark = Spark()
    >>> [spark.add(at, 100.0) for at in (0, 2, 5)]
    [True, False, True]
    """

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._step = FIRST_STEP_SECONDS

    def add(self, at: int, price: float) -> bool:
        """Take a price into account; tell whether a point was gained."""
        if self._points and at - self._points[-1][0] < self._step:
            return False
        self._points.append((at, price))
        while len(self._points) > MOST_POINTS:
            self._step *= 2
            self._points = _thinned(self._points, self._step)
        return True

    def put_before(self, points: Sequence[Point]) -> None:
        """Put earlier points before those that are known."""
        first = self._points[0][0] if self._points else None
        joined = sorted(dict(point for point in points if first is None or point[0] < first).items()) + self._points
        while len(joined) > MOST_POINTS:
            self._step *= 2
            joined = _thinned(joined, self._step)
        self._points = joined

    def to_json(self) -> bytes:
        """Return the points as a JSON list of pairs."""
        return json.dumps(self._points, separators=(",", ":")).encode()


def read_course(deployment: Deployment, day: date) -> dict[str, list[Point]]:
    """Return prices of every symbol over a session, of as many batches as there are points to draw.

    An object of the raw zone holds one batch of all symbols of a shard, so the number of reads does not grow with the
    number of symbols. Of each object a symbol's last price is taken.
    """
    s3: S3Client = deployment.session.client("s3")
    bucket = deployment.outputs.bucket_name
    by_shard: dict[str, list[ObjectKey]] = defaultdict(list)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{RAW_PREFIX}dt={day}/"):
        for entry in page.get("Contents", []):
            key = parse_key(entry["Key"])
            by_shard[key.shard_id].append(key)
    each = max(1, min(MOST_POINTS, MOST_OBJECTS // max(1, len(by_shard))))
    chosen = [key for keys in by_shard.values() for key in _spread(sorted(keys, key=_time), each)]
    points: dict[str, list[Point]] = defaultdict(list)
    with ThreadPoolExecutor(_READERS) as pool:
        for lines in pool.map(lambda key: raw_zone.get_lines(s3, bucket, str(key)), chosen):
            for symbol, point in _last_prices(lines).items():
                points[symbol].append(point)
    return points


def _last_prices(lines: Iterable[str]) -> dict[str, Point]:
    newest = {quote["symbol"]: quote for quote in map(json.loads, lines)}
    return {
        symbol: (int(read_timestamp(quote["timestamp"]).timestamp()), quote["price"])
        for symbol, quote in newest.items()
    }


def _time(key: ObjectKey) -> tuple[float, int]:
    return key.first_time.timestamp(), int(key.sequence_number)


def _spread(keys: Sequence[ObjectKey], most: int) -> list[ObjectKey]:
    """Return at most so many keys, evenly spread, the first among them."""
    if len(keys) <= most:
        return list(keys)
    return [keys[number * len(keys) // most] for number in range(most)]


def _thinned(points: Sequence[Point], step: int) -> list[Point]:
    """Return the points that are at least a step after the one kept before, and the last."""
    kept: list[Point] = []
    for point in points:
        if not kept or point[0] - kept[-1][0] >= step:
            kept.append(point)
    if kept[-1] != points[-1]:
        kept[-1] = points[-1]
    return kept
