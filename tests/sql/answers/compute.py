"""Compute the answers beside this file from the quotes made by hand, without SQL: plain loops over exact decimals.

Run ``python -m tests.sql.answers.compute`` after a change of the data, and read the difference: the answers are files
so that a person has looked at them.
"""

from __future__ import annotations

import csv
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
DATA = HERE.parent / "data"
CASES: dict[str, dict[str, Any]] = yaml.safe_load((HERE.parent / "cases.yaml").read_text(encoding="utf-8"))
LAST_SESSIONS: dict[str, int] = {
    name: case.pop("last_sessions") for name, case in CASES.items() if "last_sessions" in case
}

# Opening and closing as printed on the exchange's page of hours, New York being five hours behind UTC in November.
SESSIONS = {
    "2025-11-26": (datetime(2025, 11, 26, 14, 30), datetime(2025, 11, 26, 21, 0), 390),
    "2025-11-28": (datetime(2025, 11, 28, 14, 30), datetime(2025, 11, 28, 18, 0), 210),
    "2025-12-03": (datetime(2025, 12, 3, 14, 30), datetime(2025, 12, 3, 21, 0), 390),
}

JUDGED = "2025-12-03"
"""The session of judged.yaml; the queries are asked of the others, which no verdict touches."""

Row = dict[str, Any]


def raw_quotes(file: str = "quotes") -> Iterator[Row]:
    """Every record of a file as the raw zone has it, with times read; in order of arrival within a symbol and day."""
    for block in yaml.safe_load((DATA / f"{file}.yaml").read_text(encoding="utf-8")):
        records: list[Row] = []
        day: dict[str, Decimal] = {}
        for time, price, volume, delay, *told in block["quotes"]:
            at = datetime.fromisoformat(f"{block['date']}T{time}")
            more = told[0] if told else {}
            figures = {name: value for name, value in more.items() if name in ("open", "high", "low")}
            day = day_so_far(day, Decimal(str(price)), figures)
            records.append(
                {
                    "symbol": block["symbol"],
                    "dt": block["date"],
                    "at": at,
                    "ingested": at + timedelta(seconds=delay),
                    **day,
                    "price": Decimal(str(price)),
                    "previous_close": Decimal(str(more.get("previous_close", block["previous_close"]))),
                    "volume": volume,
                    "revision": more.get("revision", 0),
                    "suspect": tuple(more.get("suspect", ())),
                    "confirms": more.get("confirms", ""),
                }
            )
        yield from sorted(records, key=lambda record: (record["ingested"], record["at"]))


def day_so_far(day: dict[str, Decimal], price: Decimal, told: dict[str, Any]) -> dict[str, Decimal]:
    """Open, high and low after one more price, unless the data says otherwise."""
    grown = {
        "open": day.get("open", price),
        "high": max(day.get("high", price), price),
        "low": min(day.get("low", price), price),
    }
    return {**grown, **{name: Decimal(str(value)) for name, value in told.items()}}


def change_pct(price: Decimal, base: Decimal) -> Decimal:
    """Per cent with two decimals, halves away from zero."""
    return ((price - base) * 100 / base).quantize(Decimal("0.01"), ROUND_HALF_UP)


def phase(at: datetime, day: str) -> str:
    opens, closes, _ = SESSIONS[day]
    return "pre" if at < opens else "regular" if at < closes else "post"


def distinct_quotes(day: str) -> dict[str, list[Row]]:
    """The day's quotes of each symbol in the order of their own times, each once, with copies and lateness noted.

    Of a time the highest revision is taken, and of that the first copy. Suspect figures are None; a quote without a
    price is left out.
    """
    versions: dict[str, dict[datetime, dict[int, Row]]] = defaultdict(lambda: defaultdict(dict))
    newest: dict[str, datetime] = {}
    runs: dict[str, list[tuple[datetime, datetime, bool]]] = defaultdict(list)
    for record in raw_quotes("judged" if day == JUDGED else "quotes"):
        if record["dt"] != day:
            continue
        symbol, at = record["symbol"], record["at"]
        known = versions[symbol][at]
        late = next(iter(known.values()))["late"] if known else at < newest.get(symbol, at)
        known.setdefault(record["revision"], {**record, "copies": -1, "late": late})["copies"] += 1
        newest[symbol] = max(at, newest.get(symbol, at))
        if record["confirms"]:
            rescales = any(code.startswith("previous_close:") for code in record["suspect"])
            runs[symbol].append((datetime.fromisoformat(record["confirms"].rstrip("Z")), at, rescales))
    found: dict[str, list[Row]] = {}
    for symbol in sorted(versions):
        gone: set[Decimal] = set()  # prices taken back so far
        for _, known in sorted(versions[symbol].items()):
            gone |= {one["price"] for revision, one in known.items() if revision < max(known)}
            copies = sum(one["copies"] for one in known.values())
            quote = judged({**known[max(known)], "copies": copies}, runs[symbol])
            quote |= {name: None for name in ("open", "high", "low") if quote[name] in gone}
            if quote["price"] is not None:
                found.setdefault(symbol, []).append(quote)
    return found


