"""Run the local AWS in the foreground until SIGTERM or Ctrl-C: `python -m localaws`."""

from __future__ import annotations

from localaws import settings
from localaws.environment import prepare


def main() -> None:
    """Set the environment that the base reads as it is imported, then import and serve it."""
    folder, port = settings.private_home(), settings.port()
    root = settings.root()
    prepare(folder, port, root)
    from localaws.server import run

    run(folder, port, root.secret_access_key)


if __name__ == "__main__":
    main()
