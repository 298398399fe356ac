"""Where things rest in the bucket: its folders, and the keys of the raw zone and of the rejects, both ways."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from tapeline.market.dates import trading_date

RAW_PREFIX = "raw-data/"
REJECTED_PREFIX = "rejected/"
REPORTS_PREFIX = "reports/"

_KEY_TIME = "%Y-%m-%dT%H-%M-%SZ"
_KEY = re.compile(
    rf"(?P<prefix>{RAW_PREFIX}|{REJECTED_PREFIX})"
    r"dt=(?P<date>\d{4}-\d\d-\d\d)/"
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ)-(?P<shard>[A-Za-z0-9_.-]+)-(?P<sequence>\d+)\.json\.gz"
)


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """The parts of a key in the raw zone or among the rejects.

    Attributes
    ----------
    prefix : str
        `RAW_PREFIX` or `REJECTED_PREFIX`.
    trading_date : date
        Date in New York; of the quotes in the raw zone, of the arrival among the rejects.
    first_time : datetime
        Of the object's first record, UTC, whole seconds; so is the sequence number, and the shard is the batch's.
    """

    prefix: str
    trading_date: date
    first_time: datetime
    shard_id: str
    sequence_number: str

    def __str__(self) -> str:
        moment = self.first_time.astimezone(UTC).strftime(_KEY_TIME)
        name = f"{moment}-{self.shard_id}-{self.sequence_number}.json.gz"
        return f"{self.prefix}dt={self.trading_date.isoformat()}/{name}"


def raw_key(first_time: datetime, shard_id: str, sequence_number: str) -> str:
    """Return the key of the raw-zone object whose first quote has this time, shard and sequence number."""
    return str(ObjectKey(RAW_PREFIX, trading_date(first_time), first_time, shard_id, sequence_number))


def rejected_key(first_arrival: datetime, shard_id: str, sequence_number: str) -> str:
    """Return the key of the rejects object whose first record arrived at this time."""
    return str(ObjectKey(REJECTED_PREFIX, trading_date(first_arrival), first_arrival, shard_id, sequence_number))


def parse_key(key: str) -> ObjectKey:
    """Read a key made by `raw_key` or `rejected_key`; raise ValueError at any other."""
    match = _KEY.fullmatch(key)
    if match is None:
        form = "raw-data/ or rejected/ dt=YYYY-MM-DD/<time>-<shard>-<sequence>.json.gz"
        raise ValueError(f"expected {form}, found {key!r}")
    first_time = datetime.strptime(match["time"], _KEY_TIME).replace(tzinfo=UTC)
    day = date.fromisoformat(match["date"])
    return ObjectKey(match["prefix"], day, first_time, match["shard"], match["sequence"])
