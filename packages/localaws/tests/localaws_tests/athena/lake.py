"""The lake of the cases, made without pytest."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from localaws import settings
from localaws.athena.engine import Engine
from localaws.clients import Clients
from localaws_tests.athena.conftest import QUOTES, TABLES, Runner


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
