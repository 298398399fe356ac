"""Tables that one engine made and both change in turn; after each statement both must read the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.witness.client import Answer, Trino
from tests.witness.comparison import Finding, Laptop, compare
from tests.witness.dialect import to_trino

TITLE = "both ways"
WHAT = (
    "Iceberg and Hive tables that the laptop made and Trino changes, and the other way round; after each statement "
    "both read the table, its snapshots and what it was at each. A statement agrees if both then have the same rows."
)

_DATABASE = "shared"
_ROW = (
    "VALUES (1, true, 5, 10000000000, REAL '1.5', 2.5, DECIMAL '12.34', 'one', DATE '2026-03-12', "
    "TIMESTAMP '2026-03-12 14:30:00.123456', to_utf8('ab'), ARRAY[1, NULL], MAP(ARRAY['k'], ARRAY[7]), "
    "CAST(ROW(1, 'x') AS row(a integer, b varchar))), "
    "(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
)
_ONE, _OTHER = "one", "other"
_ICEBERG: tuple[tuple[str, str], ...] = (
    (
        _ONE,
        "CREATE TABLE {t} (id int, yes boolean, small int, big bigint, short float, long double, price decimal(10,2), "
        "name string, day date, moment timestamp, bytes binary, list array<int>, pairs map<string,int>, "
        "pair struct<a:int,b:string>) PARTITIONED BY (day) LOCATION 's3://lake/shared/{t}/' "
        "TBLPROPERTIES ('table_type' = 'ICEBERG')",
    ),
    (_ONE, f"INSERT INTO {{t}} {_ROW}"),
    (_OTHER, f"INSERT INTO {{t}} {_ROW.replace('(1,', '(3,').replace('(2,', '(4,').replace('one', 'three')}"),
    (
        _ONE,
        "MERGE INTO {t} AS t USING (VALUES (1, 'first'), (3, 'third'), (5, 'fifth')) AS s(id, name) ON t.id = s.id "
        "WHEN MATCHED AND t.id = 3 THEN DELETE WHEN MATCHED THEN UPDATE SET name = s.name, big = t.big + 1 "
        "WHEN NOT MATCHED THEN INSERT (id, name, day) VALUES (s.id, s.name, DATE '2026-03-13')",
    ),
    (
        _OTHER,
        "MERGE INTO {t} AS t USING (VALUES (1, 'erster'), (6, 'sechster')) AS s(id, name) ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, s.name)",
    ),
    (_ONE, "UPDATE {t} SET long = 7.25, day = DATE '2026-03-14' WHERE id IN (2, 5)"),
    (_OTHER, "UPDATE {t} SET price = CAST(price * 2 AS decimal(10, 2)), list = ARRAY[9] WHERE id <= 2"),
    (_ONE, "DELETE FROM {t} WHERE id = 4"),
    (_OTHER, "DELETE FROM {t} WHERE name = 'sechster'"),
    (_ONE, "OPTIMIZE {t} REWRITE DATA USING BIN_PACK"),
    (_OTHER, "INSERT INTO {t} (id, day) VALUES (7, DATE '2026-03-12'), (8, DATE '2026-03-12')"),
    (_ONE, "DELETE FROM {t} WHERE id = 8"),
    (_OTHER, "OPTIMIZE {t} REWRITE DATA USING BIN_PACK"),
    (_OTHER, "ALTER TABLE {t} ADD COLUMNS (note string)"),
    (_ONE, "UPDATE {t} SET note = 'noted' WHERE id = 7"),
    (_ONE, "ALTER TABLE {t} ADD COLUMNS (extra double)"),
    (_OTHER, "UPDATE {t} SET extra = 0.5 WHERE note IS NULL"),
    (_ONE, "INSERT INTO {t} (id, note, extra) VALUES (9, 'nine', 9.5)"),
    (_OTHER, "DELETE FROM {t} WHERE day IS NULL AND id <> 9"),
    (_ONE, "VACUUM {t}"),
    (_OTHER, "VACUUM {t}"),
)
_TRINO_ONLY = (
    "ALTER TABLE {t} RENAME COLUMN name TO title",
    "ALTER TABLE {t} ALTER COLUMN small SET DATA TYPE bigint",
    "ALTER TABLE {t} DROP COLUMN note",
    "ALTER TABLE {t} ADD COLUMN note varchar",
    "UPDATE {t} SET note = 'again' WHERE id = 1",
    "ALTER TABLE {t} SET PROPERTIES partitioning = ARRAY['month(day)', 'truncate(title, 2)']",
    "INSERT INTO {t} (id, title, day, note) VALUES (10, 'tenth', DATE '2026-04-01', 'new parts')",
)
"""Changes of a table that Athena has no statement for, or the laptop none yet; it must read them all the same."""
_AFTER_TRINO = (
    "UPDATE {t} SET title = 'changed here' WHERE id IN (1, 10)",
    "INSERT INTO {t} (id, title, day, note) VALUES (11, 'eleventh', DATE '2026-04-02', 'here')",
    "DELETE FROM {t} WHERE id = 7",
    "OPTIMIZE {t} REWRITE DATA USING BIN_PACK",
)
_HIVE_ROWS = (
    "SELECT * FROM (VALUES (1, 1.5, true, DECIMAL '1.50', DATE '2026-03-12', 'a', ARRAY[1, 2], 'p'), "
    "(2, NULL, NULL, NULL, NULL, NULL, NULL, 'q')) AS t(id, x, yes, price, day, name, list, part)"
)
_HIVE: tuple[tuple[str, str], ...] = (
    (
        _ONE,
        "CREATE TABLE {t} WITH (format = '{format}', partitioned_by = ARRAY['part'], "
        f"external_location = 's3://lake/shared/{{t}}/') AS {_HIVE_ROWS}",
    ),
    (_OTHER, f"INSERT INTO {{t}} {_HIVE_ROWS.replace('(1,', '(3,').replace('(2,', '(4,')}"),
    (_ONE, "INSERT INTO {t} VALUES (5, 2.5, false, DECIMAL '0.25', DATE '2026-03-13', 'b', ARRAY[3], 'r')"),
)


@dataclass(frozen=True, slots=True)
class BothWays:
    """The comparison: either engine makes a table, the other joins in."""

    laptop: Laptop
    trino: Trino

    def findings(self) -> Iterator[Finding]:
        """Compare after each statement."""
        database = {"Name": _DATABASE, "LocationUri": f"s3://lake/{_DATABASE}/"}
        self.laptop.aws.client("glue").create_database(DatabaseInput=database)
        for owner in ("laptop", "Trino"):
            yield from self._alternate(owner, f"ice_{owner.lower()}", _ICEBERG)
            yield from self._alternate("Trino", f"ice_{owner.lower()}", [(_ONE, one) for one in _TRINO_ONLY])
            yield from self._alternate("laptop", f"ice_{owner.lower()}", [(_ONE, one) for one in _AFTER_TRINO])
            yield from self._past(owner)
            for format_ in ("PARQUET", "JSON"):
                steps = [(who, sql.replace("{format}", format_)) for who, sql in _HIVE]
                yield from self._alternate(owner, f"{format_.lower()}_{owner.lower()}", steps)

    def _alternate(self, owner: str, table: str, steps: Sequence[tuple[str, str]]) -> Iterator[Finding]:
        guest = "Trino" if owner == "laptop" else "laptop"
        for who, statement in steps:
            yield self._step(owner if who == _ONE else guest, table, statement)

    def _step(self, engine: str, table: str, statement: str) -> Finding:
        """Let one engine run the statement, then let both read the table."""
        sql = statement.replace("{t}", table)
        done = self._run(engine, sql)
        name = f"{table}: {engine} {sql.split('(')[0].strip()[:60]}"
        if done.error:
            return compare(name, sql, done, Answer()) if engine == "laptop" else compare(name, sql, Answer(), done)
        query = f"SELECT * FROM {table} ORDER BY id"
        return compare(name, query, self._run("laptop", query), self._run("Trino", query))

    def _run(self, engine: str, sql: str) -> Answer:
        if engine == "laptop":
            return self.laptop.ask(sql, _DATABASE)
        return self.trino.run((to_trino(sql) or sql).replace("{schema}", _DATABASE), _DATABASE)

    def _past(self, owner: str) -> Iterator[Finding]:
        """Read each snapshot of a table with one schema, by its number and by its time."""
        table = f"past_{owner.lower()}"
        yield from self._alternate(owner, table, _ICEBERG[:9])
        listed = f'SELECT snapshot_id, committed_at FROM "{table}$snapshots" ORDER BY committed_at'
        ours, theirs = self._run("laptop", listed), self._run("Trino", listed)
        yield compare(f"{table}: snapshots", listed, ours, theirs)
        for number, (snapshot, moment) in enumerate(theirs.rows, 1):
            for version in (f"VERSION AS OF {snapshot}", f"TIMESTAMP AS OF TIMESTAMP '{moment}'"):
                query = f"SELECT * FROM {table} FOR {version} ORDER BY id"
                found = self._run("laptop", query), self._run("Trino", query)
                yield compare(f"{table}: snapshot {number} FOR {version.split()[0]}", query, *found)
