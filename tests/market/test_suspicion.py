"""Which figures are believed: a table of cases, one figure wrong at a time, and what confirms one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tapeline.market.quotes import Quote, write_timestamp
from tapeline.market.suspicion import NO_LIMITS, Limits, QuoteVerdict, SymbolMemory, judge_quote

OPENING = datetime(2026, 3, 12, 13, 30, tzinfo=UTC)
LIMITS = Limits()
HUNDREDS = (Decimal(100),) * 20
TODAY = SymbolMemory("2026-03-12", Decimal(98), Decimal(103), volume=2_000_000, usual_volume=50_000_000)


def quote(price: str = "101", *, seconds: float = 0, **fields: Any) -> Quote:
    usual: dict[str, Any] = {"open": "100", "high": "103", "low": "98", "price": price, "previous_close": "99.5"}
    values: dict[str, Any] = {name: Decimal(fields.pop(name, figure)) for name, figure in usual.items()}
    moment = write_timestamp(OPENING + timedelta(seconds=seconds))
    values |= {"volume": 2_100_000, "source": "yahoo", "ingested_at": moment} | fields
    return Quote(symbol="AAPL", timestamp=moment, **values)


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({}, ()),
        ({"price": "124"}, ()),  # 24 % up: 100 is over 80 % of it
        ({"price": "126"}, ("price:far",)),
        ({"price": "80.1"}, ()),
        ({"price": "79.4"}, ("price:far",)),
        ({"price": "0"}, ("price:zero",)),
        ({"price": "0.00000001"}, ("price:far",)),
        ({"price": "1000000000000"}, ("price:far",)),
        ({"price": "10100"}, ("price:far",)),  # pence for pounds
        ({"open": "10000"}, ("open:far",)),
        ({"open": "0"}, ()),  # says nothing
        ({"high": "130"}, ("high:far",)),
        ({"high": "102"}, ()),  # below one that was seen, and no matter
        ({"low": "0.01"}, ("low:far",)),
        ({"high": "99", "low": "100"}, ("high:below_low", "low:above_high")),
        ({"high": "0", "low": "98"}, ()),
        ({"previous_close": "0"}, ("previous_close:zero",)),
        ({"previous_close": "1e-30"}, ("previous_close:far",)),
        ({"previous_close": "1000"}, ("previous_close:far",)),
        ({"previous_close": "56"}, ()),  # 80 % up by prices that were seen: news
        ({"volume": 9223372036854775807}, ("volume:far",)),
        ({"volume": 5_000_000_001}, ("volume:far",)),
        ({"volume": 5_000_000_000}, ()),
        ({"volume": 19_999}, ("volume:fell",)),
        ({"volume": 0}, ()),
        ({"doubt": "previous_close: no bar of 2026-03-11"}, ("previous_close:doubted",)),
        ({"doubt": "price: odd; volume: half"}, ("price:doubted", "volume:doubted")),
        ({"doubt": "a remark about the price: odd"}, ()),
        (
            {"price": "0", "revision": 1, "open": "0", "high": "0", "low": "0", "previous_close": "0", "volume": 0},
            ("price:withdrawn", "previous_close:withdrawn"),
        ),
    ],
)
def test_each_figure_is_judged_by_itself(fields: dict[str, Any], reasons: tuple[str, ...]) -> None:
    verdict = judge_quote(quote(**fields), HUNDREDS, TODAY, LIMITS)
    assert verdict.reasons == reasons
    assert not verdict.new_scale


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({}, ()),
        ({"price": "150"}, ("price:far",)),  # outside its own day
        ({"price": "1e12", "high": "1e12"}, ("high:far", "price:far")),
        ({"price": "67", "low": "66"}, ()),  # a crash by a third, within its own day
        ({"previous_close": "1e-9"}, ("previous_close:far",)),
        ({"open": "98", "previous_close": "1208"}, ("previous_close:far",)),  # a split that nobody told of
        ({"open": "0", "high": "0", "low": "0"}, ()),
        ({"price": "0"}, ("price:zero",)),
        (
            {"price": "0", "previous_close": "0", "open": "0", "low": "0"},
            ("high:far", "price:zero", "previous_close:zero"),
        ),
    ],
)  # fmt: skip
def test_the_first_quote_of_a_symbol_is_judged_by_its_own_figures(
    fields: dict[str, Any], reasons: tuple[str, ...]
) -> None:
    assert judge_quote(quote(**fields), (), SymbolMemory(), LIMITS).reasons == reasons


def run(*prices: tuple[float, str], before: tuple[Decimal, ...] = HUNDREDS, **fields: Any) -> list[QuoteVerdict]:
    memory, verdicts = TODAY, []
    for seconds, price in prices:
        verdict = judge_quote(quote(price, seconds=seconds, **fields), before, memory, LIMITS)
        memory = verdict.memory
        if "price" not in verdict.figures:
            before = (*(() if verdict.new_scale else before), Decimal(price))
        verdicts.append(verdict)
    return verdicts


def believed(verdicts: list[QuoteVerdict]) -> list[bool]:
    return ["price" not in verdict.figures for verdict in verdicts]


@pytest.mark.parametrize(
    ("prices", "wanted"),
    [
        ([(0, "130"), (30, "130.65"), (60, "129.35")], [False, False, True]),  # two more within 0.5 %
        ([(0, "130"), (30, "130.66"), (60, "129.34"), (90, "130")], [False, False, False, False]),
        ([(0, "130"), (120, "130.6")], [False, True]),  # one after two minutes
        ([(0, "130"), (119, "130")], [False, False]),
        ([(0, "130"), (30, "100"), (60, "130"), (90, "130")], [False, True, False, False]),  # a print between
        ([(0, "130"), (30, "300"), (60, "130"), (90, "130"), (120, "130")], [False, False, False, False, True]),
        ([(0, "75"), (60, "73"), (120, "71")], [False, False, True]),  # goes on falling
        ([(0, "75"), (60, "73"), (119, "71")], [False, False, False]),
    ],
)
def test_later_quotes_confirm_a_price(prices: list[tuple[float, str]], wanted: list[bool]) -> None:
    verdicts = run(*prices)
    assert believed(verdicts) == wanted
    assert {verdict.confirms for verdict in verdicts} <= {"", write_timestamp(OPENING), "2026-03-12T13:31:00Z"}
    assert [bool(verdict.confirms) for verdict in verdicts] == [
        now and number > 0 and not wanted[number - 1] and price[1] != "100"
        for number, (now, price) in enumerate(zip(wanted, prices, strict=True))
    ]


def test_a_jump_that_the_previous_close_has_made_is_a_split() -> None:
    split = quote("10.1", open="10", high="10.3", low="9.8", previous_close="9.95")
    verdict = judge_quote(split, HUNDREDS, SymbolMemory("2026-03-11", Decimal(98), Decimal(103), 2_000_000), LIMITS)
    assert (verdict.reasons, verdict.new_scale) == ((), True)


def test_an_unadjusted_split_leaves_the_previous_close_suspect_all_day_and_starts_a_new_scale() -> None:
    day: dict[str, Any] = {"open": "10", "high": "10.3", "low": "9.8"}
    verdicts = run(*((number * 30, "10.1") for number in range(4)), **day)
    assert believed(verdicts) == [False, False, True, True]
    assert verdicts[2].new_scale
    assert [verdict.reasons for verdict in verdicts[2:]] == [("previous_close:far",)] * 2


def test_a_true_jump_within_the_session_keeps_the_days_other_figures() -> None:
    verdicts = run((0, "210"), (30, "211"), (60, "210.5"), (90, "212"), high="212")
    assert believed(verdicts) == [False, False, True, True]
    assert not verdicts[2].new_scale
    assert [verdict.reasons for verdict in verdicts[2:]] == [(), ()]


def test_a_quote_of_another_symbol_in_mid_session_is_no_split() -> None:
    foreign = quote("500", open="497", high="505", low="492", previous_close="495")
    verdict = judge_quote(foreign, HUNDREDS, TODAY, LIMITS)
    assert {"price", "previous_close"} <= verdict.figures
    assert judge_quote(quote("101", seconds=30), HUNDREDS, verdict.memory, LIMITS).reasons == ()


def test_a_fall_and_its_recovery_within_the_day_are_believed() -> None:
    low = SymbolMemory("2026-03-12", Decimal(60), Decimal(100))
    back = judge_quote(quote("95", high="100", low="60", previous_close="100"), (Decimal(70),) * 20, low, LIMITS)
    assert (back.reasons, back.new_scale) == ((), False)


def test_an_overnight_gap_that_stays_near_the_old_prices_starts_no_new_scale() -> None:
    gap = quote("126", open="126", high="127", low="125", previous_close="110")
    yesterday = SymbolMemory("2026-03-11", Decimal(98), Decimal(103), 2_000_000)
    verdict = judge_quote(gap, HUNDREDS, yesterday, LIMITS)
    assert (verdict.reasons, verdict.new_scale) == ((), False)


def test_a_run_does_not_last_over_the_night() -> None:
    verdicts = run((0, "150"), (86400, "150.5"), open="0", high="0", low="0")
    assert believed(verdicts) == [False, False]


def test_one_tick_of_a_price_in_fractions_of_a_cent_is_near() -> None:
    cheap: dict[str, Any] = dict.fromkeys(("open", "high", "low", "previous_close"), "0.0003")
    assert judge_quote(quote("0.0004", **cheap), (Decimal("0.0003"),) * 20, SymbolMemory(), LIMITS).reasons == ()
    far = judge_quote(quote("0.0009", **cheap), (Decimal("0.0003"),) * 20, SymbolMemory(), LIMITS)
    assert far.reasons == ("price:far",)


def test_a_price_that_comes_near_a_days_high_makes_it_believed() -> None:
    first = judge_quote(quote("101", high="140"), HUNDREDS, TODAY, LIMITS)
    assert first.reasons == ("high:far",)
    assert judge_quote(quote("119", seconds=30, high="140"), HUNDREDS, first.memory, LIMITS).reasons == ()


def test_a_volume_that_goes_on_from_where_it_jumped_is_believed() -> None:
    memory, found = TODAY, []
    for number, volume in enumerate((6_000_000_000, 6_010_000_000, 6_020_000_000, 6_030_000_000)):
        verdict = judge_quote(quote(seconds=number * 30, volume=volume), HUNDREDS, memory, LIMITS)
        memory = verdict.memory
        found.append(verdict.reasons)
    assert found == [("volume:far",), ("volume:far",), (), ()]


def test_a_new_date_forgets_the_days_range_and_keeps_what_is_usual() -> None:
    next_day = judge_quote(quote("101", seconds=86400, volume=90_000_000), HUNDREDS, TODAY, LIMITS)
    assert next_day.reasons == ()
    assert (next_day.memory.day, next_day.memory.usual_volume) == ("2026-03-13", 2_000_000)


@pytest.mark.parametrize("name", ["price_percent", "change_percent", "volume_times"])
def test_a_limit_of_zero_is_off(name: str) -> None:
    odd = quote("300", open="300", high="300", low="300", previous_close="100", volume=6_000_000_000)
    verdict = judge_quote(odd, HUNDREDS, TODAY, replace(NO_LIMITS, **{name: getattr(LIMITS, name)}))
    figure = {"price_percent": "price", "change_percent": "previous_close", "volume_times": "volume"}[name]
    assert (figure in verdict.figures) == (name != "change_percent")
    assert judge_quote(odd, HUNDREDS, TODAY, NO_LIMITS).reasons == ()
