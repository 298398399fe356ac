from __future__ import annotations

import dataclasses
import json
import logging
import random
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from tapeline.market.quotes import FIELD_NAMES
from tapeline.stream.outbox import MAX_CALL_BYTES, Outbox
from tapeline.stream.pump import run
from tapeline.stream.source import Counters
from tapeline.stream.writer import KinesisWriter, StreamRefusedError
from tests.producer.builders import QUOTE, FakeKinesis, FakeTime, FixedSource, quote

THROTTLED = "ProvisionedThroughputExceededException"


def writer_to(client: Any, stream: str = "quotes", **settings: Any) -> KinesisWriter:
    return KinesisWriter(client, stream, Counters(), **{"first_pause_seconds": 0.0, "linger_seconds": 0.0} | settings)


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "as told"}}, "PutRecords")


def numbers_by_symbol(records: list[dict[str, Any]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for record in records:
        found.setdefault(record["PartitionKey"], []).append(json.loads(record["Data"])["volume"])
    return found


# What a deployment takes, and what is sent of a quote with doubt, a revision, no high and a low.
TAKEN: dict[tuple[str, ...], dict[str, object]] = {
    (): {"high": 0, "low": 0},
    ("doubt",): {"high": 0, "low": 257.45, "doubt": "price: odd"},
    ("revision",): {"high": 0, "low": 257.45, "revision": 2},
    ("revision", "doubt"): {"high": 0, "low": 257.45, "revision": 2, "doubt": "price: odd"},
}


@pytest.mark.parametrize("taken", TAKEN)
def test_a_quote_is_sent_as_the_deployment_takes_it(taken: tuple[str, ...]) -> None:
    kinesis = FakeKinesis()
    writer = writer_to(kinesis, optional_fields=lambda: taken)
    writer.put(dataclasses.replace(QUOTE, doubt="price: odd", revision=2, high=Decimal(0)), FakeTime())
    writer.close()
    sent = json.loads(kinesis.accepted[0]["Data"])
    base = {name: json.loads(QUOTE.to_json())[name] for name in FIELD_NAMES}
    assert sent == {**base, **TAKEN[taken]}


def test_what_a_deployment_takes_may_change_between_two_quotes() -> None:
    taken: set[str] = set()
    kinesis = FakeKinesis()
    writer = writer_to(kinesis, optional_fields=lambda: taken)
    writer.put(dataclasses.replace(QUOTE, doubt="price: odd"), FakeTime())
    taken.add("doubt")
    writer.put(dataclasses.replace(QUOTE, doubt="price: odd"), FakeTime())
    writer.close()
    assert ["doubt" in json.loads(record["Data"]) for record in kinesis.accepted] == [False, True]


# A failure per attempt of a record, then success: what the records of a call meet, whatever the batches.
fates = st.lists(st.sampled_from([None, THROTTLED, "InternalFailure"]), max_size=60)
calls = st.lists(st.sampled_from(["answered", "throttled", "unreachable", "answer lost"]), max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    symbols=st.lists(st.sampled_from(["AAPL", "MSFT", "KO", "SPY"]), max_size=60),
    fates=fates,
    calls=calls,
    capacity=st.integers(1, 20),
)
def test_whatever_fails_all_quotes_arrive_in_order_per_symbol(
    symbols: list[str], fates: list[str | None], calls: list[str], capacity: int
) -> None:
    given_fates, given_calls = iter(fates), iter(calls)
    lost_answers = 0

    def fate(record: dict[str, Any]) -> str | None:
        return next(given_fates, None)

    class Kinesis(FakeKinesis):
        def put_records(self, **request: Any) -> dict[str, Any]:
            nonlocal lost_answers
            match next(given_calls, "answered"):
                case "throttled":
                    raise error("ThrottlingException")
                case "unreachable":
                    raise EndpointConnectionError(endpoint_url="http://127.0.0.1")
                case "answer lost":
                    lost_answers += 1
                    super().put_records(**request)
                    raise error("InternalFailure")
            return super().put_records(**request)

    kinesis = Kinesis(fate)
    sent = [quote(symbol, number) for number, symbol in enumerate(symbols)]
    counts = run(FixedSource(sent), writer_to(kinesis, capacity=capacity), stop=threading.Event())

    assert (counts.read, counts.sent, counts.rejected, counts.waiting) == (len(sent), len(sent), 0, 0)
    expected: dict[str, list[int]] = {}
    for each in sent:
        expected.setdefault(each.symbol, []).append(each.volume)
    arrived = numbers_by_symbol(kinesis.accepted)
    if not lost_answers:
        assert arrived == expected
    # A lost answer makes a repeat, never a gap or a step back: each new number is the next one.
    for symbol, arrivals in arrived.items():
        assert list(dict.fromkeys(arrivals)) == expected[symbol]
        assert arrivals == sorted(arrivals)
    for call in kinesis.calls:
        assert len({record["PartitionKey"] for record in call}) == len(call)


def test_symbols_share_a_call_and_a_call_holds_at_most_500() -> None:
    kinesis = FakeKinesis()
    source = FixedSource(quote(f"S{number}", number) for number in range(1100))
    counts = run(source, writer_to(kinesis, linger_seconds=5.0, capacity=2000), stop=threading.Event())
    assert counts.sent == 1100
    assert max(len(call) for call in kinesis.calls) == 500


def test_a_call_stays_under_five_mebibytes() -> None:
    outbox = Outbox(0, 0, 0, random.Random(1))
    for number in range(12):
        outbox.add(f"S{number:02d}", b"x" * (500_000 - 3), now=0.0)
    taken = outbox.take(now=0.0)
    assert len(taken) == 10  # 10 * 500,000 = 5,000,000 bytes; an eleventh would pass 5 * 1024 * 1024 = 5,242,880
    assert sum(entry.size for entry in taken) <= MAX_CALL_BYTES


def test_a_failed_symbol_rests_twice_as_long_each_time_while_others_go_on() -> None:
    outbox = Outbox(linger_seconds=0, first_pause_seconds=1.0, longest_pause_seconds=4.0, randomness=random.Random(1))
    outbox.add("AAPL", b"1", now=0.0)
    outbox.add("AAPL", b"2", now=0.0)
    outbox.add("KO", b"3", now=0.0)
    now, pauses = 0.0, []
    for _ in range(5):
        entry = next(entry for entry in outbox.take(now) if entry.symbol == "AAPL")
        assert entry.data == b"1"
        outbox.failed(entry, now)
        assert [other.symbol for other in outbox.take(now)] == ["KO"]
        assert outbox.due(now, hurry=True) <= now  # KO can go at once
        pauses.append(outbox._not_before["AAPL"] - now)
        now = outbox._not_before["AAPL"]
    longest = [1.0, 2.0, 4.0, 4.0, 4.0]
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, longest, strict=True))


