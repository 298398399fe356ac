"""A CSV or Parquet file of bars, read in batches and in time order."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

COLUMNS = ("symbol", "timestamp", "open", "high", "low", "close", "volume")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BATCH_ROWS = 20_000

log = logging.getLogger("producer.replay")


class BarFileError(ValueError):
    """A file that cannot be replayed at all; the message says what to change in it."""


class BadBarError(ValueError):
    """One row that is no bar."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Prices in USD and shares traded of one symbol over a time that starts so many microseconds after 1970 UTC."""

    symbol: str
    start_microseconds: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


class BarFile:
    """Bars of a file, checked, in time order; of equal times in the file's order.

    A file already in time order is read in batches, whatever its size. Another is sorted in memory, and the log says
    so. CSV numbers are read digit by digit; a time without a zone is read as UTC.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.csv.gz`` or ``.parquet``, with at least the columns `COLUMNS`.

    Raises
    ------
    BarFileError
        If the file is missing, unreadable, empty or without one of the columns.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_csv = path.name.lower().endswith((".csv", ".csv.gz"))
        if not self._is_csv and path.suffix.lower() not in {".parquet", ".pq"}:
            raise BarFileError(f"{path}: expected a .csv, .csv.gz or .parquet file")
        if not path.is_file():
            raise BarFileError(f"{path}: there is no such file")
        try:
            self._check_columns()
            self.row_count, self._in_order = self._scan()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise BarFileError(f"{path}: cannot be read: {error}") from error
        if not self.row_count:
            raise BarFileError(f"{path}: has no rows")

    def rows(self) -> Iterator[tuple[int, Bar | BadBarError]]:
        """Yield the number of each row, from 1 without the header, with its bar or what is wrong with it."""
        if self._in_order:
            first_row = 1
            for batch in self._batches(COLUMNS):
                yield from enumerate(_bars(batch), start=first_row)
                first_row += batch.num_rows
            return
        log.warning("%s is not in time order: sorting its %s bars in memory", self.path.name, f"{self.row_count:,}")
        table = pa.Table.from_batches(self._batches(COLUMNS))
        times = pa.array([time or 0 for time in _times(table["timestamp"])], pa.int64())
        order = pc.array_sort_indices(times)  # stable
        table = table.take(order)
        for start in range(0, table.num_rows, _BATCH_ROWS):
            part = table.slice(start, _BATCH_ROWS).combine_chunks().to_batches()[0]
            numbers = (index + 1 for index in order.slice(start, _BATCH_ROWS).to_pylist())
            yield from zip(numbers, _bars(part), strict=True)

    def table(self) -> pa.Table:
        """Return all bars as the file has them, with the column `start`, microseconds since 1970 UTC, beside them."""
        table = pa.Table.from_batches(self._batches(COLUMNS))
        return table.append_column("start", pa.array(_times(table["timestamp"]), pa.int64()))

    def _check_columns(self) -> None:
        if self._is_csv:
            with self._open_csv(None) as reader:
                names = reader.schema.names
        else:
            schema = pyarrow.parquet.read_schema(self.path)
            names = schema.names
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            expected = f"expected the columns {', '.join(COLUMNS)}; missing {', '.join(missing)}"
            raise BarFileError(f"{self.path}: {expected}; found {', '.join(names)}")
        if not self._is_csv:
            kind = schema.field("timestamp").type
            if not (pa.types.is_timestamp(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                raise BarFileError(f"{self.path}: the column timestamp must hold times or text, found {kind}")

    def _scan(self) -> tuple[int, bool]:
        """Count the rows and see whether their times never fall."""
        count, in_order, latest = 0, True, None
        for batch in self._batches(("timestamp",)):
            count += batch.num_rows
            for time in _times(batch["timestamp"]) if in_order else ():
                if time is None:
                    continue
                if latest is not None and time < latest:
                    in_order = False
                    break
                latest = time
        return count, in_order

    def _batches(self, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        if self._is_csv:
            with self._open_csv(columns) as reader:
                yield from reader
        else:
            with pyarrow.parquet.ParquetFile(self.path) as file:
                yield from file.iter_batches(_BATCH_ROWS, columns=list(columns))

    def _open_csv(self, columns: tuple[str, ...] | None) -> pyarrow.csv.CSVStreamingReader:
        texts, wanted = dict.fromkeys(COLUMNS, pa.string()), list(columns or ())
        options = pyarrow.csv.ConvertOptions(include_columns=wanted, column_types=texts, strings_can_be_null=False)
        return pyarrow.csv.open_csv(self.path, convert_options=options)


def _bars(batch: pa.RecordBatch) -> Iterator[Bar | BadBarError]:
    times = _times(batch["timestamp"])
    columns = [_values(batch[name]) for name in COLUMNS if name != "timestamp"]
    for row, values in enumerate(zip(times, *columns, strict=True)):
        if times[row] is None:
            yield BadBarError(f"timestamp must be a date and a time, found {batch['timestamp'][row].as_py()!r}")
            continue
        try:
            yield _bar(*values)
        except BadBarError as error:
            yield error


def _bar(
    time: int, symbol: object, first: object, highest: object, lowest: object, last: object, volume: object
) -> Bar:
    if not isinstance(symbol, str) or not symbol:
        raise BadBarError(f"symbol must be a ticker, found {symbol!r}")
    prices = _usd("open", first), _usd("high", highest), _usd("low", lowest), _usd("close", last)
    bar = Bar(symbol, time, *prices, _shares(volume))
    if bar.high < bar.low:
        raise BadBarError(f"high {bar.high} is below low {bar.low}")
    return bar


def _usd(name: str, value: object) -> Decimal:
    number = _number(name, value)
    if number <= 0:
        raise BadBarError(f"{name} must be above 0, found {value}")
    return number


def _shares(value: object) -> int:
    number = _number("volume", value)
    if number < 0 or number != int(number):
        raise BadBarError(f"volume must be a whole number of shares, not below 0, found {value}")
    return int(number)


def _number(name: str, value: object) -> Decimal:
    try:
        number = Decimal(value) if isinstance(value, str | int) else Decimal(repr(value))
    except InvalidOperation:
        raise BadBarError(f"{name} must be a number, found {value!r}") from None
    if not number.is_finite():
        raise BadBarError(f"{name} must be a finite number, found {value}")
    return number


def _values(column: pa.Array) -> list[object]:
    if pa.types.is_float32(column.type) or pa.types.is_decimal(column.type):
        column = column.cast(pa.string())  # the shortest text that means this number
    values: list[object] = column.to_pylist()
    return values


def _times(column: pa.Array | pa.ChunkedArray) -> list[int | None]:
    """Return microseconds since 1970 UTC; None where there is no readable time."""
    if pa.types.is_timestamp(column.type):
        times: list[int | None] = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64()).to_pylist()
        return times
    return [_read_time(text) for text in column.to_pylist()]


def _read_time(text: str | None) -> int | None:
    if not text or len(text) <= len("2026-03-12"):
        return None  # A date alone: the session it belongs to would be a guess.
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)
