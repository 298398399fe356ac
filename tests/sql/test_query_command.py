"""`tapeline query`: what it prints, writes and draws, and what it says when it cannot."""

from __future__ import annotations

import csv
import doctest
import io
import json
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

import tapeline.cli.query
from tapeline.cli import query_output, query_reasons
from tapeline.cli.errors import CommandError
from tapeline.cli.query_output import Format
from tapeline.lake import sql_files
from tapeline.lake.athena import Column, Execution, StatementFailedError
from tapeline.reports import plots
from tapeline.reports.plots import cells, plot, wording
from tests.sql.lakes import AthenaLake

COLUMNS = (Column("symbol", "varchar"), Column("change_pct", "double"), Column("session", "date"))
ROWS = [("AAPL", -7.0, date(2025, 11, 26)), ("X,OM", None, date(2025, 11, 26))]

cli = typer.Typer()
cli.command()(tapeline.cli.query.query)


def query(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


# Without AWS


@pytest.mark.parametrize("module", [plots, cells, plot, wording, query_output])
def test_the_examples_in_the_docstrings_hold(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


def test_a_dry_run_prints_the_statement_with_its_values_and_asks_nobody() -> None:
    answer = query("top_movers", "--set", "session=2025-11-28", "--set", "movers=3", "--dry-run")
    assert answer.output == sql_files.load("top_movers").render({"session": "2025-11-28", "movers": 3})


def test_without_a_file_it_lists_them_with_their_parameters() -> None:
    listed = query().output
    assert "top_movers  session=… movers=5\n    The largest rises and falls of one session" in listed
    assert "… is looked up: the newest session there is" in listed
    assert "checks" not in listed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["top_mover"], "did you mean top_movers"),
        (["top_movers", "--set", "movers=many", "--dry-run"], "movers takes a value such as 5"),
        (["top_movers", "--set", "day=2025-11-28", "--dry-run"], "it takes session, movers"),
        (
            ["first_ten_rows", "--plot"],
            "first_ten_rows has no picture that makes sense; these have one: anomalies_with",
        ),
    ],
)
def test_a_wrong_request_is_told_before_anything_runs(arguments: list[str], words: str) -> None:
    answer = query(*arguments)
    assert answer.exit_code == 1
    assert isinstance(answer.exception, ValueError | CommandError)
    assert words in str(answer.exception)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["--set", "session"], "expected NAME=VALUE, found 'session'"),
        (["--set", "movers=1", "--set", "movers=2"], "movers is given twice: 1 and 2"),
    ],
)
def test_a_value_that_is_given_wrong_is_wrong_usage(settings: list[str], words: str) -> None:
    answer = query("top_movers", "--dry-run", *settings)
    assert answer.exit_code == 2
    assert words in answer.output


@pytest.mark.parametrize(
    ("reason", "next_step"),
    [
        (
            "TABLE_NOT_FOUND: line 3:6: Table 'awsdatacatalog.stock_market.daily_summary' does not exist",
            "nothing is rolled up yet: the DAG daily_rollup does it 30 minutes after each close",
        ),
        ("TABLE_NOT_FOUND: Table 'stock_market.daily_bars' does not exist", "daily_history/view"),
        ("TABLE_NOT_FOUND: Table 'stock_market.minute_bars_staging' does not exist", "minute_bars/staging_ddl"),
        ("TABLE_NOT_FOUND: Table 'stock_market.trading_sessions' does not exist", "trading_sessions/view"),
        ("TABLE_NOT_FOUND: Table 'stock_market.stock_data_table' does not exist", "crawl_raw_data"),
        ("Query exhausted: Bytes scanned limit was exceeded", "ask for fewer sessions"),
        ("SYNTAX_ERROR: line 1:1", "--dry-run"),
    ],
)
def test_a_failure_says_what_to_do_next(reason: str, next_step: str) -> None:
    message = query_reasons.why_failed("queries/top_movers", StatementFailedError("FAILED", reason, "id"))
    assert reason in message
    assert next_step in message


@pytest.mark.parametrize(
    ("kind", "scanned", "price"),
    [
        ("DML", 0, 0.00005),  # ten megabytes at the least
        ("DML", 10_000_001, 0.000055),  # rounded up to the megabyte
        ("DML", 10**12, 5.0),
        ("DDL", 10**12, 0.0),
    ],
)
def test_the_price_is_athena_s_list_price(kind: str, scanned: int, price: float) -> None:
    assert Execution("id", kind, scanned, 1.0).price_usd == pytest.approx(price)


