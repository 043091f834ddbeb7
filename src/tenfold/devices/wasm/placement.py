"""Where threads run: apart from each other, as far as there are processors.

Linux often wakes a thread on the processor of the one that woke it, although another is idle, and leaves it there for
several milliseconds; an inference may be over by then, and have taken twice as long. So the threads of a run are kept
off the processor that the calling thread is on. Which of the others they use is left to Linux. Other systems have
nothing of the kind, and nothing is done there.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence


class Placement:
    """Keeps threads off the calling thread's processor."""

    def __init__(self, threads: Sequence[int]) -> None:
        """Take threads, by the system's numbers; the first of them takes the calling thread's part in some runs."""
        self._threads = threads
        self._processor: int | None = None

    def spread(self) -> None:
        """Keep the threads off the processor that the calling thread is on now."""
        if _current_processor is None:
            return
        processor = _current_processor()
        if processor == self._processor:
            return
        self._processor = processor
        allowed = os.sched_getaffinity(0)
        first, others = allowed, allowed
        if len(self._threads) <= len(allowed):
            others = allowed - {processor}
            if len(self._threads) == len(allowed):
                first = {processor}  # while it computes, the calling thread sleeps
        try:
            for number, thread in enumerate(self._threads):
                os.sched_setaffinity(thread, others if number else first)
        except OSError:  # threads run where the system likes, then
            self._threads = ()


def _find_current_processor() -> Callable[[], int] | None:
    if not hasattr(os, "sched_setaffinity"):
        return None
    return getattr(ctypes.CDLL(None), "sched_getcpu", None)


_current_processor = _find_current_processor()
