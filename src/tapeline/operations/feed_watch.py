"""One look of the function that watches the feed: a few cheap reads, and what has changed is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from tapeline.market import trading_hours
from tapeline.operations import feed_state
from tapeline.operations.feed_signs import Followed, NewestQuote
from tapeline.operations.health import Readings, judge
from tapeline.operations.light import Light
from tapeline.operations.tell_once import memory_key, tell_once
from tapeline.operations.watch_memory import Memory, Message, look
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
    """Something could not be read, so that not all was judged."""


@dataclass(frozen=True, slots=True)
class Look:
    """What came of a look.

    Attributes
    ----------
    lights : sequence of Light
        What was judged.
    told : Message or None
        What was sent because of it.
    unread : mapping of str to str
        What could not be read, and why.
    """

    lights: Sequence[Light]
    told: Message | None
    unread: Mapping[str, str]


class FeedWatch:
    """Looks at a deployment.

    Parameters
    ----------
    settings : FeedWatchSettings
        Its names.
    dynamodb, sns, sqs : clients
    """

    def __init__(
        self, settings: FeedWatchSettings, *, dynamodb: DynamoDBClient, sns: SNSClient, sqs: SQSClient
    ) -> None:
        self._settings = settings
        self._dynamodb = dynamodb
        self._sns = sns
        self._sqs = sqs

    def look(self, now: datetime) -> Look:
        """Read, judge and tell.

        Parameters
        ----------
        now : datetime
            Aware.
        """
        readings = self._read(now)
        lights = [light for light in judge(readings) if light.name in WATCHED]

        def decide(state: str) -> tuple[str, Message | None]:
            memory, message = look(Memory.from_json(state), readings, lights)
            return memory.to_json(), message

        told = tell_once(
            self._dynamodb,
            self._sns,
            table=self._settings.state_table_name,
            topic=self._settings.operations_topic_arn,
            about=feed_state.WATCH,
            decide=decide,
            now=now,
        )
        return Look(lights, told, readings.unread)

    def _read(self, now: datetime) -> Readings:
        unread: dict[str, str] = {}

        def read(name: str, reading: Callable[[], T], otherwise: T) -> T:
            try:
                return reading()
            except (BotoCoreError, ClientError, TimeoutError, ValueError) as error:
                unread[name] = str(error)
                return otherwise

        dynamodb, settings = self._dynamodb, self._settings
        memory = read("states", self._memory, Memory())
        readings = Readings(
            at=now,
            parts=[],
            hours=trading_hours.latest(now),
            followed=read("states", lambda: feed_state.read_followed(dynamodb, settings.state_table_name), None),
            thin=memory.thin(now),
            had_subscribers=memory.had_subscribers,
            unread=unread,
        )
        followed = readings.followed
        if followed is not None:
            readings = replace(readings, newest=read("states", lambda: self._newest(followed), []))
        subscribers, unconfirmed = read(
            "subscribers", lambda: feed_state.count_subscribers(self._sns, settings.alert_topic_arn), (0, 0)
        )
        dead_letters = read(
            "dead letters", lambda: feed_state.count_dead_letters(self._sqs, settings.dead_letter_queue_url), 0
        )
        return replace(readings, subscribers=subscribers, unconfirmed=unconfirmed, dead_letters=dead_letters)

    def _memory(self) -> Memory:
        answer = self._dynamodb.get_item(TableName=self._settings.state_table_name, Key=memory_key(feed_state.WATCH))
        return Memory.from_json(answer["Item"]["state"]["S"]) if "Item" in answer else Memory()

    def _newest(self, followed: Followed) -> list[NewestQuote]:
        keys = [state_key(symbol) for symbol in dict.fromkeys(followed.symbols)]
        patience = tables.Patience(lambda: READ_SECONDS)
        states = tables.read_items(self._dynamodb, self._settings.state_table_name, keys, patience)
        return [quote for quote in map(feed_state.newest_from_item, states) if quote]
