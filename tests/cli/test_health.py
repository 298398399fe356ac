from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tapeline.health import Colour, Light, NewestQuote, Part, Readings, is_green, judge
from tapeline.quotes import write_timestamp

NOW = datetime(2026, 3, 12, 15, 0, tzinfo=UTC)


def make_newest(symbol: str = "AAPL", seconds_ago: float = 2, source: str = "simulated") -> NewestQuote:
    moment = write_timestamp(NOW - timedelta(seconds=seconds_ago), milliseconds=True)
    return NewestQuote(symbol, moment, "100", "1.00", source, moment)


def make_readings(**fields: Any) -> Readings:
    values: dict[str, Any] = {
        "at": NOW,
        "parts": [Part("producer", up=True, detail="running")],
        "market_open": True,
        "quotes_per_second": 4.0,
        "latency_seconds": 1.5,
        "iterator_age_seconds": {"processor": 0.5, "alerts": None},
        "newest": [make_newest("AAPL"), make_newest("MSFT")],
        "subscribers": 1,
    }
    return Readings(**{**values, **fields})


def light(name: str, **fields: Any) -> Light:
    return next(light for light in judge(make_readings(**fields)) if light.name == name)


def test_a_pipeline_in_which_all_is_well_is_green_and_asks_for_nothing() -> None:
    lights = judge(make_readings())

    assert is_green(lights)
    assert not any(light.next_step for light in lights)


def test_a_part_that_is_down_is_red_with_its_last_words() -> None:
    down = Part("delivery", up=False, detail="fatal", next_step="Read the log.", log=("Traceback", "KeyError"))

    found = light("delivery", parts=[down])

    assert found == Light("delivery", Colour.RED, "fatal", "Read the log.", ("Traceback", "KeyError"))
    assert not is_green(judge(make_readings(parts=[down])))


def test_a_part_on_its_way_up_is_yellow() -> None:
    assert light("delivery", parts=[Part("delivery", False, "backoff", passing=True)]).colour == Colour.YELLOW


def test_nothing_but_the_parts_is_judged_where_nothing_could_be_read() -> None:
    lights = judge(make_readings(parts=[Part("tapeline", False, "not running")], measured=False))

    assert [light.name for light in lights] == ["tapeline"]


def test_silence_of_every_symbol_is_red_and_of_one_is_yellow_and_named() -> None:
    quiet, lively = make_newest("KO", seconds_ago=61), make_newest("AAPL", seconds_ago=59)

    assert light("quotes", newest=[quiet]).colour == Colour.RED
    assert light("quotes", newest=[quiet, lively]).colour == Colour.YELLOW
    assert "KO" in light("quotes", newest=[quiet, lively]).reading
    assert light("quotes", newest=[lively]).colour == Colour.GREEN


@pytest.mark.parametrize(
    ("source", "seconds_ago", "market_open", "colour"),
    [
        ("yahoo", 299, True, Colour.GREEN),
        ("yahoo", 301, True, Colour.RED),
        ("yahoo", 301, False, Colour.GREEN),  # the market is closed: nothing is missing
        ("simulated", 301, False, Colour.RED),  # the simulated one never closes
        ("replay", 301, True, Colour.GREEN),  # a file ends
        ("yahoo", 86_401, True, Colour.GREEN),  # no longer followed
    ],
)
def test_silence_is_judged_by_the_source(source: str, seconds_ago: float, market_open: bool, colour: Colour) -> None:
    newest = [make_newest(seconds_ago=seconds_ago, source=source)]

    assert light("quotes", newest=newest, market_open=market_open).colour == colour


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


def test_a_dead_letter_and_a_ringing_alarm_are_red() -> None:
    assert light("dead letters", dead_letters=1).colour == Colour.RED
    assert light("alarm", alarms=["tapeline-stream-processor-behind"]).colour == Colour.RED


def test_alerts_that_nobody_gets_are_grey_and_that_wait_for_a_confirmation_yellow() -> None:
    assert light("alerts", subscribers=0).colour == Colour.GREY
    assert light("alerts", subscribers=0, unconfirmed=1).colour == Colour.YELLOW
    assert light("alerts", alerts_last_hour=3, alerts_last_day=9).reading == (
        "3 sent in the last hour, 9 in the last 24 h, to 1 address"
    )
    assert light("alerts", subscribers=2).reading.endswith(", to 2 addresses")
