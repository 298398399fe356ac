"""Where Airflow's database of an installation before 0.2.0 looks for its timetables; goes with 0.3.0.

Airflow stores a timetable by its class's name and module, and reads it back before it has parsed a DAG anew.
"""

from tapeline.airflow import timetables


class TradingSessionTimetable(timetables.TradingSessionTimetable):
    """The one of `tapeline.airflow.timetables`."""


class TradingHoursTimetable(timetables.TradingHoursTimetable):
    """The one of `tapeline.airflow.timetables`."""


class TradingSessionMapper(timetables.TradingSessionMapper):
    """The one of `tapeline.airflow.timetables`."""


class TradingWeekMapper(timetables.TradingWeekMapper):
    """The one of `tapeline.airflow.timetables`."""


class TradingWeekWindow(timetables.TradingWeekWindow):
    """The one of `tapeline.airflow.timetables`."""
