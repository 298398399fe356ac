"""The real yfinance against a local server that speaks Yahoo's chart format; time passes when a test says so."""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from producer.sources.yahoo import poll
from producer.sources.yahoo.answer import Market
from producer.sources.yahoo.chart import UnreachableError, YahooCharts, yahoo_session
from producer.sources.yahoo.poll import YahooSource
from tapeline.market.quotes import Quote
from tapeline.stream.source import Counters
from tests.producer.builders import QUOTE, FakeTime
from tests.producer.market_data_server import AAPL, ChartServer, Listing, new_york

KO = replace(
    AAPL, symbol="KO", open=77.1, high=77.5, low=76.9, price=77.345, volume=900, closes={date(2026, 3, 11): 77}
)


@dataclass
class Feed:
    """A source on fake time, its server and its counts."""

    server: ChartServer
    time: FakeTime
    counters: Counters

    def source(self, *symbols: str, every: float = 30.0) -> YahooSource:
        charts = YahooCharts(
            yahoo_session(self.server.url), now=lambda: datetime.fromtimestamp(self.time.now, UTC), timeout_seconds=0.5
        )
        return YahooSource(symbols, charts, every, clock=self.time.clock, randomness=random.Random(1))

    def quotes(self, *symbols: str, minutes: float) -> list[Quote]:
        self.time.ends_at = self.time.now + minutes * 60
        return list(self.source(*symbols).quotes(self.counters, self.time))

    def asked(self, symbol: str) -> list[float]:
        """When a symbol was asked for, seconds, each moment once: yfinance may need several requests."""
        return [at for at, _ in itertools.groupby(at for at, asked in self.server.asked if asked == symbol)]


@pytest.fixture
def feed(caplog: pytest.LogCaptureFixture) -> Iterator[Feed]:
    caplog.set_level(logging.INFO, logger="producer")
    time = FakeTime(now=new_york("2026-03-12 11:30").timestamp())
    server = ChartServer(clock=time.clock)
    server.answers = {"AAPL": AAPL, "KO": KO}
    yield Feed(server, time, Counters())
    server.close()


def test_a_chart_gives_a_whole_quote_at_the_markets_time_not_the_fetchs(feed: Feed) -> None:
    [quote] = feed.quotes("AAPL", minutes=0.1)
    assert quote == replace(
        QUOTE,
        timestamp="2026-03-12T15:29:58Z",
        low=Decimal("254.13"),
        price=Decimal("255.76"),
        volume=21_540_000,
        source="yahoo",
        ingested_at="2026-03-12T15:30:00.000Z",
    )


def test_a_quote_is_new_only_when_its_own_time_moved(feed: Feed) -> None:
    seconds = itertools.chain([0, 0, 0, 20, 20, 5, 25], itertools.repeat(25))  # the fifth second: a server behind

    def answer() -> Listing:
        return replace(AAPL, symbol="MOVES", time=new_york(f"2026-03-12 11:31:{next(seconds):02d}"))

    feed.server.answers["MOVES"] = answer
    feed.time.now = new_york("2026-03-12 11:32").timestamp()
    quotes = feed.quotes("MOVES", minutes=4)
    assert [quote.timestamp[-10:] for quote in quotes] == ["T15:31:00Z", "T15:31:20Z", "T15:31:25Z"]
    counts = feed.counters.now()
    assert counts.read == 8
    assert counts.repeated == 5


def test_each_symbol_is_asked_every_thirty_seconds_while_the_market_is_open(
    feed: Feed, caplog: pytest.LogCaptureFixture
) -> None:
    start = feed.time.now
    feed.quotes("AAPL", "KO", minutes=1.75)
    assert [at - start for at in feed.asked("AAPL")] == [0, 30, 60, 90]
    assert [at - start for at in feed.asked("KO")] == [0, 30, 60, 90]
    assert [record.getMessage() for record in caplog.records] == ["XNYS is open"]


