"""Statements about the catalog: CREATE, ALTER, DROP, MSCK REPAIR TABLE."""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import ClientError
from pyiceberg.exceptions import TableAlreadyExistsError
from sqlglot import exp

from localaws.athena import definitions
from localaws.athena.catalog import Partition, Table, partition_location, partition_name
from localaws.athena.errors import QueryError, failed, unsupported
from localaws.athena.grammar import parse_statement
from localaws.athena.statements import Outcome
from localaws.athena.translate import Translator
from localaws.athena.work import Work

NAME = r"(?:[`\"]?(?P<database>\w+)[`\"]?\s*\.\s*)?[`\"]?(?P<table>\w+)[`\"]?"


def _match(pattern: str, text: str) -> re.Match[str]:
    match = re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL)
    if not match:
        raise failed(f"ParseException cannot recognize input near '{text[:60]}'")
    return match


def _named(work: Work, match: re.Match[str]) -> tuple[str, str]:
    return (match["database"] or work.database).lower(), match["table"].lower()


def create_database(work: Work, text: str) -> Outcome:
    """CREATE DATABASE [IF NOT EXISTS] name [COMMENT …] [LOCATION …]."""
    match = _match(
        r"create\s+(?:database|schema)\s+(?P<if>if\s+not\s+exists\s+)?[`\"]?(?P<name>\w+)[`\"]?"
        r"(?:\s+comment\s+'(?P<comment>[^']*)')?(?:\s+location\s+'(?P<location>[^']*)')?(?:\s+with\s+dbproperties.*)?",
        text,
    )
    described = {"Description": match["comment"], "LocationUri": match["location"]}
    definition = {"Name": match["name"].lower(), **{key: value for key, value in described.items() if value}}
    try:
        work.catalog.glue.create_database(DatabaseInput=definition)
    except work.catalog.glue.exceptions.AlreadyExistsException as error:
        if not match["if"]:
            raise failed(f"SemanticException [Error 10072]: Database {match['name']} already exists") from error
    return work.done("CREATE_DATABASE")


def create_table(work: Work, text: str) -> Outcome:
    """CREATE EXTERNAL TABLE, or CREATE TABLE of an Iceberg table."""
    tree = definitions.parse_create(text)
    database, name = work.table_name(tree.this.this)
    is_made = not work.catalog.find(database, name) and _make_table(work, tree, text)
    if not is_made and not tree.args.get("exists"):
        raise failed(f"SemanticException table already exists: {database}.{name}")
    return work.done("CREATE_TABLE")


def _make_table(work: Work, tree: exp.Create, text: str) -> bool:
    """Make the table; False if another statement made it at the same moment."""
    database, _ = work.table_name(tree.this.this)
    work.catalog.require_database(database)
    try:
        if definitions.properties(tree).get("table_type", "").lower() == "iceberg":
            from localaws.athena import iceberg  # pyiceberg takes half a second to import

            iceberg.create(work, tree, text)
        elif tree.find(exp.ExternalProperty):
            work.catalog.glue.create_table(DatabaseName=database, TableInput=definitions.external_table(tree))
        else:
            raise failed("SemanticException: CREATE TABLE needs EXTERNAL or TBLPROPERTIES ('table_type'='ICEBERG')")
    except (TableAlreadyExistsError, work.catalog.glue.exceptions.AlreadyExistsException):
        return False
    return True


def create_view(work: Work, text: str) -> Outcome:
    """CREATE [OR REPLACE] VIEW name AS query; the query must be right now."""
    match = _match(rf"create\s+(?P<replace>or\s+replace\s+)?view\s+{NAME}\s+as\s+(?P<sql>.+)", text)
    database, name = _named(work, match)
    columns = Translator(work.catalog, work.database, work.now).translate(parse_statement(match["sql"])).columns
    definitions.require_names(columns)
    existing = work.catalog.find(database, name)
    definition = definitions.view(name, work.database, match["sql"].strip(), columns)
    if existing is None:
        work.catalog.require_database(database)
        work.catalog.glue.create_table(DatabaseName=database, TableInput=definition)
    elif existing.format != "view" or not match["replace"]:
        raise QueryError(
            "", f"line 1:1: {'View' if existing.format == 'view' else 'Table'} already exists: '{database}.{name}'"
        )
    else:
        work.catalog.glue.update_table(DatabaseName=database, TableInput=definition)
    return work.done("CREATE_VIEW")


