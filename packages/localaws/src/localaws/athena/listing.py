"""SHOW and DESCRIBE: the catalog in Athena's plain-text answers."""

from __future__ import annotations

import re

from localaws.athena import types
from localaws.athena.catalog import Table, partition_name
from localaws.athena.errors import failed, unsupported
from localaws.athena.statements import Outcome
from localaws.athena.work import Work

_NAME = r"(?:[`\"]?(?P<database>\w+)[`\"]?\s*\.\s*)?[`\"]?(?P<table>\w+)[`\"]?"


def show(work: Work, text: str) -> Outcome:
    """SHOW DATABASES, TABLES, VIEWS, PARTITIONS, COLUMNS, TBLPROPERTIES, CREATE TABLE, CREATE VIEW."""
    text = re.sub(r"\s+", " ", text)
    if match := re.fullmatch(r"(?i)show (databases|schemas)(?: like)?(?: '([^']*)')?", text):
        return work.answer("SHOW_DATABASES", "database_name", _matching(work.catalog.databases(), match[2]))
    if match := re.fullmatch(
        r"(?i)show (tables|views)(?: (?:in|from) [`\"]?(\w+)[`\"]?)?(?: (?:like )?'([^']*)')?", text
    ):
        views_only = match[1].lower() == "views"
        tables = work.catalog.tables((match[2] or work.database).lower())
        names = [item["Name"] for item in tables if not views_only or item.get("TableType") == "VIRTUAL_VIEW"]
        column = "views" if views_only else "tab_name"
        return work.answer(f"SHOW_{match[1].upper()}", column, _matching(names, match[3]))
    for pattern, substatement, column, lines in (
        (rf"(?i)show partitions {_NAME}", "SHOW_PARTITIONS", "partition", _partitions),
        (rf"(?i)show columns (?:in|from) {_NAME}", "SHOW_COLUMNS", "field", _columns),
        (rf"(?i)show tblproperties {_NAME}", "SHOW_TBLPROPERTIES", "prpt_name, prpt_value", _properties),
        (rf"(?i)show create table {_NAME}", "SHOW_CREATE_TABLE", "createtab_stmt", _create_table),
        (rf"(?i)show create view {_NAME}", "SHOW_CREATE_VIEW", "Create View", _create_view),
    ):
        if match := re.fullmatch(pattern, text):
            table = work.catalog.table((match["database"] or work.database).lower(), match["table"].lower())
            return work.answer(substatement, column, lines(work, table))
    raise unsupported(text[:60])


def _matching(names: list[str], pattern: str | None) -> list[str]:
    """Keep the names that fit Hive's pattern, in which a star is any text and a bar means or."""
    if not pattern:
        return names
    expression = re.compile(pattern.replace(".*", "*").replace("*", ".*"), re.IGNORECASE)
    return [name for name in names if expression.fullmatch(name)]


def _partitions(work: Work, table: Table) -> list[str]:
    if not table.partition_keys:
        raise failed(f"SemanticException Table {table.name} is not a partitioned table")
    return sorted(partition_name(table.partition_keys, item.values) for item in work.catalog.partitions(table))


def _columns(_: Work, table: Table) -> list[str]:
    return [f"{name:<20}" for name in table.all_columns]


def _properties(_: Work, table: Table) -> list[str]:
    return [f"{name}\t{value}" for name, value in sorted((table.definition.get("Parameters") or {}).items())]


def _create_view(_: Work, table: Table) -> list[str]:
    sql, _schema = table.view_sql
    return [f"CREATE VIEW {table.database}.{table.name} AS", *sql.splitlines()]


def _create_table(_: Work, table: Table) -> list[str]:
    if table.format == "view":
        raise failed(f"SemanticException {table.name} is a view; use SHOW CREATE VIEW")
    columns = [f"  `{name}` {types.glue(kind)}" for name, kind in table.columns.items()]
    head = "CREATE TABLE" if table.format == "iceberg" else "CREATE EXTERNAL TABLE"
    lines = [f"{head} `{table.database}.{table.name}`(", *[line + ", " for line in columns[:-1]], columns[-1] + ")"]
    if table.partition_keys:
        keys = [f"  `{name}` {types.glue(kind)}" for name, kind in table.partition_keys.items()]
        lines += ["PARTITIONED BY ( ", *[line + ", " for line in keys[:-1]], keys[-1] + ")"]
    descriptor = table.definition.get("StorageDescriptor") or {}
    serde = descriptor.get("SerdeInfo") or {}
    if table.format != "iceberg":
        lines += ["ROW FORMAT SERDE ", f"  '{serde.get('SerializationLibrary', '')}' "]
        if serde.get("Parameters"):
            pairs = [f"  '{key}'='{value}'" for key, value in sorted(serde["Parameters"].items())]
            lines += ["WITH SERDEPROPERTIES ( ", *[pair + ", " for pair in pairs[:-1]], pairs[-1] + ") "]
        lines += ["STORED AS INPUTFORMAT ", f"  '{descriptor.get('InputFormat', '')}' "]
        lines += ["OUTPUTFORMAT ", f"  '{descriptor.get('OutputFormat', '')}'"]
    return [*lines, "LOCATION", f"  '{table.location}'"]


def describe(work: Work, text: str) -> Outcome:
    """DESCRIBE [FORMATTED | EXTENDED] table."""
    match = re.fullmatch(rf"(?is)desc(?:ribe)?\s+(?:(?:formatted|extended)\s+)?{_NAME}", text)
    if not match:
        raise unsupported(text[:60])
    table = work.catalog.table((match["database"] or work.database).lower(), match["table"].lower())
    lines = [_described(name, kind) for name, kind in table.all_columns.items()]
    if table.partition_keys:
        lines += [
            "\t \t ",
            "# Partition Information\t \t ",
            "# col_name            \tdata_type           \tcomment             ",
            "\t \t ",
        ]
        lines += [_described(name, kind) for name, kind in table.partition_keys.items()]
    return work.answer("DESCRIBE_TABLE", "col_name, data_type, comment", lines)


def _described(name: str, kind: types.Type) -> str:
    return f"{name:<20}\t{types.glue(kind):<20}\t{'':<20}"
