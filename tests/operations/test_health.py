from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tapeline.market.quotes import write_timestamp
from tapeline.market.trading_hours import LAST_DAY, latest
from tapeline.operations.feed_signs import Followed, NewestQuote
from tapeline.operations.health import UNREAD, Readings, exit_code, explained, is_green, judge
from tapeline.operations.light import Colour, Light, Part

NOW = datetime(2026, 3, 12, 15, 0, tzinfo=UTC)  # Thursday, 11:00 in New York
OPEN = datetime(2026, 3, 12, 13, 30, tzinfo=UTC)
NIGHT = datetime(2026, 3, 13, 3, 0, tzinfo=UTC)
MONDAY = datetime(2026, 3, 16, 13, 30, tzinfo=UTC)


def make_newest(symbol: str = "AAPL", seconds_ago: float = 2, source: str = "yahoo", at: datetime = NOW) -> NewestQuote:
    moment = write_timestamp(at - timedelta(seconds=seconds_ago), milliseconds=True)
    return NewestQuote(symbol, moment, "100", "1.00", source, moment)


def make_followed(*symbols: str, at: datetime = NOW, **fields: Any) -> Followed:
    values: dict[str, Any] = {
        "source": "yahoo",
        "symbols": symbols or ("AAPL", "MSFT"),
        "every_seconds": 30.0,
        "started_at": OPEN - timedelta(days=1),
        "said_at": at - timedelta(seconds=20),
    }
    return Followed(**{**values, **fields})


def make_readings(at: datetime = NOW, **fields: Any) -> Readings:
    values: dict[str, Any] = {
        "at": at,
        "parts": [Part("producer", up=True, detail="running")],
        "hours": latest(at),
        "followed": make_followed(at=at),
        "quotes_per_second": 4.0,
        "latency_seconds": 1.5,
        "iterator_age_seconds": {"processor": 0.5, "alerts": None},
        "newest": [make_newest("AAPL", at=at), make_newest("MSFT", at=at)],
        "subscribers": 1,
    }
    return Readings(**{**values, **fields})


def light(name: str, **fields: Any) -> Light:
    return next(light for light in judge(make_readings(**fields)) if light.name == name)


def test_a_pipeline_in_which_all_is_well_is_green_and_asks_for_nothing() -> None:
    lights = judge(make_readings())

    assert is_green(lights)
    assert exit_code(lights) == 0
    assert not any(light.next_step for light in lights)


def test_a_part_that_is_down_is_red_with_its_last_words() -> None:
    down = Part("delivery", up=False, detail="fatal", next_step="Read the log.", log=("Traceback", "KeyError"))

    found = light("delivery", parts=[down])

    assert found == Light("delivery", Colour.RED, "fatal", "Read the log.", ("Traceback", "KeyError"))
    assert exit_code(judge(make_readings(parts=[down]))) == 1


def test_a_part_on_its_way_up_is_yellow() -> None:
    assert light("delivery", parts=[Part("delivery", False, "backoff", passing=True)]).colour == Colour.YELLOW


def test_nothing_but_the_parts_is_judged_where_nothing_could_be_read() -> None:
    lights = judge(make_readings(parts=[Part("tapeline", False, "not running")], measured=False))

    assert [light.name for light in lights] == ["tapeline"]


def test_where_nothing_at_all_is_known_that_is_not_well() -> None:
    lights = judge(make_readings(parts=[], measured=False))

    assert [light.colour for light in lights] == [Colour.UNJUDGED]
    assert exit_code(lights) == exit_code([]) == 2


@pytest.mark.parametrize("name", UNREAD)
def test_what_could_not_be_read_is_neither_well_nor_ill(name: str) -> None:
    lights = judge(make_readings(unread={name: "AccessDenied"}, iterator_age_seconds={}))
    unjudged = [light for light in lights if light.colour is Colour.UNJUDGED]

    assert {light.name for light in unjudged} == set(UNREAD[name].values())
    assert all("AccessDenied" in light.reading and light.next_step for light in unjudged)
    assert exit_code(lights) == 2
    assert exit_code(judge(make_readings(unread={name: "AccessDenied"}, parts=[Part("stream", False, "gone")]))) == 1


