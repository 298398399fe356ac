"""What became of each statement: kept on disk, so that a restart of the local AWS forgets none of them."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HISTORY = 1000
"""Executions kept; Athena keeps 45 days of them."""


@dataclass(slots=True)
class Execution:
    """One execution of a statement; times in seconds since the epoch.

    Attributes
    ----------
    request : dict
        What StartQueryExecution was given.
    output : str
        Folder for the result.
    outcome : dict
        Fields of `query.Outcome`, once it has succeeded.
    """

    id: str
    request: dict[str, Any]
    workgroup: str
    output: str
    submitted: float
    state: str = "QUEUED"
    reason: str = ""
    error: tuple[int, int] | None = None
    started: float = 0.0
    completed: float = 0.0
    scanned: int = 0
    outcome: dict[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("SUCCEEDED", "FAILED", "CANCELLED")

    def end(self, state: str, reason: str = "", error: tuple[int, int] | None = None) -> None:
        """Note how it ended."""
        self.state, self.reason, self.error, self.completed = state, reason, error, time.time()

    def describe(self) -> dict[str, Any]:
        """Return it as GetQueryExecution does."""
        status: dict[str, Any] = {"State": self.state, "SubmissionDateTime": self.submitted}
        if self.is_over:
            status["CompletionDateTime"] = self.completed
        if self.reason:
            status["StateChangeReason"] = self.reason
        if self.error:
            category, kind = self.error
            status["AthenaError"] = {
                "ErrorCategory": category, "ErrorType": kind, "Retryable": False, "ErrorMessage": self.reason,
            }  # fmt: skip
        optional: dict[str, Any] = {
            key: self.request[key] for key in ("QueryExecutionContext", "ExecutionParameters") if key in self.request
        }
        return {
            "QueryExecutionId": self.id,
            "Query": self.request["QueryString"],
            "StatementType": self.outcome.get("statement_type") or _guess_type(self.request["QueryString"]),
            "SubstatementType": self.outcome.get("substatement_type", ""),
            "ResultConfiguration": {"OutputLocation": self.outcome.get("output") or f"{self.output}{self.id}.csv"},
            "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
            "Status": status,
            "Statistics": self.statistics(),
            "WorkGroup": self.workgroup,
            "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"},
            **optional,
        }

    def statistics(self) -> dict[str, Any]:
        """Return times in milliseconds, and bytes scanned."""
        now = self.completed or time.time()
        queued = max(0, int(((self.started or now) - self.submitted) * 1000))
        total = max(0, int((now - self.submitted) * 1000))
        return {
            "EngineExecutionTimeInMillis": total - queued,
            "DataScannedInBytes": self.scanned,
            "TotalExecutionTimeInMillis": total,
            "QueryQueueTimeInMillis": queued,
            "ServicePreProcessingTimeInMillis": 0,
            "QueryPlanningTimeInMillis": 0,
            "ServiceProcessingTimeInMillis": 0,
            "ResultReuseInformation": {"ReusedPreviousResult": False},
        }


def _guess_type(sql: str) -> str:
    word = sql.lstrip(" \n\t(").split(None, 1)[0].upper() if sql.strip() else ""
    if word in ("SHOW", "DESCRIBE", "DESC", "EXPLAIN"):
        return "UTILITY"
    return "DDL" if word in ("CREATE", "ALTER", "DROP", "MSCK") else "DML"


class Executions:
    """The history, one file for each execution in a folder; the oldest are forgotten."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, Execution] = {}

    def load(self) -> None:
        """Read what an earlier process kept; what then was still running has failed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        executions = [Execution(**json.loads(path.read_text())) for path in self._folder.glob("*.json")]
        for execution in sorted(executions, key=lambda item: item.submitted):
            self._kept[execution.id] = execution
            if not execution.is_over:
                execution.end("FAILED", "The local AWS stopped while the query ran", (1, 233))
                self.keep(execution)

    def keep(self, execution: Execution) -> None:
        """Remember an execution as it is now."""
        self._kept[execution.id] = execution
        draft = self._folder / f"{execution.id}.tmp"
        draft.write_text(json.dumps(asdict(execution)))
        draft.rename(self._folder / f"{execution.id}.json")
        while len(self._kept) > HISTORY:
            oldest = next(iter(self._kept))
            if not self._kept[oldest].is_over:
                break
            del self._kept[oldest]
            (self._folder / f"{oldest}.json").unlink(missing_ok=True)

    def get(self, number: str) -> Execution | None:
        """Return an execution."""
        return self._kept.get(number)

    def by_token(self, token: str) -> Execution | None:
        """Return the execution that a client request token began."""
        return next((item for item in self._kept.values() if item.request.get("ClientRequestToken") == token), None)

    def newest_first(self, workgroup: str) -> list[str]:
        """Return the ids of a workgroup's executions."""
        return [item.id for item in reversed(self._kept.values()) if item.workgroup == workgroup]
