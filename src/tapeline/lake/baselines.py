"""What the lake teaches the stream: the baselines of each symbol, read by SQL and put where the stream reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from tapeline.aws.deployment import Deployment
from tapeline.lake import athena, sql_files
from tapeline.market.alerting.baselines import HALF_HOURS, HOURS, LONG_SESSIONS, SESSIONS, Baseline
from tapeline.market.alerting.in_force import PREFIX
from tapeline.stream.rule_book import baselines_to_bytes

QUERY = "rules/baselines"


def learn(deployment: Deployment, session: str) -> tuple[str, int]:
    """Learn the baselines up to and including a session, and put them into the bucket.

    Returns
    -------
    tuple of (str, int)
        The object's key, and how many symbols it knows.
    """
    statement = sql_files.load(QUERY).render({"session": session})
    baselines = from_rows(athena.query(deployment, statement))
    body = baselines_to_bytes(baselines)
    key = f"{PREFIX}baselines/{session}-{_digest(body)}.json.gz"  # what a batch has read stays as it was
    deployment.client("s3").put_object(Bucket=deployment.outputs.bucket_name, Key=key, Body=body)
    return key, len(baselines)


def from_rows(rows: Iterable[Mapping[str, Any]]) -> dict[str, Baseline]:
    """Return baselines by symbol, of the rows of `rules/baselines`; symbols without any movement have none."""
    found: dict[str, dict[tuple[str, int], tuple[float, int]]] = {}
    for row in rows:
        known = found.setdefault(row["symbol"], {})
        known[row["kind"], int(row["part"])] = float(row["usual"]), int(row["sessions"])
    return {symbol: _baseline(known) for symbol, known in found.items() if any(kind == "minute" for kind, _ in known)}


def _baseline(known: Mapping[tuple[str, int], tuple[float, int]]) -> Baseline:
    def usual(kind: str, part: int) -> float:
        return known.get((kind, part), (0.0, 0))[0]

    return Baseline(
        sessions=max(sessions for (kind, _), (_, sessions) in known.items() if kind == "minute"),
        minute_move=tuple(usual("minute", hour) for hour in range(HOURS)),
        hour_move=tuple(usual("hour", hour) for hour in range(HOURS)),
        half_hour_volume=tuple(usual("volume", half) for half in range(HALF_HOURS)),
        day_move=usual("day", 0),
        high_20=usual("high", SESSIONS),
        low_20=usual("low", SESSIONS),
        high_252=usual("high", LONG_SESSIONS),
        low_252=usual("low", LONG_SESSIONS),
    )


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:12]
