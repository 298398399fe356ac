"""What a deployment keeps outside its stack: the bucket of template and code, and the data that outlives the stack."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tapeline.aws.clients import Clients
from tapeline.aws.deployment import StackError
from tapeline.deploy import lambda_zip
from tapeline.deploy.stack_events import OnProgress, Progress


@dataclass(frozen=True, slots=True)
class Names:
    """Names that must be known before the stack is made, or after it is gone."""

    prefix: str
    account: str
    region: str

    @classmethod
    def of(cls, clients: Clients, prefix: str) -> Names:
        """Return those of the account and region that these clients reach."""
        return cls(prefix, clients.client("sts").get_caller_identity()["Account"], clients.region)

    @property
    def artifacts(self) -> str:
        """The bucket of template and code."""
        return f"{self.prefix}tapeline-artifacts-{self.account}-{self.region}"

    @property
    def bucket(self) -> str:
        """The bucket of the data."""
        return f"{self.prefix}tapeline-{self.account}-{self.region}"

    @property
    def tables(self) -> Sequence[str]:
        """The tables of quotes and of states."""
        return (f"{self.prefix}stock-market-data", f"{self.prefix}stock-market-state")


class Artifacts:
    """The bucket that CloudFormation and Lambda read template and code from.

    Each object is named after its content, so that one that is there already need not be put again.
    """

    def __init__(self, clients: Clients, names: Names, on_progress: OnProgress) -> None:
        self._clients = clients
        self._s3 = clients.client("s3")
        self._names = names
        self._on_progress = on_progress

    def make_bucket(self) -> None:
        """Make the bucket, which has to be there before the stack that reads it."""
        bucket, region = self._names.artifacts, self._names.region
        if _bucket_exists(self._clients, bucket, self._names.account):
            return
        # us-east-1 is the one region that must not be named.
        where: Any = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
        self._s3.create_bucket(Bucket=bucket, **where)
        rights = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        closed: Any = dict.fromkeys(rights, True)
        self._s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=closed)
        if self._clients.target == "aws":
            self._s3.put_bucket_policy(Bucket=bucket, Policy=_tls_only_policy(bucket, self._s3.meta.partition))

    def put_template(self, template: str) -> str:
        """Put the template; return its URL, by which it may be 1 MB large, in a request only 51,200 bytes.

        See "Quotas" in the CloudFormation User Guide.
        """
        body = template.encode()
        key = f"template-{hashlib.sha256(body).hexdigest()[:16]}.yaml"
        self._put(key, lambda: body)
        return f"{self._s3.meta.endpoint_url}/{self._names.artifacts}/{key}"

    def put_code(self) -> dict[str, str]:
        """Put the functions' zips; return the parameters of the template that say where they are."""
        parameters = {"ArtifactBucket": self._names.artifacts}
        for function, code in lambda_zip.build_all().items():
            if self._put(code.key, code.path.read_bytes):
                size = f"{code.path.stat().st_size / 1e6:.1f} MB"
                self._on_progress(Progress(code.path.name, "Lambda code", "made", size))
            parameters[f"{function.title().replace('_', '')}Key"] = code.key  # StreamProcessorKey and so on
        return parameters

    def _put(self, key: str, read: Callable[[], bytes]) -> bool:
        """Put an object, unless it is there; return whether it was put."""
        place: Any = {"Bucket": self._names.artifacts, "Key": key, "ExpectedBucketOwner": self._names.account}
        if _exists(lambda: self._s3.head_object(**place)):
            return False
        self._s3.put_object(**place, Body=read())
        return True


def left(clients: Clients, names: Names) -> tuple[list[str], list[str]]:
    """Return the buckets and the tables that outlive a stack and are there."""
    dynamodb = clients.client("dynamodb")
    buckets = [bucket for bucket in (names.bucket, names.artifacts) if _bucket_exists(clients, bucket, names.account)]
    tables = [table for table in names.tables if _exists(lambda: dynamodb.describe_table(TableName=table))]  # noqa: B023 - called at once
    return buckets, tables


def delete_bucket(clients: Clients, bucket: str, on_progress: OnProgress) -> None:
    """Delete a bucket with every object and version; raise StackError if one cannot be deleted."""
    s3 = clients.client("s3")
    count = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if not versions:
            continue
        objects: Any = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if errors := answer.get("Errors"):
            first = errors[0]
            raise StackError(f"bucket {bucket}: {len(errors)} objects stay, {first.get('Key')}: {first.get('Message')}")
        count += len(versions)
        on_progress(Progress(bucket, "S3 bucket", "removing", f"{count:,} objects and versions removed"))
    s3.delete_bucket(Bucket=bucket)
    on_progress(Progress(bucket, "S3 bucket", "removed", f"with {count:,} objects and versions"))


def _tls_only_policy(bucket: str, partition: str) -> str:
    arn = f"arn:{partition}:s3:::{bucket}"
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _bucket_exists(clients: Clients, bucket: str, account: str) -> bool:
    return _exists(lambda: clients.client("s3").head_bucket(Bucket=bucket, ExpectedBucketOwner=account))


def _exists(look: Callable[[], object]) -> bool:
    try:
        look()
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchBucket", "ResourceNotFoundException"}:
            return False
        raise
    return True
