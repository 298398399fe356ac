"""Registers with Airflow the timetables of trading sessions; what they do is told in `tapeline.airflow.timetables`."""

from airflow.plugins_manager import AirflowPlugin

from tapeline.airflow.timetables import (
    TradingHoursTimetable,
    TradingSessionMapper,
    TradingSessionTimetable,
    TradingWeekMapper,
    TradingWeekWindow,
)


class TradingSessionsPlugin(AirflowPlugin):
    """Lets Airflow read DAGs of these timetables back from its database."""

    name = "trading_sessions"
    timetables = (TradingSessionTimetable, TradingHoursTimetable)
    partition_mappers = (TradingSessionMapper, TradingWeekMapper)
    windows = (TradingWeekWindow,)
