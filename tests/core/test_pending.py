"""Pending results: awaited by several, given up, and those that never come."""

from __future__ import annotations

import asyncio

import pytest

from tenfold.core.pending import Pending


async def _five() -> int:
    await asyncio.sleep(0.001)
    return 5


def test_many_may_wait_and_one_may_give_up() -> None:
    async def both() -> int:
        pending = Pending(_five())
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(pending, 0)
        return await pending + await pending

    assert asyncio.run(both()) == 10


def test_a_result_outlives_its_event_loop() -> None:
    async def finished() -> Pending[int]:
        pending = Pending(_five())
        await pending
        return pending

    pending = asyncio.run(finished())
    assert pending.result() == 5


def test_a_result_whose_event_loop_ended_says_that_it_never_came() -> None:
    released: list[bool] = []

    async def forgotten() -> Pending[int]:
        return Pending(_five(), on_finish=lambda: released.append(True))

    pending = asyncio.run(forgotten())
    assert pending.done
    assert released == [True]
    with pytest.raises(RuntimeError, match="never came"):
        pending.result()


def test_a_forgotten_await_is_named() -> None:
    pending: Pending[str] = Pending.resolved("text")
    with pytest.raises(AttributeError, match=r"no 'upper'.*`await`.*`\.result\(\)`"):
        pending.upper()  # type: ignore[attr-defined]
