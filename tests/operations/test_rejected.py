from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.market.quotes import OPTIONAL_FIELDS, Quote, parse_quote
from tapeline.market.symbol_state import Rules
from tapeline.operations.dead_letters import Letter, UnknownLetterError, pointers, read_letter
from tapeline.operations.rejected import (
    Redrive,
    in_order,
    read_again,
    read_line,
    refusals,
)
from tapeline.stream import batch
from tapeline.stream.batch import Reject, Remembered, Stored, StreamRecord, plan_batch
from tapeline.stream.store import reject_to_json

ARRIVED = datetime(2026, 3, 12, 14, 30, 1, tzinfo=UTC)


def payload(symbol: str = "AAPL", at: str = "2026-03-12T14:30:00Z", **changes: Any) -> bytes:
    fields = {
        "symbol": symbol,
        "timestamp": at,
        "open": 99.0,
        "high": 101.0,
        "low": 98.0,
        "price": 100.0,
        "previous_close": 97.0,
        "volume": 1000,
        "source": "yahoo",
        "ingested_at": at,
    }
    return json.dumps(fields | changes).encode()


def line(data: bytes, reason: str = "unknown_field", number: int = 1) -> str:
    record = StreamRecord("shardId-000000000000", number, "AAPL", ARRIVED, data)
    return reject_to_json(Reject(record, reason, "as it was judged then"))


def test_a_rejected_line_is_read_as_it_was_written() -> None:
    for data in (b'{"symbol": ', b"\xff\xfe binary", "Grüße".encode()):
        kept = read_line(line(data, "not_json", 49590338271490256608559692538361571095921575989136588898))
        assert kept is not None
        assert (kept.reason, kept.record.data, kept.record.arrived_at) == ("not_json", data, ARRIVED)
        assert kept.record.sequence_number == 49590338271490256608559692538361571095921575989136588898


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"payload": 1}', '{"payload_base64": "*"}'])
def test_a_line_that_is_none_stays_where_it_is(text: str) -> None:
    assert read_line(text) is None


def record(data: bytes, number: int = 1) -> StreamRecord:
    return StreamRecord("shardId-000000000000", number, "AAPL", ARRIVED, data)


def refused(datas: list[bytes], stored: tuple[bytes, ...] = (), fields: tuple[str, ...] = OPTIONAL_FIELDS) -> list[str]:
    """Why the stream would refuse each of these records, in their order; nothing for one that it takes."""
    known = [parse_quote(data, ARRIVED) for data in stored]
    plan = plan_batch([record(data) for data in stored], lambda _: Remembered({}), lambda _: {}, Rules())
    states = {step.symbol: step.state for step in plan.steps}
    table = {(quote.symbol, quote.timestamp): Stored(quote) for quote in known}
    read = [read_again(record(data, number)) for number, data in enumerate(datas)]
    quotes = [(record(data), quote) for data, quote in zip(datas, read, strict=True) if isinstance(quote, Quote)]
    judged = refusals(quotes, lambda _: Remembered(states), lambda _: table, Rules(), fields)
    reasons = iter([judged[at].reason if at in judged else "" for at in range(len(quotes))])
    return [one.reason if isinstance(one, Reject) else next(reasons) for one in read]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (payload(), ""),
        (payload(price=-1), "negative_price"),
        (payload(at="2026-03-12T15:00:00Z"), "future_timestamp"),  # by the record's own arrival, not by today's clock
        (payload(at="0001-01-01T00:00:00Z"), "bad_timestamp"),
        (payload(price=1e12, previous_close=1e-13), ""),  # both stopped their shard once
        (payload(previous_close=1e-30), ""),
        (payload(previous_close=0), ""),
        (payload(bid=1), "unknown_field"),
        (b"{oops", "not_json"),
    ],
)
def test_a_record_is_judged_as_the_stream_judges_it(data: bytes, reason: str) -> None:
    assert refused([data]) == [reason]


def test_what_the_stream_has_with_other_figures_stays_and_what_it_has_alike_goes() -> None:
    stored = (payload(),)
    assert refused([payload(price=101), payload(), payload(price=101, revision=1)], stored) == [
        "conflicting_quote",
        "",
        "",
    ]
    assert refused([payload(price=101)]) == [""]


def test_of_two_that_contradict_each_other_the_first_goes() -> None:
    assert refused([payload(price=101), payload(price=102), payload(price=101)]) == ["", "conflicting_quote", ""]


def test_what_the_deployment_does_not_take_yet_stays() -> None:
    assert refused([payload(doubt="price: odd"), payload("MSFT")], fields=("revision",)) == ["unknown_field", ""]


def test_a_fault_of_our_own_keeps_everything_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise ArithmeticError("no")

    monkeypatch.setattr(batch, "observe", fail)
    assert refused([payload(), payload("MSFT")]) == ["internal_error", "internal_error"]


