"""A Bollinger band left."""

from __future__ import annotations

from dataclasses import dataclass

from tapeline.market.alerting.conditions.condition import DOWN, NOT, UP, Condition, State, direction, money
from tapeline.market.alerting.fields import number, whole
from tapeline.market.alerting.look import Look


@dataclass(frozen=True, slots=True)
class Band(Condition):
    """A finished minute closes outside its Bollinger band: mean of the last closes, and deviations around it.

    Source: J. Bollinger, "Bollinger on Bollinger Bands" (2001); the population deviation, the newest close included.
    """

    word = "band"

    minutes: int = whole("Minutes of the band", 5, 60, 20)
    deviations: float = number("Standard deviations on each side", 0.5, 10, 3.0)
    way: str = direction("Above the band (up), below it (down), or both")

    def state(self, look: Look, before: State) -> State | None:
        mean, deviation = look.mean(self.minutes), look.deviation(self.minutes)
        if mean is None or not deviation:
            return None
        away = look.minutes.closes[-1] - mean
        side = UP if away > 0 else DOWN
        return side if abs(away) > self.deviations * deviation and self.way in (side, "both") else NOT

    def wish(self) -> str:
        side = {"up": "above", "down": "below", "both": "outside"}[self.way]
        return f"closes {side} its band of {self.minutes} minutes and {self.deviations:g} deviations"

    def fact(self, look: Look, state: State) -> str:
        mean, deviation = look.mean(self.minutes) or 0.0, look.deviation(self.minutes) or 1.0
        away = (look.minutes.closes[-1] - mean) / deviation
        return f"closed {away:+.1f} deviations from its mean of {self.minutes} minutes, {money(mean)}"
