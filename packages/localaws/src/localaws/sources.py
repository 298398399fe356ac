"""Kinesis streams and DynamoDB streams as an event source mapping reads them, through their public APIs."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

TRIM_HORIZON = "TRIM_HORIZON"


@dataclass(frozen=True, slots=True)
class Record:
    """One record, in the shape in which a function gets it.

    Attributes
    ----------
    arrived_at : float
        Seconds since the epoch.
    event : dict
        Element of the event's ``Records``.
    """

    sequence_number: str
    arrived_at: float
    event: dict[str, Any]

    def to_json(self) -> str:
        """Write the element as Lambda does: bytes in base64."""
        return json.dumps(self.event, default=lambda value: base64.b64encode(value).decode())


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard and those it was split or merged from."""

    shard_id: str
    parents: tuple[str, ...]


class ExpiredIteratorError(Exception):
    """The iterator is too old; make a new one from the last sequence number read."""


class KinesisSource:
    """A Kinesis stream.

    Parameters
    ----------
    client : boto3 client of kinesis
    arn, region, role : str
        Of the stream, and the role that the events are said to be read with.

    Attributes
    ----------
    batch_info : str
        Name of the position in the message to a failure destination.
    """

    batch_info = "KinesisBatchInfo"

    def __init__(self, client: Any, arn: str, region: str, role: str) -> None:
        self._client = client
        self._arn = arn
        self._common = {
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": role,
            "awsRegion": region,
            "eventSourceARN": arn,
        }

    def shards(self) -> list[Shard]:
        """List open and closed shards."""
        pages = self._client.get_paginator("list_shards").paginate(StreamARN=self._arn)
        return [
            Shard(
                shard["ShardId"],
                tuple(shard[key] for key in ("ParentShardId", "AdjacentParentShardId") if shard.get(key)),
            )
            for page in pages
            for shard in page["Shards"]
        ]

    def iterator(self, shard_id: str, after: str, start: str | datetime) -> str | None:
        """Return an iterator behind a sequence number, or if that is empty at the starting position."""
        if after:
            position = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": after}
        elif isinstance(start, datetime):
            position = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": start}  # type: ignore[dict-item]
        else:
            position = {"ShardIteratorType": start}
        answer = self._client.get_shard_iterator(StreamARN=self._arn, ShardId=shard_id, **position)
        return str(answer["ShardIterator"])

    def read(self, shard_id: str, iterator: str, limit: int) -> tuple[list[Record], str | None, bool]:
        """Read up to `limit` records, at most 10,000.

        Returns
        -------
        tuple
            The records, the next iterator (None at the end of a closed shard), and whether there is more to read.
        """
        try:
            answer = self._client.get_records(ShardIterator=iterator, Limit=min(limit, 10_000))
        except ClientError as error:
            raise _expired_or(error) from error
        records = [self._record(entry, shard_id) for entry in answer["Records"]]
        return records, answer.get("NextShardIterator"), answer.get("MillisBehindLatest", 0) > 0

    def _record(self, entry: dict[str, Any], shard_id: str) -> Record:
        arrived_at = entry["ApproximateArrivalTimestamp"].timestamp()
        payload = {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": entry["PartitionKey"],
            "sequenceNumber": entry["SequenceNumber"],
            "data": base64.b64encode(entry["Data"]).decode(),
            "approximateArrivalTimestamp": round(arrived_at, 3),
        }
        event = {"kinesis": payload, "eventID": f"{shard_id}:{entry['SequenceNumber']}", **self._common}
        return Record(entry["SequenceNumber"], arrived_at, event)

    def filter_view(self, record: Record) -> dict[str, Any] | None:
        """Return the record's own keys, and as `data` the JSON object that it carries."""
        try:
            data = json.loads(base64.b64decode(record.event["kinesis"]["data"]))
        except ValueError:
            return None
        return {**record.event["kinesis"], "data": data, **self._common}


class DynamoDBSource:
    """The change stream of a DynamoDB table.

    Parameters
    ----------
    client : boto3 client of dynamodbstreams
    arn : str
        Of the stream.
    """

    batch_info = "DDBStreamBatchInfo"

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn

    def shards(self) -> list[Shard]:
        """List the shards of the last 24 hours."""
        shards: list[Shard] = []
        request = {"StreamArn": self._arn}
        while True:
            description = self._client.describe_stream(**request)["StreamDescription"]
            shards += [
                Shard(shard["ShardId"], (shard["ParentShardId"],) if shard.get("ParentShardId") else ())
                for shard in description["Shards"]
            ]
            if not description.get("LastEvaluatedShardId"):
                return shards
            request["ExclusiveStartShardId"] = description["LastEvaluatedShardId"]

    def iterator(self, shard_id: str, after: str, start: str | datetime) -> str | None:
        """Return an iterator; a record that is gone sends back to the oldest, and a moment to the newest there is."""
        request = {"StreamArn": self._arn, "ShardId": shard_id}
        if after:
            position = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": after}
        else:
            position = {"ShardIteratorType": "LATEST" if isinstance(start, datetime) else start}
        try:
            answer = self._client.get_shard_iterator(**request, **position)
        except ClientError as error:
            if error.response["Error"]["Code"] != "TrimmedDataAccessException":
                raise
            answer = self._client.get_shard_iterator(**request, ShardIteratorType=TRIM_HORIZON)
        return str(answer["ShardIterator"])

    def read(self, shard_id: str, iterator: str, limit: int) -> tuple[list[Record], str | None, bool]:
        """Read up to `limit` records, at most 1,000; the service does not say whether there are more."""
        limit = min(limit, 1000)
        try:
            answer = self._client.get_records(ShardIterator=iterator, Limit=limit)
        except ClientError as error:
            raise _expired_or(error) from error
        records = [self._record(entry) for entry in answer["Records"]]
        return records, answer.get("NextShardIterator"), bool(records)

    def _record(self, entry: dict[str, Any]) -> Record:
        change = dict(entry["dynamodb"])
        arrived_at = change["ApproximateCreationDateTime"].timestamp()
        change["ApproximateCreationDateTime"] = float(int(arrived_at))
        keys = ("eventID", "eventName", "eventVersion", "eventSource", "awsRegion")
        event = {**{key: entry[key] for key in keys}, "dynamodb": change, "eventSourceARN": self._arn}
        if "userIdentity" in entry:  # a deletion by time to live
            identity = entry["userIdentity"]
            event["userIdentity"] = {"type": identity["Type"], "principalId": identity["PrincipalId"]}
        return Record(change["SequenceNumber"], arrived_at, event)

    def filter_view(self, record: Record) -> dict[str, Any] | None:
        """Return the whole event."""
        return record.event


Source = KinesisSource | DynamoDBSource


def _expired_or(error: ClientError) -> Exception:
    code = error.response["Error"]["Code"]
    expired = code in ("ExpiredIteratorException", "TrimmedDataAccessException")
    return ExpiredIteratorError(str(error)) if expired else error
