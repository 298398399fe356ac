"""Each role and policy does its work under enforced IAM, and is refused its neighbours'."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.testing import LocalAws
from tapeline.aws.clients import Clients
from tapeline.aws.deployment import DEFAULT_NAME, StackOutputs
from tapeline.deploy import stack

REFUSED = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "UnauthorizedOperation",
}
ClientOf = Callable[[str], Any]
_numbers = itertools.count()


@pytest.fixture(scope="module")
def made(aws: Clients) -> StackOutputs:
    return stack.deploy(aws, {"AlertEmails": "ann@example.org"}, lambda _: None).outputs


def refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] in REFUSED:
            return True
        raise
    return False


def of_role(local_aws: LocalAws, aws: Clients, logical_name: str) -> ClientOf:
    """Return clients that act in a role of the stack, as Lambda and Glue get them."""
    resource = aws.client("cloudformation").describe_stack_resource(
        StackName=DEFAULT_NAME, LogicalResourceId=logical_name
    )["StackResourceDetail"]
    arn = f"arn:aws:iam::000000000000:role/{resource['PhysicalResourceId']}"
    keys = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return lambda service: local_aws.client(service, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def of_policy(local_aws: LocalAws, aws: Clients, arn: str) -> ClientOf:
    """Return clients of a user that has this policy and nothing else."""
    iam = aws.client("iam")
    name = f"user-{next(_numbers)}"
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return lambda service: local_aws.client(service, key["AccessKeyId"], key["SecretAccessKey"])


def shard_iterator(kinesis: Any, stream: str) -> str:
    shard = kinesis.list_shards(StreamName=stream)["Shards"][0]["ShardId"]
    return str(
        kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    )


QUOTE = {"symbol": {"S": "AAPL"}, "timestamp": {"S": "2026-03-12T14:30:00Z"}, "price": {"N": "1"}}
STATE = {"key": {"S": "symbol#AAPL"}}


def give_up(s3: Any, made: StackOutputs) -> None:
    """Do what an event source mapping does in its function's name with a batch that it gives up."""
    s3.list_objects_v2(Bucket=made.bucket_name, MaxKeys=1)
    s3.put_object(Bucket=made.bucket_name, Key="aws/lambda/1111/shardId-000000000000/2026/03/12/a", Body=b"{}")


def test_the_stream_processor_does_its_work_and_no_other(made: StackOutputs, local_aws: LocalAws, aws: Clients) -> None:
    clients = of_role(local_aws, aws, "StreamProcessorRole")
    kinesis, dynamodb, s3, sqs, sns = map(clients, ("kinesis", "dynamodb", "s3", "sqs", "sns"))

    kinesis.describe_stream_summary(StreamName=made.stream_name)
    kinesis.get_records(ShardIterator=shard_iterator(kinesis, made.stream_name))
    dynamodb.batch_write_item(
        RequestItems={
            made.table_name: [{"PutRequest": {"Item": QUOTE}}],
            made.state_table_name: [{"PutRequest": {"Item": STATE}}],
        }
    )
    dynamodb.batch_get_item(RequestItems={made.state_table_name: {"Keys": [STATE]}})
    for prefix in ("raw-data", "rejected"):
        s3.put_object(Bucket=made.bucket_name, Key=f"{prefix}/dt=2026-03-12/a.json.gz", Body=b"x", IfNoneMatch="*")
        s3.get_object(Bucket=made.bucket_name, Key=f"{prefix}/dt=2026-03-12/a.json.gz")
    give_up(s3, made)

    assert refused(lambda: kinesis.put_record(StreamName=made.stream_name, Data=b"x", PartitionKey="x"))
    assert refused(lambda: dynamodb.scan(TableName=made.table_name))
    assert refused(lambda: dynamodb.delete_table(TableName=made.table_name))
    assert refused(lambda: s3.put_object(Bucket=made.bucket_name, Key="reports/a", Body=b"x"))
    assert refused(lambda: s3.delete_object(Bucket=made.bucket_name, Key="raw-data/dt=2026-03-12/a.json.gz"))
    assert refused(lambda: s3.get_object(Bucket=made.bucket_name, Key="aws/lambda/a"))
    assert refused(lambda: sqs.send_message(QueueUrl=made.dead_letter_queue_url, MessageBody="x"))
    assert refused(lambda: sns.publish(TopicArn=made.alert_topic_arn, Message="x"))


