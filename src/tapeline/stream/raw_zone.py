"""Objects of JSON lines in S3, compressed; an object may be put again but never loses a line."""

from __future__ import annotations

import gzip
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, ObjectTypeDef

_CHANGED = ("PreconditionFailed", "ConditionalRequestConflict")
"""Somebody else has put the object meanwhile."""


def put_lines(client: S3Client, bucket: str, key: str, lines: Sequence[str]) -> None:
    """Store lines under a key, together with those already there.

    A batch may be cut differently when it is delivered again, so that the same first record, and with it the same key,
    comes with fewer or with more records. The first write is conditional and costs one call; only where the key is
    taken are the lines there read and joined.
    """
    try:
        client.put_object(Bucket=bucket, Key=key, Body=_pack(lines), IfNoneMatch="*")
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in _CHANGED:
            raise
        present = get_lines(client, bucket, key)
        stored = set(present)
        if missing := [line for line in lines if line not in stored]:
            client.put_object(Bucket=bucket, Key=key, Body=_pack([*present, *missing]))


def get_lines(client: S3Client, bucket: str, key: str) -> list[str]:
    """Return the lines of an object."""
    return _unpack(client.get_object(Bucket=bucket, Key=key))


def list_objects(client: S3Client, bucket: str, prefix: str) -> Iterator[ObjectTypeDef]:
    """Yield what S3 says of each object under a prefix: `Key`, `Size`, `ETag` and so on."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", [])


def remove_lines(client: S3Client, bucket: str, key: str, lines: Collection[str]) -> None:
    """Take lines out of an object, and the object away with its last line; one that grows meanwhile is read again."""
    place: Any = {"Bucket": bucket, "Key": key}
    while True:
        try:
            answer = client.get_object(**place)
            if left := [line for line in _unpack(answer) if line not in lines]:
                client.put_object(**place, Body=_pack(left), IfMatch=answer["ETag"])
            else:
                client.delete_object(**place, IfMatch=answer["ETag"])
        except client.exceptions.NoSuchKey:
            return
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in _CHANGED:
                raise
        else:
            return


def _unpack(answer: GetObjectOutputTypeDef) -> list[str]:
    return gzip.decompress(answer["Body"].read()).decode().splitlines()


def _pack(lines: Sequence[str]) -> bytes:
    return gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
