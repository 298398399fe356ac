"""What cfn-lint does not check."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from tapeline.aws import deployment
from tapeline.aws.deployment import StackOutputs
from tapeline.deploy import stack
from tapeline.deploy.artifacts import Names
from tapeline.market import quotes
from tapeline.operations.watch import AGREED_COLUMNS
from tapeline.stream.notifications import MEMORY
from tapeline.stream.settings import FeedWatchSettings, StreamProcessorSettings, TrendAlertsSettings
from tests.infra.policies import load_template, rendered

MAX_TEMPLATE_BYTES = 1_000_000
"""Longest template that CloudFormation reads from a bucket (CloudFormation User Guide, quotas)."""

ALLOWED_ON_ALL_RESOURCES = {
    "WatchMappings": {"lambda:ListEventSourceMappings"},
    "ListTableStreams": {"dynamodb:ListStreams"},
    "MeasureCrawl": {"glue:GetCrawlerMetrics"},
    "OpenConsole": {"athena:ListDataCatalogs", "athena:ListEngineVersions", "athena:ListWorkGroups"},
    "WatchMetrics": {"cloudwatch:GetMetricData"},
}
"""Actions for which the Service Authorization Reference names no resource type."""


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return load_template()


def resources(template: dict[str, Any], kind: str) -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if isinstance(resource, dict) and resource["Type"] == kind
    }


def statements(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, role in resources(template, "AWS::IAM::Role").items():
        for policy in role["Policies"]:
            yield from ((name, statement) for statement in policy["PolicyDocument"]["Statement"])
    for name, policy in resources(template, "AWS::IAM::ManagedPolicy").items():
        yield from ((name, statement) for statement in policy["PolicyDocument"]["Statement"])


def actions(statement: dict[str, Any]) -> set[str]:
    listed = statement["Action"]
    return {listed} if isinstance(listed, str) else set(listed)


def test_no_role_or_policy_allows_an_action_by_a_wildcard(template: dict[str, Any]) -> None:
    found = list(statements(template))
    assert len(found) > 20
    assert not [(name, action) for name, one in found for action in actions(one) if "*" in action]


def test_only_actions_that_know_no_resource_are_allowed_on_all(template: dict[str, Any]) -> None:
    on_all = [one for _, one in statements(template) if one["Resource"] == "*"]
    assert {one["Sid"] for one in on_all} == set(ALLOWED_ON_ALL_RESOURCES)
    assert all(actions(one) <= ALLOWED_ON_ALL_RESOURCES[one["Sid"]] for one in on_all)


def test_roles_use_no_managed_policies_and_no_functions_share_one(template: dict[str, Any]) -> None:
    assert not [name for name, role in resources(template, "AWS::IAM::Role").items() if "ManagedPolicyArns" in role]
    roles = [function["Role"]["Fn::GetAtt"][0] for function in resources(template, "AWS::Lambda::Function").values()]
    assert len(set(roles)) == len(roles) == 3


def test_every_function_logs_to_a_group_of_its_own_that_forgets(template: dict[str, Any]) -> None:
    groups = resources(template, "AWS::Logs::LogGroup")
    used = [
        function["LoggingConfig"]["LogGroup"]["Ref"]
        for function in resources(template, "AWS::Lambda::Function").values()
    ]
    assert sorted(used) == sorted(groups)
    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups.values())


def test_no_mapping_retries_for_ever_or_drops_what_it_gives_up(template: dict[str, Any]) -> None:
    mappings = resources(template, "AWS::Lambda::EventSourceMapping")
    assert set(mappings) == {"StreamProcessorMapping", "TrendAlertsMapping"}
    for mapping in mappings.values():
        assert mapping["MaximumRetryAttempts"] == {"Ref": "MaximumRetryAttempts"}
        assert mapping["MaximumRecordAgeInSeconds"] == {"Ref": "MaximumRecordAgeSeconds"}
        assert mapping["BisectBatchOnFunctionError"] is True
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["Bucket", "Arn"]}
        assert mapping["StartingPosition"] == "TRIM_HORIZON"
    # Lambda keeps the order of a partition key: the symbol on the stream of quotes, but a single quote on the table's.
    assert mappings["StreamProcessorMapping"]["ParallelizationFactor"] == {"Ref": "ParallelizationFactor"}
    assert mappings["TrendAlertsMapping"]["ParallelizationFactor"] == 1
    assert all(template["Parameters"][name]["MinValue"] >= 0 for name in ("MaximumRetryAttempts",))


def test_every_alarm_reaches_operations_and_says_what_to_do(template: dict[str, Any]) -> None:
    alarms = resources(template, "AWS::CloudWatch::Alarm")
    assert {alarm["MetricName"] for alarm in alarms.values()} == {
        "ApproximateNumberOfMessagesVisible",
        "DestinationDeliveryFailures",
        "Errors",
        "InternalErrors",
        "IteratorAge",
        "PolledEventCount",
        "Throttles",
        "WriteProvisionedThroughputExceeded",
    }
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "OperationsTopic"}]
        absence_is_bad = alarm["MetricName"] == "PolledEventCount"
        assert alarm["TreatMissingData"] == ("breaching" if absence_is_bad else "notBreaching")
        assert len(alarm["AlarmDescription"]) > 40


@pytest.mark.parametrize("metric", ["DestinationDeliveryFailures", "Errors", "IteratorAge", "Throttles"])
def test_each_function_on_a_stream_has_an_alarm_for_each_way_to_lose_a_batch(
    template: dict[str, Any], metric: str
) -> None:
    alarms = resources(template, "AWS::CloudWatch::Alarm").values()
    for mapping in resources(template, "AWS::Lambda::EventSourceMapping").values():
        watched = [{"Name": "FunctionName", "Value": mapping["FunctionName"]}]
        (alarm,) = [one for one in alarms if one["MetricName"] == metric and one["Dimensions"] == watched]
        assert alarm["Namespace"] == "AWS/Lambda"
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
        if metric == "IteratorAge":
            assert (alarm["Statistic"], alarm["Threshold"]) == ("Maximum", {"Ref": "IteratorAgeAlarmMilliseconds"})
        else:
            assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 0)


def test_each_mapping_has_an_alarm_that_rings_when_nobody_reads_its_stream(template: dict[str, Any]) -> None:
    alarms = resources(template, "AWS::CloudWatch::Alarm").values()
    for name, mapping in resources(template, "AWS::Lambda::EventSourceMapping").items():
        assert mapping["MetricsConfig"] == {"Metrics": ["EventCount"]}, "without it Lambda does not measure that"
        watched = [{"Name": "EventSourceMappingUUID", "Value": {"Ref": name}}]
        (alarm,) = [one for one in alarms if one["Dimensions"] == watched]
        judged = (alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"])
        assert judged == ("SampleCount", "LessThanThreshold", 1)


def test_no_metric_is_shared_with_another_deployment_of_the_account(template: dict[str, Any]) -> None:
    services = set()
    for name, function in resources(template, "AWS::Lambda::Function").items():
        service = function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        assert str(service["Fn::Sub"]).startswith("${NamePrefix}"), name
        services.add(service["Fn::Sub"])
    assert len(services) == 3
    for name, alarm in resources(template, "AWS::CloudWatch::Alarm").items():
        (dimension,) = alarm["Dimensions"]
        if dimension["Name"] == "service":
            assert dimension["Value"]["Fn::Sub"] in services, name
        else:
            assert dimension["Value"].keys() & {"Ref", "Fn::GetAtt"}, name
        assert alarm["AlarmName"]["Fn::Sub"].startswith("${NamePrefix}"), name


def test_an_alert_is_remembered_as_long_as_a_redrive_may_bring_it_again(template: dict[str, Any]) -> None:
    queue = resources(template, "AWS::SQS::Queue")["DeadLetterQueue"]
    assert timedelta(seconds=queue["MessageRetentionPeriod"]) + timedelta(days=1) < MEMORY


def test_a_lost_batch_rings_at_the_first_minute(template: dict[str, Any]) -> None:
    alarms = resources(template, "AWS::CloudWatch::Alarm").values()
    lost = [one for one in alarms if one["MetricName"] == "DestinationDeliveryFailures"]
    assert [(one["Period"], one["EvaluationPeriods"]) for one in lost] == [(60, 1), (60, 1)]
    assert len({one["AlarmName"]["Fn::Sub"] for one in lost}) == 2


def test_only_bucket_and_tables_outlive_the_stack_and_their_names_can_be_written_out(template: dict[str, Any]) -> None:
    kept = {
        name
        for name, resource in template["Resources"].items()
        if isinstance(resource, dict) and resource.get("DeletionPolicy") == "Retain"
    }
    assert kept == {"Bucket", "DataTable", "StateTable"}
    names = Names("dev-", "123456789012", "eu-west-1")
    sent = stack._with_literal_names(stack.TEMPLATE.read_text(), names)
    written = re.findall(r"^ +(?:BucketName|TableName): (\S+)$", sent, re.MULTILINE)
    assert written == ["dev-stock-market-data", "dev-stock-market-state", "dev-tapeline-123456789012-eu-west-1"]
    assert sorted(written) == sorted([names.bucket, *names.tables])


def test_outputs_are_those_that_the_commands_read(template: dict[str, Any]) -> None:
    outputs = template["Outputs"]
    assert {deployment._snake_case(name) for name in outputs} == {field.name for field in fields(StackOutputs)}
    assert all(output["Description"] for output in outputs.values())


def test_every_parameter_is_described_and_grouped(template: dict[str, Any]) -> None:
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(template["Parameters"])
    for parameter in template["Parameters"].values():
        assert parameter["Description"]
        if parameter["Type"] == "Number":
            assert {"MinValue", "AllowedValues"} & parameter.keys()


def environment(template: dict[str, Any], function: str) -> dict[str, str]:
    """The function's environment with every parameter at its default, and any other reference as its name."""
    variables = resources(template, "AWS::Lambda::Function")[function]["Environment"]["Variables"]

    def default(name: str) -> str:
        return str(template["Parameters"].get(name, {}).get("Default", name))

    def written(value: str | dict[str, str]) -> str:
        if isinstance(value, str):
            return value
        if "Ref" in value:
            return default(value["Ref"])
        return re.sub(r"\$\{(\w+)\}", lambda part: default(part[1]), value["Fn::Sub"])

    return {name: written(value) for name, value in variables.items()}