def drop(work: Work, text: str) -> Outcome:
    """DROP TABLE, VIEW or DATABASE."""
    if match := re.fullmatch(
        r"(?is)drop\s+(?:database|schema)\s+(if\s+exists\s+)?[`\"]?(\w+)[`\"]?(\s+cascade|\s+restrict)?", text
    ):
        return _drop_database(
            work, match[2].lower(), missing_is_fine=bool(match[1]), cascade="cascade" in (match[3] or "").lower()
        )
    match = _match(rf"drop\s+(?P<kind>table|view)\s+(?P<if>if\s+exists\s+)?{NAME}", text)
    database, name = _named(work, match)
    table = work.catalog.find(database, name)
    if table is None and not match["if"]:
        raise failed(f"SemanticException [Error 10001]: Table not found {database}.{name}")
    if table is not None:
        if (table.format == "view") != (match["kind"].lower() == "view"):
            raise failed(f"SemanticException {database}.{name} is {'a view' if table.format == 'view' else 'no view'}")
        if table.format == "iceberg":  # Athena removes the data of its own tables, not of external ones.
            work.lake.delete(item.url for item in work.lake.list(table.location))
        work.catalog.glue.delete_table(DatabaseName=database, Name=name)
    return work.done(f"DROP_{match['kind'].upper()}")


def _drop_database(work: Work, name: str, *, missing_is_fine: bool, cascade: bool) -> Outcome:
    if name not in work.catalog.databases():
        if missing_is_fine:
            return work.done("DROP_DATABASE")
        raise failed(f"SemanticException [Error 10072]: Database does not exist: {name}")
    if work.catalog.tables(name) and not cascade:
        raise failed(f"Execution Error: InvalidOperationException Database {name} is not empty")
    work.catalog.glue.delete_database(Name=name)
    return work.done("DROP_DATABASE")


def alter_table(work: Work, text: str) -> Outcome:
    """ALTER TABLE … ADD or DROP PARTITION, ADD COLUMNS, SET TBLPROPERTIES."""
    match = _match(rf"alter\s+table\s+{NAME}\s+(?P<change>.+)", text)
    table = work.catalog.table(*_named(work, match))
    change = match["change"].strip()
    for pattern, alter in (
        (r"add\s+(?P<if>if\s+not\s+exists\s+)?(?P<rest>partition\s*\(.*)", _add_partitions),
        (r"drop\s+(?P<if>if\s+exists\s+)?(?P<rest>partition\s*\(.*)", _drop_partitions),
        (r"add\s+columns\s*\((?P<rest>.*)\)", _add_columns),
        (r"set\s+tblproperties\s*\((?P<rest>.*)\)", _set_properties),
    ):
        if found := re.fullmatch(pattern, change, re.IGNORECASE | re.DOTALL):
            return alter(work, table, found)
    raise unsupported(f"ALTER TABLE … {change[:40]}")


def _specifications(table: Table, text: str) -> list[Partition]:
    """Read `PARTITION (dt = '2026-03-12') [LOCATION '…'] …`."""
    partitions = []
    for match in re.finditer(
        r"partition\s*\((?P<values>[^)]*)\)(?:\s*location\s*'(?P<location>[^']*)')?\s*,?\s*", text, re.IGNORECASE
    ):
        pairs = re.findall(r"[`\"]?(\w+)[`\"]?\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|([^\s,]+))", match["values"])
        values = {name.lower(): single or double or bare for name, single, double, bare in pairs}
        if list(values) != list(table.partition_keys) and set(values) != set(table.partition_keys):
            keys = ", ".join(table.partition_keys)
            raise failed(f"SemanticException partition spec {match['values']} does not match the keys {keys}")
        ordered = tuple(values[key] for key in table.partition_keys)
        location = (match["location"] or "").rstrip("/")
        partitions.append(Partition(ordered, f"{location}/" if location else partition_location(table, ordered)))
    return partitions


