"""A light of the status page, and a part whose state one shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Colour(StrEnum):
    """A light's colour; grey says that there is nothing to judge, which is no trouble, unjudged that we do not know."""

    GREEN = "green"
    GREY = "grey"
    UNJUDGED = "unjudged"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Light:
    """One line of the page: what is judged and how it is."""

    name: str
    colour: Colour
    reading: str
    next_step: str = ""
    """What to do, in words; empty if nothing."""
    log: tuple[str, ...] = ()
    """The last lines of the log that explains it."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that must be up: a process on the laptop, a resource or a mapping on AWS."""

    name: str
    up: bool
    detail: str
    """Its state in the words of who runs it."""
    next_step: str = ""
    log: tuple[str, ...] = ()
    passing: bool = False
    """Whether it is on its way up, so that waiting is all there is to do."""
