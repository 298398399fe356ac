"""Volume against what is usual at that time of the session."""

from __future__ import annotations

from dataclasses import dataclass

from tapeline.market.alerting.conditions.condition import HOLDS, NOT, Condition, State
from tapeline.market.alerting.fields import number, whole
from tapeline.market.alerting.look import Look


@dataclass(frozen=True, slots=True)
class Volume(Condition):
    """More shares than usual have been traded within some finished minutes."""

    word = "volume"

    beyond: float = number("How many times what is usual in those minutes of the session", 1, 1000)
    within: int = whole("Minutes to look back", 1, 60, 30)

    needs_baseline = True

    def state(self, look: Look, before: State) -> State | None:
        traded, usual = self._traded(look), self._usual(look)
        if traded is None or not usual:
            return None
        return HOLDS if traded > self.beyond * usual else NOT

    def _traded(self, look: Look) -> int | None:
        """Return the shares of those minutes, None while they are not known or were not all in this session."""
        volumes = look.minutes.volumes
        if not volumes or not volumes[-1] or look.minutes.finished + 1 < self.within:
            return None
        if look.minutes.finished + 1 == self.within:
            return volumes[-1]
        return volumes[-1] - volumes[-self.within - 1] if len(volumes) > self.within else None

    def _usual(self, look: Look) -> float:
        return look.baseline.usual_volume(look.minutes.finished, self.within) if look.baseline else 0.0

    def wish(self) -> str:
        return f"trades more than {self.beyond:g} times its usual volume within {self.within} minutes"

    def fact(self, look: Look, state: State) -> str:
        traded, usual = self._traded(look) or 0, self._usual(look)
        times = f", {traded / usual:.1f} times what is usual at this time" if usual else ""
        return f"traded {traded:,} shares in {self.within} minutes{times}"
