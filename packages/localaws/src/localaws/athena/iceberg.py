"""Iceberg tables: opened, made and changed through pyiceberg and Glue, their files written by DuckDB.

A commit is one swap of `metadata_location` in Glue, refused if another came first: a reader sees the table before it or
after it, never between.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import pyarrow.parquet
from pyiceberg import types as ice
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.io.pyarrow import (
    PyArrowFile,
    PyArrowFileIO,
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table as IcebergTable
from pyiceberg.transforms import parse_transform
from pyiceberg.typedef import Record
from pyiceberg.utils.datetime import date_to_days, datetime_to_micros
from sqlglot import exp

from localaws import settings
from localaws.athena import definitions, types
from localaws.athena.casts import identifier, quote
from localaws.athena.catalog import Table
from localaws.athena.errors import QueryError, failed, unsupported
from localaws.athena.storage import split_url
from localaws.athena.types import Type
from localaws.athena.work import Work

MAX_OPEN_PARTITIONS = 100
_SIMPLE: dict[str, ice.PrimitiveType] = {
    "varchar": ice.StringType(), "integer": ice.IntegerType(), "bigint": ice.LongType(), "real": ice.FloatType(),
    "double": ice.DoubleType(), "boolean": ice.BooleanType(), "date": ice.DateType(), "varbinary": ice.BinaryType(),
    "timestamp": ice.TimestampType(), "smallint": ice.IntegerType(), "tinyint": ice.IntegerType(),
}  # fmt: skip


class LakeFileIO(PyArrowFileIO):
    """Reads objects from the local AWS's files where they are, and writes through S3."""

    def new_input(self, location: str) -> PyArrowFile:
        """Open an object; what Iceberg has written never changes, so its file is as good."""
        path = f"{self.properties['lake.files']}/{location.removeprefix('s3://')}"
        try:
            file = super().new_input(path)
            if file.exists():
                return file
        except OSError:
            pass
        return super().new_input(location)


def catalog(work: Work) -> GlueCatalog:
    """Return pyiceberg's view of the Glue catalog."""
    root = settings.root()
    key, secret, token = work.statement.caller or (root.access_key_id, root.secret_access_key, None)
    return GlueCatalog(
        "awsdatacatalog",
        client=work.catalog.glue,
        **{
            "py-io-impl": f"{__name__}.{LakeFileIO.__name__}",
            "lake.files": str(work.lake.files),
            "s3.endpoint": work.lake.s3.meta.endpoint_url,
            "s3.region": work.lake.s3.meta.region_name,
            "s3.access-key-id": key,
            "s3.secret-access-key": secret,
            **({"s3.session-token": token} if token else {}),
        },
    )


def load(work: Work, table: Table) -> IcebergTable:
    """Open the table as it is now."""
    work.lake.require_readable(table.parameters["metadata_location"])
    return catalog(work).load_table((table.database, table.name))


def require(work: Work, node: exp.Table, action: str) -> Table:
    """Return the Iceberg table that a statement changes."""
    table = work.catalog.table(*work.table_name(node))
    if table.format == "view":
        raise QueryError("NOT_SUPPORTED", f"{action} into views is not supported")
    if table.format != "iceberg":
        raise QueryError("NOT_SUPPORTED", "Modifying Hive table rows is only supported for transactional tables")
    return table


# Making and changing tables


def create(work: Work, tree: exp.Create, text: str) -> None:
    """CREATE TABLE … TBLPROPERTIES ('table_type'='ICEBERG')."""
    columns = [(column["Name"], types.parse(column["Type"])) for column in definitions.columns(tree.this)]
    partitioning = re.search(
        r"partitioned\s+by\s*\((.*?)\)\s*(?=location|tblproperties|comment|\Z)", text, re.IGNORECASE | re.DOTALL
    )
    fields = re.findall(r"[^,(]+(?:\([^)]*\))?", partitioning[1]) if partitioning else []
    properties = definitions.properties(tree)
    if properties.get("format", "parquet").lower() != "parquet":
        raise unsupported(f"Iceberg in the format {properties['format']}")
    create_table(
        work, work.table_name(tree.this.this), columns, [field.strip() for field in fields], definitions.location(tree)
    )


