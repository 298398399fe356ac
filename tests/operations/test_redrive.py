"""Rejected records and dead letters on the local AWS, put back and read off the stream again."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from tapeline.aws.deployment import Deployment
from tapeline.cli.main import app
from tapeline.market.symbol_state import Rules
from tapeline.operations import redrive as redriving
from tapeline.operations.redrive import redrive
from tapeline.stream import raw_zone
from tapeline.stream.batch import Remembered, StreamRecord, plan_batch
from tapeline.stream.items import observation_to_item, state_to_item
from tests.operations.test_rejected import ARRIVED, line, payload
from tests.stack import LocalDeployment, objects

DAY = "2026-03-12"
KEYS = [f"rejected/dt={DAY}/2026-03-12T14-30-0{number}Z-shardId-000000000000-{number}.json.gz" for number in (1, 2)]
FINE = line(payload(at="2026-03-12T14:30:00Z"))
EARLIER = line(payload(at="2026-03-12T14:29:00Z"), number=2)
LOST = {"shardId": "s-0", "startSequenceNumber": "1", "endSequenceNumber": "2", "batchSize": 2}
BAD = line(b"{oops", "not_json", 3)


class Stopped(BaseException):
    """The run is gone."""


@pytest.fixture
def clean(deployment: LocalDeployment) -> Iterator[LocalDeployment]:
    yield deployment
    for key in [*objects(deployment, "rejected/"), *objects(deployment, "aws/lambda/")]:
        deployment.client("s3").delete_object(Bucket=deployment.outputs.bucket_name, Key=key)
    deployment.client("sqs").purge_queue(QueueUrl=deployment.outputs.dead_letter_queue_url)


@pytest.fixture
def rejects(clean: LocalDeployment) -> LocalDeployment:
    s3, bucket = clean.client("s3"), clean.outputs.bucket_name
    raw_zone.put_lines(s3, bucket, KEYS[0], [FINE, BAD])
    raw_zone.put_lines(s3, bucket, KEYS[1], [EARLIER])
    return clean


def stream(deployment: LocalDeployment) -> list[tuple[str, Any]]:
    """Every record on the stream: sequence number and data; of one symbol in order."""
    kinesis, name = deployment.client("kinesis"), deployment.outputs.stream_name
    found = []
    for shard in kinesis.list_shards(StreamName=name)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        for record in kinesis.get_records(ShardIterator=iterator, Limit=10_000)["Records"]:
            found.append((shard["ShardId"], record["SequenceNumber"], record["Data"]))
    return [(f"{shard} {number}", data) for shard, number, data in found]


def new_times(deployment: LocalDeployment, before: list[tuple[str, Any]]) -> list[str]:
    seen = {place for place, _ in before}
    return [json.loads(data)["timestamp"] for place, data in stream(deployment) if place not in seen]


def test_a_dry_run_counts_and_changes_nothing(rejects: LocalDeployment) -> None:
    before, kept = stream(rejects), objects(rejects, "rejected/")
    found = redrive(rejects, DAY, DAY)
    assert (found.rejected, found.redriven) == ({"unknown_field": 2, "not_json": 1}, {"unknown_field": 2})
    examples = dict(found.examples)
    (stays,) = examples.pop("not_json")
    assert stays.startswith("{oops (not_json: expected one JSON object in UTF-8")
    assert not examples
    assert (stream(rejects), objects(rejects, "rejected/")) == (before, kept)


def test_what_is_a_quote_now_goes_in_order_and_leaves_the_rejects(rejects: LocalDeployment) -> None:
    before = stream(rejects)
    redrive(rejects, DAY, DAY, dry_run=False)
    assert new_times(rejects, before) == ["2026-03-12T14:29:00Z", "2026-03-12T14:30:00Z"]
    s3, bucket = rejects.client("s3"), rejects.outputs.bucket_name
    assert objects(rejects, f"rejected/dt={DAY}/") == [KEYS[0]]
    assert raw_zone.get_lines(s3, bucket, KEYS[0]) == [BAD]
    kept = [line for key in objects(rejects, "rejected/redriven/") for line in raw_zone.get_lines(s3, bucket, key)]
    assert sorted(kept) == sorted([FINE, EARLIER])

    after = stream(rejects)
    assert redrive(rejects, DAY, DAY, dry_run=False).redriven == {}
    assert stream(rejects) == after


def test_what_the_stream_would_refuse_again_stays_with_the_reason(rejects: LocalDeployment) -> None:
    stored = plan_batch(
        [StreamRecord("s", 1, "AAPL", ARRIVED, payload(price=98))], lambda _: Remembered({}), lambda _: {}, Rules()
    )
    item = observation_to_item(stored.entries[0].observation, timedelta(days=1))
    state = state_to_item(stored.steps[0].state, stored.steps[0].observation)
    dynamodb, outputs = rejects.client("dynamodb"), rejects.outputs
    dynamodb.put_item(TableName=outputs.table_name, Item=item)
    dynamodb.put_item(TableName=outputs.state_table_name, Item=state)
    try:
        found = redrive(rejects, DAY, DAY, dry_run=False)
    finally:
        dynamodb.delete_item(TableName=outputs.table_name, Key={name: item[name] for name in ("symbol", "timestamp")})
        dynamodb.delete_item(TableName=outputs.state_table_name, Key={"key": state["key"]})
    assert found.redriven == {"unknown_field": 1}
    assert "conflicting_quote: AAPL at 2026-03-12T14:30:00Z is stored with other figures" in found.summary
    s3, bucket = rejects.client("s3"), outputs.bucket_name
    assert raw_zone.get_lines(s3, bucket, KEYS[0]) == [FINE, BAD]


@pytest.mark.parametrize("step", ["put_object", "delete_object", "get_object"])
def test_a_run_that_dies_at_any_step_loses_no_line(
    rejects: LocalDeployment, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, bucket = rejects.client("s3"), rejects.outputs.bucket_name
    for call in range(4):
        real, calls = getattr(s3, step), iter(range(100))

        def die(*, real: Any = real, calls: Any = calls, call: int = call, **arguments: Any) -> Any:
            if next(calls) == call:
                raise Stopped
            return real(**arguments)

        with monkeypatch.context() as patch:
            patch.setattr(s3, step, die)
            with contextlib.suppress(Stopped):
                redrive(rejects, DAY, DAY, dry_run=False)
        held = [found for key in objects(rejects, "rejected/") for found in raw_zone.get_lines(s3, bucket, key)]
        assert set(held) == {FINE, EARLIER, BAD}
    redrive(rejects, DAY, DAY, dry_run=False)
    assert objects(rejects, f"rejected/dt={DAY}/") == [KEYS[0]]


def test_a_line_that_the_processor_adds_meanwhile_stays(
    rejects: LocalDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, bucket = rejects.client("s3"), rejects.outputs.bucket_name
    added, real = line(b"more", "not_json", 9), s3.put_object
    later: list[bool] = []

    def put(**arguments: Any) -> Any:
        if "IfMatch" in arguments and not later:
            later.append(True)
            monkeypatch.setattr(s3, "put_object", real)
            raw_zone.put_lines(s3, bucket, KEYS[0], [added])
        return real(**arguments)

    monkeypatch.setattr(s3, "put_object", put)
    redrive(rejects, DAY, DAY, dry_run=False)
    assert later
    assert raw_zone.get_lines(s3, bucket, KEYS[0]) == [BAD, added]


def test_nothing_is_taken_out_when_the_stream_refuses(
    rejects: LocalDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = objects(rejects, "rejected/")

    def refuse(**arguments: Any) -> Any:
        raise Stopped

    monkeypatch.setattr(redriving._Run, "send", lambda self: refuse())
    with pytest.raises(Stopped):
        redrive(rejects, DAY, DAY, dry_run=False)
    assert objects(rejects, "rejected/") == kept


def give_up(deployment: LocalDeployment, datas: list[bytes], missing: int = 0) -> None:
    """Put records on the stream and a dead letter about them into the queue, as Lambda does."""
    kinesis, name = deployment.client("kinesis"), deployment.outputs.stream_name
    places = [kinesis.put_record(StreamName=name, Data=data, PartitionKey="AAPL") for data in datas]
    info = {
        "shardId": places[0]["ShardId"],
        "startSequenceNumber": places[0]["SequenceNumber"],
        "endSequenceNumber": places[-1]["SequenceNumber"],
        "batchSize": len(datas) + missing,
    }
    body = {"requestContext": {"condition": "RetryAttemptsExhausted"}, "KinesisBatchInfo": info}
    deployment.client("sqs").send_message(
        QueueUrl=deployment.outputs.dead_letter_queue_url, MessageBody=json.dumps(body)
    )


def waiting(deployment: LocalDeployment) -> int:
    attributes = deployment.client("sqs").get_queue_attributes(
        QueueUrl=deployment.outputs.dead_letter_queue_url, AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])


def test_a_dead_letter_s_batch_goes_on_the_stream_again_and_what_is_no_quote_is_kept(clean: LocalDeployment) -> None:
    give_up(clean, [payload(at="2026-03-12T14:31:00Z"), b"no quote", payload(at="2026-03-12T14:32:00Z")])
    before = stream(clean)
    dry = redrive(clean, DAY, DAY)
    assert (dry.letter_quotes, dry.letter_rejects, dry.lost, waiting(clean)) == (2, 1, 0, 1)
    assert stream(clean) == before

    redrive(clean, DAY, DAY, dry_run=False)
    assert new_times(clean, before) == ["2026-03-12T14:31:00Z", "2026-03-12T14:32:00Z"]
    assert waiting(clean) == 0
    (key,) = objects(clean, "rejected/dt=")
    (kept,) = raw_zone.get_lines(clean.client("s3"), clean.outputs.bucket_name, key)
    assert json.loads(kept)["payload"] == "no quote"


def test_a_letter_whose_records_are_partly_gone_stays_and_says_so(clean: LocalDeployment) -> None:
    give_up(clean, [payload(at="2026-03-12T14:33:00Z")], missing=2)
    clean.client("sqs").send_message(
        QueueUrl=clean.outputs.dead_letter_queue_url, MessageBody=json.dumps({"DDBStreamBatchInfo": LOST})
    )
    found = redrive(clean, DAY, DAY, dry_run=False)
    assert (found.letter_quotes, found.lost) == (1, 2)
    assert "2 records are gone from the stream, so the letter stays" in found.summary
    assert found.unknown_letters == {"a batch of the table's stream, without its records": 1}
    assert waiting(clean) == 2


def give_up_whole(deployment: LocalDeployment, body: bytes, times: int = 1, key: str = "") -> str:
    """Put a batch into the bucket as Lambda does; the bucket's event tells the queue, as often as wished."""
    key = key or f"aws/lambda/11111111/shardId-000000000000/2026/03/12/2026-03-12T14.33.00-{uuid.uuid4()}"
    for _ in range(times):
        deployment.client("s3").put_object(Bucket=deployment.outputs.bucket_name, Key=key, Body=body)
    return key


