"""The bucket of template and code, in every partition of AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tapeline.aws.clients import Clients
from tapeline.deploy.artifacts import Artifacts, Names


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-east-1", "aws"), ("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_the_bucket_s_policy_names_it_as_its_partition_does(region: str, partition: str) -> None:
    session: Any = boto3.Session(region_name=region)
    clients = Clients("aws", region, session.client)
    names = Names("dev-", "123456789012", region)
    Artifacts(clients, names, lambda _: None).make_bucket()
    policy = clients.client("s3").get_bucket_policy(Bucket=names.artifacts)["Policy"]
    (statement,) = json.loads(policy)["Statement"]
    arn = f"arn:{partition}:s3:::dev-tapeline-artifacts-123456789012-{region}"
    assert statement["Resource"] == [arn, f"{arn}/*"]
