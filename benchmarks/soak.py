"""A day at the default pace, in minutes, to see whether the local AWS stays small and quick and stops well.

`python -m benchmarks.soak` deploys the stack on a local AWS of its own, takes a confirmed address among the
subscribers, and puts 24 hours of the simulated market on the stream (12 symbols, a quote each every 5 s) as fast as it
is delivered, a turn of the market at a time: as many invocations, objects in S3, items and mails as in a day.
What hangs on the clock is not sped up: it saves its state every minute of the run, and no record grows a day old.
SOAK_HOURS in the environment asks for a part of the day.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from localaws.mail import Mailbox
from localaws.testing import LocalAws, running
from producer.simulated import SimulatedMarket
from tapeline.aws.clients import Clients, connect
from tapeline.aws.deployment import Deployment
from tapeline.deploy import stack
from tapeline.market.quotes import Quote

EVERY_SECONDS = 5
AHEAD = 100
"""Batches that may wait for delivery; a reader a little behind is what the default pace has too."""

REST_SECONDS = 20
"""Without quotes, before the day and after it: at the default pace the server has next to nothing to do."""

LIMIT_BYTES = 2 * 10**9
ADDRESS = "soak@example.com"


class Watch:
    """Measures once a second, from the side: memory of all processes, and how long simple requests take.

    Parameters
    ----------
    local : LocalAws
        The server.
    delivery : int
        Process number of the delivery.
    requests : dict
        What to ask, by name.
    """

    def __init__(self, local: LocalAws, delivery: int, requests: dict[str, Callable[[], object]]) -> None:
        self._server = psutil.Process(local.process.pid)
        self._delivery = psutil.Process(delivery)
        self._requests = requests
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._measure, daemon=True)
        self.server_bytes: list[int] = []
        self.delivery_bytes: list[int] = []
        self.seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in requests}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def median(self, name: str, since: float, until: float) -> float:
        """Return the median duration of a request between two moments, in seconds."""
        return statistics.median(seconds for moment, seconds in self.seconds[name] if since <= moment <= until)

    def _measure(self) -> None:
        while not self._stop.wait(1):
            self.server_bytes.append(self._server.memory_info().rss)
            family = [self._delivery, *self._delivery.children(recursive=True)]
            self.delivery_bytes.append(sum(process.memory_info().rss for process in family))
            for name, request in self._requests.items():
                started = time.monotonic()
                request()
                self.seconds[name].append((started, time.monotonic() - started))


def main() -> None:
    """Run the day and print what it cost; exit with 1 if the server outgrew its limit."""
    console = Console()
    hours = float(os.environ.get("SOAK_HOURS", "24"))
    folder = tempfile.mkdtemp(prefix="tapeline-soak-")  # it stays if this fails: the logs are in it
    with running(Path(folder)) as local:
        os.environ |= {"TAPELINE_HOME": folder, "TAPELINE_PORT": str(local.port)}
        aws = connect("local")
        deployment = stack.deploy(aws, {}, lambda _step: None)
        one_batch_a_turn(aws, deployment.outputs.stream_processor_name)
        confirm(aws, local, deployment.outputs.alert_topic_arn)
        with delivery(local) as process:
            market = SimulatedMarket()
            quotes = day(market, hours)
            watch = Watch(local, process.pid, requests(deployment, quotes[0]))
            watch.start()
            time.sleep(REST_SECONDS)
            began = time.monotonic()
            feed(aws, local, deployment.outputs.stream_name, quotes, len(market.symbols))
            ended = time.monotonic()
            time.sleep(REST_SECONDS)
            watch.stop()
        mails = len(Mailbox(local.folder / "mail").paths())
        objects = sum(1 for path in (local.folder / "aws" / "s3").rglob("*.json.gz"))
        stopping = time.monotonic()
        code = local.stop()
        stopped = time.monotonic()
        local.start()
        started = time.monotonic()
        reloaded = psutil.Process(local.process.pid).memory_info().rss
        report = (local.folder / "aws" / "last-start.txt").read_text()

    shutil.rmtree(folder)

    table = Table(title=f"{hours:g} hours at the default pace, in {(ended - began) / 60:.1f} minutes")
    for column in ("", "at rest before", "at rest after", "ratio", "first minute", "last minute", "ratio"):
        table.add_column(column, justify="right" if column else "left")
    for name in watch.seconds:
        row = [name]
        for first, last in (
            ((began - REST_SECONDS, began), (ended, ended + REST_SECONDS)),
            ((began, began + 60), (ended - 60, ended)),
        ):
            before, after = watch.median(name, *first), watch.median(name, *last)
            row += [f"{before * 1000:.1f} ms", f"{after * 1000:.1f} ms", f"{after / before:.2f}"]
        table.add_row(*row)
    console.print(table)
    peak = max(watch.server_bytes)
    longest = max(seconds for measured in watch.seconds.values() for _, seconds in measured)
    console.print(f"{len(quotes):,} quotes, {objects:,} raw objects, {mails:,} mails; {report.strip()}")
    console.print(f"Server: at most {peak / 1e6:,.0f} MB resident, {reloaded / 1e6:,.0f} MB after a restart.")
    console.print(f"Delivery and functions: at most {max(watch.delivery_bytes) / 1e6:,.0f} MB resident.")
    console.print(f"Longest answer to a probe, saving of the state included: {longest * 1000:,.0f} ms.")
    console.print(
        f"Stopped in {stopped - stopping:.1f} s with code {code}; started again in {started - stopped:.1f} s."
    )
    if code or peak > LIMIT_BYTES:
        sys.exit(1)


def day(market: SimulatedMarket, hours: float) -> list[Quote]:
    """Return the last hours of the market, in order of time."""
    now = datetime.now(UTC)
    start = (now - timedelta(hours=hours)).timestamp()
    turns = int(hours * 3600 / EVERY_SECONDS)
    return [
        market.quote(symbol, start + turn * EVERY_SECONDS, now)
        for turn in track(range(turns), description="making the quotes")
        for symbol in market.symbols
    ]


def feed(aws: Clients, local: LocalAws, stream: str, quotes: list[Quote], size: int) -> None:
    """Put the quotes on the stream as they are delivered, and wait for the last."""
    kinesis = aws.client("kinesis")
    sent: deque[dict[str, int]] = deque()
    for start in track(range(0, len(quotes), size), description="a day of quotes"):
        batch = quotes[start : start + size]
        records: Any = [{"Data": quote.to_json().encode(), "PartitionKey": quote.symbol} for quote in batch]
        answer = kinesis.put_records(StreamName=stream, Records=records)
        sent.append({record["ShardId"]: int(record["SequenceNumber"]) for record in answer["Records"]})
        if len(sent) > AHEAD:
            await_delivery(local, sent.popleft())
    await_delivery(local, sent[-1])


def await_delivery(local: LocalAws, positions: dict[str, int]) -> None:
    """Wait until the delivery's checkpoints of the stream's shards are there."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if all(checkpoint(local, shard_id) >= position for shard_id, position in positions.items()):
            return
        time.sleep(0.005)
    raise TimeoutError(f"the delivery has not reached {positions} in two minutes; see the logs in {local.folder}")