def create_table(
    work: Work, name: tuple[str, str], columns: list[tuple[str, Type]], partitioning: list[str], location: str
) -> IcebergTable:
    """Make an empty Iceberg table of format version 2."""
    split_url(location)  # it must be on S3
    number = iter(range(1, 10_000))
    top = [(next(number), column, kind) for column, kind in columns]
    schema = Schema(
        *(ice.NestedField(place, column, _iceberg_type(kind, number), required=False) for place, column, kind in top)
    )
    fields = [_partition_field(schema, text, 1000 + place) for place, text in enumerate(partitioning)]
    return catalog(work).create_table(
        name,
        schema,
        location.rstrip("/"),
        PartitionSpec(*fields),
        properties={"write.parquet.compression-codec": "zstd"},
    )


def _iceberg_type(kind: Type, number: Any) -> ice.IcebergType:
    match kind.name, kind.arguments:
        case "decimal", (precision, scale):
            return ice.DecimalType(precision, scale)
        case "array", (element,):
            return ice.ListType(next(number), _iceberg_type(element, number), element_required=False)
        case "map", (key, value):
            return ice.MapType(
                next(number),
                _iceberg_type(key, number),
                next(number),
                _iceberg_type(value, number),
                value_required=False,
            )
        case "row", fields:
            return ice.StructType(
                *(
                    ice.NestedField(next(number), name, _iceberg_type(field, number), required=False)
                    for name, field in fields
                )
            )
    if kind.name not in _SIMPLE:
        raise unsupported(f"a column of type {kind} in an Iceberg table")
    return _SIMPLE[kind.name]


def _partition_field(schema: Schema, text: str, number: int) -> PartitionField:
    """Read a partition transform: `symbol`, `day(minute)`, `truncate(2, symbol)`."""
    match = re.fullmatch(
        r"[`\"]?(\w+)[`\"]?|(\w+)\s*\(\s*(?:(\d+)\s*,\s*)?[`\"]?(\w+)[`\"]?(?:\s*,\s*(\d+))?\s*\)", text.strip()
    )
    if not match:
        raise failed(f"ParseException cannot recognize the partition transform '{text}'")
    plain, transform, before, column, after = match.groups()
    name, source = (transform or "identity").lower(), (plain or column).lower()
    width = before or after
    if name not in ("identity", "year", "years", "month", "months", "day", "days", "date", "hour", "hours", "truncate"):
        raise unsupported(f"the partition transform {text}")
    name = {"date": "day"}.get(name, name.rstrip("s"))
    return PartitionField(
        source_id=schema.find_field(source).field_id,
        field_id=number,
        transform=parse_transform(f"{name}[{width}]" if width else name),
        name=source if name == "identity" else f"{source}_{'trunc' if width else name}",
    )


def add_columns(work: Work, table: Table, added: list[dict[str, str]]) -> None:
    """ALTER TABLE … ADD COLUMNS."""
    with load(work, table).update_schema() as update:
        for column in added:
            update.add_column(column["Name"], _iceberg_type(types.parse(column["Type"]), iter(range(10_000, 20_000))))


# Writing


def write(work: Work, table: IcebergTable, rows: str) -> list[DataFile]:
    """Write the rows of a DuckDB table into new data files, which no reader sees before the commit."""
    spec, schema = table.spec(), table.schema()
    keys = [
        _transform_sql(str(field.transform), schema.find_column_name(field.source_id) or "", schema)
        for field in spec.fields
    ]
    groups: list[tuple[Any, ...]] = [()]
    if keys:
        groups = work.connection.execute(f"SELECT DISTINCT {', '.join(keys)} FROM {identifier(rows)}").fetchall()
        if len(groups) > MAX_OPEN_PARTITIONS:
            raise QueryError(
                "ICEBERG_TOO_MANY_OPEN_PARTITIONS",
                f"Exceeded limit of {MAX_OPEN_PARTITIONS} open writers for partitions/buckets",
            )
    elif work.connection.execute(f"SELECT count(*) FROM {identifier(rows)}").fetchall() == [(0,)]:
        return []
    return [_write_group(work, table, rows, keys, group) for group in groups]


