"""Where threads run: apart from each other, as far as there are processors.

Linux often wakes a thread on the processor of the one that woke it, although another is idle, and leaves it there for
several milliseconds; an inference may be over by then, and have taken twice as long. So the threads of a run are kept
off the processor that the calling thread is on, but for the first one, which takes part only while the caller sleeps.
Which of the others they use is left to Linux. Other systems have nothing of the kind, and nothing is done there.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence


class Placement:
    """Keeps threads off the calling thread's processor, unless somebody says where one of them runs."""

    def __init__(self, threads: Sequence[int]) -> None:
        """Take threads, by the system's numbers; the first of them takes the calling thread's part in some runs."""
        self._threads = threads
        self._allowed: set[int] = set()
        self._told: list[set[int]] = []
        self._processor: int | None = None

    def spread(self) -> None:
        """Keep the threads off the processor that the calling thread is on now."""
        if _current_processor is None:
            return
        processor = _current_processor()
        if processor == self._processor or not self._threads:
            return
        self._processor = processor
        try:
            self._place(processor)
        except OSError:  # the system does not let us, or a thread is gone
            self._threads = ()

    def _place(self, processor: int) -> None:
        found = [os.sched_getaffinity(thread) for thread in self._threads]
        if not self._told:
            self._allowed = found[0]
        elif found != self._told:  # somebody has placed some; the others go where they could at first
            for thread, told, processors in zip(self._threads, self._told, found, strict=True):
                if processors == told:
                    os.sched_setaffinity(thread, self._allowed)
            self._threads = ()
            return
        allowed = self._allowed
        first = others = allowed
        if len(self._threads) <= len(allowed):
            others = allowed - {processor}
        if len(self._threads) == len(allowed) and processor in allowed:
            first = {processor}  # the calling thread sleeps while that one computes
        self._told = [first, *[others] * (len(self._threads) - 1)]
        for thread, processors in zip(self._threads, self._told, strict=True):
            os.sched_setaffinity(thread, processors)


def _find_current_processor() -> Callable[[], int] | None:
    if not hasattr(os, "sched_setaffinity"):
        return None
    return getattr(ctypes.CDLL(None), "sched_getcpu", None)


_current_processor = _find_current_processor()
