"""The partitions of the raw zone: what bucket and catalog have, and the calls that make them agree.

Partitions go into the catalog by Glue's own batch calls rather than ALTER TABLE ADD PARTITION on Athena: the same
entry, a hundred at once, no query to wait for, and an answer for each partition alone.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from tapeline.aws.deployment import Deployment
from tapeline.lake.partition_plan import Folder, PartitionPlan, folders, plan_repair
from tapeline.market import sessions
from tapeline.stream import raw_zone
from tapeline.stream.keys import RAW_PREFIX

CREATED_PER_CALL = 100
"""Most a BatchCreatePartition takes (Glue API Reference)."""

_DATE_FOLDER = re.compile(r"dt=(?P<day>\d{4}-\d\d-\d\d)/")


class RepairError(RuntimeError):
    """Glue refused some partitions; the message names them. What could be done is done, and a second run goes on."""


def repair_partitions(
    deployment: Deployment, first: str = "", last: str = "", *, dry_run: bool = True
) -> PartitionPlan:
    """Make the catalog agree with the raw zone, unless it is a dry run; return what that takes.

    Parameters
    ----------
    first, last : str
        Only trading dates of this range, ``YYYY-MM-DD``, both ends included; empty for no bound.

    Raises
    ------
    RepairError
        If Glue refuses a partition.
    """
    descriptor = _table(deployment)["StorageDescriptor"]
    stored, strange = folders(_objects(deployment))
    plan = plan_repair(
        descriptor["Location"],
        stored,
        registered(deployment),
        strange,
        date.fromisoformat(first) if first else None,
        date.fromisoformat(last) if last else None,
    )
    coming = _coming_session(datetime.now(UTC))
    plan = replace(plan, remove=tuple(day for day in plan.remove if day != coming))
    if not dry_run:
        _Catalog(deployment, descriptor).carry_out(plan)
    return plan


def register_coming_session(deployment: Deployment) -> date:
    """Register the date of the session that is under way or comes next, whose quotes are then found as they come.

    Raises
    ------
    RepairError
        If Glue refuses.
    """
    day, descriptor = _coming_session(datetime.now(UTC)), _table(deployment)["StorageDescriptor"]
    location = descriptor["Location"].rstrip("/") + "/"
    plan = PartitionPlan(location=location, add=(Folder(day, 0, 0),), move=(), remove=(), keep=0, strange=())
    _Catalog(deployment, descriptor).carry_out(plan)
    return day


def _coming_session(now: datetime) -> date:
    session = sessions.latest_session(now)
    return session.day if now < session.closes_at else sessions.next_session(session.day).day


def registered(deployment: Deployment) -> dict[str, str]:
    """Return the locations of the raw zone's partitions in the catalog, by their values of ``dt``."""
    outputs = deployment.outputs
    pages = (
        deployment.client("glue")
        .get_paginator("get_partitions")
        .paginate(DatabaseName=outputs.database_name, TableName=outputs.raw_table_name, ExcludeColumnSchema=True)
    )
    return {
        partition["Values"][0]: partition.get("StorageDescriptor", {}).get("Location", "")
        for page in pages
        for partition in page["Partitions"]
    }


def renew_partition(deployment: Deployment, session: str) -> bool:
    """Give a session's partition, if registered, the table's columns; return whether it had others.

    Athena reads a partition by its own descriptor. One that was registered before the table got a column, as on the day
    of an update, would give NULL for it until the next crawl.

    Raises
    ------
    RepairError
        If Glue refuses.
    """
    glue, outputs = deployment.client("glue"), deployment.outputs
    name: Any = {"DatabaseName": outputs.database_name, "TableName": outputs.raw_table_name}
    try:
        partition: Any = glue.get_partition(**name, PartitionValues=[session])["Partition"]
    except glue.exceptions.EntityNotFoundException:
        return False
    own, wanted = partition["StorageDescriptor"], _table(deployment)["StorageDescriptor"]
    if _columns(own) == _columns(wanted):
        return False
    entry: Any = {"Values": [session], "StorageDescriptor": {**wanted, "Location": own["Location"]}}
    entries: Any = [{"PartitionValueList": [session], "PartitionInput": entry}]
    if errors := glue.batch_update_partition(**name, Entries=entries).get("Errors", []):
        raise RepairError(f"Glue refused the partition {session}: {errors[0]['ErrorDetail']['ErrorCode']}")
    return True


def _table(deployment: Deployment) -> Any:
    outputs = deployment.outputs
    return deployment.client("glue").get_table(DatabaseName=outputs.database_name, Name=outputs.raw_table_name)["Table"]


def _columns(descriptor: Any) -> list[tuple[str, str]]:
    return [(column["Name"], column["Type"]) for column in descriptor.get("Columns", [])]


def _objects(deployment: Deployment) -> Iterator[tuple[str, int]]:
    """Yield key and bytes of what lies in the raw zone."""
    listing = raw_zone.list_objects(deployment.client("s3"), deployment.outputs.bucket_name, RAW_PREFIX)
    return ((entry["Key"], entry["Size"]) for entry in listing if entry["Key"] != RAW_PREFIX)


def date_folders(deployment: Deployment, prefix: str) -> list[date]:
    """Return the dates that have a folder under a prefix of the bucket, the oldest first."""
    listing = deployment.client("s3").get_paginator("list_objects_v2")
    pages = listing.paginate(Bucket=deployment.outputs.bucket_name, Prefix=f"{prefix}dt=", Delimiter="/")
    folders = (entry["Prefix"].removeprefix(prefix) for page in pages for entry in page.get("CommonPrefixes", []))
    return sorted(date.fromisoformat(match["day"]) for match in map(_DATE_FOLDER.fullmatch, folders) if match)


class _Catalog:
    def __init__(self, deployment: Deployment, descriptor: Any) -> None:
        self._glue = deployment.client("glue")
        self._s3 = deployment.client("s3")
        self._outputs = outputs = deployment.outputs
        self._table: Any = {"DatabaseName": outputs.database_name, "TableName": outputs.raw_table_name}
        self._descriptor = descriptor

    def carry_out(self, plan: PartitionPlan) -> None:
        # A quote may have come since the listing: a folder is looked at once more before its partition goes.
        for day in [*plan.move, *(day for day in plan.remove if not self._has_objects(day))]:
            with contextlib.suppress(self._glue.exceptions.EntityNotFoundException):
                self._glue.delete_partition(**self._table, PartitionValues=[str(day)])
        errors: list[Any] = []
        days = [*(folder.day for folder in plan.add), *plan.move]
        for start in range(0, len(days), CREATED_PER_CALL):
            entries = [self._entry(plan, day) for day in days[start : start + CREATED_PER_CALL]]
            errors += self._glue.batch_create_partition(**self._table, PartitionInputList=entries).get("Errors", [])
        refused = [
            f"{error['PartitionValues'][0]}: {error['ErrorDetail']['ErrorCode']}"
            for error in errors
            if error["ErrorDetail"]["ErrorCode"] != "AlreadyExistsException"
        ]
        if refused:
            raise RepairError(f"Glue refused {len(refused)} partitions: {', '.join(refused[:10])}")

    def _entry(self, plan: PartitionPlan, day: date) -> Any:
        return {
            "Values": [str(day)],
            "StorageDescriptor": {**self._descriptor, "Location": f"{plan.location}dt={day}/"},
        }

    def _has_objects(self, day: date) -> bool:
        prefix = f"{RAW_PREFIX}dt={day}/"
        listing = self._s3.list_objects_v2(Bucket=self._outputs.bucket_name, Prefix=prefix, MaxKeys=1)
        return bool(listing.get("KeyCount"))
