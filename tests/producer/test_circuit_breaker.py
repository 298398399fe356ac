from __future__ import annotations

import random

from producer.sources.yahoo.circuit_breaker import CircuitBreaker
from tests.producer.builders import FakeTime


def test_it_opens_longer_each_time_lets_one_probe_through_and_closes_after_a_success() -> None:
    time = FakeTime(now=0.0)
    breaker = CircuitBreaker("Yahoo", time.clock, random.Random(1), 60.0, 200.0)
    assert breaker.allows()
    for longest in (60, 120, 200, 200):
        breaker.failed("429")
        pause = breaker.open_until - time.now
        assert longest / 2 <= pause <= longest
        assert not breaker.allows()
        time.now += pause - 0.001
        assert (breaker.allows(), breaker.state) == (False, "open")
        time.now += 0.001
        assert (breaker.allows(), breaker.state) == (True, "half-open")
    breaker.succeeded()
    assert breaker.state == "closed"
    breaker.failed("429")
    assert breaker.open_until - time.now <= 60
