"""A report in words, all of them chosen here, so that mail and page cannot say different things."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from tapeline.lake.audit_result import MOST_NAMES_SHOWN, named
from tapeline.market import durations
from tapeline.market.dates import NEW_YORK
from tapeline.reports.report import WHOLE_FEED, Anomaly, Gap, Mover, Report

SHOWN_GAPS = 8
SHOWN_ANOMALIES = 12
NONE = "none"


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of words: its columns, which of them hold numbers, and its rows."""

    columns: tuple[str, ...]
    numbers: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]


def percent(number: Decimal | None) -> str:
    """Return a change with its sign.

    >>> percent(Decimal("1.50")), percent(Decimal("-7.00")), percent(Decimal("0.00")), percent(None)
    ('+1.50%', '-7.00%', '0.00%', '-')
    """
    if number is None:
        return "-"
    return f"{number:+.2f}%" if number else "0.00%"


def usd(number: Decimal) -> str:
    """Return an amount, below a dollar with four decimals.

    >>> usd(Decimal("1234.5")), usd(Decimal("0.0123"))
    ('$1,234.50', '$0.0123')
    """
    return f"${number:,.2f}" if abs(number) >= 1 else f"${number:.4f}"


def written_day(session: date) -> str:
    """Return a date as a person writes it, such as ``Fri 28 Nov 2025``."""
    return f"{session:%a} {session.day} {session:%b %Y}"


def clock(moment: datetime) -> str:
    """Return the time of day in New York."""
    return f"{moment.astimezone(NEW_YORK):%H:%M}"


def length(seconds: int) -> str:
    """Return a length of time.

    >>> length(0), length(59), length(3565), length(5400)
    ('1 quote', '59 s', '59 min', '1 h 30 min')
    """
    whole_minutes = seconds // 60 * 60
    return durations.words(whole_minutes or seconds) if seconds else "1 quote"


def count(number: int, thing: str) -> str:
    """Return a number with its noun: ``1 anomaly``, ``3 anomalies``, ``no anomalies``.

    >>> count(1, "anomaly"), count(0, "anomaly"), count(1200, "quote")
    ('1 anomaly', 'no anomalies', '1,200 quotes')
    """
    plural = f"{thing[:-1]}ies" if thing.endswith("y") and thing[-2:] != "ay" else f"{thing}s"
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {plural}" if number else f"no {plural}"


def period(report: Report) -> str:
    """Return the session or the week that a report is about."""
    first, last = report.sessions[0], report.sessions[-1]
    if report.kind == "weekly_report":
        return f"week of {written_day(first)}" + (f" to {written_day(last)}" if first != last else "")
    return written_day(first) + (", half day" if report.half_days else "")


def title(report: Report) -> str:
    """Return the period as it begins a sentence."""
    return period(report)[0].upper() + period(report)[1:]


def span(report: Report) -> str:
    """Return ``day`` or ``week``."""
    return "week" if report.kind == "weekly_report" else "day"


def headline(report: Report) -> str:
    """Return which symbols are missing, how many anomalies there are, and the market."""
    absent, change = report.quality.absent, report.market.mean_change_pct
    gone = f"{len(absent)} of {count(report.quality.expected, 'symbol')} missing, " if absent else ""
    market = f"market {percent(change)}" if change is not None else "no market data"
    return f"{gone}{count(len(report.anomalies), 'anomaly')}, {market}"


def moment(report: Report, session: date, at: datetime) -> str:
    """Return a time of day, with its day in a report of several sessions."""
    return f"{session:%a} {clock(at)}" if len(report.sessions) > 1 else clock(at)


# Facts


def facts(report: Report) -> Iterator[tuple[str, str]]:
    """Yield what is said in one line each, by label."""
    yield "Market", _market(report)
    yield "Completeness", _completeness(report)
    yield "Freshness", _freshness(report)
    yield "Gaps", _gaps(report)
    exceptions = "Missing", "Left out", "Suspect", "Corrected"
    texts = named(report.quality.missing), _withheld(report), _suspects(report), _corrected(report)
    yield from ((label, text) for label, text in zip(exceptions, texts, strict=True) if text)
    traffic = report.traffic
    counted = f"{traffic.quotes:,} of {count(report.market.symbols, 'symbol')}"
    yield "Quotes", f"{counted}, {traffic.late_quotes:,} late, {traffic.repeated_quotes:,} repeated"
    yield "Source", ", ".join(report.sources) or NONE
    yield "Cost", f"{usd(report.cost_usd)} at list prices for the {span(report)}"


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
            f"from {moment(report, longest.session, longest.longest_started_at)}"
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
    return named(f"{suspect.symbol} {_figure(suspect.code)} {count(suspect.quotes, 'quote')}" for suspect in suspects)


def _figure(code: str) -> str:
    figure, _, reason = code.replace("_", " ").partition(":")
    return f"{figure} ({reason})"


def _corrected(report: Report) -> str:
    corrected = (suspect for suspect in report.quality.suspects if suspect.code == "corrected")
    return named(f"{suspect.symbol} {count(suspect.quotes, 'quote')}" for suspect in corrected)


