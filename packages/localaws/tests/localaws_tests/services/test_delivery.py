"""Event source mappings on the local AWS: which records a function gets, in which batches, and what fails how."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from localaws.clients import Clients
from localaws.testing import LocalAws
from localaws_tests.services.conftest import RunningDelivery, deploy_function, wait_until, zip_of

OBEDIENT = """
import base64, json, os, sys, time

def handler(event, context):
    sequence = []
    for record in event["Records"]:
        order = json.loads(base64.b64decode(record["kinesis"]["data"]))
        sequence.append(order["n"])
    print("SAW", json.dumps(sequence), flush=True)
    failures = []
    for record, n in zip(event["Records"], sequence):
        order = json.loads(base64.b64decode(record["kinesis"]["data"]))
        word = order.get("do")
        if word == "raise":
            raise ValueError(f"poison {n}")
        if word == "hang":
            time.sleep(60)
        if word == "once" and not os.path.exists(order["mark"]):
            open(order["mark"], "w").close()
            if order["how"] == "exit":
                os._exit(7)
            if order["how"] == "wait":
                print("WAITING", os.getpid(), flush=True)
                time.sleep(60)
            return {"batchItemFailures": [{"itemIdentifier": record["kinesis"]["sequenceNumber"]}]}
    return {"batchItemFailures": []}
"""


class Deployed:
    """A stream, a queue for what is given up, and a function that does what the records say."""

    def __init__(self, aws: Clients, local: LocalAws, name: str, **function: Any) -> None:
        self.aws = aws
        self.name = name
        self.log = local.folder / "logs" / f"{name}.log"
        self.stream_arn = self._create_stream()
        queue = aws.client("sqs").create_queue(QueueName=name)
        self.queue_url = queue["QueueUrl"]
        self.source = function.pop("source", OBEDIENT)
        deploy_function(
            aws, name, self.source, actions=function.pop("actions", ["kinesis:*", "sqs:SendMessage"]), **function
        )

    def _create_stream(self) -> str:
        kinesis = self.aws.client("kinesis")
        kinesis.create_stream(StreamName=self.name, StreamModeDetails={"StreamMode": "ON_DEMAND"})
        arn = kinesis.describe_stream_summary(StreamName=self.name)["StreamDescriptionSummary"]["StreamARN"]
        return str(arn)

    def map(self, **settings: Any) -> str:
        settings = {
            "BatchSize": 100,
            "StartingPosition": "TRIM_HORIZON",
            "MaximumRetryAttempts": 1,
            "DestinationConfig": {"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:000000000000:{self.name}"}},
            **settings,
        }
        client = self.aws.client("lambda")
        answer = client.create_event_source_mapping(EventSourceArn=self.stream_arn, FunctionName=self.name, **settings)
        return str(answer["UUID"])

    def put(self, *orders: dict[str, Any]) -> list[str]:
        records = [{"Data": json.dumps(order).encode(), "PartitionKey": "NVDA"} for order in orders]
        answer = self.aws.client("kinesis").put_records(StreamName=self.name, Records=records)
        return [record["SequenceNumber"] for record in answer["Records"]]

    def batches(self) -> list[list[int]]:
        """Return the numbers of the records of each invocation so far."""
        if not self.log.exists():
            return []
        return [json.loads(line[4:]) for line in self.log.read_text().splitlines() if line.startswith("SAW")]

    def saw(self, *numbers: int) -> bool:
        return {n for batch in self.batches() for n in batch} >= set(numbers)

    def given_up(self) -> dict[str, Any]:
        """Wait for the next message about records that were given up."""
        sqs = self.aws.client("sqs")
        message = wait_until(lambda: sqs.receive_message(QueueUrl=self.queue_url).get("Messages"), "a dead letter")[0]
        sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return dict(json.loads(message["Body"]))


@pytest.fixture
def deploy(aws: Clients, local_aws: LocalAws, request: pytest.FixtureRequest) -> Any:
    """Deploy under the test's own name, and take the mapping away at its end."""
    name = re.sub(r"\W+", "_", str(request.node.name).removeprefix("test_"))[:60].strip("_")

    def build(**function: Any) -> Deployed:
        return Deployed(aws, local_aws, name, **function)

    yield build
    client = aws.client("lambda")
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        client.delete_event_source_mapping(UUID=mapping["UUID"])


