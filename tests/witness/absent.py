"""What the run needs and this machine may not have."""

from __future__ import annotations


class AbsentError(Exception):
    """Something without which there is no witness; the message says what was looked for, where, and what to do."""
