"""How a signal stops the pump."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from tapeline.stream.pump import stop_on_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_waits_for_no_lock_that_the_interrupted_thread_may_hold(number: signal.Signals) -> None:
    """A source that waits holds the event's lock for a moment; a handler that wants it would wait for itself."""
    setters: list[threading.Thread] = []

    class Stop(threading.Event):
        def set(self) -> None:
            setters.append(threading.current_thread())
            super().set()

    stop = Stop()
    with stop_on_signals(stop):
        os.kill(os.getpid(), number)
        assert stop.wait(10)
    assert threading.main_thread() not in setters
