"""Threads that run the same job at once, and what becomes of them when one fails, Ctrl-C is pressed, the process forks
or ends.

The calling thread waits in Python, where signals reach it. A thread that fails sets the abort word, at which the others
trap when they next come to a barrier; an interruption does the same. The caller always waits until all threads are
idle again, so that nobody still writes to memory that is being given to somebody else. If that is interrupted, too,
the threads are left alone and never used again.

What a thread knows is its queues, not the object that owns them, so that it ends when its owner is collected.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from tenfold.core.errors import DeviceLostError
from tenfold.devices.host import cores
from tenfold.devices.wasm.barrier import ABORT, ARRIVED, LONG_SPINS, SHORT_SPINS, SLEEPERS, SPINS
from tenfold.devices.wasm.placement import Placement

WAIT_SECONDS: Final = 0.1
"""How long the caller waits at a time. Where a lock cannot be interrupted (Windows), Ctrl-C takes as long."""

END_SECONDS: Final = 2.0
"""How long the end of the process waits for a thread."""


class AbortWord:
    """The words of the barrier, as the host sees them.

    Waking sleepers would take a call into the engine; they look at the word by themselves.
    """

    def __init__(self, base: int, owner: object) -> None:
        self._owner = owner
        self._abort, self._spins, *self._counts = (
            ctypes.c_int32.from_address(base + address) for address in (ABORT, SPINS, ARRIVED, SLEEPERS)
        )

    def expect(self, threads: int) -> None:
        """Let so many threads wait for each other as is best for the processors there are."""
        self._spins.value = LONG_SPINS if threads <= cores() else SHORT_SPINS

    def set(self) -> None:
        """Let every thread that comes to a barrier, or waits at one, trap."""
        self._abort.value = 1

    def is_set(self) -> bool:
        """Whether threads are to trap."""
        return self._abort.value != 0

    def clear(self) -> None:
        """Make the barrier as new; only while no thread runs."""
        for count in self._counts:
            count.value = 0
        self._abort.value = 0


class _Job(NamedTuple):
    """Something for a thread to do: `call` with its number; None to say only that it is idle."""

    call: Callable[[int], object] | None
    run: object


class _Outcome(NamedTuple):
    """How a job ended.

    Attributes:
        run: the run that it was a part of.
        error: what it raised.
        is_cause: whether it failed by itself, and not because another had.
    """

    run: object
    error: BaseException | None
    is_cause: bool


class _Queues(NamedTuple):
    """What goes between the caller and its threads."""

    jobs: tuple[SimpleQueue[_Job | None], ...]
    outcomes: SimpleQueue[_Outcome]


class Workers:
    """A fixed number of threads, started when they are first needed.

    Attributes:
        count: how many threads.
    """

    def __init__(self, count: int, abort: AbortWord) -> None:
        self.count = count
        self._abort = abort
        self._queues: _Queues | None = None
        self._placement = Placement(())
        self._end: weakref.finalize[..., Workers] | None = None
        self._is_running = False
        self._is_lost = False
        _ALL.add(self)

    def run(self, call: Callable[[int], object], *, brief: bool = False) -> None:
        """Call `call` with each thread's number, at the same time, and wait.

        Args:
            call: what each does.
            brief: whether it ends so soon that the calling thread may be the first of them, which nothing interrupts:
                waking one less counts then.

        Raises:
            BaseException: what a call raised, of those that failed first; KeyboardInterrupt.
            DeviceLostError: an earlier run was left to itself.
        """
        self.require_idle()
        queues = self._started()
        run = object()
        try:
            self._is_running = True
            self._placement.spread()
            others = queues.jobs[1:] if brief else queues.jobs
            for jobs in reversed(others):  # last the one that may wait until this thread sleeps
                jobs.put(_Job(call, run))
            outcomes = [_done(_Job(call, run), 0, self._abort)] if brief else []
            outcomes += self._collect(queues, run, len(others))
        except BaseException:
            self._abort.set()
            self._become_idle(queues)
            raise
        self._is_running = False
        failures = [outcome for outcome in outcomes if outcome.error is not None]
        if failures:
            self._abort.clear()
            causes = [outcome.error for outcome in failures if outcome.is_cause]
            raise (causes or [failures[0].error])[0]  # type: ignore[misc]

    def require_idle(self) -> None:
        """Raise unless all threads are known to be at rest.

        Raises:
            DeviceLostError: a run was left to itself.
        """
        if self._is_lost:
            raise DeviceLostError(
                "The threads of the WebAssembly device are still in a run that was interrupted twice, or were when "
                "this process was forked. What they compute with is lost; start anew."
            )

    def stop(self) -> None:
        """End the threads; the next run starts new ones."""
        if self._end is not None:
            self._end()
        self._queues = self._end = None

    def forked(self) -> None:
        """In a child process: the threads are not there."""
        if self._end is not None:
            self._end.detach()
        self._queues = self._end = None
        if self._is_running:
            self._is_lost = True

    def _started(self) -> _Queues:
        if self._queues is None:
            queues = _Queues(tuple(SimpleQueue() for _ in range(self.count)), SimpleQueue())
            self._abort.expect(self.count)
            threads = [
                threading.Thread(
                    target=_work, args=(number, queues, self._abort), name=f"tenfold-wasm-{number}", daemon=True
                )
                for number in range(self.count)
            ]
            for thread in threads:
                thread.start()
            self._placement = Placement([thread.native_id for thread in threads if thread.native_id is not None])
            # Also at the end of the process, where threads that are still alive would be stopped wherever they are.
            self._end = weakref.finalize(self, _end, queues, threads, self._abort)
            self._queues = queues
        return self._queues

    def _collect(self, queues: _Queues, run: object, count: int) -> list[_Outcome]:
        """So many outcomes of a run, first come first."""
        outcomes: list[_Outcome] = []
        while len(outcomes) < count:
            try:
                outcome = queues.outcomes.get(timeout=WAIT_SECONDS)
            except Empty:
                continue
            if outcome.run is run:  # and not of a run before, that was interrupted
                outcomes.append(outcome)
        return outcomes

    def _become_idle(self, queues: _Queues) -> None:
        """Wait until no thread has anything left to do, whatever it was given."""
        idle = object()
        try:
            for jobs in queues.jobs:
                jobs.put(_Job(None, idle))
            self._collect(queues, idle, len(queues.jobs))
        except BaseException:
            self._is_lost = True
            raise
        self._abort.clear()
        self._is_running = False


def _work(number: int, queues: _Queues, abort: AbortWord) -> None:
    """What a thread does until it is given None."""
    jobs = queues.jobs[number]
    while (job := jobs.get()) is not None:
        queues.outcomes.put(_done(job, number, abort))
        del job  # what it refers to is not this thread's to keep


def _done(job: _Job, number: int, abort: AbortWord) -> _Outcome:
    """Do a job; how it ended."""
    try:
        if job.call is not None:
            job.call(number)
    except BaseException as raised:
        is_cause = not abort.is_set()
        abort.set()
        return _Outcome(job.run, raised, is_cause)
    return _Outcome(job.run, None, False)


def _end(queues: _Queues, threads: list[threading.Thread], abort: AbortWord) -> None:
    for jobs in queues.jobs:
        jobs.put(None)
    if threading.current_thread() in threads:
        return
    for thread in threads:
        thread.join(END_SECONDS if not abort.is_set() else 0)


_ALL: weakref.WeakSet[Workers] = weakref.WeakSet()


def _after_fork() -> None:
    for workers in list(_ALL):
        workers.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
