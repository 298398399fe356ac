"""Lambda on the Kinesis stream: quotes in; items, raw-zone objects and rejects out.

Each batch is decided by `tapeline.stream.batch` and stored by `tapeline.stream.store`. When a dependency fails, the
lowest sequence number that is not stored is reported, from which Lambda delivers again. Any other exception ends the
invocation, so that Lambda halves the batch until the record behind it stands alone.
"""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tapeline.market.quotes import read_timestamp
from tapeline.stream.batch import INTERNAL_ERROR, BatchPlan, StreamRecord, plan_batch
from tapeline.stream.rule_book import RuleBook
from tapeline.stream.settings import StreamProcessorSettings
from tapeline.stream.store import StreamStore
from tapeline.stream.tables import Patience, UnfinishedWriteError

PROMPT = timedelta(days=1)
"""What the producer got longer ago was kept aside, as by a redrive: it says nothing of how fast the stream is."""

logger = Logger()
metrics = Metrics()
settings = StreamProcessorSettings.from_environment(os.environ)
config = Config(
    retries={"mode": "standard", "total_max_attempts": 4},
    connect_timeout=3,
    read_timeout=10,
    parameter_validation=False,  # a quarter of the time of a batch, for items that are built in one place
)
dynamodb = boto3.client("dynamodb", config=config)
s3 = boto3.client("s3", config=config)
book = RuleBook(lambda key: s3.get_object(Bucket=settings.bucket_name, Key=key)["Body"].read())


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Store one batch; report where to start again if a dependency failed."""
    records = [read_record(record) for record in event["Records"]]
    store = StreamStore(
        dynamodb=dynamodb,
        s3=s3,
        table_name=settings.table_name,
        state_table_name=settings.state_table_name,
        bucket_name=settings.bucket_name,
        quote_retention=settings.quote_retention,
        patience=Patience.of_invocation(context),
        rule_book=book,
    )
    failed: int | None = records[0].sequence_number
    try:
        plan = plan_batch(records, store.read_states, store.read_stored, settings.rules)
        failed = store.store(plan)
    except (BotoCoreError, ClientError, TimeoutError, UnfinishedWriteError):
        logger.exception("the batch from sequence number %s on will be delivered again", failed)
        metrics.add_metric("BatchesRetried", MetricUnit.Count, 1)
    else:
        report(plan, len(records))
    # Lambda compares identifiers as text, and another stream than AWS's may write numbers with leading zeros.
    as_written = {int(text): text for text in (record["kinesis"]["sequenceNumber"] for record in event["Records"])}
    return {"batchItemFailures": [] if failed is None else [{"itemIdentifier": as_written[failed]}]}


def read_record(record: dict[str, Any]) -> StreamRecord:
    """Return a record of the event; its shard is the first part of the event's id."""
    kinesis = record["kinesis"]
    return StreamRecord(
        shard_id=record["eventID"].partition(":")[0],
        sequence_number=int(kinesis["sequenceNumber"]),
        partition_key=kinesis["partitionKey"],
        arrived_at=datetime.fromtimestamp(kinesis["approximateArrivalTimestamp"], UTC),
        data=base64.b64decode(kinesis["data"]),
    )


def report(plan: BatchPlan, records: int) -> None:
    """Log and count what the batch came to; latency is that of its slowest quote."""
    observations = [entry.observation for entry in plan.entries]
    internal = [reject for reject in plan.rejects if reject.reason == INTERNAL_ERROR]
    counts = {
        "QuotesIn": records,
        "QuotesStored": len(plan.entries),
        "QuotesRejected": len(plan.rejects),
        "QuotesLate": sum(observation.late for observation in observations),
        "QuotesRepeated": plan.repeated,
        "QuotesSuspect": sum(bool(observation.suspect) for observation in observations),
        "InternalErrors": len(internal),
    }
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    times = [(read_timestamp(entry.observation.quote.ingested_at), entry.record.arrived_at) for entry in plan.entries]
    if prompt := [ingested for ingested, arrived_at in times if arrived_at - ingested <= PROMPT]:
        latency = max(0.0, (datetime.now(UTC) - min(prompt)).total_seconds() * 1000)
        metrics.add_metric("EndToEndLatency", MetricUnit.Milliseconds, latency)
    for reject in internal[:10]:
        logger.error("our own fault on %s, kept under rejected/: %s", reject.record.sequence_number, reject.detail)
    for reject in plan.rejects[:10]:
        logger.warning("rejected %s: %s (%s)", reject.record.sequence_number, reject.reason, reject.detail)
    logger.info("batch stored", extra=counts)
