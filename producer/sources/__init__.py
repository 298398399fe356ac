"""The live sources by name. To add one: a folder here, and a line in `SOURCES`.

`python -m producer`, `tapeline up --source` and `make run SOURCE=` all read them from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from pkgutil import resolve_name

from tapeline.stream.announcement import Announcement
from tapeline.stream.source import Source

OpenSource = Callable[..., tuple[Source, Announcement]]
"""Opens a source. Its parameters are the options of the source's command, its docstring is that command's help."""


@dataclass(frozen=True, slots=True)
class LiveSource:
    """A source that goes on until it is stopped, as the command lines offer it.

    Attributes
    ----------
    title : str
        What `tapeline up` says it runs.
    function : str
        The `OpenSource`, as ``module:function``. Every help text imports it: import inside it what takes long.
    """

    title: str
    function: str

    def load(self) -> OpenSource:
        """Return the function."""
        open_source: OpenSource = resolve_name(self.function)
        return open_source

    def least_seconds(self) -> float | None:
        """Return the least that its option `--every` takes; None if it has none and sends when its vendor does."""
        every = signature(self.load(), eval_str=True).parameters.get("every")
        least: float | None = every.annotation.__metadata__[0].min if every else None
        return least


SOURCES = {
    "simulated": LiveSource("the simulated market", "producer.simulated:open_simulated"),
    "yahoo": LiveSource("Yahoo quotes", "producer.sources.yahoo.options:open_poll"),
    "yahoo-stream": LiveSource("Yahoo's live stream", "producer.sources.yahoo.options:open_stream"),
}
