"""Pages of a stored result: rows read from where the last page ended, so that none is too long to be read in pages."""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import ClientError

from localaws.athena.storage import split_url
from localaws.extensions import ServiceError

Row = list[str | None]

_FIELD = re.compile(rb'(?:"((?:[^"]|"")*)")?(,|\n)')
_FIRST_BYTES = 1024 * 1024


def read_page(s3: Any, url: str, start: int, size: int) -> tuple[list[Row], int | None]:
    """Read so many rows of a result from this byte on; return them, and where the next page begins if there is one."""
    bucket, key = split_url(url)
    length = _FIRST_BYTES
    while True:
        try:
            answer = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{start + length - 1}")
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidRange":  # an empty object, or its end
                return [], None
            raise ServiceError("InvalidRequestException", f"Could not find results {url}") from error
        body = answer["Body"].read()
        total = int(answer.get("ContentRange", "").rpartition("/")[2] or len(body))
        rows = (read_lines if url.endswith(".txt") else read_rows)(body, size)
        end = start + (rows[-1][1] if rows else 0)
        if len(rows) == size or start + len(body) >= total:
            return [row for row, _ in rows], end if rows and end < total else None
        length *= 4


def read_rows(body: bytes, limit: int) -> list[tuple[Row, int]]:
    r"""Read rows of Athena's CSV, at most so many, each with the place where it ends.

    >>> read_rows(b'"a","b"\n"x",\n', 10)
    [(['a', 'b'], 8), (['x', None], 13)]
    """
    rows: list[tuple[Row, int]] = []
    row: Row = []
    place = 0
    while len(rows) < limit and (match := _FIELD.match(body, place)):
        row.append(match[1].replace(b'""', b'"').decode() if match[1] is not None else None)
        place = match.end()
        if match[2] == b"\n":
            rows.append((row, place))
            row = []
    return rows


def read_lines(body: bytes, limit: int) -> list[tuple[Row, int]]:
    """Read lines of a plain-text result, each with the place where it ends."""
    rows: list[tuple[Row, int]] = []
    end = 0
    for line in body.splitlines(keepends=True)[:limit]:
        if not line.endswith(b"\n"):
            break
        end += len(line)
        rows.append(([line.removesuffix(b"\n").decode()], end))
    return rows