def test_csv_has_a_header_and_nothing_for_null(tmp_path: Path) -> None:
    query_output.write(Format.CSV, tmp_path / "rows.csv", COLUMNS, ROWS)
    expected = 'symbol,change_pct,session\nAAPL,-7.0,2025-11-26\n"X,OM",,2025-11-26\n'
    assert (tmp_path / "rows.csv").read_text() == expected


def test_json_has_one_document_per_row(tmp_path: Path) -> None:
    query_output.write(Format.JSON, tmp_path / "rows.json", COLUMNS, ROWS)
    assert json.loads((tmp_path / "rows.json").read_text()) == [
        {"symbol": "AAPL", "change_pct": -7.0, "session": "2025-11-26"},
        {"symbol": "X,OM", "change_pct": None, "session": "2025-11-26"},
    ]


@pytest.mark.parametrize("rows", [ROWS, []])
def test_parquet_has_the_types_of_the_columns(tmp_path: Path, rows: list[tuple[object, ...]]) -> None:
    query_output.write(Format.PARQUET, tmp_path / "rows.parquet", COLUMNS, rows)
    table = pyarrow.parquet.read_table(tmp_path / "rows.parquet")
    assert [str(field.type) for field in table.schema] == ["string", "double", "date32[day]"]
    assert [tuple(row.values()) for row in table.to_pylist()] == rows


@pytest.mark.parametrize("name", ["completeness", "queries/completeness", "drawdown"])
def test_a_query_goes_before_a_check_of_the_same_name(name: str) -> None:
    assert sql_files.load(name).name == f"queries/{name.rpartition('/')[2]}"


# Tables

NARROW = (Column("symbol", "varchar"), Column("started_at_utc", "timestamp"), Column("times_usual_move", "double"))
MOMENT = datetime(2025, 11, 26, 14, 30)


def table(columns: tuple[Column, ...], rows: list[tuple[object, ...]], width: int, total: str | None = None) -> str:
    written = io.StringIO()
    query_output.print_table(Console(file=written, width=width), columns, rows, total)
    return written.getvalue()


def test_a_column_has_as_many_decimals_in_each_row() -> None:
    columns = (*NARROW[2:], Column("volume_shares", "double"), Column("correlation", "double"))
    printed = table(columns, [(16.2091, 11_905_279.4545, 0.5), (3.876, 7.0, -0.98765), (2.0, None, None)], 80)
    assert [line.split() for line in printed.splitlines()] == [
        ["times_usual_move", "volume_shares", "correlation"],
        ["16.21", "11,905,279", "0.5000"],
        ["3.88", "7", "-0.9877"],
        ["2.00"],
    ]


def test_times_are_told_with_their_zone_to_the_minute_where_they_are_whole_ones() -> None:
    printed = table(NARROW, [("AAPL", MOMENT, 1.0), ("XOM", MOMENT.replace(hour=15), 2.0)], 80)
    assert "2025-11-26 14:30Z" in printed
    assert "Times are UTC (Z); at 2025-11-26 15:30Z it was 10:30 in New York" in printed
    assert "14:30:01Z" in table(NARROW, [("AAPL", MOMENT.replace(second=1), 1.0)], 80)


def test_a_row_of_all_is_called_so() -> None:
    assert table(COLUMNS, [(None, 1.0, None)], 80, "symbol").splitlines()[1].split() == ["all", "1.00"]


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120])
def test_a_table_fits_and_says_what_it_left_out(width: int) -> None:
    columns = [Column(f"a_column_of_number_{number}", "bigint") for number in range(8)]
    printed = table(tuple(columns), [(10**6,) * 8], width)
    assert max(map(len, printed.splitlines())) <= width
    shown = printed.split("Too wide")[0].split().count("1,000,000")
    left_out = " ".join(printed.split()).partition("left out: ")[2].partition(";")[0]
    assert shown + len(list(filter(None, left_out.split(", ")))) == 8


# Pictures

SESSION = date(2025, 11, 26)


def page(name: str, columns: dict[str, list[Any]], **parameters: object) -> str:
    file = sql_files.load(name)
    rows = list(zip(*columns.values(), strict=True))
    with TemporaryDirectory() as folder:
        path = query_output.draw(file, parameters, [Column(name, "") for name in columns], rows, Path(folder))
        return path.read_text(encoding="utf-8")


