"""Athena's syntax: parsed by sqlglot in Trino's dialect, and refused where this package would overlook a part of it."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Any, ClassVar

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.trino import TrinoParser

from localaws.athena.errors import QueryError, unsupported

_SPELLED_APART = re.compile(
    r"""(?<!\w)x'(?P<hex>[0-9a-f\s]*)' | '(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/
    | (?<![\w.])(?P<number>[\d.]+e[+-]?\d+)(?=[+-])""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
"""Bytes with blanks, and a number with an exponent that a sign follows at once; nothing in strings and comments."""

_WITH_A_SYNTAX = ("CAST", "TRY_CAST", "EXTRACT", "TRIM", "SUBSTRING", "POSITION")


def _kept_apart(_: Any, text: exp.Expr, kind: exp.Expr) -> exp.Expr:
    """Return a literal with its type in front, such as DECIMAL '1.50'; sqlglot's parser calls it."""
    return exp.Introducer(this=kind, expression=text)


class Dialect(Trino):
    """Trino's syntax in which every function is a plain call, and an index is left as it is written."""

    INDEX_OFFSET = 0

    class Parser(TrinoParser):
        """Takes a function for a call by its name, except where its arguments have a syntax of their own."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        COLUMN_OPERATORS: ClassVar = {  # Athena has no `x::type`
            token: parser for token, parser in TrinoParser.COLUMN_OPERATORS.items() if token is not TokenType.DCOLON
        }
        FUNCTION_PARSERS: ClassVar = {name: TrinoParser.FUNCTION_PARSERS[name] for name in _WITH_A_SYNTAX}
        NO_PAREN_FUNCTION_PARSERS: ClassVar = {
            name: parser for name, parser in TrinoParser.NO_PAREN_FUNCTION_PARSERS.items() if name != "IF"
        }
        TYPE_LITERAL_PARSERS: ClassVar[
            dict[Any, Any]
        ] = {  # sqlglot makes a CAST of it, which has no digits and one letter
            **TrinoParser.TYPE_LITERAL_PARSERS,
            exp.DType.DECIMAL: _kept_apart,
            exp.DType.CHAR: _kept_apart,
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
    """Put a blank behind the number, for sqlglot reads `1e0+1` as one, and the blanks among bytes behind these."""
    if match["hex"]:
        return f"X'{''.join(match['hex'].split())}'".ljust(len(match[0]))
    return f"{match['number']} " if match["number"] else match[0]


_BEHIND_A_LIST = {
    TokenType.FROM, TokenType.WHERE, TokenType.GROUP_BY, TokenType.HAVING, TokenType.ORDER_BY, TokenType.LIMIT,
    TokenType.UNION, TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.SEMICOLON,
}  # fmt: skip


def _refuse_trailing_commas(tokens: list[Token]) -> None:
    """Fail where nothing follows a comma: sqlglot lets it pass."""
    for comma, behind in zip_longest(tokens, tokens[1:]):
        if comma.token_type is TokenType.COMMA and (behind is None or behind.token_type in _BEHIND_A_LIST):
            place = behind or comma
            raise QueryError("", f"line {place.line}:{place.col}: mismatched input '{place.text}' behind a comma")


def parse_statement(sql: str) -> exp.Expr:
    """Parse one statement.

    Raises
    ------
    QueryError
        With the place of the mistake.
    """
    dialect = Dialect()
    try:
        spelled = _SPELLED_APART.sub(_apart, sql)
        tokens = dialect.tokenize(spelled)
        trees = [tree for tree in dialect.parser().parse(tokens, spelled) if tree is not None]
    except (ParseError, TokenError) as error:
        details = getattr(error, "errors", None) or [{}]
        line, column = details[0].get("line", 1), details[0].get("col", 1)
        near = details[0].get("highlight") or str(error).splitlines()[0]
        description = details[0].get("description", "")
        raise QueryError("", f"line {line}:{column}: mismatched input '{near}'. {description}".strip()) from error
    _refuse_trailing_commas(tokens)
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
