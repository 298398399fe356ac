from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from producer.bar_file import BarFileError
from producer.replay import ReplaySource
from tapeline.market.quotes import Quote, parse_quote
from tapeline.stream.source import Counters, Counts
from tests.producer.builders import FakeTime

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

# Wednesday 2025-12-24 closed early, at 13:00 in New York (18:00 UTC); Christmas; Friday 2025-12-26.
HALF_DAY_AND_NEXT = """\
symbol,timestamp,open,high,low,close,volume
AAPL,2025-12-24T14:30:00Z,272.34,272.6,272.1,272.5,1000
KO,2025-12-24T14:30:00Z,69.9,70.0,69.8,69.95,300
AAPL,2025-12-24T17:59:00Z,273.7,273.9,273.6,273.81,2500
KO,2025-12-24T17:59:00Z,70.02,70.05,70.01,70.03,150
AAPL,2025-12-26T14:30:00Z,274.16,274.2,273.0,273.2,1200
KO,2025-12-26T14:31:00Z,69.80,69.81,69.5,69.6,80
"""


def replayed(path: Path, **settings: Any) -> tuple[list[Quote], Counts]:
    counters = Counters()
    source = ReplaySource(path, None, now=lambda: NOW, **settings)
    return list(source.quotes(counters, threading.Event())), counters.now()


