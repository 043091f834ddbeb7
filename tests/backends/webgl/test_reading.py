"""Reading from the device: without blocking the event loop, once for all who ask, whatever becomes of the tensor."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.backends.webgl.reading import FencedTransfer
from tests.backends.webgl.test_backend import floats, on_device

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend


@pytest.fixture
def reads(webgl: WebglBackend, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The reads that the device is asked for."""
    seen: list[Any] = []
    start = webgl.commands._device.start_read_flat

    def counted(*args: Any) -> Any:
        seen.append(args)
        return start(*args)

    monkeypatch.setattr(webgl.commands._device, "start_read_flat", counted)
    return seen


async def read_while_counting(*tensors: tf.Tensor) -> tuple[list[np.ndarray], int]:
    """The data of tensors, read at the same time, and how often the event loop did something else meanwhile."""
    turns = 0
    reading = asyncio.gather(*(tensor.data() for tensor in tensors))
    while not reading.done():
        turns += 1
        await asyncio.sleep(0.001)
    return list(await reading), turns


def long_chain(webgl: WebglBackend) -> tf.Tensor:
    """A tensor that takes some time to compute."""
    x = on_device(floats(500, 500))
    for _ in range(4):
        x = tf.mat_mul(x, x).mul(1e-3)
    return x


def test_the_event_loop_goes_on(webgl: WebglBackend) -> None:
    x = long_chain(webgl)
    (values,), turns = asyncio.run(read_while_counting(x))
    assert values.shape == (250_000,)
    assert turns > 3
    assert np.array_equal(values, x.data_sync())


def test_reads_at_the_same_time_are_one(webgl: WebglBackend, reads: list[Any]) -> None:
    x = long_chain(webgl)
    found, _ = asyncio.run(read_while_counting(x, x, x.reshape([250_000]), x))
    assert len(reads) == 1
    assert all(np.array_equal(values, found[0]) for values in found)
    assert x.storage.data.transfer is None


def test_a_blocking_read_joins_one_that_is_under_way(webgl: WebglBackend, reads: list[Any]) -> None:
    async def both() -> bool:
        x = long_chain(webgl)
        pending = x.data()
        await asyncio.sleep(0)
        return np.array_equal(x.data_sync(), await pending)

    assert asyncio.run(both())
    assert len(reads) == 1


def test_few_values_are_read_once(webgl: WebglBackend, reads: list[Any]) -> None:
    x = on_device(floats(4)).square()
    first = x.data_sync()
    assert np.array_equal(first, x.data_sync())
    assert np.array_equal(first, asyncio.run(x.data()._wait()))
    assert len(reads) == 1


def test_disposal_waits_for_the_read(webgl: WebglBackend) -> None:
    async def dispose_while_reading() -> tuple[np.ndarray, int, int]:
        x = long_chain(webgl)
        want = x.data_sync().copy()
        before = webgl.num_data_ids()
        pending = x.data()
        await asyncio.sleep(0)
        x.dispose()
        # What takes a texture of the same size must not get this one.
        other = on_device(np.full((500, 500), 7, np.float32))
        values = await pending
        other.dispose()
        return np.abs(values - want).max(), before, webgl.num_data_ids()

    difference, before, after = asyncio.run(dispose_while_reading())
    assert difference == 0
    assert after < before


def test_who_gives_up_waiting_stops_nobody_else(webgl: WebglBackend) -> None:
    async def give_up() -> np.ndarray:
        x = long_chain(webgl)
        impatient, patient = asyncio.ensure_future(wait(x)), asyncio.ensure_future(wait(x))
        await asyncio.sleep(0)
        impatient.cancel()
        values = await patient
        with pytest.raises(asyncio.CancelledError):
            await impatient
        return values

    async def wait(x: tf.Tensor) -> np.ndarray:
        values: np.ndarray = await x.data()
        return values

    assert asyncio.run(give_up()).shape == (250_000,)


def test_a_read_that_nobody_waits_for_keeps_nothing(webgl: WebglBackend) -> None:
    tf.memory()
    before = webgl.num_data_ids()

    async def leave() -> None:
        x = long_chain(webgl)
        task = asyncio.ensure_future(webgl.read(x.storage))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave())
    deadline = time.monotonic() + 20
    while webgl.num_data_ids() > before and time.monotonic() < deadline:
        tf.memory()
        time.sleep(0.01)
    assert webgl.num_data_ids() == before


def test_errors_of_the_device_reach_who_waits(webgl: WebglBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    x = on_device(floats(600))

    def fail(*_: Any) -> Any:
        raise tf.BackendError("the read failed")

    with monkeypatch.context() as patch:
        patch.setattr(webgl.commands._device, "start_read_flat", fail)
        with pytest.raises(tf.BackendError, match="the read failed"):
            asyncio.run(x.data()._wait())
    assert x.data_sync().shape == (600,)


# --- by fences -----------------------------------------------------------------------------------------------


class SlowRead:
    """A read that is done at the third question."""

    def __init__(self) -> None:
        self.questions = 0
        self.fetched = 0

    def is_done(self) -> bool:
        self.questions += 1
        return self.questions > 2

    def values(self) -> np.ndarray:
        self.fetched += 1
        return np.arange(3, dtype=np.float32)


def test_a_fence_is_asked_again_and_again(webgl: WebglBackend) -> None:
    read = SlowRead()
    transfer = FencedTransfer(webgl.commands, read, lambda numbers: numbers * 2)

    async def wait_twice() -> list[np.ndarray]:
        return list(await asyncio.gather(transfer.wait(), transfer.wait()))

    first, second = asyncio.run(wait_twice())
    assert first.tolist() == second.tolist() == transfer.values().tolist() == [0, 2, 4]
    assert read.fetched == 1
    assert read.questions == 3


def test_drivers_whose_reads_do_not_block_need_no_thread(webgl: WebglBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webgl, "limits", replace(webgl.limits, fences=True, reads_block=False))
    x = on_device(floats(30, 30)).square()
    before = threading.active_count()
    (values, again), _ = asyncio.run(read_while_counting(x, x))
    assert threading.active_count() == before
    assert np.array_equal(values, x.data_sync())
    assert np.array_equal(again, values)
