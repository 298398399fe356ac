"""Invoke on the local AWS: the same isolation as under the delivery."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clients import Clients
from localaws.invoke import SETTLE_SECONDS, LambdaInvoke, Settled
from localaws.testing import LocalAws
from localaws_tests.services.conftest import deploy_function, wait_until

SOURCE = """
import os
calls = 0
def handler(event, context):
    global calls
    calls += 1
    if event.get("fail"):
        raise KeyError("on request")
    try:
        import ministack
    except ImportError:
        return {"event": event, "calls": calls, "home": os.environ.get("TAPELINE_HOME")}
"""


@pytest.fixture
def invoke(aws: Clients) -> Any:
    client = aws.client("lambda")
    try:
        deploy_function(aws, "echo", SOURCE, actions=["sqs:ListQueues"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityAlreadyExists":
            raise
    return lambda event, **options: client.invoke(FunctionName="echo", Payload=json.dumps(event), **options)


def test_an_invocation_answers_what_the_handler_returns_and_sees_nothing_of_the_server(invoke: Any) -> None:
    first = json.loads(invoke({"text": "a\u2028b\n"})["Payload"].read())
    assert first == {"event": {"text": "a\u2028b\n"}, "calls": 1, "home": None}
    assert json.loads(invoke({})["Payload"].read())["calls"] == 2  # the process is kept


def test_an_error_of_the_handler_is_told_as_lambda_does(invoke: Any) -> None:
    answer = invoke({"fail": True})
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorType"] == "KeyError"


def test_an_event_is_taken_at_once_and_handled_later(invoke: Any, local_aws: LocalAws, aws: Clients) -> None:
    deploy_function(aws, "later", "def handler(e, c):\n    print('DONE', flush=True)\n", actions=["sqs:ListQueues"])
    assert aws.client("lambda").invoke(FunctionName="later", InvocationType="Event")["StatusCode"] == 202
    log = local_aws.folder / "logs" / "later.log"
    wait_until(lambda: log.exists() and "DONE" in log.read_text(), "the handler")


def test_what_does_not_exist_is_not_found(aws: Clients) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        aws.client("lambda").invoke(FunctionName="nothing")


def test_a_schedule_invokes_a_function_as_anybody_does(
    local_aws: LocalAws, aws: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy_function(
        aws, "hourly", "def handler(e, c):\n    print(e['source'], flush=True)\n", actions=["sqs:ListQueues"]
    )
    arn = aws.client("lambda").get_function(FunctionName="hourly")["Configuration"]["FunctionArn"]
    part = LambdaInvoke(tmp_path)
    asyncio.run(part.start())
    log = tmp_path / "logs" / "hourly.log"
    monkeypatch.setattr("localaws.invoke.SETTLE_SECONDS", 0.0)
    part._invoke_by_rule(arn, json.dumps({"source": "aws.events"}))
    wait_until(lambda: log.exists() and "aws.events" in log.read_text(), "the handler")
    asyncio.run(part.stop())


def test_a_schedule_waits_until_the_machine_has_been_awake_for_a_while() -> None:
    awake = [60.0, SETTLE_SECONDS - 1, SETTLE_SECONDS, SETTLE_SECONDS + 70]
    woken = awake[-1] + 8 * 3600
    moments = iter([0.0, *awake, woken, woken + SETTLE_SECONDS / 2, woken + SETTLE_SECONDS])
    settled = Settled(lambda: next(moments))
    assert [settled.is_now() for _ in range(7)] == [False, False, True, True, False, False, True]