def test_the_functions_settings_can_be_read_from_their_environments(template: dict[str, Any]) -> None:
    processor = StreamProcessorSettings.from_environment(environment(template, "StreamProcessor"))
    assert (processor.table_name, processor.state_table_name, processor.bucket_name) == (
        "DataTable",
        "StateTable",
        "Bucket",
    )
    assert processor.quote_retention.days == 30
    assert str(processor.rules.thresholds["price_move"]) == "5"
    assert processor.rules.alert_cooldown.total_seconds() == 900
    alerts = TrendAlertsSettings.from_environment(environment(template, "TrendAlerts"))
    assert (alerts.alert_topic_arn, alerts.state_table_name) == ("AlertTopic", "StateTable")
    assert FeedWatchSettings.from_environment(environment(template, "FeedWatch")) == FeedWatchSettings(
        "StateTable", "DeadLetterQueue", "AlertTopic", "OperationsTopic"
    )


def test_the_raw_table_has_the_fields_of_a_quote_in_their_types(template: dict[str, Any]) -> None:
    table = resources(template, "AWS::Glue::Table")["RawTable"]["TableInput"]
    columns = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
    texts = ("symbol", "timestamp", "source", "ingested_at")
    dollars = ("open", "high", "low", "price", "previous_close")
    added = {"revision": "bigint", "suspect": "array<string>"} | dict.fromkeys(("shard", "sequence"), "string")
    assert columns == (
        dict.fromkeys((*texts, "doubt", "confirms"), "string")
        | dict.fromkeys(dollars, "double")
        | {"volume": "bigint"}
        | added
    )
    assert columns == AGREED_COLUMNS
    assert tuple(columns)[:10] == quotes.FIELD_NAMES
    paths = table["StorageDescriptor"]["SerdeInfo"]["Parameters"]["paths"]
    assert paths.split(",") == sorted(columns)
    assert [key["Name"] for key in table["PartitionKeys"]] == ["dt"]


