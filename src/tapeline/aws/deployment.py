"""One deployment: the clients that reach it and the names of what it is made of."""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, fields
from typing import Any

from botocore.exceptions import ClientError

from tapeline.aws.clients import Clients

DEFAULT_NAME = "tapeline"


class StackError(RuntimeError):
    """A deployment failed or is not there; the message says which resource, why, and what to do next."""


@dataclass(frozen=True, slots=True)
class StackOutputs:
    """Names and addresses of one deployment; see the template's outputs for what each is."""

    stream_name: str
    table_name: str
    state_table_name: str
    bucket_name: str
    dead_letter_queue_url: str
    dead_letter_queue_arn: str
    alert_topic_arn: str
    operations_topic_arn: str
    database_name: str
    raw_table_name: str
    crawler_name: str
    work_group_name: str
    stream_processor_name: str
    trend_alerts_name: str
    feed_watch_name: str
    producer_policy_arn: str
    airflow_policy_arn: str
    analyst_policy_arn: str
    region: str
    quote_fields: str = ""
    """Optional fields of a quote that the deployed function takes, with commas between; none before 0.2.0."""


class Deployment:
    """One deployment; safe to share between threads.

    Its `client` is that of its clients: ``deployment.client("s3")``.
    """

    def __init__(self, clients: Clients, outputs: StackOutputs) -> None:
        self.clients = clients
        self.outputs = outputs
        self.client = clients.client


def find_deployment(clients: Clients, stack_name: str = DEFAULT_NAME) -> Deployment:
    """Return a deployment by the name of its stack.

    Raises
    ------
    StackError
        If there is no such stack, or it is of an older version.
    """
    stack = find_stack(clients, stack_name)
    where = f"{clients.region} ({clients.target})"
    if stack is None:
        raise StackError(f"no stack named {stack_name} in {where}; make it with `tapeline deploy`")
    values = {_snake_case(output["OutputKey"]): output["OutputValue"] for output in stack.get("Outputs", [])}
    missing = [field.name for field in fields(StackOutputs) if field.name not in values and field.default is MISSING]
    if missing:
        raise StackError(
            f"stack {stack_name} in {where} is {stack['StackStatus']} and lacks {', '.join(missing)}; "
            "bring it up to date with `tapeline deploy`"
        )
    outputs = {field.name: values[field.name] for field in fields(StackOutputs) if field.name in values}
    return Deployment(clients, StackOutputs(**outputs))


def find_stack(clients: Clients, name: str) -> Any | None:
    """Return a stack as CloudFormation describes it, None if there is none."""
    try:
        return clients.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
