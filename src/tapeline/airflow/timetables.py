"""When DAGs run, and for which keys: after each trading session, while an exchange is open, after a week.

Airflow asks these classes; :mod:`tapeline.market.sessions` knows the answers. The calendar behind it takes a second or
two to import, so nothing here touches it before Airflow's scheduler asks for a run: parsing a DAG file never does.

Registered with Airflow by ``plugins/trading_sessions.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from operator import attrgetter
from typing import Any

import pendulum
from airflow.exceptions import AirflowTimetableInvalid, InvalidPartitionKeyError
from airflow.partition_mappers.base import PartitionMapper
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from airflow.utils.strings import get_random_string

from tapeline.market import sessions
from tapeline.market.durations import words
from tapeline.market.sessions import NEW_YORK_STOCK_EXCHANGE, NotASessionError, Session

_EXCHANGE = re.compile(r"[A-Z0-9]{4}")
_DAY = attrgetter("day")


class TradingSessionTimetable(Timetable):
    """One run for each session of an exchange, keyed by its date, a set time after its close.

    A run carries no data interval, only the partition key ``YYYY-MM-DD``: so a session can be run again, and a backfill
    of the UI or of ``airflow backfill create`` makes exactly one run for each session from its first to its last day.

    Parameters
    ----------
    exchange : str
        ISO 10383 market identifier code.
    delay : timedelta
        From the close to the run: time for late quotes to arrive.
    """

    partitioned = True
    # Airflow asks for v2 of it only; without this line mypy takes the class for abstract, as its base is a Protocol.
    next_dagrun_info = Timetable.next_dagrun_info

    def __init__(self, exchange: str = NEW_YORK_STOCK_EXCHANGE, delay: timedelta = timedelta(minutes=30)) -> None:
        self.exchange = exchange
        self.delay = delay
        when = f"{words(delay)} after the close of each {exchange} session"
        self.description = f"{when}; none on holidays, earlier on half days"

    @property
    def summary(self) -> str:
        """What the list of DAGs shows."""
        return f"{self.exchange} close + {words(self.delay)}"

    def validate(self) -> None:
        """Refuse what can be no exchange; whether there is one of that name is known only with the calendar."""
        _validate(self.exchange)
        if self.delay < timedelta(0):
            raise AirflowTimetableInvalid(f"expected a delay of 0 or more after the close, found {self.delay}")

    def serialize(self) -> dict[str, Any]:
        """Return what `deserialize` needs."""
        return {"exchange": self.exchange, "delay_seconds": self.delay.total_seconds()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> TradingSessionTimetable:
        """Return the timetable that `serialize` described."""
        return cls(data["exchange"], timedelta(seconds=data["delay_seconds"]))

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """Return a moment: a run by hand has no interval of its own, its session is its partition key."""
        return DataInterval.exact(run_after)

    def next_dagrun_info_v2(
        self, *, last_dagrun_info: DagRunInfo | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the run after the last one; without catchup no earlier one than that of the newest session due."""
        if restriction.earliest is None:
            return None  # No start_date. Don't schedule.
        session = self._first_from(restriction.earliest.in_timezone(self._zone).date())
        if last_dagrun_info is not None and last_dagrun_info.partition_key is not None:
            following = sessions.next_session(date.fromisoformat(last_dagrun_info.partition_key), self.exchange)
            session = max(session, following, key=_DAY)
        if not restriction.catchup:
            session = max(session, self._newest_due(), key=_DAY)
        if restriction.latest is not None and self._midnight(session) > restriction.latest:
            return None  # Past the end_date.
        return self._info(session)

    def iter_partition_dagrun_infos(self, *, earliest: datetime, latest: datetime) -> Iterator[DagRunInfo]:
        """Yield the run of each session of a range, both ends included, for a backfill; not those still to come."""
        now = pendulum.now("UTC")
        first, last = (self.localize_partition_datetime(end).date() for end in (earliest, latest))
        session = self._first_from(first)
        while session.day <= last and session.closes_at + self.delay <= now:
            yield self._info(session)
            session = sessions.next_session(session.day, self.exchange)

    def localize_partition_datetime(self, dt: datetime) -> pendulum.DateTime:
        """Read the date and time of a bound, whatever its zone, as the exchange's own; return it so."""
        return pendulum.instance(dt.replace(tzinfo=None), tz=self._zone)

    def generate_run_id(
        self, *, run_type: Any, run_after: pendulum.DateTime, data_interval: DataInterval | None, **extra: Any
    ) -> str:
        """Name a run after its session, such as ``scheduled__2026-03-12__kT3vQx``."""
        key = extra.get("partition_key") or run_after.isoformat()
        random: str = get_random_string(6)  # type: ignore[no-untyped-call]
        return str(run_type.generate_run_id(suffix=f"{key}__{random}"))

    def _decode_partition_date(self, partition_key: str) -> datetime:
        try:
            day = sessions.read_day(partition_key, pendulum.now("UTC"), self.exchange)
            return self._midnight(sessions.session(day, self.exchange))
        except NotASessionError as error:
            raise InvalidPartitionKeyError(str(error)) from error

    def _info(self, session: Session) -> DagRunInfo:
        return DagRunInfo(
            run_after=pendulum.instance(session.closes_at + self.delay).in_timezone("UTC"),
            data_interval=None,
            partition_date=self._midnight(session).in_timezone("UTC"),
            partition_key=session.key,
        )

    def _first_from(self, day: date) -> Session:
        return sessions.next_session(day - timedelta(days=1), self.exchange)

    def _newest_due(self) -> Session:
        return sessions.ended_session(pendulum.now("UTC") - self.delay, self.exchange)

    @property
    def _zone(self) -> str:
        return sessions.time_zone(self.exchange)

    def _midnight(self, session: Session) -> pendulum.DateTime:
        return pendulum.datetime(session.day.year, session.day.month, session.day.day, tz=self._zone)


