"""A batch that either function gives up comes back whole from the bucket, days after its stream has forgotten it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.delivery import Delivery
from localaws.testing import LocalAws
from tapeline.aws.clients import Clients, connect
from tapeline.aws.deployment import Deployment
from tapeline.deploy import stack
from tapeline.operations.redrive import redrive
from tests.operations.test_rejected import payload
from tests.stack import LocalDeployment, objects

DAY = "2026-03-12"
TIMES = [f"{DAY}T14:3{minute}:00Z" for minute in range(5)]
TWO_DAYS = 2 * 86400
AHEAD = f"""
import time
real = time.time
time.time = lambda: real() + {TWO_DAYS}
"""


@pytest.fixture
def deployed(local_aws: LocalAws, aws: Clients) -> LocalDeployment:
    parameters = {"MaximumRetryAttempts": "0", "PriceMovePercent": "5"}
    return LocalDeployment(local_aws, stack.deploy(aws, parameters, lambda progress: None))


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited a minute in vain for {what}")


@contextmanager
def delivering(deployment: LocalDeployment) -> Iterator[Delivery]:
    stop = threading.Event()
    delivery = Delivery(deployment.clients, deployment.local.folder)
    thread = threading.Thread(target=delivery.run, args=(stop,))
    thread.start()
    try:
        yield delivery
    finally:
        stop.set()
        thread.join(timeout=30)


@contextmanager
def broken(deployment: Deployment, function: str) -> Iterator[None]:
    """Let a function look for its states in a table that is not there."""
    client = deployment.client("lambda")
    variables = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    wrong = {**variables, "STATE_TABLE_NAME": "nowhere"}
    client.update_function_configuration(FunctionName=function, Environment={"Variables": wrong})
    yield
    client.update_function_configuration(FunctionName=function, Environment={"Variables": variables})


@contextmanager
def unable_to(sid: str, deployment: Deployment, function: str) -> Iterator[None]:
    """Take a statement out of the policy of a function's role."""
    role = deployment.client("lambda").get_function_configuration(FunctionName=function)["Role"].rpartition("/")[2]
    iam = deployment.client("iam")
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document: Any = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    others = [statement for statement in document["Statement"] if statement["Sid"] != sid]
    assert len(others) == len(document["Statement"]) - 1
    less = json.dumps({**document, "Statement": others})
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=less)
    yield
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def put(deployment: Deployment, *datas: bytes) -> None:
    kinesis: Any = deployment.client("kinesis")
    records = [{"Data": data, "PartitionKey": "AAPL"} for data in datas]
    kinesis.put_records(StreamName=deployment.outputs.stream_name, Records=records)


def leap(symbol: str) -> tuple[bytes, bytes]:
    """Quotes of which the second raises an alert."""
    return payload(symbol, TIMES[0]), payload(symbol, TIMES[1], price=150.0, high=151.0)


def empty(deployment: LocalDeployment) -> None:
    """Take away what another test has left."""
    deployment.client("sqs").purge_queue(QueueUrl=deployment.outputs.dead_letter_queue_url)
    for key in objects(deployment, "aws/lambda/"):
        deployment.client("s3").delete_object(Bucket=deployment.outputs.bucket_name, Key=key)


def waiting(deployment: Deployment) -> int:
    attributes = deployment.client("sqs").get_queue_attributes(
        QueueUrl=deployment.outputs.dead_letter_queue_url, AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])


def stored(deployment: Deployment) -> list[str]:
    items = deployment.client("dynamodb").scan(TableName=deployment.outputs.table_name)["Items"]
    return sorted(item["timestamp"]["S"] for item in items if item["symbol"]["S"] == "AAPL")


def heard(deployment: Deployment, queue: str) -> list[dict[str, Any]]:
    """Return the alerts that came into a queue since the last look."""
    sqs, found = deployment.client("sqs"), []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            found.append(json.loads(message["Body"]))
    return found


