"""Every registered gradient is held against finite differences: in the samples, or here where no sample can say it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import tenfold as tf
from tenfold.core import autodiff
from tenfold.core.autodiff import TapeNode
from tenfold.core.kernel import _gradients
from tests.ops.harness import differences, double, error_of_scale, of_floats
from tests.ops.test_samples import SAMPLES

RNG = np.random.default_rng(11)

# Noted before any test runs, since tests and examples register gradients of their own.
REGISTERED = set(_gradients)

EXCEPTIONS = {
    "FloorDiv": "takes the gradient of the division, as TensorFlow.js does; its own is zero nearly everywhere"
}


def numbers(*shape: int) -> np.ndarray:
    return np.asarray(RNG.uniform(0.5, 2, shape) * RNG.choice([-1, 1], shape))


def kernel(name: str, **attributes: Any) -> Callable[..., Any]:
    return lambda *inputs: tf.run_kernel(name, inputs, attributes)


def single(array: np.ndarray) -> tf.Tensor:
    return tf.tensor(np.asarray(array, np.float32))


WINDOW = {"strides": (1, 2), "pad": "same", "data_format": "NHWC", "dim_rounding_mode": None}

# Functions of double-precision tensors: a name, the function, and two sets of shapes of its arguments.
DOUBLE: dict[str, tuple[Callable[..., tf.Tensor], list[list[tuple[int, ...]]]]] = {
    "AddN": (lambda *xs: tf.add_n(list(xs)), [[(2, 3)] * 3, [()]]),
    "Conv2DBackpropFilter": (
        kernel("Conv2DBackpropFilter", **WINDOW, dilations=(1, 1), filter_shape=(2, 2, 2, 3)),
        [[(1, 4, 4, 2), (1, 4, 2, 3)], [(2, 3, 5, 2), (2, 3, 3, 3)]],
    ),
    "Conv3DBackpropFilterV2": (
        kernel("Conv3DBackpropFilterV2", strides=(1, 1, 1), pad="valid", filter_shape=(2, 1, 2, 1, 2)),
        [[(1, 3, 2, 3, 1), (1, 2, 2, 2, 2)], [(2, 2, 3, 2, 1), (2, 1, 3, 1, 2)]],
    ),
    "DepthwiseConv2dNativeBackpropFilter": (
        kernel(
            "DepthwiseConv2dNativeBackpropFilter",
            strides=(1, 1),
            pad="same",
            dilations=(1, 1),
            dim_rounding_mode=None,
            filter_shape=(2, 2, 2, 1),
        ),
        [[(1, 3, 3, 2), (1, 3, 3, 2)], [(2, 2, 4, 2), (2, 2, 4, 2)]],
    ),
    "DepthwiseConv2dNativeBackpropInput": (
        kernel(
            "DepthwiseConv2dNativeBackpropInput",
            strides=(1, 1),
            pad="same",
            dilations=(1, 1),
            dim_rounding_mode=None,
            input_shape=(1, 3, 3, 2),
        ),
        [[(1, 3, 3, 2), (2, 2, 2, 1)], [(1, 3, 3, 2), (3, 1, 2, 1)]],
    ),
    "SparseFillEmptyRows": (
        lambda values: tf.sparse.sparse_fill_empty_rows([[0, 0], [2, 1]], values, [4, 2], 0.0).output_values,
        [[(2,)], [(2,)]],
    ),
    "ArgMax": (lambda x: tf.arg_max(x, 0).cast("float64"), [[(4,)], [(3, 2)]]),
    "ArgMin": (lambda x: tf.arg_min(x, 0).cast("float64"), [[(4,)], [(3, 2)]]),
    "GreaterEqual": (lambda x, y: x.greater_equal(y).cast("float64"), [[(4,), (4,)], [(2, 3), (3,)]]),
    "Less": (lambda x, y: x.less(y).cast("float64"), [[(4,), (4,)], [(2, 3), (3,)]]),
    "LessEqual": (lambda x, y: x.less_equal(y).cast("float64"), [[(4,), (4,)], [(2, 3), (3,)]]),
    "IsInf": (lambda x: x.is_inf().cast("float64"), [[(4,)], [(2, 2)]]),
    "IsNan": (lambda x: x.is_nan().cast("float64"), [[(4,)], [(2, 2)]]),
    "OneHot": (lambda x: tf.one_hot(x.cast("int32"), 3).cast("float64"), [[(4,)], [(2, 2)]]),
}

# Functions of float32 tensors, for complex numbers have no double precision. The linear ones bear a long step.
SINGLE: dict[str, tuple[Callable[..., tf.Tensor], float]] = {
    "Complex, Real": (lambda x, y: tf.real(tf.complex(x, y)).mul(3).add(tf.imag(tf.complex(y, x))), 0.5),
    "Imag": (lambda x, y: tf.imag(tf.complex(x, y)), 0.5),
    "ComplexAbs": (lambda x, y: tf.abs(tf.complex(x, y)), 1e-2),
    "FFT": (lambda x, y: tf.real(tf.spectral.fft(tf.complex(x, y))), 0.5),
    "IFFT": (lambda x, y: tf.imag(tf.spectral.ifft(tf.complex(x, y))), 0.5),
    "RFFT": (lambda x, y: tf.imag(tf.spectral.rfft(x)).add(tf.real(tf.spectral.rfft(y))), 0.5),
    "IRFFT": (lambda x, y: tf.spectral.irfft(tf.complex(x, y)), 0.5),
}


def check(
    f: Callable[..., tf.Tensor],
    arrays: Sequence[np.ndarray],
    make: Callable[[np.ndarray], tf.Tensor],
    step: float,
    tolerance: float,
) -> None:
    """Hold the gradients of `f` against central differences."""
    weights = RNG.uniform(0.5, 1.5, f(*map(make, arrays)).shape)
    found = tf.grads(f)(list(map(make, arrays)), make(weights))

    def weighted(*changed: np.ndarray) -> float:
        return float((f(*map(make, changed)).numpy().astype(np.float64) * weights).sum())

    for gradient, expected in zip(found, differences(weighted, arrays, step), strict=True):
        error = error_of_scale(gradient.numpy(), expected)
        assert error <= tolerance, f"error {error}; got {gradient.numpy()}, expected {expected}"


@pytest.mark.parametrize("name", DOUBLE)
@pytest.mark.parametrize("which", [0, 1])
def test_in_double_precision(name: str, which: int) -> None:
    f, shapes = DOUBLE[name]
    check(f, [numbers(*shape) for shape in shapes[which % len(shapes)]], double, 1e-6, 1e-5)


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("shape", [(4,), (2, 6)])
def test_of_complex_numbers(name: str, shape: tuple[int, ...]) -> None:
    f, step = SINGLE[name]
    check(f, [numbers(*shape), numbers(*shape)], single, step, 1e-3)


def test_every_gradient_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a differentiable sample or by a function above; those that differ on purpose say why."""
    walked: set[str] = set()
    back_propagate = autodiff.back_propagate

    def watch(gradients: dict[int, tf.Tensor], nodes: Sequence[TapeNode]) -> None:
        walked.update(node.name for node in nodes)
        back_propagate(gradients, nodes)

    monkeypatch.setattr(autodiff, "back_propagate", watch)
    for sample in SAMPLES:
        if sample.differentiable:
            f, inputs = of_floats(sample)
            tf.grads(f)(list(map(double, inputs)))
    for function, shapes in DOUBLE.values():
        tf.grads(function)([double(numbers(*shape)) for shape in shapes[0]])
    for function, _ in SINGLE.values():
        tf.grads(function)([single(numbers(4)), single(numbers(4))])
    assert REGISTERED - walked - set(EXCEPTIONS) == set()
