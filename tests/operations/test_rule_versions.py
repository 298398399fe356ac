"""Versions of the rules: each on the one before, none lost, and the way back is a version too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tapeline.market.alerting.baselines import Baseline
from tapeline.market.alerting.in_force import AHEAD_SECONDS
from tapeline.market.alerting.rules import RuleSet, read_rules
from tapeline.operations.feed_signs import NewestQuote
from tapeline.operations.health import Readings, judge
from tapeline.operations.light import Colour
from tapeline.operations.rule_versions import RulesError, RuleVersions
from tapeline.stream.rule_book import baselines_to_bytes

NOW = 1_773_325_800.4


class Moto:
    """As much of a deployment as the rules need, over moto."""

    class outputs:  # noqa: N801 - as the attribute
        state_table_name = "state"
        bucket_name = "rules-bucket"

    @staticmethod
    def client(name: Any) -> Any:
        return boto3.client(name, region_name="us-east-1")


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> Iterator[RuleVersions]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        Moto.client("s3").create_bucket(Bucket="rules-bucket")
        Moto.client("dynamodb").create_table(
            TableName="state",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        )
        yield RuleVersions(Moto(), clock=lambda: NOW)  # type: ignore[arg-type]


def level(price: float) -> RuleSet:
    return read_rules([((), {"rules": [{"name": "mine", "when": {"level": {"price": price}}}]})])


def test_a_version_holds_at_least_a_minute_ahead_and_says_who_and_when(versions: RuleVersions) -> None:
    first = versions.apply(level(1), based_on=None, by="ann")
    assert first.holds_from - NOW >= AHEAD_SECONDS
    assert (first.number, first.by, first.at) == (1, "ann", "2026-03-12T14:30:00Z")
    assert versions.pointer().version_at(first.holds_from - 1) is None
    assert versions.pointer().version_at(first.holds_from) == first
    assert versions.read(1) == level(1)


@pytest.mark.parametrize("based_on", [None, 1, 3])
def test_what_is_not_based_on_the_version_in_force_is_refused_and_changes_nothing(
    versions: RuleVersions, based_on: int | None
) -> None:
    versions.apply(level(1), based_on=None, by="ann")
    versions.apply(level(2), based_on=1, by="bob")
    before = versions.pointer()
    with pytest.raises(RulesError, match="version 2, by bob at 2026-03-12T14:30:00Z"):
        versions.apply(level(3), based_on=based_on, by="cy")
    assert versions.pointer() == before
    assert versions.read(2) == level(2)


def test_of_two_that_apply_at_once_one_is_refused(versions: RuleVersions, monkeypatch: pytest.MonkeyPatch) -> None:
    versions.apply(level(1), based_on=None, by="ann")
    stale = versions._item()
    versions.apply(level(2), based_on=1, by="bob")
    monkeypatch.setattr(RuleVersions, "_item", lambda _: stale)
    with pytest.raises(RulesError, match="somebody else has changed the rules meanwhile"):
        versions.apply(level(3), based_on=1, by="cy")
    monkeypatch.undo()
    assert versions.pointer().versions[-1].by == "bob"


def test_the_way_back_is_one_more_version(versions: RuleVersions) -> None:
    versions.apply(level(1), based_on=None, by="ann")
    versions.apply(level(2), based_on=1, by="bob")
    back = versions.go_back(1, by="cy")
    assert (back.number, back.note) == (3, "back to version 1")
    assert versions.read(3) == level(1)
    with pytest.raises(RulesError, match="expected a version from 1 to 3, found 7"):
        versions.go_back(7, by="cy")


def test_status_says_which_rules_are_silent_for_want_of_a_baseline(versions: RuleVersions) -> None:
    assert versions.in_force() is None
    trend = {"name": "trend", "when": {"trend": {"short": 5, "long": 20}}}
    rules = read_rules([((), {"rules": [trend, {"name": "level", "when": {"level": {"price": 9}}}]})])
    versions.apply(rules, based_on=None, by="ann")
    key = "alerting/baselines/2026-03-12-a.json.gz"
    usual = Baseline(5, (0.001,) * 7, (0.008,) * 7, (0.0,) * 13, 0.02)
    Moto.client("s3").put_object(Bucket="rules-bucket", Key=key, Body=baselines_to_bytes({"AAPL": usual}))
    versions.learn(key)
    held = versions.in_force()
    assert held is not None
    assert (held.enabled, held.waiting, held.known) == (2, ("trend",), frozenset({"AAPL"}))
    quotes = [
        NewestQuote(symbol, "2026-03-12T15:00:00Z", "1", "", "yahoo", "2026-03-12T15:00:00Z", ())
        for symbol in ("AAPL", "NVDA")
    ]
    readings = Readings(at=datetime(2026, 3, 12, 15, tzinfo=UTC), parts=[], rules=held, newest=quotes)
    (light,) = [light for light in judge(readings) if light.name == "rules"]
    assert light.reading.startswith("version 1 by ann: 2 on; trend silent on 1 of 2 symbols")
    alone = Readings(at=readings.at, parts=[], rules=held, newest=quotes[:1])
    assert [light.colour for light in judge(alone) if light.name == "rules"] == [Colour.GREEN]


def test_a_mute_and_baselines_leave_the_versions_alone(versions: RuleVersions) -> None:
    versions.apply(level(1), based_on=None, by="ann")
    mute = versions.mute("NVDA", "mine", until=NOW + 3600, by="bob")
    assert mute.silences("mine", "NVDA", mute.holds_from)
    assert not mute.silences("mine", "NVDA", mute.holds_from - 1)
    assert not mute.silences("mine", "AMD", mute.holds_from)
    assert not mute.silences("mine", "NVDA", NOW + 3600)
    learnt = versions.learn("alerting/baselines/2026-03-12-a.json.gz")
    assert versions.learn("alerting/baselines/2026-03-12-a.json.gz") == learnt
    assert versions.learn("alerting/baselines/2026-03-11-b.json.gz") == learnt, "a backfill teaches nothing"
    pointer = versions.pointer()
    assert pointer.baselines == (learnt,)
    assert (pointer.mutes, pointer.newest) == ((mute,), 1)
