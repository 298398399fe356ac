"""The engine: every condition fires when it should and is silent when it should; a session is a table of prices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from tapeline.market.alerting.baselines import Baseline
from tapeline.market.alerting.engine import AlertMemory, advance
from tapeline.market.alerting.minutes import Trading, trading_of
from tapeline.market.alerting.rules import RuleSet, read_rules

DAYS = ("2026-03-12", "2026-03-13")
BASELINE = Baseline(20, (0.001,) * 7, (0.008,) * 7, (30_000.0,) * 13, 0.02, 110.0, 90.0, 120.0, 80.0)

Fired = tuple[int, str]
"""Minutes after the open, and the way."""


def rules(when: dict[str, Any], **fields: Any) -> RuleSet:
    return read_rules([((), {"rules": [{"name": "mine", "when": when, "cooldown": 0, **fields}]})])


def fire(
    ruleset: RuleSet,
    prices: Iterable[float],
    *,
    changes: Sequence[float | None] = (),
    volumes: Sequence[int] = (),
    baseline: Baseline | None = BASELINE,
    memory: AlertMemory | None = None,
    day: str = DAYS[0],
) -> tuple[list[Fired], AlertMemory]:
    """Put a price on every minute from the open on; return what fired."""
    memory = memory or AlertMemory()
    trading: Trading = trading_of(day)
    found = []
    for minute, price in enumerate(prices):
        change = changes[minute] if changes else None
        volume = volumes[minute] if volumes else 0
        seconds = trading.opens + 60 * minute
        memory, fired = advance(memory, ruleset.of("ACME"), baseline, trading, seconds, price, change, volume)
        found += [(minute, alert.way) for alert in fired]
    return found, memory


FLAT = [100.0] * 70


@pytest.mark.parametrize(
    ("when", "prices", "expected"),
    [
        ({"level": {"price": 101}}, [100, 102, 101.5, 100, 102], [(1, "up"), (3, "down"), (4, "up")]),
        ({"level": {"price": 101}}, [102, 103, 102], []),
        ({"level": {"price": 101, "way": "up"}}, [100, 101, 100.95, 101, 100, 101.2], [(1, "up"), (5, "up")]),
        ({"level": {"price": 99, "way": "down"}}, [100, 99, 99.05, 98, 100, 98], [(1, "down"), (5, "down")]),
        ({"move": {"within": 5, "beyond": 2, "unit": "percent"}}, [*FLAT, 103], [(70, "up")]),
        ({"move": {"within": 5, "beyond": 2, "unit": "percent", "way": "down"}}, [*FLAT, 103], []),
        ({"move": {"within": 5, "beyond": 2, "unit": "percent"}}, [100, 100.5, 101, 101.5, 102.1], [(4, "up")]),
        ({"move": {"within": 60, "beyond": 3}}, [*FLAT, 102.3], []),
        ({"move": {"within": 60, "beyond": 3}}, [*FLAT, 102.5], [(70, "up")]),
        ({"move": {"within": 60, "beyond": 3, "window": "block"}}, [*[100] * 61, 97, 97], [(61, "down")]),
        ({"move": {"within": 60, "beyond": 3, "window": "block"}}, [*[100] * 60, 97, 97], [(60, "down")]),
        ({"trend": {"short": 5, "long": 20, "band": 1}}, [100 + 0.1 * m for m in range(40)], []),
        (
            {"trend": {"short": 5, "long": 20, "band": 1}},
            [*[100 + 0.1 * m for m in range(40)], *[104 - 0.3 * m for m in range(20)]],
            [(45, "down")],
        ),
        ({"extreme": {"sessions": 20}}, [*FLAT, 110.0, 110.1, 111, 109, 112], [(71, "up"), (74, "up")]),
        ({"extreme": {"sessions": 252, "way": "down"}}, [*FLAT, 79.9], [(70, "down")]),
        ({"band": {"minutes": 20, "deviations": 3}}, [*[100, 100.1] * 30, 101], [(60, "up")]),
        ({"band": {"minutes": 20, "deviations": 3}}, FLAT, []),
        (
            {"all": [{"level": {"price": 101, "way": "up"}}, {"move": {"within": 5, "beyond": 2, "unit": "percent"}}]},
            [100, 101.5, 103, 103, 103, 103, 103, 103, 103],
            [(2, "up")],
        ),
        (
            {"any": [{"level": {"price": 101, "way": "up"}}, {"level": {"price": 99, "way": "down"}}]},
            [100, 101.5, 98, 100, 100],
            [(1, "up"), (2, "down")],
        ),
        (
            {
                "any": [
                    {"all": [{"level": {"price": 101, "way": "up"}}, {"level": {"price": 102, "way": "up"}}]},
                    {"level": {"price": 99, "way": "down"}},
                ]
            },
            [100, 101.5, 102.5, 98],
            [(2, "up"), (3, "down")],
        ),
    ],
)
def test_conditions(when: dict[str, Any], prices: list[float], expected: list[Fired]) -> None:
    assert fire(rules(when), prices)[0] == expected


def test_the_change_of_the_day_arms_again_after_a_step_back() -> None:
    ruleset = rules({"day_change": {"beyond": 5, "step_back": 1}})
    changes = [0, 5.0, 5.01, 4.5, 5.2, 4.0, 5.2, None, -6]
    assert fire(ruleset, [100] * 9, changes=changes)[0] == [(2, "up"), (6, "up"), (8, "down")]


def test_the_change_of_the_day_in_usual_days() -> None:
    ruleset = rules({"day_change": {"beyond": 3, "unit": "usual", "step_back": 0.5}})
    assert fire(ruleset, [100] * 5, changes=[0, 6.0, 6.1, 5.2, 6.3])[0] == [(2, "up")]
    assert fire(ruleset, [100] * 5, changes=[0, 6.0, 6.1, 5.2, 6.3], baseline=None)[0] == []


def test_volume_against_what_is_usual_then() -> None:
    ruleset = rules({"volume": {"beyond": 3, "within": 10}})
    quiet = [1000 * minute for minute in range(40)]
    assert fire(ruleset, [100] * 40, volumes=quiet)[0] == []
    assert fire(ruleset, [100] * 41, volumes=[*quiet, 39_000 + 40_000])[0] == [(40, "on")]
    assert fire(ruleset, [100] * 41, volumes=[0] * 41)[0] == [], "a volume that is not known is none"


@pytest.mark.parametrize("word", ["move", "trend", "volume", "extreme"])
def test_without_its_baseline_a_rule_is_silent(word: str) -> None:
    fields = {
        "move": {"within": 5, "beyond": 1},
        "trend": {"short": 5, "long": 10},
        "volume": {"beyond": 1},
        "extreme": {"sessions": 20},
    }
    prices = [*[100 + number for number in range(40)], *[140 - 3 * number for number in range(30)]]
    volumes = [10_000 * number for number in range(70)]
    assert fire(rules({word: fields[word]}), prices, volumes=volumes, baseline=None)[0] == []
    assert fire(rules({word: fields[word]}), prices, volumes=volumes)[0]


def test_a_condition_must_hold_for_as_long_as_the_rule_says() -> None:
    ruleset = rules({"move": {"within": 60, "beyond": 2, "unit": "percent"}}, **{"for": 3})
    assert fire(ruleset, [100, 103, 103, 100, 103, 103, 103, 103])[0] == [(7, "up")]


def test_after_a_cooldown_the_state_that_holds_is_what_was_heard_last() -> None:
    ruleset = rules({"level": {"price": 101}}, cooldown=10)
    prices = [100, 102, 100, 102, 100, *[100] * 10]
    assert fire(ruleset, prices)[0] == [(1, "up"), (11, "down")]
    assert fire(ruleset, [100, 102, 100, 102, *[102] * 10])[0] == [(1, "up")], "what was heard is true again"


def test_a_night_is_no_move_and_a_rule_of_the_day_begins_anew() -> None:
    ruleset = rules({"move": {"within": 60, "beyond": 2, "unit": "percent"}})
    found, memory = fire(ruleset, [*FLAT, 103])
    assert found == [(70, "up")]
    assert fire(ruleset, [120, 120, 120, 123], memory=memory, day=DAYS[1])[0] == [(3, "up")]


def test_a_side_outlives_the_night() -> None:
    ruleset = rules({"level": {"price": 101}})
    found, memory = fire(ruleset, [100, 102])
    assert found == [(1, "up")]
    assert fire(ruleset, [103, 103, 100], memory=memory, day=DAYS[1])[0] == [(2, "down")]


def test_outside_regular_trading_only_rules_of_all_hours_look() -> None:
    trading = trading_of(DAYS[0])
    for hours, expected in (("regular", 0), ("all", 1)):
        ruleset = rules({"level": {"price": 101}}, hours=hours)
        memory, count = AlertMemory(), 0
        for seconds, price in ((0, 100.0), (60, 100.0), (trading.closes - trading.opens + 600, 105.0)):
            memory, fired = advance(memory, ruleset.of("X"), None, trading, trading.opens + seconds, price, None, 0)
            count += len(fired)
        assert count == expected


def test_a_quote_of_the_minute_makes_no_difference_to_conditions_of_minutes() -> None:
    ruleset = rules({"move": {"within": 1, "beyond": 1, "unit": "percent"}})
    trading = trading_of(DAYS[0])
    memory, found = AlertMemory(), list[Any]()
    for seconds, price in ((0, 100.0), (30, 150.0), (60, 100.0), (90, 50.0), (120, 100.5)):
        memory, fired = advance(memory, ruleset.of("X"), None, trading, trading.opens + seconds, price, None, 0)
        found += fired
    assert found == []


def test_what_is_usual_grows_from_a_minute_to_an_hour() -> None:
    assert BASELINE.usual_move(100, 1) == pytest.approx(0.001)
    assert BASELINE.usual_move(119, 60) == pytest.approx(0.008)
    assert BASELINE.usual_move(100, 60) == pytest.approx(0.008)
    assert BASELINE.usual_volume(29, 30) == 30_000
    assert Baseline.from_json(BASELINE.to_json()) == BASELINE
