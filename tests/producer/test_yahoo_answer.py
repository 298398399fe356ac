"""What is read out of Yahoo's answers: captured ones, and one of each kind of gap that people have reported.

The expected figures are written down by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.sources.yahoo.answer import UnusableAnswerError, read_answer
from tapeline.market.quotes import Quote
from tests.producer.market_data_server import new_york

Answer = dict[str, Any]
Columns = dict[str, list[float | None]]

# Monday 2026-08-31, eleven o'clock. Yahoo's daily bars had no Friday the 28th then (yfinance #2964).
DAYS = ("2026-08-25", "2026-08-26", "2026-08-27", "2026-08-28", "2026-08-31")
CLOSES = (7600.0, 7650.0, 7300.0, 7711.76, 7725.0)


def answer(
    *,
    without: tuple[str, ...] = (),
    closes: tuple[float | None, ...] = CLOSES,
    days: tuple[str, ...] = DAYS,
    **about: Any,
) -> Answer:
    """Return an index's answer of that Monday; `without` names days whose bar is missing."""
    rows = [(day, close) for day, close in zip(days, closes, strict=True) if day not in without]
    columns: Columns = {name: [close for _, close in rows] for name in ("open", "high", "low", "close")}
    columns["volume"] = [1000 for _ in rows]
    times = [int(new_york(f"{day} 09:30").timestamp()) for day, _ in rows]
    meta = {
        "symbol": "^GSPC",
        "currency": "USD",
        "instrumentType": "INDEX",
        "exchangeName": "SNP",
        "fullExchangeName": "SNP",
        "exchangeTimezoneName": "America/New_York",
        "gmtoffset": -14400,
        "regularMarketTime": int(new_york("2026-08-31 11:00").timestamp()),
        "regularMarketPrice": 7725.0,
        "regularMarketDayHigh": 7730.0,
        "regularMarketDayLow": 7700.0,
        "regularMarketVolume": 2000,
        "chartPreviousClose": 7590.5,
        "priceHint": 2,
    }
    quote = {"meta": {**meta, **about}, "timestamp": times, "indicators": {"quote": [columns]}}
    return {"chart": {"result": [quote], "error": None}}


def read(found: Any) -> Quote:
    """Return the quote of an answer."""
    return read_answer(found, "^GSPC", "2026-08-31T15:00:00.000Z")[0]


def split(found: Answer, day: str, numerator: float, denominator: float) -> Answer:
    """Add a split to an answer."""
    event = {"date": int(new_york(f"{day} 09:30").timestamp()), "numerator": numerator, "denominator": denominator}
    found["chart"]["result"][0]["events"] = {"splits": {"1": event}}
    return found


def nvidia(**about: Any) -> Answer:
    """Return NVIDIA's answer on the day of its 10:1 split, the days before not adjusted yet."""
    closes = (1150.0, 1164.4, 1210.0, 1208.88, 121.79)
    figures: dict[str, Any] = {
        "regularMarketPrice": 121.79,
        "regularMarketDayHigh": 123.1,
        "regularMarketDayLow": 117.0,
    }
    return split(answer(closes=closes, instrumentType="EQUITY", **figures, **about), "2026-08-31", 10, 1)


FRIDAY_MISSING = "previous_close: the daily bar of 2026-08-28 is missing, 7300.0 is of 2026-08-27"

