"""How long to leave the other side alone after trouble."""

from __future__ import annotations

import random

_RANDOM = random.Random()  # noqa: S311 - jitter needs no secrecy


def pause(failures: int, first_seconds: float, longest_seconds: float, randomness: random.Random = _RANDOM) -> float:
    """Return seconds to wait: doubled with each failure in a row up to a limit, with jitter between half and all of it.

    The count of failures is of those before this one: the pause after the first is `first_seconds`.
    """
    doublings: int = 2 ** min(failures, 30)  # the pause stopped growing long before
    return min(first_seconds * doublings, longest_seconds) * randomness.uniform(0.5, 1)
