"""Ask the servers of this machine, past any proxy for the outside world."""

from __future__ import annotations

import urllib.request

from tapeline.aws import local


def read_url(url: str, timeout: float) -> bytes:
    """Return the body that a server of this machine answers.

    Parameters
    ----------
    timeout : float
        Seconds.

    Raises
    ------
    OSError
        If nothing answers, or with an error.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=timeout) as answer:
        return bytes(answer.read())


def ask_local_aws(timeout: float) -> None:
    """Ask the local AWS for a sign of life.

    Raises
    ------
    OSError
        If it gives none within so many seconds.
    """
    read_url(f"{local.endpoint()}/_ministack/health", timeout)


def local_aws_answers() -> bool:
    """Return whether the local AWS answers."""
    try:
        ask_local_aws(timeout=2)
    except OSError:
        return False
    return True
