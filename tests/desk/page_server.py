"""A server that speaks the desk's contract over a made-up market: a test decides what the page is told, and when.

The page's files and its policy are the real ones. The real server meets the page in `test_desk_in_airflow`.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.staticfiles import StaticFiles

from localaws.testing import free_port
from tapeline.desk.answers import PAGE_POLICY, REPORT_POLICY
from tapeline.desk.app import STATIC
from tapeline.reports.page import page
from tests.reports.report_builders import report, weekly

ROOT = "/market-desk"
SPARK_POINTS = 60
SESSION_MINUTES = 240
HOSTILE = "hello <script>window.hacked = true</script>\u202e"
HOME = """<!doctype html><html class="{theme}"><title>Airflow</title><link rel="icon" href="data:,">
<style>iframe {{ position: fixed; inset: 0; width: 100%; height: 100%; border: 0 }}</style>
<iframe src="{root}/" title="Market desk" sandbox="allow-scripts allow-same-origin allow-forms allow-downloads">
</iframe>"""
"""The page around the desk, with the sandbox that Airflow 3.3 gives to pages of plugins."""


def utc(epoch: float) -> str:
    """Return a moment as the contract writes it."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Market:
    """What the page is told. Change it by its methods; every page that watches hears of it."""

    quotes: dict[str, dict[str, Any]] = field(default_factory=dict)
    lights: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
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
    asked: list[str] = field(default_factory=list)
    _changed: dict[str, int] = field(default_factory=dict)
    _random: random.Random = field(default_factory=lambda: random.Random(7))

    def add(self, symbol: str, price: float, previous_close: float, trend: str | None = None, volume: int = 0) -> None:
        """Add a symbol with a session behind it that leads to its price."""
        now, course, at = time.time(), [], previous_close
        for left in range(SPARK_POINTS, 0, -1):
            at += (price - at) / left + self._random.gauss(0, previous_close * 0.0012)
            course.append([int(now) - left * 240, round(at, 2)])
        course[-1][1] = price
        prices = [one for _, one in course]
        self.quotes[symbol] = {
            "symbol": symbol,
            "source": "simulated",
            "open": prices[0],
            "high": max(prices),
            "low": min(prices),
            "previous_close": previous_close,
            "volume": volume or self._random.randrange(100_000, 80_000_000),
            "moving_average": round(price * 0.9994, 2),
            "moving_average_5": price,
            "trend": trend,
            "anomaly": False,
            "suspect": [],
            "last_alert": None,
            "spark": course,
        }
        self.trade(symbol, price)

    def trade(self, symbol: str, price: float, **others: Any) -> None:
        """Let a symbol trade at a price now."""
        quote, now = self.quotes[symbol], time.time()
        change = round(price - quote["previous_close"], 2)
        percent = round(100 * change / quote["previous_close"], 2)
        was = quote["anomaly"]
        quote.update(
            price=price,
            timestamp=utc(now - 0.4),
            ingested_at=utc(now - 0.2),
            change=change,
            change_percent=percent,
            high=max(quote["high"], price),
            low=min(quote["low"], price),
            anomaly=abs(percent) > 5,
            reasons=["price_move"] if abs(percent) > 5 else [],
        )
        if quote["anomaly"] and not was:
            quote["last_alert"] = {"kind": "price_move", "timestamp": quote["timestamp"]}
        quote.update(others)
        self.version += 1
        self._changed[symbol] = self.version

    def move_all(self) -> None:
        """Let every symbol trade a little off its price."""
        for symbol, quote in self.quotes.items():
            price = max(0.01, round(quote["price"] * (1 + self._random.gauss(0, 0.0003)), 2))
            self.trade(symbol, price, volume=quote["volume"] + self._random.randrange(900))

    def document(self, since: int | None = None) -> dict[str, Any]:
        """Return what changed since a version, or all."""
        found = [
            quote if since is None else {name: value for name, value in quote.items() if name != "spark"}
            for symbol, quote in list(self.quotes.items())
            if since is None or self._changed[symbol] > since
        ]
        simulated = any(quote["source"] == "simulated" for quote in self.quotes.values())
        return {"version": self.version, "at": utc(time.time()), "simulated": simulated, "symbols": found}

    def health(self) -> dict[str, Any]:
        """Return the lights."""
        triggers = ["anomaly_report", "daily_rollup", "redrive_rejected", "repair_partitions"]
        return {"at": utc(time.time()), "lights": self.lights, "market_open": self.is_open, "triggers": triggers}

    def detail(self, symbol: str, session: str) -> dict[str, Any]:
        """Return a session of a symbol by minute."""
        quote, drawn = self.quotes[symbol], random.Random(symbol + session)
        today = session == self.sessions[0]
        last = (
            int(time.time()) // 60 * 60 if today else int(datetime.fromisoformat(f"{session}T21:00Z").timestamp()) - 60
        )
        price, candles = quote["open"], []
        for left in range(SESSION_MINUTES, 0, -1):
            opened, price = price, price + (quote["price"] - price) / left + drawn.gauss(0, price * 0.0007)
            high, low = max(opened, price) * (1 + drawn.random() / 2e3), min(opened, price) * (1 - drawn.random() / 2e3)
            bar = [round(one, 2) for one in (opened, high, low, price)]
            candles.append([last - 60 * (left - 1), *bar, int(drawn.expovariate(1 / 20_000)), 12])
        marks = [
            {"time": candles[44][0], "kind": "trend_up", "text": "The average of 5 prices rose above that of 20."},
            {"time": candles[131][0], "kind": "price_move", "text": "5.12% from the previous close, at 268.06 USD."},
            {"time": candles[187][0], "kind": "trend_down", "text": "The average of 5 prices fell below that of 20."},
        ]
        return {
            "symbol": symbol,
            "session": session,
            "today": self.sessions[0],
            "left_out": {} if today else self.left_out,
            "figures": None if today else _figures(candles, quote["previous_close"]),
            "opens_at": utc(candles[0][0]),
            "closes_at": utc(candles[0][0] + 86_400),
            "from": "dynamodb" if today else "minute_bars",
            "averages_over": "quotes" if today else "minutes",
            "complete": True,
            "previous_close": quote["previous_close"],
            "candles": candles,
            "moving_average": _average(candles, 20),
            "moving_average_5": _average(candles, 5),
            "marks": marks,
        }


