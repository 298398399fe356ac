"""A move within some minutes."""

from __future__ import annotations

from dataclasses import dataclass

from tapeline.market.alerting.baselines import MINUTES
from tapeline.market.alerting.conditions.condition import DOWN, MOVES, NOT, UP, Condition, State, direction, percent
from tapeline.market.alerting.fields import choice, number, whole
from tapeline.market.alerting.look import Look
from tapeline.market.alerting.minutes import Minutes


@dataclass(frozen=True, slots=True)
class Move(Condition):
    """The price has moved far within some finished minutes; early in a session, since its first price.

    Rolling minutes end now. Minutes in blocks begin where a block of so many begins in the session, such as each hour
    after the open; what is usual is then that of the whole block.
    """

    word = "move"

    within: int = whole("Minutes to look back", 1, 60)
    beyond: float = number("How far, in the unit", 0.01, 1000)
    unit: str = choice(
        "`percent`, or `usual`: multiples of what the symbol usually moves in so many minutes at that hour",
        "percent",
        "usual",
        default="usual",
    )
    window: str = choice(
        "`rolling`: the minutes up to now; `block`: since the last full so many minutes of the session, such as "
        "60 for its hours",
        "rolling",
        "block",
        default="rolling",
    )
    way: str = direction()

    @property
    def needs_baseline(self) -> bool:
        return self.unit == "usual"

    def state(self, look: Look, before: State) -> State | None:
        minutes = look.minutes
        closes = minutes.closes
        base = look.close_before(self._back(minutes))
        if base is None:
            return None
        limit = self.beyond / 100 if self.unit == "percent" else self.beyond * look.usual_move(self._window(minutes))
        if not limit:
            return None
        move = closes[-1] / base - 1
        if -limit <= move <= limit:
            return NOT
        side = UP if move > 0 else DOWN
        return side if self.way in (side, "both") else NOT

    def _back(self, minutes: Minutes) -> int:
        return self.within if self.window == "rolling" else minutes.finished % self.within + 1

    def _window(self, minutes: Minutes) -> tuple[int, int]:
        """Return the last minute of the window that it is judged by, and how many it has."""
        finished = minutes.finished
        if self.window == "rolling":
            return finished, self.within
        start = finished - finished % self.within
        end = min(start + self.within, MINUTES)
        return end - 1, end - start

    def wish(self) -> str:
        unit = "%" if self.unit == "percent" else " times what is usual at that hour"
        return f"{MOVES[self.way]} by more than {self.beyond:g}{unit} within {self.within} minutes"

    def fact(self, look: Look, state: State) -> str:
        minutes = min(self._back(look.minutes), len(look.minutes.closes) - 1)
        base = look.close_before(minutes) or look.minutes.closes[-1]
        move = look.minutes.closes[-1] / base - 1
        usual = look.usual_move(self._window(look.minutes))
        times = f", {abs(move) / usual:.1f} times what is usual at this hour" if usual else ""
        return f"moved {percent(move)} in {minutes} minutes{times}"
