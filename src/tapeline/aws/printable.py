"""Text from elsewhere, as a terminal, a log and a mail may show it.

A payload, a name or a reason may hold anything: escape sequences that retitle, clear or feed a terminal, and characters
that turn the reading direction or have no width. They are shown as what they are, never obeyed.
"""

from __future__ import annotations

import json
import logging
from typing import Any


def printable(text: str, *, keep: str = "") -> str:
    r"""Return a text with every character that does not print written as Python would.

    These are the control characters C0, DEL and C1, what turns the direction or has no width, line separators, lone
    surrogates, private and unassigned characters; but for those to keep, such as the break between lines.

    >>> printable("AAPL\x1b[2J\u202e")
    'AAPL\\x1b[2J\\u202e'
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in keep else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


class LogFormatter(logging.Formatter):
    """Formats a program's log for a terminal; a traceback keeps its lines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of one entry."""
        return printable(super().format(record), keep="\n")


def log_to_terminal(level: int | str, form: str, time_form: str | None = None) -> None:
    """Let this program's log go to standard error, in lines of this form."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormatter(form, time_form))
    logging.basicConfig(level=level, handlers=[handler])


def json_text(document: object, **options: Any) -> str:
    """Return a document as JSON, in which DEL is written as such too; all else that does not print `json` escapes."""
    return json.dumps(document, **options).replace("\x7f", "\\u007f")
