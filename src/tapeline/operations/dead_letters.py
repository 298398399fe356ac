"""Dead letters: the batches that delivery gave up, in the bucket, each with a pointer in the dead-letter queue.

Lambda writes a batch that it gives up into the bucket, whole; the bucket's event puts a pointer on the queue. The
pointer goes once the batch is done; the object stays until the bucket's lifecycle removes it. A queue may also hold
letters of a deployment before that, which tell only where on the stream a batch was.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from tapeline.aws import queues
from tapeline.aws.deployment import Deployment
from tapeline.deploy.pointers import PREFIX
from tapeline.stream.batch import StreamRecord

MESSAGES_PER_CALL = 10
INVISIBLE_SECONDS = 900
"""How long a received letter is hidden from others, so how long its batch may take."""

READ_RECORDS = 10_000
_GONE = {"ResourceNotFoundException", "InvalidArgumentException"}


@dataclass(frozen=True, slots=True)
class Letter:
    """A batch that delivery gave up, by first and last sequence number."""

    shard_id: str
    first: str
    last: str
    records: int
    condition: str
    """Why it was given up, in Lambda's words: ``RetryAttemptsExhausted`` and so on."""
    events: tuple[dict[str, Any], ...] | None = None
    """The records as the function got them; None in a letter that only tells where they were."""
    is_of_table: bool = False
    """Whether they are of the table's stream, so for the trend alerts, and not of the Kinesis stream."""


class UnknownLetterError(ValueError):
    """A message in the dead-letter queue that cannot be redriven, and why."""


@dataclass(slots=True)
class Message:
    """A message of the queue, with what it points to."""

    body: str
    receipt: str
    letters: list[tuple[str, Letter]] = field(default_factory=list)
    """Those that can be read, each with what it is known by."""
    unread: list[str] = field(default_factory=list)
    """Why others cannot."""


_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, RecursionError)
"""What a document of another form fails with, one that is nested too deep included."""


def _text(value: Any) -> str:
    """Return a value that must be a text."""
    if not isinstance(value, str):
        raise TypeError(f"expected a text, found {value!r:.80}")
    return value


def pointers(body: str) -> list[tuple[str, str]] | None:
    """Return bucket and key of each object that a notification of S3 names; None if the message names none."""
    try:
        named = [entry["s3"] for entry in json.loads(body)["Records"]]
        return [(_text(each["bucket"]["name"]), unquote_plus(_text(each["object"]["key"]))) for each in named] or None
    except _MALFORMED:
        return None


def read_letter(body: str) -> Letter:
    """Read a dead letter (Lambda Developer Guide, "Retaining discarded batch records for a Kinesis source").

    Its `payload`, which only a bucket gets, is the event, or that as a text.

    Raises
    ------
    UnknownLetterError
        If it is of another kind.
    """
    try:
        document = json.loads(body)
        is_of_table = "DDBStreamBatchInfo" in document
        batch = document["DDBStreamBatchInfo" if is_of_table else "KinesisBatchInfo"]
        payload = document.get("payload")
        if isinstance(payload, str):
            payload = json.loads(payload)
        events = None if payload is None else tuple(payload["Records"])
        letter = Letter(
            shard_id=_text(batch["shardId"]),
            first=_text(batch["startSequenceNumber"]),
            last=_text(batch["endSequenceNumber"]),
            records=int(batch["batchSize"]),
            condition=str(document.get("requestContext", {}).get("condition", "unknown")),
            events=events,
            is_of_table=is_of_table,
        )
        for event in events or ():
            event["dynamodb"]["SequenceNumber"] if is_of_table else _record(letter, event)
    except _MALFORMED as error:
        raise UnknownLetterError(f"not understood ({error!r})") from error
    if letter.events is None and letter.is_of_table:
        raise UnknownLetterError("a batch of the table's stream, without its records")
    if letter.events is not None and len(letter.events) != letter.records:
        raise UnknownLetterError(f"expected {letter.records} records, found {len(letter.events)}")
    return letter


class DeadLetters:
    """The dead-letter queue of a deployment; what is received is hidden from others until it is released."""

    def __init__(self, deployment: Deployment) -> None:
        self._sqs = deployment.client("sqs")
        self._kinesis = deployment.client("kinesis")
        self._s3 = deployment.client("s3")
        self._bucket_name = deployment.outputs.bucket_name
        self._queue_url = deployment.outputs.dead_letter_queue_url
        self._stream_name = deployment.outputs.stream_name
        self._held: dict[str, None] = {}

    def receive(self) -> Iterator[Message]:
        """Yield each message of the queue once, with the batches that it is about."""
        seen: set[str] = set()
        with ThreadPoolExecutor(MESSAGES_PER_CALL) as pool:
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
                self._held |= dict.fromkeys(message["ReceiptHandle"] for message in messages)
                yield from pool.map(self._read, messages)

    def _read(self, received: Any) -> Message:
        message = Message(received["Body"], received["ReceiptHandle"])
        named = pointers(message.body)
        for place in [None] if named is None else named:
            try:
                letter = read_letter(message.body if place is None else self._get(*place))
            except UnknownLetterError as error:
                message.unread.append(f"s3://{'/'.join(place)}: {error}" if place else str(error))
            else:
                name = place[1] if place else f"{letter.shard_id} {letter.first} {letter.last}"
                message.letters.append((name, letter))
        return message

    def _get(self, bucket: str, key: str) -> str:
        if bucket != self._bucket_name or not key.startswith(PREFIX):
            raise UnknownLetterError(f"expected an object under s3://{self._bucket_name}/{PREFIX}")
        try:
            return str(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read(), "utf-8")
        except UnicodeDecodeError as error:
            raise UnknownLetterError(f"not understood ({error})") from error
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            raise UnknownLetterError("there is no such object") from error

    def delete(self, receipts: Iterable[str]) -> None:
        """Take messages out of the queue."""
        receipts = list(receipts)
        queues.delete(self._sqs, self._queue_url, receipts)
        for receipt in receipts:
            del self._held[receipt]

    def release(self) -> None:
        """Let others see the messages that stay."""
        queues.release(self._sqs, self._queue_url, list(self._held))

    def records_of(self, letter: Letter) -> Iterator[StreamRecord]:
        """Yield the records of a batch of the Kinesis stream; those of a mere position as far as that has them."""
        if letter.events is None:
            yield from self._records_at(letter)
        else:
            yield from (_record(letter, event) for event in letter.events)

    def _records_at(self, letter: Letter) -> Iterator[StreamRecord]:
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


def _record(letter: Letter, event: dict[str, Any]) -> StreamRecord:
    kinesis = event["kinesis"]
    try:
        data = base64.b64decode(_text(kinesis["data"]), validate=True)
    except binascii.Error as error:
        raise ValueError(f"expected base64 as data, found {kinesis['data']!r:.80}") from error
    return StreamRecord(
        shard_id=letter.shard_id,
        sequence_number=int(kinesis["sequenceNumber"]),
        partition_key=_text(kinesis["partitionKey"]),
        arrived_at=datetime.fromtimestamp(kinesis["approximateArrivalTimestamp"], UTC),
        data=data,
    )
