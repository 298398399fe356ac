"""A query's answer as Athena stores it: a CSV that quotes every field, nulls being empty, and what its columns are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv

from localaws.athena.casts import Value, text
from localaws.athena.expressions import Columns
from localaws.athena.java import java_cbrt, java_double, java_float
from localaws.athena.types import Type

_PRECISION = {
    "tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19, "real": 17, "double": 17, "varchar": 2147483647,
    "timestamp": 3, "timestamp with time zone": 3, "varbinary": 1073741824, "time": 3,
}  # fmt: skip


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Give a database the time zone and the functions that translated SQL relies on."""
    connection.execute("SET GLOBAL TimeZone='UTC'")
    connection.create_function("java_double", java_double, ["DOUBLE"], "VARCHAR")
    connection.create_function("java_float", java_float, ["FLOAT"], "VARCHAR")
    connection.create_function("java_cbrt", java_cbrt, ["DOUBLE"], "DOUBLE")
    connection.execute(
        "CREATE MACRO decimal_quotient(n, d) AS sign(n) * sign(d) * ((abs(n) * 2 + abs(d)) // (2 * abs(d)))"
    )
    connection.execute("CREATE MACRO present(l) AS list_filter(l, lambda v: v IS NOT NULL)")
    connection.execute(
        "CREATE MACRO percentile(l, p) AS list_extract(list_sort(present(l)), "
        "least(CAST(floor(p * len(present(l))) AS BIGINT), len(present(l)) - 1) + 1)"
    )


def write_csv(connection: duckdb.DuckDBPyConnection, sql: str, columns: Columns, path: Path) -> int:
    """Run a translated query, write its answer as Athena's CSV, and return the number of rows."""
    names = [f"c{place}" for place in range(len(columns))]
    shown = [f"{text(Value(name, kind))} AS {name}" for name, (_, kind) in zip(names, columns, strict=True)]
    reader = connection.sql(f"SELECT {', '.join(shown)} FROM ({sql}) AS answer({', '.join(names)})").to_arrow_reader(
        10_000
    )
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid")
    rows = 0
    schema = pa.schema([(name, pa.string()) for name in names])
    with path.open("wb") as file:
        file.write((",".join('"' + name.replace('"', '""') + '"' for name, _ in columns) + "\n").encode())
        with pyarrow.csv.CSVWriter(file, schema, write_options=options) as writer:
            for batch in reader:
                writer.write_batch(batch.cast(schema))
                rows += batch.num_rows
    return rows


def column_info(name: str, kind: Type, *, plain_text: bool = False) -> dict[str, Any]:
    """Describe a column as GetQueryResults does."""
    precision, scale = _PRECISION.get(kind.name, 0), 0
    if kind.name == "decimal":
        precision, scale = kind.arguments
    elif kind.name.startswith("timestamp") or kind.name == "char":
        precision = kind.arguments[0]
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": "string" if plain_text else "float" if kind.name == "real" else kind.name,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": kind.name in ("varchar", "char"),
    }


def metadata(columns: list[dict[str, Any]]) -> bytes:
    """Return the companion object of a result; Athena's own is binary and undocumented, ours is JSON."""
    return json.dumps({"columns": columns}).encode()
