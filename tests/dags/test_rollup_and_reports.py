"""From the raw zone to the mail: crawl, roll up, report, each twice, on a real database and a real local AWS."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow.sdk.exceptions import AirflowFailException

from tapeline.airflow import desk_access, tasks, trouble
from tapeline.desk.lights import DAGS
from tapeline.lake import audit
from tapeline.market import sessions
from tapeline.stream.keys import rejected_key
from tests.dags.conftest import OPERATOR, READER, RECORD, SYMBOLS, LocalDeployment, quotes_of, scheduled, wait_until
from tests.infra import minimality
from tests.operations.test_redrive import changes, document
from tests.producer.market_data_server import ChartServer
from tests.producer.test_yahoo_history import LISTING

RunDag = Callable[..., Any]

# Regular trading in minutes after midnight in New York (UTC-5), half-open; 2025-11-28 closes at 13:00.
REGULAR = {"2025-11-26": (570, 960), "2025-11-28": (570, 780)}


@pytest.fixture(scope="module", autouse=True)
def crawled(runnable: Any, deployment: LocalDeployment) -> None:
    for _ in range(2):
        assert runnable.get_dag("crawl_raw_data").test(logical_date=None).state == "success"


def states(run: Any) -> dict[str, str]:
    return {task.task_id: str(task.state) for task in run.get_task_instances()}


def returned(run: Any, task_id: str) -> str:
    (task,) = [task for task in run.get_task_instances() if task.task_id == task_id]
    return str(task.xcom_pull(task_ids=task_id))


def events(key: str) -> list[str]:
    """The assets of which a run has told with this key, in the order of the tables' publication."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = select(AssetModel.name).join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
        return list(session.scalars(found.where(AssetEvent.partition_key == key).order_by(AssetEvent.id)))


