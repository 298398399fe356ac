"""The catalog of the local AWS after folders came and went."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tapeline.lake import partition_plan, partitions
from tests.sql.lakes import AthenaLake
from tests.stack import LocalDeployment

SPAN = ("2030-01-01", "2030-12-31")


@pytest.fixture
def days(deployment: LocalDeployment) -> Any:
    """120 folders of 2030 that the catalog does not know, and 30 partitions without a folder."""
    s3, glue = deployment.client("s3"), deployment.client("glue")
    names = {"DatabaseName": deployment.outputs.database_name, "TableName": deployment.outputs.raw_table_name}
    present = [date.fromordinal(date(2030, 1, 1).toordinal() + number) for number in range(150)]
    for day in present[:120]:
        s3.put_object(Bucket=deployment.outputs.bucket_name, Key=f"raw-data/dt={day}/x.json.gz", Body=b"x")
    table = glue.get_table(DatabaseName=names["DatabaseName"], Name=names["TableName"])["Table"]
    descriptor = table["StorageDescriptor"]
    entries: list[Any] = [
        {
            "Values": [str(day)],
            "StorageDescriptor": {**descriptor, "Location": f"{descriptor['Location'].rstrip('/')}/dt={day}/"},
        }
        for day in present[120:]
    ]
    glue.batch_create_partition(**names, PartitionInputList=entries)
    yield present
    for day in present[:120]:
        s3.delete_object(Bucket=deployment.outputs.bucket_name, Key=f"raw-data/dt={day}/x.json.gz")
    partitions.repair_partitions(deployment, *SPAN, dry_run=False)


def registered(deployment: LocalDeployment) -> dict[str, Any]:
    pages = (
        deployment.client("glue")
        .get_paginator("get_partitions")
        .paginate(DatabaseName=deployment.outputs.database_name, TableName=deployment.outputs.raw_table_name)
    )
    return {one["Values"][0]: one for page in pages for one in page["Partitions"]}


def test_a_dry_run_says_what_it_would_do_and_does_nothing(deployment: LocalDeployment, days: list[date]) -> None:
    before = registered(deployment).keys()
    summary = partitions.repair_partitions(deployment, *SPAN).summary(dry_run=True)
    assert "Would add 120: 2030-01-01 (1 objects, 0.0 MB), " in summary
    assert "Would remove, since their folders are empty, 30: 2030-05-01, " in summary
    assert registered(deployment).keys() == before


def test_a_repair_adds_and_removes_and_a_second_one_finds_nothing(
    deployment: LocalDeployment, days: list[date]
) -> None:
    partitions.repair_partitions(deployment, *SPAN, dry_run=False)
    found = registered(deployment)
    assert {value for value in found if value.startswith("2030")} == {str(day) for day in days[:120]}
    entry = found["2030-01-01"]["StorageDescriptor"]
    assert entry["Location"].endswith("/raw-data/dt=2030-01-01/")
    assert entry["SerdeInfo"]["SerializationLibrary"]  # Athena reads the partition by its own descriptor
    again = partitions.repair_partitions(deployment, *SPAN, dry_run=False)
    assert again.summary(dry_run=False) == "Nothing to repair: 120 partitions are right."


def test_a_quote_that_came_since_the_listing_keeps_its_partition(
    deployment: LocalDeployment, days: list[date], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, s3 = deployment.outputs.bucket_name, deployment.client("s3")
    listed = partition_plan.folders
    key = f"raw-data/dt={days[-1]}/x.json.gz"

    def then_one_comes(found: Any) -> Any:
        answer = listed(found)
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
        return answer

    monkeypatch.setattr(partitions, "folders", then_one_comes)
    partitions.repair_partitions(deployment, *SPAN, dry_run=False)
    assert str(days[-1]) in registered(deployment)
    s3.delete_object(Bucket=bucket, Key=key)


def test_a_partition_that_points_elsewhere_is_put_right_and_athena_reads_it(
    deployment: LocalDeployment, lake: AthenaLake
) -> None:
    lake.run("ALTER TABLE stock_data_table DROP IF EXISTS PARTITION (dt = '2025-11-26')")
    lake.run(
        "ALTER TABLE stock_data_table ADD PARTITION (dt = '2025-11-26') "
        f"LOCATION 's3://{deployment.outputs.bucket_name}/elsewhere/'"
    )
    count = "SELECT COUNT(*) AS records FROM stock_data_table WHERE dt = '2025-11-26'"
    assert lake.run(count) == [{"records": 0}]
    partitions.repair_partitions(deployment, "2025-11-26", "2025-11-26", dry_run=False)
    assert lake.run(count) == [{"records": 22}]


def test_a_partition_registered_before_the_table_got_a_column_gets_it(
    deployment: LocalDeployment, lake: AthenaLake
) -> None:
    glue, outputs = deployment.client("glue"), deployment.outputs
    name: Any = {"DatabaseName": outputs.database_name, "TableName": outputs.raw_table_name}
    partitions.repair_partitions(deployment, "2025-11-26", "2025-11-26", dry_run=False)
    whole = registered(deployment)["2025-11-26"]["StorageDescriptor"]
    former = {**whole, "Columns": whole["Columns"][:10], "Location": whole["Location"]}
    entry = {"Values": ["2025-11-26"], "StorageDescriptor": former}
    entries: Any = [{"PartitionValueList": ["2025-11-26"], "PartitionInput": entry}]
    glue.batch_update_partition(**name, Entries=entries)
    assert len(registered(deployment)["2025-11-26"]["StorageDescriptor"]["Columns"]) == 10
    assert partitions.renew_partition(deployment, "2025-11-26")
    assert registered(deployment)["2025-11-26"]["StorageDescriptor"] == whole
    assert not partitions.renew_partition(deployment, "2025-11-26")
    assert not partitions.renew_partition(deployment, "1999-01-04")
