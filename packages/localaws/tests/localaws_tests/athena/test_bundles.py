"""Many small objects read together give the rows that they give one by one."""

from __future__ import annotations

import gzip
import json

import pytest

from localaws_tests.athena.lake import JSON_SERDE, Runner


def fill(runner: Runner, name: str, bodies: list[bytes], suffix: str) -> None:
    for number, body in enumerate(bodies):
        runner.aws.client("s3").put_object(Bucket="lake", Key=f"{name}/dt=2026-03-12/{number}{suffix}", Body=body)
    runner.run(
        f"CREATE EXTERNAL TABLE {name} (n bigint) PARTITIONED BY (dt string) {JSON_SERDE} LOCATION 's3://lake/{name}/'"
    )
    runner.run(f"MSCK REPAIR TABLE {name}")


@pytest.mark.parametrize(("name", "suffix"), [("packed", ".json.gz"), ("plain", ".json")])
def test_objects_of_a_partition_are_read_together(runner: Runner, name: str, suffix: str) -> None:
    # The last line of every other object has no end.
    lines = [json.dumps({"n": number}).encode() + b"\n" * (number % 2) for number in range(25)]
    bodies = [gzip.compress(line) if suffix.endswith(".gz") else line for line in lines]
    fill(runner, name, bodies, suffix)

    outcome, rows = runner.run(f"SELECT count(*), sum(n), min(n), max(n), max(dt) FROM {name}")
    _, by_object = runner.run(f'SELECT sum(n), count(DISTINCT "$path") FROM {name}')  # which reads each by itself

    assert rows == [["25", "300", "0", "24", "2026-03-12"]]
    assert by_object == [["300", "25"]]
    assert outcome.scanned == sum(map(len, bodies))
