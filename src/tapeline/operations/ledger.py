"""A ledger of what was accepted and what is kept where, on disk, so that counting a month takes no more memory.

The statements here are for SQLite in a temporary file and never leave it; SQL for Athena lives in `include/sql/`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tapeline.stream.batch import Key

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -65536;

CREATE TABLE accepted (
    shard_id TEXT, sequence_number TEXT, symbol TEXT, timestamp TEXT, revision INTEGER, figures TEXT,
    reason TEXT, expired INTEGER,
    PRIMARY KEY (shard_id, sequence_number)) WITHOUT ROWID;
CREATE TABLE stored (
    symbol TEXT, timestamp TEXT, revision INTEGER, figures TEXT, PRIMARY KEY (symbol, timestamp)) WITHOUT ROWID;
CREATE TABLE raw (
    symbol TEXT, timestamp TEXT, revision INTEGER, figures TEXT, expired INTEGER, recent INTEGER,
    PRIMARY KEY (symbol, timestamp, revision, figures)) WITHOUT ROWID;
CREATE TABLE rejected (
    shard_id TEXT, sequence_number TEXT, reason TEXT, PRIMARY KEY (shard_id, sequence_number)) WITHOUT ROWID;

CREATE VIEW unrejected AS
    SELECT * FROM accepted AS a WHERE NOT EXISTS (
        SELECT 1 FROM rejected AS r WHERE r.shard_id = a.shard_id AND r.sequence_number = a.sequence_number);

CREATE VIEW refused_but_not_in_rejected AS
    SELECT 'shard ' || shard_id || ', sequence number ' || sequence_number AS symbol, reason AS timestamp
    FROM unrejected WHERE reason IS NOT NULL;
CREATE VIEW accepted_but_not_stored AS
    SELECT symbol, timestamp FROM unrejected AS a WHERE reason IS NULL AND NOT expired AND NOT EXISTS (
        SELECT 1 FROM stored AS s
        WHERE s.symbol = a.symbol AND s.timestamp = a.timestamp
        AND (s.revision > a.revision OR (s.revision = a.revision AND s.figures = a.figures)));
CREATE VIEW accepted_but_not_in_raw_zone AS
    SELECT symbol, timestamp FROM unrejected AS a WHERE reason IS NULL AND NOT EXISTS (
        SELECT 1 FROM raw AS r
        WHERE r.symbol = a.symbol AND r.timestamp = a.timestamp
        AND r.revision = a.revision AND r.figures = a.figures);
CREATE VIEW stored_but_not_in_raw_zone AS
    SELECT symbol, timestamp FROM stored AS a WHERE NOT EXISTS (
        SELECT 1 FROM raw AS r
        WHERE r.symbol = a.symbol AND r.timestamp = a.timestamp
        AND r.revision = a.revision AND r.figures = a.figures);
CREATE VIEW in_raw_zone_but_not_stored AS
    SELECT symbol, timestamp FROM raw AS a WHERE NOT expired AND NOT recent AND NOT EXISTS (
        SELECT 1 FROM stored AS s
        WHERE s.symbol = a.symbol AND s.timestamp = a.timestamp
        AND (s.revision > a.revision OR (s.revision = a.revision AND s.figures = a.figures)));

CREATE VIEW counted AS  -- without what came in while we counted
    SELECT symbol, timestamp FROM raw AS a WHERE NOT recent OR EXISTS (
        SELECT 1 FROM stored AS s WHERE s.symbol = a.symbol AND s.timestamp = a.timestamp);

CREATE VIEW newest AS
    SELECT symbol, timestamp FROM (
        SELECT symbol, timestamp, row_number() OVER (
            PARTITION BY symbol ORDER BY length(sequence_number) DESC, sequence_number DESC) AS place
        FROM unrejected WHERE reason IS NULL AND NOT expired)
    WHERE place = 1;
"""

DIFFERENCES = (
    "accepted_but_not_stored",
    "accepted_but_not_in_raw_zone",
    "refused_but_not_in_rejected",
    "stored_but_not_in_raw_zone",
    "in_raw_zone_but_not_stored",
)
"""Every way in which the places can disagree; each is a view that lists its cases."""


class Accepted(NamedTuple):
    """A record of the stream; without symbol and figures but with a reason if it is no quote."""

    shard_id: str
    sequence_number: str
    symbol: str | None
    timestamp: str | None
    revision: int | None
    figures: str | None
    reason: str | None
    expired: bool


class KeptQuote(NamedTuple):
    """A quote as DynamoDB or the raw zone holds it; `expired` if its time in DynamoDB is over."""

    symbol: str
    timestamp: str
    revision: int
    figures: str
    expired: bool


