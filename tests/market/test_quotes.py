"""Reading a quote: a value, or one named error with a reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.market.quotes import Quote, QuoteRejectedError, parse_quote

ARRIVED_AT = datetime(2026, 3, 12, 14, 30, 1, tzinfo=UTC)
GOOD = {
    "symbol": "BRK-B",
    "timestamp": "2026-03-12T14:30:00Z",
    "open": 480.5,
    "high": 482,
    "low": 479.25,
    "price": 481.005,
    "previous_close": 478.9,
    "volume": 1203400,
    "source": "yahoo",
    "ingested_at": "2026-03-12T14:30:00.512Z",
}


def parse(**changes: object) -> Quote:
    return parse_quote(json.dumps({**GOOD, **changes}).encode(), ARRIVED_AT)


def test_a_good_record_becomes_a_quote_with_exact_numbers() -> None:
    quote = parse()
    assert quote.price == Decimal("481.005")
    assert quote.high == Decimal(482)
    assert quote.volume == 1203400
    assert quote.time == datetime(2026, 3, 12, 14, 30, tzinfo=UTC)


def test_a_quote_survives_the_way_to_json_and_back() -> None:
    quote = parse(price=100.10, open=1e-7)
    assert parse_quote(quote.to_json().encode(), ARRIVED_AT) == quote


@pytest.mark.parametrize(
    ("words", "start"),
    [("gzip", b"\x1f\x8b"), ("AggregationEnabled", b"\xf3\x89\x9a\xc2"), ("byte order mark", b"\xef\xbb\xbf")],
)
def test_a_wrapped_record_is_told_what_it_is_wrapped_in(words: str, start: bytes) -> None:
    with pytest.raises(QuoteRejectedError, match=f"not_json: .*{words}"):
        parse_quote(start + json.dumps(GOOD).encode(), ARRIVED_AT)


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("unknown_field", {"bid": 1}),
        ("wrong_type", {"price": "481"}),
        ("wrong_type", {"price": True}),
        ("wrong_type", {"price": None}),
        ("wrong_type", {"volume": 1.5}),
        ("wrong_type", {"symbol": 5}),
        ("wrong_type", {"timestamp": 1773325800}),
        ("negative_price", {"low": -0.01}),
        ("negative_volume", {"volume": -1}),
        ("out_of_range", {"price": 1e300}),
        ("out_of_range", {"volume": 2**63}),
        ("bad_timestamp", {"timestamp": "2026-03-12 14:30:00"}),
        ("bad_timestamp", {"timestamp": "2026-03-12T14:30:00+00:00"}),
        ("bad_timestamp", {"timestamp": "2026-02-30T14:30:00Z"}),
        ("bad_timestamp", {"ingested_at": "yesterday"}),
        ("future_timestamp", {"timestamp": "2026-03-12T14:35:02Z"}),
        ("bad_symbol", {"symbol": "<script>"}),
        ("bad_symbol", {"symbol": ""}),
        ("bad_symbol", {"symbol": "aapl"}),
        ("bad_source", {"source": "Yahoo!"}),
        ("bad_timestamp", {"timestamp": "0001-01-01T00:00:00Z"}),
        ("bad_timestamp", {"timestamp": "1969-12-31T23:59:59Z"}),
        ("bad_timestamp", {"timestamp": "٢٠٢٦-03-12T14:30:00Z"}),
        ("bad_timestamp", {"ingested_at": "0001-01-01T00:00:00Z"}),
        ("future_timestamp", {"ingested_at": "9999-12-31T23:59:59Z"}),
        ("wrong_type", {"revision": True}),
        ("wrong_type", {"revision": 1.5}),
        ("out_of_range", {"revision": -1}),
        ("out_of_range", {"revision": 10**9 + 1}),
        ("wrong_type", {"doubt": 1}),
        ("bad_doubt", {"doubt": "a\x1b[2J"}),
        ("bad_doubt", {"doubt": "\u202e"}),
        ("bad_doubt", {"doubt": "\ud800"}),
        ("bad_doubt", {"doubt": "x" * 301}),
    ],
)
def test_a_bad_field_is_refused_with_its_reason(reason: str, changes: dict[str, object]) -> None:
    with pytest.raises(QuoteRejectedError) as refused:
        parse(**changes)
    assert refused.value.reason == reason


def test_optional_fields_are_read_and_written_only_where_they_say_something() -> None:
    quote = parse(revision=2, doubt="previous_close: no bar of 2026-03-11; volume: half of what it was; a second look")
    assert (quote.revision, quote.doubted_figures) == (2, ("previous_close", "volume"))
    assert parse_quote(quote.to_json().encode(), ARRIVED_AT) == quote
    assert parse(revision=0, doubt="") == parse()
    assert "revision" not in parse().to_json()


@pytest.mark.parametrize("zero", [b"-0", b"0E+9999", b"0e-9999", b"-0.00"])
def test_any_zero_is_plain_zero(zero: bytes) -> None:
    quote = parse_quote(json.dumps(GOOD).encode().replace(b"481.005", zero), ARRIVED_AT)
    assert str(quote.price) == "0"


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_field_is_named(name: str) -> None:
    record = {key: value for key, value in GOOD.items() if key != name}
    with pytest.raises(QuoteRejectedError, match=f"missing {name}$") as refused:
        parse_quote(json.dumps(record).encode(), ARRIVED_AT)
    assert refused.value.reason == "missing_field"


@pytest.mark.parametrize(
    ("reason", "payload"),
    [
        ("not_json", b""),
        ("not_json", b"\xff\xfe\x00"),
        ("not_json", b"{"),
        ("not_json", b"[" * 8000),
        ("not_an_object", b"[]"),
        ("not_an_object", b"7"),
        ("not_finite", json.dumps({**GOOD, "price": float("nan")}).encode()),
        ("not_finite", json.dumps({**GOOD, "price": float("-inf")}).encode()),
        ("out_of_range", json.dumps(GOOD).replace("481.005", "1e999999").encode()),
        ("out_of_range", json.dumps(GOOD).replace("481.005", "1e-99").encode()),
        ("too_precise", json.dumps(GOOD).replace("481.005", "4" * 39).encode()),
        ("repeated_field", json.dumps(GOOD).replace('"price"', '"open"').encode()),
        ("too_long", json.dumps({**GOOD, "symbol": "A" * 9000}).encode()),
    ],
)
def test_a_bad_payload_is_refused_with_its_reason(reason: str, payload: bytes) -> None:
    with pytest.raises(QuoteRejectedError) as refused:
        parse_quote(payload, ARRIVED_AT)
    assert refused.value.reason == reason


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.one_of(st.binary(max_size=500), json_values.map(lambda value: json.dumps(value).encode())))
def test_any_bytes_are_a_quote_or_one_named_error(payload: bytes) -> None:
    try:
        parse_quote(payload, ARRIVED_AT)
    except QuoteRejectedError as refused:
        assert refused.reason
        assert len(refused.detail) < 1000


@given(name=st.sampled_from(sorted(GOOD)), value=json_values)
def test_any_value_in_any_field_is_a_quote_or_one_named_error(name: str, value: object) -> None:
    try:
        quote = parse(**{name: value})
    except QuoteRejectedError as refused:
        assert refused.reason
    else:
        assert parse_quote(quote.to_json().encode(), ARRIVED_AT) == quote
