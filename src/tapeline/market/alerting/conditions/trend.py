"""A trend: two averages on one side of each other. A state, not a forecast."""

from __future__ import annotations

from dataclasses import dataclass

from tapeline.market.alerting.conditions.condition import DOWN, UP, Condition, State, money, percent
from tapeline.market.alerting.fields import number, whole
from tapeline.market.alerting.look import Look


@dataclass(frozen=True, slots=True)
class Trend(Condition):
    """The short average of closes is clear of the long one, by a band; inside the band the trend before goes on."""

    word = "trend"
    is_standing = True

    short: int = whole("Minutes of the short average", 1, 60)
    long: int = whole("Minutes of the long average", 2, 60)
    band: float = number("How far apart the averages must be, in usual movements of one minute", 0, 100, 1.0)

    needs_baseline = True

    def state(self, look: Look, before: State) -> State | None:
        short, long = look.mean(self.short), look.mean(self.long)
        if short is None or long is None or look.baseline is None:
            return None
        band = self.band * look.baseline.usual_minute(look.minutes.finished) * long
        if not band and self.band:
            return None
        if short - long > band:
            return UP
        return DOWN if long - short > band else before

    def wish(self) -> str:
        return (
            f"has its average of {self.short} minutes clear of that of {self.long} minutes, "
            f"by {self.band:g} usual movements of a minute"
        )

    def fact(self, look: Look, state: State) -> str:
        short, long = look.mean(self.short) or 0.0, look.mean(self.long) or 1.0
        side = "over" if state == UP else "under"
        return (
            f"is {'rising' if state == UP else 'falling'}: average of {self.short} minutes {money(short)}, "
            f"{percent(short / long - 1)} {side} that of {self.long} minutes, {money(long)}"
        )
