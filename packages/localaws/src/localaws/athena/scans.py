"""A table's objects as a view in DuckDB: of registered partitions, of those that a query can need, typed by Glue."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from typing import Any

import duckdb
from sqlglot import exp

from localaws.athena import types
from localaws.athena.bundles import bundle
from localaws.athena.casts import Value, cast, failure, identifier, null, quote, select_list
from localaws.athena.catalog import Catalog, Partition, Table
from localaws.athena.culprits import Suspect
from localaws.athena.errors import QueryError, unsupported
from localaws.athena.expressions import Expressions
from localaws.athena.files import DataFile
from localaws.athena.names import FILE_SIZE, HIDDEN, PATH, Reference
from localaws.athena.storage import Lake, S3Object
from localaws.athena.types import VARCHAR, Type

FILE = "file of the row"

SAMPLED_FILES = 20
"""Of so many JSON files at most the first record is looked at, for its spelling of the keys."""


class Scans:
    """Makes the views of one query on the connection where it will run."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: Catalog, lake: Lake, now: datetime) -> None:
        self._connection = connection
        self._catalog = catalog
        self._lake = lake
        self._now = now

    def create(self, reference: Reference, conditions: list[exp.Expr]) -> int:
        """Make the view that a query mentions and return how many bytes of S3 it reads."""
        table = reference.table
        files = self.files(table, conditions)
        if table.format not in _READERS:
            raise unsupported(f"table {table.name} in the format {table.format}")
        used = [name for name in reference.columns if name in reference.used and name in table.columns]
        columns = {name: table.columns[name] for name in used or list(table.columns)[:1]}
        spelling = spelled_keys(files, columns) if table.format == "json" else {}
        self._lake.suspects.append(Suspect(files, lambda some: self._failure(table, some, columns, spelling)))
        scanned = scanned_bytes(self._connection, table.format, files, list(columns) if used else [])
        if table.format == "json" and not reference.used & HIDDEN.keys():
            files = bundle(files, self._lake.scratch / "bundles")
        self.view(reference.scan, table, files, columns, reference.used, spelling)
        return scanned

    def _failure(
        self, table: Table, files: list[DataFile], columns: dict[str, Type], spelling: dict[str, str]
    ) -> duckdb.Error | None:
        """Return what it fails with to read these columns of these files; None if it does not."""
        with self._connection.cursor() as connection:
            try:
                Scans(connection, self._catalog, self._lake, self._now).view(
                    "again", table, files, columns, set(), spelling
                )
                connection.execute(f"SELECT sum(hash({', '.join(map(identifier, columns))})) FROM again").fetchall()
            except duckdb.Error as error:
                return error
        return None

    def view(
        self,
        name: str,
        table: Table,
        files: list[DataFile],
        columns: dict[str, Type],
        used: set[str],
        spelling: dict[str, str] | None = None,
    ) -> None:
        """Make a view of these files; `spelling` is how they write the names of columns, where not in small letters."""
        keys = {key: kind for key, kind in table.partition_keys.items() if key in used}
        hidden = {name: kind for name, kind in HIDDEN.items() if name in used}
        needs_file = bool(keys or hidden)
        if not files:
            nothing = select_list({**columns, **keys, **hidden})
            self._connection.execute(f"CREATE TEMP VIEW {identifier(name)} AS SELECT {nothing} WHERE FALSE")
            return
        listed = "[" + ", ".join(quote(file.path) for file in files) + "]"
        reader = _READERS[table.format]
        written = {(spelling or {}).get(key, key): kind for key, kind in columns.items()}
        source = reader.source(listed, written, table, needs_file)
        missing = missing_columns(self._connection, source, columns) if reader is _Parquet else set()
        values = {
            key: null(kind).sql if key in missing else reader.column(key, kind, table) for key, kind in columns.items()
        }
        shown = [f"{sql} AS {identifier(key)}" for key, sql in values.items()]
        join = ""
        if needs_file:
            self._keep_files(f"files of {name}", files, table)
            shown += [f"f.{identifier(key)} AS {identifier(key)}" for key in keys]
            shown += [f"f.{identifier(name)} AS {identifier(name)}" for name in hidden]
            join = f" JOIN {identifier(f'files of {name}')} AS f ON f.{identifier(FILE)} = r.{identifier(FILE)}"
        self._connection.execute(
            f"CREATE TEMP VIEW {identifier(name)} AS SELECT {', '.join(shown)} FROM {source} AS r{join}"
        )

    def _keep_files(self, name: str, files: list[DataFile], table: Table) -> None:
        """Store which file belongs to which partition."""
        keys = list(table.partition_keys)
        columns: dict[str, list[Any]] = {FILE: [file.path for file in files], PATH: [file.url for file in files]}
        columns[FILE_SIZE] = [file.size for file in files]
        columns |= {key: [file.values[place] for file in files] for place, key in enumerate(keys)}
        unnested = ", ".join(f"unnest(?) AS {identifier(column)}" for column in columns)
        typed = [
            cast(Value(identifier(key), VARCHAR), kind).sql + f" AS {identifier(key)}"
            for key, kind in table.partition_keys.items()
        ]
        shown = ", ".join([identifier(FILE), identifier(PATH), identifier(FILE_SIZE), *typed])
        self._connection.execute(
            f"CREATE TEMP TABLE {identifier(name)} AS SELECT {shown} FROM (SELECT {unnested})", list(columns.values())
        )

    # Which files

    def files(self, table: Table, conditions: list[exp.Expr]) -> list[DataFile]:
        """Return the files of the partitions that the conditions leave."""
        if not table.partition_keys:
            objects = self._lake.list(table.location)
            return [
                DataFile(item.url, path, item.size)
                for item, path in zip(objects, self._lake.paths(objects), strict=True)
            ]
        partitions = self.partitions(table, conditions)
        pairs = [
            (item, partition.values) for partition, objects in self._objects(table, partitions) for item in objects
        ]
        paths = self._lake.paths([item for item, _ in pairs])
        return [DataFile(item.url, path, item.size, values) for (item, values), path in zip(pairs, paths, strict=True)]

    def _objects(self, table: Table, partitions: list[Partition]) -> list[tuple[Partition, list[S3Object]]]:
        """List the partitions one by one, or the whole table at once where that takes fewer requests."""
        inside = [
            partition for partition in partitions if partition.location.startswith(table.location.rstrip("/") + "/")
        ]
        if len(inside) < 8 or len(inside) < len(partitions):
            return [(partition, self._lake.list(partition.location)) for partition in partitions]
        by_folder: dict[str, list[S3Object]] = {partition.location.rstrip("/"): [] for partition in partitions}
        for item in self._lake.list(table.location):
            folder = item.url.rpartition("/")[0]
            while folder not in by_folder and len(folder) > len(table.location):
                folder = folder.rpartition("/")[0]
            if folder in by_folder:
                by_folder[folder].append(item)
        return [(partition, by_folder[partition.location.rstrip("/")]) for partition in partitions]

    def partitions(self, table: Table, conditions: list[exp.Expr]) -> list[Partition]:
        """Return the registered partitions for which the conditions on partition keys may be true."""
        partitions = self._catalog.partitions(table)
        about_keys = [
            condition
            for condition in conditions
            if all(column.name in table.partition_keys for column in condition.find_all(exp.Column))
        ]
        if not about_keys or not partitions:
            return partitions
        keys = list(table.partition_keys)
        columns: list[list[Any]] = [
            list(range(len(partitions))),
            *([item.values[place] for item in partitions] for place in range(len(keys))),
        ]
        unnested = ", ".join(f"unnest(?) AS {identifier(name)}" for name in ["number of the partition", *keys])
        typed = {key: cast(Value(identifier(key), VARCHAR), kind) for key, kind in table.partition_keys.items()}
        expressions = Expressions(lambda column: typed[column.name], lambda _: [], self._now)
        for condition in about_keys:
            try:
                test = expressions.condition(condition, "WHERE")
                kept = self._connection.execute(
                    f"SELECT {identifier('number of the partition')} FROM (SELECT {unnested}) WHERE {test}", columns
                ).fetchall()
            except (QueryError, duckdb.Error):
                continue  # The query itself will say what is wrong, if it gets that far.
            left = {number for (number,) in kept}
            columns = [
                [value for number, value in zip(columns[0], column, strict=True) if number in left]
                for column in columns
            ]
        return [partitions[number] for number in columns[0]]


