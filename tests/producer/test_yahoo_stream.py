"""The stream against a local WebSocket server that sends what Yahoo sends: base64 of yfinance's own PricingData."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import logging
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from websockets.sync.server import ServerConnection
from yfinance.pricing_pb2 import PricingData

from producer.sources.yahoo.chart import YahooCharts, yahoo_session
from producer.sources.yahoo.stream import YahooStreamSource
from tapeline.market.quotes import Quote
from tapeline.stream.source import Counters, Counts
from tests.producer.market_data_server import AAPL, ChartServer, Listing, PriceServer, new_york, pricing

NOW = new_york("2026-03-12 11:30")
Script = Callable[[ServerConnection, int], None]


def at(second: float) -> datetime:
    return datetime.fromtimestamp(new_york("2026-03-12 11:29").timestamp() + second, NOW.tzinfo)


@pytest.fixture(autouse=True)
def _log_of_the_producer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="producer")


@contextlib.contextmanager
def listening(
    charts: ChartServer, script: Script, symbols: tuple[str, ...] = ("AAPL",), refuse_first: int = 0, **settings: Any
) -> Iterator[tuple[Iterator[Quote], PriceServer, Counters]]:
    """Listen to a server that runs a script for each connection."""
    server = PriceServer(script, refuse_first=refuse_first)
    counters = Counters()
    stop = threading.Event()
    source = YahooStreamSource(
        symbols,
        YahooCharts(yahoo_session(charts.url), now=lambda: NOW),
        server.url,
        first_pause_seconds=0.001,
        now=lambda: NOW,
        randomness=random.Random(1),
        **settings,
    )
    quotes = source.quotes(counters, stop)
    try:
        yield quotes, server, counters
    finally:
        stop.set()
        quotes.close()  # type: ignore[attr-defined]
        server.close()


def send(*frames: str | bytes) -> Script:
    """Send frames on every connection, then wait for the client to go."""

    def script(connection: ServerConnection, _number: int) -> None:
        for frame in frames:
            connection.send(frame)
        with contextlib.suppress(Exception):
            while True:
                connection.recv()

    return script


def test_a_message_and_the_charts_day_make_a_whole_quote(charts_server: ChartServer) -> None:
    charts_server.answers["AAPL"] = AAPL
    frame = pricing("AAPL", 189.235, at(58.25), change=-71.575, change_percent=-27.44, day_volume=21_600_000)
    with listening(charts_server, send(frame)) as (quotes, server, counters):
        assert next(quotes) == Quote(
            symbol="AAPL",
            timestamp="2026-03-12T15:29:58.250Z",
            open=Decimal("258.64"),
            high=Decimal("258.95"),
            low=Decimal(0),  # 254.13, says the chart, and the price shows that it no longer is
            price=Decimal("189.235"),
            previous_close=Decimal("260.81"),
            volume=21_600_000,
            source="yahoo",
            ingested_at="2026-03-12T15:30:00.000Z",
        )
        assert server.subscriptions == [(1, ["AAPL"])]
        assert counters.now() == Counts(read=1)


def test_what_a_message_says_itself_goes_before_the_chart(charts_server: ChartServer) -> None:
    charts_server.answers["AAPL"] = AAPL
    frame = pricing(
        "AAPL", 256.5, at(58), open_price=258.7, day_high=259.05, day_low=254.01, previous_close=260.85, day_volume=22
    )
    with listening(charts_server, send(frame)) as (quotes, _, _):
        quote = next(quotes)
    figures = (quote.open, quote.high, quote.low, quote.previous_close, quote.volume)
    assert [str(figure) for figure in figures] == ["258.7", "259.05", "254.01", "260.85", "22"]


def test_without_a_chart_what_messages_leave_out_is_zero_until_the_chart_comes(
    charts_server: ChartServer, caplog: pytest.LogCaptureFixture
) -> None:
    charts_server.answers["AAPL"] = AAPL
    asked = itertools.count()
    charts_server.answers["AAPL"] = lambda: "429" if next(asked) < 2 else AAPL  # yfinance asks twice for one 429
    now = [0.0]
    frames: list[str | bytes] = [
        pricing("AAPL", 255.5, at(1), change=-5.31, day_volume=100),
        pricing("AAPL", 254.0, at(2), change=-6.81, day_volume=150),
        pricing("AAPL", 255.0, at(3), change=-5.81),
    ]
    with listening(charts_server, send(*frames), clock=lambda: now[0]) as (quotes, _, _):
        first, second = next(quotes), next(quotes)
        now[0] = 400.0  # five minutes on, and the breaker lets a probe through
        third = next(quotes)
    assert [
        (str(q.open), str(q.high), str(q.low), str(q.previous_close), q.volume) for q in (first, second, third)
    ] == [
        ("0", "0", "0", "260.81", 100),
        ("0", "0", "0", "260.81", 150),
        ("258.64", "258.95", "254.13", "260.81", 21_540_000),
    ]
    assert "Yahoo's charts: Yahoo limits our rate (429)" in caplog.text


def test_a_high_that_the_price_has_left_behind_is_not_sent_on_nor_stretched(charts_server: ChartServer) -> None:
    charts_server.answers["AAPL"] = AAPL
    frames: list[str | bytes] = [
        pricing("AAPL", 255.5, at(1), change=-5.31),
        pricing("AAPL", 259.5, at(2), change=-1.31),
        pricing("AAPL", 255.5, at(3), change=-5.31),
        pricing("AAPL", 255.5, at(4), change=-5.31, day_high=260.0),
        pricing("AAPL", 255.6, at(5), change=-5.21),
    ]
    with listening(charts_server, send(*frames), clock=lambda: 0.0) as (quotes, _, _):
        highs = [str(quote.high) for quote in itertools.islice(quotes, 5)]
    assert highs == ["258.95", "0", "0", "260.0", "260.0"]


def test_after_the_price_left_the_high_behind_another_chart_is_asked_for(charts_server: ChartServer) -> None:
    charts = iter([AAPL, replace(AAPL, high=259.75)])
    charts_server.answers["AAPL"] = lambda: next(charts)
    now = [0.0]
    frames = [pricing("AAPL", 259.5, at(1), change=-1.31), pricing("AAPL", 259.25, at(2), change=-1.56)]
    with listening(charts_server, send(*frames), clock=lambda: now[0]) as (quotes, _, _):
        first = next(quotes)
        now[0] = 300.0
        second = next(quotes)
    assert (str(first.high), str(second.high)) == ("0", "259.75")


STALE = replace(AAPL, closes={date(2026, 3, 9): 240.0, date(2026, 3, 10): 250.0})
MISSING = "previous_close: the daily bar of 2026-03-11 is missing, 250.0 is of 2026-03-10"

# What the chart knows, what the messages say of the previous close, what comes of it and the doubt.
PREVIOUS_CLOSES: dict[str, tuple[Listing | str, list[dict[str, float]], str, str]] = {
    "the chart's": (AAPL, [{}], "260.81", ""),
    "both agree": (AAPL, [{"change": -5.81}], "260.81", ""),
    "the chart has a hole, the change is the message's own": (STALE, [{"change": -5.81}], "260.81", ""),
    "the chart has a hole, and nothing else": (STALE, [{}], "250.0", MISSING),
    "they disagree": (
        replace(AAPL, closes={date(2026, 3, 11): 250.0}),
        [{"change": -5.81}],
        "260.81",
        "previous_close: the messages mean 260.81, the chart 250.0",
    ),
    "the message states it": (STALE, [{"previous_close": 260.85}], "260.85", ""),
    "the message contradicts itself": (
        AAPL,
        [{"previous_close": 260.81, "change": 5.0}],
        "260.81",
        "previous_close: the message states 260.81, its change means 250.00",
    ),
    "an earlier message stated it": (STALE, [{"change": -5.81}, {}], "260.81", ""),
    "nobody does": ("delisted", [{}], "0", "previous_close: neither message nor chart states one"),
}


@pytest.mark.parametrize("case", PREVIOUS_CLOSES)
def test_the_messages_own_change_goes_before_the_charts_previous_close(charts_server: ChartServer, case: str) -> None:
    chart, messages, previous_close, doubt = PREVIOUS_CLOSES[case]
    charts_server.answers["AAPL"] = chart
    frames = [pricing("AAPL", 255.0, at(number), **fields) for number, fields in enumerate(messages)]
    with listening(charts_server, send(*frames)) as (quotes, _, _):
        *_, quote = itertools.islice(quotes, len(messages))
    assert (f"{quote.previous_close:f}", quote.doubt) == (previous_close, doubt)


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 1e-40, 3e38])
def test_an_impossible_figure_counts_as_left_out(charts_server: ChartServer, odd: float) -> None:
    charts_server.answers["AAPL"] = AAPL
    names = ("open_price", "day_high", "day_low", "previous_close", "change")
    frame = pricing("AAPL", 255.0, at(1), day_volume=-7, **dict.fromkeys(names, odd))
    with listening(charts_server, send(frame)) as (quotes, _, _):
        quote = next(quotes)
    figures = (quote.open, quote.high, quote.low, quote.previous_close, quote.volume, quote.doubt)
    assert [str(figure) for figure in figures] == ["258.64", "258.95", "254.13", "260.81", "21540000", ""]


# Silent for how long since the start, when, what is followed, whether a connection comes about; and what is told.
SILENCES: dict[str, tuple[float, str, str, bool, str]] = {
    "in session": (200, "2026-03-12 11:30", "AAPL", True, "connected to Yahoo's stream, but no quote comes"),
    "not for long": (100, "2026-03-12 11:30", "AAPL", True, ""),
    "just after the open": (9000, "2026-03-12 09:32", "AAPL", True, ""),
    "minutes after the open": (9000, "2026-03-12 09:34", "AAPL", True, "connected to Yahoo's stream, but no quote"),
    "at night": (9000, "2026-03-12 20:00", "AAPL", True, ""),
    "on Thanksgiving": (9000, "2026-11-26 11:30", "AAPL", True, ""),
    "of coins": (9000, "2026-03-12 11:30", "BTC-USD", True, ""),
    "no connection": (
        200,
        "2026-03-12 20:00",
        "BTC-USD",
        False,
        "Yahoo's stream cannot be reached (ConnectionRefusedE",
    ),
}


@pytest.mark.parametrize("case", SILENCES)
def test_an_open_socket_that_says_nothing_in_session_is_trouble(case: str) -> None:
    seconds, when, symbol, connects, trouble = SILENCES[case]
    now = [0.0]
    server = PriceServer(fall_silent)
    stop = threading.Event()
    url = server.url if connects else "ws://127.0.0.1:1"
    source = YahooStreamSource(
        [symbol],
        NoCharts(),  # type: ignore[arg-type]
        url,
        idle_seconds=0.01,
        first_pause_seconds=0.001,
        clock=lambda: now[0],
        now=lambda: new_york(when),
    )
    now[0] = seconds
    looks = itertools.count()

    class AfterAFewLooks:
        def is_set(self) -> bool:
            return next(looks) > 4 or stop.is_set()

        wait = staticmethod(stop.wait)

    assert list(source.quotes(Counters(), AfterAFewLooks())) == []
    server.close()
    assert source.trouble().startswith(trouble) if trouble else source.trouble() == ""


def test_trouble_is_over_with_the_first_quote(charts_server: ChartServer) -> None:
    charts_server.answers["AAPL"] = AAPL
    now = [0.0]
    server = PriceServer(send(pricing("AAPL", 255.0, at(1))))
    charts = YahooCharts(yahoo_session(charts_server.url), now=lambda: NOW)
    source = YahooStreamSource(["AAPL"], charts, server.url, clock=lambda: now[0], now=lambda: NOW)
    now[0] = 1000.0
    source._judge()
    assert source.trouble()
    quotes = source.quotes(Counters(), threading.Event())
    next(quotes)
    assert source.trouble() == ""
    quotes.close()  # type: ignore[attr-defined]
    server.close()


def drop_after(frame_of: Callable[[int], str], how: Callable[[ServerConnection], None]) -> Script:
    """Send one frame per connection, then end the first two in some way."""

    def script(connection: ServerConnection, number: int) -> None:
        connection.send(frame_of(number))
        if number <= 2:
            how(connection)
        else:
            with contextlib.suppress(Exception):
                connection.recv()

    return script


def reset(connection: ServerConnection) -> None:
    """Break the connection off without a word, as a failing network does."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.socket.close()


