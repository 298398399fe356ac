"""The base's rules that this layer replaces, over the base's own Kinesis in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import asyncio, json, sys
from pathlib import Path
from localaws.environment import prepare
from localaws.settings import KeyPair
prepare(Path(sys.argv[1]), 4599, KeyPair("AKIAAAAAAAAAAAAAAAAA", "secret"))
from ministack.services import cloudwatch, kinesis
if sys.argv[2] == "ours":
    from localaws.bounds import METRIC_SECONDS, keep_bounds
    keep_bounds()
    assert cloudwatch.TWO_WEEKS_SECONDS == METRIC_SECONDS

def call(operation, **request):
    headers = {"x-amz-target": f"Kinesis_20131202.{operation}"}
    body = json.dumps(request).encode()
    return json.loads(asyncio.run(kinesis.handle_request("POST", "/", headers, body, {}))[2] or b"{}")

call("CreateStream", StreamName="s", ShardCount=1)
for number in range(6):
    call("PutRecord", StreamName="s", Data="bg==", PartitionKey=str(number))
token = call("GetShardIterator", StreamName="s", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")
read = call("GetRecords", ShardIterator=token["ShardIterator"], Limit=2)
stored = kinesis._streams.all_values()[0]["shards"]["shardId-000000000000"]["records"]
for record in stored[:3]:
    record["ApproximateArrivalTimestamp"] -= 25 * 3600  # the reader is in the middle of what expires
rest = call("GetRecords", ShardIterator=read["NextShardIterator"], Limit=10)
kept = call("GetShardIterator", StreamName="s", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")
kept = call("GetRecords", ShardIterator=kept["ShardIterator"], Limit=10)
print(json.dumps([[record["PartitionKey"] for record in answer["Records"]] for answer in (rest, kept)]))
"""


def read_with(rules: str, folder: Path) -> list[list[str]]:
    command = [sys.executable, "-c", SCRIPT, str(folder), rules]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return list(json.loads(answer))


def test_a_reader_misses_nothing_when_records_before_it_expire(tmp_path: Path) -> None:
    assert read_with("ours", tmp_path) == [["3", "4", "5"], ["3", "4", "5"]]


def test_the_base_still_needs_the_rule(tmp_path: Path) -> None:
    rest, _ = read_with("base", tmp_path)
    assert rest == ["5"], "the base no longer skips unread records: localaws.bounds can go"


WRITES = """
import asyncio, json, sys
from pathlib import Path
from localaws.environment import prepare
from localaws.settings import KeyPair
prepare(Path(sys.argv[1]), 4599, KeyPair("AKIAAAAAAAAAAAAAAAAA", "secret"))
from ministack.services import dynamodb
if sys.argv[2] == "ours":
    from localaws.bounds import keep_bounds
    keep_bounds()

def call(operation, **request):
    headers = {"x-amz-target": f"DynamoDB_20120810.{operation}"}
    status, _, body = asyncio.run(dynamodb.handle_request("POST", "/", headers, json.dumps(request).encode(), {}))
    return [status, json.loads(body)]

key = {"KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
       "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}], "BillingMode": "PAY_PER_REQUEST"}
call("CreateTable", TableName="numbers", **key)
values = ["1.50", "007", "1E+2", "-0", " 1", "", "x", "1E400", "1" * 39, None, ["1"], {"N": "1"}]
answers = [call("BatchWriteItem", RequestItems={"numbers": [
    {"PutRequest": {"Item": {"k": {"S": "good"}, "n": {"N": str(number)}}}},
    {"PutRequest": {"Item": {"k": {"S": "tried"}, "n": {"N": value}, "s": {"NS": ["1.0", "2"]}}}},
]}) for number, value in enumerate(values)]
print(json.dumps([answers, sorted(call("Scan", TableName="numbers")[1]["Items"], key=str)], default=str))
"""


def test_a_batch_of_items_is_stored_and_refused_as_by_the_base_itself(tmp_path: Path) -> None:
    ours, base = (
        subprocess.run(
            [sys.executable, "-c", WRITES, str(tmp_path / rules), rules], capture_output=True, text=True, check=True
        ).stdout
        for rules in ("ours", "base")
    )

    answers, items = json.loads(ours)
    assert json.loads(base) == [answers, items]
    assert [status for status, _ in answers] == [200] * 4 + [400] * 8
    assert items == [
        {"k": {"S": "good"}, "n": {"N": "3"}},
        {"k": {"S": "tried"}, "n": {"N": "0"}, "s": {"NS": ["1", "2"]}},
    ]


EXPIRIES = """
import asyncio, inspect, json, sys, time
from pathlib import Path
from localaws.environment import prepare
from localaws.settings import KeyPair
prepare(Path(sys.argv[1]), 4599, KeyPair("AKIAAAAAAAAAAAAAAAAA", "secret"))
from ministack.services import dynamodb
from localaws.bounds import expire_items, keep_bounds
from localaws.journal import packing
keep_bounds()
dynamodb._set_item = packing(dynamodb._set_item)
assert "_ttl_settings.all_items()" in inspect.getsource(dynamodb._ttl_reaper), "the base's reaper reads elsewhere now"
assert dynamodb._ttl_settings.all_items() == []

def call(operation, **request):
    headers = {"x-amz-target": f"DynamoDB_20120810.{operation}"}
    return json.loads(asyncio.run(
        dynamodb.handle_request("POST", "/", headers, json.dumps(request).encode(), {}))[2])

key = {"KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
       "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}], "BillingMode": "PAY_PER_REQUEST"}
over, ahead = {"N": str(int(time.time()) - 1)}, {"N": str(int(time.time()) + 3600)}
for name in ("kept", "untimed"):
    call("CreateTable", TableName=name, **key)
    for k, fields in {"over": {"ends": over}, "ahead": {"ends": ahead}, "none": {}, "text": {"ends": {"S": "1"}},
                      "inside": {"map": {"M": {"ends": over}}}}.items():
        call("PutItem", TableName=name, Item={"k": {"S": k}, **fields})
call("UpdateTimeToLive", TableName="kept", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ends"})
expire_items()
print(json.dumps([sorted(i["k"]["S"] for i in call("Scan", TableName=n)["Items"]) for n in ("kept", "untimed")]))
"""


def test_only_items_whose_time_is_over_expire(tmp_path: Path) -> None:
    command = [sys.executable, "-c", EXPIRIES, str(tmp_path)]
    kept, untimed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert kept == ["ahead", "inside", "none", "text"]
    assert untimed == ["ahead", "inside", "none", "over", "text"]
