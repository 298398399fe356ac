"""What the producer says of itself: what it follows, since when, that its loop is at work, and its trouble."""

from __future__ import annotations

import itertools
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tapeline.aws.deployment import Deployment, StackError, StackOutputs
from tapeline.market.quotes import Quote
from tapeline.stream import heartbeat, recipient
from tapeline.stream.announcement import Announcement, Announcer, WatchedStop
from tapeline.stream.pump import run
from tapeline.stream.recipient import Recipient
from tapeline.stream.source import Counters, Counts, Stop
from tapeline.stream.writer import KinesisWriter
from tests.producer.builders import FakeKinesis, FakeTime

START = 1_773_324_000.0  # 2026-03-12T14:00:00Z
OUTPUTS = replace(
    StackOutputs(**dict.fromkeys(StackOutputs.__dataclass_fields__, "x")),
    stream_name="quotes",
    state_table_name="states",
    quote_fields="revision,doubt,colour",
)


class Aws:
    """Clients of which DynamoDB keeps what it is given, or refuses it."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.refuses = False
        self.calls = 0

    def client(self, name: str) -> Aws:
        assert name == "dynamodb"
        return self

    def put_item(self, *, TableName: str, Item: dict[str, Any]) -> None:  # noqa: N803
        self.calls += 1
        assert TableName == "states"
        if self.refuses:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutItem")
        self.items.append(Item)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, StackOutputs | StackError]:
    """What the stack's outputs are; change it as a deploy would."""
    answer: dict[str, StackOutputs | StackError] = {"now": OUTPUTS}

    def find(clients: Any, name: str) -> Deployment:
        assert name == "mine"
        if isinstance(answer["now"], StackError):
            raise answer["now"]
        return Deployment(clients, answer["now"])

    monkeypatch.setattr(recipient, "find_deployment", find)
    return answer


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def deployment(found: dict[str, StackOutputs | StackError], aws: Aws) -> Recipient:
    made = Recipient(aws, "mine", "quotes")  # type: ignore[arg-type]
    made.look()
    return made


class Source:
    trouble = ""


def announcer(deployment: Recipient, counters: Counters | None = None) -> Announcer:
    announcement = Announcement("yahoo", ("AAPL", "MSFT", "AAPL"), 30.0, lambda: Source.trouble)
    return Announcer(announcement, deployment, counters or Counters(), START)


@pytest.fixture(autouse=True)
def _no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "trouble", "")


def test_the_item_is_as_agreed(deployment: Recipient, aws: Aws) -> None:
    announcer(deployment).turn(START + 1, START + 2)
    assert aws.items == [
        json.loads(
            """{"key": {"S": "followed"}, "source": {"S": "yahoo"}, "symbols": {"L": [{"S": "AAPL"}, {"S": "MSFT"}]},
            "every_seconds": {"N": "30"}, "started_at": {"S": "2026-03-12T14:00:00Z"},
            "said_at": {"S": "2026-03-12T14:00:01Z"}}"""
        )
    ]


def test_it_is_said_at_the_start_and_each_minute_while_the_loop_works(deployment: Recipient, aws: Aws) -> None:
    saying = announcer(deployment)
    for second in range(200):
        saying.turn(START + second, START + second)
    assert [item["said_at"]["S"][-9:] for item in aws.items] == ["14:00:00Z", "14:01:00Z", "14:02:00Z", "14:03:00Z"]


def test_a_loop_that_hangs_is_no_longer_said_to_work(deployment: Recipient, aws: Aws) -> None:
    saying = announcer(deployment)
    for second in range(600):
        saying.turn(START + min(second, 90), START + second)
    assert [item["said_at"]["S"][-9:] for item in aws.items] == ["14:00:00Z", "14:01:00Z", "14:01:30Z"]


def test_trouble_is_said_when_it_comes_and_gone_when_it_is_over(deployment: Recipient, aws: Aws) -> None:
    saying = announcer(deployment)
    for second, trouble in enumerate(("", "", "Yahoo limits our rate (429)", "Yahoo limits our rate (429)", "", "")):
        Source.trouble = trouble
        saying.turn(START + second, START + second)
    assert [item.get("trouble", {}).get("S") for item in aws.items] == [None, "Yahoo limits our rate (429)", None]


