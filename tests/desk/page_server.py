"""The desk's server over a made-up market: a test decides what the page is told, and when.

Routes and page are the real ones, what is read is not; `test_desk_in_airflow` has the whole stack behind the page.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from localaws.testing import free_port
from tapeline.desk import app as desk
from tapeline.desk.access import Access
from tapeline.desk.course import mark
from tapeline.desk.feed import WORDS, FeedError
from tapeline.desk.history import UnknownSymbolError
from tapeline.desk.lights import DAGS
from tapeline.desk.models import (
    Candle,
    Figures,
    Health,
    LastAlert,
    PipelineLight,
    Point,
    Quote,
    Quotes,
    Reject,
    Rejects,
    Report,
    Reports,
    SessionDetail,
    Sessions,
    State,
)
from tapeline.desk.reader import DeskReader
from tapeline.reports.page import page
from tests.reports.report_builders import report, weekly

ROOT = "/market-desk"
HEALTH_SECONDS = 0.2
SPARK_POINTS = 60
SESSION_MINUTES = 240
HOSTILE = "hello <script>window.hacked = true</script>\u202e"
HOME = """<!doctype html><html class="{theme}"><title>Airflow</title><link rel="icon" href="data:,">
<style>iframe {{ position: fixed; inset: 0; width: 100%; height: 100%; border: 0 }}</style>
<iframe src="{root}/" title="Market desk" sandbox="allow-scripts allow-same-origin allow-forms allow-downloads">
</iframe>"""
"""The page around the desk, with the sandbox that Airflow 3.3 gives to pages of plugins."""


T = TypeVar("T")


def utc(epoch: float) -> str:
    """Return a moment as the contract writes it."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Market:
    """What the page is told. Change it by its methods; every page that watches hears of it."""

    quotes: dict[str, Quote] = field(default_factory=dict)
    lights: list[PipelineLight] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    logged_in: bool = True
    may_trigger: bool = True
    streams: bool = True
    silent: bool = False
    is_open: bool = True
    pause_seconds: float = 0.05
    version: int = 1
    triggered: list[str] = field(default_factory=list)
    _changed: dict[str, int] = field(default_factory=dict)
    _random: random.Random = field(default_factory=lambda: random.Random(7))

    def add(self, symbol: str, price: float, previous_close: float, trend: str | None = None, volume: int = 0) -> None:
        """Add a symbol with a session behind it that leads to its price."""
        now, at = time.time(), previous_close
        spark: list[Point] = []
        for left in range(SPARK_POINTS, 0, -1):
            at += (price - at) / left + self._random.gauss(0, previous_close * 0.0012)
            spark.append((int(now) - left * 240, price if left == 1 else round(at, 2)))
        prices = [price for _, price in spark]
        self.quotes[symbol] = Quote(
            symbol=symbol, timestamp=utc(now), ingested_at=utc(now), source="simulated", revision=0,
            open=prices[0], high=max(prices), low=min(prices), price=price, previous_close=previous_close,
            volume=volume or self._random.randrange(100_000, 80_000_000), change=0, change_percent=0,
            moving_average=round(price * 0.9994, 2), moving_average_5=price, trend=trend,
            reasons=[], suspect=[], anomaly=False, last_alert=None, spark=spark,
        )  # fmt: skip
        self.trade(symbol, price)

    def trade(self, symbol: str, price: float, **others: Any) -> None:
        """Let a symbol trade at a price now."""
        quote, now = self.quotes[symbol], time.time()
        change = round(price - quote.previous_close, 2)
        percent = round(100 * change / quote.previous_close, 2)
        anomaly = abs(percent) > 5
        changes: dict[str, Any] = {
            "price": price,
            "timestamp": utc(now - 0.4),
            "ingested_at": utc(now - 0.2),
            "change": change,
            "change_percent": percent,
            "high": max(quote.high, price),
            "low": min(quote.low, price),
            "anomaly": anomaly,
            "reasons": ["price_move"] if anomaly else [],
        }
        if anomaly and not quote.anomaly:
            changes["last_alert"] = LastAlert(kind="price_move", timestamp=utc(now - 0.4))
        self.quotes[symbol] = quote.model_copy(update=changes | others)
        self.version += 1
        self._changed[symbol] = self.version

    def move_all(self) -> None:
        """Let every symbol trade a little off its price."""
        for symbol, quote in self.quotes.items():
            price = max(0.01, round(quote.price * (1 + self._random.gauss(0, 0.0003)), 2))
            self.trade(symbol, price, volume=quote.volume + self._random.randrange(900))

    def document(self, since: int | None = None) -> Quotes:
        """Return what changed since a version, or all."""
        quotes = [
            quote if since is None else quote.model_copy(update={"spark": None})
            for symbol, quote in list(self.quotes.items())
            if since is None or self._changed[symbol] > since
        ]
        simulated = any(quote.source == "simulated" for quote in self.quotes.values())
        words = WORDS if since is None else None
        return Quotes(version=self.version, at=utc(time.time()), simulated=simulated, words=words, symbols=quotes)

    def detail(self, symbol: str, session: str) -> SessionDetail:
        """Return a session of a symbol by minute."""
        quote, drawn = self.quotes[symbol], random.Random(symbol + session)
        today = session == self.sessions[0]
        last = (
            int(time.time()) // 60 * 60 if today else int(datetime.fromisoformat(f"{session}T21:00Z").timestamp()) - 60
        )
        price, candles = quote.open, []
        for left in range(SESSION_MINUTES, 0, -1):
            opened, price = price, price + (quote.price - price) / left + drawn.gauss(0, price * 0.0007)
            high, low = max(opened, price) * (1 + drawn.random() / 2e3), min(opened, price) * (1 - drawn.random() / 2e3)
            prices = round(opened, 2), round(high, 2), round(low, 2), round(price, 2)
            candles.append((last - 60 * (left - 1), *prices, int(drawn.expovariate(1 / 20_000)), 12))
        marks = [
            (44, "trend_up", "The average of 5 prices rose above that of 20."),
            (131, "price_move", "5.12% from the previous close, at 268.06 USD."),
            (187, "trend_down", "The average of 5 prices fell below that of 20."),
        ]
        return SessionDetail(
            symbol=symbol,
            session=session,
            today=self.sessions[0],
            left_out={} if today else self.left_out,
            figures=None if today else _figures(candles, quote.previous_close),
            opens_at=utc(candles[0][0]),
            closes_at=utc(candles[0][0] + 86_400),
            origin="dynamodb" if today else "minute_bars",
            averages_over="quotes" if today else "minutes",
            complete=True,
            previous_close=quote.previous_close,
            candles=candles,
            moving_average=_average(candles, 20),
            moving_average_5=_average(candles, 5),
            marks=[mark(candles[at][0], kind, text) for at, kind, text in marks],
        )


