"""The small lake that `conformance.yaml` describes, and an engine over it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from localaws import settings
from localaws.athena.engine import Engine
from localaws.athena.pages import Row, read_page
from localaws.athena.statements import Outcome, Statement
from localaws.clients import Clients

QUOTES = {
    "2026-03-12": [
        {"symbol": "AAPL", "timestamp": "2026-03-12T14:30:00Z", "price": 10, "previous_close": 8, "volume": 100},
        {"symbol": "AAPL", "timestamp": "2026-03-12T14:31:00Z", "price": 11.5, "previous_close": 8, "volume": 150},
        {"symbol": "MSFT", "timestamp": "2026-03-12T14:30:00Z", "price": 20, "volume": 50},
    ],
    "2026-03-13": [
        {"symbol": "MSFT", "timestamp": "2026-03-13T13:30:00Z", "price": 21, "previous_close": 20, "volume": 70},
    ],
    "2026-03-14": [
        {"symbol": "GOOG", "timestamp": "2026-03-14T13:30:00Z", "price": 30, "previous_close": 30, "volume": 1},
    ],
}
JSON_SERDE = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"
TABLES = (
    "CREATE EXTERNAL TABLE quotes "
    "(symbol string, `timestamp` string, price double, previous_close double, volume bigint) "
    f"PARTITIONED BY (dt string) {JSON_SERDE} LOCATION 's3://lake/raw-data/'",
    "ALTER TABLE quotes ADD PARTITION (dt = '2026-03-12') PARTITION (dt = '2026-03-13')",
    "CREATE EXTERNAL TABLE names (symbol string, name string) "
    "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' LOCATION 's3://lake/names/' "
    "TBLPROPERTIES ('skip.header.line.count' = '1')",
    f"CREATE EXTERNAL TABLE broken (symbol string) {JSON_SERDE} LOCATION 's3://lake/broken/'",
    f"CREATE EXTERNAL TABLE forgiving (symbol string) {JSON_SERDE} "
    "WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true') LOCATION 's3://lake/broken/'",
    f"CREATE EXTERNAL TABLE moments (`at` timestamp) {JSON_SERDE} LOCATION 's3://lake/moments/'",
    f"CREATE EXTERNAL TABLE fractions (n bigint) {JSON_SERDE} LOCATION 's3://lake/fractions/'",
)


@dataclass
class Runner:
    """Runs statements in this process, against the local AWS."""

    aws: Clients
    engine: Engine
    numbers: Iterator[int] = field(default_factory=count)

    def run(self, sql: str, *parameters: str, **settings: Any) -> tuple[Outcome, list[Row]]:
        statement = Statement(
            f"query-{next(self.numbers)}", sql, "lake", "s3://lake/results/", parameters=parameters, **settings
        )
        outcome = self.engine.execute(statement)
        if not outcome.columns or not outcome.output.endswith((".csv", ".txt")):
            return outcome, []
        rows, _ = read_page(self.aws.client("s3"), outcome.output, 0, 10_000)
        return outcome, rows[1:] if outcome.has_header else rows


def make_lake(aws: Clients, folder: Path) -> Runner:
    """Put the tables of the cases into an empty local AWS with this state folder."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="lake")
    aws.client("glue").create_database(DatabaseInput={"Name": "lake"})
    for dt, quotes in QUOTES.items():
        body = gzip.compress("".join(json.dumps(quote) + "\n" for quote in quotes).encode())
        s3.put_object(Bucket="lake", Key=f"raw-data/dt={dt}/quotes.json.gz", Body=body)
    names = b'symbol,name\n"AAPL","Apple, Inc."\n"MSFT","Microsoft ""Corp"""\n'
    s3.put_object(Bucket="lake", Key="names/names.csv", Body=names)
    s3.put_object(Bucket="lake", Key="broken/lines.json", Body=b'{"symbol": "A"}\nno JSON\n{"symbol": "B"}\n')
    s3.put_object(Bucket="lake", Key="fractions/lines.json", Body=b'{"n": 1.5}\n')
    s3.put_object(Bucket="lake", Key="moments/lines.json", Body=b'{"at": "2026-03-12T14:30:00Z"}\n')
    found = Runner(aws, Engine(lambda _: aws, folder / "aws" / "s3" / settings.ACCOUNT_ID, folder / "scratch"))
    for sql in TABLES:
        found.run(sql)
    return found
