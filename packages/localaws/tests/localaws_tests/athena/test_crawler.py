"""A crawler crawls: tables, partitions, types that only grow, what it skipped, its states and its log."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clients import Clients
from localaws.crawl_schema import merge, read_object, to_glue

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
Put = Callable[[str, list[dict[str, Any]]], None]


@pytest.fixture
def place(aws: Clients, request: pytest.FixtureRequest) -> str:
    """A bucket and a database of this test's own."""
    name = f"crawl-{abs(hash(request.node.name)) % 10**8}"
    aws.client("s3").create_bucket(Bucket=name)
    aws.client("glue").create_database(DatabaseInput={"Name": name})
    return name


@pytest.fixture
def put(aws: Clients, place: str) -> Put:
    def put(key: str, records: list[dict[str, Any]]) -> None:
        body = gzip.compress("".join(json.dumps(record) + "\n" for record in records).encode())
        aws.client("s3").put_object(Bucket=place, Key=key, Body=body)

    return put


def make_crawler(aws: Clients, place: str, targets: dict[str, Any], **settings: Any) -> None:
    iam = aws.client("iam")
    role = iam.create_role(RoleName=place, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    statement = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket", "glue:*", "logs:*"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=place, PolicyName="own", PolicyDocument=document)
    aws.client("glue").create_crawler(Name=place, Role=role, DatabaseName=place, Targets=targets, **settings)


def crawl(aws: Clients, name: str) -> tuple[dict[str, Any], list[str]]:
    """Run a crawler to its end; return it and the states it went through."""
    states: list[str] = []
    glue, pause = aws.client("glue"), threading.Event()
    glue.start_crawler(Name=name)
    for _ in range(4000):
        crawler = glue.get_crawler(Name=name)["Crawler"]
        if crawler["State"] not in states[-1:]:
            states.append(crawler["State"])
        if crawler["State"] == "READY":
            return crawler, states
        pause.wait(0.01)
    raise AssertionError(f"the crawler is still {states}")


def columns(aws: Clients, place: str, table: str) -> dict[str, str]:
    found = aws.client("glue").get_table(DatabaseName=place, Name=table)["Table"]
    return {column["Name"]: column["Type"] for column in found["StorageDescriptor"]["Columns"]}


def partitions(aws: Clients, place: str, table: str) -> list[list[str]]:
    found = aws.client("glue").get_partitions(DatabaseName=place, TableName=table)["Partitions"]
    return sorted(partition["Values"] for partition in found)


def messages(aws: Clients, name: str) -> str:
    answer = aws.client("logs").get_log_events(logGroupName="/aws-glue/crawlers", logStreamName=name)
    return "\n".join(event["message"] for event in answer["events"])


def make_table(aws: Clients, place: str, **columns: str) -> dict[str, Any]:
    """Make a table over the folder raw-data, partitioned by dt, and return a crawler's target that names it."""
    descriptor = {
        "Columns": [{"Name": name, "Type": kind} for name, kind in columns.items()],
        "Location": f"s3://{place}/raw-data/",
        "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
    }
    table = {
        "Name": "raw_data",
        "StorageDescriptor": descriptor,
        "PartitionKeys": [{"Name": "dt", "Type": "string"}],
        "TableType": "EXTERNAL_TABLE",
    }
    aws.client("glue").create_table(DatabaseName=place, TableInput=table)
    return {"CatalogTargets": [{"DatabaseName": place, "Tables": ["raw_data"]}]}


def test_a_table_gets_columns_and_partitions_and_its_types_grow_and_never_shrink(
    aws: Clients, place: str, put: Put
) -> None:
    put("raw-data/dt=2026-03-12/a.json.gz", [{"symbol": "AAPL", "price": 10.5, "volume": 3_000_000_000}])
    aws.client("s3").put_object(Bucket=place, Key="raw-data/dt=2026-03-12/readme.txt", Body=b"not, JSON\n")
    make_crawler(aws, place, make_table(aws, place, symbol="string", price="int"))

    crawler, states = crawl(aws, place)

    assert states[0] == "RUNNING"
    assert states[-1] == "READY"
    assert crawler["LastCrawl"]["Status"] == "SUCCEEDED"
    assert columns(aws, place, "raw_data") == {"symbol": "string", "price": "double", "volume": "bigint"}
    assert partitions(aws, place, "raw_data") == [["2026-03-12"]]
    assert "readme.txt is skipped: it holds no JSON lines" in messages(aws, place)
    [metrics] = aws.client("glue").get_crawler_metrics(CrawlerNameList=[place])["CrawlerMetricsList"]
    assert (metrics["TablesCreated"], metrics["TablesUpdated"], metrics["TimeLeftSeconds"]) == (0, 1, 0.0)

    put("raw-data/dt=2026-03-13/a.json.gz", [{"symbol": "AAPL", "price": 11, "volume": 5, "venue": "X"}])
    crawl(aws, place)

    # A day of whole-number prices leaves the double a double; the new field is a column; nothing is registered twice.
    assert columns(aws, place, "raw_data") == {
        "symbol": "string",
        "price": "double",
        "volume": "bigint",
        "venue": "string",
    }
    assert partitions(aws, place, "raw_data") == [["2026-03-12"], ["2026-03-13"]]
    assert "New column venue string in table raw_data" in messages(aws, place)
    for day in ("2026-03-12", "2026-03-13"):
        assert messages(aws, place).count(f"Created partitions with values [['{day}']] for table raw_data") == 1
    with pytest.raises(ClientError, match="ListCrawls is not supported here"):
        aws.client("glue").list_crawls(CrawlerName=place)
    with pytest.raises(ClientError, match="GetCrawlers is not supported here"):
        aws.client("glue").get_crawlers()


def test_new_columns_alone_are_merged_where_the_crawler_says_so(aws: Clients, place: str, put: Put) -> None:
    put("raw-data/dt=2026-03-12/a.json.gz", [{"symbol": "AAPL", "price": 10, "volume": 3_000_000_000, "note": "new"}])
    target = make_table(aws, place, symbol="string", price="double", volume="int")
    merging = {"Version": 1.0, "CrawlerOutput": {"Tables": {"AddOrUpdateBehavior": "MergeNewColumns"}}}
    policy = {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "LOG"}
    make_crawler(aws, place, target, Configuration=json.dumps(merging), SchemaChangePolicy=policy)

    crawl(aws, place)

    assert columns(aws, place, "raw_data") == {"symbol": "string", "price": "double", "volume": "int", "note": "string"}
    assert partitions(aws, place, "raw_data") == [["2026-03-12"]]


def test_crawl_that_may_not_read_fails_with_the_reason(aws: Clients, place: str, put: Put) -> None:
    put("raw-data/dt=2026-03-12/a.json.gz", [{"symbol": "AAPL"}])
    make_crawler(aws, place, make_table(aws, place, symbol="string"))
    statement = {"Effect": "Allow", "Action": ["logs:*", "glue:GetTable"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.client("iam").put_role_policy(RoleName=place, PolicyName="own", PolicyDocument=document)

    crawler, _ = crawl(aws, place)

    assert crawler["LastCrawl"]["Status"] == "FAILED"
    assert "AccessDenied" in crawler["LastCrawl"]["ErrorMessage"]


def test_crawler_runs_once_at_a_time_and_can_be_stopped(aws: Clients, place: str, put: Put) -> None:
    put("raw-data/dt=2026-03-12/a.json.gz", [{"symbol": "AAPL"}])
    make_crawler(aws, place, make_table(aws, place, symbol="string"))
    glue = aws.client("glue")

    with pytest.raises(ClientError, match="CrawlerNotRunningException"):
        glue.stop_crawler(Name=place)
    glue.start_crawler(Name=place)
    with pytest.raises(ClientError, match="CrawlerRunningException"):
        glue.start_crawler(Name=place)
    with pytest.raises(ClientError, match="CrawlerRunningException"):
        glue.update_crawler(Name=place, Description="x")
    glue.stop_crawler(Name=place)

    assert glue.get_crawler(Name=place)["Crawler"]["LastCrawl"]["Status"] == "CANCELLED"
    with pytest.raises(ClientError, match="EntityNotFoundException"):
        glue.start_crawler(Name="nobody")


def test_paths_of_s3_are_no_targets(aws: Clients, place: str) -> None:
    target = {"S3Targets": [{"Path": f"s3://{place}/raw-data/"}]}
    with pytest.raises(ClientError, match="not supported here: expected CatalogTargets, found S3Targets"):
        make_crawler(aws, place, target)


def test_types_hold_the_values_of_all_records() -> None:
    lines = (
        b'{"n": 1, "big": 3000000000, "x": 1, "t": "a", "b": true, "l": [1, 2.5], "o": {"k": 1}, "z": null}\n'
        b'{"N": 2, "x": 2.5, "t": 1, "b": false, "o": {"j": "y"}}\n'
    )

    schema, records = read_object(lines)

    assert records == 2
    assert schema is not None
    assert {name: to_glue(kind) for name, kind in schema.items()} == {
        "n": "int",
        "big": "bigint",
        "x": "double",
        "t": "string",
        "b": "boolean",
        "l": "array<double>",
        "o": "struct<k:int,j:string>",
        "z": "string",
    }


def test_what_is_no_json_lines_has_no_schema() -> None:
    assert read_object(b"a,b\n1,2\n") == (None, 0)
    assert read_object(b"[1, 2]\n") == (None, 0)
    assert read_object(b"\x1f\x8bbroken") == (None, 0)
    assert read_object(b"") == (None, 0)
    assert read_object(gzip.compress(b'{"a": 1}\n') + gzip.compress(b'{"a": 2}\n'))[1] == 2


def test_merging_is_the_same_in_either_order() -> None:
    kinds: list[Any] = ["int", "bigint", "double", "string", "boolean", None, ["int"], {"a": "int"}]
    for left in kinds:
        for right in kinds:
            assert to_glue(merge({"x": left}, {"x": right})["x"]) == to_glue(merge({"x": right}, {"x": left})["x"])
