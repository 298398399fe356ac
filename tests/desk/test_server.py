"""The desk's routes over a real local AWS, reading as a user who has Airflow's policy and nothing else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import HTTPException, Request

from localaws.testing import LocalAws
from tapeline.aws.clients import connect
from tapeline.aws.deployment import Deployment, StackError
from tapeline.aws.local import Credentials
from tapeline.deploy import stack
from tapeline.desk.access import Access, Run
from tapeline.desk.app import create_app
from tapeline.desk.history import History
from tapeline.desk.lights import DAGS
from tapeline.desk.models import Quotes
from tapeline.desk.reader import DeskReader
from tapeline.market.quotes import Quote, write_timestamp
from tapeline.market.symbol_state import Rules
from tapeline.stream.batch import StreamRecord, plan_batch
from tapeline.stream.store import StreamStore
from tapeline.stream.tables import Patience
from tests.sql.conftest import filled
from tests.sql.lakes import AthenaLake

HOSTILE = b'{"symbol": "<script>alert(1)</script>"}'
MONDAY = datetime(2025, 12, 1, 14, 30, tzinfo=UTC)  # the open in New York


def bearer(request: Request) -> str:
    """A user is who the header says; anybody without one is nobody."""
    name = request.headers.get("authorization", "")
    if not name:
        raise HTTPException(401, "Not authenticated")
    return name


@dataclass
class Somebody:
    name: str

    def get_name(self) -> str:
        return self.name


def reader(request: Request) -> None:
    if bearer(request) == "stranger":
        raise HTTPException(403, "Forbidden")


def starter(request: Request) -> None:
    if bearer(request) != "admin":
        raise HTTPException(403, "Forbidden")


@dataclass
class Desk:
    deployment: Deployment
    started: list[tuple[str, dict[str, Any], str | None, str]] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    def app(self, found: Any = None) -> Any:
        async def still_logged_in(_: Request) -> bool:
            return True

        access = Access(
            user=lambda request: Somebody(bearer(request)),
            read=reader,
            trigger=(starter,),
            may_trigger=lambda user: user.get_name() == "admin",
            still_logged_in=still_logged_in,
            login_address=lambda request: f"/login?next={request.url.path}",
            start=self.start,
        )
        access.user.__annotations__["request"] = Request
        return create_app(access, DeskReader(found or (lambda: self.deployment), lambda _: self.runs))

    def start(self, dag: str, conf: dict[str, Any], key: str | None, user: str) -> str:
        self.started.append((dag, conf, key, user))
        return "manual__1"

    @asynccontextmanager
    async def client(self, user: str | None = "viewer", found: Any = None) -> AsyncIterator[httpx.AsyncClient]:
        headers = {"authorization": user} if user else {}
        transport = httpx.ASGITransport(self.app(found))
        async with httpx.AsyncClient(transport=transport, base_url="http://desk", headers=headers) as client:
            yield client


class Stream:
    """Does with quotes what the stream processor does."""

    def __init__(self, deployment: Deployment) -> None:
        outputs = deployment.outputs
        self._store = StreamStore(
            deployment.client("dynamodb"), deployment.client("s3"), outputs.table_name, outputs.state_table_name,
            outputs.bucket_name, timedelta(days=3650), Patience(lambda: 60.0),
        )  # fmt: skip
        self._number = 0

    def put(self, *payloads: bytes, at: datetime = MONDAY) -> None:
        records = []
        for data in payloads:
            self._number += 1
            records.append(StreamRecord("shardId-000000000000", self._number, "AAPL", at, data))
        self._store.store(plan_batch(records, self._store.read_states, self._store.read_stored, Rules()))


def quote(second: float, price: str, volume: int = 1000, symbol: str = "AAPL") -> bytes:
    at = MONDAY + timedelta(seconds=second)
    figures: dict[str, Any] = dict.fromkeys(("open", "high", "low", "price"), Decimal(price))
    text = write_timestamp(at, milliseconds=bool(at.microsecond))
    return Quote(symbol, text, **figures, previous_close=Decimal(100), volume=volume, source="replay",
                 ingested_at=text).to_json().encode()  # fmt: skip


@pytest.fixture(scope="module")
def pipeline(local_aws: LocalAws) -> Deployment:
    """Two sessions rolled up, a third of which quotes are in DynamoDB, three rejects; read with Airflow's policy."""
    deployment = stack.deploy(connect("local"), {}, lambda _: None)
    outputs = deployment.outputs
    filled(AthenaLake(deployment))
    stream = Stream(deployment)
    # 24 quotes ten seconds apart: 100 dollars, then 110 from the third minute on: an anomaly and a cross.
    prices = ["100"] * 18 + ["101"] + ["99"] * 3 + ["110", "111"]
    for number, price in enumerate(prices):
        stream.put(quote(10 * number, price, 1000 + 10 * number), at=MONDAY + timedelta(seconds=10 * number + 1))
    stream.put(HOSTILE, b"\xff\xfe", b"[" + b"9" * 5000, at=MONDAY)
    deployment.client("s3").put_object(
        Bucket=outputs.bucket_name, Key="reports/dt=2025-11-28/anomaly-report.html", Body=b"<p>calm</p>"
    )
    iam = deployment.client("iam")
    iam.create_user(UserName="desk")
    iam.attach_user_policy(UserName="desk", PolicyArn=outputs.airflow_policy_arn)
    key = iam.create_access_key(UserName="desk")["AccessKey"]
    return Deployment(connect("local", Credentials(key["AccessKeyId"], key["SecretAccessKey"])), outputs)


