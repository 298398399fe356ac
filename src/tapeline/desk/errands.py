"""The DAGs that the desk can start, and what each is told: to look only, where it can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tapeline.market.dates import trading_date

REDRIVEN_DAYS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Errand:
    """How to start a DAG.

    Attributes
    ----------
    conf : dict
        Its parameters.
    partition_key : str or None
        The session it is for.
    """

    conf: dict[str, Any] = field(default_factory=dict)
    partition_key: str | None = None

    @property
    def dry_run(self) -> bool:
        """Whether it only says what it would do."""
        return bool(self.conf.get("dry_run"))


def _redrive(now: datetime, _: str) -> Errand:
    first, last = trading_date(now - REDRIVEN_DAYS), trading_date(now)
    conf = {"first": first.isoformat(), "last": last.isoformat(), "dead_letters": True, "dry_run": True}
    return Errand(conf)


ERRANDS: dict[str, Callable[[datetime, str], Errand]] = {
    "anomaly_report": lambda _, session: Errand(partition_key=session),
    "crawl_raw_data": lambda _, __: Errand(),
    "daily_rollup": lambda _, session: Errand(partition_key=session),
    "feed_watchdog": lambda _, __: Errand(),
    "redrive_rejected": _redrive,
    "repair_partitions": lambda _, __: Errand({"dry_run": True}),
}
"""By DAG: from the time and the newest session that should be rolled up to what the run is told."""
