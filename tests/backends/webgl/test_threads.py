"""Several threads on one context: each op and read may come from any of them."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

import tenfold as tf
from tenfold.devices.gl.interface import FLOAT32
from tenfold.graph.program import Program
from tests.backends.webgl.test_backend import floats, on_device
from tests.graph.builder import GraphBuilder

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenfold.backends.webgl.backend import WebglBackend


def work(seed: int) -> float:
    """Ops of several kinds; gives how far the result is from NumPy's."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-1, 1, (2, 30 + seed, 40)).astype(np.float32)
    worst = 0.0
    for _ in range(5):
        with tf.tidy():
            y = tf.tensor(a).add(b).mul(2.0).softmax().sum(0)
            sums = np.exp(2 * (a + b))
            want = (sums / sums.sum(1, keepdims=True)).sum(0)
            worst = max(worst, float(np.abs(y.numpy() - want).max()))
    return worst


def test_threads_share_the_backend(webgl: WebglBackend) -> None:
    with ThreadPoolExecutor(6) as pool:
        assert max(pool.map(work, range(12))) < 1e-4


def test_what_one_thread_asks_for_another_reads(webgl: WebglBackend) -> None:
    x = on_device(floats(20, 20)).square().add(1.0)
    seen: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: seen.append(x.numpy()))
    thread.start()
    thread.join()  # this thread has used the device, and does nothing now
    np.testing.assert_allclose(seen[0], x.numpy())


def test_a_thread_that_ends_leaves_the_device_behind(webgl: WebglBackend) -> None:
    made: list[tf.Tensor] = []

    def make() -> None:
        made.append(on_device(np.ones((9, 9), np.float32)).add(1.0))
        made[0].data_sync()

    for _ in range(3):
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
    assert (made[0].add(made[1]).numpy() == 4).all()


def test_coroutines_and_threads_at_once(webgl: WebglBackend) -> None:
    async def read(seed: int) -> float:
        a = np.random.default_rng(seed).uniform(-1, 1, (64, 64)).astype(np.float32)
        x = on_device(a)
        values = await tf.mat_mul(x, x).data()
        return float(np.abs(values.reshape(64, 64) - a @ a).max())

    async def everything() -> list[float]:
        threads = [asyncio.to_thread(work, seed) for seed in range(4)]
        return list(await asyncio.gather(*threads, *map(read, range(8))))

    assert max(asyncio.run(everything())) < 1e-3


def test_inputs_that_threads_share_are_uploaded_once(webgl: WebglBackend) -> None:
    shared = tf.tensor(floats(64, 64))
    used = webgl.textures.textures_used
    start = threading.Barrier(6)

    def square(_: int) -> tf.Tensor:
        start.wait()
        return shared.square()

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(square, range(6)))
    assert webgl.textures.textures_used == used + 7
    assert all(np.array_equal(result.numpy(), results[0].numpy()) for result in results)


def test_threads_share_a_plan(webgl: WebglBackend) -> None:
    build = GraphBuilder()
    x = build.input("x")
    weights = floats(6, 5)
    product = build.add("BatchMatMul", x, build.constant(weights), transpose_a=False, transpose_b=False)
    program = Program(build.graph(build.add("Softmax", build.add("Relu", product))))

    def run(seed: int) -> float:
        values = np.random.default_rng(seed).uniform(-1, 1, (4, 6)).astype(np.float32)
        worst = 0.0
        for _ in range(5):
            (result,) = program.run({"x": tf.tensor(values)})
            exps = np.exp(np.maximum(values @ weights, 0))
            assert isinstance(result, tf.Tensor)
            worst = max(worst, float(np.abs(result.numpy() - exps / exps.sum(1, keepdims=True)).max()))
        return worst

    with ThreadPoolExecutor(5) as pool:
        assert max(pool.map(run, range(10))) < 1e-5


def give_back_small(webgl: WebglBackend) -> None:
    texture = webgl.textures.take(3, 5, 1, FLOAT32)
    webgl.textures.delete_above = 0
    webgl.textures.give_back(texture)


@pytest.mark.parametrize(
    "ask",
    [
        lambda webgl: webgl.programs.get("out vec4 y; void main() { y = vec4(17); }", ()),
        lambda webgl: webgl.textures.take(3, 7, 1, FLOAT32),
        give_back_small,
        lambda webgl: webgl.commands.add(lambda device: None),
    ],
)
def test_nobody_who_waits_for_the_device_has_a_lock(
    webgl: WebglBackend, monkeypatch: pytest.MonkeyPatch, ask: Callable[[WebglBackend], object]
) -> None:
    webgl.textures.give_back(webgl.textures.take(3, 5, 1, FLOAT32))
    monkeypatch.setattr(webgl.commands, "longest", 1)
    monkeypatch.setattr(webgl.textures, "delete_above", -1)
    thread = threading.Thread(target=ask, args=(webgl,))
    with webgl.commands.device():  # as plans that go have it while they give back what they had
        thread.start()
        thread.join(0.1)
        assert thread.is_alive()
        for lock in (webgl.programs._lock, webgl.textures._lock):
            assert lock.acquire(timeout=1)
            lock.release()
    thread.join()


def test_finalisers_do_not_wait(webgl: WebglBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    build = GraphBuilder()
    held = [Program(build.graph(build.add("Relu", build.input("x"))))]
    held[0].run({"x": tf.tensor(floats(40, 40))})
    webgl.finish()
    used = webgl.textures.textures_used
    monkeypatch.setattr(webgl.commands, "longest", 1)
    thread = threading.Thread(target=lambda: (held.clear(), gc.collect()))
    with webgl.commands.device():
        thread.start()
        thread.join(5)
        assert not thread.is_alive()
    webgl.finish()
    assert webgl.textures.textures_used < used


def test_slices_are_read_while_others_compute(webgl: WebglBackend) -> None:
    x = on_device(np.arange(4000, dtype=np.float32).reshape(1000, 4))

    def read(start: int) -> bool:
        part = x.slice([start, 0], [100, 4])
        return np.array_equal(part.numpy(), np.arange(4 * start, 4 * start + 400).reshape(100, 4))

    def compute(_: int) -> bool:
        y = x
        for _ in range(200):
            y = y.add(1.0)
        return float(y.sum().item()) > 0

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(read, start) for start in range(0, 40, 4)]
        futures += [pool.submit(compute, number) for number in range(4)]
        futures += [pool.submit(read, start) for start in range(100, 140, 4)]
        assert all(future.result(timeout=120) for future in futures)
