"""Which failures of a task are final: another try would find the same, and only keeps people waiting for the news.

Everything else is tried again, for what is busy, away or killed comes back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from airflow.sdk import RetryPolicy
from airflow.sdk.definitions.retry_policy import RetryDecision
from airflow.sdk.exceptions import AirflowFailException

REFUSALS = {
    *("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"),
    *("EntityNotFoundException", "NoSuchBucket", "ResourceNotFoundException"),
    *("ValidationError", "ValidationException"),
}
"""Error codes of AWS that say no to what was asked, whenever it is asked (API Reference of each service, Errors)."""

STATEMENT_ERRORS = re.compile(
    r"\b(SYNTAX_ERROR|TABLE_NOT_FOUND|COLUMN_NOT_FOUND|TYPE_MISMATCH|FUNCTION_NOT_FOUND|INVALID_CAST_ARGUMENT"
    r"|INVALID_FUNCTION_ARGUMENT|NUMERIC_VALUE_OUT_OF_RANGE|DIVISION_BY_ZERO|HIVE_BAD_DATA|PERMISSION_DENIED)\b"
)
"""Athena's error names for what lies in the statement or the data."""


class RetryUnlessFinal(RetryPolicy):
    """Fails a task at once over an error that another try would find unchanged."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Mapping[str, Any] | None = None
    ) -> RetryDecision:
        """Return whether an error is final; of others the task's own retries decide."""
        del try_number, max_tries, context
        return RetryDecision.fail("another try would find the same") if is_final(exception) else RetryDecision.default()


def is_final(error: BaseException) -> bool:
    """Return whether another try would find an error unchanged.

    >>> is_final(RuntimeError("Athena says FAILED to query 1: SYNTAX_ERROR: line 1:1"))
    True
    >>> is_final(RuntimeError("Athena says FAILED to query 1: ICEBERG_COMMIT_ERROR: try again"))
    False
    """
    # An answer that is cut off is no JSON and no text, and is whole the next time.
    if isinstance(error, AirflowFailException | ValueError):
        return not isinstance(error, json.JSONDecodeError | UnicodeError)
    response = getattr(error, "response", None)  # of botocore's ClientError
    code = response.get("Error", {}).get("Code") if isinstance(response, Mapping) else None
    return code in REFUSALS or bool(STATEMENT_ERRORS.search(str(error)))
