"""A file of bars as columns of doubles, for what goes through a million of them in seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from producer.bar_file import Bar, BarFile, BarFileError
from tapeline.market.alerting.minutes import Trading, trading_on

NAMED_ROWS = 10
"""Bad rows named one by one; the rest are counted."""

MOST_BAR_SECONDS = 3600
_NUMBERS = ("high", "low", "close", "volume")

Row = tuple[str, Trading, float, float, float, float, int]
"""Symbol, trading, end (seconds since 1970), close, high, low (USD), volume (shares)."""


@dataclass(frozen=True, slots=True)
class BarColumns:
    """Bars in time order, one of a symbol and time.

    Attributes
    ----------
    table : pyarrow.Table
        `symbol`, `start` (microseconds since 1970) and `high`, `low`, `close`, `volume` as doubles.
    bar_seconds : int
        Length of a bar: the most common time from one of a symbol to its next.
    problems : list of str
        Rows that were left out.
    """

    table: pa.Table
    bar_seconds: int
    problems: list[str]

    @property
    def rows(self) -> int:
        """Number of bars."""
        return int(self.table.num_rows)

    def regular(self, until: str = "") -> Iterator[Row]:
        """Yield the bars of regular trading, up to and including a date."""
        for batch in self.table.to_batches(max_chunksize=50_000):
            columns = [batch[name].to_pylist() for name in ("symbol", "start", "high", "low", "close", "volume")]
            for symbol, start, high, low, close, volume in zip(*columns, strict=True):
                seconds = start / 1_000_000
                trading = _trading(start // 3_600_000_000)
                if trading.opens <= seconds < trading.closes and not (until and trading.day > until):
                    yield symbol, trading, seconds + self.bar_seconds, close, high, low, int(volume)


def read_columns(path: Path) -> BarColumns:
    """Read a file of bars, see `producer.bar_file.BarFile`.

    Raises
    ------
    BarFileError
        If it is none, or its bars are longer than an hour.
    """
    file = BarFile(path)
    problems: list[str] = []
    try:
        table = _well_formed(file)
    except pa.ArrowInvalid:
        table = None
    if table is None:
        table = _row_by_row(file, problems)
    order = pc.sort_indices(table, [("start", "ascending"), ("symbol", "ascending")])
    table = table.take(order).combine_chunks()
    table, repeated = _distinct(table)
    if repeated:
        problems.append(f"{repeated:,} rows repeat the symbol and time of another; the first of them counts")
    return BarColumns(table, _bar_seconds(table, path), problems)


def _well_formed(file: BarFile) -> pa.Table | None:
    """Return the columns of a file all of whose rows are well formed, None of another."""
    table = file.table()
    columns = {name: table[name].cast(pa.float64()) for name in _NUMBERS}
    high, low, close, volume = columns.values()
    is_good = pc.and_(pc.and_(pc.greater(low, 0), pc.less_equal(low, high)), pc.greater(close, 0))
    is_good = pc.and_(is_good, pc.and_(pc.greater_equal(volume, 0), pc.is_finite(pc.add(pc.add(high, close), volume))))
    is_good = pc.and_(is_good, pc.and_(pc.is_valid(table["start"]), pc.not_equal(table["symbol"], "")))
    if not pc.all(pc.fill_null(is_good, fill_value=False)).as_py():
        return None
    return pa.table({"symbol": table["symbol"], "start": table["start"], **columns})


def _row_by_row(file: BarFile, problems: list[str]) -> pa.Table:
    bars: list[Bar] = []
    bad = 0
    for number, bar in file.rows():
        if isinstance(bar, Bar):
            bars.append(bar)
            continue
        bad += 1
        if bad <= NAMED_ROWS:
            problems.append(f"row {number}: {bar}")
    if bad > NAMED_ROWS:
        problems.append(f"{bad - NAMED_ROWS:,} more rows that are no bars")
    return pa.table(
        {
            "symbol": pa.array([bar.symbol for bar in bars], pa.string()),
            "start": pa.array([bar.start_microseconds for bar in bars], pa.int64()),
            **{name: pa.array([float(getattr(bar, name)) for bar in bars], pa.float64()) for name in _NUMBERS},
        }
    )


def _distinct(table: pa.Table) -> tuple[pa.Table, int]:
    """Return the table with the first of rows of the same symbol and time, and how many others there were."""
    if table.num_rows < 2:
        return table, 0
    before, after = table.slice(0, table.num_rows - 1), table.slice(1)
    is_same = pc.and_(pc.equal(before["start"], after["start"]), pc.equal(before["symbol"], after["symbol"]))
    is_first = pa.chunked_array([pa.array([True]), *pc.invert(is_same).chunks])
    distinct = table.filter(is_first)
    return distinct, table.num_rows - distinct.num_rows


def _bar_seconds(table: pa.Table, path: Path) -> int:
    newest: dict[str, int] = {}
    steps: Counter[int] = Counter()
    for batch in table.slice(0, 100_000).to_batches():
        for symbol, start in zip(batch["symbol"].to_pylist(), batch["start"].to_pylist(), strict=True):
            if symbol in newest:
                steps[start - newest[symbol]] += 1
            newest[symbol] = start
    seconds = steps.most_common(1)[0][0] // 1_000_000 if steps else 60
    if not 1 <= seconds <= MOST_BAR_SECONDS:
        expected = f"expected bars of a second to an hour; most follow another of their symbol after {seconds:,} s"
        raise BarFileError(f"{path}: {expected}")
    return seconds


@lru_cache(maxsize=16384)
def _trading(hour: int) -> Trading:
    moment = datetime.fromtimestamp(hour * 3600, UTC)
    return trading_on(f"{moment:%Y-%m-%dT%H}:00:00Z")
