"""Queries of one value in a row of constants: looked up first, so that they prune like constants.

    params AS (SELECT (SELECT max(session) FROM daily_summary) AS session, 5 AS movers)

Trino does not know such a value when it plans. It joins the one row, and leaves out partitions and files by what the
join's other side turns out to be: dynamic filtering (Trino documentation, "Dynamic filtering"). Here the value is
looked up before the query around it is planned, which leaves out the same ones.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

Value = Callable[[exp.Query], exp.Expr | None]
"""Gives a constant for a query of one value, or None where it should stay a query."""


def put_values(tree: exp.Expr, value_of: Value) -> None:
    """Replace, in place, the queries of one value in SELECTs without a table that a WITH of the whole query names."""
    expressions = tree.ctes if isinstance(tree, exp.Query) else []
    named = {expression.alias.lower() for expression in expressions}
    for expression in expressions:
        row = expression.this
        if not isinstance(row, exp.Select) or set(filter(row.args.get, row.args)) != {"expressions"}:
            continue
        for item in row.selects:
            query = item.unalias()
            if isinstance(query, exp.Subquery) and not query.alias and not _mentions(query, named):
                constant = value_of(query.this)
                if constant is not None:
                    query.replace(constant)


def constant(value: object, kind: str) -> exp.Expr | None:
    """Write a value that DuckDB gave as a constant of Athena's type, where that is sure to keep it as it is."""
    if kind not in ("date", "varchar", "bigint", "integer"):
        return None
    return exp.cast(exp.null() if value is None else exp.Literal.string(str(value)), kind, dialect="trino")


def _mentions(query: exp.Expr, names: set[str]) -> bool:
    return any(not table.db and table.name.lower() in names for table in query.find_all(exp.Table))
