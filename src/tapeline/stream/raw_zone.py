"""Objects of JSON lines in S3, compressed; an object may be put again but never loses a line."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")


def put_lines(client: S3Client, bucket: str, key: str, lines: Sequence[str]) -> None:
    """Store lines under a key, together with those already there.

    A batch may be cut differently when it is delivered again, so that the same first record, and with it the same key,
    comes with fewer or with more records. The first write is conditional and costs one call; only where the key is
    taken are the lines there read and joined.
    """
    try:
        client.put_object(Bucket=bucket, Key=key, Body=_pack(lines), IfNoneMatch="*")
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in _TAKEN:
            raise
        present = get_lines(client, bucket, key)
        missing = [line for line in lines if line not in set(present)]
        if missing:
            client.put_object(Bucket=bucket, Key=key, Body=_pack([*present, *missing]))


def get_lines(client: S3Client, bucket: str, key: str) -> list[str]:
    """Return the lines of an object."""
    body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    return gzip.decompress(body).decode().splitlines()


def _pack(lines: Sequence[str]) -> bytes:
    return gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
