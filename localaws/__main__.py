"""Run the local AWS in the foreground until SIGTERM or Ctrl-C: `python -m localaws`."""

from __future__ import annotations

from localaws.environment import prepare
from tapeline import local


def main() -> None:
    """Set the environment that the base reads as it is imported, then import and serve it."""
    folder, port = local.home(), local.port()
    prepare(folder, port, local.credentials())
    from localaws.server import run

    run(folder, port)


if __name__ == "__main__":
    main()
