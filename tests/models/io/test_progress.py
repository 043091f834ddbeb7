"""Counting progress (IO-13)."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tenfold.models.io.progress import OnProgress, Progress, part_of, run_with_progress


def test_io_13_each_of_n_steps_moves_the_fraction_evenly() -> None:
    seen: list[float] = []
    progress = Progress(seen.append, 4)
    for _ in range(4):
        progress.advance(1)
    progress.finish()
    assert seen == [0.25, 0.5, 0.75, 1.0]


def test_io_13_from_start_to_end() -> None:
    seen: list[float] = []
    progress = Progress(part_of(seen.append, 0.2, 0.6), 2)
    progress.advance(1)
    progress.advance(5)
    assert seen == pytest.approx([0.4, 0.6])
    assert part_of(None, 0, 1) is None


@pytest.mark.parametrize(("start", "end"), [(-0.1, 1), (0, 1.1), (0.6, 0.5), (float("nan"), 1)])
def test_io_13_fractions_out_of_range_or_reversed(start: float, end: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        part_of(print, start, end)


@pytest.mark.parametrize("total", [0, -1])
def test_io_13_nothing_to_do(total: int) -> None:
    with pytest.raises(ValueError, match="total must be positive"):
        Progress(None, total)


def test_tiny_steps_are_reported_a_thousand_times_at_most() -> None:
    seen: list[float] = []
    progress = Progress(seen.append, 50_000)
    for _ in range(50_000):
        progress.advance(1)
    assert 900 < len(seen) <= 1001
    assert seen[-1] == 1.0


def test_reports_of_a_thread_arrive_on_the_loops_thread() -> None:
    threads: list[tuple[float, int]] = []

    def work(report: OnProgress) -> str:
        assert threading.get_ident() != main
        report(0.5)
        report(1.0)
        return "done"

    main = threading.get_ident()
    result = asyncio.run(run_with_progress(work, lambda fraction: threads.append((fraction, threading.get_ident()))))
    assert result == "done"
    assert threads == [(0.5, main), (1.0, main)]


def test_work_that_nobody_waits_for_ends_at_its_next_report() -> None:
    started, ended = threading.Event(), threading.Event()

    def work(report: OnProgress) -> None:
        started.set()
        try:
            while True:
                report(0.1)
        finally:
            ended.set()

    async def run() -> None:
        task = asyncio.ensure_future(run_with_progress(work, None))
        while not started.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert ended.wait(5)
