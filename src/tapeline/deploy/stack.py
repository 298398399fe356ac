"""Deploying Tapeline: one CloudFormation stack, made, changed and removed alike in the cloud and on the laptop.

Bucket and tables outlive the stack, so that removing it by mistake loses nothing. The next deploy takes them over
again: its change set imports what exists under a name that the template says literally, which is why the names are
written out here before the template is sent.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tapeline.aws import local
from tapeline.aws.clients import Clients
from tapeline.aws.deployment import DEFAULT_NAME, Deployment, StackError, find_deployment, find_stack
from tapeline.deploy import lambda_zip

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client

TEMPLATE = local.files("infra/template.yaml")
LOCAL_PARAMETERS = {
    "RequireTls": "false",
    "KeepOldVersions": "false",
    "BatchWindowSeconds": "1",
    "QuoteRetentionDays": "2",
}
"""What differs on the laptop: its endpoint is plain HTTP on the loopback, its S3 and DynamoDB hold old versions and old
quotes in memory, and nobody pays for smaller batches."""

QUIET_SECONDS = {"local": 60, "aws": 3600}
"""An operation without any event for so long is given up waiting for."""

_RETAINED_NAMES = re.compile(r"^(\s+(?:TableName|BucketName)): !Sub (.+)$", re.MULTILINE)
_COMMENT = re.compile(r"^ *(#.*)?\n", re.MULTILINE)
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
_NEVER_MADE = {"REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}
_CONSEQUENCES = ("Resource creation cancelled", "Resource update cancelled")
_REFUSED = "CloudFormation refuses the template or its parameters"
_VERBS = {"CREATE": "making", "UPDATE": "changing", "DELETE": "removing", "IMPORT": "taking over"}
_RESULTS = {"CREATE": "made", "UPDATE": "changed", "DELETE": "removed", "IMPORT": "taken over"}


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a deployment.

    Attributes
    ----------
    resource : str
        Its name in the template, such as ``DataTable``; or the stack's, or a file's.
    kind : str
        What it is: ``DynamoDB table``.
    status : str
        ``making``, ``made``, ``changing``, ``changed``, ``removing``, ``removed``, ``taking over``, ``taken over``,
        ``kept`` or ``failed``.
    reason : str
        Why, for a failure; mostly empty otherwise.
    """

    resource: str
    kind: str
    status: str
    reason: str = ""


OnProgress = Callable[[Progress], None]


