"""The server's state over a clean stop, a kill and a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.clients import connect
from localaws.testing import LocalAws, free_port, running
from localaws_tests.services.conftest import deploy_function


@pytest.fixture
def own_aws(tmp_path: Path) -> Iterator[LocalAws]:
    with running(tmp_path) as local:
        yield local


def create_stream_and_table(local: LocalAws) -> tuple[Any, Any, str]:
    kinesis, dynamodb = local.client("kinesis"), local.client("dynamodb")
    kinesis.create_stream(StreamName="quotes", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    table = dynamodb.create_table(
        TableName="quotes",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("symbol", "timestamp")],
        KeySchema=[{"AttributeName": "symbol", "KeyType": "HASH"}, {"AttributeName": "timestamp", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    return kinesis, dynamodb, table["TableDescription"]["LatestStreamArn"]


def save_base_files(local: LocalAws) -> None:
    """Stop and start once: the base's own files then know the stream and the table."""
    assert local.stop() == 0
    local.start()


def read_stream(kinesis: Any) -> list[tuple[str, bytes]]:
    shard = kinesis.list_shards(StreamName="quotes")["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(StreamName="quotes", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    return [(record["SequenceNumber"], record["Data"]) for record in records]


def changes_iterator(streams: Any, arn: str, kind: str) -> str:
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    answer = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType=kind)
    return str(answer["ShardIterator"])


def put_quote(dynamodb: Any, number: int) -> None:
    dynamodb.put_item(TableName="quotes", Item={"symbol": {"S": "NVDA"}, "timestamp": {"S": f"{number:03d}"}})


def stored(dynamodb: Any) -> list[str]:
    return sorted(item["timestamp"]["S"] for item in dynamodb.scan(TableName="quotes")["Items"])


def test_what_a_client_was_told_is_stored_survives_a_kill(own_aws: LocalAws) -> None:
    kinesis, dynamodb, arn = create_stream_and_table(own_aws)
    save_base_files(own_aws)
    streams = own_aws.client("dynamodbstreams")
    kinesis.put_record(StreamName="quotes", Data=b"one", PartitionKey="NVDA")
    kinesis.put_records(StreamName="quotes", Records=[{"Data": b"two", "PartitionKey": "NVDA"}])
    for number in range(3):
        put_quote(dynamodb, number)
    dynamodb.delete_item(TableName="quotes", Key={"symbol": {"S": "NVDA"}, "timestamp": {"S": "001"}})
    before = read_stream(kinesis)
    at_end = changes_iterator(streams, arn, "LATEST")
    own_aws.kill()
    own_aws.start()

    assert read_stream(kinesis) == before
    assert [data for _, data in before] == [b"one", b"two"]
    assert stored(dynamodb) == ["000", "002"]
    changes = streams.get_records(ShardIterator=changes_iterator(streams, arn, "TRIM_HORIZON"))["Records"]
    assert [change["eventName"] for change in changes] == ["INSERT", "INSERT", "INSERT", "REMOVE"]

    put_quote(dynamodb, 3)
    resumed = streams.get_records(ShardIterator=at_end)["Records"]
    assert [change["dynamodb"]["Keys"]["timestamp"]["S"] for change in resumed] == ["003"]


def test_sequence_numbers_after_a_kill_are_above_all_before(own_aws: LocalAws) -> None:
    kinesis, _, _ = create_stream_and_table(own_aws)
    save_base_files(own_aws)
    last = kinesis.put_record(StreamName="quotes", Data=b"x", PartitionKey="NVDA")["SequenceNumber"]
    own_aws.kill()
    own_aws.start()
    following = kinesis.put_record(StreamName="quotes", Data=b"y", PartitionKey="NVDA")["SequenceNumber"]
    assert int(following) > int(last)
    assert len(following) == len(last)  # the base compares them as text


