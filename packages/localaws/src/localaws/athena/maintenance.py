"""OPTIMIZE and VACUUM of Iceberg tables: fewer files, and none that no snapshot needs."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain

from pyiceberg.table import FileScanTask

from localaws.athena import iceberg, iceberg_files, iceberg_scan
from localaws.athena.casts import identifier
from localaws.athena.catalog import Table
from localaws.athena.scans import parquet_rows
from localaws.athena.work import Work

_ROWS = "rows to rewrite"


def optimize(work: Work, table: Table) -> None:
    """Put the files of each partition that has several, or deleted rows, into one."""
    opened = iceberg.load(work, table)
    groups: dict[str, list[FileScanTask]] = {}
    for task in iceberg_files.plan(opened, iceberg_scan.row_filter([]), opened.current_snapshot()):
        groups.setdefault(str(task.file.partition), []).append(task)
    rewritten = [tasks for tasks in groups.values() if len(tasks) > 1 or tasks[0].delete_files]
    small = list(chain.from_iterable(rewritten))
    if small:
        paths = [file.path for file in iceberg_files.local_files(work, opened, small)]
        rows = parquet_rows(work.connection, paths, table.columns, "")
        work.connection.execute(f"CREATE TEMP VIEW {identifier(_ROWS)} AS {rows}")
        iceberg.commit(opened, iceberg.write(work, opened, _ROWS), [task.file for task in small])


def vacuum(work: Work, table: Table) -> None:
    """Forget snapshots older than `vacuum_max_snapshot_age_seconds` of the table (5 days), and their files."""
    opened = iceberg.load(work, table)
    age = timedelta(seconds=int(table.parameters.get("vacuum_max_snapshot_age_seconds", 432_000)))
    oldest = work.now - age
    opened.maintenance.expire_snapshots().older_than(oldest).commit()
    opened = iceberg.load(work, table)
    kept = {opened.metadata_location, *(entry.metadata_file for entry in opened.metadata.metadata_log)}
    for snapshot in opened.snapshots():
        manifests = snapshot.manifests(opened.io)
        kept |= {snapshot.manifest_list, *(manifest.manifest_path for manifest in manifests)}
        kept |= {
            entry.data_file.file_path for manifest in manifests for entry in manifest.fetch_manifest_entry(opened.io)
        }
    # A file younger than the limit may belong to a statement that has yet to commit.
    objects = work.lake.list_with_times(table.location)
    work.lake.delete(url for url, changed in objects if url not in kept and changed < oldest)