def fall_silent(connection: ServerConnection, _number: int = 0) -> None:
    """Keep the connection open and say nothing more."""
    with contextlib.suppress(Exception):
        while True:
            connection.recv()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (lambda connection: connection.close(), "closed by Yahoo, 1000"),
        (lambda connection: connection.close(1011), "closed by Yahoo, 1011"),
        (reset, "The stream broke off"),
        (fall_silent, "No message for 0.2 s"),
    ],
    ids=["closed", "error", "reset", "silent"],
)
def test_after_a_drop_or_a_silence_it_connects_and_subscribes_anew(
    charts_server: ChartServer, caplog: pytest.LogCaptureFixture, how: Callable[[ServerConnection], None], said: str
) -> None:
    charts_server.answers = {"AAPL": AAPL, "KO": replace(AAPL, symbol="KO")}
    script = drop_after(lambda number: pricing("AAPL", 255.0, at(number)), how)
    with listening(charts_server, script, ("KO", "AAPL"), idle_seconds=0.2) as (quotes, server, _):
        times = [quote.timestamp for quote in itertools.islice(quotes, 3)]
        assert times == ["2026-03-12T15:29:01Z", "2026-03-12T15:29:02Z", "2026-03-12T15:29:03Z"]
        assert server.subscriptions == [(1, ["AAPL", "KO"]), (2, ["AAPL", "KO"]), (3, ["AAPL", "KO"])]
    assert said in caplog.text