# What Yahoo says, the previous close that comes of it, and the doubt.
PREVIOUS_CLOSES: dict[str, tuple[Answer, str, str]] = {
    "the bar of the session before": (answer(), "7711.76", ""),
    "and Yahoo's own change agrees": (answer(regularMarketChangePercent=0.1717), "7711.76", ""),
    "though rounded": (answer(regularMarketChangePercent=0.17), "7711.76", ""),
    "Yahoo's own change disagrees": (
        answer(regularMarketChangePercent=5.82),
        "7711.76",
        "previous_close: the daily bar of 2026-08-28 closes at 7711.76, the change that Yahoo states means 7300.13",
    ),
    "the bar is missing": (answer(without=("2026-08-28",)), "7300.0", FRIDAY_MISSING),
    "the bar is empty": (answer(closes=(*CLOSES[:3], None, 7725.0)), "7300.0", FRIDAY_MISSING),
    "the bar is zero": (answer(closes=(*CLOSES[:3], 0.0, 7725.0)), "7300.0", FRIDAY_MISSING),
    "the bar is missing, the change is there": (
        answer(without=("2026-08-28",), regularMarketChangePercent=0.17168766870805823),
        "7711.76",
        "",
    ),
    "the bar is almost nothing": (answer(closes=(*CLOSES[:3], 1.4e-45, 7725.0)), "7300.0", FRIDAY_MISSING),
    "the bar is beyond all prices": (answer(closes=(*CLOSES[:3], 3.4e38, 7725.0)), "7300.0", FRIDAY_MISSING),
    "only today's bar": (
        answer(without=DAYS[:4]),
        "7590.5",
        "previous_close: the daily bar of 2026-08-28 is missing, 7590.5 is of a day unsaid",
    ),
    "the first day of a listing": (
        answer(without=DAYS[:4], chartPreviousClose=None),
        "0",
        "previous_close: Yahoo states none, as on the first day of a listing",
    ),
    "a half day and a holiday between": (
        answer(
            days=("2026-11-24", "2026-11-25", "2026-11-27", "2026-11-30", "2026-12-01"),
            regularMarketTime=int(new_york("2026-11-30 09:31").timestamp()),
        ),
        "7300.0",
        "",
    ),
    "before the open, with Friday's price": (
        answer(without=("2026-08-31",), regularMarketTime=int(new_york("2026-08-28 16:00").timestamp())),
        "7300.0",
        "",
    ),
    "a split that the bars have": (
        split(answer(), "2026-08-31", 10, 1),
        "7711.76",
        "",
    ),
    "a split that the bars do not have yet": (
        nvidia(),
        "120.888",
        "previous_close: the daily bar of 2026-08-28 closes at 1208.88, not adjusted for today's split of 10 for 1",
    ),
    "the same, and Yahoo's change has it": (nvidia(regularMarketChangePercent=0.746), "120.888", ""),
    "a split of days ago": (split(answer(), "2026-08-27", 10, 1), "7711.76", ""),
    "after a crash the change's two decimals mean less": (
        answer(closes=(*CLOSES[:3], 60.07, 3.0), regularMarketPrice=3.0, regularMarketChangePercent=-95.01),
        "60.07",
        "",
    ),
    "after a crash too the change may disagree": (
        answer(closes=(*CLOSES[:3], 60.07, 3.0), regularMarketPrice=3.0, regularMarketChangePercent=-94.0),
        "60.07",
        "previous_close: the daily bar of 2026-08-28 closes at 60.07, the change that Yahoo states means 50.00",
    ),
    "a change that means more than any price": (answer(regularMarketChangePercent=-99.99999999999999), "7711.76", ""),
    "a change of no figure": (answer(regularMarketChangePercent=float("nan")), "7711.76", ""),
    "elsewhere New York's calendar says nothing": (
        answer(without=("2026-08-28",), exchangeTimezoneName="Europe/Berlin", regularMarketChangePercent=0.17),
        "7300.0",
        "",
    ),
    "a future of New York too": (answer(without=("2026-08-28",), instrumentType="FUTURE"), "7300.0", ""),
}


@pytest.mark.parametrize("case", PREVIOUS_CLOSES)
def test_previous_close_is_the_previous_sessions_or_doubted(case: str) -> None:
    found, previous_close, doubt = PREVIOUS_CLOSES[case]
    quote = read(found)
    assert (f"{quote.previous_close:f}", quote.doubt) == (previous_close, doubt)


def without_bars(found: Answer) -> Answer:
    del found["chart"]["result"][0]["timestamp"]
    found["chart"]["result"][0]["indicators"] = {"quote": [{}]}
    return found


def nothing_but(*names: str) -> Callable[[Answer], Answer]:
    def cut(found: Answer) -> Answer:
        columns = found["chart"]["result"][0]["indicators"]["quote"][0]
        found["chart"]["result"][0]["indicators"]["quote"] = [{name: columns[name] for name in names}]
        return found

    return cut


NO_DAY: dict[str, Any] = dict.fromkeys(("regularMarketDayHigh", "regularMarketDayLow", "regularMarketVolume"))

