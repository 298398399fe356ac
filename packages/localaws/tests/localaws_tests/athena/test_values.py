"""Values come out of a query as they went in, whatever they are, and no text makes the engine stumble."""

from __future__ import annotations

import math
import re
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localaws.athena import java, results, types
from localaws.athena.casts import Value, quote
from localaws.athena.errors import QueryError
from localaws.athena.grammar import parse_statement
from localaws.athena.operators import arithmetic
from localaws.athena.pages import read_rows
from localaws.athena.query import bind
from localaws.athena.statements import strip_comments
from localaws.athena.types import DOUBLE, INTEGER, VARCHAR, decimal

JAVA_DOUBLE = re.compile(r"-?(\d+\.\d+|\d\.\d+E-?\d+)|NaN|-?Infinity")


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    results.prepare(connection)
    return connection


@given(st.floats())
def test_double_is_written_in_javas_form_and_reads_back(number: float) -> None:
    text = java.java_double(number)

    assert JAVA_DOUBLE.fullmatch(text)
    back = float(text.replace("Infinity", "inf"))
    assert back == number or (math.isnan(back) and math.isnan(number))
    assert ("E" in text) == (math.isfinite(number) and number != 0 and not 1e-3 <= abs(number) < 1e7)


@pytest.mark.parametrize(
    ("number", "root"),
    [
        (27.0, 3.0),
        (10.0, 2.154434690031884),
        (-100.0, -4.641588833612779),
        (2.0, 1.2599210498948732),
        (1.37, 1.1106405414766722),
        (-1.1e-200, -2.2239800905693154e-67),
        (0.1, 0.4641588833612779),
        (7.7e290, 9.165656454330222e96),
        (1.7976931348623157e308, 5.643803094122362e102),
        (-2.2250738585072014e-308, -2.812644285236262e-103),
        (3.3e-312, 1.4888055529537346e-104),
        (5e-324, 1.7031839360032603e-108),
    ],
)
def test_cube_root_is_that_of_java_17_to_the_last_bit(number: float, root: float) -> None:
    assert java.java_cbrt(number) == root


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(st.none() | st.text(), st.none() | st.floats(allow_nan=False)), max_size=8))
def test_rows_of_a_result_are_read_as_they_were_written(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, rows: list[tuple[str | None, float | None]]
) -> None:
    rows = [(text.replace("\0", "") if text else text, number) for text, number in rows]  # DuckDB's text has no NUL
    connection.execute("CREATE OR REPLACE TEMP TABLE given (t VARCHAR, n DOUBLE)")
    if rows:
        connection.executemany("INSERT INTO given VALUES (?, ?)", rows)

    written = results.write_csv(
        connection, "SELECT t, n FROM given", [("t", VARCHAR), ("n", DOUBLE)], tmp_path / "r.csv"
    )
    found = [row for row, _ in read_rows((tmp_path / "r.csv").read_bytes(), 100)]

    assert written == len(rows)
    assert found[0] == ["t", "n"]
    assert found[1:] == [[text, None if number is None else java.java_double(number)] for text, number in rows]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(left=st.integers(-(2**31), 2**31 - 1), right=st.integers(-(2**31), 2**31 - 1))
def test_whole_numbers_divide_towards_zero(connection: duckdb.DuckDBPyConnection, left: int, right: int) -> None:
    quotient, remainder = (
        arithmetic(word, Value(f"CAST({left} AS INTEGER)", INTEGER), Value(f"CAST({right} AS INTEGER)", INTEGER)).sql
        for word in "/%"
    )
    if right == 0 or (left, right) == (-(2**31), -1):
        with pytest.raises(duckdb.Error):
            connection.execute(f"SELECT {quotient}").fetchall()
        return

    [(q, r)] = connection.execute(f"SELECT {quotient}, {remainder}").fetchall()

    assert q == math.trunc(left / right)  # 32 bits fit into a double
    assert q * right + r == left


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    left=st.decimals(-9999, 9999, places=2),
    right=st.decimals(-99, 99, places=3).filter(lambda number: number != 0),
)
def test_decimals_divide_half_up(connection: duckdb.DuckDBPyConnection, left: object, right: object) -> None:
    import decimal as python_decimal

    kinds = decimal(6, 2), decimal(5, 3)
    values = [
        Value(f"CAST('{number}' AS {types.duckdb(kind)})", kind)
        for number, kind in zip((left, right), kinds, strict=True)
    ]
    result = arithmetic("/", values[0], values[1])

    [(found,)] = connection.execute(f"SELECT {result.sql}").fetchall()

    assert result.type == decimal(10, 3)  # Trino: 6 + 3 + (3 - 2) digits, the larger scale
    exact = python_decimal.Decimal(str(left)) / python_decimal.Decimal(str(right))
    assert found == exact.quantize(python_decimal.Decimal("0.001"), python_decimal.ROUND_HALF_UP)


@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        parse_statement(strip_comments(text))
    except QueryError as error:
        assert str(error)


@given(st.lists(st.text(alphabet="ab?'\"-/* \n", max_size=20), max_size=4))
def test_question_marks_inside_of_texts_are_no_parameters(parts: list[str]) -> None:
    sql = "SELECT " + ", ".join(["?", *map(quote, parts)])

    assert bind(sql, ("1",)) == "SELECT " + ", ".join(["1", *map(quote, parts)])
