"""A report in words, all of them chosen here, so that mail and page cannot say different things."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from tapeline.lake.audit import MOST_NAMES_SHOWN, named
from tapeline.reports.phrases import NONE, clock, count, length, percent, usd, written_day
from tapeline.reports.report import WHOLE_FEED, Anomaly, Gap, Mover, Report

SHOWN_GAPS = 8
SHOWN_ANOMALIES = 12


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of words: its columns, which of them hold numbers, and its rows."""

    columns: tuple[str, ...]
    numbers: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Wording:
    """What mail and page say; they only lay it out.

    Attributes
    ----------
    period : str
        The session or the week.
    headline : str
        The report in one line.
    span : str
        ``day`` or ``week``.
    notes : tuple of str
        Why the prices are not of a live market.
    facts : tuple of (str, str)
        What is said in one line each, by label.
    sentences : tuple of str
        An anomaly each, one for a symbol and session, the first few.
    more_anomalies : int
        How many they leave out.
    nothing_usual : str
        Of which of their symbols it is not known what is usual; empty if it is of all.
    sessions : TextTable or None
        Of a week.
    """

    period: str
    headline: str
    span: str
    notes: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    sentences: tuple[str, ...]
    more_anomalies: int
    nothing_usual: str
    up: TextTable
    down: TextTable
    anomalies: TextTable
    sessions: TextTable | None
    gaps: TextTable
    coverage: TextTable
    cost: TextTable

    @property
    def title(self) -> str:
        """The period as it begins a sentence."""
        return self.period[0].upper() + self.period[1:]


def wording(report: Report) -> Wording:
    """Put a report into words."""
    is_week = report.kind == "weekly_report"
    span = "week" if is_week else "day"
    shown = farthest(report)
    return Wording(
        period=_period(report),
        headline=_headline(report),
        span=span,
        notes=report.unreal,
        facts=tuple(_facts(report, span)),
        sentences=tuple(_sentence(report, anomaly, others) for anomaly, others in shown),
        more_anomalies=len(report.anomalies) - sum(1 + others for _, others in shown),
        nothing_usual=_nothing_usual([anomaly for anomaly, _ in shown]),
        up=_movers(report.market.top),
        down=_movers(report.market.bottom),
        anomalies=_anomalies(report),
        sessions=_sessions(report) if is_week else None,
        gaps=_silences(report),
        coverage=_least_complete(report),
        cost=_cost(report),
    )


def farthest(report: Report) -> list[tuple[Anomaly, int]]:
    """Return each symbol's farthest anomaly of a session with the number of its others there, the first few."""
    groups: dict[tuple[date, str], list[Anomaly]] = {}
    for anomaly in report.anomalies:
        groups.setdefault((anomaly.session, anomaly.symbol), []).append(anomaly)
    return [(first, len(others)) for first, *others in groups.values()][:SHOWN_ANOMALIES]


def _period(report: Report) -> str:
    first, last = report.sessions[0], report.sessions[-1]
    if report.kind == "weekly_report":
        return f"week of {written_day(first)}" + (f" to {written_day(last)}" if first != last else "")
    return written_day(first) + (", half day" if report.half_days else "")


def _headline(report: Report) -> str:
    """Return which symbols are missing, how many anomalies there are, and the market."""
    absent, change = report.quality.absent, report.market.mean_change_pct
    gone = f"{len(absent)} of {count(report.quality.expected, 'symbol')} missing, " if absent else ""
    market = f"market {percent(change)}" if change is not None else "no market data"
    return f"{gone}{count(len(report.anomalies), 'anomaly')}, {market}"


def _moment(report: Report, session: date, moment: datetime) -> str:
    return f"{session:%a} {clock(moment)}" if len(report.sessions) > 1 else clock(moment)


# Facts


