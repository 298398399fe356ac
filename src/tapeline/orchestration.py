"""Where Airflow's database of an installation before 0.2.0 looks for its callbacks; goes with 0.3.0."""

from tapeline.airflow.trouble import tell_late

__all__ = ["tell_late"]
