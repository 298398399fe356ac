"""Prepared statements: PREPARE, EXECUTE … USING and DEALLOCATE PREPARE, kept by the workgroup through the API."""

from __future__ import annotations

import contextlib
import re

from botocore.exceptions import ClientError

from localaws.athena.errors import QueryError
from localaws.athena.query import bind
from localaws.athena.statements import Outcome
from localaws.athena.work import Work


def bound(work: Work, text: str) -> str:
    """Return the SQL that EXECUTE names, with the values of USING or of the API's ExecutionParameters in it."""
    match = re.fullmatch(r"(?is)execute\s+(\w+)(?:\s+using\s+(.+))?", text)
    if not match:
        raise QueryError("SYNTAX_ERROR", "expected EXECUTE name [USING value, …]")
    try:
        answer = work.athena.get_prepared_statement(StatementName=match[1], WorkGroup=work.statement.workgroup)
    except ClientError as error:
        name = f"{match[1]} was not found in workGroup {work.statement.workgroup}"
        raise QueryError("", f"PreparedStatement {name}") from error
    values = tuple(split_values(match[2])) if match[2] else work.statement.parameters
    return bind(answer["PreparedStatement"]["QueryStatement"], values)


def split_values(text: str) -> list[str]:
    """Split at the commas outside of strings and brackets.

    >>> split_values("'a,b', DATE '2026-03-12', array[1, 2]")
    ["'a,b'", "DATE '2026-03-12'", 'array[1, 2]']
    """
    parts, depth, current = [], 0, ""
    for piece in re.findall(r"'(?:[^']|'')*'|.", text, re.DOTALL):
        depth += (piece in "([") - (piece in ")]")
        if piece == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += piece
    return [*parts, current.strip()]


def prepare(work: Work, text: str) -> Outcome:
    """Keep a statement: PREPARE name FROM statement."""
    match = re.fullmatch(r"(?is)prepare\s+(\w+)\s+from\s+(.+)", text)
    if not match:
        raise QueryError("SYNTAX_ERROR", "expected PREPARE name FROM statement")
    name = {"StatementName": match[1], "WorkGroup": work.statement.workgroup}
    with contextlib.suppress(ClientError):  # there may be none of that name
        work.athena.delete_prepared_statement(**name)
    work.athena.create_prepared_statement(**name, QueryStatement=match[2])
    return work.done("PREPARE", kind="UTILITY")


def deallocate(work: Work, text: str) -> Outcome:
    """Forget a statement."""
    name = text.split()[-1]
    try:
        work.athena.delete_prepared_statement(StatementName=name, WorkGroup=work.statement.workgroup)
    except ClientError as error:
        raise QueryError(
            "", f"PreparedStatement {name} was not found in workGroup {work.statement.workgroup}"
        ) from error
    return work.done("DEALLOCATE", kind="UTILITY")
