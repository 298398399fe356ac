"""A price level crossed."""

from __future__ import annotations

from dataclasses import dataclass

from tapeline.market.alerting.conditions.condition import DOWN, NOT, UP, Condition, State, direction, money
from tapeline.market.alerting.fields import number
from tapeline.market.alerting.look import Look


@dataclass(frozen=True, slots=True)
class Level(Condition):
    """The price goes to a level or through it; it arms again when it has stepped back."""

    word = "level"
    every_quote = True
    is_standing = True

    price: float = number("The level, USD", 0.0001, 1e12)
    way: str = direction("Which crossing counts: upwards, downwards, or both")
    step_back: float = number("Per cent of the level that the price must go back before it arms again", 0, 50, 0.1)

    def state(self, look: Look, before: State) -> State | None:
        margin = self.price * self.step_back / 100
        if self.way == "down":
            return DOWN if look.price <= self.price + (margin if before == DOWN else 0) else NOT
        if look.price >= self.price - (margin if before == UP else 0):
            return UP
        return DOWN if self.way == "both" else NOT

    def wish(self) -> str:
        way = {"up": "rises to", "down": "falls to", "both": "crosses"}[self.way]
        return f"{way} {money(self.price)}"

    def fact(self, look: Look, state: State) -> str:
        return f"{'rose to' if state == UP else 'fell to'} {money(look.price)}, the level is {money(self.price)}"