def _figures(candles: list[list[float]], close: float) -> dict[str, float]:
    last = candles[-1][4]
    return {
        "open_usd": candles[0][1],
        "high_usd": max(one[2] for one in candles),
        "low_usd": min(one[3] for one in candles),
        "close_usd": last,
        "previous_close_usd": close,
        "change_usd": round(last - close, 2),
        "change_pct": round(100 * (last - close) / close, 2),
        "vwap_usd": 123.45,
        "volume_shares": sum(int(one[5]) for one in candles),
    }


def _average(candles: list[list[float]], window: int) -> list[list[float]]:
    closes = [one[4] for one in candles]
    means = [closes[max(0, at + 1 - window) : at + 1] for at in range(len(closes))]
    return [[one[0], round(sum(part) / len(part), 2)] for one, part in zip(candles, means, strict=True)]


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
    market.quotes["KITE.SIM"]["last_alert"] = {"kind": "trend_down", "timestamp": utc(now - 754)}
    market.quotes["JADE.SIM"]["last_alert"] = {"kind": "trend_up", "timestamp": utc(now - 1900)}
    market.lights = usual_lights()
    market.rejects = [
        reject(
            "not_json",
            "expected a JSON object, found text",
            "hello <script>window.hacked = true</script>\u202e",
            "9001",
            "7",
        ),
        reject("bad_price", "price must be a positive number, found -3", '{"symbol": "ACME.SIM", "price": -3}', "9002"),
        reject("not_json", "expected a JSON object, found a list", "[1, 2, 3]", "9003"),
    ]
    monday = date(2026, 11, 23)
    days = (monday - timedelta(days=back) for back in range(40))
    market.sessions = [str(day) for day in days if day.weekday() < 5 and day.day % 9]
    return market


def usual_lights() -> list[dict[str, Any]]:
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
    name: str, label: str, state: str, value: str, detail: str, todo: str | None = None, dag: str | None = None
) -> dict[str, Any]:
    """Return a light of the contract."""
    fields = {"name": name, "label": label, "state": state, "value": value, "detail": detail}
    return {**fields, "todo": todo, "dag_id": dag}


