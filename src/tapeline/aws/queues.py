"""Messages of a queue that were received: taken out of it or let go, ten in a call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

PER_CALL = 10
"""Most that a call takes (SQS API Reference)."""


class UndeletedError(RuntimeError):
    """The queue has kept messages that were to go; they come again."""


def delete(sqs: SQSClient, queue_url: str, receipts: Sequence[str]) -> None:
    """Take messages out of the queue.

    Raises
    ------
    UndeletedError
        If it keeps some, with its reason.
    """
    failed: list[Any] = []
    for entries in _entries(receipts):
        failed += sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed", [])
    if failed:
        reason = failed[0].get("Message") or failed[0]["Code"]
        raise UndeletedError(f"{len(failed):,} of {len(receipts):,} messages are done but still in the queue: {reason}")


def release(sqs: SQSClient, queue_url: str, receipts: Sequence[str]) -> None:
    """Let others see the messages now; one that the queue does not let go becomes visible when its time is over."""
    for entries in _entries(receipts):
        visible: list[Any] = [{**entry, "VisibilityTimeout": 0} for entry in entries]
        sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=visible)


def _entries(receipts: Sequence[str]) -> Iterator[list[Any]]:
    for start in range(0, len(receipts), PER_CALL):
        part = receipts[start : start + PER_CALL]
        yield [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(part)]