def document(datas: list[bytes], *, as_text: bool = True, **changes: Any) -> bytes:
    """A batch of the Kinesis stream as Lambda writes it into a bucket."""
    events = [
        {
            "kinesis": {
                "partitionKey": "AAPL",
                "sequenceNumber": str(number),
                "data": base64.b64encode(data).decode(),
                "approximateArrivalTimestamp": 1773329580.123,
            }
        }
        for number, data in enumerate(datas, 1)
    ]
    batch = {"shardId": "s-0", "startSequenceNumber": "1", "endSequenceNumber": "9", "batchSize": len(datas)}
    payload = json.dumps({"Records": events}) if as_text else {"Records": events}
    return json.dumps({"KinesisBatchInfo": {**batch, **changes}, "payload": payload}).encode()


def changes(events: list[dict[str, Any]]) -> bytes:
    """A batch of the table's stream as Lambda writes it into a bucket."""
    batch = {"shardId": "s-0", "startSequenceNumber": "1", "endSequenceNumber": "1", "batchSize": len(events)}
    return json.dumps({"DDBStreamBatchInfo": batch, "payload": json.dumps({"Records": events})}).encode()


@pytest.mark.parametrize("as_text", [True, False])
def test_a_batch_in_the_bucket_needs_no_stream_and_goes_once(clean: LocalDeployment, as_text: bool) -> None:
    minute = 40 + as_text
    body = document([payload(at=f"2026-03-12T14:{minute}:00Z"), b"no quote"], as_text=as_text)
    key = give_up_whole(clean, body, times=3)
    before = stream(clean)
    done = redrive(clean, DAY, DAY, dry_run=False)
    assert (done.letter_quotes, done.letter_rejects, done.lost, len(done.letters)) == (1, 1, 0, 1)
    assert new_times(clean, before) == [f"2026-03-12T14:{minute}:00Z"]
    assert waiting(clean) == 0
    assert objects(clean, "aws/lambda/") == [key], "the bucket's lifecycle removes it, nothing else"