def told_with(asset: str) -> dict[str, Any]:
    """What the newest event of an asset carries."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = select(AssetEvent.extra).join(AssetModel, AssetEvent.asset_id == AssetModel.id)
        return dict(session.scalars(found.where(AssetModel.name == asset).order_by(AssetEvent.id.desc())).first() or {})


def keys(dag_id: str) -> Counter[str | None]:
    """How many runs a DAG has with each key."""
    from airflow.models import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return Counter(session.scalars(select(DagRun.partition_key).where(DagRun.dag_id == dag_id)))


def summaries(deployment: LocalDeployment, day: str) -> list[dict[str, Any]]:
    return deployment.query(f"SELECT * FROM daily_summary WHERE session = DATE '{day}' ORDER BY symbol")


def test_the_crawl_registers_the_sessions(deployment: LocalDeployment) -> None:
    partitions = deployment.client("glue").get_partitions(
        DatabaseName=deployment.outputs.database_name, TableName=deployment.outputs.raw_table_name
    )
    *past, coming = sorted(one["Values"][0] for one in partitions["Partitions"])
    assert past == sorted(REGULAR)
    assert coming >= datetime.now(ZoneInfo("America/New_York")).date().isoformat()
    assert told_with("raw_quotes") == {"partitions": 3, "first": min(REGULAR), "last": coming}


@pytest.mark.parametrize("day", REGULAR)
def test_a_rolled_up_session_has_what_was_quoted_and_twice_is_as_good_as_once(
    run_dag: RunDag, deployment: LocalDeployment, day: str
) -> None:
    first, last = REGULAR[day]
    for _ in range(2):
        run = run_dag("daily_rollup", day)
        assert set(states(run).values()) == {"success"}
        found = summaries(deployment, day)
        assert [row["symbol"] for row in found] == list(SYMBOLS)
        for row in found:
            quotes = quotes_of(day, row["symbol"])
            regular = quotes[first:last]
            assert (row["quotes"], row["regular_quotes"]) == (len(quotes), len(regular)) == (1440, last - first)
            assert (row["expected_minutes"], row["completeness_pct"]) == (last - first, 100.0)
            assert row["close_usd"] == float(regular[-1].price)
            assert row["previous_close_usd"] == float(regular[-1].previous_close)
            assert row["high_usd"] >= float(max(quote.price for quote in regular))
            assert row["volume_shares"] == regular[-1].volume - quotes[first - 1].volume
        (bars,) = deployment.query(f"SELECT COUNT(*) AS bars FROM minute_bars WHERE session = DATE '{day}'")
        assert bars["bars"] == 1440 * len(SYMBOLS)
        moves = deployment.query(f"SELECT symbol, quotes FROM anomalies WHERE session = DATE '{day}'")
        for symbol in SYMBOLS:
            outside = [
                quote
                for quote in quotes_of(day, symbol)
                if abs(round((quote.price - quote.previous_close) * 100 / quote.previous_close, 2)) > 5
            ]
            assert sum(row["quotes"] for row in moves if row["symbol"] == symbol) == len(outside)
    assert events(day) == ["minute_bars", "anomalies", "daily_summary"] * 2


@pytest.fixture
def raw_lines(deployment: LocalDeployment) -> Iterator[Callable[[list[str]], object]]:
    """Put lines beside those of 2025-11-28; they are gone after the test."""
    s3 = deployment.client("s3")
    place: dict[str, Any] = {"Bucket": deployment.outputs.bucket_name, "Key": "raw-data/dt=2025-11-28/more.json"}
    yield lambda lines: s3.put_object(Body="".join(f"{line}\n" for line in lines).encode(), **place)
    s3.delete_object(**place)


def test_a_symbol_that_fails_is_left_out_and_named_and_the_others_are_published(
    run_dag: RunDag, deployment: LocalDeployment, raw_lines: Callable[[list[str]], object]
) -> None:
    before = summaries(deployment, "2025-11-28")
    quotes = quotes_of("2025-11-28", "ACME.SIM")
    # Every third minute of a symbol that had all of them in five sessions, and a thin one never seen before.
    known = ", ".join(f"(DATE '2025-11-{day}', 'TORN.SIM', 100E0)" for day in (20, 21, 24, 25, 26))
    deployment.query(f"INSERT INTO daily_summary (session, symbol, completeness_pct) VALUES {known}")
    torn = [quote.to_json().replace("ACME.SIM", "TORN.SIM") for quote in quotes[::3]]
    thin = [quote.to_json().replace("ACME.SIM", "THIN.SIM") for quote in quotes if quote.time.minute == 0]
    raw_lines(torn + thin)
    run = run_dag("daily_rollup", "2025-11-28")
    assert set(states(run).values()) == {"success"}
    found = {row["symbol"]: row for row in summaries(deployment, "2025-11-28")}
    assert [found[symbol] for symbol in SYMBOLS] == before
    assert set(found) == {*SYMBOLS, "THIN.SIM"}
    audited = eval(returned(run, "audit"))  # noqa: S307 - a dict of ours, as the log shows it
    assert (audited["withheld"], audited["symbols"]) == ("TORN.SIM", len(SYMBOLS) + 1)
    assert audit.recall(deployment, "2025-11-28") == (
        {"TORN.SIM": "coverage (daily_summary)"},
        (),
    )
    bars = deployment.query("SELECT COUNT(*) AS bars FROM minute_bars WHERE session = DATE '2025-11-28'")[0]["bars"]
    assert told_with("minute_bars") == {
        "session": "2025-11-28",
        "rows": bars,
        "symbols": len(SYMBOLS) + 1,
        "completeness_pct": round((100.0 * len(SYMBOLS) + 1.43) / (len(SYMBOLS) + 1), 2),  # 3 of 210 minutes
        "withheld": "TORN.SIM",
        "missing": "",
    }
    raw_lines([])
    deployment.query("DELETE FROM daily_summary WHERE symbol = 'TORN.SIM'")
    assert run_dag("daily_rollup", "2025-11-28").state == "success"
    assert summaries(deployment, "2025-11-28") == before


def test_a_failing_feed_publishes_nothing_says_what_is_wrong_and_tells_the_operators(
    run_dag: RunDag, deployment: LocalDeployment
) -> None:
    before = summaries(deployment, "2025-11-28")
    told = len(deployment.mail(OPERATOR))
    others = ", ".join(f"(DATE '2025-11-26', 'GONE{number}.SIM', 100E0)" for number in range(9 * len(SYMBOLS)))
    deployment.query(f"INSERT INTO daily_summary (session, symbol, completeness_pct) VALUES {others}")
    run = run_dag("daily_rollup", "2025-11-28")
    assert (states(run)["audit"], states(run)["publish_minute_bars"]) == ("failed", "upstream_failed")
    assert summaries(deployment, "2025-11-28") == before
    subject, text = wait_until(lambda: deployment.mail(OPERATOR)[told:], "the message")[-1]
    assert subject == "daily_rollup.audit failed for session 2025-11-28"
    assert f"{9 * len(SYMBOLS)} of {10 * len(SYMBOLS)} symbols missing: GONE0.SIM" in text
    assert "most_symbols_are_there (fail, session)" in text
    deployment.query("DELETE FROM daily_summary WHERE symbol LIKE 'GONE%'")


def test_a_run_for_no_session_fails_at_once_and_names_those_around_it(
    run_dag: RunDag, deployment: LocalDeployment
) -> None:
    run = run_dag("daily_rollup", session="2025-11-27")
    assert states(run)["pin_session"] == "failed"
    text = deployment.mail(OPERATOR)[-1][1]
    assert "the sessions around it are 2025-11-26 and 2025-11-28" in text
    assert "is not tried again" in text
    assert "book icon" in text
    assert tasks.pin_session("2025-11-26")["session"] == "2025-11-26"
    for day, complaint in (("foo", "expected the date of a session"), ("2032-12-30", "still to come")):
        with pytest.raises(AirflowFailException, match=complaint):  # the one error that Airflow never tries again
            tasks.pin_session(day)
    for kind in ("anomaly_report", "weekly_report"):
        with pytest.raises(AirflowFailException, match="expected the date of a session"):
            tasks.send_report(kind, "foo", again=False)
    with pytest.raises(AirflowFailException, match="the sessions around it are 2025-11-28 and 2025-12-01"):
        tasks.send_report("anomaly_report", "2025-11-29", again=False)


def test_a_run_that_is_late_is_told_but_a_backfill_that_waits_for_its_turn_is_not(deployment: LocalDeployment) -> None:
    told = len(deployment.mail(OPERATOR))
    for run_type in ("backfill", "scheduled"):
        run = {"dag_id": "daily_rollup", "dag_run_id": f"{run_type}__2025-11-28__x", "run_type": run_type}
        trouble.tell_late({"dag_run": run}, minutes=45.0)
    ((subject, text),) = deployment.mail(OPERATOR)[told:]
    assert subject == "daily_rollup is late"
    assert "was to end within 45 minutes" in text
    assert "scheduled__2025-11-28__x" in text


def test_a_report_is_sent_once_and_its_page_has_the_same_figures(run_dag: RunDag, deployment: LocalDeployment) -> None:
    for _ in range(2):
        run = run_dag("anomaly_report", "2025-11-26")
        assert run.state == "success"
        assert states(run)["hand_on_week"] == "skipped"  # the week lacks its Monday and its Tuesday
    mails = [(subject, text) for subject, text in deployment.mail(READER)[1:] if "2025" in text]
    assert len(mails) == 1
    (page,) = deployment.keys("reports/dt=2025-11-26/")
    html = deployment.text(page)
    for row in summaries(deployment, "2025-11-26"):
        assert row["symbol"] in mails[0][1]
        assert row["symbol"] in html
        assert f"{abs(row['change_pct']):.2f}" in mails[0][1]
        assert f"{abs(row['change_pct']):.2f}" in html
    assert run_dag("anomaly_report", "2025-11-26", again=True).state == "success"
    assert len(deployment.mail(READER)) == 3


def test_a_week_is_reported_as_far_as_it_has_come(run_dag: RunDag, deployment: LocalDeployment) -> None:
    before = len(deployment.mail(READER))
    for _ in range(2):
        assert run_dag("weekly_report", "2025-11-24").state == "success"
    assert len(deployment.mail(READER)) == before + 1
    (page,) = [key for key in deployment.keys("reports/dt=2025-11-28/") if "weekly" in key]
    assert all(symbol in deployment.text(page) for symbol in SYMBOLS)


def test_a_session_that_is_rolled_up_again_corrects_its_day_and_its_week_by_itself(
    run_dag: RunDag, deployment: LocalDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a plain Trigger, which has no key; the quotes of a symbol have come after all that was reported."""
    day, monday = "2025-11-28", "2025-11-24"
    ended = sessions.session(date.fromisoformat(day))
    monkeypatch.setattr("tapeline.airflow.tasks.sessions.ended_session", lambda _: ended)
    assert run_dag("anomaly_report", day).state == "success"
    assert scheduled() == []
    body = "".join(quote.to_json().replace("BOLT.SIM", "LATE.SIM") + "\n" for quote in quotes_of(day, "BOLT.SIM"))
    place: dict[str, Any] = {"Bucket": deployment.outputs.bucket_name, "Key": f"raw-data/dt={day}/late.json"}
    deployment.client("s3").put_object(Body=body.encode(), **place)
    told, reports, weeks = len(events(day)), keys("anomaly_report"), keys("weekly_report")
    rolled_up = run_dag("daily_rollup")
    assert set(states(rolled_up).values()) == {"success"}
    assert day in returned(rolled_up, "pin_session")
    assert events(day)[told:] == ["minute_bars", "anomalies", "daily_summary"]
    assert desk_access.last_runs("daily_rollup")[0].partition_key == day  # as the market desk's light reads it
    assert scheduled() == []
    assert keys("anomaly_report") - reports == Counter([day])
    for corrections in ([True, True], []):  # the second time nothing has changed
        mails = len(deployment.mail(READER))
        assert states(run_dag("anomaly_report", day))["hand_on_week"] == "success"
        assert scheduled() == []
        assert keys("weekly_report") - weeks == Counter([monday])
        assert run_dag("weekly_report", monday).state == "success"
        weeks = keys("weekly_report")
        assert ["Corrected: " in subject for subject, _ in deployment.mail(READER)[mails:]] == corrections


