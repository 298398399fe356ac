"""Athena's operations as boto3 calls them, over HTTP."""

from __future__ import annotations

import csv
import io
import re
import threading
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clients import Clients
from localaws.testing import running
from localaws_tests.athena.lake import JSON_SERDE, Runner

OUTPUT = "s3://lake/results/"
NUMBERS = "UNNEST(sequence(1, 10000))"
SLOW = (
    f"SELECT count(*) FROM {NUMBERS} AS a(x) CROSS JOIN {NUMBERS} AS b(y) CROSS JOIN {NUMBERS} AS c(z) WHERE x + y > z"
)
OVER = ("SUCCEEDED", "FAILED", "CANCELLED")


@pytest.fixture
def athena(aws: Clients, runner: Runner) -> Any:
    return aws.client("athena")


def start(athena: Any, sql: str, **parameters: Any) -> str:
    own = {"ResultConfiguration": {"OutputLocation": OUTPUT}, "QueryExecutionContext": {"Database": "lake"}}
    answer = athena.start_query_execution(QueryString=sql, **own | parameters)
    return str(answer["QueryExecutionId"])


def wait(athena: Any, number: str, states: tuple[str, ...] = OVER) -> dict[str, Any]:
    pause = threading.Event()
    for _ in range(2400):
        execution: dict[str, Any] = athena.get_query_execution(QueryExecutionId=number)["QueryExecution"]
        if execution["Status"]["State"] in states:
            return execution
        pause.wait(0.025)
    raise AssertionError(f"waited in vain for {states}: {execution['Status']}")


def rows_of(answer: dict[str, Any]) -> list[list[str | None]]:
    return [[cell.get("VarCharValue") for cell in row["Data"]] for row in answer["ResultSet"]["Rows"]]


def test_query_goes_from_start_to_results(athena: Any, aws: Clients) -> None:
    number = start(athena, "SELECT symbol, price, previous_close FROM quotes ORDER BY timestamp, symbol")
    execution = wait(athena, number)

    assert execution["Status"]["State"] == "SUCCEEDED"
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "SELECT")
    assert execution["ResultConfiguration"]["OutputLocation"] == f"{OUTPUT}{number}.csv"
    assert execution["Status"]["CompletionDateTime"] >= execution["Status"]["SubmissionDateTime"]
    listed = aws.client("s3").list_objects_v2(Bucket="lake", Prefix="raw-data/dt=2026-03-1")["Contents"]
    sizes = {item["Key"].split("/")[1]: item["Size"] for item in listed}
    assert execution["Statistics"]["DataScannedInBytes"] == sizes["dt=2026-03-12"] + sizes["dt=2026-03-13"]
    answer = athena.get_query_results(QueryExecutionId=number)
    assert rows_of(answer) == [
        ["symbol", "price", "previous_close"],
        ["AAPL", "10.0", "8.0"],
        ["MSFT", "20.0", None],
        ["AAPL", "11.5", "8.0"],
        ["MSFT", "21.0", "20.0"],
    ]
    kinds = [column["Type"] for column in answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]]
    assert kinds == ["varchar", "double", "double"]
    body = aws.client("s3").get_object(Bucket="lake", Key=f"results/{number}.csv")["Body"].read().decode()
    assert body.splitlines()[:3] == ['"symbol","price","previous_close"', '"AAPL","10.0","8.0"', '"MSFT","20.0",']


def test_results_come_in_pages_that_join_without_gap(athena: Any) -> None:
    number = start(
        athena, "SELECT x, CAST(x AS varchar) || ' \"ü\"' AS t FROM UNNEST(sequence(1, 2500)) AS u(x) ORDER BY x"
    )
    wait(athena, number)

    pages = list(athena.get_paginator("get_query_results").paginate(QueryExecutionId=number))

    rows = [row for page in pages for row in rows_of(page)]
    assert [len(rows_of(page)) for page in pages] == [1000, 1000, 501]
    assert rows == [["x", "t"], *([str(x), f'{x} "ü"'] for x in range(1, 2501))]


def test_failed_query_says_why(athena: Any) -> None:
    execution = wait(athena, start(athena, "SELECT nope FROM quotes"))

    assert execution["Status"]["State"] == "FAILED"
    assert execution["Status"]["StateChangeReason"].startswith("COLUMN_NOT_FOUND: line 1:")
    assert execution["Status"]["AthenaError"]["ErrorCategory"] == 2
    with pytest.raises(ClientError, match="FAILED"):
        athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])


