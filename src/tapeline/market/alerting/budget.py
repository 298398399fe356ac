"""How many messages a reader gets: at most so many within any hour, and what is held back goes together in the next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MESSAGES_PER_HOUR = 6
HOUR_SECONDS = 3600
MINUTE_SECONDS = 60


def may_send(sent: Sequence[float], now: float, most: int = MESSAGES_PER_HOUR) -> bool:
    """Return whether one more message may leave, given when earlier ones did; seconds since 1970."""
    return sum(now - moment < HOUR_SECONDS for moment in sent) < most


def messages(alerts: Iterable[tuple[float, bool]], most: int = MESSAGES_PER_HOUR) -> list[tuple[float, int]]:
    """Return the messages that a reader would have had: when each left, and how many alerts it held.

    Parameters
    ----------
    alerts : iterable of (seconds, is_critical)
        In time order. A critical one leaves at once, with all that waits; the others at the end of their minute.
    """
    sent: list[tuple[float, int]] = []
    waiting, due = 0, 0.0
    for seconds, is_critical in alerts:
        while waiting and due <= seconds:
            sent.append((due, waiting))
            waiting = 0
        waiting += 1
        if is_critical:
            sent.append((seconds, waiting))
            waiting = 0
        elif waiting == 1:
            due = _free([moment for moment, _ in sent[-most:]], seconds + MINUTE_SECONDS, most)
    if waiting:
        sent.append((due, waiting))
    return sent


def _free(sent: Sequence[float], moment: float, most: int) -> float:
    """Return the first moment, from one on, at which one more message may leave."""
    while not may_send(sent, moment, most):
        moment = min(past for past in sent if moment - past < HOUR_SECONDS) + HOUR_SECONDS
    return moment
