"""The lake: objects of S3, listed through its API and read from the files that the local AWS keeps them in.

A query over a thousand small objects would spend its time in a thousand requests. The base keeps each object in a file
named after its key; DuckDB reads those. An object without such a file is fetched once through the API.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from localaws.athena.culprits import Suspect
from localaws.athena.errors import QueryError, is_denied, unreadable

GENERIC_S3_ERROR = "GENERIC_USER_ERROR"


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object of the lake; its size in bytes."""

    bucket: str
    key: str
    size: int

    @property
    def url(self) -> str:
        """Return its address, ``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"


class Lake:
    """Lists, reads and writes objects.

    Parameters
    ----------
    s3 : botocore client
        Of the service s3.
    files : Path
        Folder in which the local AWS keeps a folder for each bucket.
    scratch : Path
        Folder for what has to be fetched.
    is_owner : bool
        Whether the client may read everything, so that nothing of what lies on the disk has to be asked for.

    Attributes
    ----------
    names : dict
        What is in the local files that were given out, by their paths.
    suspects : list of Suspect
        What a query reads, for it may fail on one of the objects.
    """

    def __init__(self, s3: Any, files: Path, scratch: Path, *, is_owner: bool = True) -> None:
        self.s3 = s3
        self._is_owner = is_owner
        self._readable: set[str] = set()
        self.files = files
        self.scratch = scratch
        self.names: dict[str, str] = {}
        self.suspects: list[Suspect] = []

    def list(self, location: str) -> list[S3Object]:
        """Return the objects under a location that hold data: not those whose name begins with ``_`` or a dot."""
        bucket, prefix = split_url(location)
        prefix = prefix if not prefix or prefix.endswith("/") else prefix + "/"
        objects = []
        try:
            for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                objects += [S3Object(bucket, item["Key"], item["Size"]) for item in page.get("Contents", [])]
        except ClientError as error:
            if is_denied(error):
                raise unreadable(location) from error
            raise QueryError(
                GENERIC_S3_ERROR, f"{location}: {error.response['Error'].get('Message', error)}"
            ) from error
        return [item for item in objects if item.size and not _HIDDEN.search("/" + item.key[len(prefix) :])]

    def list_with_times(self, location: str) -> builtins.list[tuple[str, datetime]]:
        """Return every object under a location, with the time it was written."""
        bucket, prefix = split_url(location.rstrip("/") + "/")
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [
            (f"s3://{bucket}/{item['Key']}", item["LastModified"])
            for page in pages
            for item in page.get("Contents", [])
        ]

    def paths(self, objects: builtins.list[S3Object]) -> builtins.list[str]:
        """Return a local file for each object."""
        for folder in {(item.bucket, item.key.rpartition("/")[0]): item for item in objects}.values():
            self.require_readable(folder.url)
        paths = [self.files / item.bucket / item.key for item in objects]
        missing = [number for number, path in enumerate(paths) if not _is_whole(path, objects[number].size)]
        if missing:
            with ThreadPoolExecutor(8) as pool:
                fetched = list(pool.map(self._fetch, [objects[number] for number in missing]))
            for number, path in zip(missing, fetched, strict=True):
                paths[number] = path
        self.names |= {str(path): item.url for path, item in zip(paths, objects, strict=True)}
        return [str(path) for path in paths]

    def require_readable(self, url: str) -> None:
        """Fail if the caller may not read an object; asked once for each folder of a table, as policies go by these."""
        bucket, key = split_url(url)
        place = f"{bucket}/{'/'.join(key.split('/')[:-1][:2])}"
        if self._is_owner or place in self._readable:
            return
        try:
            self.s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if is_denied(error):
                raise unreadable(url) from error
            raise
        self._readable.add(place)

    def path_of(self, url: str) -> str:
        """Return a local file for one object that is known to exist."""
        self.require_readable(url)
        bucket, key = split_url(url)
        path = self.files / bucket / key
        if path.is_file():
            return str(path)
        return str(self._fetch(S3Object(bucket, key, -1)))

    def _fetch(self, item: S3Object) -> Path:
        path = self.scratch / "objects" / item.bucket / f"{item.key}"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.s3.download_file(item.bucket, item.key, str(path))
        return path

    def upload(self, path: Path, url: str) -> None:
        """Store a file as an object."""
        bucket, key = split_url(url)
        try:
            self.s3.upload_file(str(path), bucket, key)
        except Exception as error:
            if isinstance(error, S3UploadFailedError) and "AccessDenied" in str(error):
                raise _unwritable(url) from error
            raise QueryError(GENERIC_S3_ERROR, f"cannot write {url}: {error}") from error

    def put(self, url: str, body: bytes) -> None:
        """Store bytes as an object."""
        bucket, key = split_url(url)
        try:
            self.s3.put_object(Bucket=bucket, Key=key, Body=body)
        except ClientError as error:
            if is_denied(error):
                raise _unwritable(url) from error
            raise QueryError(
                GENERIC_S3_ERROR, f"cannot write {url}: {error.response['Error'].get('Message', error)}"
            ) from error

    def delete(self, urls: Iterable[str]) -> None:
        """Delete objects, a thousand in one call."""
        keys: dict[str, builtins.list[str]] = {}
        for url in urls:
            bucket, key = split_url(url)
            keys.setdefault(bucket, []).append(key)
        for bucket, names in keys.items():
            for start in range(0, len(names), 1000):
                batch = [{"Key": name} for name in names[start : start + 1000]]
                failed = self.s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True}).get("Errors")
                if failed:
                    raise unreadable(f"s3://{bucket}/{failed[0]['Key']}")


def _unwritable(url: str) -> QueryError:
    """Return Athena's error of a result that its caller may not store (AWS re:Post has the words)."""
    advice = "Please ensure you are allowed to access the S3 bucket."
    return QueryError("", f"Access denied when writing output to url: {url} . {advice}", kind=1000)


_HIDDEN = re.compile(r"/[_.]")


def _is_whole(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def split_url(url: str) -> tuple[str, str]:
    """Return bucket and key of ``s3://bucket/key``."""
    match = re.fullmatch(r"s3[an]?://([^/]+)/?(.*)", url, re.DOTALL)
    if not match:
        raise QueryError(GENERIC_S3_ERROR, f"expected a location like s3://bucket/folder/, found {url!r}")
    return match[1], match[2]
