"""A file of bars as columns: the same bars as row by row, whatever is wrong with some."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from producer.bar_columns import read_columns
from producer.bar_file import BarFileError

HEADER = "symbol,timestamp,open,high,low,close,volume\n"


def row(symbol: str, minute: int, close: str = "100.5", volume: str = "10") -> str:
    return f"{symbol},2026-03-12T14:{minute:02}:00Z,100,101,99,{close},{volume}\n"


def test_a_well_formed_file_in_any_order(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_text(HEADER + row("BOLT", 1) + row("ACME", 1) + row("ACME", 0) + row("BOLT", 0))
    columns = read_columns(file)
    assert [(symbol, close) for symbol, _, _, close, *_ in columns.regular()] == [
        ("ACME", 100.5),
        ("BOLT", 100.5),
        ("ACME", 100.5),
        ("BOLT", 100.5),
    ]
    assert columns.bar_seconds == 60
    first = next(columns.regular())
    assert first[2] == first[1].opens + 31 * 60, "a bar counts at its end"


@pytest.mark.parametrize("bad", ["nonsense", "-1", "0", "nan", ""])
def test_a_bad_row_is_named_and_left_out(tmp_path: Path, bad: str) -> None:
    file = tmp_path / "bars.csv"
    file.write_text(HEADER + row("ACME", 0) + row("ACME", 1, close=bad) + row("ACME", 2))
    columns = read_columns(file)
    assert columns.rows == 2
    assert len(columns.problems) == 1
    assert columns.problems[0].startswith("row 2: close must be")


def test_a_repeated_bar_counts_once(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_text(HEADER + row("ACME", 0) + row("ACME", 0, close="100.7") + row("ACME", 1))
    columns = read_columns(file)
    assert columns.rows == 2
    assert "repeat" in columns.problems[0]


def test_bars_of_a_day_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "bars.parquet"
    days = pa.array(["2026-03-12T00:00:00Z", "2026-03-13T00:00:00Z"])
    prices = {name: pa.array([100.0, 101.0]) for name in ("open", "high", "low", "close")}
    pq.write_table(
        pa.table({"symbol": pa.array(["A", "A"]), "timestamp": days, **prices, "volume": pa.array([1, 2])}), file
    )
    with pytest.raises(BarFileError, match="expected bars of a second to an hour"):
        read_columns(file)
