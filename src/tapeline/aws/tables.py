"""DynamoDB in full batches: reads of 100 keys, writes of 25 items, what comes back unprocessed retried."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
"""An item in DynamoDB's own form, ``{"symbol": {"S": "AAPL"}, …}``."""

READ_KEYS = 100
WRITE_ITEMS = 25
"""Most a BatchGetItem and a BatchWriteItem take (API Reference)."""

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0

T = TypeVar("T")


class UnfinishedWriteError(RuntimeError):
    """DynamoDB left items unwritten until time ran out.

    Attributes
    ----------
    written : int
        How many of the items, counted from the first, are surely written.
    """

    def __init__(self, written: int, total: int, cause: str) -> None:
        super().__init__(f"{written} of {total} items written, then DynamoDB {cause}")
        self.written = written


class Patience:
    """Pauses that double, with jitter, until a deadline.

    Parameters
    ----------
    seconds_left : callable
        How much time remains; a Lambda passes its own remaining time.
    sleep : callable
        Waits; tests pass their own.
    """

    def __init__(self, seconds_left: Callable[[], float], sleep: Callable[[float], None] = time.sleep) -> None:
        self._seconds_left = seconds_left
        self._sleep = sleep

    def pauses(self) -> Iterator[None]:
        """Yield once for each attempt, pausing between them, and end when the next pause would pass the deadline."""
        pause = FIRST_PAUSE_SECONDS
        yield
        while (wait := pause * random.uniform(0.5, 1.0)) < self._seconds_left():  # noqa: S311 - jitter, no secret
            self._sleep(wait)
            yield
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def read_items(client: DynamoDBClient, table: str, keys: Sequence[Item], patience: Patience) -> list[Item]:
    """Read items by key, consistently; those that do not exist are absent from the answer.

    Raises
    ------
    TimeoutError
        If DynamoDB keeps leaving keys unread until time runs out.
    """
    found: list[Item] = []
    for chunk in _chunks(keys, READ_KEYS):
        wanted: Any = {table: {"Keys": chunk, "ConsistentRead": True}}
        for _ in patience.pauses():
            answer = client.batch_get_item(RequestItems=wanted)
            found += answer["Responses"].get(table, [])
            wanted = answer.get("UnprocessedKeys")
            if not wanted:
                break
        else:
            raise TimeoutError(f"DynamoDB left keys of {table} unread until time ran out")
    return found


def write_items(client: DynamoDBClient, table: str, items: Sequence[Item], patience: Patience) -> None:
    """Write items in order, 25 a call, each chunk whole before the next.

    Raises
    ------
    UnfinishedWriteError
        If a chunk could not be written; what came before it is.
    """
    written = 0
    for chunk in _chunks(items, WRITE_ITEMS):
        unwritten: Any = {table: [{"PutRequest": {"Item": item}} for item in chunk]}
        try:
            for _ in patience.pauses():
                unwritten = client.batch_write_item(RequestItems=unwritten).get("UnprocessedItems")
                if not unwritten:
                    break
            else:
                raise UnfinishedWriteError(written, len(items), "left items unprocessed until time ran out")
        except client.exceptions.ClientError as error:
            raise UnfinishedWriteError(written, len(items), f"answered {error}") from error
        written += len(chunk)


def _chunks(things: Sequence[T], size: int) -> Iterator[list[T]]:
    iterator = iter(things)
    while chunk := list(islice(iterator, size)):
        yield chunk
