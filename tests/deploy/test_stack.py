"""Deploying for real, on the local AWS with enforced IAM."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tapeline.aws.clients import Clients
from tapeline.aws.deployment import StackError, StackOutputs, find_deployment, find_stack
from tapeline.aws.local import PROJECT
from tapeline.deploy import lambda_zip, stack
from tapeline.deploy.stack_events import Progress
from tapeline.operations.readings import _Reader


@pytest.fixture(scope="module", autouse=True)
def zips_are_built_once() -> Iterator[None]:
    built = lambda_zip.build_all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lambda_zip, "build_all", lambda: built)
        yield


class Told(list[Progress]):
    """Collects the progress of a deployment."""

    def of(self, resource: str) -> list[str]:
        return [step.status for step in self if step.resource == resource]


def deploy(aws: Clients, name: str, **parameters: str) -> tuple[StackOutputs, Told]:
    told = Told()
    made = stack.deploy(aws, {"NamePrefix": f"{name}-", **parameters}, told.append, stack_name=name).outputs
    return made, told


def destroy(aws: Clients, name: str, *, delete_data: bool = False) -> tuple[tuple[str, ...], Told]:
    told = Told()
    return stack.destroy(aws, told.append, stack_name=name, delete_data=delete_data), told


def status(aws: Clients, name: str) -> str | None:
    found = find_stack(aws, name)
    return found["StackStatus"] if found else None


def template_with(resource: str, folder: Path) -> Path:
    path = folder / "template.yaml"
    path.write_text(stack.TEMPLATE.read_text().replace("\nResources:\n", f"\nResources:\n{resource}\n", 1))
    return path


CLASH = """
  Clash:
    Type: AWS::Glue::Database
    Properties: { CatalogId: !Ref AWS::AccountId, DatabaseInput: { Name: clash } }
