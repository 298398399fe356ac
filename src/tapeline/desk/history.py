"""One symbol's session in detail: from DynamoDB while it is the newest, from the curated tables when it is past."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tapeline.aws.deployment import Deployment
from tapeline.desk.course import Course, Tick, mark, percent
from tapeline.desk.memo import Memo
from tapeline.desk.models import Candle, Figures, Mark, Minutes, SessionDetail, Sessions
from tapeline.lake import athena, audit, sql_files
from tapeline.lake.athena import StatementFailedError
from tapeline.market import sessions, trading_days, trading_hours
from tapeline.market.dates import NEW_YORK, trading_date
from tapeline.market.quotes import read_timestamp, write_timestamp
from tapeline.market.suspicion import is_suspect
from tapeline.market.trading_hours import Hours
from tapeline.stream import items

READ_SECONDS = 1.5
"""How long one answer reads quotes at most. A symbol quoted five times a second has 100,000 of them by the evening; the
newest come first, the next answer goes on further back."""

KEPT_SECONDS = 600.0
"""How long the minutes of a symbol are kept to be gone on with; late quotes show when all is read again."""

PAST_SECONDS = 300.0
"""How long a past session is kept: it changes only when it is rolled up again."""

LEFT_OUT_SECONDS = 30.0
"""How long it is kept which symbols a rollup left out."""

PAGE_ITEMS = 2000
_PROJECTION = (
    "#t, price, volume, moving_average, moving_average_5, change_percent, previous_close, alerts, suspect, doubt"
)
NO_QUOTE = "no quote, and one in the session before"


class UnknownSymbolError(LookupError):
    """No quote of a symbol is known."""


@dataclass(slots=True)
class _Reading:
    """How far the quotes of one symbol and date are read."""

    course: Course = field(default_factory=Course)
    lock: threading.Lock = field(default_factory=threading.Lock)
    newest: str = ""
    previous_close: float | None = None
    further_back: Any = None
    complete: bool = False


class History:
    """Sessions of a deployment in detail, remembered for a while."""

    def __init__(self, deployment: Callable[[], Deployment]) -> None:
        self._deployment = deployment
        self._readings: Memo[_Reading] = Memo(KEPT_SECONDS, most=50)
        self._past: Memo[Minutes] = Memo(PAST_SECONDS)
        self._sessions: Memo[list[str]] = Memo(PAST_SECONDS)
        self._left_out: Memo[dict[str, str]] = Memo(LEFT_OUT_SECONDS)

    def detail(self, symbol: str, day: date | None = None) -> SessionDetail:
        """Return a session of a symbol, by default its newest, as the page gets it.

        Raises
        ------
        UnknownSymbolError
            If there never was a quote of the symbol.
        """
        newest = self._newest_day(symbol)
        day = day or newest or self._last_past_day(symbol)
        minutes = self._past.get((symbol, day), lambda: self._curated(symbol, day)) if day != newest else None
        if minutes is None or not minutes.candles:  # the newest, or one that is not rolled up yet
            minutes = self._stored(symbol, day)
        if not minutes.candles and newest is None:
            self._last_past_day(symbol)  # raises without one
        hours = _hours_on(day)
        return SessionDetail(
            symbol=symbol,
            session=day.isoformat(),
            today=newest.isoformat() if newest else None,
            left_out=self._left_out.get(day, lambda: left_out(self._deployment(), day.isoformat())),
            opens_at=write_timestamp(hours.opens_at) if hours else None,
            closes_at=write_timestamp(hours.closes_at) if hours else None,
            **dict(minutes),
        )

    def sessions(self, symbol: str) -> Sessions:
        """Return the dates of which a symbol has quotes, the newest first, and the newest by itself."""
        newest = self._newest_day(symbol)
        days = {*self._past_sessions(symbol), *([newest.isoformat()] if newest else [])}
        return Sessions(today=newest.isoformat() if newest else None, sessions=sorted(days, reverse=True))

    def _newest_day(self, symbol: str) -> date | None:
        deployment = self._deployment()
        dynamodb, table = deployment.client("dynamodb"), deployment.outputs.state_table_name
        key = items.state_key(symbol)
        item = dynamodb.get_item(TableName=table, Key=key, ProjectionExpression="newest_timestamp").get("Item")
        return trading_date(read_timestamp(item["newest_timestamp"]["S"])) if item else None

    def _last_past_day(self, symbol: str) -> date:
        if past := self._past_sessions(symbol):
            return date.fromisoformat(past[0])
        raise UnknownSymbolError(f"No quote of {symbol} is known.")

    # Today

    def _stored(self, symbol: str, day: date) -> Minutes:
        reading = self._readings.get((symbol, day), _Reading)
        with reading.lock:
            self._read_on(reading, symbol, day)
            longer, shorter = reading.course.averages()
            hours = _hours_on(day)
            return Minutes(
                origin="dynamodb",
                complete=reading.complete or not reading.newest,
                averages_over="quotes",
                previous_close=reading.previous_close,
                figures=None,
                candles=reading.course.candles(hours.opens_at.timestamp() if hours else None),
                moving_average=longer,
                moving_average_5=shorter,
                marks=reading.course.marks(),
            )

    def _read_on(self, reading: _Reading, symbol: str, day: date) -> None:
        """Read what came since the last time, then further back, for as long as one answer may take."""
        until = time.monotonic() + READ_SECONDS
        start, end = _midnight(day), _midnight(day + timedelta(days=1))
        if reading.newest:
            since, page = reading.newest[: len(start)], None  # the newest's whole second, as start is written
            while page is None or ("LastEvaluatedKey" in page and time.monotonic() < until):
                page = self._query(symbol, since, end, forward=True, after=page and page["LastEvaluatedKey"])
                _take(reading, page["Items"])
                if page["Items"]:
                    reading.newest = page["Items"][-1]["timestamp"]["S"]
        while not reading.complete and (not reading.newest or time.monotonic() < until):
            page = self._query(symbol, start, end, forward=False, after=reading.further_back)
            if page["Items"] and not reading.newest:
                reading.newest = page["Items"][0]["timestamp"]["S"]
            _take(reading, page["Items"])
            reading.further_back = page.get("LastEvaluatedKey")
            reading.complete = reading.further_back is None and bool(reading.newest)
            if reading.further_back is None:
                break

    def _query(self, symbol: str, start: str, end: str, *, forward: bool, after: Any = None) -> Any:
        deployment = self._deployment()
        return deployment.client("dynamodb").query(
            TableName=deployment.outputs.table_name,
            KeyConditionExpression="symbol = :symbol AND #t BETWEEN :start AND :end",
            ProjectionExpression=_PROJECTION,
            ExpressionAttributeNames={"#t": "timestamp"},
            ExpressionAttributeValues={":symbol": {"S": symbol}, ":start": {"S": start}, ":end": {"S": end}},
            ScanIndexForward=forward,
            Limit=PAGE_ITEMS,
            **({"ExclusiveStartKey": after} if after else {}),
        )

    # The past

    def _curated(self, symbol: str, day: date) -> Minutes:
        with ThreadPoolExecutor(3) as pool:
            statements = "candles", "marks", "figures"
            bars, events, figures = pool.map(lambda name: self._ask(name, session=day, symbol=symbol), statements)
        marks = [_cross(bar) for bar in bars if bar["crossed"]] + [_event(event) for event in events]
        return Minutes(
            origin="minute_bars",
            complete=True,
            averages_over="minutes",
            previous_close=bars[-1]["previous_close_usd"] if bars else None,
            figures=Figures(**figures[0]) if figures else None,
            candles=[_candle(bar) for bar in bars],
            moving_average=[(_seconds(bar["minute_utc"]), bar["average_20_usd"]) for bar in bars],
            moving_average_5=[(_seconds(bar["minute_utc"]), bar["average_5_usd"]) for bar in bars],
            marks=sorted(marks, key=lambda event: event.time),
        )

    def _past_sessions(self, symbol: str) -> list[str]:
        def ask() -> list[str]:
            return [row["session"].isoformat() for row in self._ask("sessions", symbol=symbol)]

        return self._sessions.get(symbol, ask)

    def _ask(self, name: str, **values: object) -> list[dict[str, Any]]:
        try:
            return list(athena.query(self._deployment(), sql_files.load(f"desk/{name}").render(values)))
        except StatementFailedError as error:
            if "TABLE_NOT_FOUND" in error.reason:
                return []  # nothing was ever rolled up
            raise


def left_out(deployment: Deployment, day: str) -> dict[str, str]:
    """Return the symbols that the newest rollup of a session did not publish, each with the reason."""
    withheld, missing = audit.recall(deployment, day)
    return dict(sorted((dict.fromkeys(missing, NO_QUOTE) | withheld).items()))


def _midnight(day: date) -> str:
    """Return a day's begin in New York, UTC; without the Z it stands before every time of its second."""
    return datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _take(reading: _Reading, page: list[Any]) -> None:
    for item in page:
        reading.course.add(tick := _tick(item))
        if reading.previous_close is None and not is_suspect(tick.suspect, "previous_close"):
            reading.previous_close = float(item["previous_close"]["N"])