# Anomalies


def farthest(report: Report) -> list[tuple[Anomaly, int]]:
    """Return each symbol's farthest anomaly of a session with the number of its others there, the first few."""
    groups: dict[tuple[date, str], list[Anomaly]] = {}
    for anomaly in report.anomalies:
        groups.setdefault((anomaly.session, anomaly.symbol), []).append(anomaly)
    return [(first, len(others)) for first, *others in groups.values()][:SHOWN_ANOMALIES]


def anomaly_sentences(report: Report) -> Iterator[str]:
    """Yield the first anomalies as a sentence each, then how many are left out, and whose usual move is not known."""
    shown = farthest(report)
    yield from (_sentence(report, anomaly, others) for anomaly, others in shown)
    if left := len(report.anomalies) - sum(1 + others for _, others in shown):
        yield f"... and {left} more, on the page"
    usual_moves = {anomaly.symbol: anomaly.usual_move_pct for anomaly, _ in shown}
    if unknown := [symbol for symbol, move in usual_moves.items() if move is None]:
        of_them = "" if len(unknown) == len(usual_moves) else f" of {named(unknown)}"
        yield f"What is usual{of_them} is not known yet."


def _sentence(report: Report, anomaly: Anomaly, others: int) -> str:
    symbol, peak, usual, times, volume, since, lasted, ended = _anomaly_row(report, anomaly)
    context = ""
    if anomaly.usual_move_pct is not None:
        context = f"usual {usual} a day" + (f", so {times} times; " if anomaly.times_usual_move is not None else "; ")
    if anomaly.times_usual_volume is not None:
        context += f"volume {volume} times usual; "
    more = f" (and {others} more)" if others else ""
    return f"{symbol} {peak} from {since} for {lasted}{more}: {context}the session ended at {ended}."


def _anomaly_row(report: Report, anomaly: Anomaly) -> tuple[str, ...]:
    phase = {"pre": " before the open", "post": " after the close"}.get(anomaly.phase, "")
    return (
        anomaly.symbol,
        percent(anomaly.peak_change_pct),
        f"{anomaly.usual_move_pct}%" if anomaly.usual_move_pct is not None else "unknown",
        f"{anomaly.times_usual_move}" if anomaly.times_usual_move is not None else "-",
        f"{anomaly.times_usual_volume}" if anomaly.times_usual_volume is not None else "-",
        moment(report, anomaly.session, anomaly.started_at) + phase,
        length(anomaly.duration_seconds),
        percent(anomaly.session_change_pct),
    )


# Tables


def anomaly_rows(report: Report) -> TextTable:
    """Return the table of anomalies, each beside what is usual for its symbol."""
    columns = ("Symbol", "Peak", "Usual", "Times usual", "Volume, times usual", "From", "For", "Ended at")
    return TextTable(columns, (1, 2, 3, 4, 7), tuple(_anomaly_row(report, anomaly) for anomaly in report.anomalies))


def mover_rows(movers: Iterable[Mover]) -> TextTable:
    """Return the table of the symbols that rose or fell most."""
    rows = (
        (mover.symbol, percent(mover.change_pct), usd(mover.close_usd), f"{mover.volume_shares:,}") for mover in movers
    )
    return TextTable(("Symbol", "Change", "Close", "Shares"), (1, 2, 3), tuple(rows))


def gap_rows(report: Report) -> TextTable:
    """Return the table of silences, the whole feed's first."""
    shown = (*report.quality.feed_gaps, *report.quality.symbol_gaps)[:SHOWN_GAPS]
    return TextTable(("Who", "Gaps", "Silent min", "Longest"), (1, 2), tuple(_gap_row(report, gap) for gap in shown))


def _gap_row(report: Report, gap: Gap) -> tuple[str, ...]:
    start = moment(report, gap.session, gap.longest_started_at)
    return (
        "whole feed" if gap.symbol == WHOLE_FEED else gap.symbol,
        f"{gap.gaps}",
        f"{gap.silent_minutes}",
        f"{gap.longest_minutes} min, {start} to {clock(gap.longest_ended_at)}",
    )


def coverage_rows(report: Report) -> TextTable:
    """Return the table of the least complete symbols."""
    rows = (
        (worst.symbol, f"{worst.completeness_pct}%", f"{worst.minutes:,}", f"{worst.expected_minutes:,}")
        for worst in report.quality.worst
    )
    return TextTable(("Symbol", "Complete", "Minutes", "Of"), (1, 2, 3), tuple(rows))


def day_rows(report: Report) -> TextTable:
    """Return the table of a week's sessions."""
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


def cost_rows(report: Report) -> TextTable:
    """Return the table of the cost."""
    rows = [(line.name, _amount(line.quantity, line.unit), usd(line.usd)) for line in report.cost]
    return TextTable(("Position", "Quantity", "USD"), (1, 2), (*rows, ("In all", "", usd(report.cost_usd))))


def _amount(quantity: int, unit: str) -> str:
    return f"{quantity:,} {unit.removesuffix('s') if quantity == 1 else unit}"
