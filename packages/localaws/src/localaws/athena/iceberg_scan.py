"""Reading an Iceberg table: which files a query needs of which snapshot, and what Iceberg knows of itself."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

from pyiceberg import expressions as ice_expressions
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot
from sqlglot import exp

from localaws.athena import iceberg
from localaws.athena.casts import coerce
from localaws.athena.errors import QueryError, unsupported
from localaws.athena.expressions import Expressions
from localaws.athena.iceberg_files import local_files, plan
from localaws.athena.names import Reference
from localaws.athena.scans import Scans
from localaws.athena.types import zoned
from localaws.athena.work import Work

ice: Any = ice_expressions  # whose constructors take names and values, which its type hints do not know
Condition = ice_expressions.BooleanExpression

_OPERATORS: dict[type[exp.Expr], Any] = {
    exp.EQ: ice.EqualTo, exp.GT: ice.GreaterThan, exp.GTE: ice.GreaterThanOrEqual, exp.LT: ice.LessThan,
    exp.LTE: ice.LessThanOrEqual,
}  # fmt: skip
_TURNED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.EQ: exp.EQ,
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
}


def create(reference: Reference, conditions: list[exp.Expr], scans: Scans, work: Work) -> int:
    """Make the view that a query mentions and return how many bytes it reads."""
    table = iceberg.load(work, reference.table)
    if reference.suffix:
        return work.inline(reference, _metadata_rows(table, reference))
    snapshot = _snapshot(work, table, reference.version) if reference.version is not None else table.current_snapshot()
    tasks = plan(table, row_filter(conditions), snapshot)
    columns = {name: kind for name, kind in reference.table.columns.items() if name in reference.used}
    columns = columns or dict(list(reference.table.columns.items())[:1])
    scans.view(reference.scan, reference.table, local_files(work, table, tasks), columns, reference.used)
    ids = [field.field_id for field in table.schema().fields if field.name in reference.used]
    sizes = [task.file.column_sizes or {} for task in tasks]
    return sum(size.get(number, 0) for size in sizes for number in ids)


def row_filter(conditions: list[exp.Expr]) -> Condition:
    """Put the simple ones among the conditions into Iceberg's terms, by which it leaves files out."""
    filters: list[Condition] = [ice.AlwaysTrue()]
    for condition in conditions:
        with contextlib.suppress(ValueError, TypeError):
            filters += _filters(condition)
    combined: Condition = ice.And(*filters, ice.AlwaysTrue())
    return combined


def _filters(condition: exp.Expr) -> list[Condition]:
    if isinstance(condition, exp.Between) and isinstance(condition.this, exp.Column):
        name, low, high = condition.this.name, _constant(condition.args["low"]), _constant(condition.args["high"])
        return [ice.GreaterThanOrEqual(name, low), ice.LessThanOrEqual(name, high)]
    if isinstance(condition, exp.In) and isinstance(condition.this, exp.Column) and condition.expressions:
        return [ice.In(condition.this.name, [_constant(item) for item in condition.expressions])]
    if type(condition) in _OPERATORS:
        if isinstance(condition.this, exp.Column):
            return [_OPERATORS[type(condition)](condition.this.name, _constant(condition.expression))]
        if isinstance(condition.expression, exp.Column):
            return [_OPERATORS[_TURNED[type(condition)]](condition.expression.name, _constant(condition.this))]
    return []


def _constant(node: exp.Expr) -> Any:
    """Return the value of a literal; a ValueError says that it is none."""
    if isinstance(node, exp.Literal):
        if node.is_string:
            return node.name
        return float(node.name) if not node.name.isdigit() else int(node.name)
    if (
        isinstance(node, exp.Cast)
        and isinstance(node.this, exp.Literal)
        and node.to.this in (exp.DType.DATE, exp.DType.TIMESTAMP)
    ):
        return node.this.name.strip().replace(" ", "T")
    raise ValueError(node.sql())


def _snapshot(work: Work, table: IcebergTable, version: exp.Version) -> Snapshot:
    """Return the snapshot that FOR TIMESTAMP AS OF or FOR VERSION AS OF names."""
    value = Expressions(_no_column, lambda _: [], work.now).value(version.expression)
    if version.name.upper() == "VERSION":
        if not value.type.is_integer:
            raise unsupported("FOR VERSION AS OF a tag or branch")
        snapshot = table.snapshot_by_id(int(work.value(f"SELECT {value.sql}")))
    else:
        if not value.type.is_moment:
            raise QueryError("INVALID_ARGUMENTS", f"FOR TIMESTAMP AS OF needs a timestamp, found {value.type}")
        moment: datetime = work.value(f"SELECT {coerce(value, zoned(digits=6)).sql}")
        snapshot = table.snapshot_as_of_timestamp(int(moment.astimezone(UTC).timestamp() * 1000))
    if snapshot is None:
        raise QueryError(
            "INVALID_ARGUMENTS",
            f"No version history table {'.'.join(table.name())} at or before {version.expression.sql(dialect='trino')}",
        )
    if snapshot.schema_id is not None and table.schemas()[snapshot.schema_id] != table.schema():
        raise unsupported("a version of a table that had other columns then")
    return snapshot


def _no_column(column: exp.Column) -> Any:
    raise QueryError("INVALID_ARGUMENTS", f"a version may not name the column {column.name}")


def _metadata_rows(table: IcebergTable, reference: Reference) -> list[list[Any]]:
    """Return what Iceberg knows of the table: its snapshots, its history, its files or its partitions."""
    if reference.suffix in ("snapshots", "history"):
        rows = getattr(table.inspect, reference.suffix)().to_pylist()
        maps = [name for name, kind in reference.columns.items() if kind.name == "map"]
        return [[dict(row[name] or ()) if name in maps else row[name] for name in reference.columns] for row in rows]
    tasks = plan(table, ice.AlwaysTrue(), table.current_snapshot())
    if any(task.delete_files for task in tasks):
        raise unsupported(f"${reference.suffix} of a table with delete files, which another engine wrote")
    files = [task.file for task in tasks]
    if reference.suffix == "files":
        return [
            [0, file.file_path, file.file_format.value, file.record_count, file.file_size_in_bytes] for file in files
        ]
    totals: dict[str, list[int]] = {}
    for file in files:
        total = totals.setdefault(_shown_partition(table, file), [0, 0, 0])
        for place, amount in enumerate((file.record_count, 1, file.file_size_in_bytes)):
            total[place] += amount
    return [[partition, *total] for partition, total in totals.items()]


def _shown_partition(table: IcebergTable, file: DataFile) -> str:
    fields = table.specs()[file.spec_id].fields
    kinds = [table.schema().find_type(field.source_id) for field in fields]
    shown = [
        f"{field.name}={field.transform.to_human_string(kind, file.partition[place])}"
        for place, (field, kind) in enumerate(zip(fields, kinds, strict=True))
    ]
    return "{" + ", ".join(shown) + "}"
