"""Each role does all its work under the policy that the template gives it, which grants nothing beside that.

Airflow's policy is compared in `tests/dags`, after full runs of the DAGs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localaws.testing import running
from tapeline.aws.clients import connect
from tapeline.deploy import stack
from tapeline.lake import athena, sql_files
from tapeline.market.alerting.files import read_files
from tapeline.operations.rule_versions import RuleVersions
from tests.infra import minimality
from tests.lambdas.test_on_the_functions_runtime import of_kinesis
from tests.operations.test_rejected import payload
from tests.stack import LocalDeployment

RECORD = "asked.jsonl"
MAPPING = "the event source mapping's part, which another process does here: Lambda Developer Guide, {} permissions"
GIVEN_UP = "a batch that is given up: tests/operations/test_given_up_batches.py"
LOGS = "a file takes the functions' logs on the laptop"
CONSOLE = "the Athena console and its editor: AWS's own policy AmazonAthenaFullAccess has it"
CRAWLER = "AWS does not tell all that its crawler calls; its own AWSGlueServiceRole grants these on everything"
LARGE = "Athena's large results, which come in parts: AmazonAthenaFullAccess"


@dataclass(frozen=True)
class Role:
    """A role or user of the template: how its ARN reads, where its policy stands, and what is granted all the same."""

    caller: str
    policy: str
    excused: dict[str, str]


ROLES = {
    "StreamProcessorRole": Role(
        "assumed-role/tapeline-StreamProcessorRole", "role",
        {
            "ReadStream: kinesis:*": MAPPING.format("Kinesis"),
            "GiveUp: s3:PutObject": GIVEN_UP,
            "LookBeforeGivingUp: s3:ListBucket": GIVEN_UP,
            "Log: logs:*": LOGS,
        },
    ),
    "TrendAlertsRole": Role(
        "assumed-role/tapeline-TrendAlertsRole", "role",
        {
            "ReadTableStream: dynamodb:*": MAPPING.format("DynamoDB Streams"),
            "ListTableStreams: dynamodb:*": MAPPING.format("DynamoDB Streams"),
            "GiveUp: s3:PutObject": GIVEN_UP,
            "LookBeforeGivingUp: s3:ListBucket": GIVEN_UP,
            "Log: logs:*": LOGS,
        },
    ),
    "FeedWatchRole": Role("assumed-role/tapeline-FeedWatchRole", "role", {"Log: logs:*": LOGS}),
    "CrawlerRole": Role(
        "assumed-role/tapeline-CrawlerRole", "role",
        {
            "FindRawData: s3:GetBucketLocation": CRAWLER,
            "KeepTable: glue:*": CRAWLER,
        },
    ),
    "ProducerPolicy": Role("user/producer", "producer_policy_arn", {}),
    "AnalystPolicy": Role(
        "user/analyst", "analyst_policy_arn",
        {
            "Query: athena:*": CONSOLE,
            "BrowseCatalog: athena:*": CONSOLE,
            "OpenConsole: athena:*": CONSOLE,
            "ReadCatalog: glue:*": CONSOLE,
            "LookAtDefaultDatabase: glue:GetDatabases": CONSOLE,
            "ListLake: s3:ListBucketMultipartUploads": LARGE,
            "WriteResults: s3:*": LARGE,
        },
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDeployment]:
    """Return a deployment in which everybody but Airflow has done what they are there for."""
    folder = tmp_path_factory.mktemp("tapeline")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALAWS_RECORD", str(folder / RECORD))
        with running(folder) as local:
            patch.setenv("TAPELINE_HOME", str(local.folder))
            patch.setenv("TAPELINE_PORT", str(local.port))
            deployed = LocalDeployment(local, stack.deploy(connect("local"), {}, lambda _: None))
            with naming_what_is_refused(folder / RECORD):
                the_functions_work(deployed)
                the_crawler_works(deployed)
                the_producer_works(deployed, key_of(deployed, "producer", deployed.outputs.producer_policy_arn))
                the_feed_watch_works(deployed)
                the_analyst_works(deployed, key_of(deployed, "analyst", deployed.outputs.analyst_policy_arn))
            yield deployed


@contextmanager
def naming_what_is_refused(record: Path) -> Iterator[None]:
    """Say of work that fails which permissions it lacked."""
    try:
        yield
    except Exception as error:
        refused = minimality.lacking(minimality.read(record, ""))
        raise AssertionError("\n".join([f"work stopped: {error}", *refused])) from error


def key_of(deployment: LocalDeployment, user: str, policy: str) -> tuple[str, str]:
    iam = deployment.client("iam")
    iam.create_user(UserName=user)
    iam.attach_user_policy(UserName=user, PolicyArn=policy)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def the_functions_work(deployment: LocalDeployment) -> None:
    outputs, client = deployment.outputs, deployment.client("lambda")
    versions = RuleVersions(deployment, clock=lambda: 0.0)  # so that they hold for what arrived in March
    versions.apply(read_files([Path("include/rules")]).rules, based_on=None, by="test")

    def invoke(function: str, event: Any) -> None:
        answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        assert "FunctionError" not in answer, answer["Payload"].read()

    times = [f"2026-03-12T14:3{minute}:00Z" for minute in range(3)]
    event = of_kinesis(*(payload(at=at, price=100.0 + 40 * (at == times[2]), high=150.0) for at in times), b"no quote")
    for _ in range(2):  # as a batch that is delivered again
        invoke(outputs.stream_processor_name, event)
    items = deployment.client("dynamodb").scan(TableName=outputs.table_name)["Items"]
    changes = [{"dynamodb": {"NewImage": item, "SequenceNumber": str(n)}} for n, item in enumerate(items, 1)]
    assert any("alerts" in item for item in items)
    invoke(outputs.trend_alerts_name, {"Records": changes})


def the_feed_watch_works(deployment: LocalDeployment) -> None:
    url = deployment.outputs.dead_letter_queue_url
    deployment.client("sqs").send_message(QueueUrl=url, MessageBody="given up")
    answer = deployment.client("lambda").invoke(FunctionName=deployment.outputs.feed_watch_name, Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()


def the_crawler_works(deployment: LocalDeployment) -> None:
    glue, name = deployment.client("glue"), deployment.outputs.crawler_name
    for column in ("", "bid"):
        if column:  # a new field, which makes the crawler change table and partitions
            line = json.dumps({**json.loads(payload(at="2026-03-12T14:40:00Z")), column: 1.5}).encode()
            key = "raw-data/dt=2026-03-12/new.json"
            deployment.client("s3").put_object(Bucket=deployment.outputs.bucket_name, Key=key, Body=line + b"\n")
        glue.start_crawler(Name=name)
        while glue.get_crawler(Name=name)["Crawler"]["State"] != "READY":
            time.sleep(0.2)
        assert glue.get_crawler(Name=name)["Crawler"]["LastCrawl"]["Status"] == "SUCCEEDED"


def the_producer_works(deployment: LocalDeployment, key: tuple[str, str]) -> None:
    command = [sys.executable, "-m", "producer", "simulated", "--target", "aws"]
    process = subprocess.Popen(
        command, env=as_user(deployment, key), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    record = deployment.local.folder / RECORD
    deadline = time.monotonic() + 30
    wanted = {"kinesis:PutRecords", "dynamodb:PutItem"}
    while not wanted <= {one.action for one in minimality.read(record, "user/producer")}:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "the producer has sent nothing in half a minute"
        time.sleep(0.2)
    process.terminate()
    process.communicate(timeout=30)


def the_analyst_works(deployment: LocalDeployment, key: tuple[str, str]) -> None:
    athena.run(deployment, sql_files.load("daily_summary/ddl").render(bucket=deployment.outputs.bucket_name))
    for file in ("first_ten_rows", "top_movers"):
        command = [sys.executable, "-m", "tapeline.cli.main", "query", file, "--target", "aws"]
        done = subprocess.run(command, env=as_user(deployment, key), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    deployment.client("s3").put_object(Bucket=deployment.outputs.bucket_name, Key="reports/page.html", Body=b"page")
    s3 = deployment.local.client("s3", *key)
    assert s3.get_object(Bucket=deployment.outputs.bucket_name, Key="reports/page.html")["Body"].read() == b"page"


def as_user(deployment: LocalDeployment, key: tuple[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        "AWS_ACCESS_KEY_ID": key[0],
        "AWS_SECRET_ACCESS_KEY": key[1],
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": deployment.local.endpoint,
    }


def document_of(deployment: LocalDeployment, name: str) -> Any:
    iam = deployment.client("iam")
    role = ROLES[name]
    if role.policy == "role":
        resource = deployment.client("cloudformation").describe_stack_resource(
            StackName="tapeline", LogicalResourceId=name
        )
        physical = resource["StackResourceDetail"]["PhysicalResourceId"]
        (policy,) = iam.list_role_policies(RoleName=physical)["PolicyNames"]
        return iam.get_role_policy(RoleName=physical, PolicyName=policy)["PolicyDocument"]
    arn = getattr(deployment.outputs, role.policy)
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


@pytest.mark.parametrize("name", ROLES)
def test_a_role_is_granted_what_it_uses_and_nothing_else(worked: LocalDeployment, name: str) -> None:
    asked = minimality.read(Path(worked.local.folder / RECORD), ROLES[name].caller)
    assert asked, f"nobody acted as {name}"
    granted = minimality.grants(document_of(worked, name))
    wrong = [*minimality.lacking(asked), *minimality.unused(granted, asked, ROLES[name].excused)]
    assert not wrong, "\n".join(wrong)
    for grant, refused in sorted(minimality.missed(granted, asked).items()):
        print(f"{name} without {grant}, refused: {refused[0] if refused else 'nothing'}")
        assert refused, grant