@pytest.fixture
def desk(pipeline: Deployment) -> Desk:
    return Desk(pipeline)


async def get(desk: Desk, path: str, user: str | None = "viewer", **options: Any) -> httpx.Response:
    async with desk.client(user) as client:
        return await client.get(path, **options)


async def test_a_symbol_is_told_with_its_figures_and_its_last_alert(desk: Desk) -> None:
    answer = await get(desk, "/api/quotes")
    Quotes.model_validate_json(answer.content, strict=True)  # the feed writes it by hand, for speed
    document = answer.json()
    (aapl,) = document["symbols"]
    assert (aapl["symbol"], aapl["price"], aapl["change_percent"], aapl["anomaly"]) == ("AAPL", 111.0, 11.0, True)
    assert aapl["timestamp"] == "2025-12-01T14:33:50Z"
    # The last five prices are 99, 99, 99, 110, 111; the last twenty: fourteen times 100, then 101 and those.
    assert (aapl["moving_average_5"], aapl["moving_average"]) == (103.6, (14 * 100 + 101 + 3 * 99 + 110 + 111) / 20)
    assert aapl["reasons"] == ["price_move"]
    assert aapl["last_alert"]["timestamp"] == "2025-12-01T14:33:40Z"
    assert document["simulated"] is False


async def test_the_newest_session_is_read_from_dynamodb(desk: Desk) -> None:
    found = (await get(desk, "/api/symbols/AAPL")).json()
    start = int(MONDAY.timestamp())
    assert (found["session"], found["from"], found["complete"]) == ("2025-12-01", "dynamodb", True)
    assert (found["opens_at"], found["closes_at"]) == ("2025-12-01T14:30:00Z", "2025-12-01T21:00:00Z")
    assert found["previous_close"] == 100
    assert found["candles"] == [
        [start, 100, 100, 100, 100, 1050, 6],
        [start + 60, 100, 100, 100, 100, 60, 6],
        [start + 120, 100, 100, 100, 100, 60, 6],
        [start + 180, 101, 111, 99, 111, 60, 6],
    ]
    kinds = {(mark["kind"], mark["time"]) for mark in found["marks"]}
    assert ("price_move", start + 220) in kinds
    assert found["averages_over"] == "quotes"
    assert found["moving_average_5"][-1] == [start + 180, 103.6]


async def test_a_past_session_is_read_from_the_curated_tables(desk: Desk) -> None:
    found = (await get(desk, "/api/symbols/AAPL?session=2025-11-26")).json()
    assert (found["from"], found["averages_over"], found["previous_close"]) == ("minute_bars", "minutes", 100)
    first = [candle[4] for candle in found["candles"][:4]]
    assert first == [100.5, 101, 101.5, 105]
    assert [value for _, value in found["moving_average"][:4]] == [100.5, 100.75, 101.0, 102.0]
    assert [(mark["kind"], mark["text"]) for mark in found["marks"]] == [
        ("price_move", "Moved +5.01% from the previous close, at most +6.00%"),
        ("price_move", "Moved \N{MINUS SIGN}6.00% from the previous close, at most \N{MINUS SIGN}7.00%"),
    ]
    assert found["today"] == "2025-12-01"
    published = found["figures"]
    assert (published["open_usd"], published["high_usd"], published["previous_close_usd"]) == (102, 106, 100)
    assert 94 < published["vwap_usd"] < 106  # of regular trading, as the open is


