"""Progress of loading: fractions from 0 to 1 that never go back, whoever counts and on whatever thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenfold.devices.host import run_in_thread

T = TypeVar("T")

FINEST_STEP = 0.001  # a model of thousands of tiny weights must not make thousands of reports

OnProgress = Callable[[float], object]


class Progress:
    """Counts what has been done of a total and reports the fraction.

    Args:
        on_progress: called with the fraction; None for nobody.
        total: how much there is to do, in any unit.

    Raises:
        ValueError: the total is not positive.
    """

    def __init__(self, on_progress: OnProgress | None, total: int) -> None:
        if total <= 0:
            raise ValueError(f"Progress: total must be positive, not {total}.")
        self._on_progress = on_progress
        self._total = total
        self._done = 0
        self._reported = -1.0

    def advance(self, amount: int) -> None:
        """Notes that `amount` more has been done."""
        self._done += amount
        self._report(min(self._done / self._total, 1.0))

    def finish(self) -> None:
        """Notes that all has been done."""
        self._report(1.0)

    def _report(self, fraction: float) -> None:
        due = self._reported + FINEST_STEP if fraction < 1.0 else self._reported
        if self._on_progress is not None and fraction > due:
            self._reported = fraction
            self._on_progress(fraction)


def part_of(on_progress: OnProgress | None, start: float, end: float) -> OnProgress | None:
    """A callback whose 0 to 1 are `start` to `end` of another's.

    Raises:
        ValueError: the two do not lie between 0 and 1 in this order.
    """
    if not 0.0 <= start <= end <= 1.0:
        raise ValueError(f"part_of: start {start} and end {end} must lie between 0 and 1 in this order.")
    if on_progress is None:
        return None
    return lambda fraction: on_progress(start + (end - start) * fraction)


async def run_with_progress(work: Callable[[OnProgress], T], on_progress: OnProgress | None) -> T:
    """Runs blocking work in a thread, and its reports on the event loop.

    Args:
        work: called with the callback that it must report to. That callback raises when the caller was
            cancelled or `on_progress` itself raised, so that work that nobody waits for ends soon.
        on_progress: called on the event loop's thread.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    failures: list[BaseException] = []

    def deliver(fraction: float) -> None:
        try:
            if on_progress is not None and not failures:
                on_progress(fraction)
        except Exception as error:
            failures.append(error)

    def report(fraction: float) -> None:
        if failures:
            raise failures[0]
        loop.call_soon_threadsafe(deliver, fraction)

    try:
        result = await run_in_thread(work, report)
    except asyncio.CancelledError as error:
        failures.append(error)
        raise
    if failures:
        raise failures[0]
    return result
