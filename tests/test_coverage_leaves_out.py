"""What the coverage leaves out, so that `make test` stays quick: see `conftest.py` at the top."""

from __future__ import annotations

import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

TRACERS: list[Any] = []


@given(st.booleans())
def test_a_property_test(value: bool) -> None:
    assert value in (True, False)
    TRACERS.append(sys.gettrace())


def test_property_tests_are_not_measured() -> None:
    assert set(TRACERS) == {None}