# What is wrong with a symbol, and what the log says of it.
TROUBLES = {
    "500": "Yahoo answered 500",
    "malformed": "Yahoo's answer holds no quote: it says no JSON",
    "html": "Yahoo's answer holds no quote: it says no JSON",
    "down": "Yahoo's answer holds no quote: it says that it is down",
    "empty": "Yahoo's answer holds no quote",
    "no result": "Yahoo's answer holds no quote",
    "delisted": "Yahoo has no prices: No data found, symbol may be delisted",
    "hang up": "Yahoo cannot be reached",
    "silence": "Yahoo cannot be reached",
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_one_symbols_trouble_is_named_once_and_stops_no_other(
    feed: Feed, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    bad = f"BAD{list(TROUBLES).index(trouble)}"
    feed.server.answers[bad] = trouble
    start = feed.time.now
    quotes = feed.quotes(bad, "AAPL", "KO", minutes=3)
    assert [quote.symbol for quote in quotes] == ["AAPL", "KO"]
    assert [at - start for at in feed.asked("AAPL")] == [0, 30, 60, 90, 120, 150]
    said = [record.getMessage() for record in caplog.records if record.getMessage().startswith(f"{bad}:")]
    assert len(said) == 1
    assert said[0].startswith(f"{bad}: {TROUBLES[trouble]}")
    pauses = [later - earlier for earlier, later in itertools.pairwise(feed.asked(bad))]
    assert pauses == sorted(pauses)
    assert pauses[-1] > 30


def test_a_symbol_that_recovers_gives_quotes_again(feed: Feed, caplog: pytest.LogCaptureFixture) -> None:
    back_at = feed.time.now + 60
    feed.server.answers["LATE"] = lambda: "empty" if feed.time.now < back_at else replace(AAPL, symbol="LATE")
    quotes = feed.quotes("LATE", minutes=10)
    assert [quote.symbol for quote in quotes] == ["LATE"]
    assert "LATE: quotes come again" in caplog.text
    assert feed.counters.now().rejected > 0


@pytest.mark.parametrize(
    ("listing", "complaint"),
    [
        (replace(AAPL, price=-37.63), "Yahoo's price is -37.63: negative prices are not supported"),
        (replace(AAPL, low=-40.32), "Yahoo's low is -40.32: negative prices are not supported"),
        (replace(AAPL, price=1e13), "Yahoo's figures are no quote: out_of_range"),
        (replace(AAPL, price=1e30, change_percent=1.0), "Yahoo's figures are no quote: out_of_range"),
        (replace(AAPL, time=new_york("2026-03-12 12:30")), "Yahoo's figures are no quote: future_timestamp"),
    ],
)
def test_figures_that_make_no_quote_are_rejected_with_the_reason(
    feed: Feed, caplog: pytest.LogCaptureFixture, listing: Listing, complaint: str
) -> None:
    feed.server.answers["AAPL"] = listing
    assert feed.quotes("AAPL", minutes=0.1) == []
    assert complaint in caplog.text
    assert feed.counters.now().rejected == 1


@pytest.mark.parametrize(("symbol", "hint"), [("BRK.B", "Yahoo writes BRK-B"), ("GONE", ""), ("GONE.HK", "")])
def test_a_class_of_shares_spelt_with_a_dot_is_told_yahoos_spelling(
    feed: Feed, caplog: pytest.LogCaptureFixture, symbol: str, hint: str
) -> None:
    assert feed.quotes(symbol, minutes=0.1) == []
    assert f"{symbol}: Yahoo has no prices: No data found, symbol may be delisted" in caplog.text
    assert ("Yahoo writes" in caplog.text) == bool(hint)
    assert hint in caplog.text


def test_a_symbol_is_asked_for_by_one_request(feed: Feed) -> None:
    feed.quotes("AAPL", minutes=1.1)
    assert [symbol for _, symbol in feed.server.asked] == ["AAPL"] * 3


def test_what_the_answer_says_is_sent_with_its_doubt(feed: Feed) -> None:
    feed.server.answers["AAPL"] = replace(AAPL, closes={date(2026, 3, 10): 260.83}, price=0.0, high=253.0)
    [quote] = feed.quotes("AAPL", minutes=0.1)
    assert (quote.price, quote.high, quote.low) == (Decimal(0), Decimal(253), Decimal("254.13"))
    assert quote.previous_close == Decimal("260.83")
    assert quote.doubt == "previous_close: the daily bar of 2026-03-11 is missing, 260.83 is of 2026-03-10"


def test_a_429_stops_all_requests_and_one_probe_decides_when_to_go_on(
    feed: Feed, caplog: pytest.LogCaptureFixture
) -> None:
    start = feed.time.now
    feed.quotes("AAPL", "KO", minutes=0.1)  # both time zones are known from here on
    feed.server.asked.clear()
    limited_until = start + 200
    feed.server.answers["AAPL"] = lambda: "429" if feed.time.now < limited_until else AAPL
    feed.server.answers["KO"] = lambda: "429" if feed.time.now < limited_until else KO
    quotes = feed.quotes("AAPL", "KO", minutes=15)
    assert {quote.symbol for quote in quotes} == {"AAPL", "KO"}

    pauses = [later - earlier for earlier, later in itertools.pairwise(feed.asked("AAPL")) if earlier < limited_until]
    for pause, most in zip(pauses, (60, 120, 240, 480), strict=False):
        assert most / 2 <= pause <= most
    # While it was open only the probe went out: KO was not asked before AAPL had its answer.
    assert feed.asked("KO")[0] >= limited_until
    messages = [record.getMessage() for record in caplog.records]
    assert any(message.startswith("Yahoo: Yahoo limits our rate (429); asking nothing for") for message in messages)
    assert "Yahoo: trying with one request" in messages
    assert messages.index("Yahoo answers again") > messages.index("Yahoo: trying with one request")


def test_a_429_for_the_crumb_alone_does_no_harm(feed: Feed) -> None:
    feed.server.crumb_status = 429
    assert [quote.symbol for quote in feed.quotes("AAPL", minutes=0.1)] == ["AAPL"]


def test_three_requests_without_an_answer_open_the_breaker_too(feed: Feed, caplog: pytest.LogCaptureFixture) -> None:
    symbols = [f"GONE{number}" for number in range(5)]
    feed.server.answers |= dict.fromkeys(symbols, "hang up")
    feed.quotes(*symbols, minutes=0.3)
    assert "Yahoo: Yahoo cannot be reached" in caplog.text
    assert feed.asked("GONE3") == feed.asked("GONE4") == []


@pytest.mark.parametrize(
    ("now", "market", "said", "looked_at"),
    [
        # After the close of Friday the 13th: until Monday, which Yahoo does not name.
        ("2026-03-13 18:00", ("2026-03-13 09:30", "2026-03-13 16:00"), "Monday 2026-03-16 09:30 EDT", [0, 900, 1800]),
        # Ten minutes before an opening that Yahoo names.
        ("2026-03-12 09:20", ("2026-03-12 09:30", "2026-03-12 16:00"), "Thursday 2026-03-12 09:30 EDT", [0, 600, 630]),
        # A half day, as Yahoo states it: closed at 13:00, and the weekend follows.
        ("2026-11-27 13:00", ("2026-11-27 09:30", "2026-11-27 13:00"), "Monday 2026-11-30 09:30 EST", [0, 900, 1800]),
    ],
)
def test_a_closed_market_is_said_and_waited_through(
    feed: Feed,
    caplog: pytest.LogCaptureFixture,
    now: str,
    market: tuple[str, str],
    said: str,
    looked_at: list[int],
) -> None:
    start = feed.time.now = new_york(now).timestamp()
    opens_at, closes_at = (new_york(text) for text in market)
    feed.server.answers["AAPL"] = replace(
        AAPL, time=new_york("2026-03-11 16:00"), opens_at=opens_at, closes_at=closes_at, closes={date(2026, 3, 10): 260}
    )
    quotes = feed.quotes("AAPL", minutes=looked_at[-1] / 60 + 0.1)
    assert [quote.timestamp for quote in quotes] == ["2026-03-11T20:00:00Z"]
    assert [at - start for at in feed.asked("AAPL")] == looked_at
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0] == f"XNYS is closed until {said}"
    assert "The last quote of each symbol is sent at every start" in messages[1]
    assert len(messages) == len(set(messages))


@pytest.mark.parametrize(
    ("now", "closes_at"),
    [
        ("2026-03-12 11:30", "1970-01-01 20:00"),
        ("2026-03-12 11:30", "2004-12-01 16:00"),
        ("2032-12-31 17:00", "2032-12-31 16:00"),
    ],
)
def test_a_trading_period_that_the_calendar_does_not_know_silences_no_symbol(
    feed: Feed, caplog: pytest.LogCaptureFixture, now: str, closes_at: str
) -> None:
    start = feed.time.now = new_york(now).timestamp()
    closed = new_york(closes_at)
    feed.server.answers["AAPL"] = replace(AAPL, opens_at=closed.replace(hour=10), closes_at=closed)
    quotes = feed.quotes("AAPL", "KO", minutes=16)
    assert [quote.symbol for quote in quotes] == ["AAPL", "KO"]
    assert [at - start for at in feed.asked("AAPL")] == [0, 900]
    assert "XNYS is closed" in caplog.messages


def test_what_our_own_code_fails_on_costs_its_symbol_only(
    feed: Feed, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_for(market: Market, before: Callable[[Market], datetime | None] = poll._next_opening) -> datetime | None:
        return before(market) if market.closes_at != AAPL.closes_at else market.name[99]  # type: ignore[return-value]

    monkeypatch.setattr(poll, "_next_opening", fail_for)
    feed.time.now = new_york("2026-03-12 18:00").timestamp()
    feed.server.answers["KO"] = replace(KO, closes_at=new_york("2026-03-12 15:59"))
    assert [quote.symbol for quote in feed.quotes("AAPL", "KO", minutes=20)] == ["KO"]
    said = [message for message in caplog.messages if message.startswith("AAPL:")]
    assert len(said) == 1
    assert said[0].startswith("AAPL: our own code failed on what Yahoo sent (IndexError at test_yahoo.py:")


def test_an_answer_nested_too_deep_is_this_symbols_trouble(feed: Feed, caplog: pytest.LogCaptureFixture) -> None:
    feed.server.answers["DEEP"] = "deep"
    assert [quote.symbol for quote in feed.quotes("DEEP", "AAPL", minutes=0.1)] == ["AAPL"]
    assert "DEEP: Yahoo's answer holds no quote: it says no JSON" in caplog.text


def test_an_exchange_elsewhere_has_its_own_name_and_hours(feed: Feed, caplog: pytest.LogCaptureFixture) -> None:
    feed.server.answers["0700.HK"] = replace(
        AAPL,
        symbol="0700.HK",
        kind="CRYPTOCURRENCY",
        opens_at=new_york("2026-03-12 00:00"),
        closes_at=new_york("2026-03-12 11:00"),
    )
    start = feed.time.now
    feed.quotes("0700.HK", minutes=20)
    assert caplog.messages[0] == "NasdaqGS is closed"
    assert [at - start for at in feed.asked("0700.HK")] == [0, 900]


def test_what_trades_round_the_clock_is_asked_on_through_its_midnight(feed: Feed) -> None:
    """Yahoo states sessions of coins and currencies up to 23:59, and names the next some time after it has begun."""
    feed.time.now = new_york("2026-03-12 23:58").timestamp()
    turn = new_york("2026-03-13 00:03").timestamp()

    def answer() -> Listing:
        day = "2026-03-12" if feed.time.now < turn else "2026-03-13"
        return replace(
            AAPL,
            symbol="BTC-USD",
            kind="CRYPTOCURRENCY",
            time=datetime.fromtimestamp(feed.time.now, UTC),
            opens_at=new_york(f"{day} 00:00"),
            closes_at=new_york(f"{day} 23:59"),
        )

    feed.server.answers["BTC-USD"] = answer
    quotes = feed.quotes("BTC-USD", minutes=10)
    assert len(quotes) == 20


def test_trouble_that_keeps_all_quotes_away_is_told_until_it_is_over(feed: Feed) -> None:
    source = feed.source("AAPL", every=60)

    def run(trouble: str, minutes: float) -> str:
        feed.server.answers["AAPL"] = trouble or AAPL
        feed.time.ends_at = feed.time.now + minutes * 60
        list(source.quotes(feed.counters, feed.time))
        return source.trouble()

    heard = [(trouble, run(trouble, 6)) for trouble in ("", "hang up", "", "html", "", "429", "")]
    assert heard == [
        ("", ""),
        ("hang up", "Yahoo cannot be reached (ConnectionError)"),
        ("", ""),
        ("html", "no symbol gives a quote; AAPL: Yahoo's answer holds no quote: it says no JSON"),
        ("", ""),
        ("429", "Yahoo limits our rate (429)"),
        ("", ""),
    ]


def test_the_trouble_of_one_symbol_is_none_of_the_feed(feed: Feed) -> None:
    source = feed.source("AAPL", "GONE")
    feed.time.ends_at = feed.time.now + 600
    assert list(source.quotes(feed.counters, feed.time))
    assert source.trouble() == ""


def test_while_yahoo_cannot_be_reached_it_is_tried_every_other_minute(feed: Feed) -> None:
    feed.server.answers["AAPL"] = "hang up"
    feed.quotes("AAPL", minutes=60)
    asked = feed.asked("AAPL")
    assert max(later - earlier for earlier, later in itertools.pairwise(asked)) <= 120


def test_no_request_takes_longer_than_the_session_allows(feed: Feed) -> None:
    feed.server.answers["AAPL"] = "silence"
    charts = YahooCharts(yahoo_session(feed.server.url, longest_seconds=0.2), timeout_seconds=3600)
    with pytest.raises(UnreachableError, match="Timeout"):
        charts.fetch("AAPL")


def test_a_stop_ends_the_wait(feed: Feed) -> None:
    quotes: Iterator[Any] = feed.source("AAPL").quotes(feed.counters, feed.time)
    next(quotes)
    feed.time.set()
    assert list(quotes) == []
