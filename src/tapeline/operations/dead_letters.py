"""Dead letters: which batches delivery gave up, and what the stream still has of those."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from tapeline.aws.deployment import Deployment
from tapeline.stream.batch import StreamRecord

MESSAGES_PER_CALL = 10
INVISIBLE_SECONDS = 900
"""How long a received letter is hidden from others, so how long its batch may take."""

READ_RECORDS = 10_000
_GONE = {"ResourceNotFoundException", "InvalidArgumentException"}


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: a batch of the Kinesis stream that delivery gave up, by first and last sequence number."""

    shard_id: str
    first: str
    last: str
    records: int
    condition: str
    """Why it was given up, in Lambda's words: ``RetryAttemptsExhausted`` and so on."""


class UnknownLetterError(ValueError):
    """A message in the dead-letter queue that is about no batch of the Kinesis stream."""


def read_letter(body: str) -> Letter:
    """Read a dead letter (Lambda Developer Guide, "Retaining discarded batch records for a Kinesis source").

    Raises
    ------
    UnknownLetterError
        If it is of another kind.
    """
    try:
        document = json.loads(body)
        batch = document["KinesisBatchInfo"]
        return Letter(
            shard_id=batch["shardId"],
            first=batch["startSequenceNumber"],
            last=batch["endSequenceNumber"],
            records=int(batch["batchSize"]),
            condition=str(document.get("requestContext", {}).get("condition", "unknown")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        kind = "a batch of the table's stream" if "DDBStreamBatchInfo" in body else f"not understood ({error})"
        raise UnknownLetterError(kind) from error


class DeadLetters:
    """The dead-letter queue of a deployment; what is received is hidden from others until it is released."""

    def __init__(self, deployment: Deployment) -> None:
        self._sqs = deployment.client("sqs")
        self._kinesis = deployment.client("kinesis")
        self._queue_url = deployment.outputs.dead_letter_queue_url
        self._stream_name = deployment.outputs.stream_name
        self._held: dict[str, None] = {}

    def receive(self) -> Iterator[Any]:
        """Yield each message of the queue once."""
        seen: set[str] = set()
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=MESSAGES_PER_CALL,
                VisibilityTimeout=INVISIBLE_SECONDS,
                WaitTimeSeconds=1,
            )
            messages = [message for message in answer.get("Messages", []) if message["MessageId"] not in seen]
            if not messages:
                return
            seen |= {message["MessageId"] for message in messages}
            for message in messages:
                self._held[message["ReceiptHandle"]] = None
                yield message

    def delete(self, receipt: str) -> None:
        """Take a message out of the queue."""
        self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=receipt)
        del self._held[receipt]

    def release(self) -> None:
        """Let others see the messages that stay."""
        for receipt in self._held:
            self._sqs.change_message_visibility(QueueUrl=self._queue_url, ReceiptHandle=receipt, VisibilityTimeout=0)

    def records_of(self, letter: Letter) -> Iterator[StreamRecord]:
        """Yield the records of a letter's batch, as far as the stream still has them."""
        try:
            iterator: str | None = self._kinesis.get_shard_iterator(
                StreamName=self._stream_name,
                ShardId=letter.shard_id,
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                StartingSequenceNumber=letter.first,
            )["ShardIterator"]
        except self._kinesis.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _GONE:  # the stream is a new one, or its retention is over
                return
            raise
        while iterator:
            answer = self._kinesis.get_records(ShardIterator=iterator, Limit=READ_RECORDS)
            for record in answer["Records"]:
                number = int(record["SequenceNumber"])
                if number > int(letter.last):
                    return
                yield StreamRecord(
                    shard_id=letter.shard_id,
                    sequence_number=number,
                    partition_key=record["PartitionKey"],
                    arrived_at=record["ApproximateArrivalTimestamp"].astimezone(UTC),
                    data=record["Data"],
                )
                if number == int(letter.last):
                    return
            if not answer["Records"] and not answer.get("MillisBehindLatest"):
                return
            iterator = answer.get("NextShardIterator")