def judged(quote: Row, runs: list[tuple[datetime, datetime, bool]]) -> Row:
    """A quote with its suspect figures taken out.

    A price within a run that was confirmed counts. If the quote that confirms it has a suspect previous close, the run
    begins another scale, to which no previous close from before belongs.
    """
    suspect = {code.split(":")[0] for code in quote["suspect"]}
    within = [rescales for first, last, rescales in runs if first <= quote["at"] <= last]
    if within:
        suspect.discard("price")
    if any(within):
        suspect.add("previous_close")
    scale = max((first for first, _, rescales in runs if rescales and first <= quote["at"]), default=datetime.min)
    if "price:withdrawn" in quote["suspect"] or quote["price"] == 0:
        suspect.add("price")
    return {**quote, **dict.fromkeys(suspect), "scale": scale}


def traded(quotes: list[Row]) -> list[int]:
    """Shares each quote adds: growth of the day's volume over the highest so far; a counter that halves starts anew."""
    added, highest, last = [], 0, 0
    for quote in quotes:
        volume = quote["volume"]
        if not volume:
            added.append(0)
            continue
        if 2 * volume < last:
            highest = 0
        added.append(max(0, volume - highest))
        highest, last = max(highest, volume), volume
    return added


def reached(quotes: list[Row]) -> list[list[Decimal]]:
    """Prices known to have been paid with each quote, the opening first: its own and what it newly says of the day."""
    prices = []
    known: dict[str, Decimal] = {}
    for number, quote in enumerate(quotes):
        before = quotes[number - 1] if number else None
        regular = phase(quote["at"], quote["dt"]) == "regular"
        opening = regular and (before is None or phase(before["at"], before["dt"]) != "regular")
        new = {name: quote[name] for name in ("open", "high", "low") if quote[name] and quote[name] != known.get(name)}
        news = [new["open"]] if opening and "open" in new else []
        news.append(quote["price"])
        news += [new[name] for name in ("high", "low") if name in new]
        known.update(new)
        prices.append(news)
    return prices


def last_previous_close(quotes: list[Row], until: datetime) -> Decimal | None:
    """The newest previous close up to a moment that is not suspect."""
    so_far = [quote for quote in quotes if quote["at"] <= until]
    known = [quote for quote in so_far if quote["previous_close"] and quote["at"] >= so_far[-1]["scale"]]
    return known[-1]["previous_close"] if known else None


def minute_bars(day: str) -> list[Row]:
    rows = []
    for symbol, quotes in distinct_quotes(day).items():
        paid = dict(zip((quote["at"] for quote in quotes), reached(quotes), strict=True))
        minutes: dict[datetime, list[tuple[Row, int]]] = defaultdict(list)
        for quote, shares in zip(quotes, traded(quotes), strict=True):
            minutes[quote["at"].replace(second=0, microsecond=0)].append((quote, shares))
        for minute, members in sorted(minutes.items()):
            prices = [price for quote, _ in members for price in paid[quote["at"]]]
            rows.append(
                {
                    "session": day,
                    "symbol": symbol,
                    "minute_utc": minute,
                    "phase": phase(minute, day),
                    "open_usd": prices[0],
                    "high_usd": max(prices),
                    "low_usd": min(prices),
                    "close_usd": members[-1][0]["price"],
                    "volume_shares": sum(shares for _, shares in members),
                    "turnover_usd": sum(quote["price"] * shares for quote, shares in members),
                    "previous_close_usd": last_previous_close(quotes, members[-1][0]["at"]),
                    "quotes": len(members),
                    "late_quotes": sum(quote["late"] for quote, _ in members),
                    "repeated_quotes": sum(quote["copies"] for quote, _ in members),
                    "first_quote_utc": members[0][0]["at"],
                    "last_quote_utc": members[-1][0]["at"],
                }
            )
    return rows


