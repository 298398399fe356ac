"""Registers with Airflow the timetables of trading sessions; what they do is told in `tapeline.airflow.timetables`.

Airflow finds them by class and module. Those of `tapeline.timetables` are for the DAGs that its database has of an
installation before 0.2.0, until the dag-processor has stored them anew; they go with 0.3.0.
"""

from airflow.plugins_manager import AirflowPlugin

from tapeline import timetables as before
from tapeline.airflow import timetables as today


class TradingSessionsPlugin(AirflowPlugin):
    """Lets Airflow read DAGs of these timetables back from its database."""

    name = "trading_sessions"
    timetables = tuple(
        timetable
        for module in (today, before)
        for timetable in (module.TradingSessionTimetable, module.TradingHoursTimetable)
    )
    partition_mappers = tuple(
        mapper for module in (today, before) for mapper in (module.TradingSessionMapper, module.TradingWeekMapper)
    )
    windows = (before.TradingWeekWindow,)
