"""The `tapeline` command: its groups of commands, each a module beside this one."""

from __future__ import annotations

import typer

from tapeline.cli import laptop, rules, stack, watch
from tapeline.cli.correct import correct
from tapeline.cli.errors import Commands
from tapeline.cli.query import query
from tapeline.cli.resend import redrive, replay
from tapeline.laptop.ports import adopt_port

app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="""Tapeline, a real-time stock-market pipeline: on this machine with `tapeline up`, on AWS with
    `tapeline deploy --target aws`.

    Exit codes: 0 done, or all green; 1 failed, or not green; 2 wrong usage, or `status` could not judge something.""",
)


@app.callback()
def _common() -> None:
    adopt_port()


app.command()(laptop.up)
app.command()(laptop.down)
app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
    options_metavar="COMMAND...",
)(laptop.airflow)
app.command()(watch.status)
app.command()(laptop.restart)
app.command("env")(stack.environment)
app.command()(stack.deploy)
app.command()(stack.destroy)
app.command()(stack.subscribe)
app.command()(watch.tail)
app.command()(replay)
app.command()(watch.reconcile)
app.command()(query)
app.command()(correct)
app.command()(redrive)
app.add_typer(rules.app, name="rules")


if __name__ == "__main__":
    app()
