from __future__ import annotations

import itertools
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from producer.simulated import SimulatedMarket, SimulatedSource
from tapeline.market.dates import trading_date
from tapeline.market.quotes import Quote, parse_quote
from tapeline.stream.source import Counters
from tests.producer.builders import FakeTime, simulated_day

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
MARKET = ("AAPL", "KO", "SPY")


def session(day: date, seed: int = 1, symbols: tuple[str, ...] = MARKET, every: float = 60.0) -> list[Quote]:
    return simulated_day(day, symbols, seed=seed, every_seconds=every, ingested_at=NOW)


def of(symbol: str, quotes: list[Quote]) -> list[Quote]:
    return [quote for quote in quotes if quote.symbol == symbol]


def test_a_session_has_every_quote_in_time_order_from_midnight_to_midnight_in_new_york() -> None:
    quotes = session(date(2026, 11, 17))
    assert len(quotes) == 3 * 24 * 60
    assert [quote.time for quote in quotes] == sorted(quote.time for quote in quotes)
    assert (quotes[0].timestamp, quotes[-1].timestamp) == ("2026-11-17T05:00:00Z", "2026-11-18T04:59:00Z")
    assert {trading_date(quote.time) for quote in quotes} == {date(2026, 11, 17)}


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25)])
def test_the_days_the_clocks_change_have_their_own_length(day: date, hours: int) -> None:
    assert len(session(day, symbols=("KO",))) == hours * 60


def test_every_quote_is_one_the_stream_processor_takes_and_says_it_is_simulated() -> None:
    for quote in session(date(2026, 11, 17)):
        assert parse_quote(quote.to_json().encode(), NOW) == quote
        assert quote.source == "simulated"
        assert quote.low <= quote.price <= quote.high
        assert quote.low <= quote.open <= quote.high


def test_within_a_day_volume_and_high_only_grow_and_low_only_falls() -> None:
    for symbol in MARKET:
        for before, after in itertools.pairwise(of(symbol, session(date(2026, 11, 17)))):
            assert before.volume <= after.volume
            assert before.high <= after.high
            assert before.low >= after.low
            assert (before.open, before.previous_close) == (after.open, after.previous_close)


def test_a_new_date_starts_its_volume_anew_and_takes_the_last_price_as_previous_close() -> None:
    monday, tuesday = session(date(2026, 11, 16)), session(date(2026, 11, 17))
    for symbol in MARKET:
        last, first = of(symbol, monday)[-1], of(symbol, tuesday)[0]
        assert first.previous_close == last.price
        assert first.volume == 0
        assert last.volume > 0


def test_the_same_seed_is_the_same_market_and_another_seed_another() -> None:
    assert session(date(2026, 11, 17)) == session(date(2026, 11, 17))
    assert session(date(2026, 11, 17)) != session(date(2026, 11, 17), seed=2)


def test_a_symbol_moves_the_same_whoever_else_is_quoted() -> None:
    assert of("KO", session(date(2026, 11, 17))) == session(date(2026, 11, 17), symbols=("KO",))


def test_moves_of_over_five_per_cent_happen_now_and_then() -> None:
    """Over ten symbol-days: some on most days, and far from all the time."""
    strong = every = 0
    days_with_one = 0
    for day, symbol in itertools.product(range(9, 14), ("AAPL", "KO")):
        quotes = session(date(2026, 11, day), symbols=(symbol,))
        moves = [abs(quote.price / quote.previous_close - 1) > Decimal("0.05") for quote in quotes]
        strong, every, days_with_one = strong + sum(moves), every + len(moves), days_with_one + any(moves)
    assert days_with_one >= 5
    assert 0 < strong < every / 4


def test_an_unknown_symbol_gets_a_price_of_its_own() -> None:
    quotes = session(date(2026, 11, 17), symbols=("ZZZZ",))
    assert Decimal(5) < quotes[0].price < Decimal(1000)


def test_each_symbol_has_its_turn_every_five_seconds_at_its_own_moment() -> None:
    time = FakeTime(now=datetime(2026, 11, 20, 15, 0, 0, 500000, tzinfo=UTC).timestamp())
    source = SimulatedSource(SimulatedMarket(("AAPL", "KO")), 5.0, clock=time.clock)
    quotes = list(itertools.islice(source.quotes(Counters(), time), 5))
    # The grid of 2.5 s; 1,795,186,800 s since 1970 is an even multiple of it, so AAPL has the full five seconds.
    assert [(quote.symbol, quote.timestamp) for quote in quotes] == [
        ("KO", "2026-11-20T15:00:02.500Z"),
        ("AAPL", "2026-11-20T15:00:05Z"),
        ("KO", "2026-11-20T15:00:07.500Z"),
        ("AAPL", "2026-11-20T15:00:10Z"),
        ("KO", "2026-11-20T15:00:12.500Z"),
    ]
    assert [quote.ingested_at for quote in quotes[:2]] == ["2026-11-20T15:00:02.500Z", "2026-11-20T15:00:05.000Z"]


def test_a_restart_goes_on_in_the_same_market_without_an_old_time() -> None:
    start = datetime(2026, 11, 20, 15, 0, tzinfo=UTC).timestamp()

    def quotes(time: FakeTime, count: int) -> list[Quote]:
        source = SimulatedSource(SimulatedMarket(MARKET), 5.0, clock=time.clock)
        return list(itertools.islice(source.quotes(Counters(), time), count))

    unbroken = quotes(FakeTime(start), 60)
    time = FakeTime(start)
    restarted = quotes(time, 20) + quotes(time, 40)
    assert [(q.symbol, q.timestamp, q.price, q.high, q.low, q.volume) for q in restarted] == [
        (q.symbol, q.timestamp, q.price, q.high, q.low, q.volume) for q in unbroken
    ]


def test_the_live_market_agrees_with_the_session_made_afterwards() -> None:
    time = FakeTime(now=datetime(2026, 11, 17, 14, 59, 59, tzinfo=UTC).timestamp())
    source = SimulatedSource(SimulatedMarket(("KO",)), 60.0, clock=time.clock)
    live = list(itertools.islice(source.quotes(Counters(), time), 30))
    made = {quote.timestamp: quote for quote in session(date(2026, 11, 17), symbols=("KO",))}
    assert [(q.price, q.volume, q.previous_close) for q in live] == [
        (made[q.timestamp].price, made[q.timestamp].volume, made[q.timestamp].previous_close) for q in live
    ]


def test_after_a_suspension_it_goes_on_with_the_present(caplog: pytest.LogCaptureFixture) -> None:
    time = FakeTime()
    quotes = SimulatedSource(SimulatedMarket(("KO",)), 5.0, clock=time.clock).quotes(Counters(), time)
    next(quotes)
    time.now += 3600
    asleep_until = time.now
    assert next(quotes).time.timestamp() > asleep_until
    assert "skipping to the present" in caplog.text


def test_a_day_ends_at_midnight_in_new_york_while_it_runs() -> None:
    time = FakeTime(now=datetime(2026, 11, 18, 4, 59, 52, tzinfo=UTC).timestamp())
    source = SimulatedSource(SimulatedMarket(("KO",)), 5.0, clock=time.clock)
    evening, midnight = itertools.islice(source.quotes(Counters(), time), 2)
    assert (evening.timestamp, midnight.timestamp) == ("2026-11-18T04:59:55Z", "2026-11-18T05:00:00Z")
    assert midnight.previous_close == evening.price
    assert (midnight.volume, midnight.open) == (0, midnight.price)
