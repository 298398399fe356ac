"""Clients for AWS, in the cloud or on the laptop: one choice, made here, and the same calls everywhere."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
from botocore.config import Config

from tapeline.aws import local

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

TARGETS = ("local", "aws")

CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 5},
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=32,
    user_agent_extra="tapeline",
)

LOCAL_CONFIG = CONFIG.merge(
    Config(
        proxies={},  # a proxy for the outside world has no business with our own machine
        s3={"addressing_style": "path"},  # there is no host of a bucket's name, as between containers
    )
)


class Clients:
    """Clients of one target, made once each; safe to share between threads.

    The region is empty if nothing names one, and then making a client fails. The endpoint is that of the local AWS; in
    the cloud it is None, for there each service has its own.
    """

    def __init__(self, target: str, region: str, make: Callable[[str], Any], endpoint_url: str | None = None) -> None:
        self.target = target
        self.region = region
        self.endpoint_url = endpoint_url
        self._make = make
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    @overload
    def client(self, name: Literal["athena"]) -> AthenaClient: ...
    @overload
    def client(self, name: Literal["cloudformation"]) -> CloudFormationClient: ...
    @overload
    def client(self, name: Literal["cloudwatch"]) -> CloudWatchClient: ...
    @overload
    def client(self, name: Literal["dynamodb"]) -> DynamoDBClient: ...
    @overload
    def client(self, name: Literal["dynamodbstreams"]) -> DynamoDBStreamsClient: ...
    @overload
    def client(self, name: Literal["glue"]) -> GlueClient: ...
    @overload
    def client(self, name: Literal["iam"]) -> IAMClient: ...
    @overload
    def client(self, name: Literal["kinesis"]) -> KinesisClient: ...
    @overload
    def client(self, name: Literal["lambda"]) -> LambdaClient: ...
    @overload
    def client(self, name: Literal["s3"]) -> S3Client: ...
    @overload
    def client(self, name: Literal["sns"]) -> SNSClient: ...
    @overload
    def client(self, name: Literal["sqs"]) -> SQSClient: ...
    @overload
    def client(self, name: Literal["sts"]) -> STSClient: ...
    @overload
    def client(self, name: str) -> Any: ...
    def client(self, name: str) -> Any:
        """Return the boto3 client of a service, such as ``kinesis``."""
        with self._lock:
            if name not in self._clients:
                self._clients[name] = self._make(name)
            return self._clients[name]


def connect(target: str | None = None, signer: local.Credentials | None = None) -> Clients:
    """Return the clients of the laptop's AWS or of the real one.

    Parameters
    ----------
    target : str, optional
        ``local`` signs with the key pair in the state folder and calls the local endpoint; ``aws`` uses boto3's own
        chain (environment, profile, role). By default what TAPELINE_TARGET says, else ``local``.
    signer : Credentials, optional
        On the laptop, a user other than the owner.

    Raises
    ------
    ValueError
        If there is no such target.
    """
    target = target or os.environ.get("TAPELINE_TARGET") or "local"
    if target not in TARGETS:
        raise ValueError(f"target must be one of {', '.join(TARGETS)}, found {target!r}")
    if target == "aws":
        chain = boto3.Session()
        return Clients(target, chain.region_name or "", partial(chain.client, config=CONFIG))
    signer = signer or local.credentials()
    boto_session = boto3.Session(signer.access_key_id, signer.secret_access_key, region_name=local.REGION)
    make = partial(boto_session.client, endpoint_url=local.endpoint(), config=LOCAL_CONFIG)
    return Clients(target, local.REGION, make, local.endpoint())
