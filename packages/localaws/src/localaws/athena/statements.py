"""What goes to a worker and what comes back; the server imports this, and nothing that DuckDB needs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

Caller = tuple[str, str, str | None] | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as StartQueryExecution was asked to run it.

    Attributes
    ----------
    output : str
        Folder for the result, ``s3://bucket/folder/``.
    parameters : tuple of str
        SQL literals for the question marks, in order.
    scan_limit : int or None
        Bytes that the workgroup lets a query scan.
    caller : tuple or None
        Key, secret and session token of who asked, as whom catalog and objects are read; None of the account's root.
    """

    id: str
    sql: str
    database: str
    output: str
    workgroup: str = "primary"
    parameters: tuple[str, ...] = ()
    scan_limit: int | None = None
    caller: Caller = field(default=None, repr=False)


@dataclass(slots=True)
class Outcome:
    """What a statement did.

    Attributes
    ----------
    statement_type, substatement_type : str
        ``DML`` and ``SELECT``, ``DDL`` and ``CREATE_TABLE``, ``UTILITY`` and ``SHOW_TABLES``, …
    columns : list of dict
        ColumnInfo of the result; none where there is no result.
    output : str
        The result object.
    has_header : bool
        Whether the result's first row names the columns.
    """

    statement_type: str
    substatement_type: str
    columns: list[dict[str, Any]] = field(default_factory=list)
    output: str = ""
    has_header: bool = False
    update_count: int | None = None
    scanned: int = 0


def strip_comments(sql: str) -> str:
    r"""Return the statement without comments and closing semicolon.

    >>> strip_comments("-- why\nSELECT '--' /* not this */ AS x; ")
    "SELECT '--'   AS x"
    """
    pieces = re.findall(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|.", sql, re.DOTALL)
    text = "".join(" " if piece.startswith(("--", "/*")) else piece for piece in pieces)
    return re.sub(r"(\s|;)+\Z", "", text.lstrip())