OUTSIDE_S3 = (
    "file:///etc/", "/etc/", "http://example.com/x/", "hdfs://n/x/", "s3a://lake/x/", "arn:aws:s3:::lake/x/",
    "lake/x/", "s3://", "s3:///x/", "s3:////lake/x/", "s3:lake/x/", "", " s3://lake/x/", "S3://lake/x/",
)  # fmt: skip
WITH_LOCATION = {
    "table": "CREATE EXTERNAL TABLE nowhere (n bigint) LOCATION '{location}'",
    "table behind a comment": "/* why */ CREATE EXTERNAL TABLE nowhere (n bigint COMMENT 'a location ''x')\n"
    "-- LOCATION 's3://lake/x/'\nLOCATION\t'{location}'",
    "table of Iceberg": "create table x (n bigint) location '{location}' tblproperties ('table_type' = 'ICEBERG')",
    "table's second partition": "ALTER TABLE x ADD PARTITION (dt = '1') LOCATION 's3://lake/x/' "
    "PARTITION (dt = '2') LOCATION '{location}'",
    "table moved": "ALTER TABLE x SET LOCATION '{location}'",
    "database": "CREATE DATABASE nowhere COMMENT 'c' LOCATION '{location}'",
    "database called schema": "CREATE SCHEMA IF NOT EXISTS nowhere LOCATION '{location}'",
}


@pytest.mark.parametrize("location", OUTSIDE_S3)
@pytest.mark.parametrize("statement", WITH_LOCATION)
def test_a_location_outside_of_s3_is_refused_at_once(athena: Any, statement: str, location: str) -> None:
    with pytest.raises(ClientError) as refusal:
        start(athena, WITH_LOCATION[statement].format(location=location))
    assert refusal.value.response["Error"]["Code"] == "InvalidRequestException"
    kind = re.match(r"table|database", statement)
    assert kind is not None
    expected = f"Invalid location {location} for {kind[0]}. Only S3 locations are allowed"
    assert refusal.value.response["Error"]["Message"] == expected


@pytest.mark.parametrize(
    "options",
    ["external_location = 'file:///tmp/x/'", "table_type = 'ICEBERG', is_external = false, location = '/tmp/x/'"],
)
def test_a_table_of_a_query_is_made_on_s3_alone(athena: Any, options: str) -> None:
    execution = wait(athena, start(athena, f"CREATE TABLE elsewhere WITH ({options}) AS SELECT 1 AS n"))
    assert execution["Status"]["State"] == "FAILED"
    assert "expected a location like s3://bucket/folder/" in execution["Status"]["StateChangeReason"]


def test_stopped_query_is_cancelled_at_once_and_blocks_nobody(athena: Any) -> None:
    number = start(athena, SLOW)
    wait(athena, number, ("RUNNING",))

    other = wait(athena, start(athena, "SELECT 1"))
    athena.stop_query_execution(QueryExecutionId=number)

    assert other["Status"]["State"] == "SUCCEEDED"
    assert wait(athena, number)["Status"]["State"] == "CANCELLED"
    assert wait(athena, start(athena, "SELECT 1"))["Status"]["State"] == "SUCCEEDED"


def test_queries_run_beside_each_other(athena: Any) -> None:
    numbers = [start(athena, f"SELECT sum(volume) + {number} FROM quotes") for number in range(8)]

    assert [wait(athena, number)["Status"]["State"] for number in numbers] == ["SUCCEEDED"] * 8
    answers = [rows_of(athena.get_query_results(QueryExecutionId=number))[1] for number in numbers]
    assert answers == [[str(370 + number)] for number in range(8)]


def test_workgroup_sets_the_output_and_the_scan_limit(athena: Any, aws: Clients) -> None:
    configuration = {
        "EnforceWorkGroupConfiguration": True,
        "ResultConfiguration": {"OutputLocation": "s3://lake/enforced/"},
        "BytesScannedCutoffPerQuery": 10_000_000,  # the least there is
    }
    athena.create_work_group(Name="tight", Configuration=configuration)
    aws.client("s3").put_object(Bucket="lake", Key="heavy/a.json", Body=b'{"symbol": "A"}\n' * 700_000)
    wait(athena, start(athena, f"CREATE EXTERNAL TABLE heavy (symbol string) {JSON_SERDE} LOCATION 's3://lake/heavy/'"))

    small = wait(athena, start(athena, "SELECT count(*) FROM quotes", WorkGroup="tight"))
    large = wait(athena, start(athena, "SELECT count(*) FROM heavy", WorkGroup="tight"))

    assert small["ResultConfiguration"]["OutputLocation"].startswith("s3://lake/enforced/")
    assert small["Status"]["State"] == "SUCCEEDED"
    assert large["Status"]["State"] == "CANCELLED"
    assert "Bytes scanned limit was exceeded" in large["Status"]["StateChangeReason"]
    assert large["Statistics"]["DataScannedInBytes"] == 11_200_000