Deploy = Callable[..., Deployed]
Start = Callable[[], RunningDelivery]


def test_a_function_sees_its_zip_the_sdk_and_its_own_environment_only(
    deploy: Deploy, start_delivery: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAK", "from the parent")
    source = """
import importlib, json, os, sys
def handler(event, context):
    found = {}
    for name in ("boto3", "aws_lambda_powertools", "ministack", "tapeline", "pytest"):
        try:
            importlib.import_module(name)
            found[name] = True
        except ImportError:
            found[name] = False
    print("SAW", json.dumps([1]))
    print("FOUND", json.dumps([found, dict(os.environ), context.function_name, context.memory_limit_in_mb,
          context.invoked_function_arn, context.get_remaining_time_in_millis(), len(context.aws_request_id)]))
"""
    deployed = deploy(source=source, Environment={"Variables": {"TABLE_NAME": "quotes"}})
    deployed.map()
    deployed.put({"n": 1})
    start_delivery()
    wait_until(lambda: "FOUND" in (deployed.log.read_text() if deployed.log.exists() else ""), "the function")
    line = next(line for line in deployed.log.read_text().splitlines() if line.startswith("FOUND"))
    found, environment, name, memory, arn, left, length = json.loads(line[6:])
    assert found == {
        "boto3": True,
        "aws_lambda_powertools": False,
        "ministack": False,
        "tapeline": False,
        "pytest": False,
    }
    assert environment["TABLE_NAME"] == "quotes"
    assert environment["TZ"] == ":UTC"
    assert not {"LEAK", "HOME", "VIRTUAL_ENV", "PYTHONPATH"} & environment.keys()
    assert (name, memory, length) == (deployed.name, "256", 36)
    assert arn == f"arn:aws:lambda:us-east-1:000000000000:function:{deployed.name}"
    assert 0 < left <= 20_000


def test_a_function_may_do_what_its_role_allows_and_nothing_else(deploy: Deploy, start_delivery: Start) -> None:
    source = """
import boto3
def handler(event, context):
    print("USER", boto3.client("sts").get_caller_identity()["Arn"])
    boto3.client("sqs").list_queues()
    try:
        boto3.client("s3").list_buckets()
    except Exception as error:
        print("REFUSED", type(error).__name__, error, flush=True)
"""
    deployed = deploy(source=source, actions=["sqs:ListQueues"])
    deployed.map()
    deployed.put({"n": 1})
    start_delivery()
    wait_until(lambda: deployed.log.exists() and "REFUSED" in deployed.log.read_text(), "the refusal")
    text = deployed.log.read_text()
    assert f"assumed-role/{deployed.name}/" in text
    assert "AccessDenied" in text


def test_records_come_in_order_in_batches_of_the_mapped_size(deploy: Deploy, start_delivery: Start) -> None:
    deployed = deploy()
    deployed.map(BatchSize=4)
    deployed.put(*({"n": n} for n in range(10)))
    start_delivery()
    wait_until(lambda: deployed.saw(*range(10)), "ten records")
    assert deployed.batches() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_window_gathers_what_comes_within_it(deploy: Deploy, start_delivery: Start) -> None:
    deployed = deploy()
    deployed.map(MaximumBatchingWindowInSeconds=2)
    start_delivery()
    deployed.put({"n": 1})
    deployed.put({"n": 2})
    wait_until(lambda: deployed.saw(1, 2), "both records")
    assert deployed.batches() == [[1, 2]]


def test_a_reported_failure_is_retried_from_there(deploy: Deploy, start_delivery: Start, tmp_path: Path) -> None:
    deployed = deploy()
    deployed.map(FunctionResponseTypes=["ReportBatchItemFailures"], BisectBatchOnFunctionError=True)
    mark = str(tmp_path / "mark")
    deployed.put({"n": 1}, {"n": 2, "do": "once", "mark": mark, "how": "report"}, {"n": 3})
    start_delivery()
    wait_until(lambda: len(deployed.batches()) >= 2, "the retry")
    assert deployed.batches() == [[1, 2, 3], [2, 3]]


def test_a_poison_record_is_found_by_splitting_and_told_with_its_position(
    deploy: Deploy, start_delivery: Start
) -> None:
    deployed = deploy()
    deployed.map(BisectBatchOnFunctionError=True)
    numbers = deployed.put({"n": 1}, {"n": 2}, {"n": 3, "do": "raise"}, {"n": 4})
    start_delivery()
    message = deployed.given_up()
    # split to 1-2 and 3-4, then to 3 and 4; splitting is no retry, so 3 alone is tried twice
    wait_until(lambda: deployed.batches()[-1] == [4], "the last record")
    assert deployed.batches() == [[1, 2, 3, 4], [1, 2], [3, 4], [3], [3], [4]]
    context, info = message["requestContext"], message["KinesisBatchInfo"]
    assert context["condition"] == "RetryAttemptsExhausted"
    assert context["approximateInvokeCount"] == 2
    assert context["functionArn"] == f"arn:aws:lambda:us-east-1:000000000000:function:{deployed.name}"
    assert message["responseContext"]["functionError"] == "Unhandled"
    assert info["shardId"] == "shardId-000000000000"
    assert info["startSequenceNumber"] == info["endSequenceNumber"] == numbers[2]
    assert info["batchSize"] == 1
    assert info["streamArn"] == deployed.stream_arn
    assert info["approximateArrivalOfFirstRecord"].endswith("Z")


def test_without_splitting_the_whole_batch_is_given_up(deploy: Deploy, start_delivery: Start) -> None:
    deployed = deploy()
    deployed.map()
    numbers = deployed.put({"n": 1}, {"n": 2, "do": "raise"}, {"n": 3})
    start_delivery()
    info = deployed.given_up()["KinesisBatchInfo"]
    assert (info["startSequenceNumber"], info["endSequenceNumber"], info["batchSize"]) == (numbers[0], numbers[2], 3)
    deployed.put({"n": 4})
    wait_until(lambda: deployed.saw(4), "the next record")
    assert deployed.batches() == [[1, 2, 3], [1, 2, 3], [4]]


def test_a_bucket_as_destination_gets_the_whole_batch(deploy: Deploy, start_delivery: Start) -> None:
    deployed = deploy(actions=["s3:PutObject", "s3:ListBucket"])
    bucket = deployed.name.replace("_", "-")
    s3 = deployed.aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    mapping = deployed.map(DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}})
    numbers = deployed.put({"n": 1}, {"n": 2, "do": "raise"})
    start_delivery()
    (entry,) = wait_until(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"), "the batch")
    moment = r"(\d{4})/(\d\d)/(\d\d)/\1-\2-\3T\d\d\.\d\d\.\d\d-[0-9a-f-]{36}"
    assert re.fullmatch(rf"aws/lambda/{mapping}/shardId-000000000000/{moment}", entry["Key"])
    document = json.loads(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["KinesisBatchInfo"]["endSequenceNumber"] == numbers[1]
    records = json.loads(document["payload"])["Records"]
    assert [record["kinesis"]["sequenceNumber"] for record in records] == numbers
    assert json.loads(base64.b64decode(records[1]["kinesis"]["data"])) == {"n": 2, "do": "raise"}


def test_each_read_of_a_shard_counts_also_one_that_finds_nothing(deploy: Deploy, start_delivery: Start) -> None:
    deployed = deploy()
    mapping = deployed.map()
    running = start_delivery()

    def polls() -> tuple[float, float]:
        running.delivery.metrics.flush()
        now = datetime.now(UTC)
        points = deployed.aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda", MetricName="PolledEventCount", Period=60, Statistics=["SampleCount", "Sum"],
            Dimensions=[{"Name": "EventSourceMappingUUID", "Value": mapping}],
            StartTime=now - timedelta(minutes=5), EndTime=now + timedelta(minutes=1),
        )["Datapoints"]  # fmt: skip
        return sum(point["SampleCount"] for point in points), sum(point["Sum"] for point in points)

    wait_until(lambda: polls()[0] > 4, "reads of an empty stream")
    assert polls()[1] == 0
    deployed.put({"n": 1}, {"n": 2})
    wait_until(lambda: polls()[1] == 2, "the records read")
    deployed.aws.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=False)
    before = [0.0]

    def is_still() -> bool:
        time.sleep(1)
        before.append(polls()[0])
        return before[-1] == before[-2]

    wait_until(is_still, "a disabled mapping reads nothing")


