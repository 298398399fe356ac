"""A real Airflow database, the DAGs of the project, and a real local AWS with the stack and two sessions on it."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from typing import Any

import pytest

from localaws.delivery import Delivery
from localaws.mail import Mailbox
from localaws.testing import LocalAws, running
from tapeline.aws.clients import connect
from tapeline.aws.deployment import Deployment
from tapeline.deploy import stack
from tapeline.lake import athena
from tapeline.market.quotes import Quote
from tapeline.stream.pump import run as produce
from tapeline.stream.source import Counters
from tapeline.stream.writer import KinesisWriter
from tests.producer.builders import FixedSource, simulated_day

SYMBOLS = ("ACME.SIM", "BOLT.SIM")
AROUND_THANKSGIVING = ("2025-11-26", "2025-11-28")
READER = "reader@example.com"
OPERATOR = "operator@example.com"

Row = dict[str, Any]


class LocalDeployment(Deployment):
    """The stack on a local AWS, as its owner sees it."""

    def __init__(self, local: LocalAws, deployment: Deployment) -> None:
        super().__init__(deployment.clients, deployment.outputs)
        self.local = local

    def query(self, statement: str) -> list[Row]:
        return list(athena.query(self, statement))

    def keys(self, prefix: str) -> list[str]:
        pages = self.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.outputs.bucket_name, Prefix=prefix)
        return [entry["Key"] for page in found for entry in page.get("Contents", [])]

    def text(self, key: str) -> str:
        answer = self.client("s3").get_object(Bucket=self.outputs.bucket_name, Key=key)
        return str(answer["Body"].read().decode())

    def mail(self, address: str) -> list[tuple[str, str]]:
        """Subject and text of what an address got, the oldest first."""
        messages = Mailbox(self.local.folder / "mail").newest(1000)
        return [(found.subject, found.text) for found in reversed(messages) if found.address == address]

    def subscribe(self, topic: str, address: str) -> None:
        sns = self.client("sns")
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
        link = next(line for line in self.mail(address)[-1][1].splitlines() if "token=" in line)
        sns.confirm_subscription(TopicArn=topic, Token=link.rpartition("token=")[2].partition("&")[0])

    def put(self, source: Any) -> None:
        """Send a source's quotes through the stream and wait until the raw zone has them."""
        writer = KinesisWriter(self.client("kinesis"), self.outputs.stream_name, Counters())
        produce(source, writer, stop=threading.Event())


RECORD = "asked.jsonl"
"""What each caller was allowed and refused."""


@pytest.fixture(scope="package")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDeployment]:
    """The stack, quotes of two sessions through its stream, and Airflow's user with the stack's policy alone."""
    with ExitStack() as exits:
        patch = exits.enter_context(pytest.MonkeyPatch.context())
        folder = tmp_path_factory.mktemp("tapeline")
        patch.setenv("LOCALAWS_RECORD", str(folder / RECORD))
        local = exits.enter_context(running(folder))
        patch.setenv("TAPELINE_HOME", str(local.folder))
        patch.setenv("TAPELINE_PORT", str(local.port))
        found = LocalDeployment(local, stack.deploy(connect("local"), {}, lambda _: None))
        stop = threading.Event()
        delivery = threading.Thread(target=Delivery(found.clients, local.folder).run, args=(stop,), daemon=True)
        delivery.start()
        for day in AROUND_THANKSGIVING:
            now = datetime.now(UTC)
            found.put(FixedSource(simulated_day(date.fromisoformat(day), SYMBOLS, ingested_at=now)))
        wait_until(lambda: raw_records(found) >= 2 * 1440 * len(AROUND_THANKSGIVING), "all quotes in the raw zone")
        stop.set()
        delivery.join(timeout=30)
        found.subscribe(found.outputs.alert_topic_arn, READER)
        found.subscribe(found.outputs.operations_topic_arn, OPERATOR)
        patch.setenv("AIRFLOW_CONN_AWS_DEFAULT", airflow_connection(found))
        yield found


def raw_records(deployment: LocalDeployment) -> int:
    import gzip

    s3, bucket = deployment.client("s3"), deployment.outputs.bucket_name
    bodies = (s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in deployment.keys("raw-data/"))
    return sum(gzip.decompress(body).count(b"\n") for body in bodies)