async def test_a_session_tells_which_symbols_its_rollup_left_out(desk: Desk, pipeline: Deployment) -> None:
    withheld = {"M": {"XOM": {"S": "values out of range (minute_bars)"}}}
    connect("local").client("dynamodb").put_item(
        TableName=pipeline.outputs.state_table_name,
        Item={"key": {"S": "rollup#2025-11-24"}, "withheld": withheld, "missing": {"L": [{"S": "NIO"}]}},
    )
    found = (await get(desk, "/api/symbols/AAPL?session=2025-11-24")).json()
    expected = {"NIO": "no quote, and one in the session before", "XOM": "values out of range (minute_bars)"}
    assert found["left_out"] == expected
    assert (await get(desk, "/api/symbols/AAPL")).json()["left_out"] == {}


async def test_the_calendar_has_the_past_and_today(desk: Desk) -> None:
    found = (await get(desk, "/api/sessions?symbol=AAPL")).json()
    assert found["today"] == found["sessions"][0] == "2025-12-01"
    assert found["sessions"][1:3] == ["2025-11-28", "2025-11-26"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/symbols/NONE", 404),
        ("/api/symbols/aapl", 422),
        ("/api/symbols/A'--", 422),
        ("/api/symbols/AAPL?session=yesterday", 422),
        ("/api/symbols/AAPL?session=2025-13-45", 422),
        ("/api/symbols/AAPL?session=1999-01-04", 422),
        ("/api/sessions", 422),
        ("/api/rejects?limit=100000", 422),
        ("/api/quotes?since=now", 422),
        ("/reports/2025-11-28/..%2f..%2fcurated.html", 404),
        ("/reports/2025-11-28/weekly-report.html", 404),
        ("/reports/2025-11-31/weekly-report.html", 422),
        ("/static/..%2fapp.py", 404),
        ("/static/%2fetc%2fpasswd", 404),
    ],
)
async def test_what_is_malformed_or_unknown_is_refused_with_a_sentence(desk: Desk, path: str, status: int) -> None:
    answer = await get(desk, path)
    assert (answer.status_code, type(answer.json()["detail"])) == (status, str)


async def test_rejects_come_as_text_the_newest_first_and_cut(desk: Desk) -> None:
    found = (await get(desk, "/api/rejects")).json()
    assert len(found["rejects"]) == sum(found["reasons"].values()) == 3
    by_binary = {one["binary"]: one for one in found["rejects"]}
    assert by_binary[True]["payload"] == "//4="
    assert HOSTILE.decode() in [one["payload"] for one in found["rejects"]]
    assert [len(one["payload"]) for one in found["rejects"] if one["truncated"]] == [2000]
    assert (await get(desk, "/api/rejects?limit=1")).json()["more"] is True


async def test_reports_are_listed_and_stand_alone_without_script_or_origin(desk: Desk) -> None:
    (listed,) = (await get(desk, "/api/reports")).json()["reports"]
    assert (listed["kind"], listed["session"]) == ("anomaly", "2025-11-28")
    answer = await get(desk, f"/{listed['href']}")
    assert answer.text == "<p>calm</p>"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script" not in policy


async def test_each_light_that_is_not_well_says_what_to_do(desk: Desk) -> None:
    desk.runs = [Run("success", "2025-11-28", MONDAY)]
    found = (await get(desk, "/api/health")).json()
    lights = {light["name"]: light for light in found["lights"]}
    assert {"quotes", "latency", "iterator_age", "rejects", "dead_letters", "alerts", "partitions", "rollup"} <= set(
        lights
    )
    # The raw zone has 2025-12-01, which nobody has registered.
    assert (lights["partitions"]["state"], lights["partitions"]["dag_id"]) == ("bad", "repair_partitions")
    assert "2025-12-01" in lights["partitions"]["detail"]
    for light in lights.values():
        assert (light["todo"] is not None) == (light["state"] in ("warn", "bad", "unknown")), light


async def test_the_strip_learns_on_which_dags_pages_it_belongs(desk: Desk) -> None:
    health = (await get(desk, "/api/health")).json()
    assert {"daily_rollup", *health["triggers"]} <= set(health["dags"]) == set(DAGS)


