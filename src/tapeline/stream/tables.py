"""DynamoDB in full batches: reads of 100 keys, writes of 25 items, what comes back unprocessed retried."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from tapeline.aws.backoff import pause

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
"""An item in DynamoDB's own form, ``{"symbol": {"S": "AAPL"}, …}``."""

READ_KEYS = 100
WRITE_ITEMS = 25
"""Most a BatchGetItem and a BatchWriteItem take (API Reference)."""

WRITERS = 2
"""Calls under way at once: one waits for DynamoDB while a small function makes the next one ready."""

SAFETY_SECONDS = 5.0
"""Kept back from a Lambda's retries, so that its answer leaves before the invocation ends."""

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0

T = TypeVar("T")


class UnfinishedWriteError(RuntimeError):
    """DynamoDB failed, or left items unprocessed until time ran out.

    Attributes
    ----------
    written : int
        How many of the items, counted from the first, are surely written.
    """

    def __init__(self, written: int, total: int, cause: Exception) -> None:
        super().__init__(f"{written} of {total} items written, then: {cause}")
        self.written = written


@dataclass(frozen=True, slots=True)
class Patience:
    """Pauses that double, with jitter, until no seconds are left; a Lambda passes its own remaining time."""

    seconds_left: Callable[[], float]
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def of_invocation(cls, context: LambdaContext) -> Patience:
        """Return the patience of a Lambda: as long as its invocation may last, but for `SAFETY_SECONDS`."""
        return cls(lambda: context.get_remaining_time_in_millis() / 1000 - SAFETY_SECONDS)

    def pauses(self) -> Iterator[None]:
        """Yield once for each attempt, pausing between them, and end when the next pause would pass the deadline."""
        yield
        for failures in count():
            wait = pause(failures, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
            if wait >= self.seconds_left():
                return
            self.sleep(wait)
            yield


def read_items(client: DynamoDBClient, table: str, keys: Sequence[Item], patience: Patience) -> list[Item]:
    """Read items by key, consistently; those that do not exist are absent from the answer.

    Raises
    ------
    TimeoutError
        If DynamoDB keeps leaving keys unread until time runs out.
    """
    stored: list[Item] = []
    for chunk in _chunks(keys, READ_KEYS):
        wanted: Any = {table: {"Keys": chunk, "ConsistentRead": True}}
        for _ in patience.pauses():
            answer = client.batch_get_item(RequestItems=wanted)
            stored += answer["Responses"].get(table, [])
            wanted = answer.get("UnprocessedKeys")
            if not wanted:
                break
        else:
            raise TimeoutError(f"DynamoDB left keys of {table} unread until time ran out")
    return stored


def write_items(client: DynamoDBClient, table: str, items: Sequence[Item], patience: Patience) -> None:
    """Write items of different keys, 25 a call, a few calls at a time.

    Raises
    ------
    UnfinishedWriteError
        If a chunk could not be written; all chunks before it are, those behind it may be.
    """
    written = 0
    with ThreadPoolExecutor(WRITERS) as pool:
        chunks = list(_chunks(items, WRITE_ITEMS))
        writes = pool.map(lambda chunk: _write_chunk(client, table, chunk, patience), chunks)
        try:
            for chunk, _ in zip(chunks, writes, strict=True):
                written += len(chunk)
        except (TimeoutError, BotoCoreError, ClientError) as error:
            raise UnfinishedWriteError(written, len(items), error) from error


def _write_chunk(client: DynamoDBClient, table: str, chunk: Sequence[Item], patience: Patience) -> None:
    unwritten: Any = {table: [{"PutRequest": {"Item": item}} for item in chunk]}
    for _ in patience.pauses():
        unwritten = client.batch_write_item(RequestItems=unwritten).get("UnprocessedItems")
        if not unwritten:
            return
    raise TimeoutError(f"DynamoDB left items of {table} unprocessed until time ran out")


def _chunks(things: Sequence[T], size: int) -> Iterator[list[T]]:
    iterator = iter(things)
    while chunk := list(islice(iterator, size)):
        yield chunk
