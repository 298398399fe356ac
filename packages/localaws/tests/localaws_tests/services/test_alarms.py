"""Alarms on the laptop ring for their own metric, as often as AWS would."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from localaws.clients import Clients

ALARM = {
    "Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1,
    "Threshold": 0, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
}  # fmt: skip


@pytest.fixture
def cloudwatch(aws: Clients) -> Any:
    return aws.client("cloudwatch")


def dimensions(**named: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in named.items()]


def put(cloudwatch: Any, value: float, age: float = 0, metric: str = "Errors", **named: str) -> None:
    datum = {"MetricName": metric, "Value": value, "Dimensions": dimensions(**named), "Timestamp": time.time() - age}
    cloudwatch.put_metric_data(Namespace="AWS/Lambda", MetricData=[datum])


def states(cloudwatch: Any, *names: str) -> list[str]:
    alarms = cloudwatch.describe_alarms(AlarmNames=list(names))["MetricAlarms"]
    by_name = {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms}
    return [by_name[name] for name in names]


def test_an_alarm_rings_for_its_own_dimensions_alone(cloudwatch: Any) -> None:
    for name, own in {
        "d-a": {"FunctionName": "a"},
        "d-b": {"FunctionName": "b"},
        "d-none": {},
        "d-both": {"FunctionName": "a", "Resource": "a"},
    }.items():
        cloudwatch.put_metric_alarm(AlarmName=name, Dimensions=dimensions(**own), **ALARM)
    put(cloudwatch, 0, FunctionName="b")
    put(cloudwatch, 3, FunctionName="a")
    assert states(cloudwatch, "d-a", "d-b", "d-none", "d-both") == ["ALARM", "OK", *["INSUFFICIENT_DATA"] * 2]
    put(cloudwatch, 1, Resource="a", FunctionName="a")
    put(cloudwatch, 0)
    assert states(cloudwatch, "d-a", "d-b", "d-none", "d-both") == ["ALARM", "OK", "OK", "ALARM"]


def test_an_alarm_over_several_periods_wants_each_of_them(cloudwatch: Any) -> None:
    settings = {**ALARM, "EvaluationPeriods": 3, "Statistic": "Maximum", "Threshold": 10}
    cloudwatch.put_metric_alarm(AlarmName="p-3", Dimensions=dimensions(FunctionName="p"), **settings)
    cloudwatch.put_metric_alarm(
        AlarmName="p-2of3", DatapointsToAlarm=2, Dimensions=dimensions(FunctionName="p"), **settings
    )
    put(cloudwatch, 11, FunctionName="p")
    assert states(cloudwatch, "p-3", "p-2of3") == ["OK", "OK"]
    put(cloudwatch, 12, age=150, FunctionName="p")
    assert states(cloudwatch, "p-3", "p-2of3") == ["OK", "ALARM"]
    put(cloudwatch, 13, age=90, FunctionName="p")
    assert states(cloudwatch, "p-3", "p-2of3") == ["ALARM", "ALARM"]


@pytest.mark.parametrize(
    ("treatment", "state"),
    {"notBreaching": "OK", "breaching": "ALARM", "missing": "INSUFFICIENT_DATA", "ignore": "INSUFFICIENT_DATA"}.items(),
)
def test_missing_data_are_treated_as_the_alarm_says(cloudwatch: Any, treatment: str, state: str) -> None:
    name, own = f"m-{treatment}", dimensions(FunctionName=f"m-{treatment}")
    cloudwatch.put_metric_alarm(AlarmName=name, Dimensions=own, **{**ALARM, "TreatMissingData": treatment})
    put(cloudwatch, 5, age=3600, FunctionName=name)
    assert states(cloudwatch, name) == [state]


@pytest.mark.parametrize(
    ("comparison", "low", "high"),
    [
        ("GreaterThanOrEqualToThreshold", "OK", "ALARM"),
        ("GreaterThanThreshold", "OK", "OK"),
        ("LessThanThreshold", "ALARM", "OK"),
        ("LessThanOrEqualToThreshold", "ALARM", "ALARM"),
    ],
)
def test_thresholds(cloudwatch: Any, comparison: str, low: str, high: str) -> None:
    settings = {**ALARM, "Threshold": 5, "ComparisonOperator": comparison}
    for name, value in (("low", 4), ("high", 5)):
        function = f"{comparison}-{name}"
        cloudwatch.put_metric_alarm(AlarmName=function, Dimensions=dimensions(FunctionName=function), **settings)
        put(cloudwatch, value, FunctionName=function)
    assert states(cloudwatch, f"{comparison}-low", f"{comparison}-high") == [low, high]


def test_an_alarm_tells_its_topic_once(aws: Clients, cloudwatch: Any) -> None:
    topic = aws.client("sns").create_topic(Name="alarms")["TopicArn"]
    queue = aws.client("sqs").create_queue(QueueName="alarms")["QueueUrl"]
    arn = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    own = dimensions(FunctionName="told")
    cloudwatch.put_metric_alarm(AlarmName="told", Dimensions=own, AlarmActions=[topic], **ALARM)
    put(cloudwatch, 5, FunctionName="another")
    put(cloudwatch, 5, FunctionName="told")
    put(cloudwatch, 5, FunctionName="told")
    messages = aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)["Messages"]
    assert len(messages) == 1
    assert "told" in messages[0]["Body"]
