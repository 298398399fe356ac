"""The parameters of a SQL file: the constants of its one-row CTE ``params``, one to a line with its meaning behind it.

::

    WITH params AS (
        SELECT
            DATE '2026-03-12' AS session,  -- the session
            5 AS movers  -- how many to show at either end
    )

A query of an analyst takes the newest session there is: its constant may be a query of one value, in brackets, such as
``(SELECT MAX(session) FROM daily_summary) AS session``. Where such a query stands inside that of another parameter it
means that parameter, and takes its value: a range that is told to end earlier begins earlier.
Why so: docs/decisions/0010-sql-parameters.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation


@dataclass(frozen=True, slots=True)
class Lookup:
    """A default that is looked up when the statement runs: a query of one value, in brackets."""

    sql: str


Value = date | int | Decimal | str

BLOCK = re.compile(
    r"^(?P<indent> *)(?:WITH )?params AS \(\n *SELECT\b(?P<body>.*?)^(?P=indent)\)", re.MULTILINE | re.DOTALL
)
"""The CTE; its body is what stands between SELECT and the closing bracket."""

_PARAMETER = re.compile(
    r"(?P<literal>DATE '\d{4}-\d\d-\d\d'|'(?:[^']|'')*'|-?\d+(?:\.\d+)?|\(\s*SELECT\b(?:[^-]|-(?!-))*?\)) "
    r"AS (?P<name>[a-z][a-z0-9_]*),?  -- (?P<meaning>.+)"
)

_NULLS = {"date": "CAST(NULL AS date)", "text": "CAST(NULL AS varchar)"}


class SqlFileError(ValueError):
    """A SQL file that cannot be found or read, or a value that its parameter does not take."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One constant of the ``params`` CTE.

    Attributes
    ----------
    name : str
        Column of the CTE.
    default : date, int, Decimal, str or Lookup
        The value in the file; its type is the parameter's type. What is looked up is a date for ``session`` and
        ``…_session``, else text.
    meaning : str
        The comment behind it.
    """

    name: str
    default: Value | Lookup
    meaning: str

    @property
    def kind(self) -> str:
        """The type as a person calls it: ``date``, ``integer``, ``decimal`` or ``text``."""
        return {date: "date", int: "integer", Decimal: "decimal", str: "text"}[type(self._example)]

    @property
    def _example(self) -> Value:
        if isinstance(self.default, Lookup):
            return date(2026, 3, 12) if self.name.endswith("session") else "AAPL"
        return self.default

    def read(self, text: str) -> Value:
        """Read a value of the parameter's type.

        Raises
        ------
        SqlFileError
            If the text is no such value.
        """
        try:
            match self._example:
                case date():
                    return date.fromisoformat(text)
                case int():
                    return int(text)
                case Decimal():
                    return _finite(text)
                case str():
                    return text
        except (ValueError, InvalidOperation):
            raise SqlFileError(
                f"{self.name} takes a value such as {self._example} ({self.kind}: {self.meaning}), found {text!r}"
            ) from None

    def literal(self, value: object) -> str:
        """Return a value as SQL; text and others are read as `read` does, through their `str`. None is NULL."""
        return _NULLS[self.kind] if value is None else _literal(self.read(str(value)))


def read_parameters(file_name: str, text: str) -> tuple[Parameter, ...]:
    """Read the parameters of a statement, in the order of the file.

    Raises
    ------
    SqlFileError
        If the ``params`` CTE has a line of another form, which rendering would silently pass over.
    """
    block = BLOCK.search(text)
    if block is None:
        if "params AS (" in text:
            raise SqlFileError(
                f"{file_name}: expected params AS ( with SELECT on the next line and its end on a line of its own"
            )
        return ()
    parameters, body = [], block["body"]
    while body := body.lstrip():
        match = _PARAMETER.match(body)
        if match is None:
            line = body.partition("\n")[0]
            raise SqlFileError(
                f'{file_name}: expected a line like "5 AS movers,  -- its meaning" in params, found {line!r}'
            )
        parameters.append(Parameter(match["name"], _value(match["literal"]), match["meaning"]))
        body = body[match.end() :]
    return tuple(parameters)


def replace_constants(body: str, parameters: tuple[Parameter, ...], literals: Mapping[str, str]) -> str:
    """Return the body of the CTE with literals in place of the constants and look-ups of the same names."""
    lookups = {
        parameter.default.sql: literals[parameter.name]
        for parameter in parameters
        if isinstance(parameter.default, Lookup) and parameter.name in literals
    }

    def replace(match: re.Match[str]) -> str:
        literal = literals.get(match["name"])
        if literal is None:
            literal = match["literal"]
            for query, value in lookups.items():
                literal = literal.replace(query, value)
        return literal + match[0][len(match["literal"]) :]

    return _PARAMETER.sub(replace, body)


def _value(literal: str) -> Value | Lookup:
    if literal.startswith("("):
        return Lookup(literal)
    if literal.startswith("DATE"):
        return date.fromisoformat(literal[6:-1])
    if literal.startswith("'"):
        return literal[1:-1].replace("''", "'")
    return Decimal(literal) if "." in literal else int(literal)


def _finite(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError(f"expected a finite number, found {text}")
    return number


def _literal(value: Value) -> str:
    match value:
        case date():
            return f"DATE '{value.isoformat()}'"
        case int():
            return str(value)
        case Decimal():
            return f"{value:f}" if "." in f"{value:f}" else f"{value:f}.0"
        case str():
            return "'" + value.replace("'", "''") + "'"