def test_a_report_without_a_key_is_of_the_newest_session_and_week_that_is_rolled_up(run_dag: RunDag) -> None:
    assert "2025-11-28" in returned(run_dag("anomaly_report"), "write_and_send")
    assert "2025-11-24" in returned(run_dag("weekly_report"), "write_and_send")


def test_a_partition_that_is_missing_is_listed_by_a_dry_run_and_then_added(
    run_dag: RunDag, deployment: LocalDeployment
) -> None:
    glue = deployment.client("glue")
    table: Any = {"DatabaseName": deployment.outputs.database_name, "TableName": deployment.outputs.raw_table_name}
    glue.delete_partition(**table, PartitionValues=["2025-11-26"])
    gone = glue.get_partition(**table, PartitionValues=["2025-11-28"])["Partition"]["StorageDescriptor"]
    nowhere: Any = {**gone, "Location": f"{gone['Location'].rstrip('/').rpartition('=')[0]}=2025-11-25/"}
    glue.create_partition(**table, PartitionInput={"Values": ["2025-11-25"], "StorageDescriptor": nowhere})

    def registered() -> list[str]:
        *past, _coming = sorted(one["Values"][0] for one in glue.get_partitions(**table)["Partitions"])
        return past

    listed = run_dag("repair_partitions")
    assert "2025-11-26" in returned(listed, "repair")
    assert registered() == ["2025-11-25", "2025-11-28"]
    for _ in range(2):
        assert run_dag("repair_partitions", dry_run=False, first="2025-11-24", last="2025-11-28").state == "success"
        assert registered() == ["2025-11-26", "2025-11-28"]