def anomalies(day: str) -> list[Row]:
    rows = []
    for symbol, counted in distinct_quotes(day).items():
        quotes = [quote for quote in counted if quote["previous_close"]]
        spells: list[list[tuple[Row, Decimal]]] = []
        inside = False
        for quote in quotes:
            move = change_pct(quote["price"], quote["previous_close"])
            if abs(move) > 5:
                if not inside:
                    spells.append([])
                spells[-1].append((quote, move))
            inside = abs(move) > 5
        for spell in spells:
            (first, first_move), (last, _) = spell[0], spell[-1]
            peak, peak_move = max(spell, key=lambda member: abs(member[1]))
            rows.append(
                {
                    "session": day,
                    "symbol": symbol,
                    "started_at_utc": first["at"],
                    "ended_at_utc": last["at"],
                    "duration_seconds": int((last["at"] - first["at"]).total_seconds()),
                    "lasted_to_the_end": last is quotes[-1],
                    "rule_name": "price_move",
                    "direction": "up" if first_move > 0 else "down",
                    "phase": phase(first["at"], day),
                    "quotes": len(spell),
                    "previous_close_usd": first["previous_close"],
                    "start_price_usd": first["price"],
                    "start_change_pct": first_move,
                    "peak_at_utc": peak["at"],
                    "peak_price_usd": peak["price"],
                    "peak_change_pct": peak_move,
                }
            )
    return rows


def daily_summary(day: str) -> list[Row]:
    rows = []
    for symbol, quotes in distinct_quotes(day).items():
        shares = traded(quotes)
        parts: dict[str, list[tuple[Row, int]]] = defaultdict(list)
        for quote, added in zip(quotes, shares, strict=True):
            parts[phase(quote["at"], day)].append((quote, added))
        regular = parts["regular"]
        paid = dict(zip((quote["at"] for quote in quotes), reached(quotes), strict=True))
        prices = [price for quote, _ in regular for price in paid[quote["at"]]]
        volume = sum(added for _, added in regular)
        base = last_previous_close(quotes, regular[-1][0]["at"]) if regular else None
        base = base or last_previous_close(quotes, quotes[-1]["at"])
        close: Any = regular[-1][0]["price"] if regular else None
        minutes = len({quote["at"].replace(second=0, microsecond=0) for quote, _ in regular})
        expected = SESSIONS[day][2]

        def outside(name: str, choose: Any, parts: Any = parts, paid: Any = paid) -> Decimal | None:
            found: Decimal | None = choose(
                (price for quote, _ in parts[name] for price in paid[quote["at"]]), default=None
            )
            return found

        rows.append(
            {
                "session": day,
                "symbol": symbol,
                "open_usd": prices[0] if prices else None,
                "high_usd": max(prices, default=None),
                "low_usd": min(prices, default=None),
                "close_usd": close,
                "volume_shares": volume,
                "vwap_usd": sum(quote["price"] * added for quote, added in regular) / volume if volume else None,
                "previous_close_usd": base,
                "change_usd": close - base if regular and base else None,
                "change_pct": change_pct(close, base) if regular and base else None,
                "gap_pct": change_pct(prices[0], base) if prices and base else None,
                "pre_high_usd": outside("pre", max),
                "pre_low_usd": outside("pre", min),
                "post_high_usd": outside("post", max),
                "post_low_usd": outside("post", min),
                "anomalies": sum(event["symbol"] == symbol for event in anomalies(day)),
                "quotes": len(quotes),
                "regular_quotes": len(regular),
                "late_quotes": sum(quote["late"] for quote in quotes),
                "repeated_quotes": sum(quote["copies"] for quote in quotes),
                "first_quote_utc": quotes[0]["at"],
                "last_quote_utc": quotes[-1]["at"],
                "minutes_with_quotes": minutes,
                "expected_minutes": expected,
                "completeness_pct": round(minutes * 100 / expected, 2),
            }
        )
    return rows