def _figures(candles: list[Candle], close: float) -> Figures:
    last = candles[-1][4]
    return Figures(
        open_usd=candles[0][1],
        high_usd=max(candle[2] for candle in candles),
        low_usd=min(candle[3] for candle in candles),
        close_usd=last,
        previous_close_usd=close,
        change_usd=round(last - close, 2),
        change_pct=round(100 * (last - close) / close, 2),
        vwap_usd=123.45,
        volume_shares=sum(candle[5] for candle in candles),
        quotes=sum(candle[6] for candle in candles),
        completeness_pct=100,
    )


def _average(candles: list[Candle], window: int) -> list[Point]:
    closes = [candle[4] for candle in candles]
    means = [closes[max(0, at + 1 - window) : at + 1] for at in range(len(closes))]
    return [(candle[0], round(sum(part) / len(part), 2)) for candle, part in zip(candles, means, strict=True)]


def usual_market() -> Market:
    """Return twelve symbols of the simulated market, one of them with an anomaly, and lights of every state."""
    market = Market()
    figures = {
        "ACME": (270.81, 255.0, "up"), "BOLT": (396.12, 400.0, "down"), "CRUX": (181.94, 180.0, "up"),
        "DUNE": (207.35, 210.0, None), "ECHO": (301.12, 300.0, "up"), "FLUX": (652.4, 640.0, "up"),
        "GLOW": (386.75, 390.0, "down"), "HALO": (0.8125, 0.79, None), "IRIS": (94.2, 94.2, None),
        "JADE": (129.9, 128.4, "up"), "KITE": (515.03, 531.0, "down"), "LOOM": (72.66, 72.1, "up"),
    }  # fmt: skip
    for name, (price, close, trend) in figures.items():
        market.add(f"{name}.SIM", price, close, trend)
    now = time.time()
    market.quotes["KITE.SIM"].last_alert = LastAlert(kind="trend_down", timestamp=utc(now - 754))
    market.quotes["JADE.SIM"].last_alert = LastAlert(kind="trend_up", timestamp=utc(now - 1900))
    market.lights = usual_lights()
    market.rejects = [
        reject("not_json", "expected a JSON object, found text", HOSTILE, "9001", "7"),
        reject("bad_price", "price must be a positive number, found -3", '{"symbol": "ACME.SIM", "price": -3}', "9002"),
        reject("not_json", "expected a JSON object, found a list", "[1, 2, 3]", "9003"),
    ]
    monday = date(2026, 11, 23)
    days = (monday - timedelta(days=back) for back in range(40))
    market.sessions = [str(day) for day in days if day.weekday() < 5 and day.day % 9]
    return market


