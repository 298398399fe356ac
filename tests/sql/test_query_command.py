"""`tapeline query`: what it prints, writes and draws, and what it says when it cannot."""

from __future__ import annotations

import csv
import doctest
import io
import json
from datetime import date, datetime
from pathlib import Path

import pyarrow.parquet
import pytest
import typer
from typer.testing import CliRunner, Result

from tapeline import query_command, query_output, sql
from tapeline.aws.athena import Column, Finished, StatementFailedError
from tapeline.query_output import Format, QueryError
from tests.sql.lakes import AthenaLake

COLUMNS = (Column("symbol", "varchar"), Column("change_pct", "double"), Column("session", "date"))
ROWS = [("AAPL", -7.0, date(2025, 11, 26)), ("X,OM", None, date(2025, 11, 26))]

cli = typer.Typer()
cli.command()(query_command.query)


def query(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


# Without AWS


@pytest.mark.parametrize("module", [query_command, query_output])
def test_the_examples_in_the_docstrings_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_a_dry_run_prints_the_statement_with_its_values_and_asks_nobody() -> None:
    answer = query("top_movers", "--set", "session=2025-11-28", "--set", "movers=3", "--dry-run")
    assert answer.output == sql.load("top_movers").render({"session": "2025-11-28", "movers": 3})


def test_without_a_file_it_lists_them_with_their_parameters() -> None:
    listed = query().output
    assert "top_movers  session=2026-03-12 movers=5\n    The largest rises and falls of one session" in listed
    assert "checks" not in listed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["top_mover"], "did you mean top_movers"),
        (["top_movers", "--set", "session"], "--set takes NAME=VALUE, such as session=2026-03-12; found 'session'"),
        (["top_movers", "--set", "movers=1", "--set", "movers=2", "--dry-run"], "--set gives movers twice: 1 and 2"),
        (["top_movers", "--set", "movers=many", "--dry-run"], "movers takes a value such as 5"),
        (["top_movers", "--set", "day=2025-11-28", "--dry-run"], "it takes session, movers"),
    ],
)
def test_a_wrong_request_is_told_before_anything_runs(arguments: list[str], words: str) -> None:
    answer = query(*arguments)
    assert answer.exit_code == 1
    assert isinstance(answer.exception, ValueError)
    assert words in str(answer.exception)


@pytest.mark.parametrize(
    ("reason", "next_step"),
    [
        (
            "TABLE_NOT_FOUND: line 3:6: Table 'awsdatacatalog.stock_market.daily_summary' does not exist",
            "daily_summary/ddl",
        ),
        ("TABLE_NOT_FOUND: Table 'stock_market.minute_bars_staging' does not exist", "minute_bars/staging_ddl"),
        ("TABLE_NOT_FOUND: Table 'stock_market.trading_sessions' does not exist", "trading_sessions/view"),
        ("TABLE_NOT_FOUND: Table 'stock_market.stock_data_table' does not exist", "crawl_raw_data"),
        ("Query exhausted: Bytes scanned limit was exceeded", "ask for fewer sessions"),
        ("SYNTAX_ERROR: line 1:1", "--dry-run"),
    ],
)
def test_a_failure_says_what_to_do_next(reason: str, next_step: str) -> None:
    told = query_command.explain("queries/top_movers", StatementFailedError("FAILED", reason, "id"))
    assert reason in told
    assert next_step in told


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
    assert Finished("id", kind, scanned, 1.0).price_usd == pytest.approx(price)


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


def test_a_picture_is_a_page_that_holds_all_it_needs(tmp_path: Path) -> None:
    path = query_output.draw(sql.load("top_movers"), COLUMNS, ROWS, tmp_path)
    page = path.read_text(encoding="utf-8")
    assert path.name == "top_movers.html"
    assert '"x":["AAPL","X,OM"]' in page
    assert "<script src=" not in page


@pytest.mark.parametrize("name", [file.name for file in sql.catalogue("queries") if "Plot" in file.header])
def test_every_picture_a_header_asks_for_can_be_drawn(name: str, tmp_path: Path) -> None:
    file = sql.load(name)
    roles = dict(word.split("=") for word in file.header["Plot"].split()[1:])
    names = [column for role in roles.values() for column in role.split(",")]
    query_output.draw(file, [Column(name, "double") for name in names], [(1.0,) * len(names)], tmp_path)


def test_a_query_without_a_picture_says_so(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="its header has no line Plot"):
        query_output.draw(sql.load("first_ten_rows"), COLUMNS, ROWS, tmp_path)


def test_nothing_to_draw_says_so(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="has no rows to draw"):
        query_output.draw(sql.load("top_movers"), COLUMNS, [], tmp_path)


def test_a_moment_is_shown_to_the_second_unless_it_has_milliseconds() -> None:
    assert query_output.cell("minute_utc", datetime(2025, 11, 26, 14, 30)) == "2025-11-26 14:30:00"
    assert query_output.cell("minute_utc", datetime(2025, 11, 26, 14, 30, 59, 500_000)) == "2025-11-26 14:30:59.500"


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


def test_latest_is_the_newest_session_of_the_raw_zone(athena_lake: AthenaLake) -> None:
    answer = query("top_movers", "--set", "session=latest", "--dry-run")
    assert "DATE '2025-11-28' AS session" in answer.stdout


def test_no_rows_come_with_the_hint_to_ask_for_another_day(athena_lake: AthenaLake) -> None:
    answer = query("top_movers", "--set", "session=2025-12-01")
    assert answer.exit_code == 0
    assert "No rows for session 2025-12-01" in answer.stderr
    assert "--set session=latest" in answer.stderr


def test_a_picture_is_put_into_the_state_folder(athena_lake: AthenaLake) -> None:
    answer = query("intraday_vwap", "--set", "session=2025-11-26", "--plot")
    path = Path(answer.stderr.partition("Picture: ")[2].replace("\n", "").strip())
    assert path.name == "intraday_vwap.html"
    assert "upper_band_usd" in path.read_text(encoding="utf-8")


def test_a_statement_that_gives_no_rows_runs_too(athena_lake: AthenaLake) -> None:
    answer = query("trading_sessions/view")
    assert answer.exit_code == 0, answer.exception
    assert answer.stdout == ""


def test_a_table_that_is_missing_is_named_with_the_way_to_make_it(athena_lake: AthenaLake, tmp_path: Path) -> None:
    statement = tmp_path / "missing.sql"
    statement.write_text("-- What is not there.\nSELECT * FROM daily_summary_of_another_day\n")
    answer = query(str(statement))
    assert isinstance(answer.exception, QueryError)
    assert "daily_summary_of_another_day" in str(answer.exception)
