"""Where Airflow's database of an installation before 0.2.0 looks for its timetables; goes with 0.3.0.

Airflow stores a timetable by its class's name and module, and reads it back before it has parsed a DAG anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from airflow.partition_mappers.window import Window

from tapeline.airflow import timetables
from tapeline.market import sessions
from tapeline.market.sessions import NEW_YORK_STOCK_EXCHANGE


class TradingSessionTimetable(timetables.TradingSessionTimetable):
    """The one of `tapeline.airflow.timetables`."""


class TradingHoursTimetable(timetables.TradingHoursTimetable):
    """The one of `tapeline.airflow.timetables`."""


class TradingSessionMapper(timetables.TradingSessionMapper):
    """The one of `tapeline.airflow.timetables`."""


class TradingWeekMapper(timetables.TradingWeekMapper):
    """The one of `tapeline.airflow.timetables`."""


class TradingWeekWindow(Window):
    """The sessions of a week: five, or four around a holiday.

    No DAG uses it any more; Airflow needs it to read the oldest versions of `weekly_report` that a database has.

    Parameters
    ----------
    exchange : str
        ISO 10383 market identifier code.
    direction : Window.Direction
        As of every window of Airflow; a week is always counted from its Monday on.
    """

    expected_decoded_type: ClassVar[type] = datetime

    def __init__(
        self,
        exchange: str = NEW_YORK_STOCK_EXCHANGE,
        *,
        direction: Window.Direction = Window.Direction.FORWARD,
    ) -> None:
        super().__init__(direction=direction)
        self.exchange = exchange

    def serialize(self) -> dict[str, Any]:
        """Return what `deserialize` needs."""
        return {**super().serialize(), "exchange": self.exchange}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> TradingWeekWindow:
        """Return the window that `serialize` described."""
        return cls(data["exchange"], direction=cls.Direction(data["direction"]))

    def to_upstream(self, decoded_downstream: datetime) -> Iterable[datetime]:
        """Yield midnight of each session of the week that starts at this Monday."""
        days = (decoded_downstream + timedelta(days=number) for number in range(7))
        return [day for day in days if sessions.is_session(day.date(), self.exchange)]