def usual_lights() -> list[PipelineLight]:
    """Return lights of every state."""
    redrive = "Read the payloads below; if they are quotes now, redrive them."
    return [
        light("quotes", "Quotes", "ok", "12 quotes/s", "The newest was made 1 s ago."),
        light("latency", "End-to-end latency", "ok", "1.2 s", "From producer to live table, in the last minute."),
        light("iterator_age", "Iterator age", "ok", "0 s", "The processor is abreast of the stream."),
        light("rejects", "Rejected", "warn", "3 today", "Three records were no quotes.", redrive, "redrive_rejected"),
        light("dead_letters", "Dead letters", "bad", "2", "Two batches were given up after 10 attempts.",
              "Find the reason in the processor's log, mend it, then redrive.", "redrive_rejected"),
        light("alerts", "Alerts sent", "ok", "5 today", "The last 4 minutes ago, of ACME.SIM."),
        light("partitions", "Partitions", "ok", "none missing", "S3 and the catalog agree.", None, "repair_partitions"),
        light("rollup", "Last rollup", "ok", "Fri 20 Nov", "Published 20 min after the close.", None, "daily_rollup"),
        light("report", "Last report", "unknown", "–", "Could not be judged: the bucket does not answer.",
              "It may be well or not. Mend what keeps it from being read."),
        light("alarms", "Alarms", "idle", "none", "There is nothing to judge."),
    ]  # fmt: skip


def light(
    name: str, label: str, state: State, value: str, detail: str, todo: str | None = None, dag: str | None = None
) -> PipelineLight:
    """Return a light."""
    return PipelineLight(name=name, label=label, state=state, value=value, detail=detail, todo=todo, dag_id=dag)


def reject(reason: str, detail: str, payload: str, number: str, partition_key: str = "") -> Reject:
    """Return a rejected record."""
    return Reject(
        reason=reason, detail=detail, payload=payload, arrived_at="2026-11-23T14:31:05.000Z", sequence_number=number,
        shard_id="shardId-000000000000", symbol=partition_key, binary=False, truncated=False,
    )  # fmt: skip