def test_a_quote_waits_a_moment_for_company_but_not_when_its_symbol_has_more() -> None:
    outbox = Outbox(linger_seconds=0.2, first_pause_seconds=1, longest_pause_seconds=1, randomness=random.Random(1))
    outbox.add("AAPL", b"1", now=10.0)
    outbox.add("KO", b"2", now=10.1)
    assert outbox.due(10.1, hurry=False) == pytest.approx(10.2)
    assert outbox.due(10.1, hurry=True) == 10.1
    outbox.add("AAPL", b"3", now=10.1)
    assert outbox.due(10.1, hurry=False) == 10.1


def test_only_what_failed_is_sent_again() -> None:
    fates = iter([None, THROTTLED, None])
    kinesis = FakeKinesis(lambda record: next(fates, None))
    writer = writer_to(kinesis, linger_seconds=5.0)
    counts = run(FixedSource([quote("AAPL", 1), quote("KO", 2), quote("SPY", 3)]), writer, stop=threading.Event())
    assert [[record["PartitionKey"] for record in call] for call in kinesis.calls] == [["AAPL", "KO", "SPY"], ["KO"]]
    assert (counts.sent, counts.retried) == (3, 1)


@pytest.mark.parametrize("code", ["ValidationException", "InvalidArgumentException"])
def test_a_record_that_spoils_its_call_is_found_and_rejected_and_the_others_go(
    code: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Picky(FakeKinesis):
        def put_records(self, **request: Any) -> dict[str, Any]:
            if any(record["PartitionKey"] == "BAD" for record in request["Records"]):
                raise error(code)
            return super().put_records(**request)

    kinesis = Picky()
    source = FixedSource([quote("AAPL", 1), quote("BAD", 2), quote("KO", 3), quote("SPY", 4), quote("AAPL", 5)])
    counts = run(source, writer_to(kinesis), stop=threading.Event())
    assert (counts.sent, counts.rejected, counts.waiting) == (4, 1, 0)
    assert numbers_by_symbol(kinesis.accepted) == {"AAPL": [1, 5], "KO": [3], "SPY": [4]}
    assert "Rejected a quote of BAD" in caplog.text


@pytest.mark.parametrize("symbol", ["", "X" * 257, "X" * (1024**2)])
def test_a_record_beyond_the_limits_is_rejected_without_a_call(symbol: str, caplog: pytest.LogCaptureFixture) -> None:
    kinesis = FakeKinesis()
    counts = run(FixedSource([quote(symbol, 1)]), writer_to(kinesis), stop=threading.Event())
    assert (counts.rejected, counts.sent, kinesis.calls) == (1, 0, [])
    assert "has 1 to 256 characters" in caplog.text


@pytest.mark.parametrize(
    ("trouble", "advice"),
    [
        (error("ResourceNotFoundException"), "tapeline deploy"),
        (error("AccessDeniedException"), "ProducerPolicyArn"),
        (error("UnrecognizedClientException"), "ProducerPolicyArn"),
        (NoCredentialsError(), "ProducerPolicyArn"),
    ],
)
def test_a_stream_that_will_never_take_anything_ends_the_run_with_advice(trouble: Exception, advice: str) -> None:
    def refuse(_: int) -> None:
        raise trouble

    with pytest.raises(StreamRefusedError, match=advice):
        run(FixedSource([quote("AAPL", 1)]), writer_to(FakeKinesis(before=refuse)), stop=threading.Event())


def test_a_stream_that_vanishes_for_a_while_is_waited_for() -> None:
    def vanish(call: int) -> None:
        if 2 <= call <= 4:
            raise error("ResourceNotFoundException")

    kinesis = FakeKinesis(before=vanish)
    counts = run(FixedSource(quote("AAPL", n) for n in range(5)), writer_to(kinesis), stop=threading.Event())
    assert counts.sent == 5


def test_a_stream_that_stays_away_is_given_up_after_the_patience() -> None:
    time = FakeTime()

    def vanish(call: int) -> None:
        if call > 1:
            time.now += 25
            raise error("ResourceNotFoundException")

    writer = writer_to(FakeKinesis(before=vanish), clock=time.clock, patience_seconds=60)
    with pytest.raises(StreamRefusedError, match="tapeline deploy"):
        run(FixedSource([quote("AAPL", 1), quote("AAPL", 2)]), writer, stop=threading.Event())


def test_throttling_is_said_every_half_minute_not_every_time(caplog: pytest.LogCaptureFixture) -> None:
    time = FakeTime()

    def throttle(call: int) -> None:
        time.now += 1
        if call <= 40:
            raise error("ThrottlingException")

    writer = writer_to(FakeKinesis(before=throttle), clock=time.clock)
    with caplog.at_level(logging.WARNING):
        counts = run(FixedSource([quote("AAPL", 1)]), writer, stop=threading.Event())
    assert (counts.sent, counts.retried) == (1, 40)
    said = [record for record in caplog.records if "throttling" in record.getMessage()]
    assert len(said) == 2  # in the first second and after thirty more


def test_a_slow_stream_holds_the_source_back() -> None:
    capacity, total = 4, 50
    read, changed = [0], threading.Condition()
    held_at_calls: list[int] = []

    class Slow(FakeKinesis):
        def put_records(self, **request: Any) -> dict[str, Any]:
            """Answer only when the source has come as far as it can: four held, one at the door."""
            with changed:
                as_far_as_it_can = min(total, len(self.accepted) + capacity + 1)
                assert changed.wait_for(lambda: read[0] >= as_far_as_it_can, timeout=20)
                held_at_calls.append(read[0] - len(self.accepted))
            return super().put_records(**request)

    class Counting(FixedSource):
        def quotes(self, counters: Counters, stop: Any) -> Iterator[Any]:
            for each in super().quotes(counters, stop):
                with changed:
                    read[0] += 1
                    changed.notify_all()
                yield each

    source = Counting(quote("AAPL", number) for number in range(total))
    assert run(source, writer_to(Slow(), capacity=capacity), stop=threading.Event()).sent == total
    assert max(held_at_calls) == capacity + 1


def test_a_stop_sends_what_is_held_and_tells_what_could_not_be_sent(caplog: pytest.LogCaptureFixture) -> None:
    blocked = threading.Event()

    def block(call: int) -> None:
        if call == 2:
            blocked.wait(10)

    kinesis = FakeKinesis(before=block)
    stop = threading.Event()
    writer = writer_to(kinesis)
    for number in range(5):
        writer.put(quote("AAPL", number), stop)
    stop.set()
    assert writer.close(timeout_seconds=0.05) == 4
    assert "Could not send 4 quotes" in caplog.text
    blocked.set()
    assert writer.close(timeout_seconds=10) == 0
    assert numbers_by_symbol(kinesis.accepted) == {"AAPL": [0, 1, 2, 3, 4]}


def test_a_stream_name_kinesis_cannot_have_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        writer_to(FakeKinesis(), "my stream")


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.mark.usefixtures("aws")
def test_records_reach_a_real_client_with_the_symbol_as_partition_key(monkeypatch: pytest.MonkeyPatch) -> None:
    client = boto3.client("kinesis", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    client.create_stream(StreamName="quotes", ShardCount=1)
    sent = [quote("AAPL", 1), quote("KO", 2), quote("AAPL", 3)]
    counts = run(FixedSource(sent), writer_to(client), stop=threading.Event())
    assert counts.sent == 3
    shard = client.list_shards(StreamName="quotes")["Shards"][0]["ShardId"]
    iterator = client.get_shard_iterator(StreamName="quotes", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = client.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    assert sorted((record["PartitionKey"], record["Data"].decode()) for record in records) == sorted(
        (each.symbol, each.to_json()) for each in sent
    )


@pytest.mark.usefixtures("aws")
def test_a_missing_stream_is_named_with_what_to_do() -> None:
    client = boto3.client("kinesis", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with pytest.raises(StreamRefusedError, match=r"no stream quotes in us-east-1: deploy the stack"):
        run(FixedSource([quote("AAPL", 1)]), writer_to(client), stop=threading.Event())
