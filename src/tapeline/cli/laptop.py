"""The commands that run everything on this machine: `tapeline up`, `down`, `restart` and `airflow`.

They import `Laptop` when it is needed: the wheel comes without the laptop's AWS, and other commands do not need it.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from producer.sources import SOURCES
from tapeline.cli.options import Settings, read_settings
from tapeline.cli.terminal import console
from tapeline.laptop.airflow import command
from tapeline.laptop.parts import restart as restart_part
from tapeline.laptop.ports import choose_ports
from tapeline.laptop.programs import Options, environment


def up(
    producer_options: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- OPTIONS]", help="For the source: see `python -m producer yahoo --help`."),
    ] = None,
    source: Annotated[str, typer.Option(help=f"One of {', '.join(SOURCES)}.")] = "simulated",
    symbols: Annotated[str, typer.Option(help="Tickers with commas between, such as AAPL,MSFT.")] = "",
    every: Annotated[
        float | None, typer.Option(help="Seconds between quotes of a symbol, or between polls.", min=0.001)
    ] = None,
    port: Annotated[
        int | None, typer.Option(envvar="TAPELINE_PORT", help="Port of the local AWS (4566).", min=1, max=65535)
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Leave it running and return.")] = False,
    subscribe: Annotated[str, typer.Option(metavar="EMAIL", help="An address that gets alerts.")] = "",
    airflow: Annotated[bool, typer.Option(envvar="TAPELINE_AIRFLOW", help="Run Airflow and its DAGs too.")] = True,
    airflow_port: Annotated[
        int | None, typer.Option(envvar="TAPELINE_AIRFLOW_PORT", help="Port of its UI (8080).", min=1, max=65535)
    ] = None,
    settings: Settings = None,
) -> None:
    """Run everything on this machine: local AWS, stack, stream, producer, Airflow. Ctrl-C stops it and keeps the data.

    Example: `tapeline up --source yahoo --symbols AAPL,MSFT`
    """
    from tapeline.laptop.up import Laptop  # optional, see above

    if source not in SOURCES:
        raise typer.BadParameter(f"expected one of {', '.join(SOURCES)}, found {source!r}", param_hint="--source")
    least = SOURCES[source].least_seconds()
    if every and least is None:
        console.print(f"[yellow]![/] --every is left out: {source} sends when it gets a quote.")
        every = None
    if every and least and every < least:
        raise typer.BadParameter(f"expected {least:g} s or more for {source}, found {every:g}", param_hint="--every")
    choose_ports(port, airflow_port)
    options = Options(source, symbols, every, subscribe, airflow, producer_options or (), read_settings(settings))
    Laptop(console).up(options, detach=detach)


def down() -> None:
    """Stop what `tapeline up` runs, also what a killed one left behind. The data is kept.

    Example: `tapeline down`
    """
    from tapeline.laptop.up import Laptop  # optional, see above

    console.print("Stopped. The data is kept." if Laptop(console).down() else "Nothing was running.")


def airflow(context: typer.Context) -> None:
    """Run one of Airflow's own commands on the Airflow of this machine.

    Example: `tapeline airflow backfill create --dag-id daily_rollup --from-date 2026-03-12 --to-date 2026-03-13`
    """
    command(environment(), context.args)


def restart(
    part: Annotated[str, typer.Argument(help="As `tapeline status` names it: `producer`, `delivery`, `localaws` …")],
) -> None:
    """Restart one part of what `tapeline up` runs on this machine, also one that hangs or was given up.

    Example: `tapeline restart producer`
    """
    with console.status(f"Restarting {escape(part)}"):
        state = restart_part(part)
    console.print(f"{part} runs again, pid {state.pid}. Its log: {state.log}")
