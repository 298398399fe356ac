"""Iceberg tables under competing writers and killed ones, and as another engine reads them."""

from __future__ import annotations

import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog.glue import GlueCatalog

from localaws.athena import iceberg
from localaws.athena.errors import QueryError
from localaws_tests.athena.lake import Runner
from localaws_tests.athena.test_api import rows_of, start, wait


def make(runner: Runner, name: str) -> None:
    runner.run(
        f"CREATE TABLE {name} (symbol string, price double, session date) "
        f"PARTITIONED BY (session, truncate(1, symbol)) LOCATION 's3://lake/{name}/' "
        "TBLPROPERTIES ('table_type' = 'ICEBERG')"
    )


def values(count: int, price: int) -> str:
    return "VALUES " + ", ".join(f"('S{n}', {price}e0, DATE '2026-03-1{n % 3 + 1}')" for n in range(count))


def test_competing_inserts_all_arrive_or_say_that_they_did_not(runner: Runner) -> None:
    make(runner, "inserted")
    athena = runner.aws.client("athena")

    numbers = [start(athena, f"INSERT INTO inserted {values(3, price)}") for price in range(6)]
    ends = [wait(athena, number)["Status"] for number in numbers]

    failed = [end["StateChangeReason"] for end in ends if end["State"] != "SUCCEEDED"]
    assert all(reason.startswith("ICEBERG_COMMIT_ERROR") for reason in failed)
    _, rows = runner.run("SELECT price, count(*) FROM inserted GROUP BY price ORDER BY price")
    assert rows == [[f"{price}.0", "3"] for price, end in enumerate(ends) if end["State"] == "SUCCEEDED"]


def test_a_table_made_by_several_at_the_same_moment_is_there_for_all(runner: Runner) -> None:
    athena = runner.aws.client("athena")
    for round_ in range(5):
        statement = (
            f"CREATE TABLE IF NOT EXISTS made_{round_} (symbol string) LOCATION 's3://lake/made_{round_}/' "
            "TBLPROPERTIES ('table_type' = 'ICEBERG')"
        )
        numbers = [start(athena, statement) for _ in range(4)]
        assert [wait(athena, number)["Status"].get("StateChangeReason") for number in numbers] == [None] * 4
        assert runner.run(f"SELECT * FROM made_{round_}")[1] == []


def test_competing_replacements_of_a_session_leave_one_of_them_whole(runner: Runner) -> None:
    make(runner, "replaced")
    runner.run(f"INSERT INTO replaced {values(9, 0)}")
    merge = (
        "MERGE INTO replaced t USING ({}) AS s(symbol, price, session) "
        "ON t.symbol = s.symbol AND t.session = s.session WHEN MATCHED THEN UPDATE SET price = s.price "
        "WHEN NOT MATCHED THEN INSERT VALUES (s.symbol, s.price, s.session)"
    )
    athena = runner.aws.client("athena")

    numbers = [start(athena, merge.format(values(12, price))) for price in range(1, 5)]
    ends = [wait(athena, number)["Status"] for number in numbers]

    won = [price for price, end in enumerate(ends, 1) if end["State"] == "SUCCEEDED"]
    assert won
    lost = [end["StateChangeReason"] for end in ends if end["State"] != "SUCCEEDED"]
    assert all(reason.startswith("ICEBERG_COMMIT_ERROR") for reason in lost)
    _, rows = runner.run("SELECT price, count(*), count(DISTINCT symbol) FROM replaced GROUP BY price")
    assert rows in [[[f"{price}.0", "12", "12"]] for price in won]


