"""Every request is signed by someone who may make it."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import stat
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws.clients import Clients
from localaws.testing import LocalAws
from localaws_tests.services.conftest import deploy_function


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


def paths_of_the_base() -> list[str]:
    """Return what looks like a path among the constants of the base's router, and pages below each."""
    base = importlib.util.find_spec("ministack")
    assert base is not None
    assert base.origin is not None
    source = ast.parse(Path(base.origin).with_name("app.py").read_text())
    constants = {node.value for node in ast.walk(source) if isinstance(node, ast.Constant)}
    paths = {text for text in constants if isinstance(text, str) and re.fullmatch(r"/[\w./@-]*", text)}
    return sorted({path + more for path in paths for more in ("", "x", "/x/y/content", "/manifests/1")})


FORGED = (
    "AWS4-HMAC-SHA256 Credential=AKIAAAAAAAAAAAAAAAAA/20260101/us-east-1/s3/aws4_request, "
    "SignedHeaders=host, Signature=0"
)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_no_page_of_the_base_opens_without_a_signature(local_aws: LocalAws, method: str) -> None:
    paths = paths_of_the_base()
    assert {"/_ministack/reset", "/_ministack/lambda-code/x", "/health", "/v2/_catalog", "/oauth2/token"} < set(paths)
    opened = []
    with requests.Session() as session:
        for path in paths:
            for headers in ({}, {"Authorization": FORGED}, {"X-Amz-Target": "AWSGlue.GetTables"}):
                status = session.request(method, local_aws.endpoint + path, headers=headers).status_code
                if status != 403 and not ("Authorization" in headers and status in (400, 404)):
                    opened.append((path, headers, status))
    assert opened == []


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/?Action=ListTopics&Version=2010-03-31", "GET", 403),
        ("/_localaws/anything", "GET", 404),
        ("/_localaws/mail", "POST", 405),
        ("/_localaws/health", "GET", 200),
    ],
)
def test_pages_without_a_signature(local_aws: LocalAws, path: str, method: str, status: int) -> None:
    assert status_of(local_aws.endpoint + path, method) == status


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("glue", "get_databases", "MissingAuthenticationTokenException"),
        ("sns", "list_topics", "MissingAuthenticationToken"),
        ("s3", "list_buckets", "MissingAuthenticationToken"),
    ],
)
def test_an_unsigned_call_is_told_so(local_aws: LocalAws, service: Any, operation: str, code: str) -> None:
    unsigned: Any = boto3.client(
        service, endpoint_url=local_aws.endpoint, region_name="us-east-1", config=Config(signature_version=UNSIGNED)
    )
    assert code_of(getattr(unsigned, operation)) == code


def test_a_functions_code_is_where_the_signed_address_says(local_aws: LocalAws, aws: Clients) -> None:
    for name in ("code-a", "code-b"):
        deploy_function(aws, name, f"# {name}", actions=["logs:PutLogEvents"])
    location = aws.client("lambda").get_function(FunctionName="code-a")["Code"]["Location"]
    address = location.partition("?")[0]
    until, signature = re.findall(r"=(\w+)", location)
    assert status_of(location) == 200
    assert until.isdigit()
    later = f"{address}?X-Amz-Expires={int(until) + 1}&X-Amz-Signature={signature}"
    for url in (address, later, location.replace("code-a", "code-b"), location[:-1], f"{location}0"):
        assert status_of(url) == 403, url


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