def csv(folder: Path, text: str, name: str = "bars.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def figures(quote: Quote) -> tuple[str, str, str, str, str, str, str, int]:
    prices = (quote.open, quote.high, quote.low, quote.price, quote.previous_close)
    return (quote.symbol, quote.timestamp, *(str(price) for price in prices), quote.volume)  # type: ignore[return-value]


EXPECTED = [
    ("AAPL", "2025-12-24T14:30:00Z", "272.34", "272.6", "272.1", "272.5", "272.34", 1000),
    ("KO", "2025-12-24T14:30:00Z", "69.9", "70.0", "69.8", "69.95", "69.9", 300),
    ("AAPL", "2025-12-24T17:59:00Z", "272.34", "273.9", "272.1", "273.81", "272.34", 3500),
    ("KO", "2025-12-24T17:59:00Z", "69.9", "70.05", "69.8", "70.03", "69.9", 450),
    ("AAPL", "2025-12-26T14:30:00Z", "274.16", "274.2", "273.0", "273.2", "273.81", 1200),
    ("KO", "2025-12-26T14:31:00Z", "69.80", "69.81", "69.5", "69.6", "70.03", 80),
]


def test_a_bar_gives_the_day_so_far_and_the_close_of_the_session_before(tmp_path: Path) -> None:
    quotes, counts = replayed(csv(tmp_path, HALF_DAY_AND_NEXT))
    assert [figures(quote) for quote in quotes] == EXPECTED
    assert {(quote.source, quote.ingested_at) for quote in quotes} == {("replay", "2026-11-20T12:00:00.000Z")}
    assert counts == Counts(read=6)


def test_every_quote_reads_back_as_the_stream_processor_reads_it(tmp_path: Path) -> None:
    quotes, _ = replayed(csv(tmp_path, HALF_DAY_AND_NEXT))
    assert [parse_quote(quote.to_json().encode(), NOW) for quote in quotes] == quotes


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("prices", [pa.float64(), pa.float32(), pa.decimal128(10, 4)])
def test_parquet_gives_the_same_quotes_as_csv(tmp_path: Path, unit: str, prices: pa.DataType) -> None:
    rows = [line.split(",") for line in HALF_DAY_AND_NEXT.splitlines()[1:]]
    times = [datetime.fromisoformat(row[1]) for row in rows]
    columns = {
        "symbol": pa.array([row[0] for row in rows]),
        "timestamp": pa.array(times, pa.timestamp(unit, tz="UTC")),
        **{
            name: pa.array(
                [Decimal(row[index]) if pa.types.is_decimal(prices) else float(row[index]) for row in rows], prices
            )
            for index, name in enumerate(("open", "high", "low", "close"), start=2)
        },
        "volume": pa.array([int(row[6]) for row in rows]),
        "vendor": pa.array(["ignored"] * len(rows)),
    }
    path = tmp_path / "bars.parquet"
    pa.parquet.write_table(pa.table(columns), path)
    quotes, _ = replayed(path)
    as_numbers = [tuple(_number(part) for part in figures(quote)) for quote in quotes]
    assert as_numbers == [tuple(_number(part) for part in row) for row in EXPECTED]


def _number(part: object) -> object:
    try:
        return Decimal(str(part))
    except ArithmeticError:
        return part


def test_a_file_out_of_order_is_sorted_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    header, *lines = HALF_DAY_AND_NEXT.splitlines()
    by_symbol = csv(tmp_path, "\n".join([header, *sorted(lines)]))
    quotes, _ = replayed(by_symbol)
    assert [figures(quote) for quote in quotes] == EXPECTED
    assert "bars.csv is not in time order" in caplog.text


def test_bad_rows_are_rejected_by_number_and_reason_and_the_rest_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = csv(
        tmp_path,
        "symbol,timestamp,open,high,low,close,volume\n"
        "AAPL,2025-12-24T14:30:00Z,272.34,272.6,272.1,NaN,1000\n"
        "AAPL,2025-12-24T14:31:00Z,272.34,272.6,,272.5,1000\n"
        "AAPL,2025-12-24,272.34,272.6,272.1,272.5,1000\n"
        "AAPL,2025-12-24T14:33:00Z,272.34,271.6,272.1,272.5,1000\n"
        "AAPL,2025-12-24T14:34:00Z,272.34,272.6,272.1,272.5,-1\n"
        "AAPL,2025-12-24T14:35:00Z,272.34,272.6,272.1,0,1000\n"
        "aapl,2025-12-24T14:36:00Z,272.34,272.6,272.1,272.5,1000\n"
        ",2025-12-24T14:37:00Z,272.34,272.6,272.1,272.5,1000\n"
        "AAPL,2025-12-24T14:38:00Z,272.34,272.6,272.1,272.5,1e3\n"
        "AAPL,2025-12-24T14:39:00Z,inf,272.6,272.1,272.5,1000\n"
        "AAPL,2025-12-24T14:40:00Z,272.34,272.6,272.1,272.5,1000.5\n",
    )
    quotes, counts = replayed(path)
    assert [quote.timestamp for quote in quotes] == ["2025-12-24T14:38:00Z"]
    assert counts == Counts(read=11, rejected=10)
    reasons = {
        1: "close must be a finite number, found NaN",
        2: "low must be a number, found ''",
        3: "timestamp must be a date and a time, found '2025-12-24'",
        4: "high 271.6 is below low 272.1",
        5: "volume must be a whole number of shares, not below 0, found -1",
        6: "close must be above 0, found 0",
        7: "bad_symbol",
        8: "symbol must be a ticker, found ''",
        10: "open must be a finite number, found inf",
        11: "volume must be a whole number of shares, not below 0, found 1000.5",
    }
    for row, reason in reasons.items():
        assert f"Row {row} is rejected: {reason}" in caplog.text
    assert "In all, 10 rows were rejected and 0 repeated a bar" in caplog.text


def test_a_null_in_parquet_is_rejected_by_row(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "bars.parquet"
    start = datetime(2025, 12, 24, 14, 30, tzinfo=UTC)
    pa.parquet.write_table(
        pa.table(
            {
                "symbol": ["AAPL", None, "AAPL"],
                "timestamp": pa.array([start, start, None], pa.timestamp("us", tz="UTC")),
                **{name: [272.5, 272.5, 272.5] for name in ("open", "high", "low", "close")},
                "volume": [1.0, 2.0, 3.0],
            }
        ),
        path,
    )
    quotes, counts = replayed(path)
    assert [(quote.symbol, quote.volume) for quote in quotes] == [("AAPL", 1)]
    assert counts == Counts(read=3, rejected=2)
    assert "Row 2 is rejected: symbol must be a ticker, found None" in caplog.text
    assert "Row 3 is rejected: timestamp" in caplog.text


def test_a_second_bar_of_the_same_symbol_and_time_is_skipped_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = csv(
        tmp_path,
        "symbol,timestamp,open,high,low,close,volume\n"
        "AAPL,2025-12-24T14:30:00Z,272.34,272.6,272.1,272.5,1000\n"
        "KO,2025-12-24T14:30:00Z,69.9,70,69.8,69.95,300\n"
        "AAPL,2025-12-24T14:30:00Z,272.34,272.6,272.1,272.55,1100\n",
    )
    quotes, counts = replayed(path)
    assert [(quote.symbol, str(quote.price)) for quote in quotes] == [("AAPL", "272.5"), ("KO", "69.95")]
    assert counts == Counts(read=3, repeated=1)
    assert "Row 3 repeats the bar of AAPL at 2025-12-24T14:30:00Z" in caplog.text


def test_the_evening_in_new_york_belongs_to_its_own_date(tmp_path: Path) -> None:
    # 00:30 UTC on the 11th is 20:30 on the 10th in New York (daylight saving), 04:00 is midnight.
    path = csv(
        tmp_path,
        "symbol,timestamp,open,high,low,close,volume\n"
        "AAPL,2026-03-10 19:59:00+00:00,10,10,10,10,1\n"
        "AAPL,2026-03-11 00:30:00+00:00,11,11,11,11,2\n"
        "AAPL,2026-03-11 04:00:00,12,12,12,12,4\n",
    )
    quotes, _ = replayed(path)
    assert [(quote.volume, int(quote.open), int(quote.previous_close)) for quote in quotes] == [
        (1, 10, 10),
        (3, 10, 10),
        (4, 12, 10),
    ]


def test_previous_close_is_that_of_the_session_also_on_a_half_day(tmp_path: Path) -> None:
    # On 2025-12-24 the exchange closes at 13:00 in New York, 18:00 UTC; before the open a price is better than none.
    path = csv(
        tmp_path,
        "symbol,timestamp,open,high,low,close,volume\n"
        "AAPL,2025-12-24T13:00:00Z,10,10,10,10,1\n"
        "AAPL,2025-12-24T17:59:00Z,11,11,11,11,1\n"
        "AAPL,2025-12-24T18:00:00Z,12,12,12,12,1\n"
        "AAPL,2025-12-26T13:00:00Z,13,13,13,13,1\n"
        "AAPL,2025-12-29T14:30:00Z,14,14,14,14,1\n",
    )
    quotes, _ = replayed(path)
    assert [int(quote.previous_close) for quote in quotes] == [10, 10, 10, 11, 13]


def test_times_keep_their_milliseconds(tmp_path: Path) -> None:
    path = csv(tmp_path, "symbol,timestamp,open,high,low,close,volume\nSPY,2026-03-10T19:59:00.250Z,1,1,1,1,1\n")
    assert replayed(path)[0][0].timestamp == "2026-03-10T19:59:00.250Z"


def test_a_speed_of_sixty_waits_a_second_per_minute_and_skips_the_night(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "symbol,timestamp,open,high,low,close,volume\n"
        "AAPL,2026-03-10T19:57:00Z,1,1,1,1,1\n"
        "KO,2026-03-10T19:57:00Z,1,1,1,1,1\n"
        "AAPL,2026-03-10T19:59:00Z,1,1,1,1,1\n"
        "AAPL,2026-03-11T13:30:00Z,1,1,1,1,1\n"
        "AAPL,2026-03-11T13:31:00Z,1,1,1,1,1\n",
    )
    time = FakeTime(now=100.0)
    source = ReplaySource(path, 60.0, clock=time.clock, now=lambda: NOW)
    sent_at = [time.now for _ in source.quotes(Counters(), time)]
    assert sent_at == [100.0, 100.0, 102.0, 102.0, 103.0]


def test_a_stop_ends_the_replay_between_two_bars(tmp_path: Path) -> None:
    time = FakeTime(now=100.0, ends_at=101.0)
    counters = Counters()
    rows = "\n".join(f"KO,2026-03-10T19:{time_of_day}Z,1,1,1,1,1" for time_of_day in ("00:00", "00:30", "02:00"))
    path = csv(tmp_path, "symbol,timestamp,open,high,low,close,volume\n" + rows)
    source = ReplaySource(path, 60.0, clock=time.clock, now=lambda: NOW)
    assert len(list(source.quotes(counters, time))) == 2
    assert counters.now().read == 2


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("bars.csv", "symbol,timestamp,open,high,low,close\n", "missing volume; found symbol, timestamp"),
        ("bars.csv", "symbol,timestamp,open,high,low,close,volume\n", "has no rows"),
        ("bars.csv", "", "cannot be read"),
        ("bars.csv", "symbol,timestamp,open,high,low,close,volume\nAAPL,1\n", "Expected 7 columns, got 2"),
        ("bars.parquet", "not parquet", "cannot be read"),
        ("bars.xlsx", "x", r"expected a \.csv, \.csv\.gz or \.parquet file"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_refused_with_what_is_wrong(
    tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    with pytest.raises(BarFileError, match=complaint):
        ReplaySource(csv(tmp_path, text, name), None)


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(BarFileError, match=r"nowhere\.csv: there is no such file"):
        ReplaySource(tmp_path / "nowhere.csv", None)


def test_numeric_times_are_refused_rather_than_guessed(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    columns = {name: [1] for name in ("timestamp", "open", "high", "low", "close", "volume")}
    pa.parquet.write_table(pa.table({"symbol": ["A"], **columns}), path)
    with pytest.raises(BarFileError, match="timestamp must hold times or text, found int64"):
        ReplaySource(path, None)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "bars"),
    [
        ("yahoo_1m/2026-03_many_symbols", 201_136),
        ("yahoo_1m/2024-08-19_2024-08-30_nvda_earnings_prepost", 34_925),
    ],
)
def test_real_bars_become_the_quotes_a_window_function_gives(name: str, bars: int) -> None:
    folder = os.environ.get("TAPELINE_MARKET_DATA")
    if not folder:
        pytest.skip("set TAPELINE_MARKET_DATA to the folder of market data")
    import duckdb

    path = Path(folder) / f"{name}.parquet"
    independent = (
        duckdb.connect()
        .execute(f"""
        WITH bars AS (
            SELECT *, CAST(timezone('America/New_York', timestamp) AS DATE) AS dt FROM '{path}'
        ), closes AS (
            SELECT symbol, dt, lag(last_close) OVER (PARTITION BY symbol ORDER BY dt) AS previous_close
            FROM (
                SELECT symbol, dt, max_by(close, timestamp) AS last_close
                FROM bars  -- without a half day
                WHERE CAST(timezone('America/New_York', timestamp) AS TIME) < TIME '16:00' GROUP BY symbol, dt
            )
        )
        SELECT symbol, timestamp, first_value(open) OVER day, max(high) OVER day, min(low) OVER day, close,
               coalesce(previous_close, first_value(open) OVER day), sum(volume) OVER day
        FROM bars JOIN closes USING (symbol, dt)
        WINDOW day AS (PARTITION BY symbol, dt ORDER BY timestamp)
        ORDER BY timestamp, symbol
    """)
        .fetchall()
    )
    quotes, counts = replayed(path)
    assert counts == Counts(read=bars)
    found = sorted(
        (q.time, q.symbol, *map(float, (q.open, q.high, q.low, q.price, q.previous_close)), q.volume) for q in quotes
    )
    assert found == [(row[1].astimezone(UTC), row[0], *row[2:7], int(row[7])) for row in independent]
