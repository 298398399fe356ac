"""The stream processor's settings: thresholds of rules, from the variables that the template gives it."""

from __future__ import annotations

import logging
from decimal import Decimal

import pytest

from tapeline.stream.settings import SettingError, StreamProcessorSettings

NAMES = {"TABLE_NAME": "data", "STATE_TABLE_NAME": "state", "BUCKET_NAME": "bucket"}


def thresholds(**environment: str) -> dict[str, Decimal]:
    """The thresholds of the first two rules; others may come."""
    found = StreamProcessorSettings.from_environment({**NAMES, **environment}).rules.thresholds
    return {name: found[name] for name in ("price_move", "band_break")}


def test_a_threshold_is_that_of_the_json_else_of_its_own_parameter_else_the_rules_own() -> None:
    assert thresholds() == {"price_move": 5, "band_break": 0}
    assert thresholds(PRICE_MOVE_PERCENT="7.5", RULE_THRESHOLDS="{}") == {"price_move": Decimal("7.5"), "band_break": 0}
    both = thresholds(PRICE_MOVE_PERCENT="7.5", RULE_THRESHOLDS='{"price_move": 0, "band_break": 2.10}')
    assert both == {"price_move": 0, "band_break": Decimal("2.10")}


def test_a_bad_threshold_is_named_by_where_it_stands() -> None:
    with pytest.raises(SettingError, match="PRICE_MOVE_PERCENT: expected a number, found 'abc'"):
        thresholds(PRICE_MOVE_PERCENT="abc")
    with pytest.raises(SettingError, match="price_move: expected a number, found 'far'"):
        thresholds(PRICE_MOVE_PERCENT="7", RULE_THRESHOLDS='{"price_move": "far"}')


@pytest.mark.parametrize("text", ["price_move=5", "[5]", '{"price_move": "far"}', '{"price_move": -1}', "{"])
def test_thresholds_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(SettingError, match="expected"):
        thresholds(RULE_THRESHOLDS=text)


def test_a_threshold_of_a_rule_that_this_version_lacks_is_said_and_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert thresholds(RULE_THRESHOLDS='{"flash_crash": 3}') == thresholds()
    assert "flash_crash" in caplog.text
