from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from rich.text import Text

from tapeline.cli import show


def line(**changes: Any) -> str:
    item: Any = {
        "symbol": {"S": "AAPL"},
        "timestamp": {"S": "2026-03-12T14:30:00Z"},
        "price": {"N": "101"},
        "change_percent": {"N": "1"},
        "moving_average_5": {"N": "100.5"},
        "moving_average": {"N": "100"},
    }
    return " ".join(Text.from_markup(show.quote_line(item | changes)).plain.split())


NULL = {"NULL": True}


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "AAPL 101.00 +1.00 % averages 100.50 100.00"),
        (
            {"change_percent": NULL, "suspect": {"L": [{"S": "previous_close:far"}]}},
            "AAPL 101.00 - averages 100.50 100.00 suspect: previous_close:far",
        ),
        (
            {"change_percent": NULL, "moving_average_5": NULL, "moving_average": NULL, "late": {"BOOL": True}},
            "AAPL 101.00 - averages - - late",
        ),
        ({"price": {"N": "0.00001234"}}, "AAPL 0.00001234 +1.00 % averages 100.50 100.00"),
    ],
)
def test_tail_shows_a_quote_and_what_is_not_believed_of_it(changes: dict[str, Any], shown: str) -> None:
    assert line(**changes) == f"2026-03-12 14:30:00 {shown}"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("1234.5", "1,234.50"),
        ("1000000000000", "1,000,000,000,000.00"),
        ("0", "0.00"),
        ("0.5", "0.5000"),
        ("0.000012345", "0.00001234"),
        ("1e-30", "1.000e-30"),
    ],
)
def test_a_small_amount_keeps_digits_that_say_something(amount: str, shown: str) -> None:
    assert show.usd(Decimal(amount)) == shown