"""


def test_a_deployment_makes_every_resource_and_returns_their_names(aws: Clients) -> None:
    made, told = deploy(aws, "first")
    assert made.stream_name == "first-stock-market-stream"
    assert made.table_name == "first-stock-market-data"
    assert made.bucket_name == "first-tapeline-000000000000-us-east-1"
    assert made.database_name == "first_stock_market"
    assert made.raw_table_name == "stock_data_table"
    assert made.alert_topic_arn == "arn:aws:sns:us-east-1:000000000000:first-Stock_TrendAlerts"
    assert made.region == "us-east-1"
    assert find_deployment(aws, "first").outputs == made
    for resource in ("Stream", "DataTable", "Bucket", "StreamProcessor", "WorkGroup", "AnalystPolicy"):
        assert told.of(resource) == ["making", "made"]
    assert Progress("DataTable", "DynamoDB table", "made") in told

    dynamodb = aws.client("dynamodb")
    for table in (made.table_name, made.state_table_name):
        expiry = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    described = dynamodb.describe_table(TableName=made.table_name)["Table"]
    assert described["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"


def test_what_is_deployed_has_the_settings_that_the_template_says(aws: Clients) -> None:
    made, _ = deploy(aws, "settings", BatchSize="123", AlertEmails="ann@example.org,bob@example.org")
    functions = aws.client("lambda")
    (mapping,) = functions.list_event_source_mappings(FunctionName=made.stream_processor_name)["EventSourceMappings"]
    assert mapping["BatchSize"] == 123
    assert mapping["MaximumBatchingWindowInSeconds"] == 1
    assert mapping["MaximumRetryAttempts"] == 10
    assert mapping["MaximumRecordAgeInSeconds"] == 21600
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": f"arn:aws:s3:::{made.bucket_name}"}}
    (mapping,) = functions.list_event_source_mappings(FunctionName=made.trend_alerts_name)["EventSourceMappings"]
    assert "alerts" in mapping["FilterCriteria"]["Filters"][0]["Pattern"]
    queue = aws.client("sqs").get_queue_attributes(QueueUrl=made.dead_letter_queue_url, AttributeNames=["All"])
    assert queue["Attributes"]["ApproximateNumberOfMessages"] == "0", "S3's trial of its notification is left"

    workgroup = aws.client("athena").get_work_group(WorkGroup=made.work_group_name)["WorkGroup"]["Configuration"]
    assert workgroup["EnforceWorkGroupConfiguration"] is True
    assert int(workgroup["BytesScannedCutoffPerQuery"]) == 10 * 2**30
    assert workgroup["ResultConfiguration"]["OutputLocation"] == f"s3://{made.bucket_name}/athena-results/"

    crawler = aws.client("glue").get_crawler(Name=made.crawler_name)["Crawler"]
    assert crawler["Targets"]["CatalogTargets"] == [
        {"DatabaseName": made.database_name, "Tables": ["stock_data_table"]}
    ]

    subscriptions = aws.client("sns").list_subscriptions_by_topic(TopicArn=made.alert_topic_arn)["Subscriptions"]
    assert {one["Endpoint"] for one in subscriptions} == {"ann@example.org", "bob@example.org"}
    operations = aws.client("sns").list_subscriptions_by_topic(TopicArn=made.operations_topic_arn)["Subscriptions"]
    assert operations == []


def test_the_template_goes_up_by_its_url_and_so_may_outgrow_a_request_and_keep_its_comments(aws: Clients) -> None:
    deploy(aws, "large")
    text = stack.TEMPLATE.read_text()
    assert len(text.encode()) > 51_200  # the most that a request takes
    s3, bucket = aws.client("s3"), "large-tapeline-artifacts-000000000000-us-east-1"
    (key,) = (one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix="template-")["Contents"])
    sent = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    assert len(sent.splitlines()) == len(text.splitlines())
    assert "BucketName: large-tapeline-000000000000-us-east-1\n" in sent
    deploy(aws, "large", PriceMovePercent="7")  # other parameters, the same template
    assert s3.list_objects_v2(Bucket=bucket, Prefix="template-")["KeyCount"] == 1


def test_deploying_again_without_a_change_touches_nothing(aws: Clients) -> None:
    made, _ = deploy(aws, "same", AlertCooldownMinutes="20")
    again, told = deploy(aws, "same")
    assert again == made
    assert told == []


def test_an_update_changes_only_what_differs_and_keeps_data_and_other_parameters(aws: Clients) -> None:
    made, _ = deploy(aws, "update", AlertCooldownMinutes="20", AlertEmails="ann@example.org")
    aws.client("dynamodb").put_item(
        TableName=made.table_name, Item={"symbol": {"S": "AAPL"}, "timestamp": {"S": "2026-03-12T14:30:00Z"}}
    )
    aws.client("s3").put_object(Bucket=made.bucket_name, Key="raw-data/dt=2026-03-12/a.json.gz", Body=b"x")
    kinesis = aws.client("kinesis")
    put = kinesis.put_record(StreamName=made.stream_name, Data=b"quote", PartitionKey="AAPL")

    _, told = deploy(aws, "update", PriceMovePercent="7.5", AlertEmails="bob@example.org")
    assert {step.resource for step in told if step.status == "changed"} == {
        "StreamProcessor",
        "AirflowPolicy",  # it names the function, and is looked at again with it
        "AlertSubscriptionbobexampleorg",
    }
    function = aws.client("lambda").get_function_configuration(FunctionName=made.stream_processor_name)
    variables = function["Environment"]["Variables"]
    assert variables["PRICE_MOVE_PERCENT"] == "7.5"
    assert variables["ALERT_COOLDOWN_MINUTES"] == "20"
    subscriptions = aws.client("sns").list_subscriptions_by_topic(TopicArn=made.alert_topic_arn)["Subscriptions"]
    assert {one["Endpoint"] for one in subscriptions} == {"bob@example.org"}

    assert aws.client("dynamodb").scan(TableName=made.table_name)["Count"] == 1
    assert aws.client("s3").list_objects_v2(Bucket=made.bucket_name, Prefix="raw-data/")["KeyCount"] == 1
    iterator = kinesis.get_shard_iterator(
        StreamName=made.stream_name, ShardId=put["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    assert [record["Data"] for record in kinesis.get_records(ShardIterator=iterator)["Records"]] == [b"quote"]


def test_a_first_deployment_that_fails_names_its_reason_and_leaves_what_the_next_takes_over(
    aws: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    glue = aws.client("glue")
    glue.create_database(DatabaseInput={"Name": "clash"})
    late = CLASH.replace("Properties:", "DependsOn: [Bucket, DataTable, StateTable]\n    Properties:")
    monkeypatch.setattr(stack, "TEMPLATE", template_with(late, tmp_path))
    with pytest.raises(StackError) as failure:
        deploy(aws, "broken")
    monkeypatch.undo()
    assert "Clash (Glue database)" in str(failure.value)
    assert "already exists" in str(failure.value).lower()
    assert "removed again" in str(failure.value)
    assert status(aws, "broken") is None
    aws.client("s3").put_object(Bucket="broken-tapeline-000000000000-us-east-1", Key="raw-data/kept", Body=b"quote")

    glue.delete_database(Name="clash")
    made, _ = deploy(aws, "broken")
    assert made.database_name == "broken_stock_market"
    kept = aws.client("s3").get_object(Bucket=made.bucket_name, Key="raw-data/kept")
    assert kept["Body"].read() == b"quote"


@pytest.mark.parametrize("function", ["stream-processor", "trend-alerts"])
def test_a_stream_that_nobody_reads_for_a_quarter_of_an_hour_rings(aws: Clients, function: str) -> None:
    deploy(aws, "unread")
    cloudwatch = aws.client("cloudwatch")
    names = [f"unread-tapeline-{each}-unread" for each in ("stream-processor", "trend-alerts")]
    (mapping,) = aws.client("lambda").list_event_source_mappings(FunctionName=f"unread-stock-market-{function}")[
        "EventSourceMappings"
    ]

    def states_after_a_read(minutes_ago: float) -> dict[str, str]:
        read: Any = {
            "MetricName": "PolledEventCount",
            "Dimensions": [{"Name": "EventSourceMappingUUID", "Value": mapping["UUID"]}],
            "Timestamp": datetime.now(UTC) - timedelta(minutes=minutes_ago),
            "Value": 0,
        }
        cloudwatch.put_metric_data(Namespace="AWS/Lambda", MetricData=[read])
        found = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
        return {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}

    own = f"unread-tapeline-{function}-unread"
    assert states_after_a_read(20)[own] == "ALARM"
    assert states_after_a_read(10)[own] == "OK"
    assert "ALARM" not in states_after_a_read(0).values()


def test_an_update_that_fails_names_resource_and_reason_and_is_rolled_back(
    aws: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = deploy(aws, "rollback")
    aws.client("glue").create_database(DatabaseInput={"Name": "clash"})
    monkeypatch.setattr(stack, "TEMPLATE", template_with(CLASH, tmp_path))
    with pytest.raises(StackError, match=r"Clash \(Glue database\): .*; the former state is restored"):
        deploy(aws, "rollback", PriceMovePercent="9")
    assert status(aws, "rollback") == "UPDATE_ROLLBACK_COMPLETE"
    function = aws.client("lambda").get_function_configuration(FunctionName=made.stream_processor_name)
    assert function["Environment"]["Variables"]["PRICE_MOVE_PERCENT"] == "5"

    monkeypatch.undo()
    deploy(aws, "rollback", PriceMovePercent="9")
    assert status(aws, "rollback") == "UPDATE_COMPLETE"


def test_a_stack_whose_first_creation_was_rolled_back_by_another_tool_is_cleared_away(aws: Clients) -> None:
    cloudformation = aws.client("cloudformation")
    aws.client("glue").create_database(DatabaseInput={"Name": "taken"})
    cloudformation.create_stack(
        StackName="leftover",
        TemplateBody="Resources:\n  D:\n    Type: AWS::Glue::Database\n    Properties:\n"
        '      CatalogId: "000000000000"\n      DatabaseInput: {Name: taken}\n',
    )
    with pytest.raises(Exception, match="Waiter StackCreateComplete failed"):
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName="leftover", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
    assert status(aws, "leftover") == "ROLLBACK_COMPLETE"
    made, _ = deploy(aws, "leftover")
    assert find_deployment(aws, "leftover").outputs == made


def test_a_resource_type_that_the_laptop_would_ignore_is_refused(
    aws: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = "  Board:\n    Type: AWS::QuickSight::Dashboard\n    Properties: { DashboardId: d, Name: n }\n"
    monkeypatch.setattr(stack, "TEMPLATE", template_with(unknown, tmp_path))
    with pytest.raises(StackError, match="AWS::QuickSight::Dashboard"):
        deploy(aws, "unknown")
    assert status(aws, "unknown") is None


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        ("PriceMovePercent", "-1", "PriceMovePercent"),
        ("AlertEmails", "no address", "e-mail addresses separated by commas"),
        ("BatchSize", "10001", "BatchSize"),
        ("RuleThresholds", "band_break=3", "JSON with a number of 0 or more per rule"),
        ("RuleThresholds", '{"flash_crash": 3}', "there is no rule flash_crash; there are band_break, "),
        ("NoSuchParameter", "1", "there is no NoSuchParameter; there are AlertCooldownMinutes, "),
    ],
)
def test_a_value_outside_its_range_is_refused_before_anything_is_made(
    aws: Clients, parameter: str, value: str, said: str
) -> None:
    with pytest.raises(StackError, match=said):
        deploy(aws, "refused", **{parameter: value})
    assert status(aws, "refused") is None


def test_destroying_keeps_the_data_and_the_next_deployment_takes_it_over(aws: Clients) -> None:
    made, _ = deploy(aws, "again")
    aws.client("s3").put_object(Bucket=made.bucket_name, Key="raw-data/dt=2026-03-12/a.json.gz", Body=b"x")
    aws.client("dynamodb").put_item(TableName=made.state_table_name, Item={"key": {"S": "symbol#AAPL"}})

    kept, told = destroy(aws, "again")
    assert told.of("Bucket") == told.of("DataTable") == told.of("StateTable") == ["kept"]
    assert kept == (
        f"bucket {made.bucket_name}",
        "bucket again-tapeline-artifacts-000000000000-us-east-1",
        f"table {made.table_name}",
        f"table {made.state_table_name}",
    )
    with pytest.raises(StackError, match=r"no stack named again in us-east-1 .*; make it with `tapeline deploy`"):
        find_deployment(aws, "again")
    assert aws.client("kinesis").list_streams()["StreamNames"].count(made.stream_name) == 0

    restored, told = deploy(aws, "again")
    assert restored == made
    assert all("taken over" in told.of(resource) for resource in ("Bucket", "DataTable", "StateTable"))
    assert aws.client("s3").list_objects_v2(Bucket=made.bucket_name)["KeyCount"] == 1
    assert aws.client("dynamodb").scan(TableName=made.state_table_name)["Count"] == 1


def test_destroying_with_the_data_leaves_nothing_not_even_old_versions(aws: Clients) -> None:
    made, _ = deploy(aws, "gone", KeepOldVersions="true")
    s3 = aws.client("s3")
    for body in (b"one", b"two"):
        s3.put_object(Bucket=made.bucket_name, Key="raw-data/dt=2026-03-12/a.json.gz", Body=body)
    s3.delete_object(Bucket=made.bucket_name, Key="raw-data/dt=2026-03-12/a.json.gz")

    kept, _ = destroy(aws, "gone", delete_data=True)
    assert kept == ()
    assert not [bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if bucket["Name"].startswith("gone-")]
    assert not [name for name in aws.client("dynamodb").list_tables()["TableNames"] if name.startswith("gone-")]
    kept, told = destroy(aws, "gone", delete_data=True)
    assert (kept, told) == ((), [])


def test_data_that_an_earlier_stack_left_can_be_removed_by_its_prefix(aws: Clients) -> None:
    deploy(aws, "left")
    destroy(aws, "left")
    kept = stack.destroy(aws, Told().append, stack_name="left", name_prefix="left-", delete_data=True)
    assert kept == ()
    assert not [name for name in aws.client("dynamodb").list_tables()["TableNames"] if name.startswith("left-")]


def test_what_the_laptop_leaves_out_of_the_template_is_what_the_documentation_says(aws: Clients) -> None:
    made, _ = deploy(aws, "less")
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        aws.client("s3").get_bucket_lifecycle_configuration(Bucket=made.bucket_name)
    backups = aws.client("dynamodb").describe_continuous_backups(TableName=made.table_name)
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "DISABLED"
    stream = aws.client("kinesis").describe_stream_summary(StreamName=made.stream_name)["StreamDescriptionSummary"]
    assert stream["EncryptionType"] == "NONE"

    said = (PROJECT / "docs" / "deploy.md").read_text()
    assert "no lifecycle, no point-in-time recovery and no encryption" in said


def test_a_deployment_cannot_be_renamed(aws: Clients) -> None:
    deploy(aws, "name")
    with pytest.raises(StackError, match=r"has the name prefix 'name-'.*deploy under another stack name instead"):
        stack.deploy(aws, {"NamePrefix": "other-"}, Told().append, stack_name="name")


def test_an_address_given_twice_gets_one_subscription(aws: Clients) -> None:
    made, _ = deploy(aws, "twice", AlertEmails="ann@example.org, Ann@example.org,ann@example.org,bob@example.org")
    subscriptions = aws.client("sns").list_subscriptions_by_topic(TopicArn=made.alert_topic_arn)["Subscriptions"]
    assert sorted(one["Endpoint"] for one in subscriptions) == ["ann@example.org", "bob@example.org"]


@pytest.mark.parametrize(
    ("first", "second"),
    [("a.b@x.io", "ab@x.io"), ("a-b@x.io", "a_b@x.io"), ("ab@x.io", "a@bx.io"), ("a+b@x.io", "ab@x.i.o")],
)
@pytest.mark.parametrize("parameter", ["AlertEmails", "OperationsEmails"])
def test_addresses_that_cloudformation_cannot_tell_apart_are_refused_at_once(
    aws: Clients, parameter: str, first: str, second: str
) -> None:
    with pytest.raises(StackError, match=f"{re.escape(first)} and {re.escape(second)} cannot both be parameters"):
        deploy(aws, "apart", **{parameter: f"{first},{second}"})
    assert status(aws, "apart") is None


def test_two_deployments_see_their_own_alarms_alone(aws: Clients) -> None:
    """Whatever their prefixes: the alarms of the second begin with those of the first's prefix."""
    cloudwatch = aws.client("cloudwatch")
    for name in ("mine", "mine-tapeline"):
        deploy(aws, name)
    deployments = {name: find_deployment(aws, name) for name in ("mine", "mine-tapeline")}
    for name in deployments:
        cloudwatch.set_alarm_state(
            AlarmName=f"{name}-tapeline-dead-letters", StateValue="ALARM", StateReason=f"a test of {name}"
        )
        found = _Reader(deployments[name], datetime.now(UTC)).alarms()
        assert found == [f"{name}-tapeline-dead-letters"]
    both = {name: _Reader(deployment, datetime.now(UTC)).alarms() for name, deployment in deployments.items()}
    assert both == {name: [f"{name}-tapeline-dead-letters"] for name in deployments}