def spelled_keys(files: list[DataFile], columns: dict[str, Type]) -> dict[str, str]:
    """Return how the keys of JSON lines are spelled, as the first records of some files show it.

    Athena's SerDes ignore their case and DuckDB does not, so it must be told.
    """
    spelling: dict[str, str] = {}
    for file in files[:: len(files) // SAMPLED_FILES + 1]:
        try:
            with (gzip.open if file.path.endswith(".gz") else open)(file.path, "rb") as stream:
                record = json.loads(stream.readline())
        except (OSError, EOFError, ValueError):
            continue  # The query itself will say what is wrong.
        for key in record if isinstance(record, dict) else ():
            if key.lower() in columns and spelling.setdefault(key.lower(), key) != key:
                raise unsupported(f"the keys {spelling[key.lower()]} and {key} for one column of JSON lines")
    return spelling


def missing_columns(connection: duckdb.DuckDBPyConnection, source: str, columns: dict[str, Type]) -> set[str]:
    """Return the columns that none of the files has, for they were added to the table later."""
    present = {row[0].lower() for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    return set(columns) - present


def parquet_rows(connection: duckdb.DuckDBPyConnection, paths: list[str], columns: dict[str, Type], places: str) -> str:
    """Return a query of all rows of Parquet files, typed; with `places` also the file of each and its number in it."""
    listed = "[" + ", ".join(map(quote, paths)) + "]"
    source = f"read_parquet({listed}, union_by_name=true, hive_partitioning=false{places})"
    missing = missing_columns(connection, source, columns)
    typed = [
        f"CAST({'NULL' if name in missing else identifier(name)} AS {types.duckdb(kind)}) AS {identifier(name)}"
        for name, kind in columns.items()
    ]
    if places:
        typed += [identifier(FILE), 'file_row_number AS "place of the row"']
    return f"SELECT {', '.join(typed)} FROM {source}"


PLACES = f", filename={quote(FILE)}, file_row_number=true"


def scanned_bytes(
    connection: duckdb.DuckDBPyConnection, format_: str, files: list[DataFile], columns: list[str]
) -> int:
    """Return what Athena would bill: of Parquet the chunks of the columns that are read, of text every byte."""
    if format_ != "parquet":
        return sum(file.size for file in files)
    if not files or not columns:
        return 0
    ((total,),) = connection.execute(
        "SELECT coalesce(sum(total_compressed_size), 0) FROM parquet_metadata(?) "
        "WHERE list_contains(?, lower(split_part(path_in_schema, ', ', 1)))",
        [[file.path for file in files], columns],
    ).fetchall()
    return int(total)


class _Json:
    """JSON lines, as the OpenX and Hive SerDes read them: columns by name, a missing one is null."""

    @staticmethod
    def source(listed: str, columns: dict[str, Type], table: Table, with_file: bool) -> str:
        forgiving = _is_forgiving(table)
        read = {name: "VARCHAR" if _as_text(kind, forgiving) else types.duckdb(kind) for name, kind in columns.items()}
        spelled = ", ".join(f"{identifier(name)}: {quote(kind)}" for name, kind in read.items())
        return (
            # `records` said outright: DuckDB would read every file twice to find out for a single column.
            f"read_json({listed}, format='newline_delimited', records=true, columns={{{spelled}}}, "
            f"ignore_errors={forgiving}, "
            f"hive_partitioning=false{_file_option(with_file)})"
        )

    @staticmethod
    def column(name: str, kind: Type, table: Table) -> str:
        sql = f"r.{identifier(name)}"
        if not _as_text(kind, _is_forgiving(table)):
            return sql
        bad = f"'HIVE_BAD_DATA: Error parsing field value ''' || {sql} || ''' for column {name}'"
        if kind.is_integer:  # DuckDB would round 1.5 to 2
            whole = f"TRY_CAST({sql} AS {types.duckdb(kind)})"
            is_bad = f"contains({sql}, '.') OR ({whole} IS NULL AND {sql} IS NOT NULL)"
            return f"CASE WHEN {is_bad} THEN {failure(bad, kind)} ELSE {whole} END"
        return cast(Value(sql, VARCHAR), kind, bad).sql


class _Csv:
    """Text with a delimiter: LazySimpleSerDe (what does not parse is null) and OpenCSVSerde (quoted)."""

    @staticmethod
    def source(listed: str, columns: dict[str, Type], table: Table, with_file: bool) -> str:
        parameters = table.parameters
        quoted = _is_open_csv(table)
        delimiter = parameters.get("separatorChar" if quoted else "field.delim") or ("," if quoted else "\x01")
        mark = parameters.get("quoteChar", '"') if quoted else ""
        spelled = ", ".join(f"{identifier(name)}: 'VARCHAR'" for name in table.columns)
        nulls = "" if quoted else ", nullstr='\\N'"
        return (
            f"read_csv({listed}, delim={quote(delimiter)}, quote={quote(mark)}, escape={quote(mark)}, header=false, "
            f"skip={int(parameters.get('skip.header.line.count', 0))}, columns={{{spelled}}}, auto_detect=false, "
            f"null_padding=true, strict_mode=false, hive_partitioning=false{nulls}{_file_option(with_file)})"
        )

    @staticmethod
    def column(name: str, kind: Type, table: Table) -> str:
        value = Value(f"r.{identifier(name)}", VARCHAR)
        if kind == VARCHAR:
            return value.sql
        if kind.name in ("array", "map", "row"):
            raise unsupported(f"{kind} in a text file")
        return f"TRY({cast(value, kind).sql})" if not _is_open_csv(table) else cast(value, kind).sql


class _Parquet:
    """Parquet, columns by name; one that a file does not have is null."""

    @staticmethod
    def source(listed: str, columns: dict[str, Type], table: Table, with_file: bool) -> str:
        del columns, table
        return f"read_parquet({listed}, union_by_name=true, hive_partitioning=false{_file_option(with_file)})"

    @staticmethod
    def column(name: str, kind: Type, table: Table) -> str:
        del table
        return f"CAST(r.{identifier(name)} AS {types.duckdb(kind)})"


_READERS: dict[str, type[_Json] | type[_Csv] | type[_Parquet]] = {
    "json": _Json,
    "csv": _Csv,
    "parquet": _Parquet,
    "iceberg": _Parquet,
}


def _file_option(with_file: bool) -> str:
    return f", filename={quote(FILE)}" if with_file else ""


def _is_forgiving(table: Table) -> bool:
    return table.parameters.get("ignore.malformed.json", "false").lower() == "true"


def _is_open_csv(table: Table) -> bool:
    library = table.definition.get("StorageDescriptor", {}).get("SerdeInfo", {}).get("SerializationLibrary", "")
    return "OpenCSVSerde" in library


def _as_text(kind: Type, forgiving: bool) -> bool:
    """Whether DuckDB reads the field as text first.

    By itself it would round a fraction and take an ISO-8601 text for a timestamp, and what forgives broken JSON would
    forgive wrong values too.
    """
    return kind.is_integer or kind.is_moment or (forgiving and kind.name not in ("varchar", "array", "map", "row"))