def test_the_template_is_as_small_as_cloudformation_reads_from_a_bucket_and_all_of_it_is_sent(
    template: dict[str, Any],
) -> None:
    sent = stack._with_literal_names(stack.TEMPLATE.read_text(), Names("", "123456789012", "eu-west-1"))
    assert len(sent.encode()) <= MAX_TEMPLATE_BYTES
    for name, resource in load_template(sent)["Resources"].items():
        assert name in ("Bucket", "DataTable", "StateTable") or resource == template["Resources"][name]


def test_the_thresholds_of_rules_are_json_of_numbers(template: dict[str, Any]) -> None:
    pattern = re.compile(template["Parameters"]["RuleThresholds"]["AllowedPattern"])
    for text in ("{}", '{"band_break":3}', '{"band_break": 2.5, "price_move": 0}'):
        assert pattern.fullmatch(text)
    for text in (
        "",
        "band_break=3",
        '{"band_break": "3"}',
        '{"band_break": -3}',
        '{"band_break": 03}',
        '{"band_break": 3,}',
    ):
        assert not pattern.fullmatch(text)


@pytest.mark.parametrize("policy", ["AirflowPolicy", "AnalystPolicy"])
def test_who_may_query_may_look_at_the_default_database(template: dict[str, Any], policy: str) -> None:
    # Athena User Guide, "Fine-grained access to databases and tables in the AWS Glue Data Catalog": mandatory for each
    # caller, whatever the query names.
    statements = template["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"]
    (allowed,) = [one for one in statements if one["Sid"] == "LookAtDefaultDatabase"]
    assert set(allowed["Action"]) >= {"glue:GetDatabase", "glue:CreateDatabase"}
    prefix = "arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:"
    assert allowed["Resource"] == [{"Fn::Sub": f"{prefix}catalog"}, {"Fn::Sub": f"{prefix}database/default"}]


MANAGED_POLICY_CHARACTERS, ROLE_POLICY_CHARACTERS = 6_144, 10_240
"""Most that a managed policy and all inline policies of a role hold, white space not counted (IAM quotas)."""


def test_policies_fit_into_iam_with_room_for_long_names(template: dict[str, Any]) -> None:
    for name, document in rendered(template).items():
        kind = template["Resources"][name.partition("-")[0]]["Type"]
        length = len(json.dumps(document, separators=(",", ":")))
        if kind == "AWS::IAM::ManagedPolicy":
            assert length < 0.9 * MANAGED_POLICY_CHARACTERS, (name, length)
        elif kind == "AWS::IAM::Role":
            assert length < 0.9 * ROLE_POLICY_CHARACTERS, (name, length)