UNREADABLE = {
    "no JSON": b"{oops",
    "no text": b"\xff\xfe",
    "no batch": b"{}",
    "a list": b"[]",
    "half a payload": document([payload()]).replace(b'Records', b'Rec'),
    "fewer records than it says": document([payload()], batchSize=2),
    "no base64": document([payload()]).replace(base64.b64encode(payload())[:8], b"********"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_batch_that_cannot_be_read_stays_and_the_others_go(clean: LocalDeployment, case: str) -> None:
    give_up_whole(clean, UNREADABLE[case])
    fine = give_up_whole(clean, document([payload("NVDA", "2026-03-12T14:50:00Z")]))
    done = redrive(clean, DAY, DAY, dry_run=False)
    assert sum((done.unknown_letters or {}).values()) == 1, done.unknown_letters
    assert waiting(clean) == 1
    assert len(done.letters) == 1, fine


def test_a_pointer_to_nothing_or_elsewhere_stays_and_says_so(clean: LocalDeployment) -> None:
    key = give_up_whole(clean, document([payload()]))
    clean.client("s3").delete_object(Bucket=clean.outputs.bucket_name, Key=key)
    elsewhere = {"Records": [{"s3": {"bucket": {"name": "another"}, "object": {"key": "aws/lambda/x"}}}]}
    queue = clean.outputs.dead_letter_queue_url
    clean.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(elsewhere))
    done = redrive(clean, DAY, DAY, dry_run=False)
    bucket = clean.outputs.bucket_name
    assert done.unknown_letters == {
        f"s3://{bucket}/{key}: there is no such object": 1,
        f"s3://another/aws/lambda/x: expected an object under s3://{bucket}/aws/lambda/": 1,
    }
    assert waiting(clean) == 2


def test_of_a_message_with_several_pointers_all_go_that_can_be_read_and_it_stays_for_the_others(
    clean: LocalDeployment,
) -> None:
    s3, queue, bucket = clean.client("s3"), clean.outputs.dead_letter_queue_url, clean.outputs.bucket_name
    bodies = {
        "aws/lambda/several/1": b"{oops",
        "aws/lambda/several/2": document([payload("INTC", "2026-03-12T14:52:00Z")]),
        "aws/lambda/several/3": document([payload("INTC", "2026-03-12T14:53:00Z")]),
    }
    for key, body in bodies.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    clean.client("sqs").purge_queue(QueueUrl=queue)
    entries = [{"s3": {"bucket": {"name": bucket}, "object": {"key": key}}} for key in bodies]
    clean.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps({"Records": entries}))
    before = stream(clean)
    done = redrive(clean, DAY, DAY, dry_run=False)
    assert new_times(clean, before) == ["2026-03-12T14:52:00Z", "2026-03-12T14:53:00Z"]
    (reason,) = done.unknown_letters or {}
    assert reason.startswith(f"s3://{bucket}/aws/lambda/several/1: not understood")
    assert "docs/runbook.md" in done.summary
    assert waiting(clean) == 1

    s3.put_object(Bucket=bucket, Key="aws/lambda/several/1", Body=document([payload("INTC", "2026-03-12T14:54:00Z")]))
    done = redrive(clean, DAY, DAY, dry_run=False)
    assert (done.unknown_letters, waiting(clean)) == ({}, 0)


