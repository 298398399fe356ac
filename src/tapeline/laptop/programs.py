"""What `tapeline up` runs: the table of its programs, by its options."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tapeline.aws import local
from tapeline.aws.deployment import DEFAULT_NAME, StackOutputs
from tapeline.laptop import airflow
from tapeline.laptop.supervisor import Program

LOCAL_AWS = "localaws"
DELIVERY = "delivery"
PRODUCER = "producer"

_INHERITED_AWS = ("AWS_CA_BUNDLE",)
"""Every other AWS_ variable of the shell is about another AWS and must not reach what runs here."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `tapeline up`."""

    source: str = "simulated"  # one of `producer.sources.SOURCES`
    symbols: str = ""  # tickers with commas between; empty for the producer's own choice
    every: float | None = None  # seconds between two quotes of a symbol or two polls; None for the source's own
    subscribe: str = ""  # an address that gets alerts; empty for none
    airflow: bool = True  # whether Airflow runs too, with a past session for its DAGs and a reader of their mail
    producer: Sequence[str] = ()  # further options of the source, as `python -m producer SOURCE --help` lists them
    parameters: dict[str, str] | None = None  # of the template


def programs(options: Options) -> list[Program]:
    """Return what runs, the first started first; another program is another row."""
    producer = [sys.executable, "-m", "producer", options.source]
    if options.symbols:
        producer += ["--symbols", options.symbols]
    if options.every is not None:
        producer += ["--every", f"{options.every:g}"]
    producer += options.producer
    return [
        Program(LOCAL_AWS, [sys.executable, "-m", "localaws"], priority=100, stop_seconds=90),  # it saves its state
        Program(DELIVERY, [sys.executable, "-m", "localaws.delivery"], priority=200, stop_seconds=45),
        Program(PRODUCER, producer, priority=300, stop_seconds=30),  # it sends what it holds
        *(airflow.programs() if options.airflow else []),
    ]


def signed(program: Program, signer: local.Credentials, outputs: StackOutputs) -> Program:
    """Return the producer as it runs: as its own user, on the stream of this machine's stack."""
    environment = {
        **local.environment(signer),
        "TAPELINE_TARGET": "aws",
        "TAPELINE_STREAM": outputs.stream_name,
        "TAPELINE_STACK": DEFAULT_NAME,  # whatever the user's own shell says
    }
    return replace(program, environment=environment)


def environment() -> dict[str, str]:
    """Return this process's environment for the programs, without what would mislead or slow them."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("AWS_") or name in _INHERITED_AWS
    }
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)  # with it each start would compile everything again
    return {
        **inherited,
        "TAPELINE_HOME": str(local.home()),
        "TAPELINE_PORT": str(local.port()),
        "TAPELINE_TARGET": "local",
        "PYTHONUNBUFFERED": "1",
    }
