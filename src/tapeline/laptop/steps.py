"""How `tapeline up` tells what is done and what is not as it should be."""

from __future__ import annotations

import time

from rich.console import Console
from rich.markup import escape

from tapeline.market.durations import words


def done(console: Console, text: str, since: float | None = None) -> None:
    """Tell of a step that is done, and if it is said when it began (monotonic seconds) how long it took."""
    took = "" if since is None else f" [dim]({words(time.monotonic() - since)})[/]"
    console.print(f"[green]✓[/] {escape(text)}{took}", highlight=False)


def warn(console: Console, text: str) -> None:
    """Tell of something that is wrong but keeps nothing from going on."""
    console.print(f"[yellow]![/] {escape(text)}", highlight=False)