def test_a_picture_is_a_page_without_scripts_that_tells_what_it_shows() -> None:
    drawn = page("top_movers", {"symbol": ["AAPL", "X<M"], "change_pct": [7.0, -7.5]}, session=SESSION, movers=5)
    assert "Wed 26 Nov 2025 · movers 5" in drawn
    assert "change, per cent" in drawn
    assert 'class="up"' in drawn and 'class="down"' in drawn  # noqa: PT018
    assert "X&lt;M" in drawn
    assert "<script" not in drawn
    assert "prefers-color-scheme: dark" in drawn
    assert "http" not in drawn.replace("http-equiv", "")


def test_bars_of_several_sessions_stand_each_by_itself() -> None:
    columns: dict[str, list[Any]] = {
        "session": [SESSION, date(2025, 11, 28)],
        "symbol": ["UVXY"] * 2,
        "gap_pct": [9.0, -8.0],
    }
    drawn = page("opening_gaps", columns)
    assert drawn.count('height="16"') == 2
    assert "26 Nov UVXY: 9.00" in drawn and "28 Nov UVXY: −8.00" in drawn  # noqa: PT018


def test_the_axis_of_a_day_has_the_hours_of_new_york() -> None:
    moments = [MOMENT + timedelta(minutes=minute) for minute in range(390)]
    prices = [100.0 + minute % 7 for minute in range(390)]
    names = ("close_usd", "vwap_usd", "upper_band_usd", "lower_band_usd")
    drawn = page("intraday_vwap", {"minute_utc": moments, **dict.fromkeys(names, prices)}, session=SESSION, symbol="KO")
    assert "KO · Wed 26 Nov 2025 · times in New York" in drawn
    assert re.findall(r">(\d\d:00)</text>", drawn) == [f"{hour}:00" for hour in range(10, 16)]
    assert ">US dollars<" in drawn and ">upper band<" in drawn  # noqa: PT018


def test_a_line_is_cut_where_the_feed_was_silent_and_not_where_a_minute_is_missing() -> None:
    minutes = [*range(20), *range(21, 40), *range(100, 120)]
    names = ("close_usd", "vwap_usd", "upper_band_usd", "lower_band_usd")
    columns = {"minute_utc": [MOMENT + timedelta(minutes=minute) for minute in minutes]}
    drawn = page("intraday_vwap", {**columns, **dict.fromkeys(names, [1.0] * len(minutes))})
    assert drawn.count("<polyline") == 2 * len(names)


def test_a_matrix_is_symmetric_in_one_order_with_the_alike_together() -> None:
    names = ["A1", "B1", "A2", "B2"]
    pairs = [(one, other) for place, one in enumerate(names) for other in names[place + 1 :]]
    values = [0.9 if one[0] == other[0] else -0.4 for one, other in pairs]
    columns = {"first_symbol": [one for one, _ in pairs], "second_symbol": [other for _, other in pairs]}
    drawn = page("return_correlation", {**columns, "correlation": values})
    cells = re.findall(r"<title>(\w\w) (\w\w) (\S+)</title>", drawn)
    matrix = {(one, other): value for one, other, value in cells}
    order = list(dict.fromkeys(one for one, _, _ in cells))
    assert len(matrix) == 16
    assert order == list(dict.fromkeys(other for _, other, _ in cells))
    assert all(matrix[one, other] == matrix[other, one] for one, other in matrix)
    assert {order[0][0], order[1][0]} in ({"A"}, {"B"})
    assert (matrix["A1", "A2"], matrix["A1", "B1"], matrix["A1", "A1"]) == ("0.90", "−0.40", "1.00")


def test_gaps_are_spans_of_time_by_symbol() -> None:
    times = {"started_at_utc": [MOMENT] * 2, "ended_at_utc": [MOMENT + timedelta(minutes=5)] * 2}
    drawn = page("feed_gaps", {"symbol": ["AAPL", "XOM"], **times}, session=SESSION, min_gap_minutes=3)
    assert "AAPL 09:30 to 09:35, 5 minutes" in drawn
    assert "gap at least 3 minutes · times in New York" in drawn


