"""One look of the function that watches the feed: a few cheap reads, and a message if something has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from tapeline.market import trading_hours
from tapeline.operations import feed_signs
from tapeline.operations.feed_signs import Followed, NewestQuote
from tapeline.operations.health import Readings, judge
from tapeline.operations.light import Light
from tapeline.operations.tell_once import memory_key, tell_once
from tapeline.operations.watch_memory import FEED, Memory, Message, deciding
from tapeline.stream import tables
from tapeline.stream.items import state_key
from tapeline.stream.settings import FeedWatchSettings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

WATCHED = ("quotes", "dead letters", "alerts", "calendar")
"""The lights for which it reads enough."""

READ_SECONDS = 10.0

T = TypeVar("T")


class UnreadError(RuntimeError):
    """Something could not be read, so that not all was judged; the message names each with its reason."""

    def __init__(self, unread: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in unread.items()))


@dataclass(frozen=True, slots=True)
class Look:
    """What came of a look: what was judged, what was sent because of it, what could not be read and why."""

    lights: Sequence[Light]
    message: Message | None
    unread: Mapping[str, str]


class FeedWatch:
    """Looks at a deployment."""

    def __init__(
        self, settings: FeedWatchSettings, *, dynamodb: DynamoDBClient, sns: SNSClient, sqs: SQSClient
    ) -> None:
        self._settings = settings
        self._dynamodb = dynamodb
        self._sns = sns
        self._sqs = sqs

    def look(self, now: datetime) -> Look:
        """Read, judge and send what has changed."""
        readings = self._read(now)
        lights = [light for light in judge(readings) if light.name in WATCHED]
        table, topic = self._settings.state_table_name, self._settings.operations_topic_arn
        decide = deciding(readings, lights)
        message = tell_once(self._dynamodb, self._sns, table=table, topic=topic, about=FEED, decide=decide, now=now)
        return Look(lights, message, readings.unread)

    def _read(self, now: datetime) -> Readings:
        unread: dict[str, str] = {}

        def read(name: str, reading: Callable[[], T], otherwise: T) -> T:
            try:
                return reading()
            except (BotoCoreError, ClientError, TimeoutError, ValueError) as error:
                unread[name] = str(error)
                return otherwise

        dynamodb, table = self._dynamodb, self._settings.state_table_name
        queue, topic = self._settings.dead_letter_queue_url, self._settings.alert_topic_arn
        memory = read("states", self._memory, Memory())
        followed = read("states", lambda: feed_signs.read_followed(dynamodb, table), None)
        newest: list[NewestQuote] = read("states", lambda: self._newest(followed), [])
        subscribers, unconfirmed = read("subscribers", lambda: feed_signs.count_subscribers(self._sns, topic), (0, 0))
        return Readings(
            at=now,
            parts=[],
            hours=trading_hours.latest(now),
            followed=followed,
            newest=newest,
            thin=memory.thin(now),
            dead_letters=read("dead letters", lambda: feed_signs.count_dead_letters(self._sqs, queue), 0),
            subscribers=subscribers,
            unconfirmed=unconfirmed,
            had_subscribers=memory.had_subscribers,
            unread=unread,
        )

    def _memory(self) -> Memory:
        answer = self._dynamodb.get_item(TableName=self._settings.state_table_name, Key=memory_key(FEED))
        return Memory.from_json(answer["Item"]["state"]["S"]) if "Item" in answer else Memory()

    def _newest(self, followed: Followed | None) -> list[NewestQuote]:
        keys = [state_key(symbol) for symbol in dict.fromkeys(followed.symbols if followed else ())]
        patience = tables.Patience(lambda: READ_SECONDS)
        states = tables.read_items(self._dynamodb, self._settings.state_table_name, keys, patience)
        return [quote for quote in map(feed_signs.newest_from_item, states) if quote]