SILENCE: dict[str, tuple[dict[str, Any], Colour]] = {
    "both came lately": ({}, Colour.GREEN),
    "one is silent": ({"newest": [make_newest("AAPL"), make_newest("MSFT", 301)]}, Colour.YELLOW),
    "both are silent": ({"newest": [make_newest("AAPL", 301), make_newest("MSFT", 400)]}, Colour.RED),
    "none has ever come": ({"newest": []}, Colour.RED),
    "a stray symbol is silent": (
        {"newest": [make_newest("AAPL"), make_newest("MSFT"), make_newest("GOODX", 9000)]},
        Colour.GREEN,
    ),
    "a stray symbol is alive": ({"newest": [make_newest("GOODX")]}, Colour.RED),
    "a symbol was just added": (
        {"followed": make_followed("AAPL", "MSFT", "NEW", started_at=NOW - timedelta(seconds=299))},
        Colour.GREEN,
    ),
    "a symbol was added and never came": (
        {"followed": make_followed("AAPL", "MSFT", "NEW", started_at=NOW - timedelta(seconds=300))},
        Colour.YELLOW,
    ),
    "a producer was just started": (
        {"followed": make_followed(started_at=NOW - timedelta(seconds=200)), "newest": []},
        Colour.GREY,
    ),
    "a file was replayed": ({"newest": [make_newest("AAPL", source="replay")], "followed": None}, Colour.UNJUDGED),
    "a slow producer keeps its pace": (
        {"followed": make_followed(every_seconds=600.0), "newest": [make_newest("AAPL", 1500), make_newest("MSFT", 9)]},
        Colour.GREEN,
    ),
    "most are silent": (
        {"followed": make_followed(*"ABCDE"), "newest": [make_newest("A"), make_newest("B")]},
        Colour.RED,
    ),
    "a thin symbol is silent": (
        {"newest": [make_newest("AAPL"), make_newest("MSFT", 3600)], "thin": ["MSFT"]},
        Colour.GREEN,
    ),
    "all are thin": (
        {"newest": [make_newest("AAPL", 3600), make_newest("MSFT", 3600)], "thin": ["AAPL", "MSFT"]},
        Colour.RED,
    ),
    "the producer hangs though quotes are fresh": (
        {"followed": make_followed(said_at=NOW - timedelta(minutes=3))},
        Colour.RED,
    ),
    "one poll failed": ({"followed": make_followed(trouble="Yahoo: 503")}, Colour.YELLOW),
    "the source cannot be reached": (
        {
            "followed": make_followed(trouble="Yahoo cannot be reached"),
            "newest": [make_newest("AAPL", 120), make_newest("MSFT", 130)],
        },
        Colour.RED,
    ),
    "the producer's clock is two minutes ahead": (
        {"followed": make_followed(said_at=NOW + timedelta(minutes=2))},
        Colour.GREEN,
    ),
    "the producer's clock is further ahead": (
        {"followed": make_followed(said_at=NOW + timedelta(minutes=2, seconds=1))},
        Colour.YELLOW,
    ),
    "a seldom traded symbol of a slow producer": (
        {
            "followed": make_followed(every_seconds=7200.0, started_at=OPEN - timedelta(hours=9)),
            "newest": [make_newest("AAPL"), make_newest("MSFT", 4 * 3600)],
            "thin": ["MSFT"],
        },
        Colour.GREEN,
    ),
    "Thursday's quotes came late, but this session": (
        {
            "newest": [
                NewestQuote(symbol, "2026-03-12T13:05:00Z", "1", "", "yahoo", "2026-03-12T14:59:59Z")
                for symbol in ("AAPL", "MSFT")
            ]
        },
        Colour.GREEN,
    ),
    "Wednesday's close came just now": (
        {
            "newest": [
                NewestQuote(symbol, "2026-03-11T20:00:00Z", "1", "", "yahoo", "2026-03-12T14:59:59Z")
                for symbol in ("AAPL", "MSFT")
            ]
        },
        Colour.RED,
    ),
    "no producer has said anything, and quotes come": ({"followed": None}, Colour.UNJUDGED),
    "no producer has said anything, and no quotes come any more": (
        {"followed": None, "newest": [make_newest("AAPL", 301)]},
        Colour.RED,
    ),
    "nothing was ever followed": ({"followed": None, "newest": []}, Colour.UNJUDGED),
    "a corrected figure is no sign of life": (
        {
            "newest": [
                NewestQuote("AAPL", "2026-03-12T14:00:00Z", "1", "", "correction", "2026-03-12T14:59:59Z"),
            ]
        },
        Colour.RED,
    ),
    "the table of trading days has ended": ({"hours": None}, Colour.UNJUDGED),
}


@pytest.mark.parametrize("case", SILENCE)
def test_silence_of_what_is_followed_is_judged_and_no_other(case: str) -> None:
    fields, colour = SILENCE[case]
    found = light("quotes", **fields)

    assert found.colour == colour
    assert bool(found.next_step) == (colour not in (Colour.GREEN, Colour.GREY))


CLOSED: dict[str, tuple[dict[str, Any], Colour]] = {
    "it ended well": ({}, Colour.GREEN),
    "the producer hangs": ({"followed": make_followed(at=NIGHT, said_at=NIGHT - timedelta(minutes=3))}, Colour.RED),
    "the source cannot be reached": ({"followed": make_followed(at=NIGHT, trouble="no network")}, Colour.YELLOW),
    "it ended in silence": ({"newest": [make_newest(at=NOW)]}, Colour.YELLOW),
    "it was started after the close": (
        {"newest": [], "followed": make_followed(at=NIGHT, started_at=NIGHT - timedelta(hours=1))},
        Colour.GREEN,
    ),
    "nobody follows": ({"followed": None}, Colour.UNJUDGED),
    "the simulated market never closes": (
        {
            "followed": make_followed("AAPL", at=NIGHT, source="simulated", every_seconds=5.0),
            "newest": [make_newest(seconds_ago=61, at=NIGHT)],
        },
        Colour.RED,
    ),
}


