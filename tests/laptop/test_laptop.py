"""The whole laptop: up, what runs and what it answers, everything killed in turn, down. The tests are one story."""

from __future__ import annotations

import json
import os
import signal
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tapeline.aws import local
from tapeline.aws.clients import connect
from tapeline.aws.deployment import find_deployment

from .laptop import Laptop, await_

PACE = ("--every", "0.2", "--symbols", "AAPL,MSFT,KO")


@pytest.fixture(scope="module")
def running(laptop: Laptop) -> Laptop:
    up = laptop.run("up", "--detach", *PACE)
    assert up.returncode == 0, up.stdout + up.stderr
    assert "Quotes flow" in up.stdout
    assert f"http://127.0.0.1:{laptop.port}" in up.stdout
    return laptop


def test_nothing_is_said_to_run_before_up_and_commands_say_how_to_start(laptop: Laptop) -> None:
    status, tail = laptop.run("status"), laptop.run("tail")

    assert status.returncode == tail.returncode == 1
    assert "not running" in status.stdout
    assert tail.stderr.count("\n") == 1
    assert "make run" in tail.stderr
    assert laptop.run("down").stdout == "Nothing was running.\n"


def test_up_names_a_port_that_is_taken(laptop: Laptop) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]

        up = laptop.run("up", "--detach", "--port", str(port))

    assert up.returncode == 1
    assert f"port {port} on 127.0.0.1 cannot be used" in up.stderr
    assert "--port" in up.stderr
    assert not laptop.processes()


def test_every_part_is_up_and_green(running: Laptop) -> None:
    status = running.run("status", "--json")
    page = json.loads(status.stdout)

    colours = {light["name"]: light["colour"] for light in page["lights"]}
    parts = ("localaws", "delivery", "producer", "stream", "function stock-market-stream-processor")
    assert [colours[part] for part in parts] == ["green"] * len(parts)
    assert {quote["symbol"] for quote in page["newest"]} == {"AAPL", "MSFT", "KO"}
    assert (status.returncode == 0) == page["green"]


def test_a_second_up_says_that_one_runs(running: Laptop) -> None:
    up = running.run("up")

    assert up.returncode == 1
    assert "already running" in up.stderr
    assert "tapeline down" in up.stderr


def test_the_producer_may_write_to_the_stream_and_nothing_else(running: Laptop) -> None:
    signer = local.Credentials(**json.loads((running.home / "producer.json").read_text()))
    producer = connect("local", signer)

    assert producer.client("sts").get_caller_identity()["Arn"].endswith(":user/tapeline-producer")
    with pytest.raises(ClientError, match="AccessDenied"):
        producer.client("dynamodb").list_tables()
    environment = json.loads((running.home / "run" / "producer.json").read_text())["environment"]
    assert environment["AWS_ACCESS_KEY_ID"] == signer.access_key_id


