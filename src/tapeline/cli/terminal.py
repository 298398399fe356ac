"""The terminal as every command writes to it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from tapeline.aws.printable import json_text, printable

PIPED_WIDTH = 240
QUIET_SECONDS = 2


class Terminal(Console):
    """A console that shows what does not print as Python would write it, wherever it came from, and never obeys it."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of what is to be shown, each fit for a terminal."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(printable(segment.text, keep="\n"), segment.style)


console = Terminal(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
errors = Terminal(stderr=True, soft_wrap=True, highlight=False)
nowhere = Terminal(quiet=True, force_terminal=False)
"""For the progress of a command that prints JSON."""


def print_json(document: Any) -> None:
    """Print a document for scripts."""
    sys.stdout.write(json_text(document, indent=2, default=str) + "\n")


@contextmanager
def slow_status(text: str) -> Iterator[None]:
    """Show on standard error what is being done, but only if it takes over two seconds."""
    status = errors.status(f"{text} …")
    timer = threading.Timer(QUIET_SECONDS, status.start)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        status.stop()
