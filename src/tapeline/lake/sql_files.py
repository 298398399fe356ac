"""The SQL files of include/sql: find one, read its header and parameters, put values in.

Every file runs as it is when pasted into the Athena console. It opens with a comment: what it is for, then lines such
as ``-- Grain: one row per symbol.``; a line that goes on is indented by two spaces more. Parameters are the constants
of a one-row CTE named ``params``, one to a line with its meaning behind it::

    params AS (
        SELECT
            DATE '2026-03-12' AS session,  -- the session
            5 AS movers  -- how many to show at either end
    )

A query of an analyst takes the newest session there is: its constant may be a query of one value, in brackets, such as
``(SELECT MAX(session) FROM daily_summary) AS session``. Where such a query stands inside that of another parameter it
means that parameter, and takes its value: a range that is told to end earlier begins earlier.

Rendering replaces those constants and queries, and `BUCKET`, and nothing else. Why so:
docs/decisions/0010-sql-parameters.md.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from tapeline.aws import local

ROOT = local.files("include/sql")
BUCKET = "<bucket of your stack>"
"""What stands for the bucket in the LOCATION of a CREATE TABLE. No bucket can have that name, so a statement that is
pasted as it is makes no table on a bucket of somebody else, and the error says what is missing."""

ANALYSTS_FOLDER = "queries/"
"""Its files are found by their bare name, whatever other folders have of that name."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """A default that is looked up when the statement runs: a query of one value, in brackets."""

    sql: str


Value = date | int | Decimal | str

_HEADER_LINE = re.compile(r"-- (?P<name>[A-Z][a-z]+): (?P<text>.+)")
_PARAMETERS = re.compile(
    r"^(?P<indent> *)(?:WITH )?params AS \(\n *SELECT\b(?P<body>.*?)^(?P=indent)\)", re.MULTILINE | re.DOTALL
)
_PARAMETER = re.compile(
    r"(?P<literal>DATE '\d{4}-\d\d-\d\d'|'(?:[^']|'')*'|-?\d+(?:\.\d+)?|\(\s*SELECT\b(?:[^-]|-(?!-))*?\)) "
    r"AS (?P<name>[a-z][a-z0-9_]*),?  -- (?P<meaning>.+)"
)


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


@dataclass(frozen=True, slots=True)
class SqlFile:
    """One statement with what its header says.

    Attributes
    ----------
    name : str
        Path under include/sql without the ending, such as ``queries/top_movers``.
    purpose : str
        The first sentence of the header.
    header : mapping of str to str
        The named lines: ``Grain``, ``Source``, ``Cost``, ``Note``, ``Empty``, ``Total``, ``Plot``, ``Rerun``,
        ``Severity``.
    parameters : tuple of Parameter
        In the order of the file.
    text : str
        The file.
    """

    name: str
    purpose: str
    header: Mapping[str, str]
    parameters: tuple[Parameter, ...]
    text: str

    def render(self, values: Mapping[str, object] | None = None, *, bucket: str = BUCKET) -> str:
        """Return the statement with values in place of the defaults.

        Parameters
        ----------
        values : mapping of str to object, optional
            By parameter; text is read as the parameter's type, and so are values through their `str`. None is NULL.
        bucket : str, optional
            The stack's bucket, for the LOCATION of a table.

        Raises
        ------
        SqlFileError
            If a value is of no parameter of the file, or of the wrong type.
        """
        text = self.text
        block = _PARAMETERS.search(text)
        given = self._literals(values or {})
        if block is not None:
            text = text[: block.start("body")] + self._filled(block["body"], given) + text[block.end("body") :]
        return text.replace(BUCKET, bucket)

    def render_lookup(self, values: Mapping[str, object] | None = None) -> str | None:
        """Return a SELECT of one row with the value of each parameter, or None if there is nothing to look up.

        Parameters
        ----------
        values : mapping of str to object, optional
            As `render` takes them.
        """
        given = self._literals(values or {})
        block = _PARAMETERS.search(self.text)
        if block is None or all(one.name in given or not isinstance(one.default, Lookup) for one in self.parameters):
            return None
        return f"SELECT{self._filled(block['body'], given)}"

    def _literals(self, values: Mapping[str, object]) -> dict[str, str]:
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in values:
            if name not in known:
                takes = ", ".join(known) or "none"
                raise SqlFileError(f"{self.name} has no parameter {name!r}; it takes {takes}")
        return {
            name: _UNKNOWN[known[name].kind] if value is None else _literal(known[name].read(str(value)))
            for name, value in values.items()
        }

    def _filled(self, body: str, given: Mapping[str, str]) -> str:
        looked_up = {one.default.sql: given.get(one.name) for one in self.parameters if isinstance(one.default, Lookup)}

        def replace(match: re.Match[str]) -> str:
            literal = given.get(match["name"])
            if literal is None:
                literal = match["literal"]
                for query, value in looked_up.items():
                    if value is not None and query != literal:
                        literal = literal.replace(query, value)
            return literal + match[0][len(match["literal"]) :]

        return _PARAMETER.sub(replace, body)


def load(name: str, root: Path = ROOT) -> SqlFile:
    """Find a file by its path, its path under include/sql, or its bare name, and read it.

    A bare name is that of a file in `queries` if there is one, else it must be unique.

    Raises
    ------
    SqlFileError
        If there is no such file, with the nearest names, or several, with all of them.
    """
    as_path = Path(name)
    if as_path.suffix == ".sql" and as_path.is_file():
        path = as_path.resolve()
        inside = path.is_relative_to(root.resolve())
        return parse(path.relative_to(root.resolve()).with_suffix("").as_posix() if inside else path.stem, _read(path))
    wanted = as_path.with_suffix("").as_posix() if as_path.suffix == ".sql" else name
    names = _names(root)
    best = next((name for name in (wanted, ANALYSTS_FOLDER + wanted) if name in names), None)
    matches = [best] if best else [known for known in names if known.endswith("/" + wanted)]
    if len(matches) > 1:
        raise SqlFileError(f"{name!r} is the name of several files; choose among {', '.join(matches)}")
    if not matches:
        near = difflib.get_close_matches(wanted, [*names, *(known.rpartition("/")[2] for known in names)], n=3)
        hint = f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
        raise SqlFileError(f"there is no SQL file {name!r} under {root}{hint}")
    return parse(matches[0], _read(root / f"{matches[0]}.sql"))


def catalogue(folder: str = "", root: Path = ROOT) -> list[SqlFile]:
    """Read all files, or those of one folder such as ``queries`` or ``minute_bars/checks``, in alphabetical order."""
    return [parse(name, _read(root / f"{name}.sql")) for name in _names(root) if name.startswith(folder)]


def parse(name: str, text: str) -> SqlFile:
    """Read the header and the parameters of a statement.

    Raises
    ------
    SqlFileError
        If the ``params`` CTE has a line of another form, which rendering would silently pass over.
    """
    purpose: list[str] = []
    header: dict[str, str] = {}
    current = ""
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        if match := _HEADER_LINE.fullmatch(line):
            current = match["name"]
            header[current] = match["text"]
        elif current and line.startswith("--   "):
            header[current] += " " + line[5:].strip()
        else:
            purpose.append(line[2:].strip())
    return SqlFile(name, " ".join(purpose), header, _parameters(name, text), text)


def _parameters(name: str, text: str) -> tuple[Parameter, ...]:
    block = _PARAMETERS.search(text)
    if block is None:
        if "params AS (" in text:
            raise SqlFileError(
                f"{name}: expected params AS ( with SELECT on the next line and its end on a line of its own"
            )
        return ()
    found, body = [], block["body"]
    while body := body.lstrip():
        match = _PARAMETER.match(body)
        if match is None:
            line = body.partition("\n")[0]
            raise SqlFileError(f'{name}: expected a line like "5 AS movers,  -- its meaning" in params, found {line!r}')
        found.append(Parameter(match["name"], _value(match["literal"]), match["meaning"]))
        body = body[match.end() :]
    return tuple(found)


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


_UNKNOWN = {"date": "CAST(NULL AS date)", "text": "CAST(NULL AS varchar)"}


def _names(root: Path) -> list[str]:
    return sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.sql"))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