def test_what_grew_too_old_untried_lies_in_the_bucket_too(deploy: Deploy, start_delivery: Start) -> None:
    deployed = deploy(actions=["s3:PutObject", "s3:ListBucket"])
    bucket = deployed.name.replace("_", "-")[:60]
    s3 = deployed.aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    deployed.map(
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}, MaximumRecordAgeInSeconds=1
    )
    deployed.put({"n": 1}, {"n": 2})
    time.sleep(1.5)
    start_delivery()
    (entry,) = wait_until(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"), "the batch")
    document = json.loads(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())
    assert document["requestContext"]["condition"] == "RecordAgeExceeded"
    datas = [base64.b64decode(each["kinesis"]["data"]) for each in json.loads(document["payload"])["Records"]]
    assert datas == [b'{"n": 1}', b'{"n": 2}']
    assert deployed.batches() == []


@pytest.mark.parametrize("missing", ["s3:ListBucket", "s3:PutObject", "sqs:SendMessage", "sns:Publish"])
def test_giving_up_needs_its_permission(deploy: Deploy, start_delivery: Start, missing: str) -> None:
    needed = {"s3:ListBucket", "s3:PutObject", "sqs:SendMessage", "sns:Publish"}
    deployed = deploy(actions=sorted(needed - {missing}))
    name = f"refused-{missing.replace(':', '-').lower()}"
    arns = {
        "s3": f"arn:aws:s3:::{name}",
        "sqs": f"arn:aws:sqs:us-east-1:000000000000:{name}",
        "sns": f"arn:aws:sns:us-east-1:000000000000:{name}",
    }
    aws = deployed.aws
    aws.client("s3").create_bucket(Bucket=name)
    sns = {"Service": "sns.amazonaws.com"}
    taking = {"Effect": "Allow", "Principal": sns, "Action": "sqs:SendMessage", "Resource": arns["sqs"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": taking})
    queue = aws.client("sqs").create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
    aws.client("sns").create_topic(Name=name)
    aws.client("sns").subscribe(TopicArn=arns["sns"], Protocol="sqs", Endpoint=arns["sqs"])
    service = missing.partition(":")[0]
    deployed.map(MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arns[service]}})
    deployed.put({"n": 1, "do": "raise"})
    running = start_delivery()

    def failures() -> float:
        running.delivery.metrics.flush()
        now = datetime.now(UTC)
        points = aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda", MetricName="DestinationDeliveryFailures", Period=60, Statistics=["Sum"],
            Dimensions=[{"Name": "FunctionName", "Value": deployed.name}],
            StartTime=now - timedelta(minutes=5), EndTime=now + timedelta(minutes=1),
        )["Datapoints"]  # fmt: skip
        return float(sum(point["Sum"] for point in points))

    def arrived() -> bool:
        messages = aws.client("sqs").receive_message(QueueUrl=queue, VisibilityTimeout=0).get("Messages")
        return bool(messages or aws.client("s3").list_objects_v2(Bucket=name).get("Contents"))

    wait_until(lambda: failures() == 1, f"a batch lost for want of {missing} that counts")
    assert not arrived()

    policy = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": missing, "Resource": "*"}})
    aws.client("iam").put_role_policy(RoleName=deployed.name, PolicyName="put-back", PolicyDocument=policy)
    deployed.put({"n": 2, "do": "raise"})
    wait_until(arrived, f"the next that is given up, with {missing} again")
    assert deployed.batches() == [[1], [2]]
    assert failures() == 1