@pytest.mark.parametrize("case", CLOSED)
def test_while_the_market_is_closed_only_the_producer_is_judged_and_how_the_session_ended(case: str) -> None:
    fields, colour = CLOSED[case]
    close = datetime(2026, 3, 12, 20, 0, tzinfo=UTC)
    values = {"newest": [make_newest("AAPL", at=close), make_newest("MSFT", at=close)], **fields}

    assert light("quotes", at=NIGHT, **values).colour == colour


@pytest.mark.parametrize(
    ("minutes", "colour"), [(-1, Colour.GREEN), (0, Colour.GREY), (4.9, Colour.GREY), (5, Colour.RED), (60, Colour.RED)]
)
def test_silence_counts_from_the_open(minutes: float, colour: Colour) -> None:
    """All was well at Friday's close, and nothing has come since."""
    friday = datetime(2026, 3, 13, 20, 0, tzinfo=UTC)
    newest = [make_newest("AAPL", at=friday), make_newest("MSFT", at=friday)]

    assert light("quotes", at=MONDAY + timedelta(minutes=minutes), newest=newest).colour == colour


def test_the_light_of_the_quotes_shows_the_producers_last_words_only_if_it_is_not_well() -> None:
    well, ill = make_readings(), make_readings(newest=[])

    assert next(
        one for one in explained(judge(ill), lambda program: [f"{program}: DNSError"]) if one.name == "quotes"
    ).log == ("producer: DNSError",)
    assert not any(one.log for one in explained(judge(well), lambda program: [program]))


@pytest.mark.parametrize(
    ("seconds", "colour"),
    [(None, Colour.GREY), (29.9, Colour.GREEN), (30.0, Colour.YELLOW), (299.9, Colour.YELLOW), (300.0, Colour.RED)],
)
def test_latency_and_iterator_age_are_judged_alike(seconds: float | None, colour: Colour) -> None:
    assert light("latency", latency_seconds=seconds).colour == colour
    assert light("iterator age of processor", iterator_age_seconds={"processor": seconds}).colour == colour


def test_rejects_of_the_last_hour_are_named_by_reason_the_commonest_first() -> None:
    hour = {"not_json": 2, "missing_field": 30}

    found = light("rejects", rejected_last_hour=hour, rejected_last_day={**hour, "not_json": 4})

    assert found.colour == Colour.YELLOW
    assert found.reading == "32 in the last hour, 34 in the last 24 h (missing_field 30, not_json 2)"
    assert light("rejects", rejected_last_day={"not_json": 4}).colour == Colour.GREEN


def test_one_record_of_the_last_day_on_which_our_own_code_failed_is_red() -> None:
    found = light("rejects", rejected_last_day={"not_json": 4, "internal_error": 1})

    assert found.colour == Colour.RED
    assert "failed on 1 in the last 24 h" in found.reading


def test_a_dead_letter_and_a_ringing_alarm_are_red() -> None:
    assert light("dead letters", dead_letters=1).colour == Colour.RED
    assert light("alarm", alarms=["tapeline-stream-processor-behind"]).colour == Colour.RED


def test_alerts_that_nobody_gets_are_grey_that_wait_yellow_and_that_nobody_gets_any_more_red() -> None:
    assert light("alerts", subscribers=0).colour == Colour.GREY
    assert light("alerts", subscribers=0, unconfirmed=1).colour == Colour.YELLOW
    assert light("alerts", subscribers=0, had_subscribers=True).colour == Colour.RED
    assert light("alerts", subscribers=0, unconfirmed=1, had_subscribers=True).colour == Colour.RED
    assert light("alerts", subscribers=1, had_subscribers=True).colour == Colour.GREEN
    assert light("alerts", alerts_last_hour=3, alerts_last_day=9).reading == (
        "3 sent in the last hour, 9 in the last 24 h, to 1 address"
    )
    assert light("alerts", subscribers=2).reading.endswith(", to 2 addresses")


def test_the_end_of_the_table_of_trading_days_is_told_in_time() -> None:
    end = datetime(LAST_DAY.year, LAST_DAY.month, LAST_DAY.day, 12, tzinfo=UTC)
    names = [[light.name for light in judge(make_readings(end - timedelta(days=days)))] for days in (91, 90, -1)]

    assert ["calendar" in one for one in names] == [False, True, True]

    lights = [light("calendar", at=end - timedelta(days=days)) for days in (15, 14, -1)]
    assert [one.colour for one in lights] == [Colour.YELLOW, Colour.RED, Colour.RED]
