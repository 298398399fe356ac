"""How a statement fails, in Athena's words."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable

from botocore.exceptions import ClientError


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


def no_function(name: str, kinds: Iterable[object]) -> QueryError:
    """Return Athena's error of a function that does not take arguments of such types."""
    return QueryError("FUNCTION_NOT_FOUND", f"Unexpected parameters ({', '.join(map(str, kinds))}) for function {name}")


def failed(reason: str) -> QueryError:
    """Return the error of a statement about the catalog, which Hive words."""
    return QueryError("", f"FAILED: {reason}")


def mismatch(message: str) -> QueryError:
    """Return Athena's error of an operator or function between types that do not fit."""
    return QueryError("TYPE_MISMATCH", message)


def refusal_by_glue(reason: str) -> str:
    """Return how Athena tells that its caller may not use the catalog (awsdocs/amazon-athena-user-guide issue 81)."""
    failure = f"Status Code: 400; Error Code: AccessDeniedException; Request ID: {uuid.uuid4()}; Proxy: null"
    return f"{reason} (Service: AmazonDataCatalog; {failure})"


def is_denied(error: ClientError) -> bool:
    """Say whether a service has refused a call for want of a permission."""
    return error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException", "403")


def denied(error: ClientError | OSError) -> QueryError | None:
    """Return Athena's error of a call that its caller may not make; None of another failure.

    pyiceberg writes through pyarrow, whose OSError says in words that S3 refused, and where.
    """
    if isinstance(error, OSError):
        found = re.search(r"key '(.*?)' in bucket '(.*?)'.*ACCESS_DENIED", str(error))
        return unreadable(f"s3://{found[2]}/{found[1]}") if found else None
    if not is_denied(error):
        return None
    return QueryError("", refusal_by_glue(str(error.response["Error"].get("Message", error))), kind=1000)


def unreadable(url: str) -> QueryError:
    """Return Athena's error of a place that its caller may not list, read or change (AWS re:Post has the words)."""
    return QueryError("", f"Permission denied on S3 path: {url}", kind=1000)


class ScanLimitError(Exception):
    """A query that would read more than its workgroup lets it; `scanned` is how many bytes."""

    def __init__(self, scanned: int) -> None:
        super().__init__("Query cancelled! : Bytes scanned limit was exceeded")
        self.scanned = scanned
