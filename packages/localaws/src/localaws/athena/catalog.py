"""The Glue catalog as Athena sees it: tables with typed columns, their format, and their registered partitions."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from localaws.athena import types
from localaws.athena.errors import QueryError, unsupported
from localaws.athena.types import Type

CATALOG_NAMES = ("", "awsdatacatalog")


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view of the catalog.

    Attributes
    ----------
    columns, partition_keys : dict
        Type of each column by its name in lower case, in order.
    format : str
        ``json``, ``csv``, ``parquet``, ``iceberg`` or ``view``.
    parameters : dict
        Those of the table and, beneath them, those of its SerDe.
    definition : dict
        What Glue answered.
    """

    database: str
    name: str
    format: str
    columns: dict[str, Type]
    partition_keys: dict[str, Type]
    location: str
    parameters: dict[str, str]
    definition: dict[str, Any] = field(repr=False)

    @property
    def all_columns(self) -> dict[str, Type]:
        """Columns and partition keys, as SELECT * gives them."""
        return {**self.columns, **self.partition_keys}

    @property
    def view_sql(self) -> tuple[str, str]:
        """Text of a view and the database its table names belong to."""
        match = re.fullmatch(r"/\* Presto View: (\S+) \*/", self.definition.get("ViewOriginalText") or "")
        if not match:
            raise unsupported(f"view {self.name}, which Athena did not write")
        document = json.loads(base64.b64decode(match[1]))
        return document["originalSql"], document.get("schema") or self.database


@dataclass(frozen=True, slots=True)
class Partition:
    """A registered partition: its values, in the order of the keys, and where it lies."""

    values: tuple[str, ...]
    location: str


class Catalog:
    """Reads and changes the Glue catalog through a client of Glue; databases `seen` are not asked for again."""

    def __init__(self, glue: Any, seen: Iterable[str] = ()) -> None:
        self.glue = glue
        self._seen = set(seen)

    def databases(self) -> list[str]:
        """Return the names of all databases, sorted."""
        return sorted(item["Name"] for page in self._pages("get_databases") for item in page["DatabaseList"])

    def require_database(self, name: str) -> None:
        """Fail if there is no such database."""
        try:
            self.glue.get_database(Name=name)
        except self.glue.exceptions.EntityNotFoundException as error:
            raise QueryError("SCHEMA_NOT_FOUND", f"line 1:15: Schema '{name}' does not exist", kind=1301) from error

    def tables(self, database: str) -> list[dict[str, Any]]:
        """Return all tables of a database as Glue describes them, sorted by name."""
        self.require_database(database)
        tables = [table for page in self._pages("get_tables", DatabaseName=database) for table in page["TableList"]]
        return sorted(tables, key=lambda table: str(table["Name"]))

    def find(self, database: str, name: str) -> Table | None:
        """Return a table, or None."""
        try:
            self._look_at(database)
            return read_table(self.glue.get_table(DatabaseName=database, Name=name)["Table"])
        except self.glue.exceptions.EntityNotFoundException:
            return None

    def _look_at(self, database: str) -> None:
        """Ask for a database that a statement names, once, as Athena does before it asks for a table of it."""
        if database not in self._seen:
            self.glue.get_database(Name=database)
            self._seen.add(database)

    def table(self, database: str, name: str) -> Table:
        """Return a table, or fail as Athena does."""
        table = self.find(database, name)
        if table is None:
            self.require_database(database)
            raise QueryError(
                "TABLE_NOT_FOUND", f"line 1:15: Table 'awsdatacatalog.{database}.{name}' does not exist", kind=1302
            )
        return table

    def partitions(self, table: Table) -> list[Partition]:
        """Return the registered partitions of a table."""
        return [
            Partition(
                tuple(item["Values"]),
                item.get("StorageDescriptor", {}).get("Location") or partition_location(table, item["Values"]),
            )
            for page in self._pages("get_partitions", DatabaseName=table.database, TableName=table.name)
            for item in page["Partitions"]
        ]

    def _pages(self, operation: str, **parameters: str) -> Any:
        return self.glue.get_paginator(operation).paginate(**parameters)

    def add_partitions(self, table: Table, partitions: list[Partition]) -> None:
        """Register partitions, a hundred in one call; those that exist already are left as they are."""
        descriptor = table.definition["StorageDescriptor"]
        entries = [
            {
                "Values": list(item.values),
                "StorageDescriptor": {**descriptor, "Location": item.location},
                "Parameters": {},
            }
            for item in partitions
        ]
        for start in range(0, len(entries), 100):
            self.glue.batch_create_partition(
                DatabaseName=table.database, TableName=table.name, PartitionInputList=entries[start : start + 100]
            )


def partition_name(keys: Iterable[str], values: Iterable[str]) -> str:
    """Return the name of a partition, `key=value/key=value`."""
    return "/".join(f"{key}={value}" for key, value in zip(keys, values, strict=True))


def partition_location(table: Table, values: Iterable[str]) -> str:
    """Return where a partition lies by Hive's custom: `location/key=value/`."""
    return f"{table.location.rstrip('/')}/{partition_name(table.partition_keys, values)}/"


def read_table(definition: dict[str, Any]) -> Table:
    """Read a table as Glue describes it."""
    descriptor = definition.get("StorageDescriptor") or {}
    serde = descriptor.get("SerdeInfo") or {}
    parameters = {**(serde.get("Parameters") or {}), **(definition.get("Parameters") or {})}
    format_ = _format(definition, serde.get("SerializationLibrary") or "", parameters)
    columns = {
        column["Name"].lower(): types.parse_column(column.get("Type") or "string")
        for column in descriptor.get("Columns") or []
        if (column.get("Parameters") or {}).get("iceberg.field.current") != "false"  # one that Iceberg no longer has
    }
    if format_ == "iceberg":  # which keeps microseconds
        columns = {
            name: Type("timestamp", (6,)) if kind.name == "timestamp" else kind for name, kind in columns.items()
        }
    return Table(
        database=definition["DatabaseName"],
        name=definition["Name"],
        format=format_,
        columns=columns,
        partition_keys={
            key["Name"].lower(): types.parse_column(key.get("Type") or "string")
            for key in definition.get("PartitionKeys") or []
        },
        location=descriptor.get("Location") or "",
        parameters=parameters,
        definition=definition,
    )


def _format(definition: dict[str, Any], library: str, parameters: dict[str, str]) -> str:
    if definition.get("TableType") == "VIRTUAL_VIEW":
        return "view"
    if parameters.get("table_type", "").upper() == "ICEBERG":
        return "iceberg"
    if parameters.get("projection.enabled", "").lower() == "true":
        return "partition projection"
    for word, name in (("parquet", "parquet"), ("json", "json"), ("opencsv", "csv"), ("lazysimple", "csv")):
        if word in library.lower():
            return name
    return library or parameters.get("classification", "unknown format")
