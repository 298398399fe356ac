"""The SQL files of include/sql: find one, read its header and parameters, put values in.

Every file runs as it is when pasted into the Athena console, a table's bucket aside. It opens with a comment: what it
is for, then lines such as ``-- Grain: one row per symbol.``; a line that goes on is indented by two spaces more.
Rendering replaces the constants of `tapeline.lake.parameters` and `BUCKET`, and nothing else.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tapeline.aws import local
from tapeline.lake.parameters import BLOCK, Lookup, Parameter, SqlFileError, read_parameters, replace_constants

ROOT = local.files("include/sql")
BUCKET = "<bucket of your stack>"
"""What stands for the bucket in the LOCATION of a CREATE TABLE. No bucket can have that name, so a statement that is
pasted as it is makes no table on a bucket of somebody else, and the error says what is missing."""

ANALYSTS_FOLDER = "queries/"
"""Its files are found by their bare name, whatever other folders have of that name."""

_UNCOMMENTED = re.compile(r"(?:[ \t]*(?:--[^\n]*)?\n)+(?=\s*(?:ALTER|DROP|MSCK|OPTIMIZE|VACUUM)\b)", re.IGNORECASE)
"""The header of a statement that Athena was seen to refuse behind a comment (dbt-labs/dbt-athena, issue 54)."""

_HEADER_LINE = re.compile(r"-- (?P<name>[A-Z][a-z]+): (?P<text>.+)")


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
        ``Severity``, ``Scope``, ``Generated``.
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

    def taken(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return those of the values that the file has a parameter for."""
        names = {parameter.name for parameter in self.parameters}
        return {name: value for name, value in values.items() if name in names}

    def render(self, values: Mapping[str, object] | None = None, *, bucket: str = BUCKET) -> str:
        """Return the statement with values in place of the defaults, and the stack's bucket in a table's LOCATION.

        Statements that Athena may refuse behind a comment come without the header, all others with it.
        A value is read as its parameter's type, through its `str` if it is no text. None is NULL.

        Raises
        ------
        SqlFileError
            If a value is of no parameter of the file, or of the wrong type.
        """
        text, literals = self.text, self._literals(values or {})
        if block := BLOCK.search(text):
            body = replace_constants(block["body"], self.parameters, literals)
            text = text[: block.start("body")] + body + text[block.end("body") :]
        if header := _UNCOMMENTED.match(text):
            text = text[header.end() :]
        return text.replace(BUCKET, bucket)

    def render_lookup(self, values: Mapping[str, object] | None = None) -> str | None:
        """Return a SELECT of one row with the value of each parameter, or None if there is nothing to look up."""
        literals = self._literals(values or {})
        lookups = {parameter.name for parameter in self.parameters if isinstance(parameter.default, Lookup)}
        block = BLOCK.search(self.text)
        if block is None or lookups <= literals.keys():
            return None
        return f"SELECT{replace_constants(block['body'], self.parameters, literals)}"

    def _literals(self, values: Mapping[str, object]) -> dict[str, str]:
        parameters = {parameter.name: parameter for parameter in self.parameters}
        for name in values:
            if name not in parameters:
                takes = ", ".join(parameters) or "none"
                raise SqlFileError(f"{self.name} has no parameter {name!r}; it takes {takes}")
        return {name: parameters[name].literal(value) for name, value in values.items()}


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
    matches = [best] if best else [name for name in names if name.endswith("/" + wanted)]
    if len(matches) > 1:
        raise SqlFileError(f"{name!r} is the name of several files; choose among {', '.join(matches)}")
    if not matches:
        near = difflib.get_close_matches(wanted, [*names, *(name.rpartition("/")[2] for name in names)], n=3)
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
    return SqlFile(name, " ".join(purpose), header, read_parameters(name, text), text)


def _names(root: Path) -> list[str]:
    return sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.sql"))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
