"""Deploying Tapeline: one CloudFormation stack, made, changed and removed alike in the cloud and on the laptop.

Bucket and tables outlive the stack, so that removing it by mistake loses nothing. The next deploy takes them over
again: its change set imports what exists under a name that the template says literally, which is why the names are
written out here before the template is sent.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from tapeline.aws import local
from tapeline.aws.clients import Clients
from tapeline.aws.deployment import DEFAULT_NAME, Deployment, StackError, find_deployment, find_stack
from tapeline.aws.queues import UndeletedError
from tapeline.deploy.artifacts import Artifacts, Names, delete_bucket, left
from tapeline.deploy.pointers import dismiss, ensure
from tapeline.deploy.stack_events import OnProgress, Progress, follow, pace, past_events
from tapeline.market.rules import RULES, read_thresholds

TEMPLATE = local.files("infra/template.yaml")
LOCAL_PARAMETERS = {
    "RequireTls": "false",
    "KeepOldVersions": "false",
    "BatchWindowSeconds": "1",
    "QuoteRetentionDays": "2",
}
"""What differs on the laptop: its endpoint is plain HTTP on the loopback, its S3 and DynamoDB hold old versions and old
quotes in memory, and nobody pays for smaller batches."""

_RETAINED_NAMES = re.compile(r"^(\s+(?:TableName|BucketName)): !Sub (.+)$", re.MULTILINE)
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
_NEVER_MADE = {"REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}
_REFUSED = "CloudFormation refuses the template or its parameters"


def deploy(
    clients: Clients, parameters: Mapping[str, str], on_progress: OnProgress, *, stack_name: str = DEFAULT_NAME
) -> Deployment:
    """Make the deployment, or bring it up to date; one that is up to date is left as it is.

    A parameter of the template that is not given keeps its value, at first its default. Several deployments in one
    account need several names, and each a NamePrefix.

    Raises
    ------
    StackError
        If it fails, with the resource and the reason. A first deployment is then removed, a later one rolled back.
    """
    stack = _ready(clients, stack_name, on_progress)
    wanted = {**(LOCAL_PARAMETERS if clients.target == "local" else {}), **parameters}
    wanted |= {
        name: _distinct_addresses(wanted[name]) for name in ("AlertEmails", "OperationsEmails") if name in wanted
    }
    names = Names.of(clients, _name_prefix(stack, wanted))
    artifacts = Artifacts(clients, names, on_progress)
    artifacts.make_bucket()
    template_url = artifacts.put_template(_with_literal_names(TEMPLATE.read_text(), names))
    _check_known(clients, template_url, wanted)
    wanted |= artifacts.put_code()
    stack_id, change_set_id = _create_change_set(clients, stack_name, stack, template_url, wanted)
    changes = _changes(clients, stack_id, change_set_id, is_new=stack is None)
    if changes:

        def on_change(step: Progress) -> None:
            if step.resource in changes or step.status == "failed":  # the laptop reports unchanged ones too
                on_progress(step)

        seen = past_events(clients, stack_id)
        clients.client("cloudformation").execute_change_set(StackName=stack_id, ChangeSetName=change_set_id)
        follow(clients, stack_id, seen, on_change, {"CREATE_COMPLETE", "UPDATE_COMPLETE"})
    deployment = find_deployment(clients, stack_name)
    _set_pointers(deployment, on_progress, is_changed=bool(changes))
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
    """Remove the deployment; return what is left and goes on costing, which the next deploy takes over again.

    That is the bucket and the tables. To delete the data removes these too, with every object and version, and the
    artifact bucket: there is no way back. The NamePrefix is for a stack that is gone already and has left its data.

    Raises
    ------
    StackError
        If something cannot be removed, with the reason.
    """
    stack = _at_rest(clients, stack_name, on_progress)
    if stack:
        name_prefix = _parameters(stack).get("NamePrefix", "")
        _delete(clients, stack, on_progress)
    buckets, tables = left(clients, Names.of(clients, name_prefix))
    if not delete_data:
        return (*(f"bucket {bucket}" for bucket in buckets), *(f"table {table}" for table in tables))
    for bucket in buckets:
        delete_bucket(clients, bucket, on_progress)
    dynamodb = clients.client("dynamodb")
    for table in tables:
        dynamodb.delete_table(TableName=table)
        dynamodb.get_waiter("table_not_exists").wait(TableName=table, WaiterConfig={"Delay": 2, "MaxAttempts": 150})
        on_progress(Progress(table, "DynamoDB table", "removed"))
    return ()


def _ready(clients: Clients, name: str, on_progress: OnProgress) -> Any | None:
    """Return the stack that can be changed; None if there is none, also if what there was had never been made."""
    stack = _at_rest(clients, name, on_progress)
    if stack and stack["StackStatus"] in _NEVER_MADE:
        _delete(clients, stack, on_progress)
        return None
    if stack and stack["StackStatus"] == "UPDATE_ROLLBACK_FAILED":
        raise StackError(
            f"stack {name} could not be rolled back after a failed update: {stack.get('StackStatusReason', '')}; "
            f"remove the cause, then run `aws cloudformation continue-update-rollback --stack-name {name}`"
        )
    return stack


def _at_rest(clients: Clients, name: str, on_progress: OnProgress) -> Any | None:
    """Return the stack once nobody else is at work on it, None if there is none."""
    stack = find_stack(clients, name)
    if stack and stack["StackStatus"].endswith("_IN_PROGRESS") and stack["StackStatus"] != "REVIEW_IN_PROGRESS":
        on_progress(Progress(name, "stack", "waiting", f"another operation is under way: {stack['StackStatus']}"))
        follow(clients, stack["StackId"], set(), on_progress, None)
        stack = find_stack(clients, name)
    return stack


def _parameters(stack: Any | None) -> dict[str, str]:
    """Return the values of a stack's parameters."""
    return {entry["ParameterKey"]: entry["ParameterValue"] for entry in (stack or {}).get("Parameters", [])}


