"""Lets a page of a Scan or Query cost what the page holds, as on AWS, and not what the table holds.

The base sorts a whole table for each page of a Scan, and looks at a whole partition to answer which item is its newest.
Here it is shown a table of those items only that the page can hold, one more than fits, and does with it what it does.
`test_paging.py` fails if it no longer reads its tables where this stands.
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from msgspec.json import decode

from localaws import ministack_names as base
from localaws.packed import PackedMap

StoredTable = dict[str, Any]
Keys = Iterable[tuple[str, str]]

_HASH_EQUALS = re.compile(r"\s*(#?\w+)\s*=\s*(:\w+)\s*")


def read_by_the_page() -> None:
    """Put the narrowing in front of the base's Scan and Query."""
    base.SCAN.wrap(partial(_narrowed, choose=_keys_of_scan))
    base.QUERY.wrap(partial(_narrowed, choose=_keys_of_query))


def _narrowed(
    read: Callable[[dict[str, Any]], Any], choose: Callable[[StoredTable, dict[str, Any]], Keys | None]
) -> Callable[[dict[str, Any]], Any]:
    def narrowed(request: dict[str, Any]) -> Any:
        name = base.TABLE_NAME(request.get("TableName"))
        tables = base.TABLES.value
        table = tables.get(name)
        try:
            keys = choose(table, request)
            page = None if keys is None else _page(table, keys, int(request.get("Limit") or 0))
        except (AttributeError, KeyError, TypeError, ValueError):
            page = None  # the base says what is wrong with such a request
        if page is None:
            return read(request)
        tables[name] = {**table, "items": page}
        try:
            return read(request)
        finally:
            tables[name] = table

    return narrowed


def _page(table: StoredTable, keys: Keys, limit: int) -> dict[str, PackedMap]:
    """Return the first of these items: as many as the limit, or until they are more than a page's bytes."""
    page: dict[str, PackedMap] = defaultdict(PackedMap)
    size = 0
    for count, (hash_value, range_value) in enumerate(keys, start=1):
        text = table["items"][hash_value].packed(range_value)
        page[hash_value].put_packed(range_value, text)
        size += base.ITEM_BYTES(decode(text))
        if count == limit or size > base.PAGE_BYTES.value:
            break
    return page


def _keys_of_scan(table: StoredTable, request: dict[str, Any]) -> Keys | None:
    """Return the keys of a Scan's segment behind its start, in the base's order."""
    if request.get("IndexName"):
        return None
    start = request.get("ExclusiveStartKey")
    after = _key(table, start) if start else ("", "")
    segments = int(request.get("TotalSegments") or 1)
    segment = int(request.get("Segment") or 0)

    def keys() -> Iterator[tuple[str, str]]:
        for hash_value in sorted(table["items"]):
            digest = hashlib.sha1(hash_value.encode(), usedforsecurity=False).digest()  # the base's own division
            if hash_value < after[0] or int.from_bytes(digest[:4], "big") % segments != segment:
                continue
            for range_value in sorted(table["items"][hash_value]):
                if not start or (hash_value, range_value if table["sk_name"] else "") > after:
                    yield hash_value, range_value

    return keys()


def _keys_of_query(table: StoredTable, request: dict[str, Any]) -> Keys | None:
    """Return the keys of a Query that asks for one hash value, in its order; None for one that asks for more."""
    match = _HASH_EQUALS.fullmatch(request.get("KeyConditionExpression") or "")
    if match is None or request.get("IndexName") or base.KEY_TYPE(table, table["sk_name"]) != "S":
        return None
    if request.get("ExpressionAttributeNames", {}).get(match[1], match[1]) != table["pk_name"]:
        return None
    hash_value = base.KEY_VALUE(request["ExpressionAttributeValues"][match[2]])
    is_forward = request.get("ScanIndexForward", True)
    ranges = list(table["items"].get(hash_value, ()))  # a copy: the base deletes expired items in a thread of its own
    if start := request.get("ExclusiveStartKey"):
        after = _key(table, start)[1]
        ranges = [value for value in ranges if (value > after if is_forward else value < after)]
    if limit := int(request.get("Limit") or 0):
        first = (heapq.nsmallest if is_forward else heapq.nlargest)(limit, ranges)
    else:
        first = sorted(ranges, reverse=not is_forward)
    return ((hash_value, value) for value in first)


def _key(table: StoredTable, key: dict[str, Any]) -> tuple[str, str]:
    hash_value = base.KEY_VALUE(key[table["pk_name"]])
    return hash_value, base.KEY_VALUE(key[table["sk_name"]]) if table["sk_name"] else ""
