"""A local AWS with a stack and quotes in its raw zone, put there as the stream processor puts them but without it."""

from __future__ import annotations

import gzip
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from localaws.testing import LocalAws, running
from tapeline.aws.clients import connect
from tapeline.aws.deployment import Deployment
from tapeline.deploy import stack
from tapeline.lake import athena, rollup, sql_files
from tapeline.lake.athena import Execution
from tapeline.market.dates import trading_date
from tapeline.market.quotes import Quote
from tapeline.stream.keys import raw_key

BATCH = 500
"""Quotes of an object: a batch of the stream processor."""

Row = tuple[Any, ...]


@dataclass
class Lake:
    """A stack on a local AWS and statements about it."""

    local: LocalAws
    deployment: Deployment

    def fill(self, quotes: Iterable[Quote]) -> int:
        """Store quotes in time order in the raw zone and return the number of objects."""
        s3, objects = self.deployment.client("s3"), 0
        for _, of_a_day in groupby(quotes, key=lambda quote: trading_date(quote.time)):
            while batch := list(islice(of_a_day, BATCH)):
                key = raw_key(batch[0].time, "shardId-000000000000", f"{objects:056}")
                body = gzip.compress("".join(quote.to_json() + "\n" for quote in batch).encode())
                s3.put_object(Bucket=self.deployment.outputs.bucket_name, Key=key, Body=body)
                objects += 1
        return objects

    def crawl(self) -> None:
        """Run the crawler to its end."""
        glue = self.deployment.client("glue")
        glue.start_crawler(Name=self.deployment.outputs.crawler_name)
        while True:
            crawler = glue.get_crawler(Name=self.deployment.outputs.crawler_name)["Crawler"]
            if crawler["State"] == "READY":
                break
            time.sleep(0.2)
        if crawler["LastCrawl"]["Status"] != "SUCCEEDED":
            raise RuntimeError(f"the crawl failed: {crawler['LastCrawl']}")

    def run(self, name: str, **values: object) -> tuple[Execution, list[Row]]:
        """Run a file of include/sql and return what it took and gave."""
        return self.execute(sql_files.load(name).render(values, bucket=self.deployment.outputs.bucket_name))

    def execute(self, statement: str) -> tuple[Execution, list[Row]]:
        """Run a statement and return what it took and gave."""
        finished = athena.run(self.deployment, statement)
        _, rows = athena.results(self.deployment, finished)
        return finished, list(rows)

    def make_curated_tables(self) -> None:
        """Create the curated tables, empty."""
        rollup.create_tables(self.deployment)


@contextmanager
def lake() -> Iterator[Lake]:
    """Run a local AWS with a fresh stack; both are gone when the block ends."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as local:
        os.environ.update(TAPELINE_HOME=folder, TAPELINE_PORT=str(local.port))
        yield Lake(local, stack.deploy(connect("local"), {}, lambda progress: None))
