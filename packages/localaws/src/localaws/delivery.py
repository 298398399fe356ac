"""Event source mappings: read the streams and invoke the deployed functions with AWS's semantics.

`python -m localaws.delivery` reads what is deployed (ListEventSourceMappings), polls each shard of the streams through
their public APIs and runs the functions in processes of their own. It needs nothing of the emulator and reads a real
stream as well. The semantics are those of the Lambda Developer Guide, "Configuring partial batch response" and "Retain
discarded batch records" for Kinesis and DynamoDB:

- one batch in flight per shard, in order; a checkpoint on disk after each success, so that a batch may come twice but
  is never missed;
- a failed batch is retried with back-off, from the lowest reported failure if the function reports any, and split in
  two if the mapping bisects and nothing of it was done; splitting is no retry;
- what was retried too often or grew too old goes to the failure destination with its position, and the shard goes on.
"""

from __future__ import annotations

import _thread
import json
import logging
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from botocore.exceptions import ClientError

from localaws import settings
from localaws.clients import Clients, connect
from localaws.event_filter import EventFilter, FilterError
from localaws.functions import Functions
from localaws.mapping import Checkpoint, Checkpoints, Mapping
from localaws.metrics import Metrics
from localaws.printable import log_to_terminal
from localaws.shard_poller import TROUBLE, ShardPoller
from localaws.sources import TRIM_HORIZON, DynamoDBSource, KinesisSource, Shard, Source

logger = logging.getLogger("localaws.delivery")

REFRESH_SECONDS = 2.0
"""How soon a change to a mapping, a function or a stream is noticed."""

METRICS_SECONDS = 10.0


