"""Follow the quotes as they are stored, through the table's stream."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from threading import Event
from typing import Any

from tapeline.aws.deployment import Deployment
from tapeline.stream.tables import Item

PAUSE_SECONDS = 0.5
"""Between two reads of a shard. A shard serves two readers (DynamoDB Developer Guide, "Quotas"); one is the Lambda."""

SHARDS_SECONDS = 10.0
"""How often to look for new shards; DynamoDB closes one after about four hours and opens its child."""


def follow(deployment: Deployment, symbols: Collection[str], stop: Event) -> Iterator[Item]:
    """Yield the item of each quote stored from now on, in order per symbol, until `stop` is set; () is all symbols."""
    reader = _Reader(deployment)
    while not stop.is_set():
        images = reader.read()
        for image in images:
            if not symbols or image["symbol"]["S"] in symbols:
                yield image
        if not images:
            stop.wait(PAUSE_SECONDS)


class _Reader:
    def __init__(self, deployment: Deployment) -> None:
        self._streams = deployment.client("dynamodbstreams")
        table = deployment.client("dynamodb").describe_table(TableName=deployment.outputs.table_name)["Table"]
        self._stream_arn = table["LatestStreamArn"]
        self._iterators: dict[str, str | None] = {}
        self._looked_at = 0.0
        self._find_shards("LATEST")

    def read(self) -> list[Item]:
        """Return what was stored since the last read."""
        if time.monotonic() > self._looked_at + SHARDS_SECONDS:
            self._find_shards("TRIM_HORIZON")  # a child that appears now holds nothing that was seen
        images = []
        for shard_id, iterator in self._iterators.items():
            if iterator is None:
                continue
            try:
                answer = self._streams.get_records(ShardIterator=iterator)
            except self._streams.exceptions.ExpiredIteratorException:
                self._iterators[shard_id] = self._iterator(shard_id, "LATEST")
                continue
            self._iterators[shard_id] = answer.get("NextShardIterator")
            images += [
                record["dynamodb"]["NewImage"] for record in answer["Records"] if record.get("eventName") != "REMOVE"
            ]
        return images

    def _find_shards(self, position: Any) -> None:
        self._looked_at = time.monotonic()
        last: dict[str, str] = {}
        while True:
            description = self._streams.describe_stream(StreamArn=self._stream_arn, **last)["StreamDescription"]  # type: ignore[arg-type]
            for shard in description["Shards"]:
                shard_id = shard["ShardId"]
                if shard_id not in self._iterators:
                    is_closed = "EndingSequenceNumber" in shard["SequenceNumberRange"]
                    self._iterators[shard_id] = None if is_closed else self._iterator(shard_id, position)
            if "LastEvaluatedShardId" not in description:
                return
            last = {"ExclusiveStartShardId": description["LastEvaluatedShardId"]}

    def _iterator(self, shard_id: str, position: Any) -> str:
        return self._streams.get_shard_iterator(
            StreamArn=self._stream_arn, ShardId=shard_id, ShardIteratorType=position
        )["ShardIterator"]
