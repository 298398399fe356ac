"""What the coverage leaves out, so that `make test` stays quick: see `conftest.py` at the top."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st


@given(st.booleans())
def test_a_property_test(value: bool) -> None:
    assert value in (True, False)


def test_property_tests_are_not_measured(request: pytest.FixtureRequest) -> None:
    markers = {item.name: item.get_closest_marker("no_cover") for item in request.session.items}
    assert markers["test_a_property_test"]
    assert not markers[request.node.name]
