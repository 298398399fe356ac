"""The servers of this machine: which ports they have, whether those are free, and whether they answer."""

from __future__ import annotations

import os
import socket
import urllib.request

from tapeline.aws import local
from tapeline.laptop.supervisor import LaptopError, Supervisor


def adopt_port() -> None:
    """Let commands reach the `up` of this state folder on the port it took, unless TAPELINE_PORT says otherwise."""
    supervisor = Supervisor(local.home())
    note = supervisor.run_folder / "port"
    if not os.environ.get("TAPELINE_PORT") and note.exists() and supervisor.is_running():
        os.environ["TAPELINE_PORT"] = note.read_text()


def note_port() -> None:
    """Write down the port of the local AWS for `adopt_port`."""
    (Supervisor(local.home()).run_folder / "port").write_text(str(local.port()))


def choose_ports(port: int | None, airflow_port: int | None) -> None:
    """Let this process and all it starts use a port for the local AWS, and one for Airflow's UI."""
    if port is not None:
        os.environ["TAPELINE_PORT"] = str(port)
    if airflow_port is not None:
        os.environ["TAPELINE_AIRFLOW_PORT"] = str(airflow_port)


def require_free(port: int, option: str) -> None:
    """Raise a LaptopError if another program has a port, with one that is free and the option of `up` that takes it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((local.LOOPBACK, port))
        except OSError as error:
            raise LaptopError(
                f"port {port} on {local.LOOPBACK} cannot be used ({error.strerror}). If another program has it, "
                f"stop that, or choose another port: `tapeline up {option} {_free_port()}`"
            ) from None


def read_url(url: str, timeout: float) -> bytes:
    """Return what a server of this machine answers within `timeout` seconds, asked past any proxy.

    Raises
    ------
    OSError
        If nothing answers in time, or the answer is an error.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=timeout) as answer:
        return bytes(answer.read())


def ask_local_aws(timeout: float) -> None:
    """Ask the local AWS how it is; an OSError if it does not answer within `timeout` seconds."""
    read_url(f"{local.endpoint()}/_localaws/health", timeout)


def local_aws_answers() -> bool:
    """Return whether the local AWS answers."""
    try:
        ask_local_aws(timeout=2)
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((local.LOOPBACK, 0))
        return int(probe.getsockname()[1])
