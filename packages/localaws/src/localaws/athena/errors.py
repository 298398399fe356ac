"""How a statement fails, in Athena's words."""

from __future__ import annotations


class QueryError(Exception):
    """A statement that fails, with the reason a user reads in the console.

    Parameters
    ----------
    code : str
        Athena's name of the error, such as ``COLUMN_NOT_FOUND``; it begins the reason.
    message : str
        What is wrong.
    category, kind : int
        `ErrorCategory` (1 system, 2 user, 3 other) and `ErrorType` of AthenaError (User Guide, "Athena error catalog").
    """

    def __init__(self, code: str, message: str, category: int = 2, kind: int = 1006) -> None:
        super().__init__(f"{code}: {message}" if code else message)
        self.code = code
        self.category = category
        self.kind = kind


def unsupported(what: str) -> QueryError:
    """Return the error of a statement that Athena would run and the laptop does not."""
    return QueryError("NOT_SUPPORTED", f"not supported on the laptop: {what}")


def failed(reason: str) -> QueryError:
    """Return the error of a statement about the catalog, which Hive words."""
    return QueryError("", f"FAILED: {reason}")


def mismatch(message: str) -> QueryError:
    """Return Athena's error of an operator or function between types that do not fit."""
    return QueryError("TYPE_MISMATCH", message)


class ScanLimitError(Exception):
    """A query that would read more than its workgroup lets it; `scanned` is how many bytes."""

    def __init__(self, scanned: int) -> None:
        super().__init__("Query cancelled! : Bytes scanned limit was exceeded")
        self.scanned = scanned
