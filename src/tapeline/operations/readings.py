"""Read how a deployment is, on the laptop or in the cloud alike, through public AWS APIs and a few calls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from tapeline.aws.deployment import Deployment
from tapeline.market import trading_hours
from tapeline.market.alerting.in_force import RulesInForce
from tapeline.market.dates import trading_date
from tapeline.market.quotes import read_timestamp
from tapeline.operations import feed_signs
from tapeline.operations.feed_signs import Followed, NewestQuote
from tapeline.operations.health import Readings
from tapeline.operations.light import Part
from tapeline.operations.rule_versions import RuleVersions
from tapeline.operations.tell_once import MEMORY_PREFIX
from tapeline.operations.watch_memory import FEED, Memory
from tapeline.stream import items, raw_zone
from tapeline.stream.keys import REJECTED_PREFIX, parse_key

T = TypeVar("T")

NAMESPACE = "Tapeline"
RECENT = timedelta(minutes=5)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOST_REJECT_OBJECTS = 500
"""Newest objects under rejected/ that are opened to count reasons; beyond them a flood is a flood."""

LONGEST_BATCH = timedelta(minutes=10)
"""An object of rejects is named after its first record; the last came at most a batch window and its retries later."""


def read_readings(deployment: Deployment, parts: Sequence[Part], now: datetime) -> Readings:
    """Read all that `tapeline.operations.health` judges; parts are what else must be up, as on the laptop programs."""
    reader = _Reader(deployment, now)
    unread: dict[str, str] = {}

    def result(name: str, reading: Future[T], otherwise: T) -> T:
        try:
            return reading.result()
        except (BotoCoreError, ClientError, ValueError) as error:
            unread[name] = str(error)
            return otherwise

    with ThreadPoolExecutor(8) as pool:  # each is a round trip or a few, none needs another
        readings = {name: pool.submit(getattr(reader, name)) for name in _READINGS}
        states = result("states", readings["states"], States())
        reject_times = result("rejects", readings["rejects"], [])
        confirmed, unconfirmed = result("subscribers", readings["subscribers"], (0, 0))
        return Readings(
            at=now,
            parts=[*parts, *result("parts", readings["parts"], [])],
            hours=trading_hours.latest(now),
            followed=states.followed,
            **result("metrics", readings["metrics"], {}),
            newest=states.newest,
            thin=states.memory.thin(now),
            rejected_last_hour=dict(Counter(reason for reason, at in reject_times if now - at <= HOUR)),
            rejected_last_day=dict(Counter(reason for reason, _ in reject_times)),
            dead_letters=result("dead letters", readings["dead_letters"], 0),
            alerts_last_hour=sum(now - at <= HOUR for at in states.alert_times),
            alerts_last_day=sum(now - at <= DAY for at in states.alert_times),
            subscribers=confirmed,
            unconfirmed=unconfirmed,
            had_subscribers=states.memory.had_subscribers,
            rules=result("rules", readings["rules"], None),
            alarms=result("alarms", readings["alarms"], []),
            unread=unread,
        )


_READINGS = ("parts", "metrics", "states", "rejects", "dead_letters", "subscribers", "rules", "alarms")


@dataclass(frozen=True, slots=True)
class States:
    """What the small table of states says: what the producer and the watch wrote there, and when alerts were sent."""

    followed: Followed | None = None
    newest: Sequence[NewestQuote] = ()
    alert_times: Sequence[datetime] = ()
    memory: Memory = field(default_factory=Memory)


def newest_since(deployment: Deployment, moment: datetime) -> NewestQuote | None:
    """Return a quote that came in after a moment and is stored, if there is one."""
    newest = _Reader(deployment, moment).states().newest
    return next((quote for quote in newest if read_timestamp(quote.ingested_at) >= moment), None)


class _Reader:
    def __init__(self, deployment: Deployment, now: datetime) -> None:
        self._deployment = deployment
        self._outputs = deployment.outputs
        self._now = now
        self._functions = (deployment.outputs.stream_processor_name, deployment.outputs.trend_alerts_name)

    def parts(self) -> list[Part]:
        """Return the stream, and each function with its mapping."""
        stream = self._deployment.client("kinesis").describe_stream_summary(StreamName=self._outputs.stream_name)
        state = stream["StreamDescriptionSummary"]["StreamStatus"]
        return [
            Part("stream", state in ("ACTIVE", "UPDATING"), f"{self._outputs.stream_name} {state.lower()}"),
            *map(self._function, self._functions),
            self._watch(),
        ]

    def _watch(self) -> Part:
        """Return the function that a schedule starts, not a stream."""
        name = self._outputs.feed_watch_name
        state = self._deployment.client("lambda").get_function_configuration(FunctionName=name).get("State", "Active")
        return Part(
            f"function {name}",
            state in ("Active", "Inactive"),
            f"{state.lower()}, started each minute",
            f"`tapeline deploy --target {self._deployment.clients.target}` puts it back.",
            passing=state == "Pending",
        )

    def _function(self, name: str) -> Part:
        client = self._deployment.client("lambda")
        state = client.get_function_configuration(FunctionName=name).get("State", "Active")
        mappings = client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        states = sorted({mapping["State"] for mapping in mappings}) or ["missing"]
        up = state == "Active" and states == ["Enabled"]
        return Part(
            f"function {name}",
            up,
            f"{state.lower()}, event source mapping {', '.join(states).lower()}",
            f"Enable its event source mapping in the Lambda console or with `aws lambda update-event-source-mapping "
            f"--enabled`; if it is missing, `tapeline deploy --target {self._deployment.clients.target}` puts it back.",
            passing=bool({"Creating", "Enabling", "Updating"} & set(states)),
        )

    def metrics(self) -> dict[str, Any]:
        """Return rate, latency and iterator ages, all by one GetMetricData."""
        service = {"Name": "service", "Value": self._service()}
        queries: list[Any] = [
            _query("quotes", NAMESPACE, "QuotesIn", [service], "Sum"),
            _query("latency", NAMESPACE, "EndToEndLatency", [service], "Maximum"),
            *(
                _query(f"age{at}", "AWS/Lambda", "IteratorAge", [{"Name": "FunctionName", "Value": name}], "Maximum")
                for at, name in enumerate(self._functions)
            ),
        ]
        minute = self._now.replace(second=0, microsecond=0)
        answer = self._deployment.client("cloudwatch").get_metric_data(
            MetricDataQueries=queries, StartTime=minute - RECENT, EndTime=minute + timedelta(minutes=1)
        )
        series = {
            result["Id"]: {
                at.astimezone(UTC): value for at, value in zip(result["Timestamps"], result["Values"], strict=True)
            }
            for result in answer["MetricDataResults"]
        }
        ages = {name: _last(series.get(f"age{number}", {})) for number, name in enumerate(self._functions)}
        latency = _last(series.get("latency", {}))
        return {
            "quotes_per_second": _rate(series.get("quotes", {}), minute, self._now),
            "latency_seconds": None if latency is None else latency / 1000,
            "iterator_age_seconds": {name: None if ms is None else ms / 1000 for name, ms in ages.items()},
        }

    def _service(self) -> str:
        """Return the dimension under which powertools publishes: the service's name in the function's environment."""
        function = self._deployment.client("lambda").get_function_configuration(FunctionName=self._functions[0])
        return str(function["Environment"]["Variables"].get("POWERTOOLS_SERVICE_NAME", "service_undefined"))

    def states(self) -> States:
        """Return what the table of states holds: an item a symbol, one an alert, one that says what is followed."""
        dynamodb = self._deployment.client("dynamodb")
        names = ("source", "symbols", "every_seconds", "started_at", "said_at", "trouble", "newest", "sent_at", "state")
        pages = dynamodb.get_paginator("scan").paginate(
            TableName=self._outputs.state_table_name,
            ProjectionExpression=", ".join(f"#{name}" for name in ("key", *names)),
            ExpressionAttributeNames={f"#{name}": name for name in ("key", *names)},
        )
        followed, newest, alert_times, memory = None, [], [], Memory()
        for item in (item for page in pages for item in page["Items"]):
            name = item["key"]["S"]
            if name.startswith(items.SYMBOL_PREFIX):
                newest += [quote for quote in [feed_signs.newest_from_item(item)] if quote]
            elif name == items.FOLLOWED_KEY:
                followed = feed_signs.followed_from_item(item)
            elif name == MEMORY_PREFIX + FEED:
                memory = Memory.from_json(item["state"]["S"])
            elif "sent_at" in item:
                alert_times.append(datetime.fromisoformat(item["sent_at"]["S"]))
        return States(followed, sorted(newest, key=lambda quote: quote.symbol), alert_times, memory)

    def rejects(self) -> list[tuple[str, datetime]]:
        """Return reason and arrival of the records rejected in the last 24 hours."""
        s3, bucket = self._deployment.client("s3"), self._outputs.bucket_name
        keys: dict[str, datetime] = {}
        for day in {trading_date(self._now - DAY), trading_date(self._now)}:
            for entry in raw_zone.list_objects(s3, bucket, f"{REJECTED_PREFIX}dt={day.isoformat()}/"):
                keys[entry["Key"]] = parse_key(entry["Key"]).first_time
        recent = sorted(key for key, first_time in keys.items() if first_time >= self._now - DAY - LONGEST_BATCH)
        newest = sorted(recent, key=lambda key: keys[key])[-MOST_REJECT_OBJECTS:]
        with ThreadPoolExecutor(8) as pool:
            objects = pool.map(lambda key: raw_zone.get_lines(s3, bucket, key), newest)
            documents = [json.loads(line) for lines in objects for line in lines]
        rejects = [(document["reason"], read_timestamp(document["arrived_at"])) for document in documents]
        return [(reason, at) for reason, at in rejects if self._now - at <= DAY]

    def dead_letters(self) -> int:
        """Return how many messages lie in the dead-letter queue."""
        return feed_signs.count_dead_letters(self._deployment.client("sqs"), self._outputs.dead_letter_queue_url)

    def subscribers(self) -> tuple[int, int]:
        """Return how many subscriptions the alert topic has, confirmed and not."""
        return feed_signs.count_subscribers(self._deployment.client("sns"), self._outputs.alert_topic_arn)

    def rules(self) -> RulesInForce | None:
        """Return the alert rules in force."""
        return RuleVersions(self._deployment).in_force()

    def alarms(self) -> list[str]:
        """Return the names of the stack's alarms that are ringing: those that tell its own operations topic.

        A prefix alone would also find the alarms of a deployment whose NamePrefix begins with `tapeline-`.
        """
        prefix = self._outputs.stream_name.removesuffix("stock-market-stream") + "tapeline-"
        pages = self._deployment.client("cloudwatch").get_paginator("describe_alarms")
        found = [
            alarm
            for page in pages.paginate(AlarmNamePrefix=prefix, StateValue="ALARM", AlarmTypes=["MetricAlarm"])
            for alarm in page["MetricAlarms"]
        ]
        own = self._outputs.operations_topic_arn
        return sorted(alarm["AlarmName"] for alarm in found if own in alarm.get("AlarmActions", []))


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
