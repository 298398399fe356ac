"""The real yfinance against a local server that speaks Yahoo's chart format; time passes when a test says so."""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import yfinance

from producer.source import Counters
from producer.yahoo import YahooSource
from producer.yahoo_chart import YahooCharts, yahoo_session
from tapeline.quotes import Quote
from tests.producer.builders import FakeTime
from tests.producer.market_data_server import ChartServer, Listing, new_york

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
    assert quote == Quote(
        symbol="AAPL",
        timestamp="2026-03-12T15:29:58Z",
        open=Decimal("258.64"),
        high=Decimal("258.95"),
        low=Decimal("254.13"),
        price=Decimal("255.76"),
        previous_close=Decimal("260.81"),
        volume=21_540_000,
        source="yahoo",
        ingested_at="2026-03-12T15:30:00.000Z",
    )


def test_without_a_day_before_the_close_before_the_chart_counts(feed: Feed) -> None:
    newcomer = replace(AAPL, closes={})
    answer = newcomer.chart()
    answer["chart"]["result"][0]["meta"]["chartPreviousClose"] = 250.5
    feed.server.answers["AAPL"] = type("Answer", (Listing,), {"chart": lambda self: answer})(**vars(newcomer))
    assert feed.quotes("AAPL", minutes=0.1)[0].previous_close == Decimal("250.5")


def test_a_quote_is_new_only_when_its_own_time_moved(feed: Feed) -> None:
    seconds = itertools.chain([0, 0, 0, 20, 20, 5, 25], itertools.repeat(25))  # the fifth second: a server behind
    asked = itertools.count()

    def answer() -> Listing:
        moment = next(seconds) if next(asked) else 0  # the first request only asks for the time zone
        return replace(AAPL, symbol="MOVES", time=new_york(f"2026-03-12 11:31:{moment:02d}"))

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
    "500": "Yahoo's answer holds no quote",
    "malformed": "Yahoo's answer holds no quote",
    "html": "Yahoo's answer holds no quote",
    "down": "Yahoo's answer holds no quote",
    "empty": "Yahoo's answer holds no quote",
    "no result": "Yahoo's answer holds no quote",
    "delisted": "Yahoo has no prices",
    "hang up": "Yahoo cannot be reached",
    "silence": "Yahoo cannot be reached",
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_one_symbols_trouble_is_named_once_and_stops_no_other(
    feed: Feed, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    bad = f"BAD{list(TROUBLES).index(trouble)}"
    if trouble == "silence":  # with the time-zone lookup, whose ten seconds of patience are yfinance's own, behind it
        yfinance.cache.get_tz_cache().store(bad, "America/New_York")
    feed.server.answers[bad] = trouble
    start = feed.time.now
    quotes = feed.quotes(bad, "AAPL", "KO", minutes=3)
    assert [quote.symbol for quote in quotes] == ["AAPL", "KO"]
    assert [at - start for at in feed.asked("AAPL")] == [0, 30, 60, 90, 120, 150]
    said = [record.getMessage() for record in caplog.records if record.getMessage().startswith(f"{bad}:")]
    assert len(said) <= 2  # the time-zone lookup and the chart may fail differently
    assert TROUBLES[trouble] in said[-1]
    pauses = [later - earlier for earlier, later in itertools.pairwise(feed.asked(bad))]
    assert pauses == sorted(pauses)
    assert pauses[-1] > 30


def test_a_symbol_that_recovers_gives_quotes_again_though_yfinance_cached_its_failure(
    feed: Feed, caplog: pytest.LogCaptureFixture
) -> None:
    back_at = feed.time.now + 60
    feed.server.answers["LATE"] = lambda: "empty" if feed.time.now < back_at else replace(AAPL, symbol="LATE")
    quotes = feed.quotes("LATE", minutes=10)
    assert [quote.symbol for quote in quotes] == ["LATE"]
    assert "LATE: quotes come again" in caplog.text
    assert feed.counters.now().rejected > 0


@pytest.mark.parametrize(
    ("listing", "complaint"),
    [
        (replace(AAPL, open=None), "Yahoo's answer holds no quote"),
        (replace(AAPL, closes={date(2026, 3, 11): 0.0}), "Yahoo's figures are no quote: zero_previous_close"),
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
    assert len(messages) == len(set(messages))


def test_an_exchange_elsewhere_has_its_own_name_and_hours(feed: Feed, caplog: pytest.LogCaptureFixture) -> None:
    feed.server.answers["BTC-USD"] = replace(
        AAPL,
        symbol="BTC-USD",
        kind="CRYPTOCURRENCY",
        opens_at=new_york("2026-03-12 00:00"),
        closes_at=new_york("2026-03-12 11:00"),
    )
    feed.quotes("BTC-USD", minutes=0.1)
    assert caplog.messages == ["NasdaqGS is closed"]


def test_a_stop_ends_the_wait(feed: Feed) -> None:
    quotes: Iterator[Any] = feed.source("AAPL").quotes(feed.counters, feed.time)
    next(quotes)
    feed.time.set()
    assert list(quotes) == []
