"""CREATE EXTERNAL TABLE and CREATE VIEW as the entries that Athena makes of them in Glue."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.errors import ParseError

from localaws.athena import types
from localaws.athena.errors import QueryError, failed, unsupported
from localaws.athena.expressions import Columns

_HIVE = "org.apache.hadoop.hive.ql.io."
_TEXT = ("org.apache.hadoop.mapred.TextInputFormat", f"{_HIVE}HiveIgnoreKeyTextOutputFormat")
PARQUET = (
    f"{_HIVE}parquet.MapredParquetInputFormat",
    f"{_HIVE}parquet.MapredParquetOutputFormat",
    f"{_HIVE}parquet.serde.ParquetHiveSerDe",
)
JSON = (*_TEXT, "org.openx.data.jsonserde.JsonSerDe")
_LAZY = (*_TEXT, "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe")
_STORED_AS = {"PARQUET": PARQUET, "TEXTFILE": _LAZY, "JSON": JSON}
_DELIMITERS = {
    "fields": "field.delim",
    "escaped": "escape.delim",
    "collection_items": "collection.delim",
    "map_keys": "mapkey.delim",
    "lines": "line.delim",
    "null": "serialization.null.format",
}


def parse_create(sql: str) -> exp.Create:
    """Parse a CREATE TABLE in Hive's syntax."""
    try:
        tree = parse_one(sql, dialect="athena")
    except ParseError as error:
        raise failed(f"ParseException {str(error).splitlines()[0]}") from error
    quoted = re.match(r"(?i)create\s+(external\s+)?table\s+(if\s+not\s+exists\s+)?'", sql)
    if quoted or not isinstance(tree, exp.Create) or not isinstance(tree.this, exp.Schema):
        raise failed(f"ParseException cannot recognize input near '{sql[:40]}'")
    return tree


def columns(schema: exp.Schema) -> list[dict[str, str]]:
    """Return column definitions as Glue's columns."""
    columns = []
    for item in schema.expressions:
        if not isinstance(item, exp.ColumnDef) or item.kind is None:
            raise failed(f"ParseException cannot recognize input near '{item.sql()}'")
        column = {"Name": item.name.lower(), "Type": types.glue(types.parse_column(item.kind.sql(dialect="hive")))}
        comment = item.find(exp.CommentColumnConstraint)
        columns.append({**column, "Comment": comment.name} if comment else column)
    return columns


def require_once(names: list[str], what: str) -> None:
    """Fail if a column is named twice."""
    if twice := next((name for place, name in enumerate(names) if name in names[:place]), None):
        raise QueryError("DUPLICATE_COLUMN_NAME", f"{what} column name is specified more than once: {twice}")


def require_names(outputs: Columns) -> None:
    """Fail unless each output of a query may become a column: with a name of its own and a type."""
    names = [name.lower() for name, _ in outputs]
    for place, (name, kind) in enumerate(outputs):
        if re.fullmatch(r"_col\d+", name):
            raise QueryError("MISSING_COLUMN_NAME", f"Column name not specified at position {place + 1}")
        if name.lower() in names[:place]:
            raise QueryError("DUPLICATE_COLUMN_NAME", f"Column name '{name.lower()}' specified more than once")
        if kind == types.UNKNOWN:
            raise QueryError("COLUMN_TYPE_UNKNOWN", f"Column type is unknown: {name}")


def properties(tree: exp.Create) -> dict[str, str]:
    """Return TBLPROPERTIES."""
    listed = tree.args["properties"].expressions if tree.args.get("properties") else []
    return {item.this.name: item.args["value"].name for item in listed if type(item) is exp.Property}


def location(tree: exp.Create) -> str:
    """Return LOCATION, with a slash at its end."""
    clause = tree.find(exp.LocationProperty)
    if not clause:
        raise failed("ParseException missing LOCATION of the table")
    return str(clause.this.name).rstrip("/") + "/"


def external_table(tree: exp.Create) -> dict[str, Any]:
    """Return Glue's TableInput of a CREATE EXTERNAL TABLE."""
    keys = tree.find(exp.PartitionedByProperty)
    input_format, output_format, library, parameters = _row_format(tree)
    comment = tree.find(exp.SchemaCommentProperty)
    described = {"comment": comment.this.name} if comment else {}
    return {
        "Name": tree.this.this.name.lower(),
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", **described, **properties(tree)},
        "PartitionKeys": columns(keys.this) if keys else [],
        "StorageDescriptor": descriptor(
            columns(tree.this), location(tree), (input_format, output_format, library), parameters
        ),
    }


def descriptor(
    listed: list[dict[str, str]], url: str, formats: tuple[str, str, str], parameters: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return Glue's StorageDescriptor."""
    return {
        "Columns": listed,
        "Location": url,
        "InputFormat": formats[0],
        "OutputFormat": formats[1],
        "Compressed": False,
        "NumberOfBuckets": -1,
        "SerdeInfo": {
            "SerializationLibrary": formats[2],
            "Parameters": {"serialization.format": "1", **(parameters or {})},
        },
        "StoredAsSubDirectories": False,
    }


def _row_format(tree: exp.Create) -> tuple[str, str, str, dict[str, str]]:
    formats, parameters = _LAZY, {}
    if stored := tree.find(exp.FileFormatProperty):
        if isinstance(stored.this, exp.InputOutputFormat):
            formats = (stored.this.args["input_format"].name, stored.this.args["output_format"].name, _LAZY[2])
        elif stored.this.name.upper() in _STORED_AS:
            formats = _STORED_AS[stored.this.name.upper()]
        else:
            raise unsupported(f"STORED AS {stored.this.name}")
    if delimited := tree.find(exp.RowFormatDelimitedProperty):
        parameters = {name: delimited.args[key].name for key, name in _DELIMITERS.items() if delimited.args.get(key)}
    if serde := tree.find(exp.RowFormatSerdeProperty):
        formats = (formats[0], formats[1], serde.this.name)
        if given := serde.args.get("serde_properties"):
            parameters = {item.this.name: item.args["value"].name for item in given.expressions}
    return (*formats, parameters)


def view(name: str, database: str, sql: str, shown: Columns) -> dict[str, Any]:
    """Return Glue's TableInput of a view, in the form that Presto gave it."""
    document = {
        "originalSql": sql,
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": column, "type": str(kind)} for column, kind in shown],
    }
    encoded = base64.b64encode(json.dumps(document).encode()).decode()
    return {
        "Name": name,
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "PartitionKeys": [],
        "ViewOriginalText": f"/* Presto View: {encoded} */",
        "ViewExpandedText": "/* Presto View */",
        "StorageDescriptor": {
            "Columns": [{"Name": column.lower(), "Type": _view_type(kind)} for column, kind in shown],
            "Location": "",
            "SerdeInfo": {},
        },
    }


def _view_type(kind: types.Type) -> str:
    return "timestamp" if kind.name == "timestamp with time zone" else types.glue(kind)
