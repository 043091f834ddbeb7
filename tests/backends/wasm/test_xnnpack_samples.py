"""The table of samples with TensorFlow.js's own kernels where it has them: values against NumPy, gradients too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import tenfold as tf
from tests.ops.harness import Sample, check_value, double, error_of_scale, of_floats
from tests.ops.test_samples import DIFFERENTIABLE, SAMPLES

if TYPE_CHECKING:
    from tenfold.backends.wasm.xnnpack.backend import XnnpackBackend

TOLERANCE = 1e-3


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_value(xnnpack: XnnpackBackend, sample: Sample) -> None:
    check_value(replace(sample, tolerance=max(sample.tolerance, TOLERANCE)))


@pytest.mark.parametrize("sample", DIFFERENTIABLE, ids=str)
def test_gradients(xnnpack: XnnpackBackend, sample: Sample) -> None:
    run, inputs = of_floats(sample)
    with tf.backend_scope("cpu"):
        doubles = list(map(double, inputs))
        weights = np.random.default_rng(0).uniform(0.5, 1.5, run(*doubles).shape)
        expected = [gradient.numpy() for gradient in tf.grads(run)(doubles, double(weights))]
    singles = [tf.tensor(array.astype(np.float32)) for array in inputs]
    found = tf.grads(run)(singles, tf.tensor(weights.astype(np.float32)))
    for number, (gradient, want) in enumerate(zip(found, expected, strict=True)):
        error = error_of_scale(gradient.numpy(), want)
        assert error <= TOLERANCE, f"input {number}: error {error}; got {gradient.numpy()}, expected {want}"
