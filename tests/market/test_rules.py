"""Alert rules and the words of every kind of alert; answers by hand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from tapeline.desk.course import Course, Tick
from tapeline.market import rules
from tapeline.market.alerts import Alert
from tapeline.market.quotes import FIGURES, Quote
from tapeline.market.symbol_state import Rules, observe
from tapeline.stream.settings import StreamProcessorSettings
from tests.lambdas.conftest import ENVIRONMENT
from tests.lambdas.deployment import OPENING, make_quote


def decimals(*numbers: object) -> list[Decimal]:
    return [Decimal(str(number)) for number in numbers]


def test_the_band_breaks_beyond_so_many_deviations_of_the_twenty_prices_before() -> None:
    earlier = decimals(*[99, 101] * 10)  # mean 100, standard deviation 1
    thresholds = {"price_move": Decimal(0), "band_break": Decimal(3)}
    assert rules.reasons(make_quote(price="103"), earlier, thresholds) == ()
    assert rules.reasons(make_quote(price="103.01"), earlier, thresholds) == ("band_break",)
    assert rules.reasons(make_quote(price="96.9"), earlier, thresholds) == ("band_break",)
    assert rules.reasons(make_quote(price="200"), earlier[1:], thresholds) == ()
    assert rules.reasons(make_quote(price="200"), decimals(*[100] * 20), thresholds) == ()


def test_a_rule_with_threshold_zero_or_none_is_off() -> None:
    thresholds = {"price_move": Decimal(0), "band_break": Decimal(0)}
    assert rules.reasons(make_quote(price="200"), (), thresholds) == ()
    assert rules.reasons(make_quote(price="200"), (), {}) == ()
    assert rules.reasons(make_quote(price="200"), (), rules.default_thresholds())[:1] == ("price_move",)


@pytest.mark.parametrize("kind", rules.KINDS.values(), ids=lambda kind: kind.name)
def test_every_kind_has_words_for_mail_and_desk(kind: rules.AlertKind) -> None:
    alert = Alert(kind.name, make_quote(), Decimal("6.20"), Decimal(1), Decimal(1), suspect=("price:far",))
    assert "AAPL" in alert.subject
    assert alert.text.startswith("AAPL")
    assert not set("{}") & set(alert.subject + alert.text)
    assert max(map(len, kind.explanation.splitlines())) <= 72
    assert all((kind.mark, kind.label, kind.event, kind.sent))
    assert rules.words_of_kinds()[kind.name] == {"mark": kind.mark, "label": kind.label, "tone": kind.tone}


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.name)
def test_every_rule_asks_about_figures_that_a_quote_has(rule: rules.Rule) -> None:
    assert rule.needs <= set(FIGURES)
    assert rule.threshold >= 0


def test_a_kind_that_this_version_does_not_know_has_words_too() -> None:
    alert = Alert("flash_crash", make_quote(price="98"), None, None, None)
    assert alert.subject == "[replay] AAPL: flash crash, at $98.00"
    assert alert.severity == "warning"


def test_a_new_rule_needs_an_entry_in_the_rules_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe of CONTRIBUTING.md: from the parameter of the stack to mail and desk."""

    def new_high(quote: Quote, earlier_prices: Sequence[Decimal], threshold: Decimal) -> bool:
        return quote.price >= quote.high - threshold

    rule = rules.Rule(
        name="new_high",
        threshold=Decimal(0),
        needs=frozenset({"price", "high"}),
        holds=new_high,
        mark="High",
        label="reached its day's high",
        event="Reached the day's high{change}",
        sent="reached its day's high",
        subject="{symbol} is at its day's high, {price}",
        explanation="{symbol} has reached the highest price of its day.",
    )
    for module in ("tapeline.market.rules", "tapeline.stream.settings"):
        monkeypatch.setattr(f"{module}.RULES", (*rules.RULES, rule))
    monkeypatch.setitem(rules.KINDS, rule.name, rule)

    set_by_the_stack = {"RULE_THRESHOLDS": '{"new_high": 0.5}'}
    settings = StreamProcessorSettings.from_environment({**ENVIRONMENT, **set_by_the_stack})
    quote = make_quote(price="100")
    observation, _ = observe(None, quote, OPENING, settings.rules)
    assert observation.alerts == ("new_high",)
    assert observe(None, quote, OPENING, Rules())[0].alerts == ()  # its own threshold is 0: off
    alert = Alert("new_high", quote, Decimal("0.00"), None, None)
    assert alert.subject == "[replay] AAPL is at its day's high, $100.00"
    assert rules.words_of_kinds()["new_high"]["mark"] == "High"
    course = Course()
    course.add(Tick(60.0, 100.0, 1, None, None, 1.5, ("new_high",)))
    assert [(mark.kind, mark.label, mark.text) for mark in course.marks()] == [
        ("new_high", "High", "Reached the day's high: +1.50%")
    ]
