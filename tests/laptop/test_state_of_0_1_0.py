"""A state folder that version 0.1.0 has left goes on with today's code; `state_of_0_1_0/make.py` made it."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from localaws.testing import running
from tapeline.aws import local
from tapeline.aws.clients import connect
from tapeline.aws.deployment import Deployment, find_deployment
from tapeline.deploy import stack
from tapeline.laptop import airflow, ports
from tapeline.laptop.mailbox import READER, subscribe_reader
from tapeline.laptop.supervisor import Program, Supervisor
from tapeline.laptop.users import AIRFLOW_USER, PRODUCER_USER, signer_of
from tapeline.stream import raw_zone

from .laptop import await_

ARCHIVE = Path(__file__).parent / "state_of_0_1_0" / "state.tar.xz"
_MOMENTS = re.compile(rb'("Approximate\w+":|"expires_at":\{"N":")(\d+)')
HOME_OF_BEFORE = "/home/you/tapeline/.tapeline"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, as if this were the machine that it was made on."""
    folder = tmp_path_factory.mktemp("home")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    for path in (*folder.glob("run/*"), folder / "airflow" / "settings.json"):
        path.write_text(path.read_text().replace(HOME_OF_BEFORE, str(folder)))
    _left_just_now(folder / "aws" / "journal.sqlite")
    return folder


def _left_just_now(journal: Path) -> None:
    """Move the times in it to now: the stream keeps a record for a day, and the table a quote for two."""
    with closing(sqlite3.connect(journal)) as connection, connection:
        shift = int(time.time() - connection.execute("SELECT max(arrived) FROM record").fetchone()[0])
        for table, column in (("record", "documents"), ("change", "documents"), ("item", "document")):
            for row, document in connection.execute(f"SELECT rowid, {column} FROM {table}").fetchall():
                moved = _MOMENTS.sub(lambda found: found[1] + str(int(found[2]) + shift).encode(), document)
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (moved, row))
        connection.execute("UPDATE record SET arrived = arrived + ?", (shift,))
        connection.execute("UPDATE change SET created = created + ?", (shift,))


@pytest.fixture(scope="module")
def updated(home: Path) -> Iterator[Deployment]:
    """Its AWS, started again and brought up to today's template."""
    with pytest.MonkeyPatch.context() as patch, running(home) as aws:
        patch.setenv("TAPELINE_HOME", str(home))
        patch.setenv("TAPELINE_PORT", str(aws.port))
        clients = connect("local")
        assert find_deployment(clients).outputs.table_name == "stock-market-data"
        yield stack.deploy(clients, {}, lambda step: None)


def test_airflow_keeps_its_secrets_log_in_and_database(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = json.loads((home / "airflow" / "settings.json").read_text())
    monkeypatch.setenv("TAPELINE_PORT", (home / "run" / "port").read_text())
    now = airflow.settings(home, local.Credentials(**json.loads((home / "airflow.json").read_text())))

    assert airflow.passwords(home) == {"admin": "admin-dummy", "viewer": "viewer-dummy"}
    moved = {"AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__CORE__PLUGINS_FOLDER"}  # of the checkout, which is another here
    assert {name: now[name] for name in now if name not in moved} == {
        name: before[name] for name in before if name not in moved
    }


def test_its_supervisor_is_known_to_be_gone_and_starts_anew(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPELINE_HOME", str(home))
    monkeypatch.setenv("TAPELINE_PORT", "")
    supervisor = Supervisor(home)
    assert not supervisor.was_killed()
    assert supervisor.orphans() == {}
    ports.adopt_port()
    assert local.port() == 4566  # what does not run has no port

    code = "import time; time.sleep(1000)"
    supervisor.start([Program("producer", [sys.executable, "-c", code], priority=300, stop_seconds=5)], {})
    try:
        supervisor.start_program("producer")
        await_(lambda: supervisor.state("producer").running, "the program of today")
        ports.adopt_port()
        assert str(local.port()) == (home / "run" / "port").read_text()
    finally:
        assert supervisor.stop(lambda names: None)


def test_the_data_is_there(updated: Deployment) -> None:
    outputs = updated.outputs
    [item] = updated.client("dynamodb").scan(TableName=outputs.table_name)["Items"]
    assert (item["symbol"], item["timestamp"]) == ({"S": "ACME.SIM"}, {"S": "2026-03-12T14:30:00Z"})
    s3 = updated.client("s3")
    [entry] = s3.list_objects_v2(Bucket=outputs.bucket_name, Prefix="raw-data/")["Contents"]
    [line] = raw_zone.get_lines(s3, outputs.bucket_name, entry["Key"])
    assert json.loads(line)["price"] == 101.5
    kinesis = updated.client("kinesis")
    shards = kinesis.list_shards(StreamName=outputs.stream_name)["Shards"]
    iterators = [
        kinesis.get_shard_iterator(
            StreamName=outputs.stream_name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        for shard in shards
    ]
    records = [record for iterator in iterators for record in kinesis.get_records(ShardIterator=iterator)["Records"]]
    assert [record["PartitionKey"] for record in records] == ["ACME.SIM"]


@pytest.mark.parametrize(
    ("user", "policy", "name"),
    [(PRODUCER_USER, "producer_policy_arn", "producer"), (AIRFLOW_USER, "airflow_policy_arn", "airflow")],
)
def test_its_users_keep_their_keys(updated: Deployment, home: Path, user: str, policy: str, name: str) -> None:
    signer = signer_of(updated.clients, user, getattr(updated.outputs, policy), home / f"{name}.json")

    assert signer.secret_access_key == f"{name}-dummy"
    assert connect("local", signer).client("sts").get_caller_identity()["Arn"].endswith(f":user/{user}")


def test_its_subscribers_get_mail_and_nobody_is_subscribed_twice(updated: Deployment, home: Path) -> None:
    subscribe_reader(updated, home)
    sns, outputs = updated.client("sns"), updated.outputs

    def confirmed(topic: str) -> list[str]:
        entries = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        return sorted(entry["Endpoint"] for entry in entries if entry["SubscriptionArn"].startswith("arn:"))

    assert confirmed(outputs.operations_topic_arn) == [READER]
    assert [address for address in confirmed(outputs.alert_topic_arn) if "@" in address] == [
        "reader@example.com",
        READER,
    ]
    sns.publish(TopicArn=outputs.operations_topic_arn, Subject="After the update", Message="Still here")
    mails = [path.read_text() for path in (home / "mail" / READER).glob("*.eml")]
    assert sum("Subject: After the update" in mail for mail in mails) == 1
