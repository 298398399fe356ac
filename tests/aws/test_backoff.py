from __future__ import annotations

import random

import pytest

from tapeline.aws.backoff import pause


@pytest.mark.parametrize(
    ("failures", "most_seconds"), [(0, 0.5), (1, 1.0), (2, 2.0), (4, 8.0), (5, 10.0), (1000, 10.0), (10**9, 10.0)]
)
def test_a_pause_doubles_up_to_its_limit_with_jitter_of_half_of_it(failures: int, most_seconds: float) -> None:
    pauses = [pause(failures, 0.5, 10.0, random.Random(seed)) for seed in range(200)]
    assert most_seconds / 2 <= min(pauses) < 0.52 * most_seconds
    assert 0.98 * most_seconds < max(pauses) <= most_seconds
