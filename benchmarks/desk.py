"""What the market desk costs its server, the database and the stream: 500 symbols, 5 quotes a second each.

A process of its own does with quotes what the stream processor does, against a local AWS. The desk's feed reads beside
it for pages that each take every update. First the quotes come at their pace: how long the server works for an update,
how many bytes a page gets, how many calls reach the database, with one page and with ten. Then they come as fast as
they can be stored, with and without ten pages, in turns: what the pages take from the stream. Baseline of the one is
100 ms for an update, of the other the same stream with nobody watching.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median

from localaws.testing import LocalAws, running
from tapeline.aws.clients import Clients, connect
from tapeline.aws.deployment import Deployment, find_deployment
from tapeline.deploy import stack
from tapeline.desk.feed import Feed, feed_of
from tapeline.market.quotes import Quote, write_timestamp
from tapeline.market.symbol_state import Rules
from tapeline.stream.batch import StreamRecord, plan_batch
from tapeline.stream.store import StreamStore
from tapeline.stream.tables import Patience

SYMBOLS = 500
QUOTES_PER_SECOND = 5.0
SECONDS = 10
TURNS = 3
MOST_MILLISECONDS = 100.0


@dataclass
class Costs:
    """What was seen while pages watched."""

    cpu_ms: list[float] = field(default_factory=list)
    wall_ms: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    updates: int = 0
    calls: int = 0

    def line(self, pages: int, rate: float) -> str:
        """Return it as a row of a table."""
        return (
            f"{pages:5}{rate:10,.0f}{self.updates / SECONDS:11.1f}{median(self.cpu_ms):11.1f}{_high(self.cpu_ms):9.1f}"
            f"{median(self.wall_ms):11.1f}{_high(self.wall_ms):9.1f}{median(self.bytes) / 1000:12.1f}"
            f"{self.calls / SECONDS:10.1f}"
        )


def main() -> None:
    """Print both tables; with the argument `write`, be the stream."""
    if sys.argv[1:2] == ["write"]:
        _write(connect("local"), float(sys.argv[2]), paced=sys.argv[3] == "paced")
        return
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as local:
        deployment = stack.deploy(_clients(local), {}, lambda _: None)
        print(f"{SYMBOLS} symbols, {SYMBOLS * QUOTES_PER_SECOND:,.0f} quotes/s or what can be stored, {SECONDS} s each")
        print("pages  quotes/s  updates/s  cpu p50 ms   p99 ms  wall p50 ms   p99 ms  kB/update   calls/s")
        asyncio.run(_watch(local, deployment, 1, paced=True))  # the first stores every symbol for the first time
        for pages in (1, 10):
            costs, rate = asyncio.run(_watch(local, deployment, pages, paced=True))
            print(costs.line(pages, rate))
        print(f"the page's limit is {MOST_MILLISECONDS:.0f} ms for an update\n")
        rates: dict[int, list[float]] = {0: [], 10: []}
        for _ in range(TURNS):
            for pages, found in rates.items():
                found.append(asyncio.run(_watch(local, deployment, pages, paced=False))[1])
        alone, watched = median(rates[0]), median(rates[10])
        print(f"quotes/s as fast as they are stored: {alone:,.0f} alone, {watched:,.0f} with ten pages", end=" ")
        print(f"({watched / alone:.2f} times)")


async def _watch(local: LocalAws, deployment: Deployment, pages: int, *, paced: bool) -> tuple[Costs, float]:
    """Let pages watch while quotes are stored; return what it cost and the quotes stored a second."""
    costs = Costs()
    feed = feed_of(lambda: deployment)
    _measure(feed, costs)
    events = deployment.client("dynamodb").meta.events

    def count(**_: object) -> None:
        costs.calls += 1

    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.desk", "write", str(SECONDS), "paced" if paced else "fast",
        env=local.environment, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert writer.stdout is not None
    await writer.stdout.readline()  # it has begun
    events.register("before-call.dynamodb", count, unique_id="benchmark")
    watching = [asyncio.create_task(_page(feed, costs, first=number == 0)) for number in range(pages)]
    rate = float(await writer.stdout.readline())
    events.unregister("before-call.dynamodb", unique_id="benchmark")
    for page in watching:
        page.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    feed.close()
    await writer.wait()
    return costs, rate


async def _page(feed: Feed, costs: Costs, *, first: bool) -> None:
    async with aclosing(feed.updates()) as updates:
        await anext(updates)  # the whole
        async for _, document in updates:
            if first:
                costs.bytes.append(len(document))
                costs.updates += 1


def _measure(feed: Feed, costs: Costs) -> None:
    look = feed._look

    def measured() -> None:
        cpu, wall = time.thread_time(), time.perf_counter()
        look()
        costs.cpu_ms.append(1000 * (time.thread_time() - cpu))
        costs.wall_ms.append(1000 * (time.perf_counter() - wall))

    feed._look = measured  # type: ignore[method-assign]


def _write(owner: Clients, seconds: float, *, paced: bool) -> None:
    """Store a quote of every symbol again and again, as the processor does; print when it begins and its rate."""
    deployment = find_deployment(owner)
    outputs = deployment.outputs
    store = StreamStore(
        deployment.client("dynamodb"), deployment.client("s3"), outputs.table_name, outputs.state_table_name,
        outputs.bucket_name, timedelta(days=1), Patience(lambda: 60.0),
    )  # fmt: skip
    _store(store, 0)
    print("begun", flush=True)
    began = time.monotonic()
    batches = 0
    while time.monotonic() - began < seconds:
        batches += 1
        _store(store, batches)
        if paced:
            time.sleep(max(0.0, began + batches / QUOTES_PER_SECOND - time.monotonic()))
    print(batches * SYMBOLS / (time.monotonic() - began), flush=True)


def _store(store: StreamStore, number: int) -> None:
    now = datetime.now(UTC)
    text = write_timestamp(now, milliseconds=True)
    records = []
    for symbol in range(SYMBOLS):
        price = Decimal(10_000 + (symbol * 7 + number * 13) % 400) / 100
        quote = Quote(f"S{symbol:03}", text, *(price,) * 5, volume=number, source="simulated", ingested_at=text)
        sequence = time.time_ns() * 1000 + symbol
        records.append(StreamRecord("shardId-000000000000", sequence, quote.symbol, now, quote.to_json().encode()))
    store.store(plan_batch(records, store.read_states, store.read_stored, Rules()))


def _clients(local: LocalAws) -> Clients:
    import os

    os.environ.update(TAPELINE_HOME=str(local.folder), TAPELINE_PORT=str(local.port))
    return connect("local")


def _high(values: list[float]) -> float:
    return sorted(values)[int(0.99 * (len(values) - 1))]


if __name__ == "__main__":
    main()
