"""Change of the day beyond a limit."""

from __future__ import annotations

from dataclasses import dataclass

from tapeline.market.alerting.conditions.condition import DOWN, MOVES, NOT, UP, Condition, State, direction
from tapeline.market.alerting.fields import choice, number
from tapeline.market.alerting.look import Look


@dataclass(frozen=True, slots=True)
class DayChange(Condition):
    """The price is far from the previous close; it arms again after a step back towards it."""

    word = "day_change"
    every_quote = True

    beyond: float = number("How far from the previous close, in the unit", 0.01, 1000)
    unit: str = choice(
        "`percent`, or `usual`: multiples of the symbol's mean absolute daily change",
        "percent",
        "usual",
        default="percent",
    )
    way: str = direction()
    step_back: float = number("How far it must go back before it arms again, in the unit", 0, 1000, 1.0)

    @property
    def needs_baseline(self) -> bool:
        return self.unit == "usual"

    def state(self, look: Look, before: State) -> State | None:
        limit = self._limit(look)
        if limit is None or look.change_percent is None:
            return None
        change = look.change_percent
        side = UP if change > 0 else DOWN
        back = limit / self.beyond * self.step_back if before == side else 0
        return side if abs(change) > limit - back and self.way in (side, "both") else NOT

    def _limit(self, look: Look) -> float | None:
        """Return the limit in per cent, None without the baseline that it needs."""
        if self.unit == "percent":
            return self.beyond
        if look.baseline is None or not look.baseline.day_move:
            return None
        return self.beyond * look.baseline.day_move * 100

    def wish(self) -> str:
        unit = "%" if self.unit == "percent" else " times its usual daily change"
        return f"{MOVES[self.way]} by more than {self.beyond:g}{unit} from its previous close"

    def fact(self, look: Look, state: State) -> str:
        usual = look.baseline.day_move * 100 if look.baseline else 0.0
        change = look.change_percent or 0.0
        times = f", {abs(change) / usual:.1f} times its usual day of {usual:.2f}%" if usual else ""
        return f"is {change:+.2f}% from its previous close{times}"
