"""Making a report out of what the queries found: sums, means, ranks and roundings, each once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from tapeline.lake.prices import CostLine
from tapeline.reports.report import Anomaly, Arrival, Coverage, Day, Gap, Mover, Point, Report, Suspect

MOVERS = 5
WORST = 5
BENCHMARKS = ("SPY", "^GSPC")
"""Symbols that stand for the market; the first that is there is named."""

AFTERWARDS = ("replay", "correction")
"""Sources whose quotes are older than their arrival by nature, so that nothing is told of how soon they came."""

Row = Mapping[str, Any]

_ANY_SIZE = Context(prec=400)
"""For figures as large as a double holds: two wrong prices may make any change."""


@dataclass(frozen=True, slots=True)
class Findings:
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
    kind: str,
    sessions: Sequence[date],
    half_days: Iterable[date],
    findings: Findings,
    cost: Sequence[CostLine],
) -> Report:
    """Make a report of some sessions out of what the queries found."""
    asked = sorted(sessions)
    own = [row for row in findings.sessions if row["session"] in asked]
    by_symbol: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(own, key=lambda row: (row["session"], row["symbol"])):
        by_symbol[row["symbol"]].append(row)
    movers = sorted(filter(None, map(_mover, by_symbol.values())), key=lambda mover: (-mover.change_pct, mover.symbol))
    named = {mover.symbol: mover for mover in movers}
    covered = sorted(
        (_coverage(symbol, rows) for symbol, rows in by_symbol.items()),
        key=lambda coverage: (coverage.completeness_pct, coverage.symbol),
    )
    before = {row["symbol"] for row in findings.sessions if row["session"] < asked[0]}
    missing = ({*findings.missing} | before) - set(by_symbol) - set(findings.withheld)
    sources = tuple(sorted({row["source"] for row in findings.received}))
    anomalies = tuple(
        sorted(map(_anomaly, findings.anomalies), key=lambda one: (-abs(one.peak_change_pct), *_key(one)))
    )
    return Report(
        kind=kind,
        sessions=tuple(asked),
        half_days=tuple(sorted(half_days)),
        sources=sources,
        symbols=len(movers),
        up=sum(mover.change_pct > 0 for mover in movers),
        down=sum(mover.change_pct < 0 for mover in movers),
        mean_change_pct=_mean([mover.change_pct for mover in movers]),
        benchmark=next((named[symbol] for symbol in BENCHMARKS if symbol in named), None),
        top=tuple(mover for mover in movers[:MOVERS] if mover.change_pct > 0),
        bottom=tuple(mover for mover in movers[::-1][:MOVERS] if mover.change_pct < 0),
        anomalies=anomalies,
        gaps=tuple(sorted(map(_gap, findings.gaps), key=lambda gap: (-gap.silent_minutes, gap.session, gap.symbol))),
        coverage=Coverage("", sum(one.minutes for one in covered), sum(one.expected_minutes for one in covered)),
        worst=tuple(one for one in covered[:WORST] if one.completeness_pct < 100),
        missing=tuple(sorted(missing)),
        withheld=tuple(sorted(findings.withheld.items())),
        expected=len({*by_symbol, *missing, *findings.withheld}),
        suspects=_suspects(findings.suspects),
        quotes=sum(row["quotes"] for row in own),
        late_quotes=sum(row["late_quotes"] for row in own),
        repeated_quotes=sum(row["repeated_quotes"] for row in own),
        arrival=_arrival(findings.received),
        last_quote_at=max((_aware(row["last_quote_utc"]) for row in own), default=None),
        course=tuple(
            Point(row["session"], _aware(row["interval_utc"]), _rounded_or_none(row["change_pct"]), row["quotes"])
            for row in findings.course
        ),
        days=tuple(_day(day, [row for row in own if row["session"] == day], anomalies) for day in asked),
        cost=tuple(cost),
    )


def _mover(rows: Sequence[Row]) -> Mover | None:
    """Return a symbol's change over its sessions.

    Of one session it is the table's own figure. Of several it is their changes one after another, each against the
    previous close of its own row, so that a split between two sessions does no harm.
    """
    traded = [row for row in rows if row["change_pct"] is not None]
    if not traded:
        return None
    if len(traded) == 1:
        change = Decimal(str(traded[0]["change_pct"]))
    else:
        factor = 1.0
        for row in traded:
            factor *= row["close_usd"] / row["previous_close_usd"]
        change = Decimal(str(100 * (factor - 1)))
    volume = sum(row["volume_shares"] for row in traded)
    return Mover(traded[-1]["symbol"], _rounded(change), Decimal(str(traded[-1]["close_usd"])), volume)


def _anomaly(row: Row) -> Anomaly:
    return Anomaly(
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


def _key(anomaly: Anomaly) -> tuple[date, str, datetime]:
    return anomaly.session, anomaly.symbol, anomaly.started_at


def _gap(row: Row) -> Gap:
    return Gap(
        session=row["session"],
        symbol=row["symbol"],
        gaps=row["gaps"],
        silent_minutes=row["silent_minutes"],
        longest_minutes=row["longest_gap_minutes"],
        longest_started_at=_aware(row["longest_started_at_utc"]),
        longest_ended_at=_aware(row["longest_ended_at_utc"]),
    )


def _coverage(symbol: str, rows: Sequence[Row]) -> Coverage:
    minutes = sum(row["minutes_with_quotes"] for row in rows)
    return Coverage(symbol, minutes, sum(row["expected_minutes"] for row in rows))


def _suspects(rows: Sequence[Row]) -> tuple[Suspect, ...]:
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        counted[row["symbol"], row["code"]] += row["quotes"]
    return tuple(Suspect(symbol, code, quotes) for (symbol, code), quotes in sorted(counted.items()))


def _arrival(rows: Sequence[Row]) -> Arrival | None:
    """Sum up how soon quotes came, of sources whose quotes come as they are quoted.

    The simulated market also makes up sessions that are over; then most of its quotes are older than a minute.
    """
    received = [
        row
        for row in rows
        if row["source"] not in AFTERWARDS
        and (row["source"] != "simulated" or 2 * row["within_60_seconds"] >= row["records"])
    ]
    if not received:
        return None
    return Arrival(
        records=sum(row["records"] for row in received),
        within_5_seconds=sum(row["within_5_seconds"] for row in received),
        within_60_seconds=sum(row["within_60_seconds"] for row in received),
        longest_seconds=max(row["longest_seconds"] for row in received),
    )


def _day(session: date, rows: Sequence[Row], anomalies: Sequence[Anomaly]) -> Day:
    changes = [Decimal(str(row["change_pct"])) for row in rows if row["change_pct"] is not None]
    return Day(
        session=session,
        change_pct=_mean(changes) or Decimal(0),
        symbols=len(rows),
        anomalies=sum(anomaly.session == session for anomaly in anomalies),
        quotes=sum(row["quotes"] for row in rows),
        completeness_pct=_coverage("", rows).completeness_pct,
    )


def _mean(numbers: Sequence[Decimal]) -> Decimal | None:
    return _rounded(sum(numbers, Decimal()) / len(numbers)) if numbers else None


def _rounded(number: Decimal | float, places: str = "0.01") -> Decimal:
    return Decimal(str(number)).quantize(Decimal(places), ROUND_HALF_UP, context=_ANY_SIZE)


def _rounded_or_none(number: float | None, places: str = "0.01") -> Decimal | None:
    return None if number is None else _rounded(number, places)


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
