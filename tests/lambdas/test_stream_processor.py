"""The stream processor over moto: one test per promise, answers by hand."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tapeline.market import symbol_state
from tapeline.market.alerting.rules import read_rules
from tapeline.market.quotes import Quote
from tapeline.stream import batch
from tapeline.stream.notifications import alerts_from_image

from .deployment import CrashError, Deployment, Faults, make_quote, make_records
from .histories import ARRIVALS

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
    assert list(deployment.lines("raw-data/dt=2026-03-12/")) == [
        f'{quote.to_json()[:-1]}, "shard": "shardId-000000000000", "sequence": "{number + place}"}}'
        for place, quote in ((1, make_quote()), (2, evening))
    ]


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
    previous: dict[str, Any] = {"previous_close": Decimal(90)}
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


def test_a_suspect_price_counts_nowhere_and_is_told_once(deploy: Deploy) -> None:
    deployment = deploy()
    prices = {0: "100", 1: "101", 2: "260", 3: "99", 4: "0", 5: "102"}
    deployment.deliver(make_records([make_quote(minute=minute, price=price) for minute, price in prices.items()]))
    items = [item for _, item in sorted(deployment.items().items())]

    verdicts = [[reason["S"] for reason in item.get("suspect", {"L": []})["L"]] for item in items]
    assert verdicts == [[], [], ["open:far", "high:far", "low:far", "price:far"], [], ["price:zero"], []]
    assert [item["moving_average"].get("N") for item in items] == [
        "100.000000", "100.500000", None, "100.000000", None, "100.500000",
    ]  # fmt: skip
    assert [item["change_percent"].get("N") for item in items] == ["0.00", "1.00", None, "-1.00", None, "2.00"]
    # Minute 4 is suspect again two minutes after the message of minute 2.
    assert deployment.alerts() == {("AAPL", "2026-03-12T13:32:00Z", "suspect")}
    lines = [json.loads(line) for line in sorted(deployment.raw())]
    assert [line.get("suspect", []) for line in lines] == verdicts
    assert not any("confirms" in line for line in lines)


def test_two_more_quotes_near_a_suspect_price_confirm_it(deploy: Deploy) -> None:
    deployment = deploy()
    prices = ["100"] * 20 + ["130", "130.5", "130.65", "131"]
    quotes = [make_quote(minute=number / 6, price=price) for number, price in enumerate(prices)]
    deployment.deliver(make_records(quotes))
    lines = [json.loads(line) for line in sorted(deployment.raw())]
    assert ["price:far" in line.get("suspect", []) for line in lines[20:]] == [True, True, False, False]
    assert [line.get("confirms") for line in lines[20:]] == [None, None, "2026-03-12T13:33:20Z", None]
    items = [item for _, item in sorted(deployment.items().items())]
    # Nineteen of 100 and 130.65; then eighteen of 100, 130.65 and 131.
    assert [item["moving_average"].get("N") for item in items[20:]] == [None, None, "101.532500", "103.082500"]
    kinds = {(time, kind) for _, time, kind in deployment.alerts()}
    assert ("2026-03-12T13:33:20Z", "suspect") in kinds
    assert ("2026-03-12T13:33:40Z", "price_move") in kinds


def test_the_state_bears_what_yesterdays_function_wrote(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.deliver(make_records([make_quote(minute=minute, price=str(100 + minute)) for minute in range(3)]))
    (state,) = deployment.states().values()
    del state["guard"]
    deployment.dynamodb.put_item(TableName=deployment.state_table, Item=state)
    assert deployment.deliver(make_records([make_quote(minute=3, price="103")], first_number=4)) is None
    assert deployment.items()["AAPL", "2026-03-12T13:33:00Z"]["moving_average"] == {"N": "101.500000"}


def correction(minute: int, price: str, revision: int = 1, **fields: Any) -> Quote:
    return make_quote(minute=minute, price=price, source="correction", revision=revision, **fields)


def test_a_higher_revision_takes_the_place_of_the_newest_price_and_corrects_its_alert(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.deliver(make_records([make_quote(minute=0), make_quote(minute=1, price="106")]))
    deployment.deliver(make_records([correction(1, "101")], first_number=3))
    deployment.deliver(make_records([make_quote(minute=2, price="102")], first_number=4))

    corrected = deployment.items()["AAPL", "2026-03-12T13:31:00Z"]
    assert (corrected["price"], corrected["revision"]) == ({"N": "101"}, {"N": "1"})
    assert corrected["moving_average"] == {"N": "100.500000"}
    assert corrected["anomaly"] == {"BOOL": False}
    assert corrected["alerts"] == {"SS": ["correction"]}
    (before,) = [json.loads(text["S"]) for text in corrected["superseded"]["L"]]
    assert (before["price"], before["alerts"]) == ("106", ["price_move"])
    assert deployment.items()["AAPL", "2026-03-12T13:32:00Z"]["moving_average"] == {"N": "101.000000"}
    assert len(deployment.raw()) == 4


def test_a_correction_of_an_older_quote_moves_nothing_and_corrects_its_alert(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.deliver(make_records([make_quote(minute=m, price=p) for m, p in ((0, "106"), (1, "106"), (2, "106"))]))
    states = deployment.states()
    deployment.deliver(make_records([correction(0, "100"), correction(1, "100")], first_number=4))
    assert deployment.states() == states
    items = deployment.items()
    assert items["AAPL", "2026-03-12T13:30:00Z"]["alerts"] == {"SS": ["correction"]}
    assert "alerts" not in items["AAPL", "2026-03-12T13:31:00Z"]
    assert items["AAPL", "2026-03-12T13:31:00Z"]["price"] == {"N": "100"}


def test_a_withdrawn_print_is_out_of_the_average(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.deliver(make_records([make_quote(minute=0), make_quote(minute=1, price="118")]))
    nothing: dict[str, Any] = dict.fromkeys(("open", "high", "low", "previous_close"), Decimal(0))
    deployment.deliver(make_records([correction(1, "0", **nothing, volume=0)], first_number=3))
    deployment.deliver(make_records([make_quote(minute=2, price="101")], first_number=4))
    withdrawn = deployment.items()["AAPL", "2026-03-12T13:31:00Z"]
    assert [reason["S"] for reason in withdrawn["suspect"]["L"]] == ["price:withdrawn", "previous_close:withdrawn"]
    assert deployment.items()["AAPL", "2026-03-12T13:32:00Z"]["moving_average"] == {"N": "100.500000"}


def test_of_equal_revisions_the_first_stands_and_a_lower_one_is_kept_in_the_raw_zone_only(deploy: Deploy) -> None:
    deployment = deploy()
    payloads = [
        make_quote(price="100"),
        correction(0, "101", revision=2),
        correction(0, "102", revision=2),
        correction(0, "103", revision=1),
        make_quote(price="100"),
        make_quote(price="99"),
    ]
    deployment.deliver(make_records(payloads))
    item = deployment.items()["AAPL", "2026-03-12T13:30:00Z"]
    assert (item["price"], item["revision"]) == ({"N": "101"}, {"N": "2"})
    assert sorted(json.loads(line)["price"] for line in deployment.raw()) == [100, 101, 103]
    rejected = [(json.loads(r["payload"])["price"], r["reason"]) for r in deployment.rejects().values()]
    assert sorted(rejected) == [(99, "conflicting_quote"), (102, "conflicting_quote")]


def test_a_record_that_our_code_fails_on_is_kept_and_its_neighbours_go_on(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = deploy()
    real = symbol_state.observe

    def fail_on_nvidia(state: Any, quote: Quote, *arguments: Any) -> Any:
        return dict[str, str]()["NVDA"] if quote.symbol == "NVDA" else real(state, quote, *arguments)

    monkeypatch.setattr(batch, "observe", fail_on_nvidia)
    bad = make_quote("NVDA")
    assert deployment.deliver(make_records([make_quote(), bad, make_quote(minute=1)])) is None
    (reject,) = deployment.rejects().values()
    assert reject["reason"] == "internal_error"
    assert reject["payload"] == bad.to_json()
    assert "KeyError at test_stream_processor.py" in reject["detail"]
    assert len(deployment.items()) == 2

    with pytest.raises(batch.BatchFailedError):  # our own bad release must not reject a day
        deployment.deliver(make_records([make_quote("NVDA"), make_quote("NVDA", minute=1)], first_number=4))
    assert len(deployment.rejects()) == 1


def test_an_unreadable_state_fails_the_batch(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.dynamodb.put_item(TableName=deployment.state_table, Item={"key": {"S": "symbol#AAPL"}})
    with pytest.raises(KeyError):
        deployment.deliver(make_records([make_quote(), make_quote("NVDA")]))


def test_a_quote_revised_without_end_keeps_an_item_that_fits(deploy: Deploy) -> None:
    deployment = deploy()
    payloads = [make_quote(), *(correction(0, f"100.{number:04}", revision=number) for number in range(1, 60))]
    for start in range(0, 60, 20):
        deployment.deliver(make_records(payloads[start : start + 20], first_number=start + 1))
    (item,) = deployment.items().values()
    versions = [json.loads(text["S"])["revision"] for text in item["superseded"]["L"]]
    assert versions == list(range(39, 59))
    assert len(deployment.raw()) == 60


@pytest.mark.parametrize(
    ("ingested_at", "measured"),
    [("2026-03-13T13:29:59Z", True), ("2026-03-12T13:29:59Z", False), ("1970-01-01T00:00:00Z", False)],
)
def test_a_quote_that_was_kept_aside_for_days_says_nothing_of_the_latency(
    deploy: Deploy, capsys: pytest.CaptureFixture[str], ingested_at: str, measured: bool
) -> None:
    deploy().deliver(make_records([make_quote(ingested_at=ingested_at)]))  # it arrives at 2026-03-13T13:30:00.001Z

    assert ("EndToEndLatency" in capsys.readouterr().out) == measured


def test_a_counter_that_begins_anew_is_no_news(deploy: Deploy) -> None:
    deployment = deploy()
    volumes = [5_000_000, 900, 950, 1_000, 1_100]
    deployment.deliver(make_records([make_quote(minute=n, volume=volume) for n, volume in enumerate(volumes)]))
    suspect = ["suspect" in item for _, item in sorted(deployment.items().items())]
    assert suspect == [False, True, True, False, False]
    assert deployment.alerts() == set()


def test_an_overnight_crash_is_told_though_the_price_looked_wrong_a_minute_before(deploy: Deploy) -> None:
    deployment = deploy()
    yesterday = [make_quote(minute=minute) for minute in range(20)]
    today = [make_quote(minute=1440 + n / 2, price=price) for n, price in enumerate(("50", "50.2", "49.9", "50.1"))]
    deployment.deliver(make_records([*yesterday, *today]))
    told = sorted((time, kind) for _, time, kind in deployment.alerts())
    assert told == [("2026-03-13T13:30:00Z", "suspect"), ("2026-03-13T13:31:00Z", "suspect")]
    items = deployment.items()
    assert items["AAPL", "2026-03-13T13:31:00Z"]["suspect"] == {"L": [{"S": "previous_close:far"}]}


def test_what_the_cooldown_holds_back_is_told_after_it(deploy: Deploy) -> None:
    deployment = deploy()
    usual = [make_quote(minute=0), make_quote(minute=1, price="0"), make_quote(minute=2)]
    high = [make_quote(minute=minute, high=Decimal(900)) for minute in range(3, 20)]
    deployment.deliver(make_records([*usual, *high]))
    assert {time for _, time, kind in deployment.alerts() if kind == "suspect"} == {
        "2026-03-12T13:31:00Z",
        "2026-03-12T13:46:00Z",
    }


def test_a_late_quote_of_a_wild_day_is_judged_by_that_days_prices(deploy: Deploy) -> None:
    deployment = deploy()
    prices = {0: "95", 1: "85", 2: "75", 3: "65", 5: "52"}
    deployment.deliver(make_records([make_quote(minute=m, price=p, open=Decimal(95)) for m, p in prices.items()]))
    deployment.deliver(make_records([make_quote(minute=4, price="56", open=Decimal(95))], first_number=9))
    assert "suspect" not in deployment.items()["AAPL", "2026-03-12T13:34:00Z"]


def test_a_second_correction_is_told_too(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.deliver(make_records([make_quote(minute=0), make_quote(minute=1, price="110")]))
    deployment.deliver(make_records([correction(1, "101"), correction(1, "107", revision=2)], first_number=3))
    assert deployment.items()["AAPL", "2026-03-12T13:31:00Z"]["alerts"] == {"SS": ["correction"]}


def test_an_applied_rule_fires_from_its_moment_on_and_its_alert_says_what_it_saw(deploy: Deploy) -> None:
    deployment = deploy()
    rules = read_rules([((), {"rules": [{"name": "hundred", "when": {"level": {"price": 100, "way": "up"}}}]})])
    deployment.apply((ARRIVALS + 0.0025, rules), baselines={})
    prices = ("99", "101", "99", "101")
    assert (
        deployment.deliver(make_records([make_quote(minute=m, price=price) for m, price in enumerate(prices)])) is None
    )
    fired = [item for item in deployment.items().values() if "fired" in item]
    assert [item["timestamp"]["S"] for item in fired] == ["2026-03-12T13:33:00Z"], "the version held from the third on"
    (alert,) = alerts_from_image(fired[0])
    assert alert.subject == "[replay] AAPL rose to $101.00, the level is $100.00"
    assert alert.text.startswith(
        "AAPL rose to $101.00, the level is $100.00.\n\nRule hundred: when a symbol rises to $100.00."
    )
    assert max(map(len, alert.text.splitlines())) <= 72


def test_a_correction_of_a_quote_that_fired_lets_the_rule_fire_again(deploy: Deploy) -> None:
    deployment = deploy()
    rules = [{"name": "jump", "when": {"day_change": {"beyond": 5}}, "cooldown": 600}]
    deployment.apply((0.0, read_rules([((), {"rules": rules})])), baselines={})
    payloads = [
        make_quote(minute=0, price="106"),
        make_quote(minute=0, price="101", revision=1),
        make_quote(minute=1, price="106"),
    ]
    assert deployment.deliver(make_records(payloads)) is None
    assert {(minute, kind) for _, minute, kind in deployment.alerts()} == {
        ("2026-03-12T13:30:00Z", "correction"),
        ("2026-03-12T13:31:00Z", "jump"),
    }
    before = deployment.items()["AAPL", "2026-03-12T13:30:00Z"]["superseded"]["L"][0]["S"]
    assert json.loads(before)["alerts"] == ["jump"]


def test_applied_rules_take_the_place_of_trends_and_anomalies_but_the_figures_stay(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.apply((0.0, read_rules([])), baselines={})
    payloads = [make_quote(minute=minute, price=f"{100 + minute % 9}") for minute in range(60)]
    assert deployment.deliver(make_records(payloads)) is None
    assert deployment.alerts() == set()
    newest = deployment.items()["AAPL", "2026-03-12T14:29:00Z"]
    assert newest["trend"]["S"] in ("up", "down")
    assert any(item["anomaly"]["BOOL"] for item in deployment.items().values())


def test_a_state_with_an_hour_of_minutes_and_twenty_rules_takes_two_write_units(deploy: Deploy) -> None:
    deployment = deploy()
    rules = [{"name": f"rule_{number}", "when": {"level": {"price": 1000 + number}}, "for": 1} for number in range(20)]
    deployment.apply((0.0, read_rules([((), {"rules": rules})])), baselines={})
    walk = random.Random(4)
    payloads = [
        make_quote(minute=minute, price=f"{1000 + walk.random() * 30:.4f}", volume=10**7 + minute * 48_271)
        for minute in range(120)
    ]
    assert deployment.deliver(make_records(payloads)) is None
    state = deployment.states()["symbol#AAPL"]
    size = sum(len(name) + _size(value) for name, value in state.items())
    assert size <= 2 * 1024


def _size(value: dict[str, Any]) -> int:
    """Bytes of a value, about as DynamoDB counts: Developer Guide, "DynamoDB item sizes and formats"."""
    ((kind, content),) = value.items()
    if kind == "L":
        return 3 + sum(1 + _size(entry) for entry in content)
    if kind == "M":
        return 3 + sum(1 + len(name) + _size(entry) for name, entry in content.items())
    return len(content) if kind in ("S", "B", "N") else 1


def test_rules_that_cannot_be_read_let_the_batch_come_again(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.apply((0.0, read_rules([])), baselines={})
    records = make_records([make_quote()])
    faults = Faults(lambda operation: "fail" if operation == "get_object" else None)
    assert deployment.deliver(records, faults) == records[0]["kinesis"]["sequenceNumber"]
    assert deployment.items() == {}
    assert deployment.deliver(records) is None