def deploy(
    clients: Clients,
    parameters: Mapping[str, str],
    on_progress: OnProgress,
    *,
    stack_name: str = DEFAULT_NAME,
) -> Deployment:
    """Make the deployment, or bring it up to date; one that is up to date is left as it is.

    Parameters
    ----------
    clients : Clients
        Where.
    parameters : mapping of str to str
        Parameters of the template. One that is not given keeps its value, at first its default.
    on_progress : callable
        Told of each step.
    stack_name : str
        Several deployments in one account need several names, and each a NamePrefix.

    Raises
    ------
    StackError
        If it fails, with the resource and the reason. A first deployment is then removed, a later one rolled back.
    """
    cloudformation = clients.client("cloudformation")
    stack = _settled(clients, stack_name, on_progress)
    if stack and stack["StackStatus"] in _NEVER_MADE:
        _delete(clients, stack, on_progress)
        stack = None
    if stack and stack["StackStatus"] == "UPDATE_ROLLBACK_FAILED":
        raise StackError(
            f"stack {stack_name} could not be rolled back after a failed update: {stack.get('StackStatusReason', '')}; "
            f"remove the cause, then run `aws cloudformation continue-update-rollback --stack-name {stack_name}`"
        )
    known = {
        parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in (stack or {}).get("Parameters", [])
    }
    wanted = {**(LOCAL_PARAMETERS if clients.target == "local" else {}), **parameters}
    prefix = wanted.get("NamePrefix", known.get("NamePrefix", ""))
    if stack and prefix != known.get("NamePrefix", ""):
        raise StackError(
            f"stack {stack_name} has the name prefix {known.get('NamePrefix', '')!r}, and its data cannot be renamed "
            f"to {prefix!r}; deploy under another stack name instead"
        )
    names = _Names(prefix, clients.client("sts").get_caller_identity()["Account"], clients.region)
    template = _without_comments(_with_literal_names(TEMPLATE.read_text(), names))
    _check_known(cloudformation, template, wanted)
    wanted |= _upload_code(clients, names, on_progress)

    values: list[Any] = [{"ParameterKey": key, "ParameterValue": value} for key, value in wanted.items()]
    values += [{"ParameterKey": key, "UsePreviousValue": True} for key in known if key not in wanted]
    options: Any = {} if stack else {"OnStackFailure": "DELETE"}
    if clients.target == "local" and not stack:
        options["DisableValidation"] = True  # it mistakes a bucket that is to be taken over for a conflict of names
    try:
        change_set = cloudformation.create_change_set(
            StackName=stack_name,
            ChangeSetName=f"deploy-{uuid.uuid4()}",
            ChangeSetType="UPDATE" if stack else "CREATE",
            TemplateBody=template,
            Parameters=values,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            ImportExistingResources=True,
            Tags=[{"Key": "project", "Value": "tapeline"}],
            **options,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise StackError(f"{_REFUSED}: {error.response['Error']['Message']}") from error
    stack_id, change_set_id = change_set["StackId"], change_set["Id"]
    changes = _changes(clients, stack_id, change_set_id, is_new=stack is None)
    if changes:

        def on_change(step: Progress) -> None:
            if step.resource in changes or step.status == "failed":  # the laptop tells of unchanged resources too
                on_progress(step)

        seen = {event["EventId"] for event in _events(cloudformation, stack_id)}
        cloudformation.execute_change_set(StackName=stack_id, ChangeSetName=change_set_id)
        _follow(clients, stack_id, seen, on_change, {"CREATE_COMPLETE", "UPDATE_COMPLETE"})
    deployment = find_deployment(clients, stack_name)
    if clients.target == "local":
        _expire_items(deployment)
    return deployment


def destroy(
    clients: Clients,
    on_progress: OnProgress,
    *,
    delete_data: bool = False,
    stack_name: str = DEFAULT_NAME,
    name_prefix: str = "",
) -> tuple[str, ...]:
    """Remove the deployment.

    Parameters
    ----------
    clients : Clients
        Where.
    on_progress : callable
        Told of each step.
    delete_data : bool
        Remove the bucket with every object and version, the tables and the Lambdas' zips too. There is no way back.
    stack_name : str
        Which.
    name_prefix : str
        NamePrefix of a stack that is gone already and has left its data; otherwise the stack knows.

    Returns
    -------
    tuple of str
        What is left and goes on costing: bucket and tables, which the next deploy takes over again.

    Raises
    ------
    StackError
        If something cannot be removed, with the reason.
    """
    stack = _settled(clients, stack_name, on_progress)
    if stack:
        parameters = {
            parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack.get("Parameters", [])
        }
        name_prefix = parameters.get("NamePrefix", "")
        _delete(clients, stack, on_progress)
    names = _Names(name_prefix, clients.client("sts").get_caller_identity()["Account"], clients.region)

    s3 = clients.client("s3")
    buckets = [bucket for bucket in (names.bucket, names.artifacts) if _bucket_exists(s3, bucket, names.account)]
    tables = [table for table in names.tables if _table_exists(clients, table)]
    if not delete_data:
        kept = [*(f"bucket {bucket}" for bucket in buckets), *(f"table {table}" for table in tables)]
        return tuple(kept)
    for bucket in buckets:
        _delete_bucket(s3, bucket, on_progress)
    for table in tables:
        dynamodb = clients.client("dynamodb")
        dynamodb.delete_table(TableName=table)
        dynamodb.get_waiter("table_not_exists").wait(TableName=table, WaiterConfig={"Delay": 2, "MaxAttempts": 150})
        on_progress(Progress(table, "DynamoDB table", "removed"))
    return ()


@dataclass(frozen=True, slots=True)
class _Names:
    """Names that must be known before the stack is made, or after it is gone."""

    prefix: str
    account: str
    region: str

    @property
    def artifacts(self) -> str:
        return f"{self.prefix}tapeline-artifacts-{self.account}-{self.region}"

    @property
    def bucket(self) -> str:
        return f"{self.prefix}tapeline-{self.account}-{self.region}"

    @property
    def tables(self) -> Sequence[str]:
        return (f"{self.prefix}stock-market-data", f"{self.prefix}stock-market-state")


def _with_literal_names(template: str, names: _Names) -> str:
    values = {"NamePrefix": names.prefix, "AWS::AccountId": names.account, "AWS::Region": names.region}

    def write_out(match: re.Match[str]) -> str:
        name = re.sub(r"\$\{([\w:]+)\}", lambda part: values[part[1]], match[2])
        return f"{match[1]}: {name}"

    return _RETAINED_NAMES.sub(write_out, template)


def _without_comments(template: str) -> str:
    """Leave out lines that only a reader needs: a request carries 51,200 bytes."""
    return _COMMENT.sub("", template)


def _check_known(cloudformation: CloudFormationClient, template: str, parameters: Mapping[str, str]) -> None:
    known = [
        parameter["ParameterKey"] for parameter in cloudformation.validate_template(TemplateBody=template)["Parameters"]
    ]
    if unknown := sorted(set(parameters) - set(known)):
        raise StackError(f"{_REFUSED}: there is no {', '.join(unknown)}; there are {', '.join(sorted(known))}")


def _settled(clients: Clients, name: str, on_progress: OnProgress) -> Any | None:
    """Return the stack once nobody else is at work on it, None if there is none."""
    cloudformation = clients.client("cloudformation")
    stack = find_stack(cloudformation, name)
    if stack and stack["StackStatus"].endswith("_IN_PROGRESS") and stack["StackStatus"] != "REVIEW_IN_PROGRESS":
        on_progress(Progress(name, "stack", "waiting", f"another operation is under way: {stack['StackStatus']}"))
        _follow(clients, stack["StackId"], set(), on_progress, None)
        stack = find_stack(cloudformation, name)
    return stack


def _changes(clients: Clients, stack_id: str, change_set_id: str, *, is_new: bool) -> set[str]:
    """Wait until the change set is worked out; return the resources that it touches.

    Raises
    ------
    StackError
        If CloudFormation refuses it.
    """
    cloudformation = clients.client("cloudformation")
    paginator = cloudformation.get_paginator("describe_change_set")
    while True:
        pages = list(paginator.paginate(StackName=stack_id, ChangeSetName=change_set_id))
        if pages[0]["Status"] == "CREATE_COMPLETE":
            return {change["ResourceChange"]["LogicalResourceId"] for page in pages for change in page["Changes"]}
        if pages[0]["Status"] == "FAILED":
            break
        time.sleep(_pace(clients))
    reason = pages[0].get("StatusReason", "no reason given")
    cloudformation.delete_change_set(StackName=stack_id, ChangeSetName=change_set_id)
    if not is_new and any(phrase in reason for phrase in _NO_CHANGES):
        return set()
    if is_new:  # What is left is an empty stack under review.
        cloudformation.delete_stack(StackName=stack_id)
    raise StackError(f"{_REFUSED}: {reason}")


def _delete(clients: Clients, stack: Any, on_progress: OnProgress) -> None:
    cloudformation = clients.client("cloudformation")
    stack_id = stack["StackId"]
    seen = {event["EventId"] for event in _events(cloudformation, stack_id)}
    cloudformation.delete_stack(StackName=stack_id)
    _follow(clients, stack_id, seen, on_progress, {"DELETE_COMPLETE"})


def _follow(clients: Clients, stack_id: str, seen: set[str], on_progress: OnProgress, wanted: set[str] | None) -> None:
    """Tell of each event until the stack is at rest; it must then have a wanted status, if any is asked for."""
    cloudformation = clients.client("cloudformation")
    failure: str | None = None
    last_event = time.monotonic()
    while True:
        # Status first: whatever happened before it is then among the events.
        stack = find_stack(cloudformation, stack_id)
        status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
        for event in reversed([event for event in _events(cloudformation, stack_id) if event["EventId"] not in seen]):
            seen.add(event["EventId"])
            last_event = time.monotonic()
            step = _describe(event)
            if event["PhysicalResourceId"] != stack_id:
                on_progress(step)
            if step.status == "failed" and failure is None and not step.reason.startswith(_CONSEQUENCES):
                failure = f"{step.resource} ({step.kind}): {step.reason}"
        if not status.endswith("_IN_PROGRESS"):
            break
        if time.monotonic() - last_event > QUIET_SECONDS[clients.target]:
            raise StackError(f"the stack is {status}, and nothing has happened for {QUIET_SECONDS[clients.target]} s")
        time.sleep(_pace(clients))
    if wanted is not None and status not in wanted:
        after = {
            "DELETE_COMPLETE": "what it had made is removed again",
            "UPDATE_ROLLBACK_COMPLETE": "the former state is restored",
        }.get(status, f"the stack is {status}")
        raise StackError(f"{failure or 'CloudFormation gives no reason'}; {after}")


def _describe(event: Any) -> Progress:
    action, _, state = event["ResourceStatus"].removeprefix("UPDATE_ROLLBACK_").removeprefix("ROLLBACK_").partition("_")
    status = {"IN_PROGRESS": _VERBS.get(action, "working on"), "COMPLETE": _RESULTS.get(action, "done")}.get(state, "")
    if event["ResourceStatus"].endswith("FAILED"):
        status = "failed"
    if event["ResourceStatus"] == "DELETE_SKIPPED":
        status = "kept"
    kind = event["ResourceType"].removeprefix("AWS::").split("::")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind[-1]).lower()
    return Progress(
        event["LogicalResourceId"],
        f"{kind[0]} {words}",
        status or event["ResourceStatus"].lower(),
        event.get("ResourceStatusReason", ""),
    )


