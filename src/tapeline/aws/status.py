"""Reads how a deployment is, on the laptop or in the cloud alike, through public AWS APIs and a few calls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tapeline.aws import items, raw_zone, tables
from tapeline.aws.session import Session
from tapeline.aws.stack import StackOutputs
from tapeline.health import NewestQuote, Part, Readings
from tapeline.partitions import REJECTED_PREFIX, parse_key, trading_date
from tapeline.quotes import read_timestamp
from tapeline.sessions import latest_session

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

NAMESPACE = "Tapeline"
RECENT = timedelta(minutes=5)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOST_REJECT_OBJECTS = 500
"""Newest objects under rejected/ that are opened to count reasons; beyond them a flood is a flood."""

LONGEST_BATCH = timedelta(minutes=10)
"""An object of rejects is named after its first record; the last came at most a batch window and its retries later."""


def read(session: Session, outputs: StackOutputs, parts: Sequence[Part], now: datetime) -> Readings:
    """Read everything that `tapeline.health` judges.

    Parameters
    ----------
    session : Session
        The laptop or the cloud.
    outputs : StackOutputs
        The deployment's names.
    parts : sequence of Part
        What else must be up, on the laptop its processes.
    now : datetime
        Aware.
    """
    reader = _Reader(session, outputs, now)
    with ThreadPoolExecutor(8) as pool:  # each is a round trip or a few, none needs another
        deployed = pool.submit(reader.parts)
        metrics = pool.submit(reader.metrics)
        memory = pool.submit(reader.memory)
        rejects = pool.submit(reader.rejects)
        dead_letters = pool.submit(reader.dead_letters)
        subscribers = pool.submit(reader.subscribers)
        alarms = pool.submit(reader.alarms)
        newest, alert_times = memory.result()
        reject_times = rejects.result()
        confirmed, unconfirmed = subscribers.result()
        return Readings(
            at=now,
            parts=[*parts, *deployed.result()],
            market_open=latest_session(now).closes_at > now,
            **metrics.result(),
            newest=newest,
            rejected_last_hour=dict(Counter(reason for reason, at in reject_times if now - at <= HOUR)),
            rejected_last_day=dict(Counter(reason for reason, _ in reject_times)),
            dead_letters=dead_letters.result(),
            alerts_last_hour=sum(now - at <= HOUR for at in alert_times),
            alerts_last_day=sum(now - at <= DAY for at in alert_times),
            subscribers=confirmed,
            unconfirmed=unconfirmed,
            alarms=alarms.result(),
        )


def newest_since(session: Session, outputs: StackOutputs, moment: datetime) -> NewestQuote | None:
    """Return a quote that came in after a moment and is stored, if there is one."""
    newest, _ = _Reader(session, outputs, moment).memory()
    return next((quote for quote in newest if read_timestamp(quote.ingested_at) >= moment), None)


class _Reader:
    def __init__(self, session: Session, outputs: StackOutputs, now: datetime) -> None:
        self._session = session
        self._outputs = outputs
        self._now = now
        self._functions = (outputs.stream_processor_name, outputs.trend_alerts_name)
        self._patience = tables.Patience(lambda: 10.0)

    def parts(self) -> list[Part]:
        """Return the stream, and each function with its mapping."""
        stream = self._session.client("kinesis").describe_stream_summary(StreamName=self._outputs.stream_name)
        state = stream["StreamDescriptionSummary"]["StreamStatus"]
        return [
            Part("stream", state in ("ACTIVE", "UPDATING"), f"{self._outputs.stream_name} {state.lower()}"),
            *map(self._function, self._functions),
        ]

    def _function(self, name: str) -> Part:
        client = self._session.client("lambda")
        state = client.get_function_configuration(FunctionName=name).get("State", "Active")
        mappings = client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        states = sorted({mapping["State"] for mapping in mappings}) or ["missing"]
        up = state == "Active" and states == ["Enabled"]
        return Part(
            f"function {name}",
            up,
            f"{state.lower()}, event source mapping {', '.join(states).lower()}",
            f"Enable its event source mapping in the Lambda console or with `aws lambda update-event-source-mapping "
            f"--enabled`; if it is missing, `tapeline deploy --target {self._session.target}` puts it back.",
            passing=bool({"Creating", "Enabling", "Updating"} & set(states)),
        )

    def metrics(self) -> dict[str, Any]:
        """Return rate, latency and iterator ages, all by one GetMetricData."""
        service = {"Name": "service", "Value": self._service()}
        queries = [
            _query("quotes", NAMESPACE, "QuotesIn", [service], "Sum"),
            _query("latency", NAMESPACE, "EndToEndLatency", [service], "Maximum"),
            *(
                _query(
                    f"age{number}", "AWS/Lambda", "IteratorAge", [{"Name": "FunctionName", "Value": name}], "Maximum"
                )
                for number, name in enumerate(self._functions)
            ),
        ]
        minute = self._now.replace(second=0, microsecond=0)
        answer = self._session.client("cloudwatch").get_metric_data(
            MetricDataQueries=queries, StartTime=minute - RECENT, EndTime=minute + timedelta(minutes=1)
        )
        found = {
            result["Id"]: {
                at.astimezone(UTC): value for at, value in zip(result["Timestamps"], result["Values"], strict=True)
            }
            for result in answer["MetricDataResults"]
        }
        ages = {name: _last(found.get(f"age{number}", {})) for number, name in enumerate(self._functions)}
        latency = _last(found.get("latency", {}))
        return {
            "quotes_per_second": _rate(found.get("quotes", {}), minute, self._now),
            "latency_seconds": None if latency is None else latency / 1000,
            "iterator_age_seconds": {name: None if ms is None else ms / 1000 for name, ms in ages.items()},
        }

    def _service(self) -> str:
        """Return the dimension under which powertools publishes: the service's name in the function's environment."""
        function = self._session.client("lambda").get_function_configuration(FunctionName=self._functions[0])
        return str(function["Environment"]["Variables"].get("POWERTOOLS_SERVICE_NAME", "service_undefined"))

    def memory(self) -> tuple[list[NewestQuote], list[datetime]]:
        """Return the newest quote of each symbol and when alerts were sent, by the small table of states."""
        dynamodb: DynamoDBClient = self._session.client("dynamodb")
        pages = dynamodb.get_paginator("scan").paginate(
            TableName=self._outputs.state_table_name,
            ProjectionExpression="#key, newest_timestamp, sent_at",
            ExpressionAttributeNames={"#key": "key"},
        )
        keys: list[tables.Item] = []
        alert_times = []
        for item in (item for page in pages for item in page["Items"]):
            name = item["key"]["S"]
            if name.startswith(items.SYMBOL_PREFIX):
                keys.append(
                    {"symbol": {"S": name.removeprefix(items.SYMBOL_PREFIX)}, "timestamp": item["newest_timestamp"]}
                )
            elif "sent_at" in item:
                alert_times.append(datetime.fromisoformat(item["sent_at"]["S"]))
        found = tables.read_items(dynamodb, self._outputs.table_name, keys, self._patience)
        newest = [
            NewestQuote(
                symbol=item["symbol"]["S"],
                timestamp=item["timestamp"]["S"],
                price=item["price"]["N"],
                change_percent=item["change_percent"]["N"],
                source=item["source"]["S"],
                ingested_at=item["ingested_at"]["S"],
            )
            for item in found
        ]
        return sorted(newest, key=lambda quote: quote.symbol), alert_times

    def rejects(self) -> list[tuple[str, datetime]]:
        """Return reason and arrival of the records rejected in the last 24 hours."""
        s3: S3Client = self._session.client("s3")
        bucket = self._outputs.bucket_name
        keys = sorted(self._reject_keys(s3, bucket), key=lambda key: parse_key(key).first_time)[-MOST_REJECT_OBJECTS:]
        with ThreadPoolExecutor(8) as pool:
            lines = [
                line for found in pool.map(lambda key: raw_zone.get_lines(s3, bucket, key), keys) for line in found
            ]
        rejects = [(document["reason"], read_timestamp(document["arrived_at"])) for document in map(json.loads, lines)]
        return [(reason, at) for reason, at in rejects if self._now - at <= DAY]

    def _reject_keys(self, s3: S3Client, bucket: str) -> Iterator[str]:
        for day in {trading_date(self._now - DAY), trading_date(self._now)}:
            prefix = f"{REJECTED_PREFIX}dt={day.isoformat()}/"
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    if parse_key(entry["Key"]).first_time >= self._now - DAY - LONGEST_BATCH:
                        yield entry["Key"]

    def dead_letters(self) -> int:
        """Return how many messages lie in the dead-letter queue, those that someone is just reading included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._session.client("sqs").get_queue_attributes(
            QueueUrl=self._outputs.dead_letter_queue_url, AttributeNames=names
        )["Attributes"]
        return sum(int(attributes.get(name, 0)) for name in names)

    def subscribers(self) -> tuple[int, int]:
        """Return how many subscriptions the alert topic has, confirmed and not."""
        pages = (
            self._session.client("sns")
            .get_paginator("list_subscriptions_by_topic")
            .paginate(TopicArn=self._outputs.alert_topic_arn)
        )
        arns = [subscription["SubscriptionArn"] for page in pages for subscription in page["Subscriptions"]]
        confirmed = sum(arn.startswith("arn:") for arn in arns)
        return confirmed, arns.count("PendingConfirmation")

    def alarms(self) -> list[str]:
        """Return the names of the stack's alarms that are ringing."""
        prefix = self._outputs.stream_name.removesuffix("stock-market-stream") + "tapeline-"
        answer = self._session.client("cloudwatch").describe_alarms(AlarmNamePrefix=prefix, StateValue="ALARM")
        return sorted(alarm["AlarmName"] for alarm in answer.get("MetricAlarms", []))


def _query(name: str, namespace: str, metric: str, dimensions: list[dict[str, str]], statistic: str) -> dict[str, Any]:
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions},
            "Period": 60,
            "Stat": statistic,
        },
    }


def _last(values: Mapping[datetime, float]) -> float | None:
    return values[max(values)] if values else None


def _rate(values: Mapping[datetime, float], minute: datetime, now: datetime) -> float | None:
    """Return quotes per second of the last whole minute, or of the running one if the one before it had none."""
    if whole := values.get(minute - timedelta(minutes=1)):
        return whole / 60
    if running := values.get(minute):
        return running / max(1.0, (now - minute).total_seconds())
    return None
