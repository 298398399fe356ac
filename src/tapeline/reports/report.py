"""What a report says: one frozen value, from which mail and page are both written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from tapeline.lake.prices import CostLine

WHOLE_FEED = "*"
"""The symbol of a gap in which no symbol had a quote."""

UNREAL = {
    "simulated": "Simulated market: these prices are not real.",
    "replay": "Replayed from a file: these prices are not current.",
}


@dataclass(frozen=True, slots=True)
class Mover:
    """One symbol over the report's sessions; change in per cent, close in USD."""

    symbol: str
    change_pct: Decimal
    close_usd: Decimal
    volume_shares: int


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One event of the table `anomalies` beside what is usual for its symbol, also as a multiple of it.

    The usual move is the mean of |change| over `sessions_known` sessions before, None if there were none; the change of
    the session is where it ended.
    """

    session: date
    symbol: str
    direction: str
    phase: str
    started_at: datetime
    duration_seconds: int
    peak_change_pct: Decimal
    usual_move_pct: Decimal | None
    times_usual_move: Decimal | None
    times_usual_volume: Decimal | None
    sessions_known: int
    session_change_pct: Decimal | None


@dataclass(frozen=True, slots=True)
class Suspect:
    """How many quotes of one symbol were not believed, or were corrected, for the same reason.

    The code is ``figure:reason`` as the stream judged it, or ``corrected``.
    """

    symbol: str
    code: str
    quotes: int


@dataclass(frozen=True, slots=True)
class Gap:
    """The silences of one symbol, or of the `WHOLE_FEED`, in one session's regular trading."""

    session: date
    symbol: str
    gaps: int
    silent_minutes: int
    longest_minutes: int
    longest_started_at: datetime
    longest_ended_at: datetime


@dataclass(frozen=True, slots=True)
class Coverage:
    """Minutes with quotes of those that regular trading has, and their share in per cent."""

    symbol: str
    minutes: int
    expected_minutes: int

    @property
    def completeness_pct(self) -> Decimal:
        """Share in per cent, two decimals; 0 where nothing was expected."""
        if not self.expected_minutes:
            return Decimal(0)
        return (Decimal(100 * self.minutes) / self.expected_minutes).quantize(Decimal("0.01"), ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Arrival:
    """How soon the records of the range reached the producer."""

    records: int
    within_5_seconds: int
    longest_seconds: int


@dataclass(frozen=True, slots=True)
class Point:
    """One interval of regular trading: the market's mean change in per cent, and how many quotes there were.

    The change is None where no symbol has one.
    """

    session: date
    at: datetime
    change_pct: Decimal | None
    quotes: int


@dataclass(frozen=True, slots=True)
class Day:
    """One session of a week: mean change in per cent over its symbols, anomalies, completeness."""

    session: date
    change_pct: Decimal
    symbols: int
    anomalies: int
    quotes: int
    completeness_pct: Decimal


@dataclass(frozen=True, slots=True)
class Market:
    """How many symbols have a change, rose and fell, their mean change in per cent, and the largest changes first.

    The benchmark is the symbol that stands for the market; it and the mean are None without one.
    """

    symbols: int
    up: int
    down: int
    mean_change_pct: Decimal | None
    benchmark: Mover | None
    top: tuple[Mover, ...]
    bottom: tuple[Mover, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """How much of what should be in the tables is there, and can be believed.

    The longest silence and the least complete symbols come first. Symbols that are missing were there in the session
    before; those that are withheld failed a check and are not published again, each with the reason; both are among
    those that are expected.
    """

    gaps: tuple[Gap, ...]
    coverage: Coverage
    worst: tuple[Coverage, ...]
    missing: tuple[str, ...]
    withheld: tuple[tuple[str, str], ...]
    expected: int
    suspects: tuple[Suspect, ...]

    @property
    def feed_gaps(self) -> tuple[Gap, ...]:
        """The silences of the whole feed."""
        return tuple(gap for gap in self.gaps if gap.symbol == WHOLE_FEED)

    @property
    def symbol_gaps(self) -> tuple[Gap, ...]:
        """The silences of single symbols."""
        return tuple(gap for gap in self.gaps if gap.symbol != WHOLE_FEED)

    @property
    def absent(self) -> tuple[str, ...]:
        """The symbols that have no quote or failed a check."""
        return tuple(sorted({*self.missing, *(symbol for symbol, _ in self.withheld)}))


@dataclass(frozen=True, slots=True)
class Traffic:
    """The quotes that came, the time of the newest of regular trading or after, and how soon they arrived.

    The arrival is None if no record is in the raw zone that was quoted as it arrived.
    """

    quotes: int
    late_quotes: int
    repeated_quotes: int
    arrival: Arrival | None
    last_quote_at: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that mail and page say.

    The kind is ``anomaly_report`` (one session) or ``weekly_report``; sessions stand in their order, the farthest
    anomaly first.
    """

    kind: str
    sessions: tuple[date, ...]
    half_days: tuple[date, ...]
    sources: tuple[str, ...]
    market: Market
    anomalies: tuple[Anomaly, ...]
    quality: Quality
    traffic: Traffic
    course: tuple[Point, ...]
    days: tuple[Day, ...]
    cost: tuple[CostLine, ...]

    @property
    def unreal(self) -> tuple[str, ...]:
        """Notes on sources whose prices are not of a live market."""
        return tuple(UNREAL[source] for source in self.sources if source in UNREAL)

    @property
    def cost_usd(self) -> Decimal:
        """Sum of the positions, USD."""
        return sum((line.usd for line in self.cost), Decimal())

    @property
    def severity(self) -> str:
        """`warning` if there is an anomaly, a silence of the whole feed or a symbol not published, else `info`."""
        return "warning" if self.anomalies or self.quality.feed_gaps or self.quality.absent else "info"

    @property
    def fingerprint(self) -> str:
        """Text that is the same for reports that say the same.

        The cost is left out, because each look at the tables adds to it. How many quotes came and when is left out too:
        a feed that goes on after the close changes that, and no figure of the session.

        Installations remember it from version to version. The names and the order of all figures are part of it, as
        one flat list: do not rename or reorder them, or each report that is written again goes out as corrected.
        """
        days = tuple(replace(day, quotes=0) for day in self.days)
        same = replace(self, cost=(), traffic=Traffic(0, 0, 0, None, None), days=days)
        return hashlib.sha256(f"Report({', '.join(_figures(same))})".encode()).hexdigest()


def _figures(part: Report | Market | Quality | Traffic) -> Iterator[str]:
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, Market | Quality | Traffic):
            yield from _figures(value)
        else:
            yield f"{field.name}={value!r}"
