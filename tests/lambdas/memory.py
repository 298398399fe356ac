"""DynamoDB and S3 in memory, as far as the stream processor uses them and as strict, for many histories."""

from __future__ import annotations

import io
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

MOST_DIGITS = 38
LARGEST, SMALLEST = Decimal("9.9999999999999999999999999999999999999E+125"), Decimal("1E-130")
"""Developer Guide, "Supported data types and naming rules"."""


def refuse(operation: str, code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class MemoryDynamoDB:
    """Tables of items; it refuses what DynamoDB refuses, and remembers every alert its stream would deliver."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[str, ...]] = {}
        self._tables: dict[str, dict[tuple[str, ...], Any]] = {}
        self.alerts: set[tuple[str, ...]] = set()

    def create_table(self, **arguments: Any) -> None:
        self._keys[arguments["TableName"]] = tuple(key["AttributeName"] for key in arguments["KeySchema"])
        self._tables[arguments["TableName"]] = {}

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803 - boto3's names
        ((table, request),) = RequestItems.items()
        keys = [self._key(table, key) for key in request["Keys"]]
        if len(keys) > 100 or len(set(keys)) != len(keys):
            raise refuse("BatchGetItem", "ValidationException", "too many keys, or one twice")
        found = [self._tables[table][key] for key in keys if key in self._tables[table]]
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def batch_write_item(self, RequestItems: Any) -> Any:  # noqa: N803
        ((table, requests),) = RequestItems.items()
        items = {self._key(table, request["PutRequest"]["Item"]): request["PutRequest"]["Item"] for request in requests}
        if not 0 < len(requests) <= 25 or len(items) != len(requests):
            raise refuse("BatchWriteItem", "ValidationException", "too many items, or one twice")
        for item in items.values():
            _check(item)
            for kind in item.get("alerts", {}).get("SS", ()):
                revision = item.get("revision", {"N": "0"})["N"]
                self.alerts.add((item["symbol"]["S"], item["timestamp"]["S"], kind, revision))
        self._tables[table] |= items
        return {"UnprocessedItems": {}}

    def scan(self, TableName: str) -> Any:  # noqa: N803
        return {"Items": list(self._tables[TableName].values())}

    def get_paginator(self, _operation: str) -> Any:
        return SimpleNamespace(paginate=lambda TableName: [self.scan(TableName)])  # noqa: N803

    def _key(self, table: str, item: Any) -> tuple[str, ...]:
        return tuple(item[name]["S"] for name in self._keys[table])


class MemoryS3:
    """Objects of one bucket, with conditional writes."""

    exceptions = SimpleNamespace(ClientError=ClientError)

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}

    def create_bucket(self, **_: Any) -> None:
        """There is one."""

    def put_object(self, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str = "") -> None:  # noqa: N803
        if IfNoneMatch and Key in self._objects:
            raise refuse("PutObject", "PreconditionFailed", "there is such an object")
        self._objects[Key] = Body

    def get_object(self, Bucket: str, Key: str) -> Any:  # noqa: N803
        return {"Body": io.BytesIO(self._objects[Key])}

    def list_objects_v2(self, Bucket: str, Prefix: str) -> Any:  # noqa: N803
        return {"Contents": [{"Key": key} for key in sorted(self._objects) if key.startswith(Prefix)]}


def _check(value: Any) -> None:
    """Refuse numbers and empty sets that DynamoDB refuses."""
    for kind, content in _values(value):
        if kind == "N":
            number = Decimal(content)
            digits = len(number.normalize().as_tuple().digits) if len(content) < 200 else len(content)
            if digits > MOST_DIGITS or (number and not SMALLEST <= abs(number) <= LARGEST):
                raise refuse("BatchWriteItem", "ValidationException", f"a number out of bounds: {content[:60]}")
        if kind == "SS" and (not content or len(set(content)) != len(content)):
            raise refuse("BatchWriteItem", "ValidationException", f"an empty set, or a member twice: {content}")


def _values(value: Any) -> Iterator[tuple[str, Any]]:
    for name, content in value.items():
        if name in ("N", "SS"):
            yield name, content
        elif name == "L":
            for entry in content:
                yield from _values(entry)
        elif isinstance(content, dict):
            yield from _values(content)