def history() -> list[Row]:
    """The rows of daily_summary before the two sessions, from history.yaml."""
    data = yaml.safe_load((DATA / "history.yaml").read_text(encoding="utf-8"))
    rows = []
    for symbol, closes in data["closes"].items():
        base = Decimal(str(data["first_previous_close"][symbol]))
        for day, close, volume in zip(data["sessions"], map(Decimal, closes), data["volumes"][symbol], strict=True):
            at = datetime.fromisoformat(day)
            rows.append(
                {
                    "session": day,
                    "symbol": symbol,
                    "open_usd": base,
                    "high_usd": max(base, close),
                    "low_usd": min(base, close),
                    "close_usd": close,
                    "volume_shares": volume,
                    "vwap_usd": (base + close) / 2,
                    "previous_close_usd": base,
                    "change_usd": close - base,
                    "change_pct": change_pct(close, base),
                    "gap_pct": Decimal("0.00"),
                    "pre_high_usd": None,
                    "pre_low_usd": None,
                    "post_high_usd": None,
                    "post_low_usd": None,
                    "anomalies": 0,
                    "quotes": 390,
                    "regular_quotes": 390,
                    "late_quotes": 0,
                    "repeated_quotes": 0,
                    "first_quote_utc": at + timedelta(hours=14, minutes=30),
                    "last_quote_utc": at + timedelta(hours=20, minutes=59),
                    "minutes_with_quotes": 390,
                    "expected_minutes": 390,
                    "completeness_pct": 100.0,
                }
            )
            base = close
    return rows


def vendor_history() -> list[Row]:
    """What a vendor tells: of a symbol that the feed never had, and of a session that the feed has too."""
    bars = [
        ("2025-10-20", "OLD", 10.0, 12.0, 9.0, 11.0),
        ("2025-10-21", "OLD", 11.0, 11.5, 8.0, 8.5),
        ("2025-10-24", "OLD", 8.5, 10.0, 8.0, 9.5),
        ("2025-10-22", "AAPL", 1.0, 999.0, 0.5, 2.0),
    ]
    return [
        {
            "session": session,
            "symbol": symbol,
            "open_usd": opened,
            "high_usd": high,
            "low_usd": low,
            "close_usd": close,
            "volume_shares": 1000,
            "vendor": "yahoo",
            "fetched_at_utc": datetime(2025, 11, 28, 22, 0),
        }
        for session, symbol, opened, high, low, close in bars
    ]


# The queries. Each takes its parameters of cases.yaml.


def summaries(first: str, last: str) -> list[Row]:
    rows = history() + daily_summary("2025-11-26") + daily_summary("2025-11-28")
    return sorted((row for row in rows if first <= row["session"] <= last), key=lambda row: row["session"])


def closes_by_symbol(rows: Iterable[Row]) -> dict[str, list[Row]]:
    by_symbol: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["close_usd"] is not None:
            by_symbol[row["symbol"]].append(row)
    return dict(sorted(by_symbol.items()))


def top_price_changes() -> list[Row]:
    rows = [{**pick(quote), "price_change": quote["price"] - quote["previous_close"]} for quote in raw_quotes()]
    return sorted(rows, key=lambda row: -row["price_change"])[:5]


def pick(quote: Row) -> Row:
    return {name: quote[name] for name in ("symbol", "price", "previous_close")}


def average_volume() -> list[Row]:
    volumes: dict[str, list[int]] = defaultdict(list)
    for quote in raw_quotes():
        volumes[quote["symbol"]].append(quote["volume"])
    return [{"symbol": symbol, "avg_volume": statistics.fmean(found)} for symbol, found in sorted(volumes.items())]


def moves_over_five_percent() -> list[Row]:
    rows = []
    for quote in raw_quotes():
        exact = (quote["price"] - quote["previous_close"]) / quote["previous_close"] * 100
        if abs(exact) > 5:
            # The original rounds a double, so that 5.005 may become 5.0 or 5.01; this one is 5.00 by its binary value.
            rows.append({**pick(quote), "change_percent": round(float(exact), 2)})
    return rows