def test_the_producer_says_what_it_follows(running: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPELINE_HOME", str(running.home))
    monkeypatch.setenv("TAPELINE_PORT", str(running.port))
    dynamodb = connect("local").client("dynamodb")
    followed = dynamodb.get_item(TableName="stock-market-state", Key={"key": {"S": "followed"}})["Item"]
    assert (followed["source"], followed["every_seconds"]) == ({"S": "simulated"}, {"N": "0.2"})
    assert followed["symbols"] == {"L": [{"S": "AAPL"}, {"S": "MSFT"}, {"S": "KO"}]}
    assert "trouble" not in followed


def test_tail_shows_quotes_as_they_are_stored(running: Laptop) -> None:
    tail = running.start("tail", "AAPL", "--json")
    lines = running.listen(tail)
    await_(lambda: len(lines) >= 3, "three quotes")
    quotes = [json.loads(line) for line in lines[:3]]
    tail.send_signal(signal.SIGINT)

    assert tail.wait(timeout=20) == 0
    assert {quote["symbol"] for quote in quotes} == {"AAPL"}
    assert sorted(quotes, key=lambda quote: datetime.fromisoformat(quote["timestamp"])) == quotes
    assert isinstance(quotes[0]["price"], int | float)


def test_a_subscriber_is_told_where_to_confirm(running: Laptop) -> None:
    answer = running.run("subscribe", "reader@example.com")

    assert answer.returncode == 0
    assert f"http://127.0.0.1:{running.port}/" in answer.stdout
    assert running.run("subscribe", "nobody").returncode == 2


def test_a_replayed_file_is_stored_once_however_often_it_is_replayed(running: Laptop, tmp_path: Path) -> None:
    bars = tmp_path / "bars.csv"
    rows = [f"TSLA,2026-03-12T14:{minute:02}:00Z,10,12,9,{10 + minute % 3},100\n" for minute in range(60)]
    bars.write_text("symbol,timestamp,open,high,low,close,volume\n" + "".join(rows))

    first, second = (running.json("replay", str(bars), "--speed", "max") for _ in range(2))
    result = running.json("reconcile", "--wait", "60")

    assert first["sent"] == second["sent"] == 60
    assert result["agrees"]
    assert result["counts"]["accepted_quotes"] - result["counts"]["accepted_keys"] == 60
    table = find_deployment(running.aws()).outputs.table_name
    answer = (
        running.aws()
        .client("dynamodb")
        .query(
            TableName=table,
            Select="COUNT",
            KeyConditionExpression="symbol = :s",
            ExpressionAttributeValues={":s": {"S": "TSLA"}},
        )
    )
    assert answer["Count"] == 60


def test_a_producer_that_was_stopped_is_seen_and_restarted(running: Laptop) -> None:
    pid = running.pid("producer")
    os.kill(pid, signal.SIGSTOP)
    status = running.run("status")
    assert status.returncode == 1
    assert f"stopped by a signal, pid {pid}" in status.stdout
    assert "tapeline restart producer" in status.stdout

    since = datetime.now(UTC)
    restart = running.run("restart", "producer")
    assert restart.returncode == 0, restart.stderr
    assert running.pid("producer") != pid
    running.await_quote(since)


def test_restart_names_the_parts_that_there_are(running: Laptop) -> None:
    restart = running.run("restart", "broker")
    assert restart.returncode == 1
    assert restart.stderr == "Error: expected one of localaws, delivery, producer, found 'broker'\n"


def test_a_shell_gets_names_and_address_of_the_deployment(running: Laptop) -> None:
    script = running.run("env").stdout
    exports = dict(line.removeprefix("export ").split("=", 1) for line in script.splitlines())
    assert exports["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{running.port}"
    assert exports["BUCKET_NAME"].startswith("tapeline-")
    assert exports["AWS_SECRET_ACCESS_KEY"]


def test_status_counts_a_bad_record_by_its_reason_and_says_where_it_is(running: Laptop) -> None:
    stream = find_deployment(running.aws()).outputs.stream_name
    running.aws().client("kinesis").put_record(StreamName=stream, Data=b"{no quote", PartitionKey="x")

    await_(lambda: running.json("status")["rejected_last_hour"] == {"not_json": 1}, "the reject")
    status = running.run("status")

    assert status.returncode == 1
    assert "not_json 1" in status.stdout
    assert "rejected/" in status.stdout
    assert running.run("reconcile", "--wait", "60").returncode == 0


def test_status_measures_rate_latency_and_iterator_age(running: Laptop) -> None:
    def is_measured() -> bool:
        page = running.json("status")
        ages = page["iterator_age_seconds"]
        return bool(page["quotes_per_second"] and page["latency_seconds"] and ages["stock-market-stream-processor"])

    await_(is_measured, "the first metrics")


def test_a_file_that_is_none_is_one_line_and_exit_code_1(running: Laptop, tmp_path: Path) -> None:
    answer = running.run("replay", str(tmp_path / "absent.parquet"))

    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: ")
    assert "Traceback" not in answer.stderr


def test_all_in_the_state_folder_is_its_owner_s_alone(running: Laptop) -> None:
    running.run("query", "latest_quotes")  # Athena's workers write too

    written = {path.relative_to(running.home).parts[0] for path in running.home.rglob("*") if path.is_file()}
    assert {"athena", "aws", "delivery", "lambda", "logs", "mail", "run", "credentials.json"} <= written
    assert running.readable_for_others() == []


def test_a_file_of_which_every_row_is_refused_is_no_success(running: Laptop, tmp_path: Path) -> None:
    bars = tmp_path / "bars.csv"
    bars.write_text("symbol,timestamp,open,high,low,close,volume\nM&M,2026-03-12T14:30:00Z,1,1,1,1,1\n")

    answer = running.run("replay", str(bars), "--speed", "max")

    assert answer.returncode == 1
    assert "bad_symbol" in answer.stderr
    assert "all 1 rows were rejected" in answer.stderr


@pytest.mark.parametrize("victim", ["producer", "functions", "delivery", "localaws"])
def test_what_is_killed_comes_back_and_nothing_is_lost(running: Laptop, victim: str) -> None:
    pids = running.lambda_pids() if victim == "functions" else [running.pid(victim)]
    assert pids

    killed_at = running.kill(*pids)
    running.await_quote(since=killed_at)
    result = running.run("reconcile", "--wait", "90")

    assert result.returncode == 0, result.stdout + result.stderr
    if victim == "localaws":
        assert "killed" in (running.home / "aws" / "last-start.txt").read_text()


def test_a_killed_supervisord_leaves_orphans_which_the_next_up_ends(running: Laptop) -> None:
    running.kill(running.supervisor_pid())
    orphans = [running.pid(name) for name in ("localaws", "delivery", "producer")]
    status = running.run("status")
    assert status.returncode == 1
    assert "left localaws, delivery, producer running unwatched" in status.stdout
    for path in (running.home, running.home / "aws", running.home / "aws" / "state" / "iam.json"):
        path.chmod(path.stat().st_mode | 0o055)  # as earlier versions made them

    began = datetime.now(UTC)
    up = running.run("up", "--detach", *PACE)

    assert up.returncode == 0, up.stdout + up.stderr
    assert "Ended what a killed run had left" in up.stdout
    assert "Found earlier data" in up.stdout
    assert running.readable_for_others() == []
    assert not any(_lives(pid) for pid in orphans)
    running.await_quote(since=began)
    assert running.run("reconcile", "--wait", "90").returncode == 0


def test_reconcile_names_an_item_that_vanished_and_exits_1(running: Laptop) -> None:
    table = find_deployment(running.aws()).outputs.table_name
    key = {"symbol": {"S": "TSLA"}, "timestamp": {"S": "2026-03-12T14:30:00Z"}}
    dynamodb = running.aws().client("dynamodb")
    item = dynamodb.get_item(TableName=table, Key=key)["Item"]
    dynamodb.delete_item(TableName=table, Key=key)

    answer = running.run("reconcile", "--wait", "5")
    dynamodb.put_item(TableName=table, Item=item)

    assert answer.returncode == 1
    assert "TSLA 2026-03-12T14:30:00Z" in answer.stdout
    assert running.run("reconcile", "--wait", "60").returncode == 0


def test_down_leaves_no_process_and_the_data(running: Laptop) -> None:
    assert running.run("down").stdout == "Stopped. The data is kept.\n"

    assert running.processes() == []


def test_ctrl_c_stops_a_run_in_the_foreground_without_a_trace(laptop: Laptop) -> None:
    up = laptop.start("up", *PACE)
    lines = laptop.listen(up)
    await_(lambda: "Ctrl-C stops" in "".join(lines), "a run that flows")
    assert "Found earlier data" in "".join(lines)

    laptop.kill(laptop.pid("producer"))
    await_(lambda: "producer had died and runs again" in "".join(lines), "word of the producer's return")
    up.send_signal(signal.SIGINT)

    assert up.wait(timeout=100) == 0
    assert laptop.processes() == []


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