class Delivery:
    """All mappings of one target.

    Parameters
    ----------
    aws : Clients
        The target.
    folder : Path
        State folder; checkpoints, code and logs are kept in it.
    """

    def __init__(self, aws: Clients, folder: Path) -> None:
        self._aws = aws
        self._folder = folder / "delivery"
        self.metrics = Metrics(aws.client("cloudwatch"))
        self._functions = Functions(aws, folder / "lambda", folder / "logs", self.metrics)
        self._pollers: dict[tuple[str, str], ShardPoller] = {}
        self._complaints: dict[str, str] = {}

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set, then finish what is in flight."""
        flushed_at = time.monotonic()
        is_reachable = True
        while not stop.is_set():
            try:
                self.refresh()
                if time.monotonic() - flushed_at >= METRICS_SECONDS:
                    flushed_at = time.monotonic()
                    self.metrics.flush()
                is_reachable = True
                if heartbeat := os.environ.get("TAPELINE_HEARTBEAT"):  # the file that a health check looks at
                    Path(heartbeat).touch()
            except TROUBLE as error:
                if is_reachable:
                    logger.warning("cannot read what is deployed: %s; trying again until it works", error)
                is_reachable = False
            stop.wait(REFRESH_SECONDS)
        self.close()

    def refresh(self) -> None:
        """Start and stop pollers so that they are those of the deployed mappings and the streams' shards."""
        pages = self._aws.client("lambda").get_paginator("list_event_source_mappings").paginate()
        described = [entry for page in pages for entry in page["EventSourceMappings"]]
        streams = [entry for entry in described if entry["EventSourceArn"].split(":")[2] in ("kinesis", "dynamodb")]
        wanted: dict[tuple[str, str], tuple[Mapping, Source]] = {}
        for entry in streams:
            mapping = Mapping.read(entry)
            if entry["State"] in ("Enabled", "Updating") and self._is_sound(mapping):
                try:
                    source = self._source(mapping)
                    shards = self._readable(mapping, source)
                except ClientError as error:  # a stream or a function that is gone is no matter of the other mappings
                    self._complain(mapping, str(error))
                else:
                    wanted |= {(mapping.mapping_id, shard): (mapping, source) for shard in shards}
        for key, poller in list(self._pollers.items()):
            if not poller.is_alive():
                del self._pollers[key]
            elif key in wanted:
                poller.mapping = wanted[key][0]
            else:
                poller.stop()  # it stays listed until it has ended, so that the shard never has two
        for key, (mapping, source) in wanted.items():
            if key not in self._pollers:
                self._start(mapping, key[1], source)
        self._forget({entry["UUID"] for entry in streams})

    def close(self) -> None:
        """Stop the pollers; one whose function still runs is waited for, but not for long."""
        for poller in self._pollers.values():
            poller.stop()
        for poller in self._pollers.values():
            poller.join(timeout=10)
        try:
            self.metrics.flush()
        except TROUBLE as error:
            logger.warning("the last metrics were not sent: %s", error)

    def _is_sound(self, mapping: Mapping) -> bool:
        """Say whether the mapping can be delivered as it is, and complain if not."""
        reason = ""
        try:
            EventFilter(json.loads(mapping.filter_json))
        except FilterError as error:
            reason = str(error)
        if not re.match(r"$|arn:aws[a-z-]*:(s3|sqs|sns):", mapping.failure_destination):
            reason = (
                f"expected a bucket, a queue or a topic as failure destination, found {mapping.failure_destination}"
            )
        if reason:
            self._complain(mapping, reason)
        return not reason

    def _complain(self, mapping: Mapping, reason: str) -> None:
        """Say once why a mapping is not delivered."""
        if self._complaints.get(mapping.mapping_id) != reason:
            logger.error("%s is not delivered to: %s", mapping.function_name, reason)
        self._complaints[mapping.mapping_id] = reason

    def _source(self, mapping: Mapping) -> Source:
        if ":kinesis:" in mapping.source_arn:
            role = self._functions.current(mapping.function_name).role
            return KinesisSource(self._aws.client("kinesis"), mapping.source_arn, self._aws.region, role)
        return DynamoDBSource(self._aws.client("dynamodbstreams"), mapping.source_arn)

    def _checkpoints(self, mapping: Mapping) -> Checkpoints:
        return Checkpoints(self._folder / mapping.mapping_id)

    def _readable(self, mapping: Mapping, source: Source) -> list[str]:
        """Name the shards to read now: a child waits until its parents are read to the end, or are gone."""
        shards = source.shards()
        checkpoints = self._checkpoints(mapping)
        if checkpoints.is_empty() and shards:
            self._begin(mapping, checkpoints, shards)
        reached = {shard.shard_id: checkpoints.load(shard.shard_id) for shard in shards}
        closed = {shard_id for shard_id, checkpoint in reached.items() if checkpoint and checkpoint.is_closed}
        return [
            shard.shard_id
            for shard in shards
            if shard.shard_id not in closed and all(p in closed or p not in reached for p in shard.parents)
        ]

    @staticmethod
    def _begin(mapping: Mapping, checkpoints: Checkpoints, shards: Sequence[Shard]) -> None:
        """Note where a new mapping starts, so that a restart before its first record starts there too."""
        start = TRIM_HORIZON if mapping.starting_position == TRIM_HORIZON else datetime.now(UTC).isoformat()
        for shard in shards:
            checkpoints.save(shard.shard_id, Checkpoint(start=start))

    def _start(self, mapping: Mapping, shard_id: str, source: Source) -> None:
        logger.info("%s: reading %s of %s", mapping.function_name, shard_id, mapping.source_arn)
        checkpoints = self._checkpoints(mapping)
        poller = ShardPoller(mapping, shard_id, source, checkpoints, self._functions, self.metrics, self._aws)
        self._pollers[mapping.mapping_id, shard_id] = poller
        poller.start()

    def _forget(self, mapping_ids: set[str]) -> None:
        """Remove the checkpoints of mappings that were deleted."""
        for folder in self._folder.glob("*/"):
            if folder.name not in mapping_ids:
                shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Deliver until SIGTERM or Ctrl-C."""
    log_to_terminal(logging.INFO, "%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # From another thread: the one that a signal interrupts may hold the event's lock.
        signal.signal(number, lambda *_: _thread.start_new_thread(stop.set, ()))
    Delivery(connect(), settings.private_home()).run(stop)


if __name__ == "__main__":
    main()
