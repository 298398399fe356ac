"""The DAGs that the desk can start, and with what: as a dry run where they have one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tapeline.market.dates import trading_date

REDRIVEN_DAYS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Trigger:
    """How to start a DAG: its parameters, and the session it is for."""

    conf: dict[str, Any] = field(default_factory=dict)
    partition_key: str | None = None

    @property
    def dry_run(self) -> bool:
        """Whether it only says what it would do."""
        return bool(self.conf.get("dry_run"))


def _redrive(now: datetime, _: str) -> Trigger:
    first, last = trading_date(now - REDRIVEN_DAYS), trading_date(now)
    return Trigger({"first": first.isoformat(), "last": last.isoformat(), "dead_letters": True, "dry_run": True})


TRIGGERS: dict[str, Callable[[datetime, str], Trigger]] = {
    "anomaly_report": lambda _, session: Trigger(partition_key=session),
    "crawl_raw_data": lambda _, __: Trigger(),
    "daily_rollup": lambda _, session: Trigger(partition_key=session),
    "feed_watchdog": lambda _, __: Trigger(),
    "redrive_rejected": _redrive,
    "repair_partitions": lambda _, __: Trigger({"dry_run": True}),
}
"""By DAG: how to start it, from the time and the newest session that should be rolled up."""
