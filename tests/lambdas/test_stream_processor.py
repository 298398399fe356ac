"""The stream processor over moto: one test per promise, answers by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal

import pytest

from .deployment import CrashError, Deployment, Faults, make_quote, make_records

Deploy = Callable[[], Deployment]


def nth(operation: str, number: int, fate: str) -> Faults:
    """Let the nth call of an operation meet a fate."""
    seen = 0

    def choose(name: str) -> str | None:
        nonlocal seen
        seen += name == operation
        return fate if name == operation and seen == number else None

    return Faults(choose)


def test_an_item_has_the_fields_of_the_contract_in_exact_decimals(deploy: Deploy) -> None:
    deployment = deploy()
    quote = make_quote(
        price="103.455", open=Decimal("101.10"), high=Decimal("104"), low=Decimal("100.5"), volume=123456
    )
    deployment.deliver(make_records([quote]))

    assert deployment.items() == {
        ("AAPL", "2026-03-12T13:30:00Z"): {
            "symbol": {"S": "AAPL"},
            "timestamp": {"S": "2026-03-12T13:30:00Z"},
            "open": {"N": "101.10"},
            "high": {"N": "104"},
            "low": {"N": "100.5"},
            "price": {"N": "103.455"},
            "previous_close": {"N": "100"},
            "volume": {"N": "123456"},
            "change": {"N": "3.455"},
            "change_percent": {"N": "3.46"},
            "moving_average": {"N": "103.455000"},
            "moving_average_5": {"N": "103.455000"},
            "anomaly": {"BOOL": False},
            "anomaly_reasons": {"L": []},
            "source": {"S": "replay"},
            "ingested_at": {"S": "2026-03-12T13:30:00Z"},
            # arrival 2026-03-13T13:30:00.001Z plus 30 days
            "expires_at": {"N": "1776000600"},
        }
    }


def test_a_batch_becomes_one_object_per_trading_date_named_by_its_first_quote(deploy: Deploy) -> None:
    deployment = deploy()
    evening = make_quote(minute=14 * 60)  # 03:30 UTC of the 13th is 23:30 of the 12th in New York
    next_day = make_quote(minute=15 * 60)
    deployment.deliver(make_records([make_quote(), evening, next_day]))

    number = 49 * 10**54
    assert deployment.keys("raw-data/") == [
        f"raw-data/dt=2026-03-12/2026-03-12T13-30-00Z-shardId-000000000000-{number + 1}.json.gz",
        f"raw-data/dt=2026-03-13/2026-03-13T04-30-00Z-shardId-000000000000-{number + 3}.json.gz",
    ]
    assert list(deployment.lines("raw-data/dt=2026-03-12/")) == [make_quote().to_json(), evening.to_json()]


def test_a_late_quote_is_stored_and_moves_nothing(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.deliver(make_records([make_quote(minute=0), make_quote(minute=5, price="102")]))
    states = deployment.states()
    deployment.deliver(make_records([make_quote(minute=3, price="120")], first_number=3))

    late = deployment.items()["AAPL", "2026-03-12T13:33:00Z"]
    assert late["late"] == {"BOOL": True}
    assert late["moving_average"] == {"NULL": True}
    assert late["anomaly"] == {"BOOL": True}
    assert "alerts" not in late
    assert deployment.states() == states
    assert len(deployment.raw()) == 3


def test_the_same_quote_sent_twice_changes_nothing(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.deliver(make_records([make_quote(), make_quote(minute=1, price="101")]))
    before = deployment.content()
    deployment.deliver(make_records([make_quote(ingested_at="2026-03-12T13:45:00Z")], first_number=3))
    assert deployment.content() == before


def test_another_price_for_a_stored_quote_is_kept_among_the_rejects(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.deliver(make_records([make_quote(price="100"), make_quote(price="101")]))
    (reject,) = deployment.rejects().values()
    assert reject["reason"] == "conflicting_quote"
    assert "price 100 then 101" in reject["detail"]
    assert json.loads(reject["payload"])["price"] == 101
    assert deployment.items()["AAPL", "2026-03-12T13:30:00Z"]["price"] == {"N": "100"}
    assert len(deployment.raw()) == 1


def test_bad_records_are_kept_as_received_and_their_neighbours_go_on(deploy: Deploy) -> None:
    deployment = deploy()
    assert deployment.deliver(make_records([b"\xff\xfe", make_quote(), b"not json"])) is None
    rejects = sorted(deployment.rejects().values(), key=lambda reject: reject["sequence_number"])
    assert [reject["reason"] for reject in rejects] == ["not_json", "not_json"]
    assert rejects[0]["payload_base64"] == "//4="
    assert rejects[1]["payload"] == "not json"
    assert rejects[1]["shard_id"] == "shardId-000000000000"
    assert rejects[1]["sequence_number"] == str(49 * 10**54 + 3)
    assert len(deployment.items()) == 1


def test_an_anomaly_raises_one_alert_on_entry_and_another_only_after_leaving_and_the_cooldown(deploy: Deploy) -> None:
    deployment = deploy()
    prices = {0: "104", 1: "105.01", 2: "106", 3: "104", 4: "106", 20: "104", 21: "94", 22: "93"}
    deployment.deliver(make_records([make_quote(minute=minute, price=price) for minute, price in prices.items()]))
    # Minute 4 enters again 3 minutes after the alert of minute 1; minute 21 enters 20 minutes after it.
    assert deployment.alerts() == {
        ("AAPL", "2026-03-12T13:31:00Z", "price_move"),
        ("AAPL", "2026-03-12T13:51:00Z", "price_move"),
    }


def test_a_change_of_exactly_five_per_cent_is_no_anomaly(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.deliver(make_records([make_quote(price="105"), make_quote("NVDA", price="105.004")]))
    assert [item["anomaly"]["BOOL"] for item in deployment.items().values()] == [False, False]


def test_a_trend_crosses_once_and_never_in_warm_up(deploy: Deploy) -> None:
    deployment = deploy()
    # Falling for 24 minutes, then rising by 1 a minute. Four times the sum of the last five against that of the last
    # twenty: minute 31 has 79..83 (1620) and 88..76, 77..83 (1626); minute 32 80..84 (1640) and 87..76, 77..84 (1622).
    prices = [100 - minute for minute in range(25)] + [77 + minute for minute in range(15)]
    previous = {"previous_close": Decimal(90)}
    quotes = [make_quote(minute=m, price=str(price), **previous) for m, price in enumerate(prices)]
    deployment.deliver(make_records(quotes))
    trend_alerts = {alert for alert in deployment.alerts() if alert[2].startswith("trend_")}
    assert trend_alerts == {("AAPL", "2026-03-12T14:02:00Z", "trend_up")}


def test_a_failed_chunk_is_reported_by_its_first_number_and_the_averages_are_right_after_the_retry(
    deploy: Deploy,
) -> None:
    reference, subject = deploy(), deploy()
    records = make_records([make_quote(minute=minute, price=str(100 + minute % 7)) for minute in range(60)])
    reference.deliver(records)

    failed = subject.deliver(records, nth("batch_write_item", 2, "fail"))
    assert failed == records[25]["kinesis"]["sequenceNumber"]
    assert subject.deliver(records[25:]) is None
    assert subject.content() == reference.content()


def test_items_left_unprocessed_until_time_runs_out_are_delivered_again(deploy: Deploy) -> None:
    deployment = deploy()
    records = make_records([make_quote(minute=minute) for minute in range(10)])
    always_half = Faults(lambda operation: "half")
    assert deployment.deliver(records, always_half, seconds=5.0) == records[0]["kinesis"]["sequenceNumber"]
    assert deployment.deliver(records) is None
    assert len(deployment.items()) == 10


@pytest.mark.parametrize("operation", ["batch_get_item", "put_object", "batch_write_item"])
def test_a_failing_dependency_stops_the_batch_at_its_first_record(deploy: Deploy, operation: str) -> None:
    deployment = deploy()
    records = make_records([make_quote(), make_quote(minute=1)])
    first = records[0]["kinesis"]["sequenceNumber"]
    assert deployment.deliver(records, nth(operation, 1, "fail")) == first


def test_a_crash_before_the_states_does_not_shrink_the_raw_object(deploy: Deploy) -> None:
    deployment = deploy()
    records = make_records([make_quote(minute=1), make_quote(minute=0, price="99"), make_quote(minute=2)])
    with pytest.raises(CrashError):
        deployment.deliver(records, nth("batch_write_item", 2, "crash"))
    deployment.deliver(records)
    assert len(deployment.raw()) == 3


def test_a_crash_between_raw_zone_and_items_loses_no_late_line(deploy: Deploy) -> None:
    deployment = deploy()
    records = make_records([make_quote(minute=1), make_quote(minute=0, price="99")])
    with pytest.raises(CrashError):
        deployment.deliver(records, nth("put_object", 1, "crash"))
    deployment.deliver(records)
    assert len(deployment.raw()) == 2


def test_five_hundred_quotes_over_fifty_symbols_take_at_most_thirty_calls(deploy: Deploy) -> None:
    deployment = deploy()
    quotes = [make_quote(f"S{number % 50}", minute=number // 50) for number in range(500)]
    faults = Faults()
    deployment.deliver(make_records(quotes), faults)
    # One read of 50 states, one object, 20 writes of 25 items, 2 writes of 25 states.
    assert faults.calls == 24


def test_a_failure_is_reported_by_the_sequence_number_as_it_was_written(deploy: Deploy) -> None:
    records = make_records([make_quote(minute=0), make_quote(minute=1)])
    for number, record in enumerate(records, 1):
        record["kinesis"]["sequenceNumber"] = f"{number:056}"

    reported = deploy().deliver(records, Faults(lambda operation: "fail" if operation == "put_object" else None))

    assert reported == records[0]["kinesis"]["sequenceNumber"]
