"""Registers with Airflow the timetables of trading sessions; what they do is told in `tapeline.timetables`."""

from airflow.plugins_manager import AirflowPlugin

from tapeline.timetables import TradingHoursTimetable, TradingSessionTimetable, TradingWeekWindow


class TradingSessionsPlugin(AirflowPlugin):
    """Lets Airflow read DAGs of these timetables back from its database."""

    name = "trading_sessions"
    timetables = (TradingSessionTimetable, TradingHoursTimetable)
    windows = (TradingWeekWindow,)
