"""Everything the DAGs do here is done by a user who has nothing but the template's policy for Airflow."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tapeline.aws.clients import connect
from tapeline.aws.deployment import Deployment
from tapeline.aws.local import Credentials
from tapeline.lake import athena, backfill, partitions, rollup, sql_files
from tapeline.lake.daily_bars import DailyBar
from tapeline.operations.redrive import redrive
from tapeline.reports import publication
from tapeline.stream import raw_zone
from tests.operations.test_redrive import changes, document
from tests.operations.test_rejected import line, payload
from tests.sql.lakes import AthenaLake
from tests.stack import LocalDeployment, objects

DAY = "2026-03-13"


@pytest.fixture(scope="module")
def airflow(deployment: LocalDeployment) -> Deployment:
    deployment.client("iam").create_user(UserName="airflow-test")
    deployment.client("iam").attach_user_policy(
        UserName="airflow-test", PolicyArn=deployment.outputs.airflow_policy_arn
    )
    return acting_as(deployment, "airflow-test")


def acting_as(deployment: LocalDeployment, user: str) -> Deployment:
    key = deployment.client("iam").create_access_key(UserName=user)["AccessKey"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPELINE_PORT", str(deployment.local.port))
        clients = connect("local", Credentials(key["AccessKeyId"], key["SecretAccessKey"]))
    return Deployment(clients, deployment.outputs)


def test_a_report_is_made_and_sent(airflow: Deployment, deployment: LocalDeployment, lake: AthenaLake) -> None:
    sent = publication.send_weekly_report(airflow, "2025-11-28")
    assert sent.sent
    assert sent.key in objects(deployment, "reports/")


def test_partitions_are_repaired(airflow: Deployment, deployment: LocalDeployment, lake: AthenaLake) -> None:
    lake.run("ALTER TABLE stock_data_table DROP PARTITION (dt = '2025-11-27')")
    plan = partitions.repair_partitions(airflow, "2025-11-27", "2025-11-27", dry_run=False)
    assert [folder.day for folder in plan.add] == [date(2025, 11, 27)]
    assert partitions.repair_partitions(airflow, "2025-11-27", "2025-11-27").is_empty


def test_rejected_records_are_redriven(airflow: Deployment, deployment: LocalDeployment) -> None:
    key = f"rejected/dt={DAY}/2026-03-13T14-30-00Z-shardId-000000000000-1.json.gz"
    s3, bucket = deployment.client("s3"), deployment.outputs.bucket_name
    raw_zone.put_lines(s3, bucket, key, [line(payload())])
    deployment.client("sqs").send_message(
        QueueUrl=deployment.outputs.dead_letter_queue_url, MessageBody="of another kind"
    )
    for body in (document([payload("AMZN")]), changes([])):
        deployment.client("s3").put_object(Bucket=bucket, Key=f"aws/lambda/{len(body)}", Body=body)
    found = redrive(airflow, DAY, DAY, dry_run=False)
    assert sum(found.redriven.values()) == 1
    assert (found.letter_quotes, [fate for _, fate in found.letters]) == (1, ["redriven and deleted"] * 2)
    assert objects(deployment, f"rejected/dt={DAY}/") == []
    deployment.client("sqs").purge_queue(QueueUrl=deployment.outputs.dead_letter_queue_url)


def test_history_is_backfilled(airflow: Deployment, deployment: LocalDeployment, lake: AthenaLake) -> None:
    def fetch(symbol: str, first: date, last: date) -> list[DailyBar]:
        return [DailyBar(first, symbol, Decimal(1), Decimal(2), Decimal(1), Decimal(2), 10)]

    (chunk,) = backfill.plan_backfill(airflow, ["IBM"], "2025-11-28", "2025-11-28")
    assert backfill.fill(airflow, chunk, fetch).rows == 1
    athena.run(airflow, sql_files.load("daily_history/view").render())


def test_tables_are_made_and_get_the_columns_they_lack(
    airflow: Deployment, deployment: LocalDeployment, lake: AthenaLake
) -> None:
    older = sql_files.load("anomalies/staging_ddl").render(bucket=deployment.outputs.bucket_name)
    lake.run("DROP TABLE anomalies_staging")
    lake.run(older.replace("    phase string,\n", ""))
    lake.run("DROP TABLE daily_summary_staging")
    rollup.create_tables(airflow)
    assert lake.run("SELECT phase FROM anomalies_staging") == []
    assert lake.run("SELECT symbol FROM daily_summary_staging") == []


def test_the_raw_zone_is_not_writable(airflow: Deployment, deployment: LocalDeployment) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        airflow.client("s3").put_object(Bucket=deployment.outputs.bucket_name, Key="raw-data/dt=x/y", Body=b"")


@pytest.mark.parametrize("policy", ["airflow_policy_arn", "analyst_policy_arn"])
def test_without_the_statement_for_the_default_database_no_query_runs(
    deployment: LocalDeployment, lake: AthenaLake, policy: str
) -> None:
    iam, user = deployment.client("iam"), f"no-default-{policy.split('_')[0]}"
    arn = getattr(deployment.outputs, policy)
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document: Any = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=json.dumps(document))
    caller = acting_as(deployment, user)
    statement = "SELECT symbol FROM daily_summary LIMIT 1"
    assert athena.run(caller, statement)

    kept = [one for one in document["Statement"] if one["Sid"] != "LookAtDefaultDatabase"]
    iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=json.dumps({**document, "Statement": kept}))
    refused = r"not authorized to perform: glue:GetDatabase on resource: arn:aws:glue:us-east-1:\d+:database/default"
    with pytest.raises(athena.StatementFailedError, match=refused):
        athena.run(caller, statement)
