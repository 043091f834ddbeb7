"""Samples of `ops/basic_math.py`, `ops/powers.py`, `ops/trigonometry.py` and `ops/activations.py`.

References work in double precision and are rounded to float32 at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from tests.ops.harness import Sample
from tests.ops.samples_arithmetic import BOOLS, EXTREME, ODD, floats

Array = np.ndarray


class Function(NamedTuple):
    """A function of one tensor.

    Attributes:
        op: its name.
        reference: the same in NumPy or SciPy.
        low: least argument of the domain, for random arguments.
        high: greatest argument.
        smooth: whether finite differences give its gradient.
        result: `float` casts int32 to float32, `same` keeps int32.
    """

    op: str
    reference: Callable[..., Any]
    low: float = -2.5
    high: float = 2.5
    smooth: bool = True
    result: str = "float"


def _selu(x: Array) -> Array:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return np.where(x > 0, scale * x, scale * alpha * np.expm1(np.minimum(x, 0)))


def _nan_is_zero(x: Array) -> Array:
    return np.where(np.isnan(x), 0, np.sign(x))


FUNCTIONS = [
    Function("abs", np.abs, result="same"),
    Function("neg", np.negative, result="same"),
    Function("sign", _nan_is_zero, result="same"),
    Function("ceil", np.ceil, result="same"),
    Function("floor", np.floor, result="same"),
    Function("round", np.round, result="same"),
    Function("square", np.square, result="same"),
    Function("sqrt", np.sqrt, 0.1),
    Function("rsqrt", lambda x: 1 / np.sqrt(x), 0.1),
    Function("exp", np.exp),
    Function("expm1", np.expm1),
    Function("log", np.log, 0.1),
    Function("log1p", np.log1p, -0.9),
    Function("erf", special.erf, -1.5, 1.5),
    Function("sin", np.sin),
    Function("cos", np.cos),
    Function("tan", np.tan, -1.2, 1.2),
    Function("asin", np.arcsin, -0.95, 0.95),
    Function("acos", np.arccos, -0.95, 0.95),
    Function("atan", np.arctan),
    Function("sinh", np.sinh),
    Function("cosh", np.cosh),
    Function("tanh", np.tanh),
    Function("asinh", np.arcsinh),
    Function("acosh", np.arccosh, 1.1),
    Function("atanh", np.arctanh, -0.95, 0.95),
    Function("relu", lambda x: np.maximum(x, 0), result="same"),
    Function("relu6", lambda x: np.clip(x, 0, 6), high=8, result="same"),
    Function("elu", lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    Function("selu", _selu),
    Function("sigmoid", special.expit),
    Function("hard_sigmoid", lambda x: np.clip(0.2 * x + 0.5, 0, 1), -4, 4),
    Function("softplus", lambda x: np.logaddexp(0, x)),
    Function("log_sigmoid", lambda x: -np.logaddexp(0, -x)),
]


def rounded(reference: Callable[..., Any], x: Array, *args: Any, **kwargs: Any) -> Array:
    """The reference in double precision, rounded."""
    with np.errstate(all="ignore"):
        return np.asarray(reference(x.astype(np.float64), *args, **kwargs)).astype(np.float32)


def _whole(reference: Callable[..., Any], x: Array, *args: Any, **kwargs: Any) -> Array:
    """The reference of integers that stay integers."""
    with np.errstate(all="ignore"):
        return np.asarray(reference(x.astype(np.int64), *args, **kwargs)).astype(np.int64).astype(np.int32)


def _from_float32(reference: Callable[..., Any], x: Array) -> Array:
    """The reference of integers that are cast to float32 first."""
    return rounded(reference, x.astype(np.float32))


def _samples(function: Function) -> list[Sample]:
    name, reference, low, high, smooth, result = function
    on_integers = partial(_whole if result == "same" else _from_float32, reference)
    return [
        *(
            Sample(name, (floats(*shape, low=low, high=high),), partial(rounded, reference), differentiable=smooth)
            for shape in [(), (7,), (2, 3), (0, 3), (1, 2, 1, 2, 1, 2)]
        ),
        Sample(name, (ODD,), partial(rounded, reference), label="odd"),
        Sample(name, (floats(5, low=-90, high=90),), partial(rounded, reference), label="large", tolerance=1e-4),
        Sample(name, (EXTREME,), on_integers, label="extreme integers", tolerance=1e-4),
        Sample(name, (BOOLS,), on_integers, label="bools"),
    ]


EDGES = np.array([-3, -2, -0.5, 0, 0.5, 2, 5, 6, 7], np.float32)
SIGNED = floats(3, 4)

SAMPLES = [
    *(sample for function in FUNCTIONS for sample in _samples(function)),
    Sample("abs", (np.array([3 + 4j, -1j, np.inf], np.complex64),), np.abs, label="complex"),
    Sample("neg", (np.array([3 + 4j, -1j], np.complex64),), np.negative, label="complex"),
    Sample("reciprocal", (floats(2, 3, low=0.5),), lambda x: 1 / x, differentiable=True),
    Sample("reciprocal", (ODD,), partial(rounded, lambda x: 1 / x), label="odd"),
    Sample("reciprocal", (np.array([1, 2, -1, 5], np.int32),), lambda x: np.array([1, 0, -1, 0]), label="integers"),
    Sample("round", (np.array([0.5, 1.5, 2.5, -0.5, -1.5], np.float32),), np.rint, label="ties"),
    *(
        Sample(name, (ODD,), reference, label="odd")
        for name, reference in [("is_nan", np.isnan), ("is_inf", np.isinf), ("is_finite", np.isfinite)]
    ),
    *(
        Sample(name, (values,), reference, label=values.dtype.name)
        for name, reference in [("is_nan", np.isnan), ("is_inf", np.isinf), ("is_finite", np.isfinite)]
        for values in (EXTREME, BOOLS)
    ),
    Sample("step", (EDGES,), lambda x: (x > 0).astype(np.float32), label="edges"),
    Sample("step", (SIGNED, 0.5), lambda x, alpha: np.where(x > 0, 1, alpha), differentiable=True),
    Sample(
        "step", (np.array([np.nan, 1, -1], np.float32), -2.0), lambda x, alpha: np.array([np.nan, 1, -2]), label="nan"
    ),
    Sample("step", (EXTREME,), lambda x: (x > 0).astype(np.int32), label="integers"),
    Sample("clip_by_value", (EDGES, -1.0, 5.5), lambda x, low, high: np.clip(x, low, high), differentiable=True),
    Sample("clip_by_value", (ODD, -1.0, np.inf), lambda x, low, high: np.clip(x, low, high), label="odd"),
    Sample("clip_by_value", (EXTREME, -5, 1e12), lambda x, low, high: np.maximum(x, -5), label="integers"),
    Sample("clip_by_value", (EDGES, 2, 2), lambda x, low, high: np.full_like(x, 2), label="one value"),
    Sample("leaky_relu", (SIGNED,), lambda x: np.where(x < 0, 0.2 * x, x), differentiable=True),
    Sample("leaky_relu", (EXTREME, 0.5), lambda x, alpha: np.where(x < 0, alpha * x, x), label="integers"),
    *(
        Sample("prelu", (x, alpha), lambda x, alpha: np.where(x < 0, alpha * x, x), differentiable=True)
        for x, alpha in [
            (SIGNED, floats(3, 4)),
            (SIGNED, floats(4)),
            (floats(2, 3, 4), floats(3, 1)),
            (SIGNED, floats()),
        ]
    ),
    Sample("prelu", (EXTREME, floats()), lambda x, alpha: np.where(x < 0, alpha * x, x), label="integers"),
    Sample("softplus", (np.array([-1000, -80, 0, 80, 1000], np.float32),), lambda x: np.logaddexp(0, x), label="wide"),
    Sample("log_sigmoid", (np.array([-1000, 1000], np.float32),), lambda x: np.array([-1000.0, 0]), label="wide"),
    Sample("erf", (np.linspace(-6, 6, 999, dtype=np.float32),), special.erf, label="fine", tolerance=5e-7),
    Sample("erf", (np.logspace(-30, 0, 50, dtype=np.float32) * 1e-3,), special.erf, label="tiny", tolerance=5e-7),
]
