"""Refuses, before a statement runs, a LOCATION that is not on S3, as Athena does."""

from __future__ import annotations

import re

_STATEMENT = re.compile(
    r"(create\s+(external\s+)?(table|database|schema)|alter\s+(table|database|schema))\s", re.IGNORECASE
)
_LOCATION = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|\blocation\s*('(?:[^']|'')*'|\"[^\"]*\")", re.IGNORECASE)
_S3 = re.compile(r"s3://[A-Za-z0-9][A-Za-z0-9._-]*(/([^/].*)?)?", re.DOTALL)


def refusal(text: str) -> str | None:
    """Say in Athena's words why it takes no such LOCATION; None if it does.

    The words are those that awsdocs/amazon-athena-user-guide pull request 4 shows for ``s3:////bucket/``.

    Parameters
    ----------
    text : str
        A statement without comments.

    Examples
    --------
    >>> refusal("CREATE DATABASE d LOCATION 'file:///etc/'")
    'Invalid location file:///etc/ for database. Only S3 locations are allowed'
    >>> refusal("CREATE DATABASE d COMMENT 'location ''x''' LOCATION 's3://bucket/d/'")
    """
    if not (statement := _STATEMENT.match(text)):
        return None
    kind = "table" if "table" in statement[0].lower() else "database"
    for found in _LOCATION.finditer(text):
        if found[1] and not _S3.fullmatch(location := found[1][1:-1].replace("''", "'")):
            return f"Invalid location {location} for {kind}. Only S3 locations are allowed"
    return None
