"""The deployment that a producer feeds: which optional fields of a quote it takes, and who learns what is followed."""

from __future__ import annotations

import logging

from botocore.exceptions import BotoCoreError, ClientError

from tapeline.aws.clients import Clients
from tapeline.aws.deployment import StackError, StackOutputs, find_deployment
from tapeline.market.quotes import OPTIONAL_FIELDS
from tapeline.stream.tables import Item

log = logging.getLogger("tapeline.stream.recipient")


class Recipient:
    """What the stack's outputs say, as last read; without them, a deployment that takes the base fields only.

    The stack must be the one that has the stream where the quotes go.
    """

    def __init__(self, aws: Clients, stack_name: str, stream_name: str) -> None:
        self._aws = aws
        self._stack_name = stack_name
        self._stream_name = stream_name
        self._outputs: StackOutputs | None = None
        self._warnings: set[str] = set()

    def look(self) -> None:
        """Read the outputs, which a deploy may have changed; keep the last ones if they cannot be read."""
        effect = "Only the base fields of quotes are sent, and nobody learns what is followed"
        try:
            outputs = find_deployment(self._aws, self._stack_name).outputs
        except (StackError, ClientError, BotoCoreError) as error:
            if self._outputs is None:
                self._warn(f"{effect}: {error}")
            return
        if outputs.stream_name != self._stream_name:
            self._warn(
                f"{effect}: stack {self._stack_name} has the stream {outputs.stream_name}, not {self._stream_name}; "
                f"name the stack of {self._stream_name} with --stack"
            )
            return
        if self._outputs and outputs.quote_fields != self._outputs.quote_fields:
            log.info("The deployment now takes of optional fields: %s", outputs.quote_fields or "none")
        self._outputs = outputs

    @property
    def quote_fields(self) -> frozenset[str]:
        """Optional fields of a quote that it takes."""
        return taken_fields(self._outputs.quote_fields) if self._outputs else frozenset()

    def put_followed(self, item: Item) -> bool:
        """Write what is followed where the watch reads it; return whether that went well."""
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
        if message not in self._warnings:
            self._warnings.add(message)
            log.warning("%s", message)


def taken_fields(quote_fields: str) -> frozenset[str]:
    """Read the stack's output `QuoteFields`.

    >>> sorted(taken_fields("revision, doubt,colour")), taken_fields("")
    (['doubt', 'revision'], frozenset())
    """
    return frozenset(name.strip() for name in quote_fields.split(",")) & frozenset(OPTIONAL_FIELDS)
