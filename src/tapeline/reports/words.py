"""A report's figures as words, written once, so that mail and page cannot say different things."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from tapeline.market.dates import NEW_YORK
from tapeline.reports.report import WHOLE_FEED, Anomaly, Gap, Mover, Report

SHOWN_GAPS = 8
SHOWN_ANOMALIES = 12
SHOWN_NAMES = 8
NONE = "none"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of words: its title, its columns (those of numbers marked by a trailing ``>``) and its rows."""

    title: str
    columns: tuple[str, ...]
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


def day(session: date) -> str:
    """Return a date as a person writes it, such as ``Fri 28 Nov 2025``."""
    return f"{session:%a} {session.day} {session:%b %Y}"


def clock(moment: datetime) -> str:
    """Return the time of day in New York."""
    return f"{moment.astimezone(NEW_YORK):%H:%M}"


def length(seconds: int) -> str:
    """Return a length of time.

    >>> length(0), length(59), length(3540), length(5400)
    ('1 quote', '59 s', '59 min', '1 h 30 min')
    """
    if seconds == 0:
        return "1 quote"
    if seconds < 60:
        return f"{seconds} s"
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


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
        return f"week of {day(first)} to {day(last)}" if first != last else f"week of {day(first)}"
    return day(first) + (", half day" if report.half_days else "")


def headline(report: Report) -> str:
    """Return the report in one line: which symbols are missing, how many anomalies, and the market."""
    gone = f"{len(report.absent)} of {count(report.expected, 'symbol')} missing, " if report.absent else ""
    market = f"market {percent(report.mean_change_pct)}" if report.mean_change_pct is not None else "no market data"
    return f"{gone}{count(len(report.anomalies), 'anomaly')}, {market}"


def facts(report: Report) -> tuple[tuple[str, str], ...]:
    """Return what is said in one line each, by label."""
    return (
        ("Market", _market(report)),
        ("Completeness", _completeness(report)),
        ("Freshness", _freshness(report)),
        ("Gaps", _gaps(report)),
        *((("Missing", _names(report.missing)),) if report.missing else ()),
        *((("Left out", _withheld(report)),) if report.withheld else ()),
        *((("Suspect", _suspects(report)),) if _suspects(report) else ()),
        *((("Corrected", _corrected(report)),) if _corrected(report) else ()),
        ("Quotes", _quotes(report)),
        ("Source", ", ".join(report.sources) or NONE),
        (
            "Cost",
            f"{usd(report.cost_usd)} at list prices for {'the week' if report.kind == 'weekly_report' else 'the day'}",
        ),
    )


def _market(report: Report) -> str:
    if report.mean_change_pct is None:
        return "no symbol has a price"
    unchanged = report.symbols - report.up - report.down
    parts = [f"{report.up} up", f"{report.down} down"] + ([f"{unchanged} unchanged"] if unchanged else [])
    benchmark = f"; {report.benchmark.symbol} {percent(report.benchmark.change_pct)}" if report.benchmark else ""
    return f"{percent(report.mean_change_pct)} on average, {', '.join(parts)}{benchmark}"


def _completeness(report: Report) -> str:
    whole = report.coverage
    if not whole.expected_minutes:
        return "nothing was quoted"
    said = f"{whole.completeness_pct}% of the minutes of regular trading have a quote"
    if not report.worst:
        return said
    return f"{said}; least {report.worst[0].symbol} with {report.worst[0].completeness_pct}%"


def _freshness(report: Report) -> str:
    if not report.sources:
        return "no record arrived"
    last = f"; last quote {clock(report.last_quote_at)} New York" if report.last_quote_at else ""
    if report.arrival is None:
        how = "replayed" if "replay" in report.sources else "made up afterwards"
        return f"not measured, the quotes were {how}{last}"
    arrival = report.arrival
    in_time = Decimal(100 * arrival.within_5_seconds) / arrival.records
    return f"{in_time:.1f}% arrived within 5 s, the slowest after {length(max(1, arrival.longest_seconds))}{last}"


def _gaps(report: Report) -> str:
    own = sum(gap.gaps for gap in report.feed_gaps)
    if own:
        longest = max(report.feed_gaps, key=lambda gap: gap.longest_minutes)
        silent = sum(gap.silent_minutes for gap in report.feed_gaps)
        return (
            f"the whole feed was silent {count(own, 'time')}, {silent} min in all; longest {longest.longest_minutes} "
            f"min from {_moment(report, longest.session, longest.longest_started_at)}"
        )
    symbols = len({gap.symbol for gap in report.symbol_gaps})
    return "none in the feed" + (f"; {count(symbols, 'symbol')} silent for 3 min or more" if symbols else "")


def _quotes(report: Report) -> str:
    return (
        f"{report.quotes:,} of {count(report.symbols, 'symbol')}, {report.late_quotes:,} late, "
        f"{report.repeated_quotes:,} repeated"
    )


def _withheld(report: Report) -> str:
    shown = "; ".join(f"{symbol}: {reason}" for symbol, reason in report.withheld[:SHOWN_NAMES])
    more = len(report.withheld) - SHOWN_NAMES
    return f"{shown}; and {more} more" if more > 0 else shown


def _suspects(report: Report) -> str:
    """Return what was not believed, the most frequent first, such as ``NVDA previous close (far) 390 quotes``."""
    found = sorted((one for one in report.suspects if ":" in one.code), key=lambda one: (-one.quotes, one.symbol))
    return _some([f"{one.symbol} {_figure(one.code)} {count(one.quotes, 'quote')}" for one in found])


def _figure(code: str) -> str:
    figure, _, reason = code.partition(":")
    return f"{figure.replace('_', ' ')} ({reason.replace('_', ' ')})"