def latest_quotes(session: str) -> list[Row]:
    return [
        {
            "symbol": symbol,
            "quoted_at_utc": quotes[-1]["at"],
            "price_usd": quotes[-1]["price"],
            "change_pct": change_pct(quotes[-1]["price"], base) if (base := quotes[-1]["previous_close"]) else None,
            "volume_shares": quotes[-1]["volume"],
            "source": "replay",
            "ingestion_delay_seconds": int((quotes[-1]["ingested"] - quotes[-1]["at"]).total_seconds()),
        }
        for symbol, quotes in distinct_quotes(session).items()
    ]


def top_movers(session: str, movers: int) -> list[Row]:
    ranked = sorted(
        (row for row in summaries(session, session) if row["change_pct"] is not None),
        key=lambda row: -row["change_pct"],
    )
    chosen = ranked[:movers] + [row for row in ranked[-movers:] if row not in ranked[:movers]]
    names = [
        "symbol",
        "change_pct",
        "change_usd",
        "close_usd",
        "previous_close_usd",
        "volume_shares",
        "completeness_pct",
    ]
    return [{name: row[name] for name in names} for row in chosen]


def intraday_vwap(session: str, symbol: str, band_width: str) -> list[Row]:
    rows, seen = [], []
    for bar in minute_bars(session):
        if bar["symbol"] != symbol or bar["phase"] != "regular":
            continue
        if bar["volume_shares"]:
            seen.append((float(bar["turnover_usd"] / bar["volume_shares"]), bar["volume_shares"]))
        shares = sum(weight for _, weight in seen)
        mean = sum(price * weight for price, weight in seen) / shares
        deviation = math.sqrt(sum(weight * (price - mean) ** 2 for price, weight in seen) / shares)
        rows.append(
            {
                "minute_utc": bar["minute_utc"],
                "close_usd": bar["close_usd"],
                "volume_shares": bar["volume_shares"],
                "vwap_usd": mean,
                "upper_band_usd": mean + float(band_width) * deviation,
                "lower_band_usd": mean - float(band_width) * deviation,
            }
        )
    return rows


def opening_gaps(first_session: str, last_session: str, min_gap_pct: str) -> list[Row]:
    names = ["session", "symbol", "gap_pct", "previous_close_usd", "open_usd", "close_usd", "change_pct"]
    rows = []
    for row in summaries(first_session, last_session):
        if row["gap_pct"] is not None and abs(row["gap_pct"]) >= Decimal(min_gap_pct):
            base = row["previous_close_usd"]
            filled = row["low_usd"] <= base if row["gap_pct"] > 0 else row["high_usd"] >= base
            rows.append({**{name: row[name] for name in names}, "was_filled": filled})
    return sorted(rows, key=lambda row: (-abs(row["gap_pct"]), row["session"], row["symbol"]))


