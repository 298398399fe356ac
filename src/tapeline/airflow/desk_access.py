"""Airflow's own log-in, permissions and runs, for the desk."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from airflow.api.common.trigger_dag import trigger_dag
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag, resolve_user_from_token
from airflow.api_fastapi.logging.decorators import action_logging
from airflow.models.asset import AssetEvent
from airflow.models.dagrun import DagRun
from airflow.sdk.exceptions import AirflowException
from airflow.utils.session import create_session
from airflow.utils.types import DagRunTriggeredByType
from fastapi import FastAPI, HTTPException, Request
from sqlalchemy import func, select

from tapeline.airflow.connection import deployment
from tapeline.desk.access import Access, Run, StartError
from tapeline.desk.app import create_app
from tapeline.desk.reader import DeskReader

WATCHED_DAG = "feed_watchdog"
"""Who may read this DAG, which watches the same things, may see the desk."""

_ENDED = ("success", "failed")
_LAST_RUNS = 20


def app() -> FastAPI:
    """Return the desk as Airflow's api-server mounts it."""
    return create_app(
        Access(
            user=get_user,
            read=requires_access_dag("GET", param_dag_id=WATCHED_DAG),
            trigger=(requires_access_dag("POST", DagAccessEntity.RUN), action_logging("trigger_dag_run")),
            may_trigger=may_trigger,
            still_logged_in=still_logged_in,
            login_address=login_address,
            start=start,
        ),
        DeskReader(deployment, last_runs),
    )


def may_trigger(user: Any) -> bool:
    """Return whether a user may start the watched DAG, and so very likely its siblings."""
    return get_auth_manager().is_authorized_dag(
        method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id=WATCHED_DAG), user=user
    )


async def still_logged_in(request: Request) -> bool:
    """Return whether the token that came with a request is still good."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    cookie = request.cookies.get(COOKIE_NAME_JWT_TOKEN)
    try:
        await resolve_user_from_token(token if scheme.lower() == "bearer" else cookie)
    except HTTPException:
        return False
    return True


def login_address(request: Request) -> str:
    """Return Airflow's log-in, which leads back to the request's page."""
    home = request.scope["root_path"].removesuffix(request.scope["root_path"].rpartition("/")[2])
    return f"{home}api/v2/auth/login?{urlencode({'next': str(request.url)})}"


def start(dag_id: str, conf: dict[str, Any], partition_key: str | None, user: str) -> str:
    """Start a DAG for a user; return the run's name.

    Raises
    ------
    StartError
        If Airflow refuses.
    """
    try:
        run = trigger_dag(
            dag_id,
            triggered_by=DagRunTriggeredByType.UI,
            triggering_user_name=user,
            conf=conf,
            partition_key=partition_key,
            note="Started from the market desk.",
        )
    except (AirflowException, ValueError) as error:
        raise StartError(f"Airflow does not start {dag_id}: {error}") from error
    if run is None:
        raise StartError(f"Airflow does not start {dag_id} and does not say why")
    return str(run.run_id)


def last_runs(dag_id: str) -> list[Run]:
    """Return the last ends of a DAG's runs, the newest first."""
    key_of_events = (  # a run by a plain Trigger has no key of its own
        select(func.max(AssetEvent.partition_key))
        .where(AssetEvent.source_dag_id == DagRun.dag_id, AssetEvent.source_run_id == DagRun.run_id)
        .scalar_subquery()
    )
    ended = (
        select(DagRun.state, func.coalesce(DagRun.partition_key, key_of_events), DagRun.end_date)
        .where(DagRun.dag_id == dag_id, DagRun.state.in_(_ENDED), DagRun.end_date.is_not(None))
        .order_by(DagRun.end_date.desc())
        .limit(_LAST_RUNS)
    )
    with create_session() as session:
        return [Run(str(state), key, ended_at) for state, key, ended_at in session.execute(ended)]
