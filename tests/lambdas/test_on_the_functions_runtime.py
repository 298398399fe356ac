"""The zips as AWS runs them: on the Python that the template names, with boto3 beside them and nothing else."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tapeline.deploy import lambda_zip
from tests.infra.policies import load_template
from tests.operations.test_rejected import payload
from tests.stack import LocalDeployment

AT = "2026-03-12T15:00:00Z"
RUN = """
import json, sys
sys.path.insert(0, sys.argv[1])
import handler

class Context:
    aws_request_id, function_name, memory_limit_in_mb = "1", "f", 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:f"
    function_version = "$LATEST"
    def get_remaining_time_in_millis(self): return 30_000

answer = handler.handler(json.load(sys.stdin), Context())
files = {name.partition(".")[0]: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
libraries = sorted(name for name, file in files.items() if "site-packages" in file)
print("ANSWER", json.dumps({"answer": answer, "version": sys.version_info[:2], "libraries": libraries}))
"""
BESIDE = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3", "_distutils_hack"}
"""What the runtime brings (Lambda Developer Guide, "Runtime-included SDK versions")."""


def of_kinesis(*datas: bytes) -> dict[str, Any]:
    """Return an event as the Lambda Developer Guide shows it, "Process Amazon Kinesis Data Streams records"."""
    records = [
        {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": "ZIPPED",
                "sequenceNumber": f"4959033827149025660855969253836157109592157598913658889{number}",
                "data": base64.b64encode(data).decode(),
                "approximateArrivalTimestamp": 1773327600.5,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"shardId-000000000006:4959033827149025660855969253836157109592157598913658889{number}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
            "awsRegion": "us-east-2",
            "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
        }
        for number, data in enumerate(datas)
    ]
    return {"Records": records}


def runtime() -> str:
    (name,) = {
        resource["Properties"]["Runtime"]
        for resource in load_template()["Resources"].values()
        if isinstance(resource, dict) and resource["Type"] == "AWS::Lambda::Function"
    }
    return str(name).removeprefix("python")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an interpreter of the functions' version that has boto3, as locked, and nothing else."""
    uv, version, folder = Path(sys.executable).with_name("uv"), runtime(), tmp_path_factory.mktemp("runtime")
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    wanted = str(pyenv[-1]) if pyenv else version
    made = subprocess.run([uv, "venv", "--quiet", "--no-python-downloads", "--python", wanted, folder / "env"],
                          capture_output=True, text=True)  # fmt: skip
    if made.returncode:
        pytest.skip(
            f"no Python {version} on this machine, which the functions run on; `uv python install {version}` adds it"
        )
    found: Path = folder / "env" / "bin" / "python"
    lock = Path(__file__).parents[2] / "requirements.lock"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", found, "--constraint", lock, "boto3"], check=True)
    return found


def run(python: Path, deployment: LocalDeployment, function: str, event: Any, folder: Path) -> dict[str, Any]:
    name = {
        "stream_processor": "stream_processor_name",
        "trend_alerts": "trend_alerts_name",
        "feed_watch": "feed_watch_name",
    }[function]
    deployed = deployment.client("lambda").get_function_configuration(FunctionName=getattr(deployment.outputs, name))
    with zipfile.ZipFile(lambda_zip.build(function, folder).path) as archive:
        archive.extractall(folder / "task")
    root = deployment.local.root
    environment = {
        **deployed["Environment"]["Variables"],
        "AWS_ACCESS_KEY_ID": root["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": root["secret_access_key"],
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": deployment.local.endpoint,
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run([python, "-I", "-c", RUN, folder / "task"], input=json.dumps(event), env=environment,
                          capture_output=True, text=True, cwd=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("ANSWER"))
    document: dict[str, Any] = json.loads(line[7:])
    assert ".".join(map(str, document["version"])) == runtime()
    assert set(document["libraries"]) <= BESIDE, document["libraries"]
    return document


def test_the_processor_stores_a_quote(python: Path, deployment: LocalDeployment, tmp_path: Path) -> None:
    event = of_kinesis(payload("ZIPPED", AT))
    assert run(python, deployment, "stream_processor", event, tmp_path)["answer"] == {"batchItemFailures": []}
    key = {"symbol": {"S": "ZIPPED"}, "timestamp": {"S": AT}}
    assert deployment.client("dynamodb").get_item(TableName=deployment.outputs.table_name, Key=key)["Item"]


def test_the_trend_alerts_send_what_a_change_of_the_table_carries(
    python: Path, deployment: LocalDeployment, tmp_path: Path
) -> None:
    quotes = [payload("ZIPPED", "2026-03-12T15:01:00Z"), payload("ZIPPED", "2026-03-12T15:02:00Z", price=150, high=151)]
    run(python, deployment, "stream_processor", of_kinesis(*quotes), tmp_path / "processor")
    key = {"symbol": {"S": "ZIPPED"}, "timestamp": {"S": "2026-03-12T15:02:00Z"}}
    item = deployment.client("dynamodb").get_item(TableName=deployment.outputs.table_name, Key=key)["Item"]
    assert "alerts" in item
    change = {
        "eventID": "c4ca4238a0b923820dcc509a6f75849b", "eventName": "INSERT", "eventVersion": "1.1",
        "eventSource": "aws:dynamodb", "awsRegion": "us-east-2",
        "dynamodb": {"Keys": key, "NewImage": item, "SequenceNumber": "4421584500000000017450439091", "SizeBytes": 26,
                     "StreamViewType": "NEW_IMAGE", "ApproximateCreationDateTime": 1773327600},
        "eventSourceARN": "arn:aws:dynamodb:us-east-2:123456789012:table/t/stream/2026-03-12T00:00:00.000",
    }  # fmt: skip
    answer = run(python, deployment, "trend_alerts", {"Records": [change]}, tmp_path / "alerts")["answer"]
    assert answer == {"batchItemFailures": []}
    rows = deployment.client("dynamodb").scan(TableName=deployment.outputs.state_table_name)["Items"]
    assert any("ZIPPED" in row["key"]["S"] and row["key"]["S"].startswith("alert#") for row in rows)


def test_the_feed_watch_looks(python: Path, deployment: LocalDeployment, tmp_path: Path) -> None:
    event = {"source": "aws.events", "detail-type": "Scheduled Event", "time": "2026-03-12T15:00:00Z", "detail": {}}
    run(python, deployment, "feed_watch", event, tmp_path)
