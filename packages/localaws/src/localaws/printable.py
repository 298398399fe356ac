"""Text from elsewhere, as a terminal, a log and a page may show it: control characters are written, never obeyed."""

from __future__ import annotations

import logging


def printable(text: str, *, keep: str = "") -> str:
    r"""Return a text in which every character that does not print is written as Python would.

    >>> printable("AAPL\x1b[2J\u202e\n", keep="\n")
    'AAPL\\x1b[2J\\u202e\n'
    """
    shown = (c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)
    return text if text.isprintable() else "".join(shown)


def lines(text: str) -> str:
    """Return a printable text of several lines."""
    return printable(text, keep="\n")


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return lines(super().format(record))


def log_to_terminal(level: int, form: str) -> None:
    """Let this program's log go to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter(form))
    logging.basicConfig(level=level, handlers=[handler])