def test_a_refused_handshake_is_tried_again(charts_server: ChartServer, caplog: pytest.LogCaptureFixture) -> None:
    charts_server.answers["AAPL"] = AAPL
    frame = pricing("AAPL", 255.0, at(1))
    with listening(charts_server, send(frame), refuse_first=2) as (quotes, server, _):
        assert next(quotes).price == Decimal("255.0")
        assert server.handshakes == 3
    assert "The stream broke off (InvalidStatus): connecting again" in caplog.text


def test_the_subscription_is_repeated_while_connected(charts_server: ChartServer) -> None:
    charts_server.answers["AAPL"] = AAPL
    again: list[Any] = []

    def script(connection: ServerConnection, _number: int) -> None:
        connection.send(pricing("AAPL", 255.0, at(1)))
        again.append(json.loads(connection.recv()))
        connection.send(pricing("AAPL", 255.1, at(2)))
        with contextlib.suppress(Exception):
            connection.recv()

    moments = itertools.count(0.0, 20.0)  # more than fifteen seconds between any two looks at the clock
    with listening(charts_server, script, clock=lambda: next(moments), idle_seconds=1e9) as (quotes, _, _):
        assert len(list(itertools.islice(quotes, 2))) == 2
    assert again == [{"subscribe": ["AAPL"]}]


