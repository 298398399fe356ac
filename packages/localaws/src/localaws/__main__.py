"""Run the local AWS in the foreground until SIGTERM or Ctrl-C: `python -m localaws`."""

from __future__ import annotations

from localaws.environment import prepare
from tapeline.aws import local


def main() -> None:
    """Set the environment that the base reads as it is imported, then import and serve it."""
    folder, port = local.own_home(), local.port()
    credentials = local.credentials()
    prepare(folder, port, credentials)
    from localaws.server import run

    run(folder, port, credentials.secret_access_key)


if __name__ == "__main__":
    main()