def test_a_record_that_grew_too_old_is_given_up_without_an_invocation(deploy: Deploy, start_delivery: Start) -> None:
    deployed = deploy()
    deployed.map(MaximumRecordAgeInSeconds=1)
    put_at = time.time()
    deployed.put({"n": 1})
    wait_until(lambda: time.time() > put_at + 1.1, "the record to age")
    start_delivery()
    message = deployed.given_up()
    assert message["requestContext"]["condition"] == "RecordAgeExceeded"
    assert message["requestContext"]["approximateInvokeCount"] == 0
    assert deployed.batches() == []


def test_a_function_that_takes_too_long_is_ended(deploy: Deploy, start_delivery: Start) -> None:
    deployed = deploy(Timeout=1)
    deployed.map(MaximumRetryAttempts=0)
    deployed.put({"n": 1, "do": "hang"})
    start_delivery()
    assert deployed.given_up()["requestContext"]["approximateInvokeCount"] == 1
    deployed.put({"n": 2})
    wait_until(lambda: deployed.saw(2), "the record behind the hanging one")


@pytest.mark.parametrize("how", ["exit", "kill"])
def test_a_process_that_dies_is_a_failed_invocation(
    deploy: Deploy, start_delivery: Start, tmp_path: Path, how: str
) -> None:
    deployed = deploy()
    deployed.map()
    order = {"n": 1, "do": "once", "mark": str(tmp_path / "mark"), "how": "exit" if how == "exit" else "wait"}
    deployed.put(order, {"n": 2})
    start_delivery()
    if how == "kill":
        wait_until(lambda: deployed.log.exists() and "WAITING" in deployed.log.read_text(), "the process")
        line = next(line for line in deployed.log.read_text().splitlines() if line.startswith("WAITING"))
        os.kill(int(line.split()[1]), signal.SIGKILL)
    wait_until(lambda: len(deployed.batches()) >= 2, "the retry")
    assert deployed.batches() == [[1, 2], [1, 2]]


