"""Every file under include/sql says what it is, and what it says is true."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import sqlglot
import yaml

from tapeline.lake import sql_files
from tapeline.lake.parameters import Lookup, SqlFileError
from tapeline.lake.rollup import CURATED
from tapeline.lake.sql_files import SqlFile
from tests.sql import data_model
from tests.sql.answers.compute import CASES

FILES = {file.name: file for file in sql_files.catalogue()}
TESTED_BY_THEMSELVES = {"first_ten_rows", "partition_files"}
HEADER_NAMES = {"Grain", "Source", "Cost", "Note", "Empty", "Total", "Plot", "Rerun", "Severity", "Scope", "Generated"}
COLUMN = re.compile(r"^    (\w+) (date|string|timestamp|double|bigint|boolean),?$", re.MULTILINE)


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_a_file_opens_with_purpose_grain_and_cost(file: SqlFile) -> None:
    assert file.purpose.endswith(".")
    assert {"Grain", "Cost"} <= set(file.header) <= HEADER_NAMES
    assert file.name.endswith("ddl") or "Source" in file.header


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_a_file_reads_the_tables_it_names(file: SqlFile) -> None:
    body = "\n".join(line for line in file.text.splitlines() if not line.startswith("--"))
    tables = {*CURATED, *(f"{table}_staging" for table in CURATED), "stock_data_table", "trading_sessions"}
    read = tables & set(re.findall(r"(?:FROM|JOIN|OPTIMIZE|VACUUM) (\w+)", body))
    own = set(re.findall(r"MERGE INTO (\w+)", body))
    named = tables & set(re.findall(r"\w+", file.header.get("Source", "")))
    assert read - own == named


@pytest.mark.parametrize("name", [name for name in FILES if "/checks/" in name])
def test_a_check_says_whether_it_fails_or_warns_and_for_a_symbol_or_the_session(name: str) -> None:
    assert FILES[name].header["Severity"] in {"fail", "warn"}
    assert FILES[name].header["Scope"] in {"symbol", "session"}


def test_every_query_has_an_answer_it_is_tested_against() -> None:
    queries = {name.removeprefix("queries/") for name in FILES if name.startswith("queries/")}
    assert queries == set(CASES) | TESTED_BY_THEMSELVES


@pytest.mark.parametrize("table", CURATED)
def test_a_table_and_its_staging_table_have_the_columns_of_table_yaml(table: str) -> None:
    told = yaml.safe_load((sql_files.ROOT / table / "table.yaml").read_text(encoding="utf-8"))
    columns = [(name, column["type"]) for name, column in told["columns"].items()]
    assert COLUMN.findall(FILES[f"{table}/ddl"].text) == columns
    assert COLUMN.findall(FILES[f"{table}/staging_ddl"].text) == columns


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith("_session")])
def test_a_merge_inserts_every_column_of_its_table(name: str) -> None:
    columns = [column for column, _ in COLUMN.findall(FILES[f"{name.split('/')[0]}/ddl"].text)]
    inserted, values = re.search(r"INSERT \((.*?)\) VALUES \((.*?)\)", FILES[name].text, re.DOTALL).groups()  # type: ignore[union-attr]
    assert [column.strip() for column in inserted.split(",")] == columns
    assert [value.strip() for value in values.split(",")] == [f"incoming.{column}" for column in columns]


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith("/stage_session")])
def test_a_select_gives_the_columns_of_its_table_and_no_other(name: str) -> None:
    merge = sqlglot.parse_one(FILES[name].text, read="athena")
    [computed] = [cte for cte in merge.find_all(sqlglot.exp.CTE) if cte.alias == "computed"]
    columns = [column for column, _ in COLUMN.findall(FILES[f"{name.split('/')[0]}/ddl"].text)]
    assert sorted(computed.this.named_selects) == sorted(columns)


BARE = ("ALTER", "DROP", "MSCK", "OPTIMIZE", "VACUUM")
"""First words that Athena was seen to refuse behind a comment, or that dbt-athena never sends so."""


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_a_file_rendered_with_its_defaults_is_the_file_or_its_statement_alone(file: SqlFile) -> None:
    constants = [one for one in file.parameters if not isinstance(one.default, Lookup)]
    defaults = {parameter.name: parameter.default for parameter in constants}
    statement = re.sub(r"\A(?:--.*\n)+", "", file.text)
    sent = statement if statement.startswith(BARE) else file.text
    assert file.render() == sent
    assert file.render(defaults) == sent


@pytest.mark.parametrize("word", BARE)
def test_only_the_comment_before_such_a_statement_is_left_out(word: str) -> None:
    body = f"{word} a\n-- within\nb -- behind\n"
    assert sql_files.parse("x", f"-- Why.\n\n  -- When.\n{body}").render() == body
    assert sql_files.parse("x", f"-- {word} is not run.\nSELECT 1\n").render().startswith("-- ")


EXAMPLE = """-- What it is for,
-- in two lines.
-- Grain: one row,
--   or none.
WITH params AS (
    SELECT
        DATE '2026-03-12' AS session,  -- the session
        'O''Hara' AS symbol,  -- a name
        5 AS movers,  -- how many
        -0.5 AS level  -- a level
)
SELECT DATE '2026-03-12' AS session, 5 AS movers FROM params
"""


def test_the_header_and_the_parameters_of_a_file_are_read() -> None:
    file = sql_files.parse("example", EXAMPLE)
    assert (file.purpose, file.header) == ("What it is for, in two lines.", {"Grain": "one row, or none."})
    assert [(parameter.name, parameter.kind, parameter.default) for parameter in file.parameters] == [
        ("session", "date", date(2026, 3, 12)),
        ("symbol", "text", "O'Hara"),
        ("movers", "integer", 5),
        ("level", "decimal", Decimal("-0.5")),
    ]


def test_values_replace_the_defaults_in_params_and_nowhere_else() -> None:
    rendered = sql_files.parse("example", EXAMPLE).render(
        {"session": date(2025, 11, 28), "symbol": "it's", "movers": "7", "level": 2}
    )
    assert rendered == (
        EXAMPLE.replace("DATE '2026-03-12' AS session,  --", "DATE '2025-11-28' AS session,  --")
        .replace("'O''Hara'", "'it''s'")
        .replace("5 AS movers,  --", "7 AS movers,  --")
        .replace("-0.5 AS level", "2.0 AS level")
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("session", "12.03.2026", "session takes a value such as 2026-03-12 (date: the session), found '12.03.2026'"),
        ("movers", "2.5", "movers takes a value such as 5 (integer: how many), found '2.5'"),
        ("movers", "5) OR (1=1", "movers takes a value such as 5 (integer: how many), found '5) OR (1=1'"),
        ("level", "NaN", "level takes a value such as -0.5 (decimal: a level), found 'NaN'"),
        ("depth", "1", "example has no parameter 'depth'; it takes session, symbol, movers, level"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_would(name: str, value: str, message: str) -> None:
    with pytest.raises(SqlFileError) as refused:
        sql_files.parse("example", EXAMPLE).render({name: value})
    assert str(refused.value) == message


def test_a_parameter_line_of_another_form_is_an_error_not_passed_over() -> None:
    with pytest.raises(SqlFileError, match="found '5 \\+ 5 AS movers,  -- how many'"):
        sql_files.parse("example", EXAMPLE.replace("5 AS movers,", "5 + 5 AS movers,"))


def test_the_bucket_of_the_stack_takes_its_place_in_a_location() -> None:
    rendered = FILES["daily_summary/ddl"].render(bucket="tapeline-123456789012-eu-west-1")
    assert "LOCATION 's3://tapeline-123456789012-eu-west-1/curated/daily_summary/'" in rendered
    assert sql_files.BUCKET not in rendered


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_a_file_names_no_bucket_and_says_where_one_must_be_put(file: SqlFile) -> None:
    locations = re.findall(r"LOCATION 's3://(.*?)/", file.text)
    assert locations == [sql_files.BUCKET] * file.text.count("LOCATION '")
    assert not locations or "put your stack's bucket into LOCATION" in file.header["Note"]


@pytest.mark.parametrize(
    "name", ["top_movers", "top_movers.sql", "queries/top_movers", str(sql_files.ROOT / "queries" / "top_movers.sql")]
)
def test_a_file_is_found_by_name_or_path(name: str) -> None:
    assert sql_files.load(name).name == "queries/top_movers"


def test_a_name_of_several_files_is_refused_with_all_of_them() -> None:
    with pytest.raises(SqlFileError, match="anomalies/ddl, daily_history/ddl, daily_summary/ddl"):
        sql_files.load("ddl")


def test_a_misspelt_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(SqlFileError, match="did you mean top_movers"):
        sql_files.load("top_mover")


def test_the_data_model_document_tells_of_the_tables_what_table_yaml_says() -> None:
    assert data_model.current() == data_model.passage(), "run make sql"


@pytest.mark.parametrize(
    "path", sorted(sql_files.ROOT.rglob("*.sql")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_only_a_ddl_names_a_place_and_that_is_the_stack_s_own(path: Path) -> None:
    text = path.read_text()
    if path.stem.endswith("ddl"):
        assert re.findall(r"s3://([^/']+)", text) == [sql_files.BUCKET]
        rendered = sql_files.load(f"{path.parent.name}/{path.stem}").render(bucket="tapeline-1-x")
        assert re.findall(r"s3://([^/']+)", rendered) == ["tapeline-1-x"]
    else:
        assert not re.search(r"s3a?://|<bucket", text)