def test_statement_that_dies_before_its_commit_changes_nothing(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    make(runner, "kept")
    runner.run(f"INSERT INTO kept {values(4, 1)}")

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(iceberg, "commit", die)
    with pytest.raises(KeyboardInterrupt):
        runner.run("UPDATE kept SET price = 2")
    monkeypatch.undo()

    _, rows = runner.run("SELECT count(*), max(price) FROM kept")
    assert rows == [["4", "1.0"]]


def test_change_replaces_only_files_with_a_changed_row(runner: Runner) -> None:
    make(runner, "sparing")
    runner.run(f"INSERT INTO sparing {values(9, 1)}")
    _, before = runner.run('SELECT file_path FROM "sparing$files"')

    runner.run("UPDATE sparing SET price = 2 WHERE session = DATE '2026-03-11' AND symbol = 'S0'")

    _, after = runner.run('SELECT file_path FROM "sparing$files"')
    kept = {path for (path,) in before} & {path for (path,) in after}
    assert (len(before), len(after), len(kept)) == (3, 3, 2)
    _, rows = runner.run("SELECT symbol FROM sparing WHERE price = 2")
    assert rows == [["S0"]]


def test_time_travel_reads_the_table_as_it_was(runner: Runner) -> None:
    make(runner, "travelled")
    runner.run(f"INSERT INTO travelled {values(2, 1)}")
    _, [[first, moment]] = runner.run('SELECT snapshot_id, committed_at FROM "travelled$snapshots"')
    threading.Event().wait(0.002)  # commits are told apart by the millisecond
    runner.run("DELETE FROM travelled")

    assert moment is not None
    for version in (f"VERSION AS OF {first}", f"TIMESTAMP AS OF TIMESTAMP '{moment}'"):
        assert runner.run(f"SELECT count(*) FROM travelled FOR {version}")[1] == [["2"]]
    assert runner.run("SELECT count(*) FROM travelled")[1] == [["0"]]


def test_another_engine_reads_what_was_written(runner: Runner) -> None:
    make(runner, "outside")
    runner.run(f"INSERT INTO outside {values(6, 1)}")
    runner.run("UPDATE outside SET price = 7 WHERE symbol = 'S1'")
    credentials = runner.aws.client("s3")._request_signer._credentials
    catalog = GlueCatalog(
        "plain",
        client=runner.aws.client("glue"),
        **{
            "s3.endpoint": runner.aws.endpoint_url or "",
            "s3.access-key-id": credentials.access_key,
            "s3.secret-access-key": credentials.secret_key,
            "s3.region": "us-east-1",
        },
    )

    table = catalog.load_table(("lake", "outside"))
    found = table.scan(row_filter="session = '2026-03-12'").to_arrow().sort_by("symbol").to_pydict()

    assert found["symbol"] == ["S1", "S4"]
    assert found["price"] == [7.0, 1.0]
    assert [field.field_id for field in table.schema().fields] == [1, 2, 3]


def test_athena_lists_results_of_a_change(runner: Runner) -> None:
    make(runner, "counted")
    athena = runner.aws.client("athena")
    number = start(athena, f"INSERT INTO counted {values(5, 1)}")
    wait(athena, number)

    answer = athena.get_query_results(QueryExecutionId=number)

    assert (answer["UpdateCount"], rows_of(answer)) == (5, [])


def test_table_that_trino_wrote_is_read_and_changed(runner: Runner) -> None:
    # Trino 476 made it: (id, name, note), three rows; row 2 deleted; name renamed to title; note dropped and added
    # anew; row 4 inserted; the note of row 3 updated. Which rows are gone stands in files of its own.
    with zipfile.ZipFile(Path(__file__).with_name("by_trino.zip")) as packed:
        for name in packed.namelist():
            runner.aws.client("s3").put_object(Bucket="lake", Key=f"by_trino/{name}", Body=packed.read(name))
            if name.endswith(".metadata.json"):
                newest = f"s3://lake/by_trino/{name}"
    columns = [{"Name": "id", "Type": "int"}, {"Name": "title", "Type": "string"}, {"Name": "note", "Type": "string"}]
    runner.aws.client("glue").create_table(
        DatabaseName="lake",
        TableInput={
            "Name": "by_trino",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"table_type": "ICEBERG", "metadata_location": newest},
            "StorageDescriptor": {"Columns": columns, "Location": "s3://lake/by_trino"},
        },
    )

    def rows() -> list[list[str | None]]:
        outcome, found = runner.run("SELECT * FROM by_trino ORDER BY id")
        assert [column["Name"] for column in outcome.columns] == ["id", "title", "note"]
        return found

    assert rows() == [["1", "one", None], ["3", "three", "again"], ["4", "four", "new"]]
    runner.run("UPDATE by_trino SET note = 'here' WHERE id IN (1, 2)")
    assert rows() == [["1", "one", "here"], ["3", "three", "again"], ["4", "four", "new"]]
    runner.run("DELETE FROM by_trino WHERE title = 'three'")
    runner.run("OPTIMIZE by_trino REWRITE DATA USING BIN_PACK")
    assert rows() == [["1", "one", "here"], ["4", "four", "new"]]
    _, snapshots = runner.run('SELECT snapshot_id FROM "by_trino$snapshots" ORDER BY committed_at')
    with pytest.raises(QueryError, match="had other columns then"):
        runner.run(f"SELECT * FROM by_trino FOR VERSION AS OF {snapshots[1][0]}")


def test_what_trino_would_narrow_by_itself_is_refused_by_name(runner: Runner) -> None:
    make(runner, "narrow")
    with pytest.raises(QueryError, match=r"NOT_SUPPORTED: .* with time zone into session, a column of date"):
        runner.run("INSERT INTO narrow VALUES ('A', 1, TIMESTAMP '2026-03-12 14:30:00 UTC')")
    with pytest.raises(QueryError, match="TYPE_MISMATCH: Insert query has mismatched column types"):
        runner.run("INSERT INTO narrow VALUES ('A', true, DATE '2026-03-12')")