def test_filters_choose_the_records(deploy: Deploy, start_delivery: Start) -> None:
    deployed = deploy()
    deployed.map(FilterCriteria={"Filters": [{"Pattern": json.dumps({"data": {"n": [3, 4]}})}]})
    deployed.aws.client("kinesis").put_record(StreamName=deployed.name, Data=b"not JSON", PartitionKey="NVDA")
    deployed.put(*({"n": n} for n in range(5)))
    start_delivery()
    wait_until(lambda: deployed.saw(3, 4), "the chosen records")
    assert deployed.batches() == [[3, 4]]


def test_an_unknown_filter_operator_is_said_and_delivers_nothing(
    deploy: Deploy, start_delivery: Start, caplog: pytest.LogCaptureFixture
) -> None:
    deployed = deploy()
    deployed.map(FilterCriteria={"Filters": [{"Pattern": json.dumps({"data": {"n": [{"wildcard": "*"}]}})}]})
    deployed.put({"n": 1})
    start_delivery()
    wait_until(lambda: 'found {"wildcard": "*"}' in caplog.text, "the complaint")
    assert deployed.batches() == []


def test_a_disabled_mapping_waits_and_goes_on_where_it_was(deploy: Deploy, start_delivery: Start) -> None:
    deployed = deploy()
    mapping = deployed.map()
    client = deployed.aws.client("lambda")
    deployed.put({"n": 1})
    delivery = start_delivery()
    wait_until(lambda: deployed.saw(1), "the first record")
    client.update_event_source_mapping(UUID=mapping, Enabled=False)
    wait_until(lambda: not delivery.delivery._pollers, "the pollers to end")
    deployed.put({"n": 2})
    client.update_event_source_mapping(UUID=mapping, Enabled=True)
    wait_until(lambda: deployed.saw(2), "the second record")
    assert deployed.batches() == [[1], [2]]


