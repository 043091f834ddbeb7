"""The table of samples on the webgl backend: values against NumPy, gradients against the cpu backend's in float64."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import tenfold as tf
from tests.ops.harness import Sample, check_value, double, error_of_scale, of_floats
from tests.ops.test_samples import DIFFERENTIABLE, SAMPLES

if TYPE_CHECKING:
    from tenfold.backends.webgl.backend import WebglBackend

TOLERANCE = 1e-3
SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)

LARGE_ANGLES = "GLSL ES 3.00 leaves it to the driver how exact the sine of a large number is"
DRIVER_DEPENDENT = {
    **{f"{name}-{label}": LARGE_ANGLES for name in ("sin", "cos", "tan") for label in ("odd", "extreme integers")},
    "cast-odd to int": "GLSL ES 3.00 does not say which integer a float is that int32 cannot hold",
}
"""Samples that another driver may pass, with the reason."""


def _without_denormals(argument: Any) -> Any:
    """Drivers may take denormal numbers for zero (GLSL ES 3.00, 4.5.1), so samples have zeros there."""
    if not isinstance(argument, np.ndarray) or argument.dtype.kind != "f":
        return argument
    return np.where((np.abs(argument) < SMALLEST_NORMAL) & (argument != 0), argument.dtype.type(0), argument)


def _adapted(sample: Sample) -> Sample:
    args = tuple(_without_denormals(argument) for argument in sample.args)
    return replace(sample, args=args, tolerance=max(sample.tolerance, TOLERANCE))


def _parameter(sample: Sample) -> object:
    reason = DRIVER_DEPENDENT.get(str(sample))
    marks = [pytest.mark.xfail(reason=reason, strict=False)] if reason else []
    return pytest.param(_adapted(sample), id=str(sample), marks=marks)


@pytest.mark.parametrize("sample", [_parameter(sample) for sample in SAMPLES])
def test_value(webgl: WebglBackend, sample: Sample) -> None:
    check_value(sample)


@pytest.mark.parametrize("sample", DIFFERENTIABLE, ids=str)
def test_gradients(webgl: WebglBackend, sample: Sample) -> None:
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


def test_the_exceptions_are_samples() -> None:
    assert set(map(str, SAMPLES)) >= DRIVER_DEPENDENT.keys()
    assert len(DRIVER_DEPENDENT) < 0.01 * len(SAMPLES)