def _events(cloudformation: CloudFormationClient, stack_id: str) -> Iterator[Any]:
    """Yield the stack's events, the newest first."""
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        yield from page["StackEvents"]


def _pace(clients: Clients) -> float:
    """Return seconds between two looks; AWS limits how often one may ask."""
    return 0.2 if clients.target == "local" else 3.0


def _upload_code(clients: Clients, names: _Names, on_progress: OnProgress) -> dict[str, str]:
    """Put the functions' zips where CloudFormation finds them; return the parameters that say where."""
    s3 = clients.client("s3")
    _make_artifact_bucket(s3, names, tls_only=clients.target == "aws")
    zips = lambda_zip.build_all()
    for built in zips.values():
        if not _object_exists(s3, names.artifacts, built.key, names.account):
            s3.put_object(
                Bucket=names.artifacts, Key=built.key, Body=built.path.read_bytes(), ExpectedBucketOwner=names.account
            )
            on_progress(Progress(built.path.name, "Lambda code", "made", f"{built.path.stat().st_size / 1e6:.1f} MB"))
    return {
        "ArtifactBucket": names.artifacts,
        "StreamProcessorKey": zips["stream_processor"].key,
        "TrendAlertsKey": zips["trend_alerts"].key,
        "FeedWatchKey": zips["feed_watch"].key,
    }


