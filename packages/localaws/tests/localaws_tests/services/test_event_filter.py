"""Filter patterns; the expectations are those of the Lambda Developer Guide's table of rules."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localaws.event_filter import EventFilter, FilterError

RECORD = {
    "data": {"symbol": "NVDA", "price": 101.5, "volume": 7, "late": False, "note": None, "tags": ["up", "fast"]},
    "partitionKey": "NVDA",
    "dynamodb": {"NewImage": {"alerts": {"SS": ["trend_up"]}, "change": {"N": "-5.25"}, "empty": {"S": ""}}},
}
CASES: list[tuple[Any, bool]] = [
    ({"data": {"symbol": ["NVDA"]}}, True),
    ({"data": {"symbol": ["AAPL", "NVDA"]}}, True),
    ({"data": {"symbol": ["nvda"]}}, False),
    ({"data": {"symbol": [{"prefix": "NV"}]}}, True),
    ({"data": {"symbol": [{"prefix": "X"}]}}, False),
    ({"data": {"price": [101.5]}}, True),
    ({"data": {"volume": [7.0]}}, True),
    ({"data": {"volume": ["7"]}}, False),
    ({"data": {"late": [False]}}, True),
    ({"data": {"late": [0]}}, False),
    ({"data": {"note": [None]}}, True),
    ({"data": {"missing": [None]}}, False),
    ({"data": {"tags": ["fast"]}}, True),
    ({"data": {"missing": [{"prefix": ""}]}}, False),
    ({"data": {"price": [{"prefix": "1"}]}}, False),
    ({"dynamodb": {"NewImage": {"alerts": {"SS": [{"exists": True}]}}}}, True),
    ({"dynamodb": {"NewImage": {"absent": {"SS": [{"exists": True}]}}}}, False),
    ({"dynamodb": {"NewImage": {"absent": {"SS": [{"exists": False}]}}}}, True),
    ({"dynamodb": {"OldImage": {"alerts": {"SS": [{"exists": False}]}}}}, True),
    ({"dynamodb": {"NewImage": {"empty": {"S": [""]}}}}, True),
    ({"data": {"symbol": ["NVDA"]}, "partitionKey": ["AAPL"]}, False),
]


def passes(*patterns: Any) -> bool:
    return EventFilter({"Filters": [{"Pattern": json.dumps(pattern)} for pattern in patterns]}).passes(RECORD)


@pytest.mark.parametrize(("pattern", "expected"), CASES)
def test_each_rule_chooses_as_lambda_does(pattern: Any, expected: bool) -> None:
    assert passes(pattern) is expected


def test_any_of_several_patterns_is_enough_and_none_lets_all_pass() -> None:
    assert passes({"partitionKey": ["AAPL"]}, {"partitionKey": ["NVDA"]})
    assert EventFilter({}).passes(RECORD)


@pytest.mark.parametrize("pattern", [{"a": "b"}, [], {"a": [{}]}, {"a": [{"exists": True, "prefix": "x"}]}])
def test_what_is_no_pattern_is_an_error(pattern: Any) -> None:
    with pytest.raises(FilterError, match="expected"):
        EventFilter({"Filters": [{"Pattern": json.dumps(pattern)}]})


@pytest.mark.parametrize(
    "pattern",
    [
        {"a": [{"wildcard": "*"}]},
        {"a": [{"numeric": [">", 2]}]},
        {"a": [{"anything-but": ["x"]}]},
        {"a": [{"suffix": "x"}]},
        {"a": [{"equals-ignore-case": "x"}]},
        {"$or": [{"a": ["x"]}, {"b": ["x"]}]},
    ],
)
def test_an_operator_that_is_not_there_is_said_to_be_not_supported(pattern: Any) -> None:
    with pytest.raises(FilterError, match="not supported here"):
        EventFilter({"Filters": [{"Pattern": json.dumps(pattern)}]})


def test_a_pattern_that_is_no_json_is_an_error() -> None:
    with pytest.raises(FilterError, match="must be JSON"):
        EventFilter({"Filters": [{"Pattern": "{"}]})
