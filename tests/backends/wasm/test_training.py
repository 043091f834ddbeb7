"""A small convolutional network learns digits on wasm as it does on the cpu backend: the same losses, step by step."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

import tenfold as tf

if TYPE_CHECKING:
    from tenfold.backends.wasm.backend import WasmBackend

STEPS = 30
BATCH = 16
SIDE = 14

SEGMENTS = ["abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg"]
"""The lit segments of each digit of a seven-segment display."""
BOXES = {
    "a": (slice(1, 3), slice(3, 11)),
    "b": (slice(2, 7), slice(9, 11)),
    "c": (slice(7, 12), slice(9, 11)),
    "d": (slice(11, 13), slice(3, 11)),
    "e": (slice(7, 12), slice(3, 5)),
    "f": (slice(2, 7), slice(3, 5)),
    "g": (slice(6, 8), slice(3, 11)),
}


def digits(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy pictures of digits `[count, side, side, 1]`, moved a little, and which they are, one-hot."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count)
    pictures = np.zeros((count, SIDE, SIDE, 1), np.float32)
    for picture, label in zip(pictures, labels, strict=True):
        for segment in SEGMENTS[label]:
            picture[BOXES[segment]] = 1
        picture[:] = np.roll(picture, rng.integers(-1, 2, 2), (0, 1))
    pictures += rng.normal(0, 0.2, pictures.shape).astype(np.float32)
    return pictures, np.eye(10, dtype=np.float32)[labels]


class Network:
    """Convolution, pooling, convolution with strides, a dense layer."""

    def __init__(self) -> None:
        rng = np.random.default_rng(11)
        shapes = [(3, 3, 1, 12), (12,), (3, 3, 12, 20), (20,), (4 * 4 * 20, 10), (10,)]
        self.parameters = []
        for shape in shapes:
            spread = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0
            self.parameters.append(tf.variable(tf.tensor(rng.normal(0, spread, shape).astype(np.float32))))

    def loss(self, pictures: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """The cross entropy of a batch."""
        first, bias, second, shift, dense, offset = self.parameters
        x = pictures.conv2d(first, 1, "same").add(bias).relu().max_pool(2, 2, "valid")
        x = x.conv2d(second, 2, "same").add(shift).relu()
        logits = x.reshape([pictures.shape[0], -1]).mat_mul(dense).add(offset)
        return tf.losses.softmax_cross_entropy(labels, logits)


def losses(make: Callable[[], tf.Optimizer], *, traced: bool) -> list[float]:
    """What the network loses at each step of its training on the active backend."""
    pictures, labels = digits(BATCH * 10, seed=3)
    network, optimizer = Network(), make()

    def step(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        cost = optimizer.minimize(lambda: network.loss(x, y), True, network.parameters)
        assert cost is not None
        return cost

    run = tf.function(step) if traced else step
    found = []
    for number in range(STEPS):
        rows = slice(number % 10 * BATCH, (number % 10 + 1) * BATCH)
        found.append(float(run(tf.tensor(pictures[rows]), tf.tensor(labels[rows])).numpy()))
    tf.dispose_variables()
    return found


OPTIMIZERS: dict[str, Callable[[], tf.Optimizer]] = {
    "adam": lambda: tf.train.adam(0.01),
    "momentum": lambda: tf.train.momentum(0.05, 0.9),
}


@cache
def expected(kind: str) -> list[float]:
    """What it loses on the cpu backend."""
    with tf.backend_scope("cpu"):
        return losses(OPTIMIZERS[kind], traced=False)


@pytest.mark.parametrize("traced", [False, True], ids=["op by op", "traced"])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_losses_are_those_of_the_cpu_backend(wasm: WasmBackend, kind: str, traced: bool) -> None:
    want = expected(kind)
    wasm.host_calls.clear()
    got = losses(OPTIMIZERS[kind], traced=traced)
    np.testing.assert_allclose(got, want, rtol=1e-3)
    assert not wasm.host_calls
    assert np.mean(got[-5:]) < 0.5 * np.mean(got[:5])
