"""Second derivatives: the gradient of the gradient of each differentiable op, by finite differences.

Where the backward pass runs a kernel that TensorFlow.js gives no gradient either, there is none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest

import tenfold as tf
from tests.ops.harness import Sample, differences, double, error_of_scale, of_floats
from tests.ops.test_samples import DIFFERENTIABLE

LARGEST = 60
"""Elements of the largest sample that is differentiated twice: each costs two backward passes."""

CONSTANT_BY_PIECES = {"ceil", "floor", "round", "sign", "step", "zeros_like", "ones_like"}
"""Their first gradients are zeros that depend on nothing."""

ONCE_ONLY = {
    "avg_pool",
    "avg_pool3d",
    "dilation2d",
    "image.resize_bilinear",
    "image.resize_nearest_neighbor",
    "local_response_normalization",
    "max_pool",
    "max_pool3d",
    "pool",
}
"""Their backward passes run kernels without a gradient, as in TensorFlow.js."""

OTHERWISE = {"mod"}
"""The gradient of a remainder holds a floor, whose slope TensorFlow.js takes for that of the quotient."""


def _smallest_by_op() -> dict[str, Sample]:
    sizes: dict[str, list[tuple[int, Sample]]] = defaultdict(list)
    for sample in DIFFERENTIABLE:
        run, inputs = of_floats(sample)
        size = sum(array.size for array in inputs)
        if 1 < size <= LARGEST and run(*map(double, inputs)).size:
            sizes[sample.op].append((size, sample))
    return {op: min(group, key=lambda pair: pair[0])[1] for op, group in sizes.items()}


SMALLEST = _smallest_by_op()


def slope_of(op: str) -> tuple[Callable[..., tf.Tensor], list[np.ndarray]]:
    """A scalar of the first gradients of an op, as a function of its inputs; and those."""
    once, inputs = of_floats(SMALLEST[op])
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.5, 1.5, once(*map(double, inputs)).shape)
    more_weights = [rng.uniform(0.5, 1.5, array.shape) for array in inputs]

    def run(*tensors: tf.Tensor) -> tf.Tensor:
        """The square of the result, so that the backward pass of a linear op depends on the inputs, too."""
        return tf.square(once(*tensors))

    def slope(*tensors: tf.Tensor) -> tf.Tensor:
        gradients = tf.grads(run)(list(tensors), double(weights))
        return tf.add_n([tf.sum(g.mul(double(w))) for g, w in zip(gradients, more_weights, strict=True)])

    return slope, inputs


@pytest.mark.parametrize("op", sorted(SMALLEST.keys() - CONSTANT_BY_PIECES - ONCE_ONLY - OTHERWISE))
def test_second_gradients(op: str) -> None:
    slope, inputs = slope_of(op)
    expected = differences(lambda *arrays: float(slope(*map(double, arrays)).numpy()), inputs, 1e-6)
    found = tf.grads(slope)(list(map(double, inputs)))
    for gradient, want in zip(found, expected, strict=True):
        assert error_of_scale(gradient.numpy(), want) <= 1e-4


@pytest.mark.parametrize("op", sorted(ONCE_ONLY))
def test_ops_without_a_second_gradient_say_so(op: str) -> None:
    slope, inputs = slope_of(op)
    with pytest.raises(tf.GradientNotFoundError, match=r"Cannot compute a gradient: the kernel '.*' has none"):
        tf.grads(slope)(list(map(double, inputs)))
