"""`reconcile` over moto's stream, tables and bucket, filled by the domain's own code and then tampered with."""

from __future__ import annotations

import gzip
import itertools
from datetime import UTC, datetime, timedelta

from tapeline.market.quotes import Quote, write_timestamp
from tapeline.market.symbol_state import Observation, Rules, observe
from tapeline.operations.reconcile import Reconciliation
from tapeline.stream import items

from .stream import RETENTION, LocalDeployment, make_quote


def differences(result: Reconciliation) -> dict[str, int]:
    return {difference.name: difference.count for difference in result.differences}


def test_what_was_delivered_agrees_with_repeats_conflicts_and_rejects_counted_apart(
    deployment: LocalDeployment,
) -> None:
    deployment.put(
        *(make_quote(symbol, minute) for symbol, minute in itertools.product(("AAPL", "MSFT", "KO"), range(5))),
        make_quote("AAPL", 2),  # sent twice
        make_quote("MSFT", 2, price="101"),  # the same minute with another price
        b"{no json",
        b'{"symbol": "AAPL"}',
    )
    deployment.deliver()

    result = deployment.reconcile()

    assert result.agrees
    assert result.counts.accepted_records == 19
    assert result.counts.accepted_quotes == 17
    assert result.counts.accepted_keys == 15
    assert result.counts.refused_records == 2
    assert result.counts.stored_quotes == result.counts.raw_quotes == 15
    assert result.counts.rejected == {"conflicting_quote": 1, "missing_field": 1, "not_json": 1}


def test_numbers_written_in_another_form_are_the_same_figures(deployment: LocalDeployment) -> None:
    deployment.put(make_quote(price="100.50"))
    deployment.deliver()
    key = {"symbol": {"S": "AAPL"}, "timestamp": {"S": "2026-03-12T13:30:00Z"}}
    deployment.dynamodb.update_item(
        TableName="data",
        Key=key,
        UpdateExpression="SET price = :p",
        ExpressionAttributeValues={":p": {"N": "100.500"}},
    )

    assert deployment.reconcile().agrees


def test_an_item_that_vanished_from_dynamodb_is_named(deployment: LocalDeployment) -> None:
    deployment.put(*(make_quote(minute=minute) for minute in range(5)))
    deployment.deliver()
    key = {"symbol": {"S": "AAPL"}, "timestamp": {"S": "2026-03-12T13:32:00Z"}}
    deployment.dynamodb.delete_item(TableName="data", Key=key)

    result = deployment.reconcile()

    assert differences(result) == {"accepted_but_not_stored": 1, "in_raw_zone_but_not_stored": 1}
    assert result.differences[0].examples == ["AAPL 2026-03-12T13:32:00Z"]
    assert not result.waiting_for


def test_a_changed_price_is_a_difference_though_the_counts_agree(deployment: LocalDeployment) -> None:
    deployment.put(make_quote())
    deployment.deliver()
    key = {"symbol": {"S": "AAPL"}, "timestamp": {"S": "2026-03-12T13:30:00Z"}}
    deployment.dynamodb.update_item(
        TableName="data", Key=key, UpdateExpression="SET price = :p", ExpressionAttributeValues={":p": {"N": "99"}}
    )

    result = deployment.reconcile()

    assert result.counts.stored_quotes == result.counts.raw_quotes == 1
    assert differences(result) == {
        "accepted_but_not_stored": 1,
        "stored_but_not_in_raw_zone": 1,
        "in_raw_zone_but_not_stored": 1,
    }


def test_an_object_that_vanished_from_the_raw_zone_is_a_difference(deployment: LocalDeployment) -> None:
    deployment.put(make_quote("AAPL"), make_quote("AAPL", 1))
    deployment.deliver()
    [key] = deployment.objects("raw-data/")
    deployment.s3.delete_object(Bucket="bucket", Key=key)

    assert differences(deployment.reconcile()) == {"accepted_but_not_in_raw_zone": 2, "stored_but_not_in_raw_zone": 2}


def test_a_lost_reject_is_named_by_its_place_on_the_stream(deployment: LocalDeployment) -> None:
    deployment.put(b"\xff\x00")
    deployment.deliver()
    [key] = deployment.objects("rejected/")
    deployment.s3.put_object(Bucket="bucket", Key=key, Body=gzip.compress(b""))

    result = deployment.reconcile()

    assert differences(result) == {"refused_but_not_in_rejected": 1}
    assert result.differences[0].examples[0].startswith("shard shardId-00000000000")
    assert result.differences[0].examples[0].endswith("not_json")


def test_what_is_not_delivered_yet_is_told_from_what_is_lost(deployment: LocalDeployment) -> None:
    deployment.put(make_quote("AAPL"))
    deployment.deliver()
    deployment.put(make_quote("AAPL", 1), make_quote("MSFT"))

    result = deployment.reconcile()

    assert result.waiting_for == ["AAPL", "MSFT"]
    assert differences(result) == {"accepted_but_not_stored": 2, "accepted_but_not_in_raw_zone": 2}


def test_a_quote_past_its_time_in_dynamodb_is_not_missed_there(deployment: LocalDeployment) -> None:
    deployment.put(make_quote("AAPL"), make_quote("AAPL", 1))
    deployment.deliver()
    old = make_quote("KO", ingested_at=write_timestamp(datetime.now(UTC) - RETENTION - timedelta(minutes=1)))
    body = gzip.compress(f"{old.to_json()}\n".encode())
    deployment.s3.put_object(
        Bucket="bucket", Key="raw-data/dt=2026-03-12/2026-03-12T13-30-00Z-shardId-0-1.json.gz", Body=body
    )

    result = deployment.reconcile()

    assert result.agrees
    assert result.counts.expired_quotes == 1


def test_dead_letters_are_counted(deployment: LocalDeployment) -> None:
    sqs = deployment.client("sqs")
    sqs.send_message(QueueUrl=deployment.outputs.dead_letter_queue_url, MessageBody="{}")

    result = deployment.reconcile()

    assert result.dead_letters == 1
    assert result.agrees


def test_revisions_agree_though_only_the_highest_is_stored(deployment: LocalDeployment) -> None:
    deployment.put(make_quote(minute=0), make_quote(minute=1), make_quote(minute=1, price="101", revision=1))
    deployment.deliver()
    deployment.put(
        make_quote(minute=0, price="99", revision=2),
        make_quote(minute=0, price="98", revision=1),  # too late to stand, kept in the raw zone
        make_quote(minute=0, price="97", revision=2),  # the same version with another price
    )
    deployment.deliver()
    result = deployment.reconcile()
    assert result.agrees
    assert (result.counts.stored_quotes, result.counts.raw_quotes) == (2, 2)
    assert result.counts.rejected == {"conflicting_quote": 1}

    deployment.dynamodb.put_item(TableName="data", Item=items.observation_to_item(observed(make_quote()), RETENTION))
    assert differences(deployment.reconcile()) == {"accepted_but_not_stored": 2, "in_raw_zone_but_not_stored": 2}


def observed(quote: Quote) -> Observation:
    return observe(None, quote, datetime.now(UTC), Rules())[0]