def test_a_rejected_quote_that_parses_now_is_listed_by_a_dry_run_and_then_sent_once(
    run_dag: RunDag, deployment: LocalDeployment
) -> None:
    quote = quotes_of("2025-11-28", "ACME.SIM")[600]
    reject = {
        "reason": "unknown_field",
        "detail": "",
        "payload": quote.to_json(),
        "partition_key": "ACME.SIM",
        "shard_id": "shardId-000000000000",
        "sequence_number": "1",
        "arrived_at": "2025-12-01T15:00:00.000Z",
    }
    key = rejected_key(datetime(2025, 12, 1, 15, tzinfo=UTC), "shardId-000000000000", "1")
    body = gzip.compress((json.dumps(reject) + "\n").encode())
    s3, bucket = deployment.client("s3"), deployment.outputs.bucket_name
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    given_up = {"q": document([quotes_of("2025-11-28", "ACME.SIM")[601].to_json().encode()]), "a": changes([])}
    for name, batch in given_up.items():
        s3.put_object(Bucket=bucket, Key=f"aws/lambda/{name}", Body=batch)
    dates = {"first": "2025-12-01", "last": "2025-12-01"}
    listed = run_dag("redrive_rejected", **dates)
    assert "Rejected records: 1, of which 1 are quotes now and would go" in returned(listed, "redrive")
    assert deployment.keys("rejected/dt=2025-12-01/") == [key]
    sent = run_dag("redrive_rejected", dry_run=False, **dates)
    assert "of which 1 are quotes now and went" in returned(sent, "redrive")
    assert deployment.keys("rejected/dt=2025-12-01/") == []
    again = run_dag("redrive_rejected", dry_run=False, **dates)
    assert "Rejected records: 0" in returned(again, "redrive")


