"""What the laptop would answer otherwise than Athena does, it refuses by name; Trino 476 has an answer to each."""

from __future__ import annotations

import pytest

from localaws.athena.errors import QueryError
from localaws_tests.athena.lake import Runner

REFUSED = {
    "SELECT ROW(1, NULL) = ROW(1, 2)": "row = row",
    "SELECT ROW(1, 2) < ROW(1, 3)": "row < row",
    "SELECT ARRAY[1, NULL] = ARRAY[1, 2]": "array = array",
    "SELECT MAP(ARRAY['a'], ARRAY[1]) <> MAP(ARRAY['a'], ARRAY[1])": "map <> map",
    "SELECT coalesce(CAST('a' AS char(9)), symbol) FROM quotes": "a varchar beside a char",
    "SELECT symbol FROM quotes UNION SELECT CHAR 'a'": "a char beside a varchar",
    "SELECT replace(CHAR 'a', 'a', 'b')": "replace of char",
    "SELECT CAST(x AS timestamp with time zone) FROM (VALUES '2024-03-25 11:12 Asia/Tokyo') AS t(x)": "the zone of",
    "SELECT TIMESTAMP '2024-03-25 11:12:13 +02:00'": "the zone of",
    "SELECT TIME '10:11:12.345 -06:00'": "time(3) with time zone",
    "SELECT CAST(TIME '10:11:12' AS timestamp)": "of the day of the query",
    "SELECT to_iso8601(TIMESTAMP '2026-01-02 03:04:05')": "written without milliseconds",
    "SELECT CAST(TIMESTAMP '2026-01-02 03:04:05' AS varchar)": "CAST AS varchar of a moment that",
    "SELECT INTERVAL '2' DAY / 2": "interval day to second / integer",
    "SELECT TIME '10:11:12' + INTERVAL '2' HOUR": "time + interval day to second",
    "SELECT sum(x) FROM (VALUES INTERVAL '2' DAY) AS t(x)": "sum of intervals",
    "SELECT DECIMAL '1.5' + NULL": "decimal(2, 1) + unknown",
    "CREATE TABLE bare AS SELECT 1 AS x WITH NO DATA": "WITH NO DATA",
    "CREATE TABLE bare (x, y) AS SELECT 1, 2": "it takes CREATE TABLE name [WITH (…)] AS query",
    "CREATE TABLE bare\nWITH (format = 'ORC')\nAS SELECT 1 AS x": "ORC",
    "CREATE TABLE bare AS SELECT TIME '01:02:03' AS x": "a column of type time",
    "SELECT round(NULL)": "round of a bare NULL",
    "SELECT lag(price, NULL) OVER (ORDER BY price) FROM quotes": "lag with a bare NULL",
    r"SELECT regexp_extract('k=v', '(\w)=(\w)', 2)": "regexp_extract with 3 arguments",
    "SELECT * FROM UNNEST(ARRAY[ROW(1, 'a')])": "UNNEST of maps or rows without names",
    "SELECT t.a FROM (VALUES 1) AS t(a), (VALUES 2) AS t(b)": "t as the name of two relations",
    "SELECT typeof('a')": "typeof of varchar",
    "SELECT typeof(ROW(1))": "typeof of row",
    "SELECT date_parse('10:11 PM', '%h:%i %p')": "date_parse without a year",
    "SELECT approx_percentile(price, ARRAY[0.5, 0.9]) FROM quotes": "approx_percentile of several at once",
    "SELECT truncate(DECIMAL '1.9')": "truncate of a decimal",
    "SELECT greatest(1e0, nan())": "greatest of NaN",
    "SELECT least(nan(), 1e0)": "least of NaN",
    "SELECT x FROM (VALUES 1) AS t(x) WHERE EXISTS (SELECT 1 FROM (VALUES 2) AS s(y) WHERE y = x)": "refers to VALUES",
}


@pytest.mark.parametrize("sql", REFUSED)
def test_refused_by_name(runner: Runner, sql: str) -> None:
    with pytest.raises(QueryError, match=r"^NOT_SUPPORTED: ") as refusal:
        runner.run(sql)
    assert REFUSED[sql] in str(refusal.value)


def test_a_row_that_two_clauses_of_merge_change_is_refused(runner: Runner) -> None:
    """Trino 476 writes it twice."""
    runner.run("CREATE TABLE doubled (n int) LOCATION 's3://lake/doubled/' TBLPROPERTIES ('table_type' = 'ICEBERG')")
    runner.run("INSERT INTO doubled VALUES 1")
    merge = (
        "MERGE INTO doubled AS t USING (VALUES (1, 'a'), (1, 'b')) AS s(n, kind) ON t.n = s.n "
        "WHEN MATCHED AND kind = 'a' THEN UPDATE SET n = 2 WHEN MATCHED THEN DELETE"
    )
    with pytest.raises(QueryError, match="a row that two clauses of MERGE change"):
        runner.run(merge)
