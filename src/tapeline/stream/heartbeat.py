"""A sign of life for programs that answer no requests, so that a container's health check can see it.

`beat()` touches the file that TAPELINE_HEARTBEAT names; `python -m tapeline.stream.heartbeat SECONDS` exits with 1
unless that happened within so many seconds. Without the variable nothing is written.
"""

from __future__ import annotations

import math
import os
import sys
import time
from pathlib import Path

VARIABLE = "TAPELINE_HEARTBEAT"


def beat() -> None:
    """Say that this program does its work."""
    if path := os.environ.get(VARIABLE):
        Path(path).touch()


def age() -> float:
    """Return the seconds since the last beat, infinity if there was none."""
    path = os.environ.get(VARIABLE)
    if not path or not Path(path).exists():
        return math.inf
    return time.time() - Path(path).stat().st_mtime


if __name__ == "__main__":
    sys.exit(age() > float(sys.argv[1]))
