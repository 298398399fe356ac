"""A circuit breaker: after trouble, leave the other side alone, then try with one request before trusting it again."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

from tapeline.aws.backoff import pause

log = logging.getLogger("producer.yahoo")


class CircuitBreaker:
    """Closed: requests pass. Open: none passes for a while. Half-open: one passes and decides.

    Each time it opens without a success in between, it stays open twice as long, up to a limit, with jitter between
    half and all of that.

    Attributes
    ----------
    state : {"closed", "open", "half-open"}
        See above.
    reason : str
        Why it is not closed; empty when it is.
    open_until : float
        When it is open: until when, by the clock.

    Parameters
    ----------
    name : str
        Whom it protects, for the log.
    clock : callable
        Seconds that only grow.
    """

    def __init__(
        self,
        name: str,
        clock: Callable[[], float],
        randomness: random.Random,
        first_pause_seconds: float = 60.0,
        longest_pause_seconds: float = 1800.0,
    ) -> None:
        self.state = "closed"
        self.reason = ""
        self._name = name
        self._clock = clock
        self._random = randomness
        self._first_pause_seconds = first_pause_seconds
        self._longest_pause_seconds = longest_pause_seconds
        self._openings = 0
        self.open_until = clock()

    def allows(self) -> bool:
        """Return whether a request may pass now. One that passes an open breaker is the probe: report how it went."""
        if self.state == "open" and self._clock() >= self.open_until:
            self.state = "half-open"
            log.info("%s: trying with one request", self._name)
        return self.state != "open"

    def succeeded(self) -> None:
        """Report that a request went well."""
        if self.state != "closed":
            log.info("%s answers again", self._name)
        self.state = "closed"
        self.reason = ""
        self._openings = 0

    def failed(self, reason: str, longest_pause_seconds: float = float("inf")) -> None:
        """Report trouble that more requests would make worse; a shorter limit is for trouble that they would not."""
        longest = min(self._longest_pause_seconds, longest_pause_seconds)
        wait = pause(self._openings, self._first_pause_seconds, longest, self._random)
        self._openings += 1
        self.state = "open"
        self.reason = reason
        self.open_until = self._clock() + wait
        log.warning("%s: %s; asking nothing for %.0f s", self._name, reason, wait)