def test_a_start_after_a_kill_says_what_is_complete_and_what_may_be_lost(own_aws: LocalAws) -> None:
    kinesis, dynamodb, _ = create_stream_and_table(own_aws)
    s3 = own_aws.client("s3")
    s3.create_bucket(Bucket="lake")
    s3.put_object(Bucket="lake", Key="raw-data/dt=2026-03-12/a.json.gz", Body=b"x")
    save_base_files(own_aws)
    report = own_aws.folder / "aws" / "last-start.txt"
    assert report.read_text().startswith("Local AWS: found 1 objects in S3, 0 records")
    kinesis.put_record(StreamName="quotes", Data=b"x", PartitionKey="NVDA")
    put_quote(dynamodb, 1)
    own_aws.kill()
    own_aws.start()
    text = report.read_text()
    assert "it was killed, not stopped" in text
    assert "1 objects in S3, 1 records on Kinesis streams, 1 items in DynamoDB" in text
    assert "at most a minute's worth, is lost" in text
    assert s3.get_object(Bucket="lake", Key="raw-data/dt=2026-03-12/a.json.gz")["Body"].read() == b"x"


def test_a_kill_before_anything_was_saved_asks_for_the_stack(own_aws: LocalAws) -> None:
    own_aws.kill()
    own_aws.start()
    assert "deploy the stack again" in (own_aws.folder / "aws" / "last-start.txt").read_text()


def test_a_stream_of_the_same_name_does_not_get_its_predecessors_records(own_aws: LocalAws) -> None:
    kinesis, dynamodb, _ = create_stream_and_table(own_aws)
    kinesis.put_record(StreamName="quotes", Data=b"old", PartitionKey="NVDA")
    put_quote(dynamodb, 1)
    kinesis.delete_stream(StreamName="quotes")
    dynamodb.delete_table(TableName="quotes")
    create_stream_and_table(own_aws)
    put_quote(dynamodb, 2)
    save_base_files(own_aws)
    assert stored(dynamodb) == ["002"]


def test_the_deployment_survives_a_clean_stop(own_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPELINE_HOME", str(own_aws.folder))
    monkeypatch.setenv("TAPELINE_PORT", str(own_aws.port))
    aws = connect()
    kinesis, _, _ = create_stream_and_table(own_aws)
    deploy_function(aws, "reader", "def handler(event, context):\n    return 'hello'\n", actions=["kinesis:*"])
    stream = kinesis.describe_stream_summary(StreamName="quotes")["StreamDescriptionSummary"]["StreamARN"]
    settings = {
        "BisectBatchOnFunctionError": True,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "MaximumRetryAttempts": 10,
        "MaximumRecordAgeInSeconds": 21600,
        "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:dead"}},
        "FilterCriteria": {"Filters": [{"Pattern": json.dumps({"data": {"symbol": ["NVDA"]}})}]},
    }
    aws.client("lambda").create_event_source_mapping(
        EventSourceArn=stream, FunctionName="reader", StartingPosition="TRIM_HORIZON", **settings
    )
    topic = aws.client("sns").create_topic(Name="alerts")["TopicArn"]
    queue = aws.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:000000000000:dead")
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="kept")
    aws.client("glue").create_database(DatabaseInput={"Name": "stock_market"})
    user = aws.client("iam").create_user(UserName="producer")["User"]
    key = aws.client("iam").create_access_key(UserName="producer")["AccessKey"]
    save_base_files(own_aws)

    mapping = aws.client("lambda").list_event_source_mappings()["EventSourceMappings"][0]
    assert {name: mapping[name] for name in settings} == settings
    code = aws.client("lambda").invoke(FunctionName="reader")["Payload"].read()
    assert json.loads(code) == "hello"
    assert len(aws.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]) == 1
    assert aws.client("sqs").receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "kept"
    assert aws.client("glue").get_database(Name="stock_market")["Database"]["Name"] == "stock_market"
    as_user = own_aws.client("sts", key["AccessKeyId"], key["SecretAccessKey"])
    assert as_user.get_caller_identity()["Arn"] == user["Arn"]


def test_two_local_aws_do_not_share_a_folder(own_aws: LocalAws) -> None:
    second = LocalAws(own_aws.folder, free_port(), own_aws.process)
    with pytest.raises(RuntimeError, match="another local AWS runs over"):
        second.start()
    assert second.process.wait(timeout=30) == 1
    own_aws.client("kinesis").list_streams()
