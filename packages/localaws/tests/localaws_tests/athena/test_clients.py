"""Athena as its clients use it, unmodified: pyathena, and Airflow's operators and hooks."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow.fs
import pyathena
import pytest
from pyathena.arrow.cursor import ArrowCursor
from pyathena.pandas.cursor import PandasCursor

from localaws.testing import LocalAws
from localaws_tests.athena.lake import Runner
from localaws_tests.athena.test_api import OUTPUT, rows_of


@pytest.fixture
def connect(local_aws: LocalAws, runner: Runner) -> Callable[..., Any]:
    root = local_aws.root

    def connect(**settings: Any) -> Any:
        return pyathena.connect(
            s3_staging_dir=OUTPUT,
            schema_name="lake",
            region_name="us-east-1",
            endpoint_url=local_aws.endpoint,
            aws_access_key_id=root["access_key_id"],
            aws_secret_access_key=root["secret_access_key"],
            poll_interval=0.05,
            **settings,
        )

    return connect


def test_pyathena_reads_typed_rows(connect: Callable[..., Any]) -> None:
    cursor = connect().cursor()
    cursor.execute(
        "SELECT symbol, sum(volume) AS v, max(price) AS p, CAST(max(dt) AS date) AS d FROM quotes GROUP BY 1 ORDER BY 1"
    )

    rows = cursor.fetchall()

    assert [(symbol, volume, price, str(day)) for symbol, volume, price, day in rows] == [
        ("AAPL", 250, 11.5, "2026-03-12"),
        ("MSFT", 120, 21.0, "2026-03-13"),
    ]
    assert [column[:2] for column in cursor.description] == [
        ("symbol", "varchar"),
        ("v", "bigint"),
        ("p", "double"),
        ("d", "date"),
    ]


def test_pyathena_takes_parameters_of_either_style(connect: Callable[..., Any]) -> None:
    cursor = connect().cursor()

    cursor.execute(
        "SELECT price FROM quotes WHERE symbol = %(symbol)s AND price > %(price)s", {"symbol": "AAPL", "price": 11}
    )
    assert cursor.fetchall() == [(11.5,)]
    cursor.execute("SELECT price FROM quotes WHERE symbol = ? AND price > ?", ["'AAPL'", "11"], paramstyle="qmark")
    assert cursor.fetchall() == [(11.5,)]


def test_pyathena_reads_the_result_file_into_pandas(
    connect: Callable[..., Any], local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", local_aws.endpoint)  # for the clients that it makes for S3
    cursor = connect(cursor_class=PandasCursor).cursor()

    frame = cursor.execute("SELECT symbol, volume FROM quotes ORDER BY volume").as_pandas()

    assert frame.to_dict("list") == {"symbol": ["MSFT", "MSFT", "AAPL", "AAPL"], "volume": [50, 70, 100, 150]}


def test_pyathena_reads_the_result_file_into_arrow(
    connect: Callable[..., Any], local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pyarrow's own client of S3 takes no endpoint from the environment (apache/arrow issue 49643), pyathena gives none.
    monkeypatch.setenv("AWS_ENDPOINT_URL", local_aws.endpoint)
    to_us = functools.partial(pyarrow.fs.S3FileSystem, endpoint_override=local_aws.endpoint)
    monkeypatch.setattr(pyarrow.fs, "S3FileSystem", to_us)
    cursor = connect(cursor_class=ArrowCursor).cursor()

    table = cursor.execute("SELECT symbol, volume, price FROM quotes WHERE volume > 60 ORDER BY volume").as_arrow()

    assert table.to_pydict() == {"symbol": ["MSFT", "AAPL", "AAPL"], "volume": [70, 100, 150], "price": [21, 10, 11.5]}


def test_pyathena_hears_that_there_is_no_unload(connect: Callable[..., Any]) -> None:
    cursor = connect(cursor_class=ArrowCursor, cursor_kwargs={"unload": True}).cursor()

    with pytest.raises(pyathena.OperationalError, match="not supported on the laptop: UNLOAD"):
        cursor.execute("SELECT symbol FROM quotes")


def test_pyathena_lists_partitions_and_reports_errors(connect: Callable[..., Any]) -> None:
    cursor = connect().cursor()

    assert cursor.execute("SHOW PARTITIONS quotes").fetchall() == [("dt=2026-03-12",), ("dt=2026-03-13",)]
    with pytest.raises(pyathena.OperationalError, match="TABLE_NOT_FOUND"):
        cursor.execute("SELECT * FROM nope")


@contextmanager
def airflow_connection(local: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = local.root
    extra = {"endpoint_url": local.endpoint, "region_name": "us-east-1"}
    sql_extra = {"s3_staging_dir": OUTPUT, "schema_name": "lake", "aws_conn_id": "aws_default", **extra}
    for name, kind, fields in (("AWS_DEFAULT", "aws", extra), ("ATHENA_DEFAULT", "athena", sql_extra)):
        connection = {
            "conn_type": kind,
            "login": root["access_key_id"],
            "password": root["secret_access_key"],
            "extra": fields,
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))
    yield


def test_airflows_operator_and_hooks_work_unmodified(
    local_aws: LocalAws, runner: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    operators = pytest.importorskip("airflow.providers.amazon.aws.operators.athena")
    from airflow.providers.amazon.aws.hooks.athena import AthenaHook
    from airflow.providers.amazon.aws.hooks.athena_sql import AthenaSQLHook

    with airflow_connection(local_aws, monkeypatch):
        operator = operators.AthenaOperator(
            task_id="count",
            query="SELECT count(*) AS n FROM quotes",
            database="lake",
            output_location=OUTPUT,
            sleep_time=1,
        )
        number = operator.execute({})
        results = AthenaHook(aws_conn_id="aws_default").get_query_results(number)

        assert results is not None
        assert rows_of(results) == [["n"], ["4"]]
        assert operator.hook.get_output_location(number) == f"{OUTPUT}{number}.csv"
        assert AthenaSQLHook().get_records("SELECT symbol, sum(volume) FROM quotes GROUP BY symbol ORDER BY 1") == [
            ("AAPL", 250),
            ("MSFT", 120),
        ]