PICTURES = [file.name for file in sql_files.catalogue("queries/") if "Plot" in file.header]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_of_very_many_rows_stays_under_300_kilobytes(name: str) -> None:
    days = [SESSION + timedelta(days=number) for number in range(60)]
    rows = [(day, f"SYMBOL{symbol}") for day in days for symbol in range(120)]
    if name == "queries/return_correlation":
        rows = [(SESSION, f"SYMBOL{symbol}") for symbol in range(120)] * 120
    plain: dict[str, list[Any]] = {"session": [day for day, _ in rows], "symbol": [symbol for _, symbol in rows]}
    columns: dict[str, list[Any]] = {}
    for column in plots.Plot.read(sql_files.load(name).header["Plot"]).columns:
        numbers = [number * 7 % 1000 / 7 - 50 for number in range(len(rows))]
        columns[column] = plain.get(column, numbers)
        if column.endswith("_utc"):
            columns[column] = [MOMENT + timedelta(minutes=number) for number in range(len(rows))]
        if column == "second_symbol":
            columns[column] = [f"SYMBOL{number // 120}" for number in range(len(rows))]
        if column in ("first_symbol", "dt"):
            columns[column] = plain["symbol"]
    assert len(page(name, columns).encode()) < 300_000


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("value", [1.0, 0.0, -3.0, Decimal("2.5"), None, float("nan")])
def test_one_row_makes_a_picture_or_says_what_is_not_known(name: str, value: object) -> None:
    text = {"session": SESSION, "symbol": "AAPL", "first_symbol": "AAPL", "second_symbol": "XOM", "dt": "2025-11-26"}
    columns = {
        column: [MOMENT if column.endswith("_utc") else text.get(column, value)]
        for column in plots.Plot.read(sql_files.load(name).header["Plot"]).columns
    }
    try:
        assert "<svg viewBox" in page(name, columns)
    except plots.PlotError as error:
        assert "no value of" in str(error)
        assert value is None or value != value


# Why there are no rows


@pytest.mark.parametrize(
    ("name", "values", "there", "words"),
    [
        ("top_movers", {"session": None, "movers": 5}, [], "nothing is rolled up yet: the DAG daily_rollup"),
        (
            "top_movers",
            {"session": "2025-11-28"},
            [SESSION],
            "the session 2025-11-28 is not in daily_summary, which has 2025-11-26.",
        ),
        (
            "top_movers",
            {"session": "2025-11-27"},
            [SESSION],
            "2025-11-27 is no trading day of the exchange and so not in daily_summary",
        ),
        ("latest_quotes", {"session": None}, [], "the catalog has no trading date yet: the DAG crawl_raw_data"),
        (
            "latest_quotes",
            {"session": "2025-11-28"},
            [date(2025, 10, day) for day in range(1, 10)],
            "the session 2025-11-28 is not in the raw zone, which has 9 sessions, 2025-10-01 to 2025-10-09.",
        ),
        (
            "feed_gaps",
            {"session": SESSION, "min_gap_minutes": 3},
            [SESSION],
            "no symbol was silent for 3 minutes in the session, which is good.",
        ),
        (
            "return_correlation",
            {"first_session": SESSION, "last_session": SESSION, "min_sessions": 10},
            [SESSION],
            "no two symbols share 10 sessions: there is 1 session in the range",
        ),
        (
            "drawdown",
            {"first_session": SESSION, "last_session": "2025-11-25"},
            [SESSION],
            "first_session 2025-11-26 is after last_session 2025-11-25.",
        ),
        (
            "drawdown",
            {"first_session": "2025-11-24", "last_session": "2025-11-25"},
            [SESSION],
            "no session from 2025-11-24 to 2025-11-25 is in daily_summary, which has 2025-11-26.",
        ),
        ("moving_average_crosses", {"first_session": SESSION, "last_session": SESSION}, [SESSION], "21st session"),
        ("moves_over_five_percent", {}, [], "no quote was more than 5 % away from its previous close."),
        ("daily_summary/checks/duplicate_keys", {"session": SESSION}, [SESSION], "the check finds nothing wrong."),
    ],
)
def test_an_empty_result_says_why(name: str, values: dict[str, object], there: list[date], words: str) -> None:
    file = sql_files.load(name)
    values_of_all = {parameter.name: values.get(parameter.name, parameter.default) for parameter in file.parameters}
    message = query_reasons.why_empty(file, values_of_all, lambda _: ((), [(day,) for day in there]))
    assert message.startswith(words) or words in message
    assert "latest" not in message


