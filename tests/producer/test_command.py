"""The producer as a process of its own, against MiniStack."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from websockets.sync.server import ServerConnection

from tests.producer.market_data_server import NEW_YORK, ChartServer, Listing, PriceServer, pricing

SIGNER = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
BARS = "symbol,timestamp,open,high,low,close,volume\n" + "\n".join(
    f"{symbol},2026-03-10T19:{minute:02d}:00Z,10,11,9,10.5,100" for minute in range(40) for symbol in ("AAPL", "KO")
)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1"}
    with (tmp_path_factory.mktemp("ministack") / "log").open("w") as log:
        server = subprocess.Popen(
            [Path(sys.executable).with_name("ministack")], env=os.environ | settings, stdout=log, stderr=log
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture
def kinesis(endpoint: str) -> Iterator[Any]:
    client = boto3.client(
        "kinesis",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(proxies={}, retries={"total_max_attempts": 40, "mode": "standard"}),  # it needs a moment to start
    )
    client.create_stream(StreamName="quotes", ShardCount=1)
    client.get_waiter("stream_exists").wait(StreamName="quotes", WaiterConfig={"Delay": 1})
    yield client
    client.delete_stream(StreamName="quotes")


def start(endpoint: str, *arguments: str, **variables: Any) -> subprocess.Popen[str]:
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    return subprocess.Popen(
        [sys.executable, "-m", "producer", *arguments],
        env=environment | SIGNER | {"AWS_ENDPOINT_URL": endpoint, "COLUMNS": "200"} | variables,
        stderr=subprocess.PIPE,
        text=True,
    )


def records(client: Any) -> list[dict[str, Any]]:
    shard = client.list_shards(StreamName="quotes")["Shards"][0]["ShardId"]
    iterator = client.get_shard_iterator(StreamName="quotes", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    found: list[dict[str, Any]] = client.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    return found


def wait_for_records(client: Any, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not records(client):
        assert process.poll() is None, process.communicate()[1]
        if time.monotonic() > deadline:
            process.terminate()
            pytest.fail(f"no record within a minute: {process.communicate(timeout=30)[1]}")
        time.sleep(0.05)


def test_replay_sends_a_whole_file_and_ends_with_its_counts(endpoint: str, kinesis: Any, tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text(BARS)
    process = start(endpoint, "replay", str(tmp_path / "bars.csv"), "--speed", "max", "--stream", "quotes")
    _, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert "Stopped: read 80, sent 80, retried 0, rejected 0, repeated 0" in log
    assert len(records(kinesis)) == 80


@pytest.mark.parametrize("command", ["yahoo", "yahoo-stream"])
def test_yahoos_quotes_reach_the_stream(
    endpoint: str, kinesis: Any, charts_server: ChartServer, tmp_path: Path, command: str
) -> None:
    now = datetime.now(NEW_YORK)
    opens_at = now.replace(hour=0, minute=0, second=0, microsecond=0)  # yfinance moves bars of 22:00 and 23:00 a day on
    yesterday = now.date() - timedelta(days=1)
    closes_at = now + timedelta(days=1)
    charts_server.answers["AAPL"] = Listing(
        "AAPL", now, 258.64, 258.95, 254.13, 255.76, 100, opens_at, closes_at, {yesterday: 260}
    )

    def push(connection: ServerConnection, _number: int) -> None:
        connection.send(pricing("AAPL", 255.76, now))
        with contextlib.suppress(Exception):
            connection.recv()

    prices = PriceServer(push)
    addresses = ["--url", charts_server.url] + (["--stream-url", prices.url] if command == "yahoo-stream" else [])
    process = start(endpoint, command, "--symbols", "AAPL", "--stream", "quotes", *addresses, XDG_CACHE_HOME=tmp_path)
    wait_for_records(kinesis, process)
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)
    prices.close()
    assert process.returncode == 0, log
    [record] = records(kinesis)
    sent = json.loads(record["Data"])
    assert (sent["symbol"], sent["price"], sent["previous_close"], sent["source"]) == ("AAPL", 255.76, 260, "yahoo")
    assert "Warning" not in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sends_what_was_read_and_ends_cleanly(endpoint: str, kinesis: Any, number: signal.Signals) -> None:
    process = start(endpoint, "simulated", "--every", "0.05", "--stream", "quotes")
    wait_for_records(kinesis, process)
    process.send_signal(number)
    process.send_signal(signal.SIGTERM)  # as a supervisor does after a Ctrl-C
    _, log = process.communicate(timeout=30)
    assert process.returncode == 0, log
    read, sent = re.findall(r"Stopped: read (\d+), sent (\d+)", log)[0]
    assert read == sent
    assert len(records(kinesis)) == int(sent)


def test_a_missing_stream_ends_with_advice_and_a_code(endpoint: str, kinesis: Any) -> None:
    process = start(endpoint, "simulated", "--every", "0.05", "--stream", "elsewhere")
    _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "There is no stream elsewhere in us-east-1: deploy the stack (tapeline deploy)" in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["replay", "nowhere.csv"], "nowhere.csv: there is no such file"),
        (["replay", "nowhere.csv", "--speed", "fast"], "a number such as 60, or max, found 'fast'"),
        (["simulated", "--symbols", " , "], "at least one symbol"),
        (["simulated", "--stream", "my stream"], "letters, digits"),
        (["simulated", "--target", "moon"], "target must be one of local, aws, found 'moon'"),
    ],
)
def test_wrong_usage_says_what_is_wrong(arguments: list[str], complaint: str) -> None:
    process = start("http://127.0.0.1:1", *arguments)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 2
    assert complaint in log