def test_a_batch_whose_pointer_is_gone_gets_another_when_it_is_copied_onto_itself(clean: LocalDeployment) -> None:
    key = give_up_whole(clean, document([payload("ORCL", "2026-03-12T14:55:00Z")]))
    bucket = clean.outputs.bucket_name
    clean.client("sqs").purge_queue(QueueUrl=clean.outputs.dead_letter_queue_url)
    assert redrive(clean, DAY, DAY, dry_run=False).letters == ()
    clean.client("s3").copy_object(
        Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": key}, MetadataDirective="REPLACE"
    )
    done = redrive(clean, DAY, DAY, dry_run=False)
    assert (done.letter_quotes, waiting(clean)) == (1, 0)


def test_a_key_is_read_as_s3_spells_it(clean: LocalDeployment) -> None:
    key = give_up_whole(clean, document([payload("AMD", "2026-03-12T14:51:00Z")]), key="aws/lambda/a b+c/\u00e9=1")
    done = redrive(clean, DAY, DAY, dry_run=False)
    assert (done.letter_quotes, waiting(clean)) == (1, 0), key


def test_s3_s_trial_of_a_notification_goes_with_a_redrive_but_not_with_a_dry_run(clean: LocalDeployment) -> None:
    trial = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": clean.outputs.bucket_name}
    queue = clean.outputs.dead_letter_queue_url
    clean.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(trial))
    assert redrive(clean, DAY, DAY).unknown_letters == {}
    assert waiting(clean) == 1
    redrive(clean, DAY, DAY, dry_run=False)
    assert waiting(clean) == 0


