"""The commands on a whole deployment: `tapeline deploy`, `destroy`, `env` and `subscribe`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from tapeline.aws import local
from tapeline.aws.deployment import DEFAULT_NAME
from tapeline.cli.options import AsJson, Settings, StackName, Target, deployment_of, reach, read_settings
from tapeline.cli.terminal import console, nowhere, print_json
from tapeline.deploy import stack
from tapeline.deploy.stack_events import Progress
from tapeline.laptop.users import forget_users


def environment(target: Target = "local", stack_name: StackName = DEFAULT_NAME) -> None:
    """Print the deployment's names as variables for a shell, and on this machine what lets `aws` reach it.

    Example: `eval "$(tapeline env)"`, then `aws s3 ls s3://$BUCKET_NAME/rejected/`
    """
    outputs = deployment_of(target, stack_name).outputs
    variables = local.environment(local.credentials()) if target == "local" else {}
    variables |= {name.upper(): value for name, value in asdict(outputs).items()}
    for name, value in variables.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


def deploy(
    target: Target = "local", stack_name: StackName = DEFAULT_NAME, settings: Settings = None, as_json: AsJson = False
) -> None:
    """Make the stack or bring it up to date. Parameters that are not given keep their values.

    Example: `tapeline deploy --target aws --set AlertEmails=you@example.com --set PriceMovePercent=3`
    """
    clients = reach(target)
    with _progress("Deploying", quiet=as_json) as tell:
        deployment = stack.deploy(clients, read_settings(settings), tell, stack_name=stack_name)
    outputs = asdict(deployment.outputs)
    if as_json:
        print_json(outputs)
        return
    console.print(f"\n[green]✓[/] Stack {stack_name} is up to date.")
    for name, value in outputs.items():
        console.print(f"  {name.replace('_', ' '):<22} {value}")


def destroy(
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Remove bucket and tables too; they cannot be brought back.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the stack. Bucket and tables stay, and the next deploy takes them over, unless --delete-data is given.

    Example: `tapeline destroy --target aws --delete-data`
    """
    clients = reach(target)
    what = "and all its data, which cannot be brought back," if delete_data else "but keep its data"
    where = "on this machine" if target == "local" else f"in {clients.region} of your AWS account"
    if not yes:
        typer.confirm(f"Remove stack {stack_name} {where} {what}?", abort=True)
    if target == "local":
        forget_users(clients)
    with _progress("Removing") as tell:
        kept = stack.destroy(clients, tell, delete_data=delete_data, stack_name=stack_name)
    console.print("Removed." + (f" Kept: {', '.join(kept)}." if kept else ""))


def subscribe(
    email: Annotated[str, typer.Argument(help="Who gets mail.")],
    topic: Annotated[str, typer.Option(help="`alerts`: trends, anomalies. `operations`: failures.")] = "alerts",
    target: Target = "local",
    stack_name: StackName = DEFAULT_NAME,
) -> None:
    """Send alerts to an address, once it has confirmed.

    Example: `tapeline subscribe you@example.com`
    """
    if "@" not in email.strip("@"):
        raise typer.BadParameter(f"expected an e-mail address such as you@example.com, found {email!r}")
    deployment = deployment_of(target, stack_name)
    topics = {"alerts": deployment.outputs.alert_topic_arn, "operations": deployment.outputs.operations_topic_arn}
    if topic not in topics:
        raise typer.BadParameter(f"expected alerts or operations, found {topic!r}", param_hint="--topic")
    answer = deployment.client("sns").subscribe(TopicArn=topics[topic], Protocol="email", Endpoint=email)
    if answer["SubscriptionArn"].startswith("arn:"):
        console.print(f"{escape(email)} gets {topic} already.")
    elif target == "local":
        from tapeline.laptop.mailbox import mailbox_address  # optional: the laptop's AWS is not part of the wheel

        console.print(f"Confirm once: open the link in the mail to {escape(email)} at {mailbox_address()}")
    else:
        console.print(f"AWS has mailed {escape(email)} a link; {topic} come once it is opened (look in spam too).")


@contextmanager
def _progress(what: str, *, quiet: bool = False) -> Iterator[Callable[[Progress], None]]:
    """Show each resource as CloudFormation gets to it."""
    terminal = nowhere if quiet else console
    with terminal.status(what) as line:

        def tell(step: Progress) -> None:
            reason = f": {escape(step.reason)}" if step.reason else ""
            text = f"{step.kind} {step.resource} {step.status}"
            if step.status in ("making", "changing", "removing", "waiting"):
                line.update(f"{what}: {text}{reason}")
            else:
                mark = "[red]✗[/]" if step.status == "failed" else "[green]✓[/]"
                terminal.print(f"{mark} {text}{reason}")

        yield tell