def _add_partitions(work: Work, table: Table, match: re.Match[str]) -> Outcome:
    wanted = _specifications(table, match["rest"])
    existing = {partition.values for partition in work.catalog.partitions(table)}
    repeated = [partition for partition in wanted if partition.values in existing]
    if repeated and not match["if"]:
        raise failed(f"Execution Error: AlreadyExistsException: Partition already exists: {repeated[0].values}")
    work.catalog.add_partitions(table, [partition for partition in wanted if partition.values not in existing])
    return work.done("ALTER_TABLE_ADD_PARTITION")


def _drop_partitions(work: Work, table: Table, match: re.Match[str]) -> Outcome:
    existing = {partition.values for partition in work.catalog.partitions(table)}
    for partition in _specifications(table, match["rest"]):
        if partition.values in existing:
            work.catalog.glue.delete_partition(
                DatabaseName=table.database, TableName=table.name, PartitionValues=list(partition.values)
            )
        elif not match["if"]:
            raise failed(f"SemanticException [Error 10006]: Partition not found {partition.values}")
    return work.done("ALTER_TABLE_DROP_PARTITION")


def _add_columns(work: Work, table: Table, match: re.Match[str]) -> Outcome:
    added = definitions.columns(
        definitions.parse_create(f"CREATE EXTERNAL TABLE t ({match['rest']}) LOCATION 's3://b/'").this
    )
    if repeated := [column["Name"] for column in added if column["Name"] in table.all_columns]:
        raise failed(f"Execution Error: Duplicate column name: {repeated[0]}")
    if table.format == "iceberg":
        from localaws.athena import iceberg

        iceberg.add_columns(work, table, added)
    else:
        _update(work, table, lambda definition: definition["StorageDescriptor"]["Columns"].extend(added))
    return work.done("ALTER_TABLE_ADD_COLUMNS")


def _set_properties(work: Work, table: Table, match: re.Match[str]) -> Outcome:
    pairs = dict(re.findall(r"'([^']*)'\s*=\s*'([^']*)'", match["rest"]))
    _update(work, table, lambda definition: definition.setdefault("Parameters", {}).update(pairs))
    return work.done("ALTER_TABLE_SET_PROPERTIES")


def _update(work: Work, table: Table, change: Any) -> None:
    definition = {key: value for key, value in table.definition.items() if key in _TABLE_INPUT and value}
    change(definition)
    try:
        work.catalog.glue.update_table(DatabaseName=table.database, TableInput=definition)
    except ClientError as error:
        raise failed(f"Execution Error: {error.response['Error'].get('Message', error)}") from error


_TABLE_INPUT = (
    "Name", "Description", "Owner", "Retention", "StorageDescriptor", "PartitionKeys", "ViewOriginalText",
    "ViewExpandedText", "TableType", "Parameters",
)  # fmt: skip


def repair_table(work: Work, text: str) -> Outcome:
    """MSCK REPAIR TABLE: register every `key=value` folder that holds data and is not registered yet."""
    match = _match(rf"msck\s+repair\s+table\s+{NAME}", text)
    table = work.catalog.table(*_named(work, match))
    existing = {partition.values for partition in work.catalog.partitions(table)}
    pattern = re.compile("/".join(f"{re.escape(key)}=([^/]+)" for key in table.partition_keys) + "/")
    root = table.location.rstrip("/") + "/"
    folders = {
        place.groups() for item in work.lake.list(table.location) if (place := pattern.match(item.url[len(root) :]))
    }
    new = [Partition(values, partition_location(table, values)) for values in sorted(folders - existing)]
    work.catalog.add_partitions(table, new)
    names = [f"{table.name}:{partition_name(table.partition_keys, item.values)}" for item in new]
    lines = ["Partitions not in metastore:\t" + "\t".join(names)] if names else []
    return work.done("MSCK_REPAIR_TABLE", lines + [f"Repair: Added partition to metastore {name}" for name in names])
