"""Daily history into the lake: ask what is there, fetch what is missing, one chunk at a time, each kept as it comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

from tapeline.aws.deployment import Deployment
from tapeline.lake import athena, rollup, sql_files
from tapeline.lake.daily_bars import Chunk, DailyBar, FilledChunk, check, missing_chunks, row
from tapeline.market import sessions
from tapeline.stream import raw_zone

INCOMING_PREFIX = "curated/daily_history_incoming/"

Fetch = Callable[[str, date, date], Sequence[DailyBar]]
"""Gives a symbol's daily bars of a range, both ends included; raises `LookupError` for a symbol it does not have."""


def plan_backfill(deployment: Deployment, symbols: Sequence[str], first: str, last: str) -> list[Chunk]:
    """Return what is missing of a range, ``YYYY-MM-DD``, both ends included; makes the tables if need be.

    Raises
    ------
    ValueError
        If the range holds no session that is over, or a symbol is no ticker.
    """
    now = datetime.now(UTC)
    sessions_of_range = sessions.sessions_between(date.fromisoformat(first), date.fromisoformat(last))
    over = [session.day for session in sessions_of_range if session.closes_at < now]
    if not over:
        raise ValueError(f"no session between {first} and {last} is over; daily history knows only those that are")
    rollup.create(deployment, ("daily_history/ddl", "daily_history/incoming_ddl"))
    values = {"first_session": over[0], "last_session": over[-1]}
    present = athena.query(deployment, sql_files.load("daily_history/present").render(values))
    return missing_chunks(symbols, over, [(row["symbol"], row["session"]) for row in present])


def fill(deployment: Deployment, chunk: Chunk, fetch: Fetch, vendor: str = "yahoo") -> FilledChunk:
    """Fetch one chunk, check it, and put it into `daily_history` by one MERGE; any number of times.

    Run chunks one after the other: two commits to an Iceberg table at once conflict, and one fails.
    """
    s3 = deployment.client("s3")
    try:
        fetched = fetch(chunk.symbol, chunk.first, chunk.last)
    except LookupError as error:
        return FilledChunk(chunk, 0, chunk.sessions, (), str(error))
    bars, refused = check(chunk, fetched)
    fetched_sessions = {bar.session for bar in bars} | {refusal.bar.session for refusal in refused}
    absent = tuple(day for day in chunk.sessions if day not in fetched_sessions)
    if bars:
        key = f"{INCOMING_PREFIX}{chunk.name}"
        now = datetime.now(UTC)
        s3.delete_object(Bucket=deployment.outputs.bucket_name, Key=key)  # of a run that died
        raw_zone.put_lines(s3, deployment.outputs.bucket_name, key, [row(bar, vendor, now) for bar in bars])
        values = {"object_name": key.rpartition("/")[2]}
        athena.run(deployment, sql_files.load("daily_history/replace_chunk").render(values))
        s3.delete_object(Bucket=deployment.outputs.bucket_name, Key=key)
    return FilledChunk(chunk, len(bars), absent, tuple(refused))
