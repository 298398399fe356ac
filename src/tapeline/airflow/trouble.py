"""What is sent to the operators: a task that has failed, a run that is late."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import DeadlineAlert, DeadlineReference, SyncCallback  # type: ignore[attr-defined]

from tapeline.airflow.connection import deployment
from tapeline.airflow.retries import is_final
from tapeline.aws import notify


def tell_failure(context: Mapping[str, Any]) -> None:
    """Send a message on a failed task to the operations topic; a task fails when its retries are used up."""
    task = context["ti"]
    run = context["dag_run"]
    of_session = f" for session {run.partition_key}" if run.partition_key else ""
    reason = context.get("exception") or context.get("reason") or "no reason was given: the worker may have died"
    tries = f"try {task.try_number} of {task.max_tries + 1}"
    if isinstance(reason, BaseException) and is_final(reason):
        tries = "and is not tried again, for it would find the same"
    text = (
        f"Task {task.task_id} of {task.dag_id} has failed{of_session}, {tries}.\n\n"
        f"{reason}\n\n"
        f"Run:  {run.run_id}\n"
        f"Log:  {getattr(task, 'log_url', 'in the UI')}\n\n"
        "The DAG's documentation, behind the book icon of its page in the UI and in DAGs.md, says what to do.\n"
        "Then clear the failed task, or the whole run: every task may run twice.\n"
    )
    _publish_to_operations(f"{task.dag_id}.{task.task_id} failed{of_session}", text, "task_failed")


def tell_late(context: Mapping[str, Any] | None = None, minutes: float = 0) -> None:
    """Send a message on a run that has not ended by its deadline to the operations topic.

    A backfill's runs are queued all at once and wait for each other, so of them it is silent.
    """
    run = (context or {}).get("dag_run", {})
    if run.get("run_type") == "backfill":
        return
    name = run.get("dag_id", "a DAG")
    text = (
        f"{name} was to end within {minutes:g} minutes and has not.\n\n"
        f"Run:  {run.get('dag_run_id') or run.get('run_id') or 'see the UI'}\n\n"
        "Look in the UI which task runs or waits. A queued task wants a free slot, a waiting sensor its data.\n"
    )
    _publish_to_operations(f"{name} is late", text, "run_late")


def deadline(limit: timedelta) -> DeadlineAlert:
    """Return the alert of a run that has not ended so long after it was queued."""
    minutes = limit.total_seconds() / 60
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=limit,
        callback=SyncCallback(f"{__name__}.{tell_late.__name__}", kwargs={"minutes": minutes}),
        name=f"{minutes:g} minutes after it was queued",
    )


def _publish_to_operations(subject: str, text: str, kind: str) -> None:
    topic = deployment().outputs.operations_topic_arn
    notify.publish(deployment().client("sns"), topic, subject, text, kind=kind, severity="error")
