"""A new high or low of some sessions."""

from __future__ import annotations

from dataclasses import dataclass

from tapeline.market.alerting.conditions.condition import DOWN, NOT, UP, Condition, State, direction, money
from tapeline.market.alerting.fields import choice, number
from tapeline.market.alerting.look import Look


@dataclass(frozen=True, slots=True)
class Extreme(Condition):
    """A finished minute closes above the high, or below the low, of the sessions before."""

    word = "extreme"

    sessions: int = choice("Sessions before today: 20 or 252", 20, 252)
    way: str = direction("A new high (up), a new low (down), or both")
    beyond: float = number("Per cent that the close must lie beyond it", 0, 50, 0.0)

    needs_baseline = True

    def state(self, look: Look, before: State) -> State | None:
        if look.baseline is None or not look.minutes.closes:
            return None
        high, low = self._range(look)
        if not high or not low:
            return None
        close = look.minutes.closes[-1]
        if close > high * (1 + self.beyond / 100) and self.way != "down":
            return UP
        return DOWN if close < low * (1 - self.beyond / 100) and self.way != "up" else NOT

    def _range(self, look: Look) -> tuple[float, float]:
        known = look.baseline
        if known is None:
            return 0.0, 0.0
        return (known.high_20, known.low_20) if self.sessions == 20 else (known.high_252, known.low_252)

    def wish(self) -> str:
        what = {"up": "a new high", "down": "a new low", "both": "a new high or low"}[self.way]
        return f"makes {what} of {self.sessions} sessions"

    def fact(self, look: Look, state: State) -> str:
        high, low = self._range(look)
        what, limit = ("high", high) if state == UP else ("low", low)
        new = f"a new {what} of {self.sessions} sessions"
        return f"is at {new}, {money(look.price)}; the {what} before was {money(limit)}"
