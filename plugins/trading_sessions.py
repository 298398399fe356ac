"""Registers with Airflow the timetables of trading sessions; see `tapeline.airflow.timetables`.

Airflow finds them by class and module. Those of `tapeline.timetables` are for the DAGs that its database has of an
installation before 0.2.0, until the dag-processor has stored them again; they go with 0.3.0.
"""

from airflow.plugins_manager import AirflowPlugin

from tapeline import timetables as before
from tapeline.airflow import timetables as today


class TradingSessionsPlugin(AirflowPlugin):
    """Lets Airflow read DAGs of these timetables back from its database."""

    name = "trading_sessions"
    timetables = [  # noqa: RUF012 - Airflow wants lists
        today.TradingSessionTimetable,
        today.TradingHoursTimetable,
        before.TradingSessionTimetable,
        before.TradingHoursTimetable,
    ]
    partition_mappers = [  # noqa: RUF012
        today.TradingSessionMapper,
        today.TradingWeekMapper,
        before.TradingSessionMapper,
        before.TradingWeekMapper,
    ]
    windows = [before.TradingWeekWindow]  # noqa: RUF012
