"""Athena's syntax: parsed by sqlglot in Trino's dialect, and refused where this package would overlook a part of it."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from sqlglot import exp, parse
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.trino import TrinoParser

from localaws.athena.errors import QueryError, unsupported

_SIGN_AFTER_EXPONENT = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | (?<![\w.])([\d.]+e[+-]?\d+)(?=[+-])""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
"""A number with an exponent that a sign follows at once, outside of strings, quoted names and comments."""

_WITH_A_SYNTAX = ("CAST", "TRY_CAST", "EXTRACT", "TRIM", "SUBSTRING", "POSITION")


class Dialect(Trino):
    """Trino's syntax in which every function is a plain call, and an index is left as it is written."""

    INDEX_OFFSET = 0

    class Parser(TrinoParser):
        """Takes a function for a call by its name, except where its arguments have a syntax of their own."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar = {name: TrinoParser.FUNCTION_PARSERS[name] for name in _WITH_A_SYNTAX}
        NO_PAREN_FUNCTION_PARSERS: ClassVar = {
            name: parser for name, parser in TrinoParser.NO_PAREN_FUNCTION_PARSERS.items() if name != "IF"
        }
        TYPE_LITERAL_PARSERS: ClassVar = {  # sqlglot makes a CAST of it, which has no digits behind the point
            **TrinoParser.TYPE_LITERAL_PARSERS,
            exp.DType.DECIMAL: lambda _, text, kind: exp.Introducer(this=kind, expression=text),  # type: ignore[dict-item]
        }


_COMMON = {"this", "expression", "expressions"}
_UNDERSTOOD: dict[type[exp.Expr], set[str]] = {
    # Queries
    exp.Select: {
        "with_", "from_", "joins", "where", "group", "having", "windows", "order", "limit", "offset", "distinct",
    },
    exp.SetOperation: {"with_", "distinct", "order", "limit", "offset"},
    exp.Subquery: {"alias", "with_"},
    exp.Table: {"alias", "db", "catalog", "joins", "version", "sample"},
    exp.Join: {"side", "kind", "on", "using"},
    exp.CTE: {"alias"},
    exp.TableAlias: {"columns"},
    exp.Alias: {"alias"},
    exp.Values: {"alias"},
    exp.Unnest: {"alias", "offset"},
    exp.Version: {"kind"},
    exp.Ordered: {"desc", "nulls_first"},
    exp.Fetch: {"direction", "count", "limit_options"},
    exp.LimitOptions: {"rows"},
    # Expressions
    exp.Column: {"table", "db", "catalog"},
    exp.Identifier: {"quoted"},
    exp.Literal: {"is_string"},
    exp.Like: {"negate"},
    exp.Between: {"low", "high"},
    exp.In: {"query"},
    exp.Interval: {"unit"},
    exp.Case: {"ifs", "default"},
    exp.If: {"true"},
    exp.Cast: {"to", "safe"},
    exp.TryCast: {"to", "safe"},
    exp.DataType: {"nested"},
    exp.ColumnDef: {"kind"},
    exp.Trim: {"position"},
    exp.Substring: {"start", "length"},
    exp.StrPosition: {"substr"},
    exp.AtTimeZone: {"zone"},
    exp.Div: {"typed", "safe"},
    exp.DPipe: {"safe"},
    exp.Array: {"value_constructor"},
    exp.Window: {"partition_by", "order", "spec", "alias", "over"},
    exp.WindowSpec: {"kind", "start", "start_side", "end", "end_side"},
}  # fmt: skip
"""What a node may carry beside `_COMMON`: a part that nobody looks at would change the answer without a word."""


def _apart(match: re.Match[str]) -> str:
    """Put a blank behind the number: sqlglot reads `1e0+1` as one number."""
    return f"{match[1]} " if match[1] else match[0]


def parse_statement(sql: str) -> exp.Expr:
    """Parse one statement.

    Raises
    ------
    QueryError
        With the place of the mistake.
    """
    try:
        trees = [tree for tree in parse(_SIGN_AFTER_EXPONENT.sub(_apart, sql), dialect=Dialect) if tree is not None]
    except (ParseError, TokenError) as error:
        details = getattr(error, "errors", None) or [{}]
        line, column = details[0].get("line", 1), details[0].get("col", 1)
        near = details[0].get("highlight") or str(error).splitlines()[0]
        description = details[0].get("description", "")
        raise QueryError("", f"line {line}:{column}: mismatched input '{near}'. {description}".strip()) from error
    if len(trees) != 1:
        raise QueryError("", "Only one sql statement is allowed. Got: " + sql.strip()[:200])
    if re.search(r"\b\d+_\d", re.sub(r"'(?:[^']|'')*'|\"[^\"]*\"", "", sql)):
        raise unsupported("a number with underscores")  # which sqlglot would read as a number and its alias
    return trees[0]


def require_understood(tree: exp.Expr) -> None:
    """Refuse a query that has a part which translation does not look at."""
    for node in tree.walk():
        allowed = next((names for kind, names in _UNDERSTOOD.items() if isinstance(node, kind)), set())
        for name, content in node.args.items():
            if content and name not in _COMMON and name not in allowed:
                raise unsupported(f"{name.strip('_').replace('_', ' ').upper()} in {_shown(node)}")
        if isinstance(node, exp.Star) and any(node.args.values()):
            raise unsupported(_shown(node))


def _shown(node: exp.Expr) -> str:
    text = node.sql(dialect="trino")
    return text if len(text) < 80 else f"{text[:80]}…"