def test_quotes_go_in_the_order_of_their_own_times_each_once() -> None:
    datas = [
        payload("MSFT", "2026-03-12T14:30:00.500Z"),
        payload("AAPL", "2026-03-12T14:30:01Z"),
        payload("AAPL", "2026-03-12T14:29:59Z"),
        payload("AAPL", "2026-03-12T14:29:59Z"),
    ]
    assert [
        (quote.symbol, quote.timestamp[17:]) for quote in in_order(parse_quote(data, ARRIVED) for data in datas)
    ] == [
        ("AAPL", "59Z"),
        ("MSFT", "00.500Z"),
        ("AAPL", "01Z"),
    ]


LETTER = {
    "requestContext": {"condition": "RetryAttemptsExhausted", "approximateInvokeCount": 11},
    "KinesisBatchInfo": {
        "shardId": "shardId-000000000001",
        "startSequenceNumber": "495903382714902566085596925383615710959215759891365888980",
        "endSequenceNumber": "495903382714902566085596925383615710959215759891365888989",
        "batchSize": 10,
        "streamArn": "arn:aws:kinesis:us-east-2:123456789012:stream/mystream",
    },
}


def test_a_dead_letter_names_its_batch() -> None:
    assert read_letter(json.dumps(LETTER)) == Letter(
        "shardId-000000000001",
        "495903382714902566085596925383615710959215759891365888980",
        "495903382714902566085596925383615710959215759891365888989",
        10,
        "RetryAttemptsExhausted",
    )


def test_other_messages_are_told_apart() -> None:
    with pytest.raises(UnknownLetterError, match="a batch of the table's stream, without its records"):
        read_letter(json.dumps({"DDBStreamBatchInfo": LETTER["KinesisBatchInfo"]}))
    with pytest.raises(UnknownLetterError, match="not understood"):
        read_letter("hello")


PAYLOADS = {
    "KinesisBatchInfo": {
        "kinesis": {
            "partitionKey": "AAPL",
            "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
            "data": "e30=",
            "approximateArrivalTimestamp": 1773325801.123,
        },
        "eventSource": "aws:kinesis",
    },
    "DDBStreamBatchInfo": {"dynamodb": {"SequenceNumber": "800000000003126276362"}, "eventSource": "aws:dynamodb"},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["e30=", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document, by the keys that lead there."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(place for key, part in inner for place in places(part, (*way, key)))]


def with_changed(value: Any, way: tuple[Any, ...], other: Any) -> Any:
    if not way:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[way[0]] = with_changed(value[way[0]], way[1:], other)
    return copy


@given(st.sampled_from(sorted(PAYLOADS)), st.booleans(), st.data())
def test_a_batch_with_any_part_changed_is_read_or_refused_with_a_reason(
    kind: str, as_text: bool, data: st.DataObject
) -> None:
    payload: Any = {"Records": [PAYLOADS[kind]]}
    whole = {kind: {**LETTER["KinesisBatchInfo"], "batchSize": 1}, "requestContext": {}, "payload": payload}
    changed = with_changed(whole, data.draw(st.sampled_from(places(whole))), data.draw(JSON))
    if as_text and isinstance(changed, dict) and "payload" in changed:
        changed = {**changed, "payload": json.dumps(changed["payload"])}
    body = json.dumps(changed)
    assert pointers(body) is None
    try:
        letter = read_letter(body)
    except UnknownLetterError as error:
        assert str(error)
    else:
        assert letter.events is None or len(letter.events) == letter.records


@given(st.data())
def test_a_message_with_any_part_changed_points_to_texts_or_to_nothing(data: st.DataObject) -> None:
    entry = {"s3": {"bucket": {"name": "lake"}, "object": {"key": "aws/lambda/a+b%C3%A9"}}}
    whole = {"Records": [entry, entry]}
    assert pointers(json.dumps(whole)) == [("lake", "aws/lambda/a b\u00e9")] * 2
    changed = with_changed(whole, data.draw(st.sampled_from(places(whole))), data.draw(JSON))
    found = pointers(json.dumps(changed))
    assert found is None or (found and all(isinstance(part, str) for place in found for part in place))


@pytest.mark.parametrize("body", ["[" * 100_000, '{"Records":' * 50_000])
def test_a_document_that_is_nested_too_deep_is_refused(body: str) -> None:
    assert pointers(body) is None
    with pytest.raises(UnknownLetterError, match="not understood"):
        read_letter(body)


def test_a_summary_says_what_would_be_done_by_reason() -> None:
    told = Redrive(
        dry_run=True,
        rejected={"not_json": 3, "unknown_field": 2},
        redriven={"unknown_field": 2},
        examples={"not_json": ("{oops",)},
        letters=((Letter("shardId-000000000001", "5", "9", 4, "RetryAttemptsExhausted"), "would be redriven"),),
        letter_quotes=3,
        letter_rejects=1,
    )
    assert told.summary == (
        "Rejected records: 5, of which 2 are quotes now and would go on the stream again.\n"
        "  not_json: 3, quotes now: 0\n"
        "    stays: {oops\n"
        "  unknown_field: 2, quotes now: 2\n"
        "Dead letters: 1; 3 of their records would go on the stream again, 1 would be kept as rejected, 0 are lost.\n"
        "  shardId-000000000001 from 5: 4 records, RetryAttemptsExhausted: would be redriven"
    )