def test_workgroup_that_is_missing_or_disabled_and_missing_output_are_refused(athena: Any) -> None:
    athena.create_work_group(Name="idle", Configuration={"ResultConfiguration": {"OutputLocation": OUTPUT}})
    athena.update_work_group(WorkGroup="idle", State="DISABLED")

    for expected, parameters in (
        ("WorkGroup nowhere is not found", {"WorkGroup": "nowhere"}),
        ("WorkGroup idle is disabled", {"WorkGroup": "idle"}),
        ("No output location provided", {"ResultConfiguration": {}}),
    ):
        with pytest.raises(ClientError, match=expected):
            start(athena, "SELECT 1", **parameters)


def test_parameters_are_literals_of_sql(athena: Any) -> None:
    sql = "SELECT price FROM quotes WHERE symbol = ? AND price > ? -- and not this one?"
    number = start(athena, sql, ExecutionParameters=["'AAPL'", "10.5"])

    assert wait(athena, number)["ExecutionParameters"] == ["'AAPL'", "10.5"]
    assert rows_of(athena.get_query_results(QueryExecutionId=number)) == [["price"], ["11.5"]]


def test_prepared_statement_of_the_api_runs_with_parameters(athena: Any) -> None:
    name = {"StatementName": "of_symbol", "WorkGroup": "primary"}
    athena.create_prepared_statement(**name, QueryStatement="SELECT 1")
    athena.update_prepared_statement(**name, QueryStatement="SELECT count(*) FROM quotes WHERE symbol = ?")

    number = start(athena, "EXECUTE of_symbol", ExecutionParameters=["'MSFT'"])

    assert wait(athena, number)["Status"]["State"] == "SUCCEEDED"
    assert rows_of(athena.get_query_results(QueryExecutionId=number))[1] == ["2"]


def test_same_token_starts_a_query_once(athena: Any) -> None:
    token = uuid.uuid4().hex
    first = start(athena, "SELECT 1", ClientRequestToken=token)

    assert start(athena, "SELECT 1", ClientRequestToken=token) == first
    with pytest.raises(ClientError, match="Idempotent parameters do not match"):
        start(athena, "SELECT 2", ClientRequestToken=token)


def test_executions_are_listed_newest_first_and_in_batches(athena: Any) -> None:
    first, second = (start(athena, f"SELECT {number}") for number in (1, 2))

    assert athena.list_query_executions()["QueryExecutionIds"][:2] == [second, first]
    answer = athena.batch_get_query_execution(QueryExecutionIds=[first, "nobody"])
    assert [execution["Query"] for execution in answer["QueryExecutions"]] == ["SELECT 1"]
    assert [missing["QueryExecutionId"] for missing in answer["UnprocessedQueryExecutionIds"]] == ["nobody"]
    with pytest.raises(ClientError, match="was not found"):
        athena.get_query_execution(QueryExecutionId="nobody")


def test_catalog_is_described(athena: Any) -> None:
    table = athena.get_table_metadata(CatalogName="AwsDataCatalog", DatabaseName="lake", TableName="quotes")

    assert [column["Name"] for column in table["TableMetadata"]["Columns"]][:2] == ["symbol", "timestamp"]
    assert [key["Name"] for key in table["TableMetadata"]["PartitionKeys"]] == ["dt"]
    with pytest.raises(ClientError, match="EntityNotFoundException"):
        athena.get_table_metadata(CatalogName="AwsDataCatalog", DatabaseName="lake", TableName="nope")
    databases = athena.list_databases(CatalogName="AwsDataCatalog")["DatabaseList"]
    assert "lake" in [database["Name"] for database in databases]


def test_executions_survive_a_restart(tmp_path: Any) -> None:
    with running(tmp_path) as local:
        local.client("s3").create_bucket(Bucket="lake")
        athena = local.client("athena")
        number = start(athena, "SELECT 41 + 1 AS answer")
        wait(athena, number)
        local.stop()
        local.start()

        assert wait(athena, number)["Status"]["State"] == "SUCCEEDED"
        assert rows_of(athena.get_query_results(QueryExecutionId=number)) == [["answer"], ["42"]]


def test_csv_of_a_result_is_what_a_csv_reader_expects(athena: Any, aws: Clients) -> None:
    number = start(athena, "SELECT 'a,b' AS \"x\"\"y\", 'say \"hi\"', '', CAST(NULL AS varchar), 'two\nlines'")
    wait(athena, number)

    body = aws.client("s3").get_object(Bucket="lake", Key=f"results/{number}.csv")["Body"].read().decode()

    assert list(csv.reader(io.StringIO(body))) == [
        ['x"y', "_col1", "_col2", "_col3", "_col4"],
        ["a,b", 'say "hi"', "", "", "two\nlines"],
    ]
    assert rows_of(athena.get_query_results(QueryExecutionId=number))[1] == ["a,b", 'say "hi"', "", None, "two\nlines"]
