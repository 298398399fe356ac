"""Lambda on a schedule: looks each minute whether the feed is silent, and reports changes to the operations topic.

It judges by the code of `tapeline status` what it can see at little cost: what the producer says that it follows, the
newest quotes of that, the dead-letter queue, the subscribers. Who else watches, as the DAG feed_watchdog does, shares
its memory, so that each change is reported once. What cannot be read fails the invocation, and its alarm rings.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from tapeline.operations.feed_watch import FeedWatch, UnreadError
from tapeline.stream.settings import FeedWatchSettings

logger = Logger()
config = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=3, read_timeout=5)
watch = FeedWatch(
    FeedWatchSettings.from_environment(os.environ),
    dynamodb=boto3.client("dynamodb", config=config),
    sns=boto3.client("sns", config=config),
    sqs=boto3.client("sqs", config=config),
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Look once; return the lights."""
    look = watch.look(datetime.now(UTC))
    lights = {light.name: f"{light.colour}: {light.reading}" for light in look.lights}
    logger.info("looked", extra={"lights": lights, "told": look.message.subject if look.message else None})
    if look.unread:
        raise UnreadError(look.unread)
    return lights