class Rejected(NamedTuple):
    """A record under `rejected/`."""

    shard_id: str
    sequence_number: str
    reason: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is where."""

    accepted_records: int
    """On the stream; of these, some are quotes, and those have so many distinct keys (symbol, timestamp)."""
    accepted_quotes: int
    accepted_keys: int
    refused_records: int
    stored_quotes: int
    """Items in DynamoDB."""
    raw_quotes: int
    """Distinct (symbol, timestamp) in the raw zone; the time in DynamoDB of the expired ones is over."""
    expired_quotes: int
    rejected: dict[str, int]
    """Distinct records under `rejected/`, by reason."""


def figures_text(figures: Iterable[Decimal | int | str]) -> str:
    """Return a quote's six figures as text that is equal for equal figures, each in its shortest plain form.

    >>> figures_text(["180.50", 12000, Decimal("1E+3")])
    '180.5 12000 1000'
    """
    return " ".join(f"{Decimal(figure).normalize():f}" for figure in figures)


class Ledger:
    """What each place holds; threads may add to it together."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        connection.executescript(_SCHEMA)

    def add_accepted(self, records: Iterable[Accepted]) -> None:
        """Add records of the stream."""
        self._insert("INSERT OR IGNORE INTO accepted VALUES (?, ?, ?, ?, ?, ?, ?, ?)", records)

    def add_stored(self, quotes: Iterable[KeptQuote]) -> None:
        """Add items of DynamoDB."""
        self._insert("INSERT OR REPLACE INTO stored VALUES (?, ?, ?, ?)", (quote[:4] for quote in quotes))

    def add_raw(self, quotes: Iterable[KeptQuote], *, recent: bool) -> None:
        """Add quotes of the raw zone; `recent` ones came after the count began and need not be in DynamoDB yet."""
        self._insert("INSERT OR IGNORE INTO raw VALUES (?, ?, ?, ?, ?, ?)", ((*quote, recent) for quote in quotes))

    def add_rejected(self, records: Iterable[Rejected]) -> None:
        """Add records of `rejected/`."""
        self._insert("INSERT OR IGNORE INTO rejected VALUES (?, ?, ?)", records)

    def newest(self) -> dict[str, str]:
        """Return the time of the last accepted quote of each symbol, in the stream's order."""
        return dict(self._select("SELECT symbol, timestamp FROM newest"))

    def count(self) -> Counts:
        """Count each place."""
        return Counts(
            accepted_records=self._number("SELECT count(*) FROM accepted"),
            accepted_quotes=self._number("SELECT count(*) FROM accepted WHERE reason IS NULL"),
            accepted_keys=self._number(
                "SELECT count(*) FROM (SELECT DISTINCT symbol, timestamp FROM accepted WHERE reason IS NULL)"
            ),
            refused_records=self._number("SELECT count(*) FROM accepted WHERE reason IS NOT NULL"),
            stored_quotes=self._number("SELECT count(*) FROM stored"),
            raw_quotes=self._number("SELECT count(*) FROM (SELECT DISTINCT symbol, timestamp FROM counted)"),
            expired_quotes=self._number("SELECT count(*) FROM raw WHERE expired"),
            rejected=dict(self._select("SELECT reason, count(*) FROM rejected GROUP BY reason ORDER BY reason")),
        )

    def differences(self) -> dict[str, int]:
        """Count each kind of `DIFFERENCES`; all 0 where the places agree."""
        return {name: self._number(f"SELECT count(*) FROM {name}") for name in DIFFERENCES}  # noqa: S608 - our names

    def cases(self, difference: str, limit: int) -> list[Key]:
        """Return some cases of one kind of difference, as (symbol, timestamp) or (place on the stream, reason)."""
        statement = f"SELECT DISTINCT symbol, timestamp FROM {difference} ORDER BY 1, 2 LIMIT {limit:d}"  # noqa: S608
        return [(symbol, timestamp) for symbol, timestamp in self._select(statement)]

    def _insert(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        with self._lock:
            self._connection.execute("BEGIN")
            self._connection.executemany(statement, rows)
            self._connection.execute("COMMIT")

    def _select(self, statement: str) -> list[tuple[Any, Any]]:
        with self._lock:
            return self._connection.execute(statement).fetchall()

    def _number(self, statement: str) -> int:
        with self._lock:
            (number,) = self._connection.execute(statement).fetchone()
            return int(number)


@contextmanager
def open_ledger() -> Iterator[Ledger]:
    """Open an empty ledger in a temporary folder that goes when it is closed."""
    with TemporaryDirectory(prefix="tapeline-ledger-") as folder:
        connection = sqlite3.connect(Path(folder) / "ledger.sqlite", check_same_thread=False, isolation_level=None)
        try:
            yield Ledger(connection)
        finally:
            connection.close()