def test_the_trend_alerts_do_their_work_and_no_other(made: StackOutputs, local_aws: LocalAws, aws: Clients) -> None:
    clients = of_role(local_aws, aws, "TrendAlertsRole")
    streams, dynamodb, s3, sqs, sns = map(clients, ("dynamodbstreams", "dynamodb", "s3", "sqs", "sns"))

    (stream,) = streams.list_streams(TableName=made.table_name)["Streams"]
    shards = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(
        StreamArn=stream["StreamArn"], ShardId=shards[0]["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    streams.get_records(ShardIterator=iterator)
    memory = {"key": {"S": "alert#AAPL"}}
    dynamodb.batch_get_item(RequestItems={made.state_table_name: {"Keys": [memory]}})
    dynamodb.batch_write_item(RequestItems={made.state_table_name: [{"PutRequest": {"Item": memory}}]})
    entry: Any = {"Id": "0", "Message": "AAPL turns up"}
    assert sns.publish_batch(TopicArn=made.alert_topic_arn, PublishBatchRequestEntries=[entry])["Successful"]
    give_up(s3, made)

    assert refused(lambda: sns.publish(TopicArn=made.operations_topic_arn, Message="x"))
    assert refused(lambda: sns.subscribe(TopicArn=made.alert_topic_arn, Protocol="email", Endpoint="eve@example.org"))
    assert refused(lambda: dynamodb.batch_get_item(RequestItems={made.table_name: {"Keys": [QUOTE]}}))
    assert refused(lambda: s3.get_object(Bucket=made.bucket_name, Key="raw-data/a"))
    assert refused(lambda: s3.put_object(Bucket=made.bucket_name, Key="raw-data/a", Body=b"x"))
    assert refused(lambda: sqs.send_message(QueueUrl=made.dead_letter_queue_url, MessageBody="x"))
    assert refused(lambda: clients("kinesis").list_shards(StreamName=made.stream_name))


def test_the_feed_watch_does_its_work_and_no_other(made: StackOutputs, local_aws: LocalAws, aws: Clients) -> None:
    clients = of_role(local_aws, aws, "FeedWatchRole")
    dynamodb, sqs, sns = map(clients, ("dynamodb", "sqs", "sns"))
    memory = {"key": {"S": "watch#feed"}}

    dynamodb.batch_get_item(RequestItems={made.state_table_name: {"Keys": [STATE]}})
    dynamodb.get_item(TableName=made.state_table_name, Key={"key": {"S": "followed"}})
    dynamodb.put_item(TableName=made.state_table_name, Item=memory)
    aws.client("dynamodb").delete_item(TableName=made.state_table_name, Key=memory)
    sqs.get_queue_attributes(QueueUrl=made.dead_letter_queue_url, AttributeNames=["ApproximateNumberOfMessages"])
    sns.list_subscriptions_by_topic(TopicArn=made.alert_topic_arn)
    sns.publish(TopicArn=made.operations_topic_arn, Message="silence")

    assert refused(lambda: dynamodb.put_item(TableName=made.state_table_name, Item={"key": {"S": "followed"}}))
    assert refused(lambda: dynamodb.delete_item(TableName=made.state_table_name, Key=memory))
    assert refused(lambda: dynamodb.scan(TableName=made.state_table_name))
    assert refused(lambda: dynamodb.get_item(TableName=made.table_name, Key=QUOTE))
    assert refused(lambda: sqs.receive_message(QueueUrl=made.dead_letter_queue_url))
    assert refused(lambda: sns.publish(TopicArn=made.alert_topic_arn, Message="x"))
    assert refused(lambda: sns.list_subscriptions_by_topic(TopicArn=made.operations_topic_arn))
    assert refused(lambda: clients("s3").list_objects_v2(Bucket=made.bucket_name))


def test_the_deployed_feed_watch_hears_a_hung_producer_under_its_own_role(made: StackOutputs, aws: Clients) -> None:
    dynamodb = aws.client("dynamodb")
    said_at = "2026-03-12T14:30:00Z"
    followed: Any = {
        "key": {"S": "followed"},
        "source": {"S": "yahoo"},
        "symbols": {"L": [{"S": "AAPL"}]},
        "every_seconds": {"N": "30"},
        "started_at": {"S": said_at},
        "said_at": {"S": said_at},
    }
    dynamodb.put_item(TableName=made.state_table_name, Item=followed)
    function = aws.client("lambda")
    for _ in range(2):
        answer = function.invoke(FunctionName=made.feed_watch_name, Payload=b"{}")
        assert "FunctionError" not in answer
        assert json.loads(answer["Payload"].read())["quotes"].startswith("red: the producer (yahoo) has said nothing")
    told = dynamodb.get_item(TableName=made.state_table_name, Key={"key": {"S": "watch#feed"}})["Item"]
    assert "quotes" in json.loads(told["state"]["S"])["red"]
    assert "untold" not in told

    dynamodb.put_item(TableName=made.state_table_name, Item={"key": {"S": "followed"}})
    answer = function.invoke(FunctionName=made.feed_watch_name, Payload=b"{}")
    assert "not as agreed" in json.loads(answer["Payload"].read())["errorMessage"]
    dynamodb.delete_item(TableName=made.state_table_name, Key={"key": {"S": "followed"}})


def test_the_feed_watch_is_started_each_minute(made: StackOutputs, aws: Clients) -> None:
    events = aws.client("events")
    (rule,) = events.list_rules(NamePrefix="tapeline-feed-watch")["Rules"]
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 minute)", "ENABLED")
    (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"].endswith(f":function:{made.feed_watch_name}")


@pytest.mark.parametrize(
    ("role", "own", "others"),
    [
        ("StreamProcessorRole", "stock-market-stream-processor", "stock-market-trend-alerts"),
        ("TrendAlertsRole", "stock-market-trend-alerts", "stock-market-stream-processor"),
        ("FeedWatchRole", "tapeline-feed-watch", "stock-market-stream-processor"),
    ],
)
def test_a_function_logs_to_its_own_group_only_and_makes_none(
    made: StackOutputs, local_aws: LocalAws, aws: Clients, role: str, own: str, others: str
) -> None:
    logs = of_role(local_aws, aws, role)("logs")
    logs.create_log_stream(logGroupName=f"/aws/lambda/{own}", logStreamName="s")
    logs.put_log_events(
        logGroupName=f"/aws/lambda/{own}", logStreamName="s", logEvents=[{"timestamp": 1773325800000, "message": "m"}]
    )
    assert refused(lambda: logs.create_log_stream(logGroupName=f"/aws/lambda/{others}", logStreamName="s"))
    assert refused(lambda: logs.create_log_group(logGroupName="/aws/lambda/another"))


def test_the_crawler_reads_the_raw_zone_and_keeps_its_table_only(
    made: StackOutputs, local_aws: LocalAws, aws: Clients
) -> None:
    clients = of_role(local_aws, aws, "CrawlerRole")
    s3, glue = clients("s3"), clients("glue")
    aws.client("s3").put_object(Bucket=made.bucket_name, Key="raw-data/dt=2026-03-13/a.json.gz", Body=b"x")
    s3.list_objects_v2(Bucket=made.bucket_name, Prefix="raw-data/")
    s3.get_object(Bucket=made.bucket_name, Key="raw-data/dt=2026-03-13/a.json.gz")
    table = glue.get_table(DatabaseName=made.database_name, Name=made.raw_table_name)["Table"]
    glue.batch_create_partition(
        DatabaseName=made.database_name,
        TableName=made.raw_table_name,
        PartitionInputList=[{"Values": ["2026-03-13"], "StorageDescriptor": table["StorageDescriptor"]}],
    )
    assert glue.get_partitions(DatabaseName=made.database_name, TableName=made.raw_table_name)["Partitions"]

    assert refused(lambda: s3.put_object(Bucket=made.bucket_name, Key="raw-data/a", Body=b"x"))
    assert refused(lambda: s3.get_object(Bucket=made.bucket_name, Key="rejected/a"))
    assert refused(lambda: glue.delete_table(DatabaseName=made.database_name, Name=made.raw_table_name))
    assert refused(lambda: glue.create_database(DatabaseInput={"Name": "another"}))


def test_the_producer_puts_quotes_says_what_it_follows_and_can_do_nothing_else(
    made: StackOutputs, local_aws: LocalAws, aws: Clients
) -> None:
    clients = of_policy(local_aws, aws, made.producer_policy_arn)
    kinesis = clients("kinesis")
    kinesis.put_records(StreamName=made.stream_name, Records=[{"Data": b"x", "PartitionKey": "AAPL"}])
    clients("cloudformation").describe_stacks(StackName=DEFAULT_NAME)
    dynamodb = clients("dynamodb")
    dynamodb.put_item(TableName=made.state_table_name, Item={"key": {"S": "followed"}})

    for key in ("symbol#AAPL", "alert#AAPL", "follow", "followed#"):
        assert refused(partial(dynamodb.put_item, TableName=made.state_table_name, Item={"key": {"S": key}}))
    assert refused(lambda: dynamodb.get_item(TableName=made.state_table_name, Key={"key": {"S": "followed"}}))
    assert refused(lambda: dynamodb.delete_item(TableName=made.state_table_name, Key={"key": {"S": "followed"}}))
    assert refused(lambda: dynamodb.put_item(TableName=made.table_name, Item=QUOTE))
    assert refused(lambda: kinesis.list_shards(StreamName=made.stream_name))
    assert refused(lambda: kinesis.describe_stream_summary(StreamName=made.stream_name))
    assert refused(lambda: kinesis.delete_stream(StreamName=made.stream_name))
    assert refused(lambda: clients("s3").list_objects_v2(Bucket=made.bucket_name))
    assert refused(lambda: clients("dynamodb").scan(TableName=made.table_name))
    assert refused(lambda: clients("lambda").invoke(FunctionName=made.stream_processor_name))


def test_airflow_crawls_queries_reports_and_redrives_but_leaves_the_raw_zone(
    made: StackOutputs, local_aws: LocalAws, aws: Clients
) -> None:
    clients = of_policy(local_aws, aws, made.airflow_policy_arn)
    s3, glue, kinesis, sqs = map(clients, ("s3", "glue", "kinesis", "sqs"))
    glue.get_crawler(Name=made.crawler_name)
    glue.get_crawler_metrics(CrawlerNameList=[made.crawler_name])
    clients("cloudwatch").describe_alarms(AlarmNamePrefix="tapeline-", StateValue="ALARM")
    athena = clients("athena")
    query = athena.start_query_execution(QueryString="SELECT 1", WorkGroup=made.work_group_name)["QueryExecutionId"]
    for key in ("curated/minute_bars/a", "reports/a", "athena-results/a"):
        s3.put_object(Bucket=made.bucket_name, Key=key, Body=b"x")
    s3.list_objects_v2(Bucket=made.bucket_name, Prefix="raw-data/")
    clients("sns").publish(TopicArn=made.operations_topic_arn, Message="a DAG failed")
    clients("dynamodb").query(
        TableName=made.table_name,
        KeyConditionExpression="symbol = :s",
        ExpressionAttributeValues={":s": {"S": "AAPL"}},
    )
    kinesis.get_records(ShardIterator=shard_iterator(aws.client("kinesis"), made.stream_name))
    kinesis.put_records(StreamName=made.stream_name, Records=[{"Data": b"x", "PartitionKey": "AAPL"}])
    sqs.receive_message(QueueUrl=made.dead_letter_queue_url)
    clients("cloudformation").describe_stacks(StackName=DEFAULT_NAME)

    assert refused(lambda: s3.put_object(Bucket=made.bucket_name, Key="raw-data/a", Body=b"x"))
    s3.delete_object(Bucket=made.bucket_name, Key="curated/minute_bars/a")
    for key in ("raw-data/dt=2026-03-12/a.json.gz", "reports/a", "athena-results/a"):
        assert refused(partial(s3.delete_object, Bucket=made.bucket_name, Key=key)), key
    assert refused(lambda: clients("dynamodb").put_item(TableName=made.table_name, Item=QUOTE))
    assert refused(lambda: glue.delete_crawler(Name=made.crawler_name))
    assert refused(lambda: glue.stop_crawler(Name=made.crawler_name))
    assert refused(lambda: glue.delete_database(Name=made.database_name))
    assert refused(lambda: glue.delete_table(DatabaseName=made.database_name, Name=made.raw_table_name))
    prepared = {"StatementName": "a", "WorkGroup": made.work_group_name}
    assert refused(lambda: athena.get_prepared_statement(**prepared))
    assert refused(lambda: athena.get_query_runtime_statistics(QueryExecutionId=query))
    assert refused(lambda: clients("cloudformation").delete_stack(StackName=DEFAULT_NAME))
    assert refused(lambda: clients("iam").list_users())


def test_an_analyst_reads_the_lake_and_writes_results_only(
    made: StackOutputs, local_aws: LocalAws, aws: Clients
) -> None:
    clients = of_policy(local_aws, aws, made.analyst_policy_arn)
    s3, glue, athena = clients("s3"), clients("glue"), clients("athena")
    aws.client("s3").put_object(Bucket=made.bucket_name, Key="raw-data/dt=2026-03-14/a.json.gz", Body=b"x")
    glue.get_table(DatabaseName=made.database_name, Name=made.raw_table_name)
    glue.get_partitions(DatabaseName=made.database_name, TableName=made.raw_table_name)
    s3.get_object(Bucket=made.bucket_name, Key="raw-data/dt=2026-03-14/a.json.gz")
    s3.put_object(Bucket=made.bucket_name, Key="athena-results/a.csv", Body=b"x")
    query = athena.start_query_execution(QueryString="SELECT 1", WorkGroup=made.work_group_name)["QueryExecutionId"]
    athena.get_query_execution(QueryExecutionId=query)
    athena.list_work_groups()
    clients("cloudformation").describe_stacks(StackName=DEFAULT_NAME)

    assert refused(lambda: s3.put_object(Bucket=made.bucket_name, Key="curated/a", Body=b"x"))
    assert refused(lambda: s3.delete_object(Bucket=made.bucket_name, Key="athena-results/a.csv"))
    assert refused(lambda: s3.get_object(Bucket=made.bucket_name, Key="rejected/a"))
    assert refused(lambda: glue.delete_table(DatabaseName=made.database_name, Name=made.raw_table_name))
    assert refused(lambda: athena.start_query_execution(QueryString="SELECT 1", WorkGroup="primary"))
    assert refused(lambda: clients("dynamodb").scan(TableName=made.table_name))


@pytest.fixture
def made_with_tls(made: StackOutputs, aws: Clients) -> Iterator[StackOutputs]:
    yield stack.deploy(aws, {"RequireTls": "true"}, lambda _: None).outputs
    stack.deploy(aws, {"RequireTls": "false"}, lambda _: None)


def test_with_tls_required_bucket_queue_and_topics_refuse_plain_http(
    made_with_tls: StackOutputs, local_aws: LocalAws, aws: Clients
) -> None:
    made = made_with_tls
    iam = aws.client("iam")
    iam.create_user(UserName="everything")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName="everything", PolicyName="everything", PolicyDocument=json.dumps(everything))
    key = iam.create_access_key(UserName="everything")["AccessKey"]

    def client(service: str) -> Any:
        return local_aws.client(service, key["AccessKeyId"], key["SecretAccessKey"])

    assert refused(lambda: client("s3").put_object(Bucket=made.bucket_name, Key="raw-data/a", Body=b"x"))
    assert refused(lambda: client("sqs").send_message(QueueUrl=made.dead_letter_queue_url, MessageBody="x"))
    assert refused(lambda: client("sns").publish(TopicArn=made.alert_topic_arn, Message="x"))
    assert refused(lambda: client("sns").publish(TopicArn=made.operations_topic_arn, Message="x"))
    assert not refused(lambda: client("dynamodb").scan(TableName=made.table_name))
