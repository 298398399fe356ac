"""Make a report of the rows of its queries: sums, means, ranks and roundings, each once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from math import prod
from typing import Any

from tapeline.lake.prices import CostLine
from tapeline.market.quotes import AFTERWARDS
from tapeline.reports.report import (
    Anomaly,
    Arrival,
    Coverage,
    Day,
    Gap,
    Market,
    Mover,
    Point,
    Quality,
    Report,
    Suspect,
    Traffic,
)

MOVERS = 5
WORST = 5
BENCHMARKS = ("SPY", "^GSPC")
"""Symbols that stand for the market; the first that is there is named."""

Row = Mapping[str, Any]

_ANY_SIZE = Context(prec=400)
"""For figures as large as a double holds: two wrong prices may make any change."""


@dataclass(frozen=True, slots=True)
class ReportRows:
    """Rows of the queries in include/sql/reports, and of `anomalies_with_context`, for one range.

    Those of `sessions` reach back one session further than the range, to see who is missing. `missing` and `withheld`
    are what the rollups said of symbols without a quote, and of those that failed a check, with the reason.
    """

    sessions: Sequence[Row]
    anomalies: Sequence[Row]
    gaps: Sequence[Row]
    received: Sequence[Row]
    course: Sequence[Row]
    suspects: Sequence[Row] = ()
    missing: Sequence[str] = ()
    withheld: Mapping[str, str] = field(default_factory=dict)


def compose(
    kind: str, sessions: Iterable[date], half_days: Iterable[date], rows: ReportRows, cost: Sequence[CostLine]
) -> Report:
    """Make a report of some sessions."""
    days = sorted(sessions)
    own = [row for row in rows.sessions if row["session"] in days]
    own.sort(key=lambda row: (row["session"], row["symbol"]))
    by_symbol: dict[str, list[Row]] = defaultdict(list)
    for row in own:
        by_symbol[row["symbol"]].append(row)
    before = {row["symbol"] for row in rows.sessions if row["session"] < days[0]}
    anomalies = _anomalies(rows.anomalies)
    return Report(
        kind=kind,
        sessions=tuple(days),
        half_days=tuple(sorted(half_days)),
        sources=tuple(sorted({row["source"] for row in rows.received})),
        market=_market(by_symbol),
        anomalies=anomalies,
        quality=_quality(by_symbol, before, rows),
        traffic=_traffic(own, rows.received),
        course=tuple(map(_point, rows.course)),
        days=tuple(_day(day, [row for row in own if row["session"] == day], anomalies) for day in days),
        cost=tuple(cost),
    )


def _market(by_symbol: Mapping[str, Sequence[Row]]) -> Market:
    movers = sorted(filter(None, map(_mover, by_symbol.values())), key=lambda mover: (-mover.change_pct, mover.symbol))
    by_name = {mover.symbol: mover for mover in movers}
    return Market(
        symbols=len(movers),
        up=sum(mover.change_pct > 0 for mover in movers),
        down=sum(mover.change_pct < 0 for mover in movers),
        mean_change_pct=_mean([mover.change_pct for mover in movers]),
        benchmark=next((by_name[symbol] for symbol in BENCHMARKS if symbol in by_name), None),
        top=tuple(mover for mover in movers[:MOVERS] if mover.change_pct > 0),
        bottom=tuple(mover for mover in movers[::-1][:MOVERS] if mover.change_pct < 0),
    )


def _mover(rows: Sequence[Row]) -> Mover | None:
    """Return a symbol's change over its sessions.

    Of one session it is the table's own figure. Of several it is their changes one after another, each against the
    previous close of its own row, so that a split between two sessions does no harm.
    """
    traded = [row for row in rows if row["change_pct"] is not None]
    if not traded:
        return None
    last, change = traded[-1], traded[-1]["change_pct"]
    if len(traded) > 1:
        change = 100 * (prod(row["close_usd"] / row["previous_close_usd"] for row in traded) - 1)
    return Mover(last["symbol"], _rounded(change), Decimal(str(last["close_usd"])), _sum(traded, "volume_shares"))


def _anomalies(rows: Iterable[Row]) -> tuple[Anomaly, ...]:
    anomalies = [
        Anomaly(
            session=row["session"],
            symbol=row["symbol"],
            direction=row["direction"],
            phase=row["phase"],
            started_at=_aware(row["started_at_utc"]),
            duration_seconds=row["duration_seconds"],
            peak_change_pct=_rounded(row["peak_change_pct"]),
            usual_move_pct=_rounded_or_none(row["usual_move_pct"]),
            times_usual_move=_rounded_or_none(row["times_usual_move"], "0.1"),
            times_usual_volume=_rounded_or_none(row["times_usual_volume"], "0.1"),
            sessions_known=row["sessions_known"],
            session_change_pct=_rounded_or_none(row["session_change_pct"]),
        )
        for row in rows
    ]
    anomalies.sort(key=lambda event: (-abs(event.peak_change_pct), event.session, event.symbol, event.started_at))
    return tuple(anomalies)


def _quality(by_symbol: Mapping[str, Sequence[Row]], before: Iterable[str], rows: ReportRows) -> Quality:
    """Sum up what is there and what is not; `before` are the symbols of the session before."""
    covered = [_coverage(symbol, own) for symbol, own in by_symbol.items()]
    covered.sort(key=lambda coverage: (coverage.completeness_pct, coverage.symbol))
    missing = {*rows.missing, *before} - set(by_symbol) - set(rows.withheld)
    return Quality(
        gaps=tuple(sorted(map(_gap, rows.gaps), key=lambda gap: (-gap.silent_minutes, gap.session, gap.symbol))),
        coverage=_coverage("", [row for own in by_symbol.values() for row in own]),
        worst=tuple(coverage for coverage in covered[:WORST] if coverage.completeness_pct < 100),
        missing=tuple(sorted(missing)),
        withheld=tuple(sorted(rows.withheld.items())),
        expected=len({*by_symbol, *missing, *rows.withheld}),
        suspects=_suspects(rows.suspects),
    )


def _gap(row: Row) -> Gap:
    minutes = row["silent_minutes"], row["longest_gap_minutes"]
    longest = _aware(row["longest_started_at_utc"]), _aware(row["longest_ended_at_utc"])
    return Gap(row["session"], row["symbol"], row["gaps"], *minutes, *longest)


def _coverage(symbol: str, rows: Sequence[Row]) -> Coverage:
    return Coverage(symbol, _sum(rows, "minutes_with_quotes"), _sum(rows, "expected_minutes"))


def _suspects(rows: Iterable[Row]) -> tuple[Suspect, ...]:
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        counts[row["symbol"], row["code"]] += row["quotes"]
    return tuple(Suspect(symbol, code, quotes) for (symbol, code), quotes in sorted(counts.items()))


def _traffic(own: Sequence[Row], received: Sequence[Row]) -> Traffic:
    return Traffic(
        quotes=_sum(own, "quotes"),
        late_quotes=_sum(own, "late_quotes"),
        repeated_quotes=_sum(own, "repeated_quotes"),
        arrival=_arrival(received),
        last_quote_at=max((_aware(row["last_quote_utc"]) for row in own), default=None),
    )


def _arrival(rows: Sequence[Row]) -> Arrival | None:
    """Sum up how soon quotes came, of sources whose quotes come as they are quoted.

    The simulated market also makes up sessions that are over; then most of its quotes are older than a minute.
    """
    received = [row for row in rows if row["source"] not in AFTERWARDS and not _is_made_up(row)]
    if not received:
        return None
    longest_seconds = max(row["longest_seconds"] for row in received)
    return Arrival(_sum(received, "records"), _sum(received, "within_5_seconds"), longest_seconds)


def _is_made_up(row: Row) -> bool:
    return bool(row["source"] == "simulated" and 2 * row["within_60_seconds"] < row["records"])


def _point(row: Row) -> Point:
    return Point(row["session"], _aware(row["interval_utc"]), _rounded_or_none(row["change_pct"]), row["quotes"])


def _day(session: date, rows: Sequence[Row], anomalies: Sequence[Anomaly]) -> Day:
    changes = [Decimal(str(row["change_pct"])) for row in rows if row["change_pct"] is not None]
    return Day(
        session=session,
        change_pct=_mean(changes) or Decimal(0),
        symbols=len(rows),
        anomalies=sum(anomaly.session == session for anomaly in anomalies),
        quotes=_sum(rows, "quotes"),
        completeness_pct=_coverage("", rows).completeness_pct,
    )


def _sum(rows: Iterable[Row], column: str) -> int:
    return sum(row[column] for row in rows)


def _mean(numbers: Sequence[Decimal]) -> Decimal | None:
    return _rounded(sum(numbers, Decimal()) / len(numbers)) if numbers else None


def _rounded(number: Decimal | float, places: str = "0.01") -> Decimal:
    return Decimal(str(number)).quantize(Decimal(places), ROUND_HALF_UP, context=_ANY_SIZE)


def _rounded_or_none(number: float | None, places: str = "0.01") -> Decimal | None:
    return None if number is None else _rounded(number, places)


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