def test_messages_outside_regular_trading_and_of_other_symbols_are_left_out(
    charts_server: ChartServer, caplog: pytest.LogCaptureFixture
) -> None:
    charts_server.answers["AAPL"] = AAPL
    frames: list[str | bytes] = [
        pricing("AAPL", 251.0, at(1), market_hours=0),
        pricing("AAPL", 252.0, at(2), market_hours=2),
        pricing("MSFT", 253.0, at(3)),
        pricing("AAPL", 254.0, at(4)),
    ]
    with listening(charts_server, send(*frames)) as (quotes, _, counters):
        assert next(quotes).price == Decimal("254.0")
        assert counters.now() == Counts(read=1)
    assert caplog.text.count("outside regular trading") == 1


def test_what_cannot_be_read_is_counted_and_said_and_the_next_message_counts(
    charts_server: ChartServer, caplog: pytest.LogCaptureFixture
) -> None:
    charts_server.answers["AAPL"] = AAPL
    frames: list[str | bytes] = [
        "not json",
        b"\xff\x00",
        json.dumps({"message": "!!! not base64"}),
        json.dumps({"message": base64.b64encode(b"\xff\xff\xff").decode()}),
        json.dumps({"type": "heartbeat"}),
        json.dumps([1]),
        pricing("AAPL", float("nan"), at(1)),
        pricing("AAPL", -3.0, at(1)),
        pricing("AAPL", -3e38, at(1), change=1.0),
        pricing("AAPL", 255.0, datetime.min.replace(tzinfo=UTC)),
        pricing("AAPL", 255.0, at(5400)),  # an hour and a half ahead
        pricing("AAPL", 255.5, at(2)),
    ]
    with listening(charts_server, send(*frames)) as (quotes, _, counters):
        assert next(quotes).price == Decimal("255.5")
        assert counters.now() == Counts(read=12, rejected=11)
    assert "AAPL: rejected, future_timestamp" in caplog.text
    assert "our own code" not in caplog.text


