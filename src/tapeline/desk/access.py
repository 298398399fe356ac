"""What the desk asks of whoever runs it: who is there, what they may do, and what became of the DAGs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from fastapi import Request


class StartError(RuntimeError):
    """A DAG cannot be started; the message says why."""


class User(Protocol):
    """Someone who has logged in."""

    def get_name(self) -> str:
        """Return the name to show."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """The end of a DAG's run.

    Attributes
    ----------
    state : str
        ``success`` or ``failed``.
    partition_key : str or None
        The session it was for.
    ended_at : datetime
        Aware.
    """

    state: str
    partition_key: str | None
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Access:
    """Airflow's answers, or a test's.

    Attributes
    ----------
    user : FastAPI dependency
        Gives the `User` of a request; raises HTTPException 401 if there is none.
    read : FastAPI dependency
        Raises 403 unless the user may see the desk.
    trigger : sequence of FastAPI dependencies
        Raise 403 unless the user may start the DAG that the path parameter `dag_id` names; note that it was asked for.
    may_trigger : callable
        Tells whether a user may start our DAGs in general, for the page to show the buttons or not.
    still_logged_in : callable
        Tells whether the credential of a request is still good; a long answer asks it now and then.
    login_address : callable
        Where a person logs in who then wants this request's page.
    start : callable
        Starts a DAG: name, configuration, session or None, user's name; returns the run's name or raises StartError.
    last_runs : callable
        The last ends of a DAG's runs, the newest first.
    """

    user: Callable[..., Any]
    read: Callable[..., Any]
    trigger: Sequence[Callable[..., Any]]
    may_trigger: Callable[[Any], bool]
    still_logged_in: Callable[[Request], Awaitable[bool]]
    login_address: Callable[[Request], str]
    start: Callable[[str, dict[str, Any], str | None, str], str]
    last_runs: Callable[[str], list[Run]]