def _name_prefix(stack: Any | None, wanted: Mapping[str, str]) -> str:
    present = _parameters(stack).get("NamePrefix", "")
    prefix = wanted.get("NamePrefix", present)
    if stack and prefix != present:
        raise StackError(
            f"stack {stack['StackName']} has the name prefix {present!r}, and its data cannot be renamed to "
            f"{prefix!r}; deploy under another stack name instead"
        )
    return prefix


def _with_literal_names(template: str, names: Names) -> str:
    values = {"NamePrefix": names.prefix, "AWS::AccountId": names.account, "AWS::Region": names.region}

    def write_out(match: re.Match[str]) -> str:
        name = re.sub(r"\$\{([\w:]+)\}", lambda part: values[part[1]], match[2])
        return f"{match[1]}: {name}"

    return _RETAINED_NAMES.sub(write_out, template)


def _check_known(clients: Clients, template_url: str, parameters: Mapping[str, str]) -> None:
    template = clients.client("cloudformation").validate_template(TemplateURL=template_url)
    names = [parameter["ParameterKey"] for parameter in template["Parameters"]]
    if unknown := sorted(set(parameters) - set(names)):
        raise StackError(f"{_REFUSED}: there is no {', '.join(unknown)}; there are {', '.join(sorted(names))}")
    rules = {rule.name for rule in RULES}
    try:
        thresholds = read_thresholds(parameters.get("RuleThresholds", ""))
    except ValueError:
        thresholds = {}  # the template's own pattern refuses it, and says what it takes
    if unknown := sorted(set(thresholds) - rules):
        raise StackError(f"RuleThresholds: there is no rule {', '.join(unknown)}; there are {', '.join(sorted(rules))}")


def _distinct_addresses(listed: str) -> str:
    """Return addresses each once, and refuse two whose subscriptions would have one name in the template.

    The template names a subscription after its address, of which CloudFormation keeps letters and digits.
    """
    addresses: dict[str, str] = {}
    for address in filter(None, (part.strip() for part in listed.split(","))):
        name = re.sub(r"[^A-Za-z0-9]", "", address)
        other = addresses.setdefault(name, address)
        if other.lower() != address.lower():
            raise StackError(
                f"{other} and {address} cannot both be parameters: CloudFormation names a subscription by letters and "
                f"digits alone, and these have the same. Leave one out, and `tapeline subscribe {address}` afterwards"
            )
    distinct: dict[str, str] = {}
    for address in addresses.values():
        distinct.setdefault(address.lower(), address)
    return ",".join(distinct.values())


def _create_change_set(
    clients: Clients, stack_name: str, stack: Any | None, template_url: str, wanted: Mapping[str, str]
) -> tuple[str, str]:
    """Ask what a deployment would change; return the ids of the stack and of the change set."""
    values: list[Any] = [{"ParameterKey": key, "ParameterValue": value} for key, value in wanted.items()]
    values += [{"ParameterKey": key, "UsePreviousValue": True} for key in _parameters(stack) if key not in wanted]
    options: Any = {} if stack else {"OnStackFailure": "DELETE"}
    if clients.target == "local" and not stack:
        options["DisableValidation"] = True  # it mistakes a bucket that is to be taken over for a conflict of names
    try:
        change_set = clients.client("cloudformation").create_change_set(
            StackName=stack_name,
            ChangeSetName=f"deploy-{uuid.uuid4()}",
            ChangeSetType="UPDATE" if stack else "CREATE",
            TemplateURL=template_url,
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
    return change_set["StackId"], change_set["Id"]


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
        time.sleep(pace(clients))
    reason = pages[0].get("StatusReason", "no reason given")
    cloudformation.delete_change_set(StackName=stack_id, ChangeSetName=change_set_id)
    if not is_new and any(phrase in reason for phrase in _NO_CHANGES):
        return set()
    if is_new:  # What is left is an empty stack under review.
        cloudformation.delete_stack(StackName=stack_id)
    raise StackError(f"{_REFUSED}: {reason}")


def _set_pointers(deployment: Deployment, on_progress: OnProgress, *, is_changed: bool) -> None:
    """See that the bucket points to given-up batches, and that no trial of that is left in the queue."""
    # Who deploys through a role of CloudFormation's may lack the rights.
    try:
        is_changed |= ensure(deployment)
    except ClientError as error:
        reason = f"not seen whether its notification points to batches under aws/lambda/: {error}"
        on_progress(Progress("Bucket", "S3 bucket", "kept", reason))
    if not is_changed:
        return
    try:
        dismiss(deployment)
    except (ClientError, UndeletedError) as error:
        reason = f"S3's trial message stays in it, `tapeline redrive --go` removes it: {error}"
        on_progress(Progress("DeadLetterQueue", "SQS queue", "kept", reason))


def _delete(clients: Clients, stack: Any, on_progress: OnProgress) -> None:
    stack_id = stack["StackId"]
    seen = past_events(clients, stack_id)
    clients.client("cloudformation").delete_stack(StackName=stack_id)
    follow(clients, stack_id, seen, on_progress, {"DELETE_COMPLETE"})


def _expire_items(deployment: Deployment) -> None:
    """Turn on the expiry of items, which the laptop's CloudFormation leaves out and its DynamoDB does have."""
    dynamodb, outputs = deployment.client("dynamodb"), deployment.outputs
    for table in (outputs.table_name, outputs.state_table_name):
        if dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"] != "ENABLED":
            expiry: Any = {"Enabled": True, "AttributeName": "expires_at"}
            dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=expiry)
