"""What a run of the rollup is pinned to, and the tables it finds or makes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tapeline.aws.deployment import Deployment
from tapeline.lake import rollup, sql_files
from tapeline.market.sessions import NotASessionError
from tests.sql.lakes import AthenaLake, stage

THANKSGIVING_EVE = datetime(2025, 11, 26, 22, 0, 30, tzinfo=UTC)


def test_a_run_is_pinned_to_its_session_and_to_the_moment_it_began() -> None:
    pinned = {"session": "2025-11-25", "ingested_until": "2025-11-26T22:00:30Z"}
    assert rollup.pin_run("2025-11-25", THANKSGIVING_EVE) == pinned
    assert rollup.pin_run(None, THANKSGIVING_EVE) == pinned | {"session": "2025-11-26"}
    with pytest.raises(NotASessionError, match="2025-11-27"):
        rollup.pin_run("2025-11-27", THANKSGIVING_EVE)


def test_a_table_of_an_older_version_gets_the_columns_it_lacks_and_is_filled_by_name(
    deployment: Deployment, lake: AthenaLake
) -> None:
    before = lake.run("SELECT symbol, gap_pct, quotes, anomalies FROM daily_summary WHERE session = DATE '2025-11-26'")
    older = sql_files.load("daily_summary/staging_ddl").render(bucket=deployment.outputs.bucket_name)
    assert "    gap_pct double,\n" in older
    lake.run("DROP TABLE daily_summary_staging")
    lake.run(older.replace("    gap_pct double,\n", ""))

    rollup.create_tables(deployment)
    stage(lake, "2025-11-26")  # all of it: another file of tests may have emptied the staging tables
    found = lake.run("SELECT * FROM daily_summary_staging")
    assert list(found[0])[-1] == "gap_pct"
    assert [{name: row[name] for name in before[0]} for row in found] == before