def _facts(report: Report, span: str) -> Iterator[tuple[str, str]]:
    yield "Market", _market(report)
    yield "Completeness", _completeness(report)
    yield "Freshness", _freshness(report)
    yield "Gaps", _gaps(report)
    missing, traffic = report.quality.missing, report.traffic
    exceptions = {
        "Missing": named(missing),
        "Left out": _withheld(report),
        "Suspect": _suspects(report),
        "Corrected": _corrected(report),
    }
    yield from ((label, symbols) for label, symbols in exceptions.items() if symbols)
    counted = f"{traffic.quotes:,} of {count(report.market.symbols, 'symbol')}"
    yield "Quotes", f"{counted}, {traffic.late_quotes:,} late, {traffic.repeated_quotes:,} repeated"
    yield "Source", ", ".join(report.sources) or NONE
    yield "Cost", f"{usd(report.cost_usd)} at list prices for the {span}"


def _market(report: Report) -> str:
    market = report.market
    if market.mean_change_pct is None:
        return "no symbol has a price"
    unchanged = market.symbols - market.up - market.down
    parts = [f"{market.up} up", f"{market.down} down"] + ([f"{unchanged} unchanged"] if unchanged else [])
    benchmark = f"; {market.benchmark.symbol} {percent(market.benchmark.change_pct)}" if market.benchmark else ""
    return f"{percent(market.mean_change_pct)} on average, {', '.join(parts)}{benchmark}"


def _completeness(report: Report) -> str:
    coverage, worst = report.quality.coverage, report.quality.worst
    if not coverage.expected_minutes:
        return "nothing was quoted"
    least = f"; least {worst[0].symbol} with {worst[0].completeness_pct}%" if worst else ""
    return f"{coverage.completeness_pct}% of the minutes of regular trading have a quote{least}"


def _freshness(report: Report) -> str:
    if not report.sources:
        return "no record arrived"
    arrival, last_quote_at = report.traffic.arrival, report.traffic.last_quote_at
    last = f"; last quote {clock(last_quote_at)} New York" if last_quote_at else ""
    if arrival is None:
        how = "replayed" if "replay" in report.sources else "made up afterwards"
        return f"not measured, the quotes were {how}{last}"
    in_time = Decimal(100 * arrival.within_5_seconds) / arrival.records
    return f"{in_time:.1f}% arrived within 5 s, the slowest after {length(max(1, arrival.longest_seconds))}{last}"


def _gaps(report: Report) -> str:
    of_feed = report.quality.feed_gaps
    if of_feed:
        longest = max(of_feed, key=lambda gap: gap.longest_minutes)
        return (
            f"the whole feed was silent {count(sum(gap.gaps for gap in of_feed), 'time')}, "
            f"{sum(gap.silent_minutes for gap in of_feed)} min in all; longest {longest.longest_minutes} min "
            f"from {_moment(report, longest.session, longest.longest_started_at)}"
        )
    symbols = len({gap.symbol for gap in report.quality.symbol_gaps})
    return "none in the feed" + (f"; {count(symbols, 'symbol')} silent for 3 min or more" if symbols else "")


def _withheld(report: Report) -> str:
    withheld = report.quality.withheld
    shown = "; ".join(f"{symbol}: {reason}" for symbol, reason in withheld[:MOST_NAMES_SHOWN])
    more = len(withheld) - MOST_NAMES_SHOWN
    return f"{shown}; and {more} more" if more > 0 else shown


def _suspects(report: Report) -> str:
    """Return what was not believed, the most frequent first, such as ``NVDA previous close (far) 390 quotes``."""
    suspects = [suspect for suspect in report.quality.suspects if ":" in suspect.code]
    suspects.sort(key=lambda suspect: (-suspect.quotes, suspect.symbol))
    return named(f"{one.symbol} {_figure(one.code)} {count(one.quotes, 'quote')}" for one in suspects)


def _figure(code: str) -> str:
    figure, _, reason = code.replace("_", " ").partition(":")
    return f"{figure} ({reason})"


def _corrected(report: Report) -> str:
    corrected = (suspect for suspect in report.quality.suspects if suspect.code == "corrected")
    return named(f"{suspect.symbol} {count(suspect.quotes, 'quote')}" for suspect in corrected)


# Anomalies