# What is missing, and open, high, low and volume that are left.
GAPS: dict[str, tuple[Answer, tuple[str, str, str, int]]] = {
    "nothing": (answer(), ("7725.0", "7730.0", "7700.0", 2000)),
    "today's bar": (answer(without=("2026-08-31",)), ("0", "7730.0", "7700.0", 2000)),
    "today's bar is empty": (answer(closes=(*CLOSES[:4], None)), ("0", "7730.0", "7700.0", 2000)),
    "the day's figures beside the bars": (answer(**NO_DAY), ("7725.0", "7725.0", "7725.0", 1000)),
    "both": (answer(without=("2026-08-31",), **NO_DAY), ("0", "0", "0", 0)),
    "all bars": (without_bars(answer(**NO_DAY)), ("0", "0", "0", 0)),
    "all columns but the closes": (nothing_but("close")(answer(**NO_DAY)), ("0", "0", "0", 0)),
    "a volume that is no number": (answer(regularMarketVolume=float("nan")), ("7725.0", "7730.0", "7700.0", 1000)),
    "a volume below 0": (answer(regularMarketVolume=-1), ("7725.0", "7730.0", "7700.0", 1000)),
    "a high beyond all prices": (answer(regularMarketDayHigh=1e300), ("7725.0", "7725.0", "7700.0", 2000)),
    "a high that is text": (answer(regularMarketDayHigh="7730"), ("7725.0", "7725.0", "7700.0", 2000)),
}


@pytest.mark.parametrize("missing", GAPS)
def test_a_figure_that_is_missing_is_zero_and_silences_nothing(missing: str) -> None:
    found, expected = GAPS[missing]
    quote = read(found)
    assert (f"{quote.open:f}", f"{quote.high:f}", f"{quote.low:f}", quote.volume) == expected
    assert quote.price == 7725


@pytest.mark.parametrize("price", [7731.25, 7699.0, 0.0])
def test_the_days_high_and_low_stay_what_yahoo_said_whatever_the_price(price: float) -> None:
    quote = read(answer(regularMarketPrice=price))
    assert [quote.price, quote.high, quote.low] == [Decimal(str(price)), 7730, 7700]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (answer(regularMarketPrice=None), "Yahoo left out the price"),
        (answer(regularMarketPrice="7725"), "Yahoo left out the price"),
        (answer(regularMarketTime=None), "Yahoo left out the time of the price"),
        (answer(regularMarketTime=1e30), "Yahoo states a time that is none, 1e\\+30"),
        (answer(regularMarketTime=0), "Yahoo states a time of 1969-12-31: the calendar of XNYS reaches from"),
        (answer(regularMarketTime=-62135578800), "Yahoo states a time of 0001-01-01"),
        (answer(exchangeTimezoneName=None), "Yahoo names no time zone of the exchange that is known"),
        (answer(exchangeTimezoneName="../../etc"), "Yahoo names no time zone of the exchange that is known"),
        (answer(regularMarketPrice=-37.63), "Yahoo's price is -37.63: negative prices are not supported"),
        (answer(closes=(*CLOSES[:3], -1.0, 7725.0)), "Yahoo's previous close is -1.0: negative prices are not"),
        ({"chart": {"result": None, "error": {"code": "x\x1b[31m"}}}, "Yahoo has no prices: x \\[31m"),
        ({"quoteSummary": {}}, "Yahoo's answer is no chart"),
        (
            {"finance": {"result": None, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}},
            "Yahoo has no prices: Invalid Crumb",
        ),
        ({"chart": {"result": [{}], "error": None}}, "Yahoo's answer holds no quote"),
        ([], "Yahoo's answer is no chart"),
    ],
)
def test_an_answer_without_a_price_and_its_time_says_what_is_missing(found: Any, words: str) -> None:
    with pytest.raises(UnusableAnswerError, match=words):
        read(found)


def test_a_bar_on_the_last_day_there_is_counts_as_missing() -> None:
    found = answer(exchangeTimezoneName="UTC")
    found["chart"]["result"][0]["timestamp"][0] = 253402293600  # 9999-12-31 22:00
    assert read(found).price == 7725


