"""Packed containers hold what plain ones do, as far as the base uses them."""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaws.packed import PackedList, PackedMap

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.dictionaries(TEXTS, st.one_of(st.dictionaries(TEXTS, TEXTS), st.booleans(), st.integers(0, 2**40)))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.one_of(st.none(), VALUES))))
def test_a_packed_map_reads_as_the_plain_one(changes: list[tuple[str, Any]]) -> None:
    plain: dict[str, Any] = {}
    packed = PackedMap()
    for key, value in changes:
        if value is None:
            assert packed.pop(key, "none") == plain.pop(key, "none")
        else:
            plain[key] = packed[key] = value
    assert list(packed.items()) == list(plain.items())
    assert list(packed.values()) == list(plain.values())
    assert list(packed) == list(packed.keys()) == list(plain)
    assert dict(packed) == dict(copy.deepcopy(packed)) == plain
    assert {key: packed.get(key) for key in "abc"} == {key: plain.get(key) for key in "abc"}
    assert len(packed) == len(plain)


@given(st.lists(VALUES, max_size=6), st.integers(0, 6), st.integers(0, 6))
def test_a_packed_list_reads_as_the_plain_one(values: list[Any], start: int, end: int) -> None:
    packed = PackedList()
    for value in values:
        packed.append(value)
    assert list(packed) == values
    assert packed[start:end] == values[start:end]
    again = PackedList()
    again.extend_packed([packed.packed_from(start)])
    assert list(again) == values[start:]
    del packed[:start]
    assert list(packed) == values[start:]


def test_what_is_missing_is_missing() -> None:
    packed = PackedMap()
    with pytest.raises(KeyError):
        packed["x"]
    with pytest.raises(KeyError):
        packed.pop("x")
    assert packed.packed("x") is None


def test_another_thread_may_store_while_all_items_are_read() -> None:
    """The base looks for expired items in a thread of its own."""
    packed = PackedMap({})
    for number in range(20_000):
        packed[str(number)] = {"n": number}
    read: list[int] = []
    reader = threading.Thread(target=lambda: read.append(len(packed.items())))
    reader.start()
    for number in range(20_000, 40_000):
        packed[str(number)] = {"n": number}
    reader.join()
    assert 20_000 <= read[0] <= 40_000
