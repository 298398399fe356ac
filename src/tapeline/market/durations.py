"""Lengths of time as a person says them, the same wherever one is shown."""

from __future__ import annotations

from datetime import timedelta

_UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
"""Seconds and sign of a unit, and of the next smaller one."""


def words(duration: timedelta | float) -> str:
    """Return a length of time in its two largest units; the tenths of a number of seconds below 10 that has any.

    Parameters
    ----------
    duration : timedelta or float
        The latter in seconds.

    >>> words(0.25), words(5), words(42), words(150), words(7300), words(timedelta(days=2, hours=7))
    ('0.2 s', '5 s', '42 s', '2 min 30 s', '2 h 1 min', '2 d 7 h')
    """
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if seconds < 10 and not isinstance(seconds, int):
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, smaller_size, smaller in _UNITS:
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {name}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"