def test_a_restart_goes_on_behind_the_last_success(deploy: Deploy, start_delivery: Start) -> None:
    deployed = deploy()
    deployed.map()
    deployed.put({"n": 1}, {"n": 2})
    first = start_delivery()
    wait_until(lambda: deployed.saw(1, 2), "the first records")
    first.close()
    deployed.put({"n": 3})
    start_delivery()
    wait_until(lambda: deployed.saw(3), "the third record")
    assert deployed.batches() == [[1, 2], [3]]


def test_children_of_a_split_shard_are_read(deploy: Deploy, start_delivery: Start) -> None:
    deployed = deploy()
    deployed.map()
    deployed.put({"n": 1})
    start_delivery()
    wait_until(lambda: deployed.saw(1), "a record of the parent")
    kinesis = deployed.aws.client("kinesis")
    kinesis.split_shard(StreamName=deployed.name, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    for n, key in ((2, "NVDA"), (3, "AAPL")):
        kinesis.put_record(StreamName=deployed.name, Data=json.dumps({"n": n}).encode(), PartitionKey=key)
    wait_until(lambda: deployed.saw(2, 3), "records of the children")


def test_a_new_deployment_is_used_from_the_next_batch_on(deploy: Deploy, start_delivery: Start) -> None:
    deployed = deploy()
    deployed.map()
    deployed.put({"n": 1})
    start_delivery()
    wait_until(lambda: deployed.saw(1), "the first record")
    client = deployed.aws.client("lambda")
    client.update_function_configuration(FunctionName=deployed.name, Environment={"Variables": {"NEW": "1"}})
    client.update_function_code(
        FunctionName=deployed.name, ZipFile=zip_of("def handler(e, c):\n    print('NEWCODE')\n")
    )

    def put_until_new() -> bool:
        deployed.put({"n": 2})
        return "NEWCODE" in deployed.log.read_text()

    wait_until(put_until_new, "the new code")


def test_metrics_of_the_mapping_and_of_the_function_reach_cloudwatch(deploy: Deploy, start_delivery: Start) -> None:
    source = """
import json
def handler(event, context):
    metric = {"Namespace": "Tapeline", "Dimensions": [["service"]], "Metrics": [{"Name": "QuotesIn", "Unit": "Count"}]}
    for value in (3, [4, 5]):
        document = {"_aws": {"Timestamp": 0, "CloudWatchMetrics": [metric]}, "service": "%s", "QuotesIn": value}
        print(json.dumps(document), flush=True)
    raise ValueError("counted")
"""
    deployed = deploy(source=source.replace("%s", "metrics-test"))
    deployed.map(MaximumRetryAttempts=0)
    deployed.put({"n": 1})
    delivery = start_delivery()
    deployed.given_up()
    delivery.close()  # flushes
    cloudwatch = deployed.aws.client("cloudwatch")

    def statistics(namespace: str, name: str, dimension: str, value: str) -> dict[str, float]:
        (point,) = cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": dimension, "Value": value}],
            StartTime=time.time() - 600,
            EndTime=time.time() + 60,
            Period=3600,
            Statistics=["Sum", "SampleCount", "Minimum", "Maximum"],
        )["Datapoints"]
        return {key: point[key] for key in ("Sum", "SampleCount", "Minimum", "Maximum")}

    own = statistics("Tapeline", "QuotesIn", "service", "metrics-test")
    assert own == {"Sum": 12, "SampleCount": 3, "Minimum": 3, "Maximum": 5}
    for name, total in (("Invocations", 1), ("Errors", 1)):
        assert statistics("AWS/Lambda", name, "FunctionName", deployed.name)["Sum"] == total
    assert statistics("AWS/Lambda", "IteratorAge", "FunctionName", deployed.name)["Maximum"] >= 0


