"""Become one of the programs of `tapeline up`: `python -m tapeline.laptop.launch RUN_FOLDER NAME`.

supervisord starts every program through this. It reads what to run from `RUN_FOLDER/NAME.json`, so that no command line
or secret passes through supervisord's own configuration, notes its process in `RUN_FOLDER/NAME.pid`, by which a later
`up` or `down` recognises what a killed supervisord left behind, and then turns into the program.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import psutil


def main(run_folder: Path, name: str) -> None:
    """Note this process and replace it by the program."""
    program = json.loads((run_folder / f"{name}.json").read_text())
    note = {"pid": os.getpid(), "started": psutil.Process().create_time(), "command": program["command"]}
    draft = run_folder / f"{name}.pid.{os.getpid()}"
    draft.write_text(json.dumps(note))
    draft.replace(run_folder / f"{name}.pid")
    os.execvpe(program["command"][0], program["command"], {**os.environ, **program["environment"]})  # noqa: S606


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
