r"""Yahoo on this machine: charts over HTTP and pushed prices over a WebSocket, in Yahoo's formats.

By hand, with the simulated market behind it:

    python -m tests.producer.market_data_server
    python -m producer yahoo --symbols ACME.SIM,BOLT.SIM --url http://127.0.0.1:8090
    python -m producer yahoo-stream --symbols ACME.SIM,BOLT.SIM --url http://127.0.0.1:8090 \
        --stream-url ws://127.0.0.1:8091
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from websockets.sync.server import Server, ServerConnection, serve
from yfinance.pricing_pb2 import PricingData

NEW_YORK = ZoneInfo("America/New_York")


def new_york(text: str) -> datetime:
    """Read a time of day in New York, such as ``2026-03-12 09:30``."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


@dataclass(frozen=True)
class Listing:
    """What Yahoo knows of a symbol at one moment."""

    symbol: str
    time: datetime
    open: float | None
    high: float
    low: float
    price: float
    volume: int
    opens_at: datetime
    closes_at: datetime
    closes: dict[date, float] = field(default_factory=dict)
    kind: str = "EQUITY"
    change_percent: float | None = None

    def chart(self) -> dict[str, Any]:
        """Return the answer of ``/v8/finance/chart/SYMBOL?range=5d&interval=1d``."""
        session_opens = self.opens_at.timetz()
        days = [(datetime.combine(day, session_opens), close) for day, close in sorted(self.closes.items())]
        figures = {
            "open": [close for _, close in days] + [self.open],
            "high": [close for _, close in days] + [self.high],
            "low": [close for _, close in days] + [self.low],
            "close": [close for _, close in days] + [self.price],
            "volume": [1_000_000 for _ in days] + [self.volume],
        }
        about = {
            "currency": "USD",
            "symbol": self.symbol,
            "exchangeName": "NMS",
            "fullExchangeName": "NasdaqGS",
            "instrumentType": self.kind,
            "firstTradeDate": 345479400,
            "regularMarketTime": int(self.time.timestamp()),
            "gmtoffset": -14400,
            "timezone": "EDT",
            "exchangeTimezoneName": "America/New_York",
            "regularMarketPrice": self.price,
            "regularMarketChangePercent": self.change_percent,
            "regularMarketDayHigh": self.high,
            "regularMarketDayLow": self.low,
            "regularMarketVolume": self.volume,
            "priceHint": 2,
            "currentTradingPeriod": {
                name: {"timezone": "EDT", "gmtoffset": -14400, "start": int(start), "end": int(end)}
                for name, start, end in (
                    ("pre", self.opens_at.timestamp() - 19800, self.opens_at.timestamp()),
                    ("regular", self.opens_at.timestamp(), self.closes_at.timestamp()),
                    ("post", self.closes_at.timestamp(), self.closes_at.timestamp() + 14400),
                )
            },
            "dataGranularity": "1d",
            "range": "5d",
            "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
        }
        today = datetime.combine(self.time.astimezone(NEW_YORK).date(), session_opens)
        result = {
            "meta": about,
            "timestamp": [int(day.timestamp()) for day, _ in days] + [int(today.timestamp())],
            "indicators": {"quote": [figures], "adjclose": [{"adjclose": figures["close"]}]},
        }
        return {"chart": {"result": [result], "error": None}}


# Thursday 2026-03-12, half past eleven in New York: 15:30 UTC, daylight saving.
AAPL = Listing(
    symbol="AAPL",
    time=new_york("2026-03-12 11:29:58"),
    open=258.6400146484375,  # 258.64 as a 32-bit float, as Yahoo sends it
    high=258.95001220703125,
    low=254.1300048828125,
    price=255.76,
    volume=21_540_000,
    opens_at=new_york("2026-03-12 09:30"),
    closes_at=new_york("2026-03-12 16:00"),
    closes={date(2026, 3, 10): 260.83, date(2026, 3, 11): 260.80999755859375},
)