@pytest.mark.parametrize("name", [file.name for file in sql_files.catalogue("queries/")])
def test_every_query_that_may_be_empty_can_say_so(name: str) -> None:
    file = sql_files.load(name)
    values_of_all = {
        parameter.name: SESSION if parameter.kind == "date" else parameter.default for parameter in file.parameters
    }
    values_of_all |= {"symbol": "AAPL"} if "symbol" in values_of_all else {}
    answers: Iterator[list[tuple[Any, ...]]] = iter([[(SESSION,)], [("AAPL",)]])
    message = query_reasons.why_empty(file, values_of_all, lambda _: ((), next(answers)))
    assert "{" not in message
    assert message.endswith(".")


# On the local AWS


def test_a_query_prints_a_table_and_what_it_read_and_costs(athena_lake: AthenaLake) -> None:
    answer = query("top_movers", "--set", "session=2025-11-26", "--set", "movers=1")
    assert answer.exit_code == 0, answer.exception
    assert [line.split()[:3] for line in answer.stdout.splitlines()] == [
        ["symbol", "change_pct", "change_usd"],
        ["XOM", "2.00", "1.00"],
        ["AAPL", "-7.00", "-7.00"],
    ]
    assert "2 rows, " in answer.stderr
    assert "$0.000050 on AWS" in answer.stderr


def test_a_query_gives_csv_on_standard_output_and_nothing_else_there(athena_lake: AthenaLake) -> None:
    answer = query("top_movers", "--set", "session=2025-11-26", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(answer.stdout)))
    assert [(row["symbol"], float(row["change_pct"])) for row in rows] == [("XOM", 2.0), ("AAPL", -7.0)]


@pytest.mark.parametrize(
    ("arguments", "constant"),
    [
        (["top_movers", "--set", "session=latest"], "DATE '2025-11-28' AS session"),
        (["drawdown", "--set", "first_session=latest"], "DATE '2025-11-28' AS first_session"),
        (["minute_bars/stage_session", "--set", "session=latest"], "DATE '2025-11-28' AS session"),
    ],
)
def test_latest_is_the_newest_session_there_is(athena_lake: AthenaLake, arguments: list[str], constant: str) -> None:
    assert constant in query(*arguments, "--dry-run").stdout


@pytest.mark.parametrize("file", [file.name for file in sql_files.catalogue() if sql_files.BUCKET in file.text])
def test_a_definition_is_printed_for_the_account_at_hand(athena_lake: AthenaLake, file: str) -> None:
    printed = query(file, "--dry-run").stdout
    assert f"s3://{athena_lake.bucket_name}/" in printed
    assert sql_files.BUCKET not in printed


def test_without_a_value_the_newest_session_is_shown(athena_lake: AthenaLake) -> None:
    newest = query("top_movers", "--format", "csv")
    assert newest.exit_code == 0, newest.exception
    assert newest.stdout == query("top_movers", "--set", "session=2025-11-28", "--format", "csv").stdout


def test_no_rows_come_with_what_there_is(athena_lake: AthenaLake) -> None:
    answer = query("intraday_vwap", "--set", "session=2025-11-26", "--set", "symbol=NONE", "--plot")
    assert answer.exit_code == 0
    assert "No rows: there is no NONE in session 2025-11-26; there are AAPL" in answer.stderr.replace("\n", " ")
    assert "Picture" not in answer.stderr


def test_a_picture_is_put_into_the_state_folder(athena_lake: AthenaLake) -> None:
    answer = query("intraday_vwap", "--set", "session=2025-11-26", "--set", "symbol=AAPL", "--plot")
    path = Path(answer.stderr.partition("Picture: ")[2].replace("\n", "").strip())
    assert path.name == "intraday_vwap.html"
    assert "AAPL · Wed 26 Nov 2025" in path.read_text(encoding="utf-8")


def test_a_statement_that_gives_no_rows_runs_too(athena_lake: AthenaLake) -> None:
    answer = query("trading_sessions/view")
    assert answer.exit_code == 0, answer.exception
    assert answer.stdout == ""


def test_a_table_that_is_missing_is_named_with_the_way_to_make_it(athena_lake: AthenaLake, tmp_path: Path) -> None:
    statement = tmp_path / "missing.sql"
    statement.write_text("-- What is not there.\nSELECT * FROM daily_summary_of_another_day\n")
    answer = query(str(statement))
    assert isinstance(answer.exception, CommandError)
    assert "daily_summary_of_another_day" in str(answer.exception)