def airflow_connection(deployment: LocalDeployment) -> str:
    iam = deployment.client("iam")
    iam.create_user(UserName="airflow")
    iam.attach_user_policy(UserName="airflow", PolicyArn=deployment.outputs.airflow_policy_arn)
    key = iam.create_access_key(UserName="airflow")["AccessKey"]
    extra = {
        "region_name": deployment.outputs.region,
        "endpoint_url": deployment.local.endpoint,
        "config_kwargs": {"proxies": {}},
    }
    return json.dumps(
        {"conn_type": "aws", "login": key["AccessKeyId"], "password": key["SecretAccessKey"], "extra": extra}
    )


def quotes_of(day: str, symbol: str) -> list[Quote]:
    """What the simulated market quoted of a symbol that day, a minute apart."""
    return simulated_day(date.fromisoformat(day), [symbol], ingested_at=datetime(2025, 12, 1, tzinfo=UTC))


@pytest.fixture(scope="session")
def airflow_database() -> None:
    logging.getLogger("airflow.sdk.definitions.dag").setLevel(logging.ERROR)  # it repeats what has yet to run
    from airflow.utils import db

    db.initdb()


@pytest.fixture(scope="session")
def dag_bag(airflow_database: None) -> Any:
    """The DAGs as a worker reads them."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(bundle_name="dags-folder")


@pytest.fixture(scope="session")
def stored_dags(dag_bag: Any) -> Any:
    """The DAGs, and Airflow's database knows them as after the DAG processor's first round."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import sync_bag_to_db
    from airflow.utils.session import create_session

    with create_session() as session:
        DagBundlesManager().sync_bundles_to_db(session=session)  # type: ignore[no-untyped-call]
        session.commit()
        sync_bag_to_db(dag_bag, "dags-folder", None, session=session)
    return dag_bag


@pytest.fixture(scope="session")
def runnable(stored_dags: Any) -> Iterator[Any]:
    """The DAGs without what `dag.test` cannot have or need not wait for: deadlines, retries, pauses.

    Nor need it read and store all files anew before each run, which costs more than a short run itself.
    """
    from airflow.dag_processing import dagbag
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(bundle_name="dags-folder")
    bag.tapeline_defaults = {dag_id: dag.params.dump() for dag_id, dag in bag.dags.items()}  # type: ignore[attr-defined]
    for dag in bag.dags.values():
        dag.deadline = None
        for task in dag.tasks:
            task.retries = 0
            for name in ("sleep_time", "poke_interval", "poll_interval"):
                if hasattr(task, name):
                    setattr(task, name, 0.2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dagbag, "BundleDagBag", lambda **_: None)
        patch.setattr(dagbag, "sync_bag_to_db", lambda *_: None)
        yield bag


@pytest.fixture(scope="session")
def succeeded() -> Counter[str]:
    """How many runs of each DAG `run_dag` has brought to a good end."""
    return Counter()


@pytest.fixture
def run_dag(
    runnable: Any, deployment: LocalDeployment, succeeded: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Run a DAG to its end for a partition key, which `dag.test` cannot be told, and return the run.

    In one process a parameter that was given to a run would stay for the next, so each run is given all of them.
    """
    from airflow.models import dagrun
    from airflow.serialization.encoders import coerce_to_core_timetable

    create = dagrun.get_or_create_dagrun
    defaults = runnable.tapeline_defaults

    def run(dag_id: str, partition_key: str | None = None, **conf: Any) -> Any:
        dag = runnable.get_dag(dag_id)

        def create_with_key(**arguments: Any) -> Any:
            found = create(**arguments)
            if partition_key is not None:
                timetable = coerce_to_core_timetable(dag.timetable)
                found.partition_key = partition_key
                found.partition_date = timetable.resolve_partition_date(partition_key)
                arguments["session"].commit()
            return found

        monkeypatch.setattr(dagrun, "get_or_create_dagrun", create_with_key)
        finished = dag.test(logical_date=None, run_conf={**defaults[dag_id], **conf})
        succeeded[dag_id] += finished.state == "success"
        return finished

    return run


def scheduled() -> list[tuple[str, str]]:
    """Let Airflow's scheduler start what events ask for; return what it goes on waiting for: DAG and key."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.asset import AssetPartitionDagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        SchedulerJobRunner(Job())._create_dagruns_for_partitioned_asset_dags(session)  # type: ignore[no-untyped-call]
    with create_session() as session:
        waiting = select(AssetPartitionDagRun).where(AssetPartitionDagRun.created_dag_run_id.is_(None))
        return [(one.target_dag_id, one.partition_key) for one in session.scalars(waiting)]


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 90) -> Any:
    pause = threading.Event()
    for _ in range(int(seconds / 0.2)):
        if answer := condition():
            return answer
        pause.wait(0.2)
    raise AssertionError(f"waited {seconds} s in vain for {what}")