def _write_group(work: Work, table: IcebergTable, rows: str, keys: list[str], group: tuple[Any, ...]) -> DataFile:
    schema = table.schema()
    name = f"{uuid.uuid4()}.parquet"
    path = work.lake.scratch / name
    listed = ", ".join(identifier(field.name) for field in schema.fields)
    test = " AND ".join(f"{key} IS NOT DISTINCT FROM ?" for key in keys) or "TRUE"
    # A COPY takes no parameters, so the group's rows are named by a view of their own.
    literals = [_literal(value) for value in group]
    for literal in literals:
        test = test.replace("?", literal, 1)
    ids = ", ".join(
        f"{identifier(field.name)}: {_field_ids(field.field_id, field.field_type)}" for field in schema.fields
    )
    work.connection.execute(
        f"COPY (SELECT {listed} FROM {identifier(rows)} WHERE {test}) TO {quote(str(path))} "
        f"(FORMAT parquet, COMPRESSION zstd, FIELD_IDS {{{ids}}})"
    )
    folder = "".join(f"{field.name}={value}/" for field, value in zip(table.spec().fields, group, strict=True))
    url = f"{table.location()}/data/{folder}{name}"
    statistics = data_file_statistics_from_parquet_metadata(
        pyarrow.parquet.read_metadata(path),
        compute_statistics_plan(schema, table.metadata.properties),
        parquet_path_to_id_mapping(schema),
    )
    size = path.stat().st_size
    work.lake.upload(path, url)
    path.unlink()
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=url,
        file_format=FileFormat.PARQUET,
        partition=Record(*(_internal(value) for value in group)),
        file_size_in_bytes=size,
        sort_order_id=None,
        spec_id=table.metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )


def _transform_sql(transform: str, column: str, schema: Schema) -> str:
    """Return the value of a partition transform (Iceberg Table Spec, "Partition Transforms")."""
    name = identifier(column)
    if transform == "identity":
        return name
    if match := re.fullmatch(r"truncate\[(\d+)\]", transform):
        if isinstance(schema.find_type(column), ice.StringType):
            return f"substr({name}, 1, {match[1]})"
        return f"({name} - ((({name} % {match[1]}) + {match[1]}) % {match[1]}))"
    if transform == "hour":
        return f"date_diff('hour', TIMESTAMP '1970-01-01', {name})"
    return f"CAST(date_diff('{transform}', DATE '1970-01-01', CAST({name} AS DATE)) AS INTEGER)"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else quote(str(value))


def _internal(value: Any) -> Any:
    """Return a partition value as Iceberg's manifests hold it."""
    if isinstance(value, datetime):
        return datetime_to_micros(value)
    return date_to_days(value) if isinstance(value, date) else value


def _field_ids(number: int, kind: ice.IcebergType) -> str:
    children: Iterable[tuple[str, int, ice.IcebergType]]
    if isinstance(kind, ice.ListType):
        children = [("element", kind.element_id, kind.element_type)]
    elif isinstance(kind, ice.MapType):
        children = [("key", kind.key_id, kind.key_type), ("value", kind.value_id, kind.value_type)]
    elif isinstance(kind, ice.StructType):
        children = [(field.name, field.field_id, field.field_type) for field in kind.fields]
    else:
        return str(number)
    inner = ", ".join(f"{identifier(name)}: {_field_ids(child, child_kind)}" for name, child, child_kind in children)
    return f"{{__duckdb_field_id: {number}, {inner}}}"


def commit(table: IcebergTable, added: list[DataFile], removed: list[DataFile]) -> None:
    """Swap files in one snapshot.

    Raises
    ------
    QueryError
        If the table changed meanwhile so that both cannot be.
    """
    if not added and not removed:
        return
    try:
        with table.transaction() as transaction:
            update = transaction.update_snapshot()
            with update.overwrite() if removed else update.fast_append() as snapshot:
                for file in removed:
                    snapshot.delete_data_file(file)
                for file in added:
                    snapshot.append_data_file(file)
    except (CommitFailedException, ValidationException) as error:
        raise QueryError(
            "ICEBERG_COMMIT_ERROR", f"Failed to commit Iceberg update to table: {error}", category=1
        ) from error
