"""What the DAGs share: assets, the first date, the arguments of their tasks, and parts of their forms."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import Asset, Param

from tapeline.airflow.connection import AWS_CONNECTION
from tapeline.airflow.retries import RetryUnlessFinal
from tapeline.airflow.trouble import tell_failure

RAW_QUOTES = Asset("raw_quotes", group="lake")
CURATED = {table: Asset(table, group="lake") for table in ("minute_bars", "anomalies", "daily_summary")}
"""The assets of the tables of `tapeline.lake.rollup.CURATED`, in its order."""
DAILY_HISTORY = Asset("daily_history", group="lake")
TRADING_WEEKS = Asset("trading_weeks", group="calendar")
"""A week, by its Monday, of which every session has been rolled up and reported, or one of them again."""

START_DATE = pendulum.datetime(2024, 1, 1, tz="America/New_York")
"""No session before it is scheduled or may be backfilled."""

DAG_DEFAULT_ARGS: dict[str, Any] = {
    "owner": "data-engineering",
    "retries": 2,
    "retry_delay": timedelta(seconds=20),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": RetryUnlessFinal(),
    "execution_timeout": timedelta(minutes=30),
    "on_failure_callback": tell_failure,
    "aws_conn_id": AWS_CONNECTION,
    # For operators that have them: Athena's.
    "database": "{{ names().database_name }}",
    "workgroup": "{{ names().work_group_name }}",
    "sleep_time": 2,
}
"""Of every DAG; one that needs another value says why beside it."""


def headline(documentation: str) -> str:
    r"""Return what a DAG is in a few words: the heading of its documentation, without its name.

    >>> headline("# daily_rollup: a session's bars\n\n**What.** Computes")
    "A session's bars"
    """
    title = documentation.strip().partition("\n")[0].partition(": ")[2]
    return title[:1].upper() + title[1:]


def date_param(title: str, description: str) -> Param:
    """Return a field for a date, empty at first: a fixed date would soon be an old one."""
    return Param(None, type=["null", "string"], format="date", title=title, description=description)


def switch_param(default: bool, title: str, description: str) -> Param:
    """Return a field that is on or off."""
    return Param(default, type="boolean", title=title, description=description)