class ChartServer:
    """Answers for charts, cookies and crumbs. `answers` maps a symbol to a `Listing`, a word of trouble, or a callable.

    Troubles: ``429``, ``500``, ``malformed``, ``deep``, ``html``, ``down``, ``empty``, ``no result``, ``delisted``,
    ``hang up``, ``silence`` (no answer while the server lives).
    """

    def __init__(self, clock: Callable[[], float] = time.time, port: int = 0) -> None:
        self.answers: dict[str, Any] = {}
        self.crumb_status = 200
        self.asked: list[tuple[float, str]] = []
        self.closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                _, host, *path = urlsplit(self.path).path.split("/")
                if host == "fc.yahoo.com":
                    self.answer(404, "", {"Set-Cookie": "A3=d=local; Path=/; Max-Age=31536000"})
                elif path[-1] == "getcrumb":
                    self.answer(server.crumb_status, "crumb" if server.crumb_status == 200 else "Too Many Requests")
                elif path[:3] == ["v8", "finance", "chart"]:
                    server.asked.append((clock(), path[3]))
                    self.answer_chart(server.answers.get(path[3], "delisted"))
                else:
                    self.answer(404, json.dumps({"finance": {"result": None, "error": {"code": "Not Found"}}}))

            do_POST = do_GET  # noqa: N815

            def answer_chart(self, answer: Any) -> None:
                if callable(answer):
                    answer = answer()
                if isinstance(answer, Listing):
                    return self.answer(200, json.dumps(answer.chart()))
                match answer:
                    case "429":
                        return self.answer(429, "Too Many Requests")
                    case "500":
                        return self.answer(500, "oops")
                    case "malformed":
                        return self.answer(200, '{"chart": {"result": [')
                    case "deep":
                        return self.answer(200, "[" * 200_000)
                    case "html":
                        return self.answer(200, "<html>edge error</html>")
                    case "down":
                        return self.answer(200, "Will be right back... Thank you for your patience.")
                    case "empty":
                        return self.answer(200, json.dumps({"chart": {"result": [], "error": None}}))
                    case "no result":
                        return self.answer(200, json.dumps({"chart": {"result": None, "error": None}}))
                    case "delisted":
                        reason = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
                        return self.answer(404, json.dumps({"chart": {"result": None, "error": reason}}))
                    case "hang up":
                        self.close_connection = True
                        return None
                    case "silence":
                        server.closing.wait()
                        self.close_connection = True
                        return None
                raise AssertionError(f"no such trouble: {answer}")

            def answer(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
                body = text.encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()


def pricing(symbol: str, price: float, at: datetime, **fields: Any) -> str:
    """Return a frame as Yahoo pushes it; times and prices lose there what a 32-bit float loses."""
    message = PricingData(
        id=symbol,
        price=price,
        time=round(at.timestamp() * 1000),
        **{"exchange": "NMS", "quote_type": 8, "market_hours": 1, "price_hint": 2} | fields,
    )
    return json.dumps({"type": "pricing", "message": base64.b64encode(message.SerializeToString()).decode()})


class PriceServer:
    """Pushes prices. `script(connection, number)` runs for each connection, after its first subscription."""

    def __init__(self, script: Callable[[ServerConnection, int], None], port: int = 0, refuse_first: int = 0) -> None:
        self.subscriptions: list[tuple[int, list[str]]] = []
        self.connections = 0
        self.handshakes = 0

        def handle(connection: ServerConnection) -> None:
            self.connections += 1
            number = self.connections
            self.subscriptions.append((number, json.loads(connection.recv())["subscribe"]))
            script(connection, number)

        def answer_handshake(connection: ServerConnection, _request: Any) -> Any:
            self.handshakes += 1
            return connection.respond(503, "busy\n") if self.handshakes <= refuse_first else None

        self._server: Server = serve(handle, "127.0.0.1", port, process_request=answer_handshake)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/?version=2"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()


def main() -> None:
    """Serve the simulated market until Ctrl-C."""
    from producer.simulated import SimulatedMarket

    market = SimulatedMarket()
    lock = threading.Lock()

    def listing(symbol: str) -> Listing:
        now = datetime.now(UTC)
        with lock:
            quote = market.quote(symbol, now.timestamp(), now)
        midnight = now.astimezone(NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)
        return Listing(
            symbol,
            now,
            float(quote.open),
            float(quote.high),
            float(quote.low),
            float(quote.price),
            quote.volume,
            midnight,
            days_on(midnight, 1),
            {days_on(midnight, -1).date(): float(quote.previous_close)},
        )

    def push(connection: ServerConnection, _number: int) -> None:
        with contextlib.suppress(Exception):
            while True:
                for symbol in market.symbols:
                    now = listing(symbol)
                    change = now.price - next(iter(now.closes.values()))
                    connection.send(pricing(symbol, now.price, now.time, change=change, day_volume=now.volume))
                time.sleep(1)

    charts = ChartServer(port=8090)
    charts.answers = {symbol: lambda symbol=symbol: listing(symbol) for symbol in market.symbols}
    prices = PriceServer(push, port=8091)
    print(f"charts at {charts.url}, prices at {prices.url}; symbols {', '.join(market.symbols)}")
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


def days_on(moment: datetime, days: int) -> datetime:
    """Return the same time of day some days on."""
    return datetime.combine(date.fromordinal(moment.toordinal() + days), moment.timetz())


if __name__ == "__main__":
    main()