def open_queue(deployment: Deployment, name: str) -> tuple[str, str]:
    """Create a queue that takes from everybody; return its URL and its ARN."""
    sqs = deployment.client("sqs")
    queue = str(sqs.create_queue(QueueName=name)["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    return queue, arn


def listen(deployment: Deployment) -> str:
    """Subscribe a queue to the alerts."""
    queue, arn = open_queue(deployment, "listener")
    topic = deployment.outputs.alert_topic_arn
    deployment.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return queue


def two_days_later(local: LocalAws, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Start the local AWS again with a clock that is two days ahead, and look: both streams have forgotten."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(AHEAD)
    patch.setenv("PYTHONPATH", str(folder))
    local.stop()
    local.start()
    patch.delenv("PYTHONPATH")


def on_the_stream(deployment: Deployment) -> int:
    kinesis, name = deployment.client("kinesis"), deployment.outputs.stream_name
    count = 0
    for shard in kinesis.list_shards(StreamName=name)["Shards"]:
        shard_id = shard["ShardId"]
        answer = kinesis.get_shard_iterator(StreamName=name, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON")
        iterator = answer["ShardIterator"]
        count += len(kinesis.get_records(ShardIterator=iterator)["Records"])
    return count


@pytest.mark.parametrize("sid", ["GiveUp", "LookBeforeGivingUp"])
@pytest.mark.parametrize("function", ["stream-processor", "trend-alerts"])
def test_a_batch_that_the_bucket_does_not_get_rings(deployed: LocalDeployment, function: str, sid: str) -> None:
    full, alarm, symbol = f"stock-market-{function}", f"tapeline-{function}-lost", f"{function[0]}{sid[0]}".upper()

    def rings() -> bool:
        delivery.metrics.flush()
        (found,) = deployed.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
        return found["StateValue"] == "ALARM"

    before = waiting(deployed)
    with broken(deployed, full), delivering(deployed) as delivery:
        with unable_to(sid, deployed, full):
            put(deployed, *leap(symbol))
            wait_for(rings, f"{alarm} without {sid}")
            assert waiting(deployed) == before
        put(deployed, *leap(f"{symbol}X"))
        wait_for(lambda: waiting(deployed) > before, f"the next batch in the bucket, with {sid} again")


def test_batches_of_both_streams_come_back_two_days_later(
    deployed: LocalDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty(deployed)
    listener = listen(deployed)
    with broken(deployed, deployed.outputs.stream_processor_name), delivering(deployed):
        put(deployed, *(payload(at=at) for at in TIMES), b"no quote")
        wait_for(lambda: on_the_stream(deployed) and waiting(deployed), "the processor's batches in the queue")
        wait_for(lambda: sum(map(records_in, documents(deployed))) == len(TIMES) + 1, "all records in the bucket")
    assert stored(deployed) == []
    with broken(deployed, deployed.outputs.trend_alerts_name), delivering(deployed):
        put(deployed, *leap("MSFT"))
        wait_for(lambda: any("DDBStreamBatchInfo" in found for found in documents(deployed)), "a batch of the table")
    assert heard(deployed, listener) == []
    letters = len(documents(deployed))
    assert waiting(deployed) == letters

    two_days_later(deployed.local, tmp_path / "ahead", monkeypatch)
    assert on_the_stream(deployed) == 0

    dry = redrive(deployed, DAY, DAY)
    assert (dry.letter_quotes, dry.letter_rejects, dry.letter_changes, dry.lost) == (len(TIMES), 1, 1, 0)
    assert waiting(deployed) == letters
    assert heard(deployed, listener) == []

    done = redrive(deployed, DAY, DAY, dry_run=False)
    assert (done.letter_quotes, done.letter_rejects, done.letter_changes, done.lost) == (len(TIMES), 1, 1, 0)
    assert waiting(deployed) == 0
    assert len(objects(deployed, "rejected/dt=")) == 1
    (alert,) = heard(deployed, listener)
    assert alert["Subject"].startswith("MSFT")
    with delivering(deployed):
        wait_for(lambda: stored(deployed) == TIMES, "the quotes in the table")


def documents(deployment: LocalDeployment) -> list[dict[str, Any]]:
    s3, bucket = deployment.client("s3"), deployment.outputs.bucket_name
    keys = objects(deployment, "aws/lambda/")
    return [json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys]


def records_in(document: dict[str, Any]) -> int:
    return len(json.loads(document["payload"])["Records"])


def test_a_bucket_that_was_taken_over_without_its_notification_gets_it_beside_others(deployed: LocalDeployment) -> None:
    empty(deployed)
    s3, bucket = deployed.client("s3"), deployed.outputs.bucket_name
    _, other = open_queue(deployed, "other")
    rule: Any = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "raw-data/"}]}}
    told: Any = [{"Id": "another", "QueueArn": other, "Events": ["s3:ObjectCreated:Put"], "Filter": rule}]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": told})
    for _ in range(2):
        stack.deploy(connect("local"), {"MaximumRetryAttempts": "0"}, lambda progress: None)
        assert waiting(deployed) == 0
        found = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
        assert sorted(each["QueueArn"] for each in found) == sorted([other, deployed.outputs.dead_letter_queue_arn])
    s3.put_object(Bucket=bucket, Key="aws/lambda/x", Body=b"{}")
    assert waiting(deployed) == 1
    s3.put_object(Bucket=bucket, Key="reports/x", Body=b"{}")
    assert waiting(deployed) == 1


def test_no_other_bucket_may_put_anything_on_the_queue(deployed: LocalDeployment) -> None:
    empty(deployed)
    s3, queue = deployed.client("s3"), deployed.outputs.dead_letter_queue_arn
    s3.create_bucket(Bucket="stranger")
    told: Any = [{"QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}]
    with suppress(ClientError):  # S3 refuses it at once; a bucket that had it before puts nothing
        s3.put_bucket_notification_configuration(
            Bucket="stranger", NotificationConfiguration={"QueueConfigurations": told}
        )
    s3.put_object(Bucket="stranger", Key="aws/lambda/x", Body=b"{}")
    assert waiting(deployed) == 0


@pytest.mark.parametrize("others", [0, 3])
def test_a_deployment_leaves_no_trial_of_the_notification_in_the_queue(deployed: LocalDeployment, others: int) -> None:
    empty(deployed)
    queue, sqs = deployed.outputs.dead_letter_queue_url, deployed.client("sqs")
    trial = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": deployed.outputs.bucket_name})
    for body in [*map(str, range(others)), trial]:
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    stack.deploy(connect("local"), {"MaximumRetryAttempts": f"{others + 1}"}, lambda progress: None)
    assert waiting(deployed) == others
