"""Lights of the page from readings: what could not be judged, and what is suspect, is said and hides nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from tapeline.aws.deployment import Deployment
from tapeline.desk import lake, lights
from tapeline.desk.access import Run
from tapeline.desk.lights import Lights
from tapeline.desk.models import PipelineLight
from tapeline.operations.feed_signs import NewestQuote
from tapeline.operations.health import UNREAD, Readings
from tapeline.operations.light import Part

NOW = datetime(2026, 3, 12, 15, tzinfo=UTC)
AGES = {"stream-processor": 0.5, "trend-alerts": 0.5}


def look(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> dict[str, PipelineLight]:
    """Return the lights over a lake that does not answer."""

    def silent(*_: object) -> None:
        raise EndpointConnectionError(endpoint_url="http://lake")

    usual: dict[str, Any] = {"at": NOW, "parts": [Part("stream", True, "active")], "iterator_age_seconds": AGES}
    readings = Readings(**usual | fields)
    monkeypatch.setattr(lights, "read_readings", lambda *_, **__: readings)
    monkeypatch.setattr(lights, "_days", silent)
    monkeypatch.setattr(lake, "reports", silent)

    class Found:
        clients = outputs = None

    found = Lights(lambda: Found(), lambda _: [], (), lambda: NOW).document().lights  # type: ignore[arg-type, return-value]
    return {light.name: light for light in found}


def test_a_lake_that_does_not_answer_takes_no_other_light_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = look(monkeypatch)
    for name in ("partitions", "rollup", "report"):
        assert (found[name].state, found[name].value) == ("unknown", "–")
        assert "http://lake" in found[name].detail
        assert found[name].todo
    assert found["parts"].state == found["iterator_age"].state == found["dead_letters"].state == "ok"


@pytest.mark.parametrize("unread", [{name} for name in UNREAD] + [set(UNREAD)])
def test_what_could_not_be_read_is_not_judged_and_all_else_is(
    monkeypatch: pytest.MonkeyPatch, unread: set[str]
) -> None:
    blind: dict[str, Any] = {"parts": []} if "parts" in unread else {}
    if "metrics" in unread:
        blind["iterator_age_seconds"] = {}
    found = look(monkeypatch, **blind, unread=dict.fromkeys(unread, "no right to read it"))
    names = {
        "parts": {"parts"}, "metrics": {"latency", "iterator_age"}, "states": {"quotes"}, "rejects": {"rejects"},
        "dead letters": {"dead_letters"}, "alarms": {"alarms"}, "subscribers": {"alerts"},
        "rules": {"rules"},
    }  # fmt: skip
    blamed = {name for name, light in found.items() if "no right to read it" in light.detail}
    assert blamed == set().union(*(names[one] for one in unread))
    assert {found[name].state for name in blamed} == {"unknown"}
    assert all(found[name].todo for name in blamed)


def test_suspect_figures_are_said_beside_the_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    def quote(symbol: str, *suspect: str) -> NewestQuote:
        return NewestQuote(symbol, "2026-03-12T15:00:00Z", "1", "", "yahoo", "2026-03-12T15:00:00Z", suspect)

    symbols = [quote(f"S{number}", "price:far") for number in range(7)]
    found = look(monkeypatch, newest=[quote("AAPL"), *symbols], quotes_per_second=2.0)["quotes"]
    assert found.value == "2.0 quotes/s, 7 suspect"
    assert "S0 price out of all proportion; S1 price" in found.detail
    assert found.detail.endswith("and 2 more symbols.")
    assert "AAPL" not in found.detail


@pytest.mark.parametrize(
    ("without", "state", "value", "detail"),
    [
        ({}, "ok", "2026-03-11", "The session of 2026-03-11 is rolled up."),
        ({"XOM": "no quote"}, "warn", "2026-03-11, without 1 symbol", "XOM: no quote."),
        (dict.fromkeys("ABCDEFG", "thin"), "warn", "2026-03-11, without 7 symbols", "E: thin and 2 more."),
    ],
)
def test_the_rollup_names_the_symbols_it_left_out(without: dict[str, str], state: str, value: str, detail: str) -> None:
    runs = [Run("success", "2026-03-11", NOW)]
    shown, light = lights._rollup(runs, "2026-03-11", [], lambda _: without)
    document = lights._shown("rollup", shown, light)
    assert (document.state, document.value) == (state, value)
    assert document.detail.endswith(detail)
    assert bool(document.todo) == bool(without)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-27T19:14:59Z", "2026-11-25"),  # a half day, which closes at 18:00; the day before was Thanksgiving
        ("2026-11-27T19:15:00Z", "2026-11-27"),
        ("2026-11-29T12:00:00Z", "2026-11-27"),  # a Sunday
        ("2026-11-30T15:00:00Z", "2026-11-27"),  # while the next is open
        ("2026-11-30T22:15:00Z", "2026-11-30"),
    ],
)
def test_a_session_is_due_seventy_five_minutes_after_its_close(now: str, due: str) -> None:
    def no_deployment() -> Deployment:
        raise AssertionError("nothing is read for it")

    assert Lights(no_deployment, lambda _: [], (), lambda: datetime.fromisoformat(now)).due_session() == due