class MarketReader(DeskReader):
    """Reads a made-up market in the place of a deployment."""

    def __init__(self, market: Market) -> None:
        self.market = market

    async def in_thread(self, call: Callable[[], T]) -> T:
        return call()

    async def quotes(self, since: int | None) -> bytes:
        return _json(self.market.document(since))

    async def updates(self, since: int | None) -> AsyncIterator[tuple[int, bytes]]:
        if not self.market.streams:
            raise FeedError("No streams today.")
        return self._updates(since)

    async def _updates(self, sent: int | None) -> AsyncIterator[tuple[int, bytes]]:
        market = self.market
        while market.silent and market.streams:
            await asyncio.sleep(market.pause_seconds)
        while market.streams and market.logged_in:
            if market.version != sent:
                document = market.document(sent)
                sent = document.version
                yield sent, _json(document)
            await asyncio.sleep(market.pause_seconds)

    async def health(self) -> Health:
        market = self.market
        lights, triggers = market.lights, ("anomaly_report", "daily_rollup", "redrive_rejected", "repair_partitions")
        return Health(at=utc(time.time()), lights=lights, market_open=market.is_open, dags=DAGS, triggers=triggers)

    health_or_why_not = health

    async def detail(self, symbol: str, day: date | None) -> SessionDetail:
        if symbol not in self.market.quotes:
            raise UnknownSymbolError(f"No quote of {symbol} is stored.")
        return self.market.detail(symbol, str(day or self.market.sessions[0]))

    async def sessions(self, symbol: str) -> Sessions:
        return Sessions(today=self.market.sessions[0], sessions=self.market.sessions)

    async def due_session(self) -> str:
        return self.market.sessions[0]

    async def rejects(self, most: int) -> Rejects:
        reasons = Counter(record.reason for record in self.market.rejects)
        return Rejects(reasons=dict(reasons), more=False, rejects=self.market.rejects)

    async def reports(self) -> Reports:
        day = "2025-11-28"
        titles = {"anomaly": "1 anomaly, market +1.86%", "weekly": "Week to 28 November"}
        addresses = {kind: f"reports/{day}/{kind}-report.html" for kind in titles}
        return Reports(
            reports=[
                Report(name=f"{kind}-report", kind=kind, session=day, title=title, href=addresses[kind])
                for kind, title in titles.items()
            ]
        )

    async def report(self, day: date, name: str) -> bytes:
        return page(weekly() if name.startswith("weekly") else report()).encode()


def _json(document: Quotes) -> bytes:
    return json.dumps(document.model_dump()).encode()  # as the feed does, which takes half a surrogate pair too


@dataclass
class Someone:
    def get_name(self) -> str:
        return "someone"


def create_app(market: Market) -> FastAPI:
    """Return the real server over a market, with the page that Airflow puts around it."""

    def user() -> Someone:
        if not market.logged_in:
            raise HTTPException(401, "Not authenticated")
        return Someone()

    def start(dag: str, *_: object) -> str:
        market.triggered.append(dag)
        return "manual"

    async def still_logged_in(_: Request) -> bool:
        return market.logged_in

    access = Access(
        user=user,
        read=user,
        trigger=(user,),
        may_trigger=lambda _: market.may_trigger,
        still_logged_in=still_logged_in,
        login_address=lambda _: "/login",
        start=start,
    )
    app = FastAPI(openapi_url=None)

    @app.get("/plugin/market-desk")
    def home(theme: str = "light") -> Response:
        return HTMLResponse(HOME.format(theme=theme, root=ROOT))

    app.mount(ROOT, desk.create_app(access, MarketReader(market), HEALTH_SECONDS))
    return app


@contextmanager
def served(market: Market) -> Iterator[str]:
    """Serve a market in a thread; yield the address of the machine, without a path."""
    port = free_port()
    # A page's stream never ends by itself, so the server does not wait for it.
    server = uvicorn.Server(
        uvicorn.Config(create_app(market), port=port, log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the page's server did not start")
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        market.streams = False
        server.should_exit = True
        thread.join(10)
