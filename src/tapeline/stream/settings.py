"""The Lambdas' settings, read once from the environment that the template gives them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal, InvalidOperation

from tapeline.market.rules import RULES, read_thresholds
from tapeline.market.suspicion import Limits
from tapeline.market.symbol_state import Rules

log = logging.getLogger(__name__)


class SettingError(ValueError):
    """A setting is missing or unreadable; the message names it and says what was expected."""


@dataclass(frozen=True, slots=True)
class StreamProcessorSettings:
    """Settings of the function on the Kinesis stream.

    An item lives in DynamoDB for `quote_retention` after its arrival.
    """

    table_name: str
    state_table_name: str
    bucket_name: str
    quote_retention: timedelta
    rules: Rules

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> StreamProcessorSettings:
        """Read the settings; raise SettingError if one is missing or unreadable."""
        return cls(
            table_name=_text(environment, "TABLE_NAME"),
            state_table_name=_text(environment, "STATE_TABLE_NAME"),
            bucket_name=_text(environment, "BUCKET_NAME"),
            quote_retention=timedelta(days=float(_number(environment, "QUOTE_RETENTION_DAYS", "30"))),
            rules=Rules(
                thresholds=_thresholds(environment),
                alert_cooldown=timedelta(minutes=float(_number(environment, "ALERT_COOLDOWN_MINUTES", "15"))),
                limits=Limits(
                    price_percent=_percent(environment, "SUSPECT_PRICE_PERCENT", "20"),
                    change_percent=_percent(environment, "SUSPECT_CHANGE_PERCENT", "45"),
                    volume_times=_number(environment, "SUSPECT_VOLUME_TIMES", "100"),
                ),
            ),
        )


@dataclass(frozen=True, slots=True)
class TrendAlertsSettings:
    """Settings of the function on the DynamoDB stream: the topic for people, and where it remembers what it sent."""

    alert_topic_arn: str
    state_table_name: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> TrendAlertsSettings:
        """Read the settings; raise SettingError if one is missing."""
        return cls(_text(environment, "ALERT_TOPIC_ARN"), _text(environment, "STATE_TABLE_NAME"))


@dataclass(frozen=True, slots=True)
class FeedWatchSettings:
    """Settings of the function that watches the feed: what it looks at, and where it reports."""

    state_table_name: str
    dead_letter_queue_url: str
    alert_topic_arn: str
    operations_topic_arn: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> FeedWatchSettings:
        """Read the settings; raise SettingError if one is missing."""
        return cls(*(_text(environment, field.name.upper()) for field in fields(cls)))


def _text(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise SettingError(f"expected the environment variable {name}, found none; the stack's template sets it")
    return value


def _thresholds(environment: Mapping[str, str]) -> dict[str, Decimal]:
    """Return each rule's threshold: of RULE_THRESHOLDS, of the rule's own variable, or its default, in this order."""
    try:
        stated = read_thresholds(environment.get("RULE_THRESHOLDS", ""))
    except ValueError as error:
        raise SettingError(f"RULE_THRESHOLDS: {error}") from None
    if unknown := stated.keys() - {rule.name for rule in RULES}:
        # No reason to stop the stream: the code may have gone back to before the rule.
        log.warning("RULE_THRESHOLDS: no rule is called %s", ", ".join(sorted(unknown)))
    return {
        rule.name: _number(stated, rule.name, "")
        if stated.get(rule.name)
        else _number(environment, rule.variable, str(rule.threshold))
        for rule in RULES
    }


def _number(environment: Mapping[str, str], name: str, default: str) -> Decimal:
    text = environment.get(name) or default
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise SettingError(f"{name}: expected a number, found {text!r}") from None
    if not value.is_finite() or value < 0:
        raise SettingError(f"{name}: expected a number of 0 or more, found {text!r}")
    return value


def _percent(environment: Mapping[str, str], name: str, default: str) -> Decimal:
    value = _number(environment, name, default)
    if value >= 100:
        raise SettingError(f"{name}: expected per cent below 100, found {value}")
    return value
