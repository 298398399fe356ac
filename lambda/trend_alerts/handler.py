"""Lambda on the DynamoDB stream: stored quotes that carry an alert in, messages to people out.

The stream processor decides in stream order which quote enters a trend or an anomaly, cooldown included, and marks it;
the mapping's filter lets only marked quotes through. This function sends each alert once, however often it comes.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tapeline.stream.notifications import AlertSender, alerts_from_image
from tapeline.stream.settings import TrendAlertsSettings
from tapeline.stream.tables import Patience, UnfinishedWriteError

logger = Logger()
metrics = Metrics()
settings = TrendAlertsSettings.from_environment(os.environ)
config = Config(retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=3, read_timeout=10)
dynamodb = boto3.client("dynamodb", config=config)
sns = boto3.client("sns", config=config)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Send the alerts of one batch; report where to start again if SNS or DynamoDB failed."""
    sequence_numbers: dict[str, str] = {}
    alerts = []
    for record in event["Records"]:
        for alert in alerts_from_image(record["dynamodb"].get("NewImage", {})):
            sequence_numbers.setdefault(alert.identity, record["dynamodb"]["SequenceNumber"])
            alerts.append(alert)

    sender = AlertSender(
        sns=sns,
        dynamodb=dynamodb,
        topic_arn=settings.alert_topic_arn,
        state_table_name=settings.state_table_name,
        patience=Patience.of_invocation(context),
    )
    try:
        sent, refused = sender.send(alerts, datetime.now(UTC))
    except (BotoCoreError, ClientError, TimeoutError, UnfinishedWriteError):
        logger.exception("alerts will be delivered again")
        sent, refused = set(), set(sequence_numbers)
    metrics.add_metric("AlertsSent", MetricUnit.Count, len(sent))
    logger.info("alerts sent", extra={"sent": sorted(sent), "refused": sorted(refused)})
    failed = sorted((sequence_numbers[identity] for identity in refused), key=int)
    return {"batchItemFailures": [{"itemIdentifier": failed[0]}] if failed else []}