def reject(reason: str, detail: str, payload: str, number: str, partition_key: str = "") -> dict[str, Any]:
    """Return a rejected record of the contract."""
    return {
        "reason": reason,
        "detail": detail,
        "payload": payload,
        "arrived_at": "2026-11-23T14:31:05.000Z",
        "sequence_number": number,
        "shard_id": "shardId-000000000000",
        "symbol": partition_key,
        "binary": False,
        "truncated": False,
    }


def create_app(market: Market) -> FastAPI:
    """Return the server of a market."""
    app = FastAPI(openapi_url=None)
    refused = JSONResponse({"detail": "Not authenticated"}, 401)

    @app.middleware("http")
    async def log_in(request: Request, answer: Any) -> Response:
        market.asked.append(request.url.path)
        if not market.logged_in and request.url.path.startswith(f"{ROOT}/api"):
            return refused
        return await answer(request)  # type: ignore[no-any-return]

    @app.get(f"{ROOT}/")
    def desk() -> Response:
        return HTMLResponse((STATIC / "index.html").read_text(), headers={"content-security-policy": PAGE_POLICY})

    @app.get("/plugin/market-desk")
    def home(theme: str = "light") -> Response:
        return HTMLResponse(HOME.format(theme=theme, root=ROOT))

    app.mount(f"{ROOT}/static", StaticFiles(directory=STATIC))

    @app.get(f"{ROOT}/api/me")
    def me() -> dict[str, Any]:
        return {"user": "someone", "may_trigger": market.may_trigger}

    @app.get(f"{ROOT}/api/quotes")
    def quotes(since: int | None = None) -> dict[str, Any]:
        return market.document(since)

    @app.get(f"{ROOT}/api/stream")
    async def stream() -> Response:
        if not market.streams:
            return JSONResponse({"detail": "No streams today."}, 503)
        return StreamingResponse(_events(market), media_type="text/event-stream")

    @app.get(f"{ROOT}/api/health")
    def health() -> dict[str, Any]:
        return market.health()

    @app.get(f"{ROOT}/api/sessions")
    def sessions() -> dict[str, Any]:
        return {"today": market.sessions[0], "sessions": market.sessions}

    @app.get(f"{ROOT}/api/symbols/{{symbol}}")
    def detail(symbol: str, session: str | None = None) -> Any:
        if symbol not in market.quotes:
            return JSONResponse({"detail": f"No quote of {symbol} is stored."}, 404)
        return market.detail(symbol, session or market.sessions[0])

    @app.get(f"{ROOT}/api/rejects")
    def rejects() -> dict[str, Any]:
        names = [one["reason"] for one in market.rejects]
        return {"reasons": {name: names.count(name) for name in names}, "more": False, "rejects": market.rejects}

    @app.get(f"{ROOT}/api/reports")
    def reports() -> dict[str, Any]:
        names = (("anomaly", "2025-11-28", "1 anomaly, market +1.86%"), ("weekly", "2025-11-28", "Week to 28 November"))
        return {
            "reports": [
                {"name": f"{kind}-report", "kind": kind, "session": day, "title": title,
                 "href": f"reports/{day}/{kind}-report.html"}
                for kind, day, title in names
            ]
        }  # fmt: skip

    @app.get(f"{ROOT}/reports/{{day}}/{{name}}")
    def stored(day: str, name: str) -> Response:
        html = page(weekly() if name.startswith("weekly") else report())
        return HTMLResponse(html, headers={"content-security-policy": REPORT_POLICY})

    @app.post(f"{ROOT}/api/dags/{{dag}}/trigger", status_code=201)
    def trigger(dag: str, request: Request) -> Any:
        if request.headers.get("x-requested-with") != "market-desk":
            return JSONResponse({"detail": "Not from the page."}, 403)
        market.triggered.append(dag)
        return {"dag_id": dag, "run_id": "manual", "dry_run": True, "href": f"../dags/{dag}/runs/manual"}

    return app


async def _events(market: Market) -> AsyncIterator[str]:
    sent, told = None, ""
    while market.silent and market.streams:
        await asyncio.sleep(market.pause_seconds)
    while market.streams and market.logged_in:
        if sent is None or market.version != sent:
            document = market.document(sent)
            sent = document["version"]
            yield f"id: {sent}\nevent: quotes\ndata: {json.dumps(document)}\n\n"
        lights = json.dumps(market.lights)
        if lights != told:
            told = lights
            yield f"event: health\ndata: {json.dumps(market.health())}\n\n"
        await asyncio.sleep(market.pause_seconds)


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
