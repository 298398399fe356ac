"""Sparklines: a session's course in at most 60 points, kept while it goes on and filled from the raw zone at first."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from tapeline.aws.deployment import Deployment
from tapeline.desk.models import Point
from tapeline.market.quotes import read_timestamp
from tapeline.market.suspicion import is_suspect
from tapeline.stream import raw_zone
from tapeline.stream.keys import RAW_PREFIX, ObjectKey, parse_key

MOST_POINTS = 60
FIRST_STEP_SECONDS = 5
_READERS = 4
MOST_OBJECTS = 120
MOST_COMPRESSED_BYTES = 4_000_000
"""What is read of the raw zone to fill all sparklines of a session, however many symbols and quotes there are; a quote
is some 25 bytes compressed."""


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
        """Take a price into account; return whether it gave a point."""
        if self._points and at - self._points[-1][0] < self._step:
            return False
        self._points.append((at, price))
        self._points = self._thinned_out(self._points)
        return True

    def put_before(self, points: Sequence[Point]) -> None:
        """Put earlier points before those that are there."""
        first = self._points[0][0] if self._points else None
        earlier = dict(point for point in points if first is None or point[0] < first)
        self._points = self._thinned_out(sorted(earlier.items()) + self._points)

    def _thinned_out(self, points: list[Point]) -> list[Point]:
        while len(points) > MOST_POINTS:
            self._step *= 2
            points = _thinned(points, self._step)
        return points

    def to_json(self) -> bytes:
        """Return the points as a JSON list of pairs."""
        return json.dumps(self._points, separators=(",", ":")).encode()


def read_points(deployment: Deployment, day: date) -> dict[str, list[Point]]:
    """Return prices of every symbol over a session, of as many batches as there are points to draw.

    An object of the raw zone holds one batch of all symbols of a shard, so the number of reads does not grow with the
    number of symbols. Objects are chosen by time, and every quote of an object counts: one may hold a whole day.
    """
    s3 = deployment.client("s3")
    bucket = deployment.outputs.bucket_name
    listing = raw_zone.list_objects(s3, bucket, f"{RAW_PREFIX}dt={day}/")
    objects = [(parse_key(entry["Key"]), entry["Size"]) for entry in listing]
    with ThreadPoolExecutor(_READERS) as pool:
        batches = pool.map(lambda key: raw_zone.get_lines(s3, bucket, str(key)), chosen(objects))
        return points_of(line for lines in batches for line in lines)


def chosen(objects: Sequence[tuple[ObjectKey, int]]) -> list[ObjectKey]:
    """Return which objects to read, in the order of their times.

    Of each part of the day and shard first one object, the largest, then another of each, until there are enough: so
    a quiet morning counts as much as a busy evening, and a load in one step is read whole if it can be. Each key comes
    with its compressed bytes.
    """
    if not objects:
        return []
    times = [key.first_time.timestamp() for key, _ in objects]
    start, part = min(times), (max(times) - min(times)) / MOST_POINTS + 1
    by_part: dict[tuple[str, int], list[tuple[int, ObjectKey]]] = defaultdict(list)
    for (key, size), at in zip(objects, times, strict=True):
        by_part[key.shard_id, int((at - start) / part)].append((size, key))
    largest_first = (sorted(group, key=lambda sized: (-sized[0], _time(sized[1]))) for group in by_part.values())
    ranked = [(rank, _time(key), size, key) for group in largest_first for rank, (size, key) in enumerate(group)]
    ranked.sort(key=lambda entry: entry[:2])
    taken: list[ObjectKey] = []
    room = MOST_COMPRESSED_BYTES
    for _, _, size, key in ranked[:MOST_OBJECTS]:
        room -= size
        if room < 0 and taken:
            break
        taken.append(key)
    return sorted(taken, key=_time)


def points_of(lines: Iterable[str]) -> dict[str, list[Point]]:
    """Return the first price of each minute, by symbol: of revised quotes the last, without suspect prices.

    A suspect price counts after all if it lies in a run that a later line confirms, unless it was withdrawn.
    """
    versions: dict[str, dict[str, tuple[int, bool, float | None]]] = defaultdict(dict)
    confirmed: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for line in lines:
        quote = json.loads(line)
        symbol, at, revision = quote["symbol"], quote["timestamp"], quote.get("revision", 0)
        before = versions[symbol].get(at)
        if before is None or revision > before[0]:
            verdicts = quote.get("suspect") or ()
            price = None if "price:withdrawn" in verdicts else quote["price"]
            versions[symbol][at] = revision, is_suspect(verdicts, "price"), price
        if quote.get("confirms"):
            confirmed[symbol].append((quote["confirms"], at))
    course: dict[str, list[Point]] = {}
    for symbol, quotes in versions.items():
        minutes: dict[str, tuple[str, float]] = {}
        for at, (_, suspect, price) in quotes.items():
            if not price or (suspect and not any(first <= at <= last for first, last in confirmed[symbol])):
                continue
            minute = at[: len("2026-03-12T14:30")]
            if minute not in minutes or at < minutes[minute][0]:
                minutes[minute] = at, price
        course[symbol] = sorted((int(read_timestamp(at).timestamp()), price) for at, price in minutes.values())
    return course


def _time(key: ObjectKey) -> tuple[float, int]:
    return key.first_time.timestamp(), int(key.sequence_number)


def _thinned(points: Sequence[Point], step: int) -> list[Point]:
    """Return the points that are at least a step after the one kept before, and the last."""
    kept: list[Point] = []
    for point in points:
        if not kept or point[0] - kept[-1][0] >= step:
            kept.append(point)
    if kept[-1] != points[-1]:
        kept[-1] = points[-1]
    return kept