def test_alerts_whose_function_cannot_be_invoked_stay_and_the_others_go(
    clean: LocalDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up_whole(clean, changes([{"dynamodb": {"SequenceNumber": "1"}}]))
    give_up_whole(clean, document([payload("CSCO", "2026-03-12T14:56:00Z")]))
    outputs = replace(clean.outputs, trend_alerts_name="gone")
    done = redrive(Deployment(clean.clients, outputs), DAY, DAY, dry_run=False)
    fates = sorted(fate for _, fate in done.letters)
    assert fates[0] == "redriven and deleted"
    assert re.match("the trend alerts could not be invoked: .*ResourceNotFound.*, so the letter stays", fates[1])
    assert waiting(clean) == 1


def test_alerts_that_fail_again_stay(clean: LocalDeployment) -> None:
    event = {"dynamodb": {"SequenceNumber": "1", "NewImage": {"alerts": {"SS": ["price_move"]}}}}
    give_up_whole(clean, changes([event]))
    done = redrive(clean, DAY, DAY, dry_run=False)
    ((_, fate),) = done.letters
    assert re.match("the trend alerts failed again: .*, so the letter stays", fate)
    assert (done.letter_changes, waiting(clean)) == (1, 1)


def test_the_command_dries_by_default_and_says_how_to_go_on(
    rejects: LocalDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPELINE_HOME", str(rejects.local.folder))
    monkeypatch.setenv("TAPELINE_PORT", str(rejects.local.port))
    told = CliRunner().invoke(app, ["redrive", "--first", DAY, "--no-dead-letters"])
    assert told.exit_code == 0, told.output
    assert "Rejected records: 3, of which 2 are quotes now and would go on the stream again." in told.output
    assert "Add --go to do it." in told.output
    done = CliRunner().invoke(app, ["redrive", "--first", DAY, "--go", "--json"])
    assert json.loads(done.output)["redriven"] == {"unknown_field": 2}