def checkpoint(local: LocalAws, shard_id: str) -> int:
    """Return how far the delivery has got in a shard."""
    for path in (local.folder / "delivery").glob(f"*/{shard_id}.json"):
        return int(json.loads(path.read_text())["sequence_number"] or 0)
    return 0


def one_batch_a_turn(aws: Clients, function: str) -> None:
    """Let a batch be what one turn of the market is, as at the real pace."""
    client = aws.client("lambda")
    for mapping in client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]:
        client.update_event_source_mapping(UUID=mapping["UUID"], BatchSize=12, MaximumBatchingWindowInSeconds=0)


def confirm(aws: Clients, local: LocalAws, topic: str) -> None:
    """Subscribe an address and open the link in its mail."""
    aws.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=ADDRESS)
    link = re.search(r"http://\S+", Mailbox(local.folder / "mail").newest(1)[0].text)
    if link is None:
        raise LookupError("the confirmation mail has no link")
    with urllib.request.urlopen(link[0]):  # noqa: S310 (from our own mail)
        pass


def requests(deployment: Deployment, quote: Quote) -> dict[str, Callable[[], Any]]:
    """Return what is asked once a second, by name."""
    outputs = deployment.outputs
    key: Any = {"symbol": {"S": quote.symbol}, "timestamp": {"S": quote.timestamp}}
    newest: Any = {
        "TableName": outputs.table_name,
        "KeyConditionExpression": "symbol = :symbol",
        "ExpressionAttributeValues": {":symbol": {"S": quote.symbol}},
        "ScanIndexForward": False,
        "Limit": 1,
    }
    dynamodb, kinesis = deployment.client("dynamodb"), deployment.client("kinesis")
    s3, sns = deployment.client("s3"), deployment.client("sns")
    return {
        "DynamoDB GetItem": lambda: dynamodb.get_item(TableName=outputs.table_name, Key=key),
        "DynamoDB Query newest": lambda: dynamodb.query(**newest),
        "Kinesis DescribeStreamSummary": lambda: kinesis.describe_stream_summary(StreamName=outputs.stream_name),
        "S3 ListObjectsV2": lambda: s3.list_objects_v2(Bucket=outputs.bucket_name, Prefix="rejected/", MaxKeys=10),
        "SNS ListSubscriptions": lambda: sns.list_subscriptions(),
    }


@contextmanager
def delivery(local: LocalAws) -> Iterator[subprocess.Popen[bytes]]:
    """Run the delivery beside the server."""
    with (local.folder / "delivery.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "localaws.delivery"], env=local.environment, stderr=log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


if __name__ == "__main__":
    main()
