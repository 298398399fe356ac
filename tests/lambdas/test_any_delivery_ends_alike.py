"""Whatever the delivery, the end is that of one in-order delivery; nothing is lost: the design's invariants 1 to 4."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tapeline.market.alerting.in_force import Mute
from tapeline.market.quotes import Quote

from . import histories
from .deployment import Deployment, make_quote, make_records
from .histories import Delivery

quotes = st.builds(
    make_quote,
    symbol=st.sampled_from(["AAPL", "NVDA", "BRK-B"]),
    minute=st.integers(0, 40),
    price=st.sampled_from(["94", "94.99", "99.5", "100", "100.25", "101", "105", "105.01", "106"]),
    ingested_at=st.sampled_from(["2026-03-12T13:30:00Z", "2026-03-12T13:31:00Z"]),
)
rising = st.integers(20, 60).map(lambda n: [make_quote(minute=m, price=f"{100 + (m % 9) - 4}") for m in range(n)])
drifting = st.permutations(range(60)).map(
    lambda order: [make_quote("AAPL", minute=m // 2, price=f"{100 + order[m] % 9}") for m in range(60)]
)
bad = st.one_of(st.binary(max_size=60), st.just(b'{"symbol": "AAPL"}'), st.just(b"[" * 5000))
streams = st.one_of(st.lists(st.one_of(quotes, quotes, quotes, bad), max_size=80), rising, drifting)


attempts = st.lists(
    st.builds(
        Delivery,
        back=st.integers(0, 30),
        size=st.integers(1, 70),
        seconds=st.sampled_from([60.0, 5.0]),
        fates=st.dictionaries(
            st.tuples(st.sampled_from(histories.FAILING), st.integers(1, 4)),
            st.sampled_from(["fail", "crash", "late crash", "half"]),
            max_size=3,
        ),
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(payloads=streams, attempts=attempts)
def test_retries_splits_duplicates_and_crashes_change_nothing(
    deploy: Callable[[], Deployment], payloads: list[bytes | Quote], attempts: list[Delivery]
) -> None:
    records = make_records(payloads)
    reference = deploy()
    if records:
        assert reference.deliver(records) is None

    subject = deploy()
    histories.deliver_by_chance(subject, records, attempts)

    items, raw, rejects, states = subject.content()
    wanted_items, wanted_raw, wanted_rejects, wanted_states = reference.content()
    assert items == wanted_items
    assert raw == wanted_raw
    assert rejects == wanted_rejects
    assert states == wanted_states
    assert subject.alerts() == reference.alerts()


walking = st.lists(st.sampled_from(["94", "96", "99", "99.5", "100", "100.5", "101", "104.5", "106"]), min_size=30,
                   max_size=70).map(
    lambda prices: [
        make_quote(("AAPL", "NVDA")[number % 2], minute=number / 2, price=price, volume=1000 + number * number * 40)
        for number, price in enumerate(prices)
    ]
)  # fmt: skip


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(payloads=st.one_of(walking, streams), attempts=attempts, changes_at=st.integers(0, 80), is_muted=st.booleans())
def test_applied_rules_fire_alike_whatever_the_delivery_and_when_a_version_or_a_mute_begins(
    deploy: Callable[[], Deployment],
    payloads: list[bytes | Quote],
    attempts: list[Delivery],
    changes_at: int,
    is_muted: bool,
) -> None:
    records = make_records(payloads)
    begins = histories.ARRIVALS + changes_at / 1000
    mute = Mute("*", "NVDA", begins, begins + 60, "test") if is_muted else None  # type: ignore[arg-type]
    reference, subject = deploy(), deploy()
    for deployment in (reference, subject):
        baselines = dict.fromkeys(("AAPL", "NVDA"), histories.BASELINE)
        deployment.apply((0.0, histories.FIRST), (begins, histories.SECOND), baselines=baselines, mute=mute)
    if records:
        assert reference.deliver(records) is None
    histories.deliver_by_chance(subject, records, attempts)
    assert subject.content() == reference.content()
    assert subject.alerts() == reference.alerts()


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(payloads=st.lists(st.one_of(st.binary(max_size=300), quotes), min_size=1, max_size=40))
def test_every_record_is_stored_or_kept_with_its_reason(
    deploy: Callable[[], Deployment], payloads: list[bytes | Quote]
) -> None:
    records = make_records(payloads)
    deployment = deploy()
    assert deployment.deliver(records) is None

    items, rejects = deployment.items(), deployment.rejects()
    raw = deployment.raw()
    for record, payload in zip(records, payloads, strict=True):
        if isinstance(payload, Quote):
            item = items[payload.symbol, payload.timestamp]
            number = record["kinesis"]["sequenceNumber"]
            same = item["price"]["N"] == f"{payload.price:f}"
            assert same or rejects[number]["reason"] == "conflicting_quote"
            assert any(f'"timestamp": "{payload.timestamp}"' in line and payload.symbol in line for line in raw)
        else:
            assert rejects[record["kinesis"]["sequenceNumber"]]["reason"]


def test_histories_of_all_that_the_parser_accepts_end_as_one_delivery_in_order(processor: ModuleType) -> None:
    """A sample; `python -m tests.lambdas.histories` tries as many as one likes."""
    found = {seed: differences for seed in range(200) if (differences := histories.differences(processor, seed))}
    assert not found
