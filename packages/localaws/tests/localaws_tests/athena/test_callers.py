"""Athena does for a caller what the caller may do: catalog, objects and result, each by its own permission."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from localaws.clients import Clients
from localaws.testing import LocalAws
from localaws_tests.athena.lake import Runner
from localaws_tests.athena.test_api import rows_of, start, wait

GLUE = "arn:aws:glue:us-east-1:000000000000"
TABLE = ("catalog", "database/lake", "table/lake/quotes")
READ = {
    "glue:GetDatabase": [f"{GLUE}:{name}" for name in ("catalog", "database/default", "database/lake")],
    "glue:CreateDatabase": [f"{GLUE}:{name}" for name in ("catalog", "database/default")],
    "glue:GetTable": [f"{GLUE}:{name}" for name in TABLE],
    "glue:GetPartitions": [f"{GLUE}:{name}" for name in TABLE],
    "s3:GetBucketLocation": ["arn:aws:s3:::lake"],
    "s3:ListBucket": ["arn:aws:s3:::lake"],
    "s3:GetObject": ["arn:aws:s3:::lake/raw-data/*", "arn:aws:s3:::lake/results/*"],
    "s3:PutObject": ["arn:aws:s3:::lake/results/*"],
}
SELECT = "SELECT count(*) FROM lake.quotes WHERE dt = '2026-03-12'"


class Caller:
    """A user with a policy that can be changed."""

    def __init__(self, aws: Clients, local: LocalAws, name: str) -> None:
        self.name = name
        self._iam = aws.client("iam")
        self._iam.create_user(UserName=name)
        key = self._iam.create_access_key(UserName=name)["AccessKey"]
        self.athena = local.client("athena", key["AccessKeyId"], key["SecretAccessKey"])

    def may(self, actions: dict[str, list[str]]) -> None:
        statements = [
            {"Effect": "Allow", "Action": action, "Resource": resources}
            for action, resources in [("athena:*", ["*"]), *actions.items()]
            if resources
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self._iam.put_user_policy(UserName=self.name, PolicyName="own", PolicyDocument=document)

    def outcome(self, sql: str, database: str = "lake") -> tuple[str, str]:
        """Return the first value of the answer, or why there is none."""
        try:
            status = wait(self.athena, number := start(self.athena, sql, QueryExecutionContext={"Database": database}))[
                "Status"
            ]
            if status["State"] == "FAILED":
                return "", str(status["StateChangeReason"])
            rows = rows_of(self.athena.get_query_results(QueryExecutionId=number))
            return str(rows[-1][0]) if rows else "", ""
        except ClientError as error:
            return "", str(error)


@pytest.fixture
def caller(aws: Clients, local_aws: LocalAws, runner: Runner, request: pytest.FixtureRequest) -> Caller:
    return Caller(aws, local_aws, f"user-{abs(hash(request.node.name))}")


def without(action: str, resource: str) -> dict[str, list[str]]:
    return {**READ, action: [each for each in READ[action] if each != resource]}


def test_what_a_query_needs_is_enough(caller: Caller) -> None:
    caller.may(READ)
    assert caller.outcome(SELECT) == ("3", "")
    assert caller.outcome("SELECT count(*) FROM quotes") == ("4", "")


@pytest.mark.parametrize(("action", "resource"), [(action, each) for action in READ for each in READ[action]])
def test_nothing_of_it_can_be_left_out(caller: Caller, action: str, resource: str) -> None:
    caller.may(without(action, resource))
    answer, reason = caller.outcome(SELECT)
    assert answer == ""
    assert reason, f"without {action} on {resource} the query still runs"
    if action.startswith("glue:"):
        assert reason.startswith(
            f"User: arn:aws:iam::000000000000:user/{caller.name} is not authorized to perform: {action} on resource: "
        )
        assert f"because no identity-based policy allows the {action} action (Service: AmazonDataCatalog; " in reason
    else:
        words = {
            "s3:GetBucketLocation": "Unable to verify/create output bucket lake",
            "s3:ListBucket": "Permission denied on S3 path: s3://lake/raw-data/",
            "s3:GetObject": "Permission denied on S3 path: s3://lake/raw-data/",
            "s3:PutObject": "Access denied when writing output to url: s3://lake/results/",
        }[action]
        assert words in reason or (resource.endswith("results/*") and "s3:GetObject" in reason)


@pytest.mark.parametrize("named", ["lake.quotes", '"lake"."quotes"', "awsdatacatalog.lake.quotes"])
def test_a_database_that_only_the_statement_names_is_asked_for(caller: Caller, named: str) -> None:
    caller.may(without("glue:GetDatabase", f"{GLUE}:database/lake"))
    _, reason = caller.outcome(f"SELECT count(*) FROM {named}", "default")
    assert f"glue:GetDatabase on resource: {GLUE}:database/lake" in reason


WRITES = {
    "CREATE EXTERNAL TABLE made (n bigint) LOCATION 's3://lake/made/'": "glue:CreateTable",
    "CREATE VIEW seen AS SELECT symbol FROM quotes": "glue:CreateTable",
    "CREATE TABLE copied WITH (external_location = 's3://lake/copied/') AS SELECT symbol FROM quotes": "copied",
    "CREATE TABLE iced (n bigint) LOCATION 's3://lake/iced/' TBLPROPERTIES ('table_type' = 'ICEBERG')": "iced",
    "ALTER TABLE quotes ADD PARTITION (dt = '2020-01-01')": "glue:BatchCreatePartition",
    "ALTER TABLE quotes DROP PARTITION (dt = '2026-03-12')": "glue:",
    "DROP TABLE quotes": "glue:DeleteTable",
    "DROP DATABASE lake": "glue:",
    "CREATE DATABASE made": "glue:CreateDatabase",
    "SHOW TABLES": "glue:GetTables",
    "SHOW DATABASES": "glue:GetDatabases",
}


@pytest.mark.parametrize("statement", WRITES)
def test_who_may_only_read_changes_nothing(caller: Caller, statement: str) -> None:
    caller.may({**READ, "glue:GetTable": [f"{GLUE}:catalog", f"{GLUE}:database/lake", f"{GLUE}:table/lake/*"]})
    _, reason = caller.outcome(statement)
    assert WRITES[statement] in reason, reason
    assert "not authorized" in reason or "ccess denied" in reason or "ermission denied" in reason, reason
    assert caller.outcome("SELECT count(*) FROM quotes") == ("4", "")
