"""The deployment that a producer feeds: which optional fields of a quote it takes, and where it is told things."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from tapeline.aws.clients import Clients
from tapeline.aws.deployment import StackError, StackOutputs, find_deployment
from tapeline.market.quotes import OPTIONAL_FIELDS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

log = logging.getLogger("tapeline.stream.recipient")


class Recipient:
    """What the stack's outputs say, as last read; without them, a deployment that takes the base fields only.

    Parameters
    ----------
    aws : Clients
        Where it is.
    stack_name : str
        Of the CloudFormation stack.
    stream_name : str
        Where the quotes go: another stack's stream would be another deployment.
    """

    def __init__(self, aws: Clients, stack_name: str, stream_name: str) -> None:
        self._aws = aws
        self._stack_name = stack_name
        self._stream_name = stream_name
        self._outputs: StackOutputs | None = None
        self._said: set[str] = set()

    def look(self) -> None:
        """Read the outputs, which a deploy may have changed; keep the last ones if they cannot be read."""
        try:
            outputs = find_deployment(self._aws, self._stack_name).outputs
        except (StackError, ClientError, BotoCoreError) as error:
            if self._outputs is None:
                self._warn(f"Only the base fields of quotes are sent, and nobody learns what is followed: {error}")
            return
        if outputs.stream_name != self._stream_name:
            self._warn(
                f"Only the base fields of quotes are sent, and nobody learns what is followed: stack "
                f"{self._stack_name} has the stream {outputs.stream_name}, not {self._stream_name}; name the stack of "
                f"{self._stream_name} with --stack"
            )
            return
        if self._outputs and outputs.quote_fields != self._outputs.quote_fields:
            log.info("The deployment now takes of optional fields: %s", outputs.quote_fields or "none")
        self._outputs = outputs

    @property
    def quote_fields(self) -> frozenset[str]:
        """Optional fields of a quote that it takes."""
        return taken_fields(self._outputs.quote_fields) if self._outputs else frozenset()

    def put_followed(self, item: dict[str, AttributeValueTypeDef]) -> bool:
        """Write what is followed where the watch reads it; tell whether that went well."""
        if self._outputs is None:
            return False
        dynamodb = self._aws.client("dynamodb")
        try:
            dynamodb.put_item(TableName=self._outputs.state_table_name, Item=item)
        except (ClientError, BotoCoreError) as error:
            self._warn(
                f"Cannot say what is followed, so that nobody would miss it: {error}. If access is refused, bring the "
                "stack up to date with `tapeline deploy`"
            )
            return False
        return True

    def _warn(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            log.warning("%s", message)


def taken_fields(quote_fields: str) -> frozenset[str]:
    """Read the stack's output `QuoteFields`.

    >>> sorted(taken_fields("revision, doubt,colour")), taken_fields("")
    (['doubt', 'revision'], frozenset())
    """
    return frozenset(name.strip() for name in quote_fields.split(",")) & frozenset(OPTIONAL_FIELDS)