def test_maintenance_leaves_the_rows_as_they_are(run_dag: RunDag, deployment: LocalDeployment) -> None:
    before = [summaries(deployment, day) for day in REGULAR]
    files = len(deployment.keys("curated/daily_summary/data/"))
    for _ in range(2):
        assert set(states(run_dag("table_maintenance")).values()) == {"success"}
    assert [summaries(deployment, day) for day in REGULAR] == before
    assert len(deployment.keys("curated/daily_summary/data/")) <= files + 1
    (staged,) = deployment.query("SELECT COUNT(*) AS bars FROM minute_bars_staging")
    assert staged["bars"] == 0 or (datetime.now(UTC).date() - date(2025, 11, 28)).days <= 30


def test_the_watchdog_tells_once_what_is_red_and_once_that_it_is_well(
    run_dag: RunDag, deployment: LocalDeployment
) -> None:
    sqs, queue = deployment.client("sqs"), deployment.outputs.dead_letter_queue_url
    assert run_dag("feed_watchdog").state == "success"
    told = len(deployment.mail(OPERATOR))
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    for _ in range(2):
        assert run_dag("feed_watchdog").state == "success"
    mails = deployment.mail(OPERATOR)[told:]
    assert len(mails) == 1
    assert "dead letters" in mails[0][0]
    assert "1 batches were given up" in mails[0][1]
    sqs.purge_queue(QueueUrl=queue)
    for _ in range(2):
        assert run_dag("feed_watchdog").state == "success"
    assert len(deployment.mail(OPERATOR)) == told + 2


