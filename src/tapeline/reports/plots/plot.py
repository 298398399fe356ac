"""What a header asks for, and what is drawn of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_CELLS = 2000
"""What a page shows at most, so that it stays under 300 kB; it says how much more there is."""

WIDTH = 960
LETTER = 7.2
"""Width of a letter and then some."""

Columns = Mapping[str, list[Any]]


class PlotError(ValueError):
    """Rows that make no picture; the message says why."""


@dataclass(frozen=True, slots=True)
class Plot:
    """What a header asks for: the kind of picture and which columns are what in it."""

    kind: str
    roles: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, text: str) -> Plot:
        """Read the header's line.

        >>> Plot.read("bars of=gap_pct by=session,symbol").roles["by"]
        ('session', 'symbol')
        """
        kind, *roles = text.split()
        return cls(kind, {role: tuple(names.split(",")) for role, _, names in (role.partition("=") for role in roles)})

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that it reads."""
        return tuple(name for role, names in self.roles.items() if role != "first" for name in names)


@dataclass(frozen=True, slots=True)
class Picture:
    """Parts of an SVG of `WIDTH` by `height`, and what is to be said beside it."""

    parts: Sequence[str]
    height: float
    notes: Sequence[str] = ()
    legend: Sequence[tuple[str, str]] = ()
    """Classes of the style sheet and what they stand for."""


def name_width(names: Iterable[str]) -> float:
    """Return how much room names at the left take."""
    return max(60.0, LETTER * max(map(len, names)) + 12)
