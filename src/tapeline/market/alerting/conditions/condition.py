"""What every condition of a rule is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from tapeline.market.alerting.fields import choice
from tapeline.market.alerting.look import Look

HOLDS = "on"
UP = "up"
DOWN = "down"
NOT = ""
"""The states of a condition; beside them None, while it cannot be told."""

State = str


class Condition(ABC):
    """One condition on one symbol at one moment; a file of this package each.

    Attributes
    ----------
    word : str
        As rule files call it.
    every_quote : bool
        Whether it looks at every quote, not at finished minutes only.
    is_standing : bool
        Whether its state outlives the session and its first look only learns it: a side that a price is on.
    """

    word: ClassVar[str]
    every_quote: ClassVar[bool] = False
    is_standing: ClassVar[bool] = False

    @property
    def needs_baseline(self) -> bool:
        """Whether it is silent on a symbol without a baseline."""
        return False

    @abstractmethod
    def state(self, look: Look, before: State) -> State | None:
        """Return whether it holds, and which way; `before` is the state before, by which a step back is judged."""

    @abstractmethod
    def wish(self) -> str:
        """Return what it asks for, after "when a symbol": words for people."""

    @abstractmethod
    def fact(self, look: Look, state: State) -> str:
        """Return what was seen and how unusual it is, after the symbol: words for people."""


def direction(words: str = "Which direction counts: up, down, or both") -> str:
    """Declare the field `way`."""
    way: str = choice(words, UP, DOWN, "both", default="both")
    return way


MOVES = {UP: "rises", DOWN: "falls", "both": "moves"}
"""Verbs by `way`."""


def percent(share: float) -> str:
    """Return a share as a signed per cent."""
    return f"{share * 100:+.2f}%"


def money(amount: float) -> str:
    """Return an amount of USD; under a dollar with four decimals."""
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:,.4f}"