def _tick(item: Any) -> Tick:
    suspect = tuple(verdict["S"] for verdict in item.get("suspect", {"L": []})["L"])
    return Tick(
        at=read_timestamp(item["timestamp"]["S"]).timestamp(),
        price=float(item["price"]["N"]),
        volume=0 if is_suspect(suspect, "volume") else int(item["volume"]["N"]),
        moving_average=_number(item, "moving_average"),
        moving_average_5=_number(item, "moving_average_5"),
        change_percent=_number(item, "change_percent"),
        alerts=tuple(sorted(item["alerts"]["SS"])) if "alerts" in item else (),
        suspect=suspect,
        doubt=item["doubt"]["S"] if "doubt" in item else "",
    )


def _number(item: Any, name: str) -> float | None:
    return float(item[name]["N"]) if "N" in item.get(name, {}) else None


def _hours_on(day: date) -> Hours | None:
    """Return a day's trading hours, by the quick table where it reaches: the calendar takes seconds to import."""
    if trading_days.FIRST_DAY <= day.isoformat() <= trading_days.LAST_DAY:
        return trading_hours.on(day)
    session = sessions.session(day) if sessions.is_session(day) else None
    return Hours(session.opens_at, session.closes_at) if session else None


def _candle(bar: Mapping[str, Any]) -> Candle:
    prices = bar["open_usd"], bar["high_usd"], bar["low_usd"], bar["close_usd"]
    return _seconds(bar["minute_utc"]), *prices, bar["volume_shares"], bar["quotes"]


def _cross(bar: Mapping[str, Any]) -> Mark:
    side = "over" if bar["crossed"] == "trend_up" else "under"
    return mark(_seconds(bar["minute_utc"]), bar["crossed"], f"5-minute average went {side} the 20-minute average")


def _event(event: Mapping[str, Any]) -> Mark:
    start, peak = event["start_change_pct"], event["peak_change_pct"]
    text = f"Moved {percent(start)} from the previous close, at most {percent(peak)}"
    return mark(_seconds(event["started_at_utc"]), event["rule_name"], text)


def _seconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp())
