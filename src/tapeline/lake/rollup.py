"""The rollup of a session into the curated tables: which they are, what a run is pinned to, and that they are there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from tapeline.aws.deployment import Deployment
from tapeline.lake import athena, sql_files
from tapeline.market import sessions
from tapeline.market.quotes import write_timestamp

CURATED = ("minute_bars", "anomalies", "daily_summary")
"""In the order in which a session of them is staged and published: the last reads the other two."""

VIEWS = ("trading_sessions/view", "daily_history/view")
"""The second joins `daily_summary` and `daily_history`; the queries of analysts read it from the first day on."""

_CREATE = re.compile(r"CREATE (?:EXTERNAL )?TABLE IF NOT EXISTS (?P<table>\w+) \(\n(?P<columns>.*?)\n\)", re.DOTALL)


def pin_run(session: str | None, now: datetime) -> dict[str, str]:
    """Return the session that a run rolls up (None or empty: the newest that has ended), and until when quotes count.

    Quotes go on arriving while a session is rolled up. With one moment for the whole run its statements and checks see
    the same quotes; what comes later is left for the session's next run.

    Raises
    ------
    NotASessionError
        If there is no such session, or it has not ended.
    """
    pinned = sessions.read_key(session, now) if session else sessions.ended_session(now)
    return {"session": pinned.key, "ingested_until": write_timestamp(now)}


def create_tables(deployment: Deployment, root: Path = sql_files.ROOT) -> None:
    """Create the curated tables, their staging twins and the views over them, and add columns that they lack."""
    tables = [f"{table}/{ddl}" for table in CURATED for ddl in ("ddl", "staging_ddl")]
    create(deployment, (*tables, "daily_history/ddl", *VIEWS), root)


def create(deployment: Deployment, names: Iterable[str], root: Path = sql_files.ROOT) -> None:
    """Run files that create a table or a view, and add the columns that such a table lacks."""
    for name in names:
        statement = sql_files.load(name, root).render(bucket=deployment.outputs.bucket_name)
        athena.run(deployment, statement)
        if match := _CREATE.search(statement):
            _add_columns(deployment, match["table"], match["columns"])


def _add_columns(deployment: Deployment, table: str, columns: str) -> None:
    """Add the columns that an older version of the table does not have; its rows have NULL there."""
    stored = deployment.client("glue").get_table(DatabaseName=deployment.outputs.database_name, Name=table)["Table"]
    names = {column["Name"] for column in stored["StorageDescriptor"]["Columns"]}
    lines = [line.strip().rstrip(",") for line in columns.splitlines()]
    if missing := [line for line in lines if line.split()[0] not in names]:
        athena.run(deployment, f"ALTER TABLE {table} ADD COLUMNS ({', '.join(missing)})")
