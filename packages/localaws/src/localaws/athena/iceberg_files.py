"""The data files of an Iceberg table as they are read: under the names of today, without the rows that were deleted.

The laptop itself replaces the file of a changed row. Trino, Athena and Spark leave it, and put beside it a file that
says which of its rows are gone (Iceberg specification, "Position Delete Files"); and a column is known by its number,
whatever it was called when the file was written (ibid., "Column Projection").
"""

from __future__ import annotations

import uuid

import pyarrow.parquet
from pyiceberg.expressions import BooleanExpression
from pyiceberg.manifest import FileFormat
from pyiceberg.table import FileScanTask
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot

from localaws.athena.casts import identifier, quote
from localaws.athena.errors import unsupported
from localaws.athena.files import DataFile
from localaws.athena.work import Work


def plan(table: IcebergTable, condition: BooleanExpression, snapshot: Snapshot | None) -> list[FileScanTask]:
    """Return the data files of a snapshot whose statistics do not rule the condition out."""
    if snapshot is None:
        return []
    try:
        tasks = list(table.scan(row_filter=condition, snapshot_id=snapshot.snapshot_id).plan_files())
    except ValueError as error:
        if "equality deletes" in str(error):
            raise unsupported("Iceberg tables with equality deletes") from error
        raise
    if any(file.file_format != FileFormat.PARQUET for task in tasks for file in (task.file, *task.delete_files)):
        raise unsupported("Iceberg tables with files other than Parquet")
    return tasks


def local_files(work: Work, table: IcebergTable, tasks: list[FileScanTask]) -> list[DataFile]:
    """Return where the data files are on this machine: themselves, or copies of what is left of them."""
    renamed = _has_renamed(table)
    files = []
    for task in tasks:
        path = work.lake.path_of(task.file.file_path)
        if renamed or task.delete_files:
            path = _copy(work, table, task, path)
        files.append(DataFile(task.file.file_path, path, task.file.file_size_in_bytes))
    return files


def _has_renamed(table: IcebergTable) -> bool:
    """Tell whether a name ever stood for another column than it does now, or a column had another name."""
    pairs = {
        (number, schema.find_column_name(number) or "")
        for schema in table.schemas().values()
        for number in schema.field_ids
    }
    ambiguous = {
        name for number, name in pairs if any((number == other) != (name == another) for other, another in pairs)
    }
    if any("." in name for name in ambiguous):
        raise unsupported("Iceberg tables with a renamed or replaced field of a row, an array or a map")
    return bool(ambiguous)


def _copy(work: Work, table: IcebergTable, task: FileScanTask, path: str) -> str:
    """Write the rows that are left of a data file, under the names of today, and return where."""
    written = pyarrow.parquet.read_schema(path)
    numbers = {int((field.metadata or {}).get(b"PARQUET:field_id", -1)): field.name for field in written}
    shown = ['file_row_number AS "place in the data file"']  # so that it has rows where it has no column of today
    shown += [
        f"{identifier(numbers[field.field_id])} AS {identifier(field.name)}"
        for field in table.schema().fields
        if field.field_id in numbers
    ]
    gone = "FALSE"
    if task.delete_files:
        listed = ", ".join(quote(work.lake.path_of(file.file_path)) for file in task.delete_files)
        gone = (
            f"file_row_number IN (SELECT pos FROM read_parquet([{listed}], hive_partitioning=false) "
            f"WHERE file_path = {quote(task.file.file_path)})"
        )
    copy = work.lake.scratch / f"left-{uuid.uuid4()}.parquet"
    source = f"read_parquet({quote(path)}, file_row_number=true, hive_partitioning=false)"
    query = f"SELECT {', '.join(shown)} FROM {source} WHERE NOT {gone}"
    work.connection.execute(f"COPY ({query}) TO {quote(str(copy))} (FORMAT parquet)")
    return str(copy)
