"""What a user reads when a command fails: one red line that says what to do next; only a bug shows a traceback."""

from __future__ import annotations

from typing import Any

import typer
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from rich.markup import escape
from typer.core import TyperGroup

from tapeline.aws.deployment import StackError
from tapeline.aws.queues import UndeletedError
from tapeline.cli.terminal import errors
from tapeline.laptop.supervisor import LaptopError
from tapeline.operations.correct import CorrectionError
from tapeline.operations.redrive import RedriveError
from tapeline.operations.rule_versions import RulesError

OPTIONAL = ("airflow", "localaws", "supervisor")
"""Packages that only `tapeline up` and its like need; the wheel works without."""


class CommandError(RuntimeError):
    """A command cannot be done; the message is all the user needs."""


FIXABLE = (
    *(BotoCoreError, ClientError, CommandError, CorrectionError, LaptopError, RedriveError, RulesError, StackError),
    *(UndeletedError, ValueError),
)


class Commands(TyperGroup):
    """The commands; what a user can fix is one red line and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in OPTIONAL:
                raise
            message = (
                f"{package} is not installed here, and this command needs what runs on a laptop: use the "
                "environment that `make setup` makes in a checkout of Tapeline"
            )
        except FIXABLE as error:
            message = error_text(error)
        errors.print(f"[red]Error:[/] {escape(message)}")
        raise typer.Exit(1)


def error_text(error: Exception) -> str:
    """Return what a user can do about an error."""
    if isinstance(error, exceptions.NoRegionError):
        return "no AWS region is set: export AWS_DEFAULT_REGION, such as us-east-1, or choose a profile by AWS_PROFILE"
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        return "no AWS credentials are there: choose a profile by AWS_PROFILE, or sign in with `aws configure sso`"
    if isinstance(error, exceptions.EndpointConnectionError):
        return f"{error}. Is it running, and is the network there?"
    if isinstance(error, ClientError):
        details = error.response["Error"]
        return f"AWS refused {error.operation_name}: {details.get('Code')}: {details.get('Message')}"
    return str(error)
