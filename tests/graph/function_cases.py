"""Functions that are traced on every backend: each must give what it gives eagerly."""

from __future__ import annotations

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

import tenfold as tf
from tests.ops.harness import error_of_scale


class Case(NamedTuple):
    """A function, and what it is called with, several times in turn."""

    name: str
    function: Callable[..., Any]
    calls: tuple[tuple[np.ndarray, ...], ...]


def spec(*shape: int, dtype: str = "float32") -> tf.TensorSpec:
    """What a tensor of that shape is like."""
    return tf.TensorSpec(shape, dtype)


def _floats(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def _chain(x: tf.Tensor) -> tf.Tensor:
    return x.mul(2.0).add(0.5).relu().exp()


def _perceptron(x: tf.Tensor, w: tf.Tensor, b: tf.Tensor) -> dict[str, Any]:
    hidden = x.mat_mul(w).add(b).relu()
    return {"hidden": hidden, "parts": (hidden.sum(), hidden.mean(0)), "name": "perceptron"}


def _convolution(x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
    return tf.max_pool(tf.conv2d(x, w, 1, "same").relu(), 2, 2, "valid")


def _gradient(x: tf.Tensor, w: tf.Tensor) -> list[tf.Tensor]:
    return tf.grads(lambda a, b: tf.tanh(a.mat_mul(b)).square().sum())([x, w])


def _second_derivative(x: tf.Tensor) -> tf.Tensor:
    return tf.grad(tf.grad(lambda y: y.mul(y).mul(y)))(x)


def _chosen_boxes(corners: tf.Tensor, sizes: tf.Tensor, scores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    boxes = tf.concat([corners, corners.add(sizes.abs())], 1)
    chosen = tf.image.non_max_suppression(boxes, scores, 4, 0.1)
    found = boxes.gather(chosen)
    return chosen, found.mul([2.0, 2.0, 3.0, 3.0]).add(1)


def _distinct(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    values, places = tf.unique(x.mul(4).floor())
    return values.add(0.25), places.add(1)


def _mixed_types(x: tf.Tensor, flags: tf.Tensor) -> list[tf.Tensor]:
    whole = x.mul(10).cast("int32")
    return [whole.mod(3), tf.where(flags, x, tf.zeros_like(x)), whole.greater(2).logical_and(flags)]


CASES = (
    Case("chain", _chain, ((_floats(5, 7),), (_floats(5, 7, seed=1),), (_floats(3),))),
    Case("perceptron", _perceptron, ((_floats(4, 8), _floats(8, 3), _floats(3)),) * 2),
    Case("convolution", _convolution, ((_floats(1, 6, 6, 3), _floats(3, 3, 3, 4)),) * 2),
    Case("gradient", _gradient, ((_floats(4, 8), _floats(8, 3)),) * 2),
    Case("second derivative", _second_derivative, ((_floats(6),),)),
    Case("boxes", _chosen_boxes, tuple((_floats(9, 2, seed=n), _floats(9, 2, seed=n + 1), _floats(9)) for n in (0, 5))),
    Case("distinct", _distinct, ((_floats(10),), (_floats(10, seed=3),), (np.zeros(10, np.float32),))),
    Case("types", _mixed_types, ((_floats(12), _floats(12) > 0),)),
    Case("empty", _chain, ((_floats(0, 3),), (_floats(),))),
)


def check(case: Case) -> None:
    """A traced function gives what it gives eagerly, and leaves nothing behind."""
    traced = tf.function(case.function)
    for arrays in case.calls:
        with tf.tidy():
            tensors = [tf.tensor(array) for array in arrays]
            compare(traced(*tensors), case.function(*tensors))
    gc.collect()  # what tests before this one have left in cycles
    before = tf.memory()
    for arrays in case.calls:
        with tf.tidy():
            traced(*map(tf.tensor, arrays))
    after = tf.memory()
    assert (after.num_tensors, after.num_bytes) == (before.num_tensors, before.num_bytes)


def compare(got: Any, want: Any) -> None:
    """Two structures are equal, up to rounding."""
    assert type(got) is type(want)
    if isinstance(want, dict):
        assert list(got) == list(want)
        got, want = list(got.values()), list(want.values())
    if isinstance(want, (list, tuple)):
        assert len(got) == len(want)
        for ours, theirs in zip(got, want, strict=True):
            compare(ours, theirs)
    elif isinstance(want, tf.Tensor):
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
        bound = 1e-4 if want.dtype == "float32" else 0
        assert error_of_scale(got.numpy(), want.numpy()) <= bound
    else:
        assert got == want


class SmallNetwork:
    """A convolution and a dense layer that learn which of three classes a picture is of."""

    def __init__(self, optimizer: Any) -> None:
        shapes = ((3, 3, 1, 4), (4,), (36, 3), (3,))
        self.weights = [tf.variable(tf.tensor(_floats(*shape, seed=n) * 0.4)) for n, shape in enumerate(shapes)]
        self.optimizer = optimizer

    def step(self, pictures: tf.Tensor, labels: tf.Tensor) -> Any:
        """Change the weights once; the loss before."""
        filters, offsets, dense, bias = self.weights

        def loss() -> tf.Tensor:
            seen = tf.max_pool(tf.conv2d(pictures, filters, 1, "valid").add(offsets).relu(), 2, 2, "valid")
            return tf.losses.softmax_cross_entropy(labels, seen.reshape((-1, 36)).mat_mul(dense).add(bias))

        return self.optimizer.minimize(loss, return_cost=True)

    def train(self, step: Callable[..., Any], count: int) -> list[float]:
        """The losses of so many steps; the rate is halved in the middle."""
        losses = []
        for number in range(count):
            if number == count // 2:
                self.optimizer.learning_rate *= 0.5
            pictures, labels = _floats(8, 8, 8, 1, seed=number), np.eye(3, dtype=np.float32)[np.arange(8) % 3]
            with tf.tidy():
                losses.append(step(tf.tensor(pictures), tf.tensor(labels)).item())
        return losses

    def dispose(self) -> None:
        """Give up the weights and what the optimizer keeps."""
        tf.dispose(self.weights)
        self.optimizer.dispose()


def check_training(make_optimizer: Callable[[], Any], count: int = 6) -> None:
    """A traced step of training gives the losses and weights that it gives eagerly."""
    results = []
    for wrap in (lambda step: step, tf.function):
        network = SmallNetwork(make_optimizer())
        losses = network.train(wrap(network.step), count)
        results.append((losses, [weight.numpy().copy() for weight in network.weights], network.optimizer.iterations))
        network.dispose()
    (eager_losses, eager_weights, eager_count), (losses, weights, steps) = results
    np.testing.assert_allclose(losses, eager_losses, rtol=1e-4)
    for got, want in zip(weights, eager_weights, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-5)
    assert steps == eager_count == count


def check_threads() -> None:
    """Several threads trace and call one function at once."""
    traced = tf.function(lambda x, n: x.mul(n).add(1).sum())
    expected = {(size, n): size * n * 2 + size for size in (1, 3, 40) for n in (0, 2)}

    def work(_: int) -> bool:
        return all(traced(tf.fill([size], 2.0), n).item() == value for (size, n), value in expected.items())

    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(work, range(9)))
    assert traced.trace_count == len(expected)


def check_steps_in_threads() -> None:
    """Several threads call functions that read a variable and assign to it, and another that only reads it."""
    total = tf.variable(tf.zeros([3]))
    count = tf.function(lambda x: total.assign(total.add(x)))
    look = tf.function(lambda x: total.add(x))

    def work(_: int) -> None:
        with tf.tidy():
            for _ in range(25):
                count(tf.ones([3]))
                assert len({*look(tf.ones([3])).array_sync()}) == 1

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(6)))
    assert total.array_sync() == [150] * 3
    total.dispose()