# As public repositories keep them, captured in 2026; bars of days that do not matter are cut.
HONG_KONG = """{"chart":{"result":[{"meta":{"currency":"HKD","symbol":"0700.HK","exchangeName":"HKG","fullExchangeName":
"HKSE","instrumentType":"EQUITY","regularMarketTime":1786090091,"exchangeTimezoneName":"Asia/Hong_Kong",
"regularMarketPrice":478.8,"regularMarketDayHigh":483.2,"regularMarketDayLow":475.4,"regularMarketVolume":16320039,
"chartPreviousClose":475.2,"priceHint":3},"timestamp":[1785893400,1785979800,1786066200],"indicators":{"quote":[{
"high":[497.79998779296875,491.0,483.20001220703125],"open":[493.3999938964844,491.0,479.0],"low":[482.20001220703125,
479.0,475.3999938964844],"volume":[25662478,21801977,16320039],"close":[492.20001220703125,479.20001220703125,
478.79998779296875]}]}}],"error":null}}"""
APPLE = """{"chart":{"result":[{"meta":{"currency":"USD","symbol":"AAPL","exchangeName":"NMS","instrumentType":"EQUITY",
"regularMarketTime":1791208756,"exchangeTimezoneName":"America/New_York","regularMarketPrice":333.825,
"regularMarketChangePercent":0.04,"regularMarketDayHigh":336.19,"regularMarketDayLow":331.65,
"regularMarketVolume":3988528,"chartPreviousClose":319.97,"priceHint":2},"timestamp":[1790688600,1790947800,1791207000],
"indicators":{"quote":[{"open":[336.9700012207031,330.32,332.7950134277344],"volume":[38478000,1,3988528],"high":[
337.0899963378906,334.0,336.19000244140625],"low":[328.70001220703125,330.0,331.6499938964844],"close":[
329.3999938964844,333.69000244140625,333.82501220703125]}]}}],"error":null}}"""
FIDELITY_FUND = """{"chart":{"error":null,"result":[{"meta":{"symbol":"FXAIX","currency":"USD","instrumentType":
"MUTUALFUND","exchangeName":"NAS","exchangeTimezoneName":"America/New_York","regularMarketPrice":267.17,
"regularMarketTime":1790726907,"chartPreviousClose":267.62003,"priceHint":2},"timestamp":[1790726907],"indicators":{
"quote":[{"close":[267.17]}]}}]}}"""
VANGUARD_FUND = """{"chart":{"result":[{"meta":{"symbol":"VTSAX","currency":"USD","exchangeName":"NAS","instrumentType":
"MUTUALFUND","regularMarketTime":1790726918,"exchangeTimezoneName":"America/New_York","regularMarketPrice":182.65,
"chartPreviousClose":185.57},"timestamp":[1790726918],"indicators":{"quote":[{}]}}],"error":null}}"""
NOT_DATED = "previous_close: the daily bar of 2026-09-28 is missing, {} is of a day unsaid"


@pytest.mark.parametrize(
    ("captured", "expected"),
    [
        (HONG_KONG, ("2026-08-07T08:08:11", "479.0", "483.2", "475.4", "478.8", "479.2", 16320039, "")),
        (APPLE, ("2026-10-05T13:59:16", "332.795", "336.19", "331.65", "333.825", "333.69", 3988528, "")),
        (
            FIDELITY_FUND,
            ("2026-09-30T00:08:27", "0", "0", "0", "267.17", "267.62003", 0, NOT_DATED.format("267.62003")),
        ),
        (VANGUARD_FUND, ("2026-09-30T00:08:38", "0", "0", "0", "182.65", "185.57", 0, NOT_DATED.format("185.57"))),
    ],
    ids=["0700.HK", "AAPL", "FXAIX", "VTSAX"],
)
def test_captured_answers_are_read_as_a_person_reads_them(captured: str, expected: tuple[Any, ...]) -> None:
    quote = read(json.loads(captured))
    assert plain(quote) == expected


def plain(quote: Quote) -> tuple[Any, ...]:
    names = ("open", "high", "low", "price", "previous_close")
    return (
        quote.time.replace(tzinfo=None).isoformat(),
        *(f"{getattr(quote, name):f}" for name in names),
        quote.volume,
        quote.doubt,
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        *("regularMarketTime", "regularMarketPrice", "regularMarketDayHigh", "regularMarketVolume", "priceHint"),
        *("regularMarketChangePercent", "chartPreviousClose", "currentTradingPeriod", "exchangeTimezoneName"),
        *("instrumentType", "fullExchangeName"),
    ]
)


@given(about=st.dictionaries(NAMES, JSON), bars=JSON, times=JSON, events=JSON, cell=JSON)
def test_whatever_an_answer_holds_is_read_or_refused_in_words(
    about: dict[str, Any], bars: Any, times: Any, events: Any, cell: Any
) -> None:
    whole = answer(**about, closes=(*CLOSES[:3], cell, cell))
    odd = answer(**about)
    odd["chart"]["result"][0] |= {"timestamp": times, "indicators": bars, "events": {"splits": {"1": events}}}
    for found in (whole, odd):
        try:
            quote = read(found)
        except UnusableAnswerError as error:
            assert str(error).isprintable()
        else:
            assert quote.price.is_finite()
            assert quote.doubt.isprintable()
            assert len(quote.doubt) <= 300