def test_a_message_our_own_code_fails_on_is_counted_and_said(caplog: pytest.LogCaptureFixture) -> None:
    source, counters = reader(), Counters()
    source._ask_chart = NoCharts().fetch  # type: ignore[method-assign,assignment]
    assert source._read(pricing("AAPL", 255.0, at(1)), counters) is None
    assert counters.now() == Counts(read=1, rejected=1)
    assert "AAPL: rejected, our own code failed on what Yahoo sent (TypeError at stream.py:" in caplog.text


def test_the_previous_close_of_a_currency_has_all_its_decimals(charts_server: ChartServer) -> None:
    frame = pricing("EURUSD=X", 1.0850, at(1), change=0.0017, price_hint=4)
    with listening(charts_server, send(frame), ("EURUSD=X",)) as (quotes, _, _):
        assert next(quotes).previous_close == Decimal("1.0833")


class NoCharts:
    """Stands for charts that are never asked."""

    def fetch(self, symbol: str) -> Any:
        raise AssertionError("no chart needed")


def reader() -> YahooStreamSource:
    source = YahooStreamSource(["AAPL"], NoCharts(), "ws://127.0.0.1:1", now=lambda: NOW)  # type: ignore[arg-type]
    source._ask_chart = lambda symbol, today: None  # type: ignore[method-assign]
    return source


@given(cents=st.integers(1, 9_999_999))
def test_a_price_of_up_to_seven_digits_survives_the_32_bit_float(cents: int) -> None:
    price = Decimal(cents) / 100
    quote = reader()._read(pricing("AAPL", float(price), at(1), previous_close=250.0), Counters())
    assert quote is not None
    assert quote.price == price


@given(cents=st.integers(100, 9_999_999), change_cents=st.integers(-5_000, 5_000))
def test_price_minus_change_is_the_previous_close_to_the_cent(cents: int, change_cents: int) -> None:
    previous_close = cents - change_cents
    assume(previous_close > 0 and change_cents != 0)
    frame = pricing("AAPL", cents / 100, at(1), change=change_cents / 100)
    quote = reader()._read(frame, Counters())
    assert quote is not None
    assert quote.previous_close == Decimal(previous_close) / 100


@given(frame=st.one_of(st.binary(), st.text(), st.binary().map(lambda raw: json.dumps({"message": _base64(raw)}))))
def test_no_frame_raises(frame: str | bytes) -> None:
    source = reader()
    source._read(frame, Counters())
    assert "our own code" not in str(source._problems)


@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            name: st.floats(width=32)
            for name in ("price", "open_price", "day_high", "day_low", "previous_close", "change")
        }
        | {name: st.integers(-(2**63), 2**63 - 1) for name in ("time", "day_volume", "price_hint")},
    )
)
def test_no_figures_raise(fields: dict[str, Any]) -> None:
    message = PricingData(id="AAPL", market_hours=1, **fields)
    counters, source = Counters(), reader()
    quote = source._read(json.dumps({"message": _base64(message.SerializeToString())}), counters)
    assert "our own code" not in str(source._problems)
    assert counters.now() == Counts(read=1, rejected=0 if quote else 1)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
