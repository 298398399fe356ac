"""What the desk asks of whoever runs it: who is there, what they may do, and how the DAGs ended."""

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


@dataclass(frozen=True, slots=True)
class Run:
    """The end of a DAG's run: ``success`` or ``failed``, the session it was for, and an aware time."""

    state: str
    partition_key: str | None
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Access:
    """Airflow's answers, or a test's.

    Attributes
    ----------
    user, read : FastAPI dependency
        The one gives the `User` of a request or raises HTTPException 401; the other 403 unless they may see the desk.
    trigger : sequence of FastAPI dependencies
        Raise 403 unless the user may start the DAG that the path parameter `dag_id` names; note that it was asked for.
    may_trigger : callable
        Whether a user may start our DAGs in general, so that the page shows the buttons.
    still_logged_in : callable
        Whether the credential of a request is still good; a long answer asks it now and then.
    login_address : callable
        Where a person logs in who then wants this request's page.
    start : callable
        Starts a DAG: name, configuration, session or None, user's name; returns the run's name or raises StartError.
    """

    user: Callable[..., Any]
    read: Callable[..., Any]
    trigger: Sequence[Callable[..., Any]]
    may_trigger: Callable[[Any], bool]
    still_logged_in: Callable[[Request], Awaitable[bool]]
    login_address: Callable[[Request], str]
    start: Callable[[str, dict[str, Any], str | None, str], str]
