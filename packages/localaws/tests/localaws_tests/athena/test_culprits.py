"""A query that fails on an object names it, however many there are and wherever it lies."""

from __future__ import annotations

import gzip
import re

import pytest

from localaws.athena.errors import QueryError
from localaws_tests.athena.lake import JSON_SERDE, Runner

GOOD = b'{"n": 1, "x": 1.5, "at": "2026-03-12 10:00:00"}\n'
CASES = {
    "no gzip": (
        b"plain text\n", ".json.gz", "n",
        r"HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split {url} \(offset=0, length=11\): Not in GZIP format",
    ),
    "half a gzip": (
        gzip.compress(GOOD * 1000)[:40], ".json.gz", "n",
        r"HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split {url} \(offset=0, length=40\): Unexpected end of ZLIB input",
    ),
    "no JSON": (
        GOOD + b"no JSON\n", ".json", "n",
        r"HIVE_CURSOR_ERROR: Row is not a valid JSON Object - JSONException: .* \({url}, line 2\)",
    ),
    "half a line, packed": (
        gzip.compress(b'{"n":\n' + GOOD), ".json.gz", "x",
        r"HIVE_CURSOR_ERROR: Row is not a valid JSON Object - JSONException: .* \({url}, line 1\)",
    ),
    "two on a line": (
        b'{"n": 1} {"n": 2}\n', ".json", "n",
        r"HIVE_CURSOR_ERROR: Row is not a valid JSON Object - JSONException: .* \({url}, line 1\)",
    ),
    "an array": (b"[1]\n", ".json", "n", r"HIVE_BAD_DATA: .* \({url}, line 1\)"),
    "a word for a whole number": (b'{"n": "many"}\n', ".json", "n", r"HIVE_BAD_DATA: .*'many' for column n \({url}\)"),
    "true for a whole number": (b'{"n": true}\n', ".json", "n", r"HIVE_BAD_DATA: .*'true' for column n \({url}\)"),
    "a fraction": (b'{"n": 1.0}\n', ".json", "n", r"HIVE_BAD_DATA: .*'1.0' for column n \({url}\)"),
    "too large": (b'{"n": 9223372036854775808}\n', ".json", "n", r"HIVE_BAD_DATA: .*'9223372036854775808' .*\({url}\)"),
    "a word for a double": (b'{"x": "cheap"}\n', ".json", "x", r"HIVE_BAD_DATA: .*cheap.* \({url}, line 1\)"),
    "no moment": (b'{"at": "noon"}\n', ".json", "at", r"HIVE_BAD_DATA: .*'noon' for column at \({url}\)"),
    "no Parquet": (b"PAR", ".parquet", "n", r"HIVE_BAD_DATA: Malformed Parquet file: .* \[{url}\]"),
}  # fmt: skip


@pytest.mark.parametrize("neighbours", [0, 11])
@pytest.mark.parametrize("case", CASES)
def test_the_object_is_named(runner: Runner, case: str, neighbours: int) -> None:
    body, suffix, column, words = CASES[case]
    name = re.sub(r"\W", "_", f"bad_{case}_{neighbours}")
    s3 = runner.aws.client("s3")
    good = gzip.compress(GOOD) if suffix.endswith(".gz") else GOOD
    for number in range(neighbours if suffix != ".parquet" else 0):
        s3.put_object(Bucket="lake", Key=f"{name}/{number:02}{suffix}", Body=good)
    key = f"{name}/07-bad{suffix}"
    s3.put_object(Bucket="lake", Key=key, Body=body)
    form = "STORED AS PARQUET" if suffix == ".parquet" else JSON_SERDE
    runner.run(f"CREATE EXTERNAL TABLE {name} (n bigint, x double, `at` timestamp) {form} LOCATION 's3://lake/{name}/'")

    with pytest.raises(QueryError) as caught:
        runner.run(f"SELECT max({column}) FROM {name}")

    assert re.fullmatch(words.format(url=f"s3://lake/{key}") + ".*", str(caught.value)), caught.value


def test_a_fault_of_the_query_is_not_laid_on_an_object(runner: Runner) -> None:
    with pytest.raises(QueryError, match=r"^INVALID_CAST_ARGUMENT") as caught:
        runner.run("SELECT max(CAST(symbol AS bigint)) FROM quotes")
    assert "s3://" not in str(caught.value)