def test_a_table_stream_arrives_as_lambda_sends_it(aws: Clients, deploy: Deploy, start_delivery: Start) -> None:
    source = """
import json
def handler(event, context):
    print("EVENT", json.dumps(event), flush=True)
"""
    deployed = deploy(source=source)
    dynamodb = aws.client("dynamodb")
    table = dynamodb.create_table(
        TableName="changes",
        AttributeDefinitions=[{"AttributeName": "symbol", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "symbol", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]
    deployed.stream_arn = table["LatestStreamArn"]
    pattern = json.dumps({"dynamodb": {"NewImage": {"alerts": {"SS": [{"exists": True}]}}}})
    deployed.map(FilterCriteria={"Filters": [{"Pattern": pattern}]})
    dynamodb.put_item(TableName="changes", Item={"symbol": {"S": "AAPL"}})
    item = {"symbol": {"S": "NVDA"}, "alerts": {"SS": ["trend_up"]}, "price": {"N": "101.5"}, "raw": {"B": b"\x00\x01"}}
    dynamodb.put_item(TableName="changes", Item=item)
    start_delivery()
    wait_until(lambda: deployed.log.exists() and "EVENT" in deployed.log.read_text(), "the change")
    line = next(line for line in deployed.log.read_text().splitlines() if line.startswith("EVENT"))
    (record,) = json.loads(line[6:])["Records"]
    assert record["eventName"] == "INSERT"
    assert record["eventSource"] == "aws:dynamodb"
    assert record["eventSourceARN"] == table["LatestStreamArn"]
    image = {"symbol": {"S": "NVDA"}, "alerts": {"SS": ["trend_up"]}, "price": {"N": "101.5"}, "raw": {"B": "AAE="}}
    assert record["dynamodb"]["NewImage"] == image
    assert record["dynamodb"]["Keys"] == {"symbol": {"S": "NVDA"}}
    assert isinstance(record["dynamodb"]["ApproximateCreationDateTime"], float)


def test_a_killed_delivery_misses_nothing_when_it_is_started_again(
    deploy: Deploy, local_aws: LocalAws, tmp_path: Path
) -> None:
    deployed = deploy()
    deployed.map(BatchSize=2)
    command = [sys.executable, "-m", "localaws.delivery"]
    order = {"do": "once", "mark": str(tmp_path / "mark"), "how": "wait"}
    deployed.put({"n": 0}, {"n": 1}, {"n": 2, **order}, {"n": 3})
    with (tmp_path / "delivery.log").open("wb") as log:
        first = subprocess.Popen(command, env=local_aws.environment, stderr=log)
        wait_until(lambda: deployed.log.exists() and "WAITING" in deployed.log.read_text(), "the second batch")
        first.kill()
        first.wait()
        second = subprocess.Popen(command, env=local_aws.environment, stderr=log)
        try:
            deployed.put({"n": 4})
            wait_until(lambda: deployed.saw(4), "the last record")
        finally:
            second.send_signal(signal.SIGTERM)
            assert second.wait(timeout=30) == 0
    assert deployed.batches() == [[0, 1], [2, 3], [2, 3], [4]]


def test_a_killed_local_aws_is_waited_for(deploy: Deploy, start_delivery: Start, local_aws: LocalAws) -> None:
    assert local_aws.stop() == 0  # saved once, so that the deployment below may be lost but nothing before it
    local_aws.start()
    deployed = deploy()
    deployed.map()
    assert local_aws.stop() == 0
    local_aws.start()
    start_delivery()
    deployed.put({"n": 1})
    wait_until(lambda: deployed.saw(1), "the first record")
    local_aws.kill()
    local_aws.start()
    deployed.put({"n": 2})
    wait_until(lambda: deployed.saw(2), "the second record")
    assert deployed.batches() == [[1], [2]]


def test_a_mapping_whose_stream_is_gone_does_not_hold_up_the_others(
    aws: Clients, local_aws: LocalAws, deploy: Deploy, start_delivery: Start, caplog: pytest.LogCaptureFixture
) -> None:
    gone = Deployed(aws, local_aws, "gone")
    gone.map()
    aws.client("kinesis").delete_stream(StreamName="gone")
    deployed = deploy()
    deployed.map()
    deployed.put({"n": 1})
    start_delivery()
    wait_until(lambda: deployed.saw(1), "the record")
    assert "gone is not delivered to" in caplog.text
