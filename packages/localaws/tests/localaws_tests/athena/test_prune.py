"""Partitions that a query cannot need are not read, and those it can are: its answer never changes."""

from __future__ import annotations

import pytest

from localaws_tests.athena.lake import QUOTES, Runner

DAYS = sorted(QUOTES)[:2]
PER_DAY = "(SELECT dt, sum(price) FROM quotes GROUP BY dt)"
RANKED = "(SELECT dt, rank() OVER (PARTITION BY dt ORDER BY price) FROM quotes)"
BOTH = "(SELECT dt FROM quotes UNION ALL SELECT symbol FROM quotes WHERE dt = '2026-03-12')"
DAY = "WITH p AS (SELECT DATE '2026-03-13' AS day)"
LOOKED_UP = 'WITH p AS (SELECT (SELECT DATE(max(d.dt)) FROM "quotes$partitions" AS d) AS day, 1 AS n)'
OUTER = "names n LEFT JOIN quotes q ON q.symbol = n.symbol"
ALL = "WITH q AS (SELECT * FROM quotes)"
SCANNED = {
    "SELECT count(*) FROM quotes WHERE dt = '2026-03-13'": [DAYS[1]],
    "SELECT count(*) FROM quotes WHERE dt >= date_format(DATE '2026-03-13', '%Y-%m-%d')": [DAYS[1]],
    "SELECT count(*) FROM quotes WHERE dt IN ('2026-03-12', 'x') AND NOT dt = '2026-03-13'": [DAYS[0]],
    f"{ALL} SELECT count(*) FROM q WHERE dt LIKE '%-13'": [DAYS[1]],
    f"SELECT * FROM {PER_DAY} WHERE dt = '2026-03-12'": [DAYS[0]],
    f"SELECT * FROM {RANKED} WHERE dt < '2026-03-13'": [DAYS[0]],
    f"SELECT * FROM {BOTH} WHERE dt = '2026-03-13'": [DAYS[1], DAYS[0]],
    f"{DAY} SELECT count(*) FROM quotes CROSS JOIN p WHERE dt = CAST(p.day AS varchar)": [DAYS[1]],
    f"{LOOKED_UP} SELECT count(*) FROM quotes CROSS JOIN p WHERE dt = CAST(p.day AS varchar)": [DAYS[1]],
    "WITH p AS (SELECT (SELECT min(dt) FROM quotes WHERE symbol = 'X') AS day) "
    "SELECT count(*) FROM quotes CROSS JOIN p WHERE dt = p.day": DAYS,
    "WITH p AS (SELECT (SELECT min(dt) FROM quotes WHERE dt > '2026-03-12') AS day) "
    "SELECT count(*) FROM quotes CROSS JOIN p WHERE dt < p.day": [DAYS[1], DAYS[0]],
    "SELECT count(*) FROM quotes a JOIN quotes b ON a.dt = b.dt WHERE a.dt = '2026-03-12'": [DAYS[0], DAYS[0]],
    # Not pruned, for a row of the other partition may change the answer:
    "SELECT count(*) FROM quotes WHERE dt = '2026-03-13' OR price > 10": DAYS,
    "SELECT * FROM (SELECT dt, sum(price) OVER (ORDER BY dt) FROM quotes) WHERE dt = '2026-03-13'": DAYS,
    "SELECT * FROM (SELECT dt, price FROM quotes ORDER BY price LIMIT 3) WHERE dt = '2026-03-13'": DAYS,
    f"{ALL}, p AS (SELECT (SELECT max(dt) FROM q) AS day) SELECT * FROM q CROSS JOIN p WHERE dt = p.day": DAYS,
    "SELECT * FROM (SELECT max(dt) AS dt FROM quotes) WHERE dt = '2026-03-13'": DAYS,
    f"SELECT count(*) FROM {OUTER} WHERE q.dt IS NULL OR q.dt = '2026-03-13'": DAYS,
    f"{ALL} SELECT (SELECT count(*) FROM q WHERE dt = '2026-03-12'), (SELECT count(*) FROM q)": DAYS,
}


@pytest.mark.parametrize("sql", SCANNED)
def test_query_scans_the_partitions_it_can_need(runner: Runner, sql: str) -> None:
    sizes = runner.aws.client("s3").list_objects_v2(Bucket="lake", Prefix="raw-data/")["Contents"]
    by_day = {item["Key"].split("/")[1].removeprefix("dt="): item["Size"] for item in sizes}
    names = runner.aws.client("s3").head_object(Bucket="lake", Key="names/names.csv")["ContentLength"]

    outcome, _ = runner.run(sql)

    expected = sum(by_day[day] for day in SCANNED[sql]) + (names if "names" in sql else 0)
    assert outcome.scanned == expected


@pytest.mark.parametrize("sql", SCANNED)
def test_pruning_changes_no_answer(runner: Runner, sql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, pruned = runner.run(sql)
    monkeypatch.setattr("localaws.athena.query.conditions_by_scan", lambda _: {})
    monkeypatch.setattr("localaws.athena.lookups.put_values", lambda *_: None)

    _, whole = runner.run(sql)

    assert sorted(map(str, pruned)) == sorted(map(str, whole))


def test_of_parquet_only_the_columns_that_are_read_count(runner: Runner) -> None:
    runner.run("CREATE TABLE columnar AS SELECT symbol, price, volume FROM quotes")
    one, _ = runner.run("SELECT sum(price) FROM columnar")
    two, _ = runner.run("SELECT sum(price), max(volume) FROM columnar")
    none, rows = runner.run("SELECT count(*) FROM columnar")
    stored = runner.aws.client("s3").list_objects_v2(Bucket="lake", Prefix="results/tables/")["Contents"]

    assert 0 < one.scanned < two.scanned < sum(item["Size"] for item in stored)
    assert (none.scanned, rows) == (0, [["4"]])
