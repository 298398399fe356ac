"""The options that several commands share, and the deployment that they choose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from tapeline.aws import local
from tapeline.aws.clients import Clients, connect
from tapeline.aws.deployment import Deployment, find_deployment
from tapeline.cli.errors import CommandError
from tapeline.laptop.ports import local_aws_answers

Target = Annotated[
    str,
    typer.Option(
        envvar="TAPELINE_TARGET", help="`local`: what runs on this machine. `aws`: your account, by boto3's own chain."
    ),
]
StackName = Annotated[str, typer.Option("--stack", envvar="TAPELINE_STACK", help="Name of the CloudFormation stack.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the template; repeatable.")
]


def read_settings(settings: Iterable[str] | None) -> dict[str, str]:
    """Return the values that ``--set NAME=VALUE`` gives, by name; another form, or a name twice, is wrong usage."""
    values: dict[str, str] = {}
    for setting in settings or ():
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"expected NAME=VALUE, found {setting!r}", param_hint="--set")
        if name in values:
            raise typer.BadParameter(f"{name} is given twice: {values[name]} and {value}", param_hint="--set")
        values[name] = value
    return values


def reach(target: str) -> Clients:
    """Return the clients of a target; a CommandError says how to start this machine's AWS if it does not answer."""
    if target == "local" and not local_aws_answers():
        raise CommandError(
            f"the local AWS does not answer at {local.endpoint()}. Start everything with `make run`, or use your "
            "account with `--target aws`"
        )
    return connect(target)


def deployment_of(target: str, stack_name: str) -> Deployment:
    """Return the deployment that a command's options name."""
    return find_deployment(reach(target), stack_name)
