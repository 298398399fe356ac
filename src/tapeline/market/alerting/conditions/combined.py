"""Conditions combined: all of some, or any of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tapeline.market.alerting.conditions.condition import HOLDS, NOT, Condition, State
from tapeline.market.alerting.look import Look


def side_of(state: State) -> State:
    """Return the state itself, without those of the parts that a combination's state holds.

    >>> side_of("up(up,on)")
    'up'
    """
    return state if len(state) < 5 else state.partition("(")[0]


def parts_of(state: State, number: int) -> list[State]:
    """Return the states of the parts that a combination's state holds.

    >>> parts_of("up(up,on(on,))", 2)
    ['up', 'on(on,)']
    """
    inner, parts, depth = state[len(side_of(state)) + 1 : -1], [""], 0
    for letter in inner:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts if len(parts) == number else [NOT] * number


@dataclass(frozen=True, slots=True)
class Combined(Condition):
    """Several conditions on the same symbol. It is unknown while a part that would decide it is unknown.

    Its state holds those of its parts, ``up(up,on)``, so that each steps back by its own; while it does not hold, each
    part begins anew.

    Attributes
    ----------
    parts : tuple of Condition
        At least two.
    """

    parts: tuple[Condition, ...]

    @property
    def needs_baseline(self) -> bool:
        """Whether a part needs one."""
        return any(part.needs_baseline for part in self.parts)

    @property
    def every_quote(self) -> bool:  # type: ignore[override]
        """Whether a part looks at every quote."""
        return any(part.every_quote for part in self.parts)


@dataclass(frozen=True, slots=True)
class All(Combined):
    """All of some conditions hold, and not in opposite directions."""

    word = "all"

    def state(self, look: Look, before: State) -> State | None:
        past = parts_of(before, len(self.parts)) if before else None
        states, side, is_known = [], HOLDS, True
        for place, part in enumerate(self.parts):
            state = part.state(look, past[place] if past else NOT)
            if state is None:
                is_known = False
                continue
            way = side_of(state)
            if not way or (way != HOLDS and side not in (way, HOLDS)):
                return NOT
            side = side if way == HOLDS else way
            states.append(state)
        return _joined(side, states) if is_known else None

    def wish(self) -> str:
        return " and ".join(part.wish() for part in self.parts)

    def fact(self, look: Look, state: State) -> str:
        return " and ".join(part.fact(look, side) for part, side in _with_states(self.parts, state))


@dataclass(frozen=True, slots=True)
class Any(Combined):
    """At least one of some conditions holds."""

    word = "any"

    def state(self, look: Look, before: State) -> State | None:
        past = parts_of(before, len(self.parts))
        states = [part.state(look, past[place]) for place, part in enumerate(self.parts)]
        holding = next((state for state in states if state), None)
        if holding is None:
            return None if None in states else NOT
        return _joined(side_of(holding), states)

    def wish(self) -> str:
        return " or ".join(part.wish() for part in self.parts)

    def fact(self, look: Look, state: State) -> str:
        return " and ".join(part.fact(look, side) for part, side in _with_states(self.parts, state) if side_of(side))


def _joined(side: State, states: Iterable[State | None]) -> State:
    return f"{side}({','.join(state or NOT for state in states)})"


def _with_states(parts: tuple[Condition, ...], state: State) -> zip[tuple[Condition, State]]:
    return zip(parts, parts_of(state, len(parts)), strict=True)