def realised_volatility(first_session: str, last_session: str, interval_minutes: int) -> list[Row]:
    rows = []
    for day in ("2025-11-26", "2025-11-28"):
        last_price: dict[str, dict[int, float]] = defaultdict(dict)
        for bar in minute_bars(day):
            if bar["phase"] == "regular":
                interval = int((bar["minute_utc"] - SESSIONS[day][0]).total_seconds() // 60) // interval_minutes
                last_price[bar["symbol"]][interval] = float(bar["close_usd"])
        for symbol, prices in sorted(last_price.items()):
            ordered = [prices[interval] for interval in sorted(prices)]
            squares = sum(math.log(now / before) ** 2 for before, now in pairwise(ordered))
            if len(ordered) > 1:
                rows.append(
                    {
                        "session": day,
                        "symbol": symbol,
                        "returns_used": len(ordered) - 1,
                        "realised_pct": 100 * math.sqrt(squares),
                        "annualised_pct": 100 * math.sqrt(252 * squares),
                    }
                )
    return rows


def volume_against_average(session: str, sessions: int) -> list[Row]:
    rows = []
    for row in summaries(session, session):
        before = [one["volume_shares"] for one in summaries("", session) if one["symbol"] == row["symbol"]][:-1]
        average = statistics.fmean(before[-sessions:])
        rows.append(
            {
                "symbol": row["symbol"],
                "volume_shares": row["volume_shares"],
                "average_shares": average,
                "times_average": row["volume_shares"] / average,
                "sessions_averaged": len(before[-sessions:]),
                "completeness_pct": row["completeness_pct"],
            }
        )
    return sorted(rows, key=lambda row: -row["times_average"])


def drawdown(first_session: str, last_session: str) -> list[Row]:
    rows = []
    for symbol, days in closes_by_symbol(summaries(first_session, last_session)).items():
        highest, worst, falls = Decimal(0), None, []
        for day in days:
            highest = max(highest, day["close_usd"])
            falls.append(float(day["close_usd"] / highest - 1) * 100)
            if worst is None or falls[-1] < worst[0]:
                worst = (falls[-1], highest, day["close_usd"], day["session"])
        assert worst is not None
        rows.append(
            {
                "symbol": symbol,
                "max_drawdown_pct": worst[0],
                "peak_close_usd": worst[1],
                "trough_close_usd": worst[2],
                "trough_session": worst[3],
                "last_drawdown_pct": falls[-1],
                "sessions": len(days),
            }
        )
    return sorted(rows, key=lambda row: (row["max_drawdown_pct"], row["symbol"]))


def return_correlation(first_session: str, last_session: str, min_sessions: int) -> list[Row]:
    returns = {
        symbol: {day["session"]: math.log(day["close_usd"] / day["previous_close_usd"]) for day in days}
        for symbol, days in closes_by_symbol(summaries(first_session, last_session)).items()
    }
    one, other = returns["AAPL"], returns["XOM"]
    shared = sorted(one.keys() & other.keys())
    assert len(shared) >= min_sessions
    correlation = statistics.correlation([one[day] for day in shared], [other[day] for day in shared])
    return [{"first_symbol": "AAPL", "second_symbol": "XOM", "correlation": correlation, "sessions": len(shared)}]


def moving_average_crosses(first_session: str, last_session: str) -> list[Row]:
    rows = []
    for symbol, days in closes_by_symbol(summaries(first_session, last_session)).items():
        side_before = 0
        for position in range(19, len(days)):
            closes = [day["close_usd"] for day in days[position - 19 : position + 1]]
            short, long = sum(closes[-5:]) / 5, sum(closes) / 20
            side = (short > long) - (short < long)
            if side * side_before < 0:
                rows.append(
                    {
                        "session": days[position]["session"],
                        "symbol": symbol,
                        "trend": "up" if side > 0 else "down",
                        "close_usd": closes[-1],
                        "average_5_usd": short,
                        "average_20_usd": long,
                    }
                )
            side_before = side or side_before
    return sorted(rows, key=lambda row: (row["session"], row["symbol"]))


def anomalies_with_context(first_session: str, last_session: str, sessions: int) -> list[Row]:
    rows = []
    for event in anomalies("2025-11-26") + anomalies("2025-11-28"):
        symbol, day = event["symbol"], event["session"]
        whole = [row for row in summaries("", day) if row["symbol"] == symbol]
        before, today = whole[:-1][-sessions:], whole[-1]
        usual_move = statistics.fmean(float(abs(row["change_pct"])) for row in before)
        usual_volume = statistics.fmean(row["volume_shares"] for row in before)
        market = [float(row["change_pct"]) for row in summaries(day, day) if row["change_pct"] is not None]
        rows.append(
            {
                "session": day,
                "symbol": symbol,
                "direction": event["direction"],
                "phase": event["phase"],
                "started_at_utc": event["started_at_utc"],
                "duration_seconds": event["duration_seconds"],
                "peak_change_pct": event["peak_change_pct"],
                "usual_move_pct": usual_move,
                "times_usual_move": float(abs(event["peak_change_pct"])) / usual_move,
                "times_usual_volume": today["volume_shares"] / usual_volume,
                "sessions_known": len(before),
                "session_change_pct": today["change_pct"],
                "market_change_pct": statistics.fmean(market),
            }
        )
    rows.sort(key=lambda row: (-abs(row["peak_change_pct"]), row["session"], row["symbol"], row["started_at_utc"]))
    return rows


def feed_gaps(session: str, min_gap_minutes: int) -> list[Row]:
    opens, closes, expected = SESSIONS[session]
    gaps = []
    for symbol, quotes in distinct_quotes(session).items():
        heard = {int((quote["at"] - opens).total_seconds() // 60) for quote in quotes if opens <= quote["at"] < closes}
        if not heard:
            continue
        silent, start = 0, 0
        for minute in range(expected + 1):
            if minute in heard or minute == expected:
                if silent >= min_gap_minutes:
                    gaps.append((symbol, start, minute))
                silent, start = 0, minute + 1
            else:
                silent += 1
    return [
        {
            "symbol": symbol,
            "started_at_utc": opens + timedelta(minutes=start),
            "ended_at_utc": opens + timedelta(minutes=end),
            "gap_minutes": end - start,
            "symbols_silent": sum(other_start <= start < other_end for _, other_start, other_end in gaps),
        }
        for symbol, start, end in sorted(gaps, key=lambda gap: (gap[1], gap[0]))
    ]


def completeness(first_session: str, last_session: str, max_completeness_pct: str) -> list[Row]:
    names = [
        "session",
        "symbol",
        "completeness_pct",
        "minutes_with_quotes",
        "expected_minutes",
        "quotes",
        "first_quote_utc",
        "last_quote_utc",
    ]
    rows = [{name: row[name] for name in names} for row in summaries(first_session, last_session)]
    return sorted(rows, key=lambda row: (row["completeness_pct"], row["session"], row["symbol"]))


def duplicates_and_late_quotes(session: str) -> list[Row]:
    rows: list[Row] = []
    for symbol, quotes in distinct_quotes(session).items():
        records = [quote for quote in raw_quotes() if quote["symbol"] == symbol and quote["dt"] == session]
        delays = []
        for quote in quotes:
            if quote["late"]:
                newer = [other["at"] for other in records if other["ingested"] < quote["ingested"]]
                delays.append(int((max(newer) - quote["at"]).total_seconds()))
        rows.append(
            {
                "symbol": symbol,
                "records": len(records),
                "quotes": len(quotes),
                "corrections": 0,
                "repeated_quotes": len(records) - len(quotes),
                "late_quotes": len(delays),
                "longest_delay_seconds": max(delays, default=None),
            }
        )
    longest = [row["longest_delay_seconds"] for row in rows if row["longest_delay_seconds"] is not None]
    counts = ["records", "quotes", "corrections", "repeated_quotes", "late_quotes"]
    total = {name: sum(row[name] for row in rows) for name in counts}
    return [{"symbol": None, **total, "longest_delay_seconds": max(longest, default=None)}, *rows]


def price_range(first_session: str, last_session: str) -> list[Row]:
    own = {(row["session"], row["symbol"]) for row in summaries(first_session, last_session)}
    told = [{**row, "told": True} for row in vendor_history() if (row["session"], row["symbol"]) not in own]
    told = [row for row in told if first_session <= row["session"] <= last_session]
    rows = []
    by_symbol = closes_by_symbol(sorted(summaries(first_session, last_session) + told, key=lambda row: row["session"]))
    for symbol, bars in by_symbol.items():
        lows, highs = [float(bar["low_usd"]) for bar in bars], [float(bar["high_usd"]) for bar in bars]
        low, high, close = min(lows), max(highs), float(bars[-1]["close_usd"])
        rows.append(
            {
                "symbol": symbol,
                "place_pct": 100 * (close - low) / (high - low) if high > low else None,
                "change_pct": 100 * (close - float(bars[0]["open_usd"])) / float(bars[0]["open_usd"]),
                "close_usd": close,
                "low_usd": low,
                "low_session": bars[lows.index(low)]["session"],
                "high_usd": high,
                "high_session": bars[highs.index(high)]["session"],
                "last_session": bars[-1]["session"],
                "sessions": len(bars),
                "sessions_of_history": sum("told" in bar for bar in bars),
            }
        )
    known = [row for row in rows if row["place_pct"] is not None]
    return sorted(known, key=lambda row: (-row["place_pct"], row["symbol"])) + [
        row for row in rows if row["place_pct"] is None
    ]


def write(name: str, rows: list[Row]) -> None:
    with (HERE / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: show(value) for key, value in row.items()} for row in rows)


def show(value: Any) -> str:
    """Floats with 12 significant digits, so that the files do not depend on the last bit."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | Decimal):
        return f"{value:.12g}"
    return str(value)


def main() -> None:
    for table in (minute_bars, anomalies, daily_summary):
        write(table.__name__, table("2025-11-26") + table("2025-11-28"))
        write(f"judged_{table.__name__}", table(JUDGED))
    write("judged_latest_quotes", latest_quotes(JUDGED))
    for name, parameters in CASES.items():
        write(name, globals()[name](**parameters))


if __name__ == "__main__":
    main()
