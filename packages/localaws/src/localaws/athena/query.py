"""How a SELECT becomes views and SQL of DuckDB, and its answer the result of a statement."""

from __future__ import annotations

import re
from dataclasses import replace

from sqlglot import exp

from localaws.athena import lookups, results
from localaws.athena.errors import QueryError
from localaws.athena.names import Reference
from localaws.athena.prune import conditions_by_scan
from localaws.athena.scans import Scans
from localaws.athena.statements import Outcome
from localaws.athena.translate import Translation, Translator
from localaws.athena.types import Type
from localaws.athena.work import Work


def prepare(work: Work, node: exp.Expr, known: dict[str, dict[str, Type]] | None = None) -> Translation:
    """Translate a query and make the views it reads."""
    if not isinstance(node, exp.Query | exp.Values):
        raise QueryError("SYNTAX_ERROR", f"expected a query, found {node.key.upper()}")
    if known is None:
        lookups.put_values(node, lambda query: _look_up(work, query))
    translation = Translator(work.catalog, work.database, work.now, known).translate(node)
    conditions = conditions_by_scan(translation.qualified)
    for reference in translation.references:
        work.scanned += _make_view(work, reference, conditions.get(reference.scan, []))
    work.check_limit()
    return translation


def _look_up(work: Work, query: exp.Query) -> exp.Expr | None:
    """Give a query's one value as a constant, and count what it reads; None where there is no such value."""
    own = replace(work, connection=work.connection.cursor(), scanned=0)
    try:
        translation = prepare(own, query.copy())
        rows = own.connection.execute(translation.sql).fetchmany(2)
    finally:
        own.close()
    if len(rows) > 1 or len(translation.columns) != 1:
        return None
    constant = lookups.constant(rows[0][0] if rows else None, str(translation.columns[0][1]))
    if constant is not None:
        work.scanned += own.scanned
    return constant


def _make_view(work: Work, reference: Reference, conditions: list[exp.Expr]) -> int:
    """Make the view that a query mentions and return how many bytes of S3 it reads."""
    scans = Scans(work.connection, work.catalog, work.lake, work.now)
    table = reference.table
    if table.format == "iceberg":
        from localaws.athena import iceberg_scan  # pyiceberg takes half a second to import

        return iceberg_scan.create(reference, conditions, scans, work)
    if reference.version is not None:
        raise QueryError("NOT_SUPPORTED", f"This connector does not support versioned tables: {table.name}")
    if reference.suffix:
        return work.inline(reference, [list(partition.values) for partition in work.catalog.partitions(table)])
    return scans.create(reference, conditions)


def bind(sql: str, parameters: tuple[str, ...]) -> str:
    """Put the literals in the place of the question marks outside of strings, quoted names and comments."""
    values = iter(parameters)
    count = 0

    def part(match: re.Match[str]) -> str:
        nonlocal count
        if match[0] != "?":
            return match[0]
        count += 1
        value = next(values, None)
        return match[0] if value is None else f"{value}"

    bound = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|\?", part, sql, flags=re.DOTALL)
    if count != len(parameters):
        raise QueryError(
            "INVALID_PARAMETER_USAGE", f"Incorrect number of parameters: expected {count} but found {len(parameters)}"
        )
    return bound


def run_select(work: Work, tree: exp.Expr) -> Outcome:
    """Run a SELECT and store its answer."""
    translation = prepare(work, tree)
    path = work.lake.scratch / f"{work.statement.id}.csv"
    results.write_csv(work.connection, translation.sql, translation.columns, path)
    columns = [results.column_info(name, kind) for name, kind in translation.columns]
    output = f"{work.statement.output}{work.statement.id}.csv"
    work.lake.upload(path, output)
    path.unlink()
    work.lake.put(output + ".metadata", results.metadata(columns))
    return Outcome("DML", "SELECT", columns, output, has_header=True)


def run_explain(work: Work, tree: exp.Expr) -> Outcome:
    """Show what DuckDB would do: names the tables read, not Athena's plan."""
    translation = prepare(work, tree)
    plan = work.connection.execute(f"EXPLAIN {translation.sql}").fetchall()
    return work.answer("EXPLAIN", "Query Plan", plan[0][1].splitlines())
