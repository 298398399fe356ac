"""What is in force at a moment: the version of the rules, the baselines, and what is muted.

Everything holds for records that arrived at or after its moment, which lies at least a minute ahead when it is set: a
batch that is delivered again decides as before, however long it takes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from tapeline.market.alerting.baselines import Baseline
from tapeline.market.alerting.rules import EVERYTHING, RuleSet

AHEAD_SECONDS = 60
"""How far ahead of now a change begins to hold."""

KEPT_VERSIONS = 200
KEPT_BASELINES = 40
"""How many the pointer lists; a redrive brings back records of the 14 days before."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the rules.

    Attributes
    ----------
    number : int
        From 1; each change is one more, a way back too.
    holds_from : int
        Seconds since 1970, by the arrival of records.
    by, at : str
        Who applied it, and when, in contract form.
    note : str
        Such as ``back to version 3``.
    """

    number: int
    holds_from: int
    by: str
    at: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Learnt:
    """Baselines: the object in the bucket that holds them, ``…/YYYY-MM-DD-…``, and from when on."""

    key: str
    holds_from: int

    @property
    def session(self) -> str:
        """The newest session that they know, ``YYYY-MM-DD``."""
        return self.key.rpartition("/")[2][:10]


@dataclass(frozen=True, slots=True)
class Mute:
    """A rule (or all), silent on a symbol (or all) for a while; seconds since 1970."""

    rule: str
    symbol: str
    holds_from: int
    until: int
    by: str

    def silences(self, rule: str, symbol: str, arrived: float) -> bool:
        """Return whether an alert of a record that arrived then is muted."""
        in_time = self.holds_from <= arrived < self.until
        return in_time and self.rule in (EVERYTHING, rule) and self.symbol in (EVERYTHING, symbol)


@dataclass(frozen=True, slots=True)
class Pointer:
    """What holds from when, oldest first."""

    versions: tuple[Version, ...] = ()
    baselines: tuple[Learnt, ...] = ()
    mutes: tuple[Mute, ...] = ()

    @property
    def newest(self) -> int:
        """Number of the newest version, 0 for none."""
        return self.versions[-1].number if self.versions else 0

    def version_at(self, arrived: float) -> Version | None:
        """Return the version that holds for records that arrived then."""
        return next((version for version in reversed(self.versions) if version.holds_from <= arrived), None)

    def baselines_at(self, arrived: float) -> Learnt | None:
        """Return the baselines that hold for records that arrived then."""
        return next((learnt for learnt in reversed(self.baselines) if learnt.holds_from <= arrived), None)

    def with_version(self, version: Version) -> Pointer:
        """Return the pointer with one more version."""
        return replace(self, versions=(*self.versions, version)[-KEPT_VERSIONS:])

    def with_baselines(self, learnt: Learnt) -> Pointer:
        """Return the pointer with newer baselines."""
        return replace(self, baselines=(*self.baselines, learnt)[-KEPT_BASELINES:])

    def to_json(self) -> str:
        """Return the pointer as one line."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Pointer:
        """Read what `to_json` wrote."""
        document = json.loads(text)
        return cls(
            versions=tuple(Version(**version) for version in document["versions"]),
            baselines=tuple(Learnt(**learnt) for learnt in document["baselines"]),
            mutes=tuple(Mute(**mute) for mute in document["mutes"]),
        )


@dataclass(frozen=True, slots=True)
class InForce:
    """Rules and baselines for records of one moment."""

    rules: RuleSet = field(default_factory=RuleSet)
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    mutes: Sequence[Mute] = ()

    def is_muted(self, rule: str, symbol: str, arrived: float) -> bool:
        """Return whether an alert is muted."""
        return any(mute.silences(rule, symbol, arrived) for mute in self.mutes)


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """What `tapeline status` says of the rules.

    Attributes
    ----------
    version : Version
        The newest, which may hold in a minute only.
    enabled : int
        How many of its rules are on.
    waiting : tuple of str
        Names of those that are silent on a symbol without a baseline.
    known : frozenset of str
        Symbols that have one.
    """

    version: Version
    enabled: int
    waiting: tuple[str, ...]
    known: frozenset[str]


def version_key(number: int) -> str:
    """Return the key of a version in the bucket."""
    return f"{PREFIX}rules/{number:06}.json"


PREFIX = "alerting/"
"""Where in the bucket rules and baselines lie."""