def _corrected(report: Report) -> str:
    return _some([f"{one.symbol} {count(one.quotes, 'quote')}" for one in report.suspects if one.code == "corrected"])


def _some(told: list[str]) -> str:
    more = len(told) - SHOWN_NAMES
    return ", ".join(told[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def _names(symbols: tuple[str, ...]) -> str:
    return _some(list(symbols))


def _moment(report: Report, session: date, moment: datetime) -> str:
    return f"{session:%a} {clock(moment)}" if len(report.sessions) > 1 else clock(moment)


def movers(title: str, found: tuple[Mover, ...]) -> Table:
    """Return the table of the symbols that rose or fell most."""
    rows = ((one.symbol, percent(one.change_pct), usd(one.close_usd), f"{one.volume_shares:,}") for one in found)
    return Table(title, ("Symbol", "Change>", "Close>", "Shares>"), tuple(rows))


def anomaly_rows(report: Report) -> Table:
    """Return the table of anomalies, each beside what is usual for its symbol."""
    columns = ("Symbol", "Peak>", "Usual>", "Times usual>", "Volume, times usual>", "From", "For", "Ended at>")
    return Table("Anomalies", columns, tuple(_anomaly_row(report, one) for one in report.anomalies))


def _anomaly_row(report: Report, one: Anomaly) -> tuple[str, ...]:
    phase = {"pre": " before the open", "post": " after the close"}.get(one.phase, "")
    return (
        one.symbol,
        percent(one.peak_change_pct),
        f"{one.usual_move_pct}%" if one.usual_move_pct is not None else "unknown",
        f"{one.times_usual_move}" if one.times_usual_move is not None else "-",
        f"{one.times_usual_volume}" if one.times_usual_volume is not None else "-",
        _moment(report, one.session, one.started_at) + phase,
        length(one.duration_seconds),
        percent(one.session_change_pct),
    )


def farthest(report: Report) -> list[tuple[Anomaly, int]]:
    """Return each symbol's farthest anomaly of a session with the number of its others there, the first few."""
    found: dict[tuple[date, str], list[Anomaly]] = {}
    for one in report.anomalies:
        found.setdefault((one.session, one.symbol), []).append(one)
    return [(first, len(others)) for first, *others in found.values()][:SHOWN_ANOMALIES]


def anomaly_sentence(report: Report, one: Anomaly, others: int) -> str:
    """Return an anomaly as a sentence for the mail; the symbol had some others in the session.

    Of a symbol of which nothing is usual yet it says nothing of that; `nothing_usual` says it once.
    """
    symbol, peak, usual, times, volume, since, lasted, ended = _anomaly_row(report, one)
    context = ""
    if one.usual_move_pct is not None:
        context = f"usual {usual} a day" + (f", so {times} times; " if one.times_usual_move is not None else "; ")
    if one.times_usual_volume is not None:
        context += f"volume {volume} times usual; "
    more = f" (and {others} more)" if others else ""
    return f"{symbol} {peak} from {since} for {lasted}{more}: {context}the session ended at {ended}."


def nothing_usual(report: Report) -> str:
    """Return of which of the anomalies' symbols it is not known what is usual; empty if it is of all."""
    shown = [one for one, _ in farthest(report)]
    unknown = tuple(dict.fromkeys(one.symbol for one in shown if one.usual_move_pct is None))
    if not unknown:
        return ""
    of_them = "" if len(unknown) == len({one.symbol for one in shown}) else f" of {_names(unknown)}"
    return f"What is usual{of_them} is not known yet."


def gap_rows(report: Report) -> Table:
    """Return the table of silences, the whole feed's first."""
    columns = ("Who", "Gaps>", "Silent min>", "Longest")
    rows = tuple(_gap_row(report, gap) for gap in (*report.feed_gaps, *report.symbol_gaps)[:SHOWN_GAPS])
    return Table("Silences of 3 minutes and more", columns, rows)


def _gap_row(report: Report, gap: Gap) -> tuple[str, ...]:
    start = _moment(report, gap.session, gap.longest_started_at)
    return (
        "whole feed" if gap.symbol == WHOLE_FEED else gap.symbol,
        f"{gap.gaps}",
        f"{gap.silent_minutes}",
        f"{gap.longest_minutes} min, {start} to {clock(gap.longest_ended_at)}",
    )


def coverage_rows(report: Report) -> Table:
    """Return the table of the least complete symbols."""
    rows = (
        (one.symbol, f"{one.completeness_pct}%", f"{one.minutes:,}", f"{one.expected_minutes:,}")
        for one in report.worst
    )
    return Table("Least complete", ("Symbol", "Complete>", "Minutes>", "Of>"), tuple(rows))


def day_rows(report: Report) -> Table:
    """Return the table of a week's sessions."""
    rows = (
        (day(one.session), percent(one.change_pct), f"{one.anomalies}", f"{one.quotes:,}", f"{one.completeness_pct}%")
        for one in report.days
    )
    return Table("Sessions", ("Session", "Market>", "Anomalies>", "Quotes>", "Complete>"), tuple(rows))


def cost_rows(report: Report) -> Table:
    """Return the table of what it cost."""
    rows = [(line.name, _amount(line.quantity, line.unit), usd(line.usd)) for line in report.cost]
    total = ("In all", "", usd(report.cost_usd))
    return Table("Cost at list prices", ("Position", "Quantity>", "USD>"), (*rows, total))


def _amount(quantity: int, unit: str) -> str:
    return f"{quantity:,} {unit.removesuffix('s') if quantity == 1 else unit}"
