from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tapeline.aws.stream_store import reject_to_json
from tapeline.batch import Reject, StreamRecord
from tapeline.redrive import (
    Letter,
    Redrive,
    UnknownLetterError,
    in_order,
    read_letter,
    read_line,
    redrivable,
    tally,
)

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
    assert redrivable([text]) == {}
    assert tally([text], {})[0] == {"unreadable_line": 1}


def test_what_is_a_quote_by_the_rules_of_today_is_redriven_and_conflicts_never_are() -> None:
    now_fine, still_bad = line(payload()), line(payload(price=-1), "negative_price")
    conflict, future = (
        line(payload(), "conflicting_quote"),
        line(payload(at="2026-03-12T15:00:00Z"), "future_timestamp"),
    )
    lines = [now_fine, still_bad, conflict, future]
    moved = redrivable(lines)
    assert list(moved) == [now_fine]  # the future is still judged by the record's own arrival
    reasons, moved_reasons, examples = tally(lines, moved)
    assert reasons == {"unknown_field": 1, "negative_price": 1, "conflicting_quote": 1, "future_timestamp": 1}
    assert moved_reasons == {"unknown_field": 1}
    assert set(examples) == {"negative_price", "conflicting_quote", "future_timestamp"}


def test_quotes_go_in_the_order_of_their_own_times_each_once() -> None:
    quotes = redrivable(
        [
            line(payload("MSFT", "2026-03-12T14:30:00.500Z"), number=1),
            line(payload("AAPL", "2026-03-12T14:30:01Z"), number=2),
            line(payload("AAPL", "2026-03-12T14:29:59Z"), number=3),
            line(payload("AAPL", "2026-03-12T14:29:59Z"), number=4),
        ]
    )
    assert [(quote.symbol, quote.timestamp[17:]) for quote in in_order(quotes.values())] == [
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
    with pytest.raises(UnknownLetterError, match="a batch of the table's stream"):
        read_letter('{"DDBStreamBatchInfo": {"shardId": "x"}}')
    with pytest.raises(UnknownLetterError, match="not understood"):
        read_letter("hello")


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