def _make_artifact_bucket(s3: S3Client, names: _Names, *, tls_only: bool) -> None:
    """Make the bucket for zips, which has to be there before the stack whose functions read it."""
    bucket = names.artifacts
    if _bucket_exists(s3, bucket, names.account):
        return
    if names.region == "us-east-1":
        s3.create_bucket(Bucket=bucket)  # the one region that must not be named
    else:
        where: Any = {"LocationConstraint": names.region}
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    if tls_only:
        arn = f"arn:aws:s3:::{bucket}"
        statement = {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def _bucket_exists(s3: S3Client, bucket: str, account: str) -> bool:
    return _exists(lambda: s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=account))


def _object_exists(s3: S3Client, bucket: str, key: str, account: str) -> bool:
    return _exists(lambda: s3.head_object(Bucket=bucket, Key=key, ExpectedBucketOwner=account))


def _table_exists(clients: Clients, table: str) -> bool:
    return _exists(lambda: clients.client("dynamodb").describe_table(TableName=table))


def _exists(look: Callable[[], object]) -> bool:
    try:
        look()
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchBucket", "ResourceNotFoundException"}:
            return False
        raise
    return True


def _delete_bucket(s3: S3Client, bucket: str, on_progress: OnProgress) -> None:
    count = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if not found:
            continue
        objects: Any = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in found]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if errors := answer.get("Errors"):
            first = errors[0]
            raise StackError(f"bucket {bucket}: {len(errors)} objects stay, {first.get('Key')}: {first.get('Message')}")
        count += len(found)
        on_progress(Progress(bucket, "S3 bucket", "removing", f"{count:,} objects and versions removed"))
    s3.delete_bucket(Bucket=bucket)
    on_progress(Progress(bucket, "S3 bucket", "removed", f"with {count:,} objects and versions"))


def _expire_items(deployment: Deployment) -> None:
    """Turn on the expiry of items, which the laptop's CloudFormation leaves out and its DynamoDB does have."""
    dynamodb, outputs = deployment.client("dynamodb"), deployment.outputs
    for table in (outputs.table_name, outputs.state_table_name):
        if dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"] != "ENABLED":
            dynamodb.update_time_to_live(
                TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
            )
