"""The producer's loop: from a source to the stream, until the source ends or a signal comes."""

from __future__ import annotations

import _thread
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType

from tapeline.market.quotes import Quote
from tapeline.stream.announcement import WatchedStop
from tapeline.stream.heartbeat import beat
from tapeline.stream.source import Counts, Source, Stop
from tapeline.stream.writer import KinesisWriter

REPORT_SECONDS = 30.0
PROGRESS_SECONDS = 0.1
REMEMBERED_TIMES = 256

log = logging.getLogger("producer")

OnCounts = Callable[[Counts], None]


class Seen:
    """Remembers the last quote times of each symbol; a few hundred, so memory follows the symbols, not the day."""

    def __init__(self) -> None:
        self._times: dict[str, dict[str, None]] = {}

    def again(self, quote: Quote) -> bool:
        """Return whether this symbol and time came before, and remember them."""
        times = self._times.setdefault(quote.symbol, {})
        if quote.timestamp in times:
            return True
        times[quote.timestamp] = None
        if len(times) > REMEMBERED_TIMES:
            del times[next(iter(times))]
        return False


def run(
    source: Source,
    writer: KinesisWriter,
    *,
    stop: Stop,
    on_progress: OnCounts | None = None,
    beside: Callable[[WatchedStop], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> Counts:
    """Send a source's quotes until it ends or `stop` is set, then send what is still held.

    After a stop that may take 20 seconds; a source that ends by itself is waited for.

    Parameters
    ----------
    source : Source
        For a progress bar: ``counts.read`` reaches its `total`, and ``counts.waiting`` falls to 0.
    writer : KinesisWriter
        Closed at the end.
    stop : Stop
        A `threading.Event`, as a rule.
    on_progress : callable, optional
        Called with the counts ten times a second (from another thread) and once at the end.
    beside : callable
        Given the stop that the source looks at, returns what is to go on beside the source: `announcing`.

    Returns
    -------
    Counts
        ``waiting`` is above 0 if quotes could not be sent in time.

    Raises
    ------
    StreamRefusedError
        If Kinesis refuses everything.
    """
    counters = writer.counters
    seen = Seen()
    watched = WatchedStop(stop)
    with _reports(writer, watched, on_progress), beside(watched):
        try:
            for quote in source.quotes(counters, watched):
                if seen.again(quote):
                    counters.add(repeated=1)
                else:
                    writer.put(quote, watched)
                if watched.is_set():
                    break
            while not watched.is_set() and not writer.flush(timeout_seconds=0.2):
                pass
        finally:
            writer.close()
            log.info("Stopped: %s", counters.now())
    if on_progress:
        on_progress(counters.now())
    if writer.failure is not None:
        raise writer.failure
    return counters.now()


@contextmanager
def stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """Set `stop` at SIGTERM or SIGINT, from another thread: the one that a signal interrupts may hold the event's lock.

    Further ones change nothing: at Ctrl-C the terminal signals us, and so does the supervisor a moment later.
    """

    def set_stop(number: int) -> None:
        if not stop.is_set():
            stop.set()
            log.info("Stopping: sending what is held (%s)", signal.Signals(number).name)

    def handle(number: int, _frame: FrameType | None) -> None:
        _thread.start_new_thread(set_stop, (number,))  # `threading.Thread` takes a lock of its own

    with signals_handled(handle, signal.SIGTERM, signal.SIGINT):
        yield


@contextmanager
def signals_handled(handle: Callable[[int, FrameType | None], None], *numbers: signal.Signals) -> Iterator[None]:
    """Let a function handle some signals, and afterwards whoever did before."""
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _reports(writer: KinesisWriter, stop: WatchedStop, on_progress: OnCounts | None) -> Iterator[None]:
    """Log the counts every half minute if they changed, report the progress, and beat while source and stream work."""
    done = threading.Event()

    def report() -> None:
        logged, sent, looked_at, next_log = Counts(), 0, 0.0, time.monotonic() + REPORT_SECONDS
        while not done.wait(PROGRESS_SECONDS if on_progress else 1.0):
            counts = writer.counters.now()
            if stop.looked_at != looked_at and (not counts.waiting or counts.sent != sent):
                sent, looked_at = counts.sent, stop.looked_at
                beat()
            if on_progress:
                on_progress(counts)
            if time.monotonic() >= next_log:
                next_log += REPORT_SECONDS
                if counts != logged:
                    logged = counts
                    log.info("So far: %s", counts)

    thread = threading.Thread(target=report, name="producer-reports", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
