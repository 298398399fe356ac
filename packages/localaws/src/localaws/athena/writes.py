"""Statements that write data: CREATE TABLE AS, INSERT, and the changes of Iceberg tables."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from localaws.athena import definitions, results, types
from localaws.athena.casts import identifier, quote, select_list
from localaws.athena.catalog import Partition, Table, partition_name
from localaws.athena.errors import QueryError, mismatch, unsupported
from localaws.athena.grammar import parse_statement
from localaws.athena.query import prepare
from localaws.athena.statements import Outcome
from localaws.athena.translate import Translation
from localaws.athena.types import BIGINT, Type
from localaws.athena.work import Work

STAGED = "rows to write"
MAX_OPEN_PARTITIONS = 100
_FORMATS = {"PARQUET": definitions.PARQUET, "JSON": definitions.JSON}


def insert(work: Work, node: exp.Expr) -> Outcome:
    """INSERT INTO table [(columns)] query."""
    target = node.this.this if isinstance(node.this, exp.Schema) else node.this
    table = work.catalog.table(*work.table_name(target))
    given = (
        [column.name.lower() for column in node.this.expressions]
        if isinstance(node.this, exp.Schema)
        else list(table.all_columns)
    )
    if unknown := [name for name in given if name not in table.all_columns]:
        raise QueryError("COLUMN_NOT_FOUND", f"Insert column name does not exist in target table: {unknown[0]}")
    definitions.require_once(given, "Insert")
    if table.format == "view":
        raise QueryError("NOT_SUPPORTED", "Inserting into views is not supported")
    translation = prepare(work, node.expression)
    if len(given) != len(translation.columns):
        raise mismatch(
            f"Insert query has {len(translation.columns)} expression(s) but expected {len(given)} target column(s)"
        )
    from localaws.athena import changes  # pyiceberg takes half a second to import

    sql = changes.assigned(
        work, translation.sql, translation.columns, {name: table.all_columns[name] for name in given}
    )
    sql = f"SELECT {select_list(table.all_columns, given)} FROM ({sql})"
    rows = changes.insert(work, table, sql) if table.format == "iceberg" else _insert_hive(work, table, sql)
    return _changed(work, "INSERT", rows)


def _insert_hive(work: Work, table: Table, sql: str) -> int:
    if table.format not in ("parquet", "json"):
        raise unsupported(f"INSERT INTO a table in the format {table.format}")
    work.connection.execute(f"CREATE TEMP TABLE {identifier(STAGED)} AS {sql}")
    written = _write(work, table.location, table.format.upper(), table.all_columns, list(table.partition_keys))
    registered = {partition.values for partition in work.catalog.partitions(table)} if table.partition_keys else set()
    new = [partition for partition in written if partition.values not in registered]
    if table.partition_keys:
        work.catalog.add_partitions(table, new)
    return int(work.value(f"SELECT count(*) FROM {identifier(STAGED)}"))


def _changed(work: Work, substatement: str, rows: int) -> Outcome:
    columns = [results.column_info("rows", BIGINT)]
    output = f"{work.statement.output}{work.statement.id}"
    return Outcome("DML", substatement, columns, output, update_count=rows)


def _write(work: Work, location: str, format_: str, columns: dict[str, Type], keys: list[str]) -> list[Partition]:
    """Write the staged rows under a location, one file for each partition, and return the partitions."""
    rows, connection = identifier(STAGED), work.connection
    listed = ", ".join(map(identifier, keys))
    groups: list[tuple[Any, ...]] = (
        connection.execute(f"SELECT DISTINCT {listed} FROM {rows}").fetchall() if keys else [()]
    )
    if len(groups) > MAX_OPEN_PARTITIONS:
        raise QueryError(
            "HIVE_TOO_MANY_OPEN_PARTITIONS", f"Exceeded limit of {MAX_OPEN_PARTITIONS} open writers for partitions"
        )
    data = ", ".join(identifier(name) for name in columns if name not in keys)
    options = "FORMAT parquet, COMPRESSION snappy" if format_ == "PARQUET" else "FORMAT json, COMPRESSION gzip"
    suffix = ".parquet" if format_ == "PARQUET" else ".json.gz"
    partitions = []
    for group in groups:
        test = " AND ".join(
            f"{identifier(key)} IS NOT DISTINCT FROM {_literal(value)}" for key, value in zip(keys, group, strict=True)
        )
        path = work.lake.scratch / f"{uuid.uuid4()}{suffix}"
        connection.execute(f"COPY (SELECT {data} FROM {rows} WHERE {test or 'TRUE'}) TO {quote(str(path))} ({options})")
        values = tuple("__HIVE_DEFAULT_PARTITION__" if value is None else str(value) for value in group)
        folder = location.rstrip("/") + "/" + (f"{partition_name(keys, values)}/" if keys else "")
        work.lake.upload(path, folder + path.name)
        path.unlink()
        partitions.append(Partition(values, folder))
    return partitions


def _literal(value: Any) -> str:
    return "NULL" if value is None else quote(str(value))


def create_table_as(work: Work, text: str) -> Outcome:
    """CREATE TABLE name [WITH (…)] AS query: Parquet, JSON or an Iceberg table."""
    tree = parse_statement(text)
    if not isinstance(tree, exp.Create) or not isinstance(tree.this, exp.Table) or tree.expression is None:
        raise unsupported(f"{' '.join(text.split())[:60]}: it takes CREATE TABLE name [WITH (…)] AS query")
    database, name = work.table_name(tree.this)
    if work.catalog.find(database, name):
        if tree.args.get("exists"):
            return work.done("CREATE_TABLE_AS_SELECT")
        raise QueryError("TABLE_ALREADY_EXISTS", f"line 1:1: Destination table '{database}.{name}' already exists")
    work.catalog.require_database(database)
    options = _options(tree)
    translation = prepare(work, tree.expression)
    definitions.require_names(translation.columns)
    if options.pop("table_type", "hive").lower() == "iceberg":
        _create_iceberg(work, (database, name), translation, options)
    else:
        _create_hive(work, (database, name), translation, options)
    return work.done("CREATE_TABLE_AS_SELECT")


def _options(tree: exp.Create) -> dict[str, Any]:
    """Return what WITH (…) says."""
    options: dict[str, Any] = {}
    for item in tree.args["properties"].expressions if tree.args.get("properties") else []:
        if isinstance(item, exp.FileFormatProperty):
            options["format"] = item.this.name.upper()
        elif isinstance(item, exp.PartitionedByProperty):
            options["partitioned_by"] = [value.name for value in item.this.expressions]
        elif isinstance(item, exp.LocationProperty):
            options["location"] = item.this.name
        elif type(item) is exp.Property:
            options[item.this.name.lower()] = _constant(item.args["value"])
        elif not isinstance(item, exp.WithDataProperty) or item.args["no"]:
            raise unsupported(f"CREATE TABLE AS with {item.sql(dialect='trino')}")
    return options


def _constant(value: exp.Expr) -> Any:
    if isinstance(value, exp.Array):
        return [part.name for part in value.expressions]
    return value.sql().lower() if isinstance(value, exp.Boolean) else value.name


def _create_hive(work: Work, name: tuple[str, str], translation: Translation, options: dict[str, Any]) -> None:
    format_, keys = options.pop("format", "PARQUET"), options.pop("partitioned_by", [])
    location = options.pop("external_location", f"{work.statement.output}tables/{work.statement.id}/").rstrip("/") + "/"
    options.pop("write_compression", None)
    if options or format_ not in _FORMATS:
        raise unsupported(f"CREATE TABLE AS with {', '.join(options) or format_}")
    columns = {column.lower(): kind for column, kind in translation.columns}
    if keys and list(columns)[-len(keys) :] != keys:
        raise QueryError(
            "HIVE_COLUMN_ORDER_MISMATCH",
            "Partition keys must be the last columns in the table and in the same order as the table properties",
        )
    data = [{"Name": column, "Type": types.glue(kind)} for column, kind in columns.items() if column not in keys]
    if work.lake.list(location):
        raise QueryError(
            "HIVE_PATH_ALREADY_EXISTS", f"Target directory for table '{'.'.join(name)}' already exists: {location}"
        )
    definition = {
        "Name": name[1],
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "has_encrypted_data": "false", "classification": format_.lower()},
        "PartitionKeys": [{"Name": key, "Type": types.glue(columns[key])} for key in keys],
        "StorageDescriptor": definitions.descriptor(data, location, _FORMATS[format_]),
    }
    _stage(work, translation)
    partitions = _write(work, location, format_, columns, keys)
    work.catalog.glue.create_table(DatabaseName=name[0], TableInput=definition)
    if keys:
        work.catalog.add_partitions(work.catalog.table(*name), partitions)


def _create_iceberg(work: Work, name: tuple[str, str], translation: Translation, options: dict[str, Any]) -> None:
    from localaws.athena import changes, iceberg  # pyiceberg takes half a second to import

    location, partitioning = options.pop("location", None), options.pop("partitioning", [])
    if options.pop("is_external", "false").lower() != "false" or not location:
        raise QueryError("INVALID_TABLE_PROPERTY", "An Iceberg table needs is_external = false and a location")
    if options.pop("format", "PARQUET") != "PARQUET" or options.keys() - {"write_compression"}:
        raise unsupported(f"an Iceberg table with {', '.join(options) or 'another format than PARQUET'}")
    # Trino and Athena widen timestamps to Iceberg's six digits (aoyagikouhei/athena-local, measurements, 2026-09-27).
    columns = [
        (column.lower(), Type("timestamp", (6,)) if kind.name == "timestamp" else kind)
        for column, kind in translation.columns
    ]
    iceberg.create_table(work, name, columns, partitioning, location)
    try:
        changes.insert(work, work.catalog.table(*name), _renamed(translation))
    except BaseException:
        work.catalog.glue.delete_table(DatabaseName=name[0], Name=name[1])
        raise


def _renamed(translation: Translation) -> str:
    names = ", ".join(identifier(column.lower()) for column, _ in translation.columns)
    return f"SELECT * FROM ({translation.sql}) AS answer({names})"


def _stage(work: Work, translation: Translation) -> None:
    work.connection.execute(f"CREATE TEMP TABLE {identifier(STAGED)} AS {_renamed(translation)}")


def change(work: Work, node: exp.Merge | exp.Delete | exp.Update) -> Outcome:
    """MERGE INTO, DELETE FROM or UPDATE an Iceberg table."""
    from localaws.athena import changes  # pyiceberg takes half a second to import

    run: Callable[[Work, Any], int] = getattr(changes, node.key)
    return _changed(work, node.key.upper(), run(work, node))


def maintain(work: Work, text: str) -> Outcome:
    """OPTIMIZE table REWRITE DATA USING BIN_PACK, and VACUUM table."""
    from localaws.athena import iceberg, maintenance  # pyiceberg takes half a second to import

    name = r"(?:[`\"]?(\w+)[`\"]?\s*\.\s*)?[`\"]?(\w+)[`\"]?"
    for word, pattern, run in (
        ("OPTIMIZE", rf"(?is)optimize\s+{name}\s+rewrite\s+data\s+using\s+bin_pack", maintenance.optimize),
        ("VACUUM", rf"(?is)vacuum\s+{name}", maintenance.vacuum),
    ):
        if match := re.fullmatch(pattern, text):
            run(work, iceberg.require(work, exp.table_(match[2], db=match[1]), word))
            return work.done(word, kind="DML")
    raise unsupported(f"{text.split()[0].upper()} with WHERE or other options")