def test_a_deployment_that_takes_the_data_over_and_then_fails_keeps_them(
    aws: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = deploy(aws, "again")
    aws.client("s3").put_object(Bucket=made.bucket_name, Key="raw-data/kept", Body=b"quote")
    key = {"symbol": {"S": "AAPL"}, "timestamp": {"S": "2026-03-12T14:30:00Z"}}
    aws.client("dynamodb").put_item(TableName=made.table_name, Item=key)
    destroy(aws, "again")

    with suppress(aws.client("glue").exceptions.AlreadyExistsException):
        aws.client("glue").create_database(DatabaseInput={"Name": "clash"})
    late = CLASH.replace("Properties:", "DependsOn: [Bucket, DataTable, StateTable]\n    Properties:")
    monkeypatch.setattr(stack, "TEMPLATE", template_with(late, tmp_path))
    with pytest.raises(StackError, match="Clash"):
        deploy(aws, "again")
    monkeypatch.undo()
    for _ in range(2):  # as it was left, and taken over by the next
        body = aws.client("s3").get_object(Bucket=made.bucket_name, Key="raw-data/kept")["Body"].read()
        assert body == b"quote"
        assert aws.client("dynamodb").get_item(TableName=made.table_name, Key=key)["Item"] == key
        deploy(aws, "again")
