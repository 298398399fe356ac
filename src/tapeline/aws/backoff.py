"""How long to leave the other side alone after trouble."""

from __future__ import annotations

import random

_RANDOM = random.Random()  # noqa: S311 - jitter needs no secrecy
_MOST_DOUBLINGS = 30
"""The pause stopped growing long before."""


def pause(failures: int, first_seconds: float, longest_seconds: float, randomness: random.Random = _RANDOM) -> float:
    """Return seconds to wait: doubled with each failure in a row up to a limit, with jitter between half and all of it.

    Parameters
    ----------
    failures : int
        How many there were in a row before this one.
    first_seconds, longest_seconds : float
        The pause after the first, and the limit.
    randomness : random.Random
        For the jitter; tests pass their own.
    """
    doublings: int = 2 ** min(failures, _MOST_DOUBLINGS)
    return min(first_seconds * doublings, longest_seconds) * randomness.uniform(0.5, 1)
