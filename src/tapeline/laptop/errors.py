"""What goes wrong with the programs of this machine."""

from __future__ import annotations


class LaptopError(RuntimeError):
    """Something keeps the laptop's programs from running; the message says what to do."""


class NotRunningError(LaptopError):
    """No supervisord answers in this state folder."""


class AirflowError(LaptopError):
    """Airflow is not installed, its database cannot be made ready, or there is none yet."""