class TradingHoursTimetable(Timetable):
    """Runs at a fixed pace while an exchange is open, from the open to the close, once more after it, or only then.

    Parameters
    ----------
    every : timedelta or None
        From one run to the next; None for none while the exchange is open.
    exchange : str
        ISO 10383 market identifier code.
    after_close : timedelta or None
        When the last run of a session comes, counted from its close; None for none.
    """

    def __init__(
        self, every: timedelta | None, exchange: str = NEW_YORK_STOCK_EXCHANGE, after_close: timedelta | None = None
    ) -> None:
        self.every = every
        self.exchange = exchange
        self.after_close = after_close
        last = "" if after_close is None else f"{words(after_close)} after the close"
        pace = "" if every is None else f"Every {words(every)} while {exchange} is open"
        self.description = (
            f"{pace}{', and ' if last else ''}{last}; none on holidays"
            if pace
            else f"{last} of each {exchange} session; none on holidays"
        )

    @property
    def summary(self) -> str:
        """What the list of DAGs shows."""
        if self.every is not None:
            return f"every {words(self.every)} of {self.exchange} hours"
        return f"{self.exchange} close + {words(self.after_close or timedelta())}"

    def validate(self) -> None:
        """Refuse what can be no exchange, and a pace without an end."""
        _validate(self.exchange)
        if self.every is None and self.after_close is None:
            raise AirflowTimetableInvalid("expected a pace or a time after the close, found neither")
        if self.every is not None and self.every < timedelta(minutes=1):
            raise AirflowTimetableInvalid(f"expected a pace of a minute or more, found {self.every}")

    def serialize(self) -> dict[str, Any]:
        """Return what `deserialize` needs."""
        after_close = None if self.after_close is None else self.after_close.total_seconds()
        every = None if self.every is None else self.every.total_seconds()
        return {"every_seconds": every, "exchange": self.exchange, "after_close_seconds": after_close}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> TradingHoursTimetable:
        """Return the timetable that `serialize` described."""
        every, after_close = (
            None if data[name] is None else timedelta(seconds=data[name])
            for name in ("every_seconds", "after_close_seconds")
        )
        return cls(every, data["exchange"], after_close)

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """Return the moment itself: a look at how things are has no interval."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next moment; without catchup, of those that were missed only the newest."""
        if restriction.earliest is None:
            return None  # No start_date. Don't schedule.
        moment = self._first_from(restriction.earliest)
        if last_automated_data_interval is not None:
            moment = max(moment, self._first_from(last_automated_data_interval.end + timedelta(seconds=1)))
        if not restriction.catchup:
            moment = max(moment, self._last_until(pendulum.now("UTC")))
        if restriction.latest is not None and moment > restriction.latest:
            return None  # Past the end_date.
        return DagRunInfo.exact(pendulum.instance(moment).in_timezone("UTC"))

    def _first_from(self, moment: datetime) -> datetime:
        session = sessions.latest_session(moment, self.exchange)
        while True:
            if later := [due for due in self._moments(session) if due >= moment]:
                return later[0]
            session = sessions.next_session(session.day, self.exchange)

    def _last_until(self, moment: datetime) -> datetime:
        session = sessions.latest_session(moment, self.exchange)
        while not (past := [due for due in self._moments(session) if due <= moment]):
            session = sessions.previous_session(session.day, self.exchange)
        return past[-1]

    def _moments(self, session: Session) -> list[datetime]:
        moments: list[datetime] = []
        if self.every is not None:
            count = (session.closes_at - session.opens_at) // self.every
            moments = [session.opens_at + number * self.every for number in range(count + 1)]
        return moments if self.after_close is None else [*moments, session.closes_at + self.after_close]


class TradingSessionMapper(PartitionMapper):
    """Starts a DAG for the session that an asset's event names, and refuses a key that names none."""

    def __init__(self, exchange: str = NEW_YORK_STOCK_EXCHANGE, *, max_downstream_keys: int | None = None) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        self.exchange = exchange

    def to_downstream(self, key: str) -> str:
        """Return the key itself, if it names a session."""
        return self._day(key).isoformat()

    def to_partition_date(self, downstream_key: str) -> datetime:
        """Return midnight of the key's day where the exchange is."""
        day = self._day(downstream_key)
        return pendulum.datetime(day.year, day.month, day.day, tz=sessions.time_zone(self.exchange))

    def serialize(self) -> dict[str, Any]:
        """Return what `deserialize` needs."""
        return {**super().serialize(), "exchange": self.exchange}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> TradingSessionMapper:
        """Return the mapper that `serialize` described."""
        return cls(data["exchange"], max_downstream_keys=data.get("max_downstream_keys"))

    def _day(self, key: str) -> date:
        day = sessions.read_day(key, pendulum.now("UTC"), self.exchange)
        return sessions.session(day, self.exchange).day


class TradingWeekMapper(TradingSessionMapper):
    """Starts a DAG for the week that an asset's event names by any of its days; the key is its Monday."""

    def _day(self, key: str) -> date:
        day = sessions.read_day(key, pendulum.now("UTC"), self.exchange)
        if not sessions.week(day, self.exchange):
            raise NotASessionError(f"{self.exchange} does not trade in the week of {day}")
        return day - timedelta(days=day.weekday())


def _validate(exchange: str) -> None:
    if not _EXCHANGE.fullmatch(exchange):
        raise AirflowTimetableInvalid(f"expected the code of an exchange such as XNYS or XLON, found {exchange!r}")