def test_a_column_that_nobody_agreed_on_is_told_once(run_dag: RunDag, deployment: LocalDeployment) -> None:
    told = len(deployment.mail(OPERATOR))
    glue, outputs = deployment.client("glue"), deployment.outputs
    table = glue.get_table(DatabaseName=outputs.database_name, Name=outputs.raw_table_name)["Table"]
    kept: Any = {key: table[key] for key in ("Name", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters")}
    kept["StorageDescriptor"]["Columns"].append({"Name": "bid", "Type": "double"})
    glue.update_table(DatabaseName=outputs.database_name, TableInput=kept)
    for _ in range(2):
        assert run_dag("crawl_raw_data").state == "success"
    mails = deployment.mail(OPERATOR)[told:]
    assert [subject for subject, _ in mails] == ["Schema of stock_data_table has changed"]
    assert "- bid (double) is new" in mails[0][1]


def test_history_is_fetched_once_from_a_server_that_speaks_as_yahoo_does(
    run_dag: RunDag, deployment: LocalDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ChartServer()
    server.answers = {"AAPL": LISTING}
    monkeypatch.setenv("TAPELINE_YAHOO_URL", server.url)
    asked = {"symbols": ["AAPL", "GONE"], "first": "2026-03-10", "last": "2026-03-12"}
    try:
        assert states(run_dag("history_backfill", dry_run=True, **asked))["show"] == "skipped"
        assert server.asked == []
        assert set(states(run_dag("history_backfill", dry_run=False, **asked)).values()) == {"success"}
        requests = len([symbol for _, symbol in server.asked if symbol == "AAPL"])
        run_dag("history_backfill", dry_run=False, **asked)  # the symbol that Yahoo does not have is asked for again
        assert len([symbol for _, symbol in server.asked if symbol == "AAPL"]) == requests
    finally:
        server.close()
    assert len(told_with("daily_history")["filled"]) == 1  # of the last run, for the symbol that Yahoo does not have
    found = deployment.query("SELECT * FROM daily_history ORDER BY session")
    assert [(str(row["session"]), row["symbol"], row["close_usd"]) for row in found] == [
        ("2026-03-10", "AAPL", 256.5),
        ("2026-03-11", "AAPL", 257.25),
        ("2026-03-12", "AAPL", 259.25),
    ]


@pytest.fixture
def whole_file(request: pytest.FixtureRequest) -> None:
    chosen = {item.name.partition("[")[0] for item in request.session.items if item.path == request.path}
    if left_out := {name for name in globals() if name.startswith("test_")} - chosen:
        pytest.skip(f"only when all of this file is run; left out: {', '.join(sorted(left_out))}")


EXCUSED = {
    "KeepCatalog: glue:BatchUpdatePartition": "a date registered before a column came: partitions.renew_partition",
    "ListLake: s3:ListBucketMultipartUploads": "Athena's large results; AWS's own policy AmazonAthenaFullAccess has it",
    "Query: athena:StopQueryExecution": "a query that outlasts its limit is stopped: tapeline.lake.athena",
    "RedriveToStream: kinesis:GetRecords": "letters of a deployment before: tapeline.operations.dead_letters",
    "RedriveToStream: kinesis:GetShardIterator": "letters of a deployment before, as above",
    "WatchItems: dynamodb:Query": "the market desk's candles of the day: tapeline.desk.history",
    "WriteLake: s3:AbortMultipartUpload": "Athena's large results, as above",
    "WriteLake: s3:ListMultipartUploadParts": "Athena's large results, as above",
}
"""What the runs do not come to, each with why it is granted."""


@pytest.mark.usefixtures("whole_file")
def test_airflows_policy_grants_what_the_runs_above_used_and_nothing_else(deployment: LocalDeployment) -> None:
    asked = minimality.read(deployment.local.folder / RECORD, ":user/airflow")
    granted = minimality.grants(policy(deployment)["Document"])
    wrong = [*minimality.lacking(asked), *minimality.unused(granted, asked, EXCUSED)]
    assert not wrong, "\n".join(wrong)
    without = minimality.missed(granted, asked)
    for grant, refused in sorted(without.items()):
        print(f"without {grant}, refused: {refused[0] if refused else 'nothing'}")
    assert [grant for grant, refused in without.items() if not refused] == []


def policy(deployment: LocalDeployment) -> Any:
    iam, arn = deployment.client("iam"), deployment.outputs.airflow_policy_arn
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]


def test_without_a_look_at_the_default_database_a_dag_fails_with_aws_s_message(
    run_dag: RunDag, deployment: LocalDeployment
) -> None:
    iam, arn, whole = deployment.client("iam"), deployment.outputs.airflow_policy_arn, policy(deployment)
    told = len(deployment.mail(OPERATOR))
    kept = [one for one in whole["Document"]["Statement"] if one["Sid"] != "LookAtDefaultDatabase"]
    document = json.dumps({**whole["Document"], "Statement": kept})
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
    try:
        assert run_dag("daily_rollup", min(REGULAR)).state == "failed"
    finally:
        text = json.dumps(whole["Document"])
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
    words = r"airflow is not authorized to perform: glue:GetDatabase on resource: arn:aws:glue:\S+:database/default"
    assert any(re.search(words, text) for _, text in deployment.mail(OPERATOR)[told:])


@pytest.mark.usefixtures("whole_file")
def test_every_dag_was_run_twice_above(succeeded: Counter[str]) -> None:
    assert sorted(succeeded) == list(DAGS)
    assert min(succeeded.values()) >= 2
