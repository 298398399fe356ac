"""Every request is signed by someone who may make it."""

from __future__ import annotations

import json
import stat
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clients import Clients
from localaws.testing import LocalAws


def code_of(call: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def status_of(url: str, method: str = "GET") -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:  # noqa: S310 (our own)
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_only_the_owner_can_read_the_key_pair(local_aws: LocalAws) -> None:
    assert stat.S_IMODE((local_aws.folder / "credentials.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("key", ["test", "000000000000", "123456789012", "AKIAAAAAAAAAAAAAAAAA"])
def test_a_key_that_nobody_made_opens_nothing(local_aws: LocalAws, key: str) -> None:
    assert code_of(local_aws.client("kinesis", key, "test").list_streams) == "UnrecognizedClientException"
    assert code_of(local_aws.client("s3", key, "test").list_buckets) in ("InvalidAccessKeyId", "AccessDenied")


def test_the_roots_key_without_its_secret_opens_nothing(local_aws: LocalAws) -> None:
    key = json.loads((local_aws.folder / "credentials.json").read_text())["access_key_id"]
    assert code_of(local_aws.client("kinesis", key, "guessed").list_streams) == "InvalidSignatureException"
    assert code_of(local_aws.client("s3", key, "guessed").list_buckets) == "SignatureDoesNotMatch"


def test_a_user_may_do_what_its_policies_allow_and_nothing_else(local_aws: LocalAws, aws: Clients) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName="reader")
    statement = {"Effect": "Allow", "Action": "kinesis:ListStreams", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="reader", PolicyName="own", PolicyDocument=document)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    kinesis = local_aws.client("kinesis", key["AccessKeyId"], key["SecretAccessKey"])
    kinesis.list_streams()
    assert code_of(lambda: kinesis.create_stream(StreamName="x", ShardCount=1)) == "AccessDeniedException"


@pytest.mark.parametrize(
    ("alarms", "may"),
    [("*", True), ("arn:aws:cloudwatch:*:*:alarm:*", True), ("arn:aws:cloudwatch:*:*:alarm:x-*", False)],
)
def test_a_look_at_alarms_needs_all_alarms(local_aws: LocalAws, aws: Clients, alarms: str, may: bool) -> None:
    iam, user = aws.client("iam"), f"watcher-{len(alarms)}"
    iam.create_user(UserName=user)
    statement = {"Effect": "Allow", "Action": "cloudwatch:DescribeAlarms", "Resource": alarms}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=document)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    cloudwatch = local_aws.client("cloudwatch", key["AccessKeyId"], key["SecretAccessKey"])
    if may:
        assert cloudwatch.describe_alarms(AlarmNamePrefix="x-")["MetricAlarms"] == []
    else:
        assert "AccessDenied" in code_of(lambda: cloudwatch.describe_alarms(AlarmNamePrefix="x-"))


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/_ministack/reset", "POST", 403),
        ("/_ministack/config", "POST", 403),
        ("/_ministack/sqs/messages", "GET", 403),
        ("/_localstack/health", "GET", 403),
        ("/?Action=ListTopics&Version=2010-03-31", "GET", 403),
        ("/_localaws/anything", "GET", 404),
        ("/_localaws/mail", "POST", 405),
        ("/_ministack/health", "GET", 200),
    ],
)
def test_pages_without_a_signature_are_closed(local_aws: LocalAws, path: str, method: str, status: int) -> None:
    assert status_of(local_aws.endpoint + path, method) == status


def test_an_object_is_not_read_without_a_signature(local_aws: LocalAws, aws: Clients) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="private")
    s3.put_object(Bucket="private", Key="k", Body=b"secret")
    assert status_of(f"{local_aws.endpoint}/private/k") == 403


def test_it_listens_on_the_loopback_interface_only(local_aws: LocalAws) -> None:
    psutil = pytest.importorskip("psutil")
    (listening,) = [
        connection.laddr
        for connection in psutil.Process(local_aws.process.pid).net_connections()
        if connection.status == "LISTEN"
    ]
    assert (listening.ip, listening.port) == ("127.0.0.1", local_aws.port)


def test_a_condition_on_leading_keys_opens_those_keys_only(local_aws: LocalAws, aws: Clients) -> None:
    owner, iam = aws.client("dynamodb"), aws.client("iam")
    owner.create_table(
        TableName="notes",
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    iam.create_user(UserName="writer")
    statement = {
        "Effect": "Allow",
        "Action": ["dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:BatchWriteItem", "dynamodb:BatchGetItem"],
        "Resource": "*",
        "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["mine"]}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="writer", PolicyName="own", PolicyDocument=document)
    key = iam.create_access_key(UserName="writer")["AccessKey"]
    dynamodb = local_aws.client("dynamodb", key["AccessKeyId"], key["SecretAccessKey"])

    def calls(name: str) -> list[Any]:
        item: Any = {"key": {"S": name}}
        return [
            lambda: dynamodb.put_item(TableName="notes", Item=item),
            lambda: dynamodb.get_item(TableName="notes", Key=item),
            lambda: dynamodb.batch_write_item(RequestItems={"notes": [{"PutRequest": {"Item": item}}]}),
            lambda: dynamodb.batch_write_item(RequestItems={"notes": [{"DeleteRequest": {"Key": item}}]}),
            lambda: (
                dynamodb.batch_get_item(RequestItems={"notes": {"Keys": [{"key": {"S": "mine"}}, item]}})
                if name != "mine"
                else dynamodb.batch_get_item(RequestItems={"notes": {"Keys": [item]}})
            ),
        ]

    for call in calls("mine"):
        call()
    assert [code_of(call) for call in calls("yours")] == ["AccessDeniedException"] * 5