def test_a_stream_that_takes_nothing_is_trouble_too(deployment: Recipient, aws: Aws) -> None:
    counters = Counters()
    saying = announcer(deployment, counters)
    counters.add(read=20, sent=10)
    for second in range(90):
        if second == 75:
            counters.add(sent=10)
        saying.turn(START + second, START + second)
    said = [item.get("trouble", {}).get("S") for item in aws.items]
    assert said == [None, "Kinesis takes nothing, 10 quotes wait", None]


def test_a_refused_item_is_warned_of_once_and_tried_each_minute(
    deployment: Recipient, aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    aws.refuses = True
    saying = announcer(deployment)
    for second in range(150):
        saying.turn(START + second, START + second)
    assert aws.calls == 3
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "Cannot say what is followed, so that nobody would miss it"
    ]
    aws.refuses = False
    saying.turn(START + 200, START + 200)
    assert len(aws.items) == 1


# What is deployed, and the optional fields that are sent.
DEPLOYMENTS: dict[str, tuple[StackOutputs | StackError, set[str], str]] = {
    "this version": (OUTPUTS, {"revision", "doubt"}, ""),
    "the version before": (replace(OUTPUTS, quote_fields=""), set(), ""),
    "a later one": (replace(OUTPUTS, quote_fields="doubt, colour"), {"doubt"}, ""),
    "none": (StackError("no stack named mine"), set(), "Only the base fields of quotes are sent"),
    "another stream's": (replace(OUTPUTS, stream_name="other"), set(), "name the stack of quotes with --stack"),
}


@pytest.mark.parametrize("deployed", DEPLOYMENTS)
def test_a_deployment_is_sent_the_optional_fields_that_its_stack_names(
    found: dict[str, StackOutputs | StackError], aws: Aws, caplog: pytest.LogCaptureFixture, deployed: str
) -> None:
    found["now"], fields, warning = DEPLOYMENTS[deployed]
    deployment = Recipient(aws, "mine", "quotes")  # type: ignore[arg-type]
    deployment.look()
    deployment.look()
    assert deployment.quote_fields == fields
    assert len(caplog.records) == (1 if warning else 0)
    assert warning in caplog.text
    announcer(deployment).turn(START, START)
    assert len(aws.items) == (0 if warning else 1)


def test_a_deploy_under_a_running_producer_is_noticed_and_a_failed_look_forgets_nothing(
    found: dict[str, StackOutputs | StackError], deployment: Recipient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    found["now"] = replace(OUTPUTS, quote_fields="doubt")
    deployment.look()
    assert deployment.quote_fields == {"doubt"}
    found["now"] = StackError("throttled")
    deployment.look()
    assert deployment.quote_fields == {"doubt"}
    assert caplog.messages == ["The deployment now takes of optional fields: doubt"]


def test_a_long_sleep_is_seen_as_work_every_ten_seconds() -> None:
    time = FakeTime(now=START)
    looks: list[float] = []

    class Noting(WatchedStop):
        def is_set(self) -> bool:
            looks.append(time.now - START)
            return super().is_set()

    stop = Noting(time, time.clock)
    assert stop.wait(25.0) is False
    assert time.now - START == 25
    assert max(later - earlier for earlier, later in itertools.pairwise(looks)) <= 10
    assert stop.looked_at == START + 25


def test_a_watched_sleep_ends_with_the_stop() -> None:
    time = FakeTime(now=START, ends_at=START + 30)
    stop = WatchedStop(time, time.clock)
    assert stop.wait(900.0) is True
    assert time.now == START + 30
    assert stop.is_set()


def test_a_source_that_hangs_beats_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The heart beats in a thread of its own, and must not go on for a loop that has stopped."""
    monkeypatch.setenv(heartbeat.VARIABLE, str(tmp_path / "beat"))
    beats: list[bool] = []
    hangs, seen = threading.Event(), threading.Event()
    monkeypatch.setattr("tapeline.stream.pump.beat", lambda: beats.append(hangs.is_set()))
    reports: list[int] = []

    class Hanging:
        total: int | None = None

        def quotes(self, counters: Counters, stop: Stop) -> Iterator[Quote]:
            while not beats:
                stop.wait(0.01)
            hangs.set()
            beats.clear()
            assert seen.wait(30)  # no look at the stop from here on
            yield from ()

    def progress(_: Counts) -> None:
        if hangs.is_set():
            reports.append(len(beats))
            if len(reports) == 5:
                seen.set()

    kinesis: Any = FakeKinesis()
    run(Hanging(), KinesisWriter(kinesis, "quotes", Counters()), stop=threading.Event(), on_progress=progress)
    assert reports[1:5] == [reports[1]] * 4