async def test_no_route_answers_without_a_log_in(desk: Desk) -> None:
    app = desk.app()
    paths = {(method, route.path) for route in app.routes for method in route.methods}
    assert len(paths) >= 10
    async with desk.client(None) as client:
        for method, path in paths:
            filled_in = path.replace("{name:path}", "index.html").format(
                symbol="AAPL", day="2025-11-28", name="x.html", dag_id="crawl_raw_data"
            )
            answer = await client.request(method, filled_in)
            assert (path, answer.status_code) == (path, 401)
        person = await client.get("/", headers={"accept": "text/html"})
        assert (person.status_code, person.headers["location"]) == (303, "/login?next=/")


async def test_a_stranger_reads_nothing(desk: Desk) -> None:
    for path in ("/", "/api/me", "/api/quotes", "/api/stream", "/api/health", "/api/rejects", "/api/reports"):
        assert (await get(desk, path, "stranger")).status_code == 403


OURS = {"x-requested-with": "market-desk"}


async def test_only_who_may_start_a_dag_starts_it_and_dry_where_it_can(desk: Desk) -> None:
    async with desk.client("viewer") as client:
        assert (await client.post("/api/dags/repair_partitions/trigger", json={}, headers=OURS)).status_code == 403
        assert (await client.get("/api/me")).json() == {"user": "viewer", "may_trigger": False}
    assert desk.started == []
    async with desk.client("admin") as client:
        answer = await client.post("/api/dags/repair_partitions/trigger", json={}, headers=OURS)
        assert (answer.status_code, answer.json()["dry_run"]) == (201, True)
        assert answer.json()["href"] == "../dags/repair_partitions/runs/manual__1"
        assert (await client.post("/api/dags/redrive_rejected/trigger", json={}, headers=OURS)).json()["dry_run"]
    assert desk.started[0] == ("repair_partitions", {"dry_run": True}, None, "admin")
    assert desk.started[1][1]["dry_run"] is True


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        ("crawl_raw_data", {"json": {}}, 403),  # as another site's script would
        ("crawl_raw_data", {"json": {}, "headers": OURS | {"sec-fetch-site": "cross-site"}}, 403),
        ("crawl_raw_data", {"data": {"a": "b"}, "headers": OURS}, 415),  # as a form would
        ("crawl_raw_data", {"json": {"dry_run": False}, "headers": OURS}, 422),
        ("history_backfill", {"json": {}, "headers": OURS}, 404),
        ("somebody_elses", {"json": {}, "headers": OURS}, 404),
    ],
)
async def test_a_start_that_is_not_the_pages_own_is_refused(
    desk: Desk, path: str, options: dict[str, Any], status: int
) -> None:
    async with desk.client("admin") as client:
        answer = await client.post(f"/api/dags/{path}/trigger", **options)
    assert (answer.status_code, desk.started) == (status, [])


async def test_the_page_lets_nothing_in_from_elsewhere(desk: Desk) -> None:
    for path in ("/", "/api/quotes", "/static/desk.js"):
        answer = await get(desk, path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_trouble_with_aws_is_told_with_what_to_do(desk: Desk, pipeline: Deployment, tmp_path: Path) -> None:
    def no_stack() -> Deployment:
        raise StackError("no stack named tapeline; make it with `tapeline deploy`")

    stranger = Deployment(connect("local", Credentials("AKIANOBODY", "secret")), pipeline.outputs)
    async with desk.client(found=no_stack) as client:
        for path in ("/api/quotes", "/api/health", "/api/symbols/AAPL", "/api/stream"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert "make it with `tapeline deploy`" in answer.json()["detail"]
    async with desk.client(found=lambda: stranger) as client:
        answer = await client.get("/api/quotes")
        assert answer.status_code == 503
        assert len(answer.json()["detail"].split()) > 5


def test_a_symbols_state_tells_its_newest_quote_to_who_only_looks(pipeline: Deployment) -> None:
    item = connect("local").client("dynamodb").get_item(
        TableName=pipeline.outputs.state_table_name, Key={"key": {"S": "symbol#AAPL"}}
    )["Item"]  # fmt: skip
    assert json.loads(item["newest"]["S"])["timestamp"] == item["newest_timestamp"]["S"]
    assert date.fromisoformat(item["newest_timestamp"]["S"][:10]) == MONDAY.date()


def test_a_quote_within_the_second_of_the_newest_is_read_on(pipeline: Deployment) -> None:
    stream, history = Stream(Deployment(connect("local"), pipeline.outputs)), History(lambda: pipeline)
    stream.put(quote(240, "112", 2000))
    assert history.detail("AAPL").candles[-1][4] == 112
    stream.put(quote(240.2, "113", 2001))  # as text, 34:00.200Z stands before 34:00Z
    assert history.detail("AAPL").candles[-1][4] == 113
