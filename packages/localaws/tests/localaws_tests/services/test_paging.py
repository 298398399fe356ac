"""Scan and Query by the page, against what was put in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.testing import LocalAws, running

SYMBOLS = ("AAPL", "MSFT", "NVDA")
PER_SYMBOL = 900
PUT = {(symbol, f"2026-03-12T14:{n // 60:02d}:{n % 60:02d}Z") for symbol in SYMBOLS for n in range(PER_SYMBOL)}

Key = tuple[str, str]


@pytest.fixture(scope="module")
def dynamodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Three partitions of 900 items of about 1 kB, put in no order: some 2.7 pages."""
    with running(tmp_path_factory.mktemp("aws")) as local:
        yield fill(local)


def fill(local: LocalAws) -> Any:
    client = local.client("dynamodb")
    client.create_table(
        TableName="quotes",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("symbol", "timestamp")],
        KeySchema=[{"AttributeName": "symbol", "KeyType": "HASH"}, {"AttributeName": "timestamp", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    keys = list(PUT)
    for start in range(0, len(keys), 25):
        items = [
            {"symbol": {"S": symbol}, "timestamp": {"S": timestamp}, "n": {"N": "7"}, "text": {"S": "x" * 950}}
            for symbol, timestamp in keys[start : start + 25]
        ]
        client.batch_write_item(RequestItems={"quotes": [{"PutRequest": {"Item": item}} for item in items]})
    return client


def pages(client: Any, operation: str, **request: Any) -> list[list[Key]]:
    found = client.get_paginator(operation).paginate(TableName="quotes", **request)
    return [[(item["symbol"]["S"], item["timestamp"]["S"]) for item in page["Items"]] for page in found]


def of_symbol(symbol: str) -> list[Key]:
    return sorted(key for key in PUT if key[0] == symbol)


def query(symbol: str, **more: Any) -> dict[str, Any]:
    return {
        "KeyConditionExpression": "#s = :s",
        "ExpressionAttributeNames": {"#s": "symbol"},
        "ExpressionAttributeValues": {":s": {"S": symbol}},
        **more,
    }


def test_a_scan_reads_every_item_once_in_pages_of_a_megabyte(dynamodb: Any) -> None:
    found = pages(dynamodb, "scan")
    assert sorted(key for page in found for key in page) == sorted(PUT)
    # an item is 6+4 + 9+20 + 1+2 + 4+950 = 996 bytes; 1,048,576 / 996 = 1,052.8
    assert [len(page) for page in found] == [1052, 1052, 596]


def test_segments_of_a_scan_share_the_items_out(dynamodb: Any) -> None:
    parts = [
        [key for page in pages(dynamodb, "scan", Segment=segment, TotalSegments=4) for key in page]
        for segment in range(4)
    ]
    assert sorted(key for part in parts for key in part) == sorted(PUT)


def test_a_limit_makes_the_pages_of_a_scan(dynamodb: Any) -> None:
    found = pages(dynamodb, "scan", PaginationConfig={"PageSize": 400})
    assert [len(page) for page in found[:6]] == [400] * 6
    assert sorted(key for page in found for key in page) == sorted(PUT)


def test_a_filter_sees_the_whole_table(dynamodb: Any) -> None:
    request = {
        "FilterExpression": "symbol = :s AND #t < :t",
        "ExpressionAttributeNames": {"#t": "timestamp"},
        "ExpressionAttributeValues": {":s": {"S": "NVDA"}, ":t": {"S": "2026-03-12T14:01:00Z"}},
    }
    found = [key for page in pages(dynamodb, "scan", **request) for key in page]
    assert sorted(found) == of_symbol("NVDA")[:60]


@pytest.mark.parametrize("is_forward", [True, False])
@pytest.mark.parametrize("size", [None, 7, 450])
def test_a_query_reads_a_partition_in_order(dynamodb: Any, is_forward: bool, size: int | None) -> None:
    paging = {"PaginationConfig": {"PageSize": size}} if size else {}
    found = pages(dynamodb, "query", **query("NVDA", ScanIndexForward=is_forward), **paging)
    expected = of_symbol("NVDA") if is_forward else of_symbol("NVDA")[::-1]
    assert [key for page in found for key in page] == expected
    assert len(found[0]) == (size or PER_SYMBOL)


def test_the_newest_of_a_partition_is_one_item_and_a_place_to_go_on(dynamodb: Any) -> None:
    answer = dynamodb.query(TableName="quotes", **query("MSFT", ScanIndexForward=False, Limit=1))
    assert answer["Items"][0]["timestamp"]["S"] == "2026-03-12T14:14:59Z"
    assert answer["LastEvaluatedKey"]["timestamp"]["S"] == "2026-03-12T14:14:59Z"
    assert dynamodb.query(TableName="quotes", **query("NONE", Limit=1))["Items"] == []


def test_a_query_of_a_range_is_left_to_the_base(dynamodb: Any) -> None:
    answer = dynamodb.query(
        TableName="quotes",
        KeyConditionExpression="symbol = :s AND #t BETWEEN :a AND :b",
        ExpressionAttributeNames={"#t": "timestamp"},
        ExpressionAttributeValues={
            ":s": {"S": "AAPL"},
            ":a": {"S": "2026-03-12T14:02:00Z"},
            ":b": {"S": "2026-03-12T14:02:09Z"},
        },
    )
    assert answer["Count"] == 10


def test_the_base_reads_its_tables_where_we_stand(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from localaws.environment import prepare
from localaws.settings import KeyPair
prepare(Path(sys.argv[1]), 4599, KeyPair("AKIAAAAAAAAAAAAAAAAA", "secret"))
import asyncio, json
from ministack.services import dynamodb
seen = []
dynamodb._scan = dynamodb._query = lambda request: seen.append(1) or (200, {}, b"")
for operation in ("Scan", "Query"):
    headers = {"x-amz-target": f"DynamoDB_20120810.{operation}"}
    asyncio.run(dynamodb.handle_request("POST", "/", headers, json.dumps({"TableName": "x"}).encode(), {}))
sys.exit(0 if len(seen) == 2 else 1)
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