def _sentence(report: Report, anomaly: Anomaly, others: int) -> str:
    """Return an anomaly as a sentence; the symbol had some others in the session.

    Of a symbol of which nothing is usual yet it says nothing of that; `_nothing_usual` says it once.
    """
    symbol, peak, usual, times, volume, since, lasted, ended = _anomaly_row(report, anomaly)
    context = ""
    if anomaly.usual_move_pct is not None:
        context = f"usual {usual} a day" + (f", so {times} times; " if anomaly.times_usual_move is not None else "; ")
    if anomaly.times_usual_volume is not None:
        context += f"volume {volume} times usual; "
    more = f" (and {others} more)" if others else ""
    return f"{symbol} {peak} from {since} for {lasted}{more}: {context}the session ended at {ended}."


def _nothing_usual(anomalies: Iterable[Anomaly]) -> str:
    is_known = {anomaly.symbol: anomaly.usual_move_pct is not None for anomaly in anomalies}
    unknown = [symbol for symbol, known in is_known.items() if not known]
    if not unknown:
        return ""
    of_them = "" if len(unknown) == len(is_known) else f" of {named(unknown)}"
    return f"What is usual{of_them} is not known yet."


def _anomaly_row(report: Report, anomaly: Anomaly) -> tuple[str, ...]:
    phase = {"pre": " before the open", "post": " after the close"}.get(anomaly.phase, "")
    return (
        anomaly.symbol,
        percent(anomaly.peak_change_pct),
        f"{anomaly.usual_move_pct}%" if anomaly.usual_move_pct is not None else "unknown",
        f"{anomaly.times_usual_move}" if anomaly.times_usual_move is not None else "-",
        f"{anomaly.times_usual_volume}" if anomaly.times_usual_volume is not None else "-",
        _moment(report, anomaly.session, anomaly.started_at) + phase,
        length(anomaly.duration_seconds),
        percent(anomaly.session_change_pct),
    )


# Tables


def _anomalies(report: Report) -> TextTable:
    columns = ("Symbol", "Peak", "Usual", "Times usual", "Volume, times usual", "From", "For", "Ended at")
    return TextTable(columns, (1, 2, 3, 4, 7), tuple(_anomaly_row(report, anomaly) for anomaly in report.anomalies))


def _movers(movers: Iterable[Mover]) -> TextTable:
    rows = (
        (mover.symbol, percent(mover.change_pct), usd(mover.close_usd), f"{mover.volume_shares:,}") for mover in movers
    )
    return TextTable(("Symbol", "Change", "Close", "Shares"), (1, 2, 3), tuple(rows))


def _silences(report: Report) -> TextTable:
    shown = (*report.quality.feed_gaps, *report.quality.symbol_gaps)[:SHOWN_GAPS]
    return TextTable(("Who", "Gaps", "Silent min", "Longest"), (1, 2), tuple(_gap_row(report, gap) for gap in shown))


def _gap_row(report: Report, gap: Gap) -> tuple[str, ...]:
    start = _moment(report, gap.session, gap.longest_started_at)
    return (
        "whole feed" if gap.symbol == WHOLE_FEED else gap.symbol,
        f"{gap.gaps}",
        f"{gap.silent_minutes}",
        f"{gap.longest_minutes} min, {start} to {clock(gap.longest_ended_at)}",
    )


def _least_complete(report: Report) -> TextTable:
    rows = (
        (worst.symbol, f"{worst.completeness_pct}%", f"{worst.minutes:,}", f"{worst.expected_minutes:,}")
        for worst in report.quality.worst
    )
    return TextTable(("Symbol", "Complete", "Minutes", "Of"), (1, 2, 3), tuple(rows))


def _sessions(report: Report) -> TextTable:
    rows = (
        (
            written_day(day.session),
            percent(day.change_pct),
            f"{day.anomalies}",
            f"{day.quotes:,}",
            f"{day.completeness_pct}%",
        )
        for day in report.days
    )
    return TextTable(("Session", "Market", "Anomalies", "Quotes", "Complete"), (1, 2, 3, 4), tuple(rows))


def _cost(report: Report) -> TextTable:
    rows = [(line.name, _amount(line.quantity, line.unit), usd(line.usd)) for line in report.cost]
    return TextTable(("Position", "Quantity", "USD"), (1, 2), (*rows, ("In all", "", usd(report.cost_usd))))


def _amount(quantity: int, unit: str) -> str:
    return f"{quantity:,} {unit.removesuffix('s') if quantity == 1 else unit}"
