"""One reader for all pages: what a page is told, how often the tables are read, and what a page misses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.desk import feed as feeds
from tapeline.desk.feed import Feed, FeedError
from tapeline.desk.models import Point
from tapeline.desk.spark import MOST_POINTS, Spark

AT = "2026-03-12T14:30:{:02d}Z"


def newest(price: float, second: int = 0, **fields: Any) -> str:
    quote = {"timestamp": AT.format(second), "price": price, "source": "simulated", "reasons": [], "volume": 1}
    return json.dumps(quote | fields)


class Table:
    """The table of states as the feed reads it."""

    def __init__(self, **quotes: str) -> None:
        self.quotes = quotes
        self.trouble: Exception | None = None
        self.reads = 0
        self.course: dict[str, list[Point]] = {}
        self.courses_read: list[date] = []

    def read(self) -> list[tuple[str, str]]:
        self.reads += 1
        if self.trouble:
            raise self.trouble
        return list(self.quotes.items())

    def read_points(self, day: date) -> dict[str, list[Point]]:
        self.courses_read.append(day)
        return self.course

    def feed(self) -> Feed:
        return Feed(self.read, self.read_points, pause_seconds=0.005)


def symbols(document: bytes) -> dict[str, Any]:
    return {quote["symbol"]: quote["price"] for quote in json.loads(document)["symbols"]}


async def following(updates: AsyncIterator[tuple[int, bytes]]) -> dict[str, Any]:
    _, document = await anext(updates)
    return symbols(document)


async def test_a_page_gets_everything_first_and_then_only_what_changed() -> None:
    table = Table(AAPL=newest(100), XOM=newest(50))
    async with aclosing(table.feed().updates()) as updates:
        version, document = await anext(updates)
        assert symbols(document) == {"AAPL": 100, "XOM": 50}
        assert json.loads(document)["version"] == version
        assert json.loads(document)["simulated"] is True
        table.quotes["XOM"] = newest(51, 1)
        later, document = await anext(updates)
        assert symbols(document) == {"XOM": 51}
        assert later > version
        table.quotes["NEW"] = newest(7)
        assert await following(updates) == {"NEW": 7}


async def test_ten_pages_share_the_looks_and_the_bytes_of_one() -> None:
    table = Table(**{f"S{number}": newest(number) for number in range(100)})
    feed = table.feed()
    pages = [feed.updates() for _ in range(10)]
    first = [await anext(page) for page in pages]
    reads = table.reads
    table.quotes["S7"] = newest(70, 1)
    second = await asyncio.gather(*(anext(page) for page in pages))
    for round_ in (first, second):
        assert len({id(document) for _, document in round_}) == 1
    assert table.reads - reads <= 3  # the looks that the wait for the change took, however many pages wait
    for page in pages:
        await page.aclose()


async def test_nothing_is_read_while_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "LEASE_SECONDS", 0.0)
    table = Table(AAPL=newest(100))
    feed = table.feed()
    assert table.reads == 0
    async with aclosing(feed.updates()) as updates:
        await anext(updates)
        assert feed.is_running
    while feed.is_running:
        await asyncio.sleep(0.005)
    reads = table.reads
    table.quotes["AAPL"] = newest(101, 1)
    assert symbols((await feed.document())[1]) == {"AAPL": 101}  # looked at anew, not remembered
    assert table.reads > reads


async def test_a_version_of_an_earlier_process_gets_everything() -> None:
    feed = Table(AAPL=newest(100)).feed()
    version, _ = await feed.document()
    assert symbols((await feed.document(version))[1]) == {}
    for unknown in (0, 17, version + 1000, -1):
        assert symbols((await feed.document(unknown))[1]) == {"AAPL": 100}


async def test_a_page_that_is_slow_misses_versions_but_no_change() -> None:
    table = Table(AAPL=newest(100), XOM=newest(50))
    feed = table.feed()
    async with aclosing(feed.updates()) as slow, aclosing(feed.updates()) as quick:
        await anext(slow)
        await anext(quick)
        for second, (symbol, price) in enumerate([("AAPL", 101), ("XOM", 51), ("AAPL", 102)], 1):
            table.quotes[symbol] = newest(price, second)
            assert await following(quick) == {symbol: price}
        assert await following(slow) == {"AAPL": 102, "XOM": 51}


async def test_trouble_ends_the_stream_is_told_as_it_is_and_passes() -> None:
    table = Table(AAPL=newest(100))
    feed = table.feed()
    updates = feed.updates()
    await anext(updates)
    table.trouble = TimeoutError("the table is gone")
    assert [update async for update in updates] == []
    with pytest.raises(FeedError, match="the table is gone"):
        await feed.document()
    table.trouble = None
    table.quotes["AAPL"] = newest(103, 1)
    while True:
        try:
            assert symbols((await feed.document())[1]) == {"AAPL": 103}
            break
        except FeedError:
            await asyncio.sleep(0.005)


async def test_a_server_that_stops_ends_its_streams() -> None:
    feed = Table(AAPL=newest(100)).feed()
    updates = feed.updates()
    await anext(updates)
    waiting = asyncio.ensure_future(anext(updates, None))
    await asyncio.sleep(0)
    feed.close()
    assert await asyncio.wait_for(waiting, 5) is None


async def test_a_sparkline_is_filled_with_what_was_before_and_sent_only_when_it_grew() -> None:
    start = 1773325800  # 2026-03-12T14:30:00Z
    table = Table(AAPL=newest(100, 0))
    table.course = {"AAPL": [(start - 60, 98.0), (start - 30, 99.0), (start + 30, 1.0)], "GONE": [(start, 5.0)]}
    async with aclosing(table.feed().updates()) as updates:
        _, document = await anext(updates)
        (aapl,) = json.loads(document)["symbols"]
        assert aapl["spark"] == [[start, 100]]
        _, document = await anext(updates)
        (aapl,) = json.loads(document)["symbols"]
        assert aapl["spark"] == [[start - 60, 98.0], [start - 30, 99.0], [start, 100]]
        table.quotes["AAPL"] = newest(101, 1)  # a second later: no point of its own
        _, document = await anext(updates)
        assert "spark" not in json.loads(document)["symbols"][0]
        table.quotes["AAPL"] = newest(102, 5)
        _, document = await anext(updates)
        assert json.loads(document)["symbols"][0]["spark"][-1] == [start + 5, 102]
    assert table.courses_read == [date(2026, 3, 12)]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        '{"timestamp": "soon"}',
        newest(1, reasons=None).replace("1, ", "1e999, ", 1),
        newest(1, suspect=7),
    ],
)
async def test_a_quote_that_cannot_be_shown_takes_no_other_from_the_page(text: str) -> None:
    table = Table(AAPL=newest(100), BAD=text)
    async with aclosing(table.feed().updates()) as updates:
        assert await following(updates) == {"AAPL": 100}
        table.quotes["BAD"] = newest(7, 1)
        assert await following(updates) == {"BAD": 7}


async def test_a_suspect_price_is_told_with_its_verdict_and_is_no_point_of_the_sparkline() -> None:
    table = Table(AAPL=newest(100))
    async with aclosing(table.feed().updates()) as updates:
        _, document = await anext(updates)
        assert json.loads(document)["symbols"][0]["suspect"] == []
        table.quotes["AAPL"] = newest(10**6, 30, suspect=["price:far"], change=None, change_percent=None)
        _, document = await anext(updates)
        (aapl,) = json.loads(document)["symbols"]
        assert (aapl["price"], aapl["suspect"], aapl["change"]) == (10**6, ["price:far"], None)
        assert "spark" not in aapl


async def test_a_new_date_begins_a_new_sparkline() -> None:
    table = Table(AAPL=newest(100))
    async with aclosing(table.feed().updates()) as updates:
        await anext(updates)
        table.quotes["AAPL"] = newest(90, timestamp="2026-03-13T13:30:00Z")
        async for _, document in updates:
            if symbols(document) == {"AAPL": 90}:
                break
        assert json.loads(document)["symbols"][0]["spark"] == [[1773408600, 90]]


@given(st.lists(st.integers(0, 400), min_size=1, max_size=300), st.lists(st.integers(-900, 0), max_size=80))
def test_a_sparkline_has_few_points_in_order_and_begins_with_the_first(gaps: list[int], earlier: list[int]) -> None:
    spark, at = Spark(), 0
    for gap in gaps:
        at += gap
        spark.add(at, float(at))
    spark.put_before([(moment, float(moment)) for moment in earlier])
    points = json.loads(spark.to_json())
    assert 0 < len(points) <= MOST_POINTS
    assert [moment for moment, _ in points] == sorted({moment for moment, _ in points})
    assert all(moment == price for moment, price in points)
    assert points[0][0] == min([gaps[0], *earlier])


@given(st.lists(st.dictionaries(st.sampled_from("ABCDE"), st.integers(1, 9)), min_size=1, max_size=8), st.data())
def test_deltas_in_a_row_come_to_the_whole(rounds: list[dict[str, int]], data: st.DataObject) -> None:
    async def follow() -> None:
        table = Table(A=newest(1))
        feed = table.feed()
        page: dict[str, Any] = {}
        version: int | None = None
        for second, changes in enumerate(rounds, 1):
            table.quotes |= {symbol: newest(price, second) for symbol, price in changes.items()}
            feed._look()
            if data.draw(st.booleans()):
                feed._at = feed._at or "now"
                version, document = feed._document(version)
                page |= symbols(document)
        version, document = feed._document(version)
        page |= symbols(document)
        assert page == symbols(feed._document(None)[1]) == {s: json.loads(t)["price"] for s, t in table.quotes.items()}

    asyncio.run(follow())
