"""Functions of each element on its own that keep its dtype: sign, rounding, clipping; and what kind of number it is.

int32 stays int32, and bools count as int32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tenfold.codegen.expr import Expr, constant, function, select
from tenfold.core.conversion import TensorLike
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import complex_numbers, operands
from tenfold.ops.elementwise import cast_to, elementwise_kernel, scalar_like, unary

Thunks = Sequence[Callable[[], Tensor] | None]

maximum, minimum = function("maximum"), function("minimum")
absolute, sign_of = function("absolute"), function("sign")
is_nan_of = function("isnan")

INT32 = np.iinfo(np.int32)


def zero_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    """The gradient of a function that is constant wherever it is smooth."""
    return [lambda: ENGINE.zeros(dy.shape, dy.dtype)]


def _kind(name: str, integers: str) -> Callable[[Expr], Expr]:
    """A test for special numbers. Integers are never special: there a comparison with itself gives the answer."""
    test, comparison = function(name), function(integers)
    return lambda x: comparison(x, x) if x.dtype in ("int32", "bool") else test(x)


def _unless_whole(name: str) -> Callable[[Expr], Expr]:
    """A rounding function, which leaves integers as they are."""
    rounded = function(name)
    return lambda x: x if x.dtype in ("int32", "bool") else rounded(x)


# --- abs, neg, sign ----------------------------------------------------------------------------------------


ABS = elementwise_kernel(
    "Abs",
    ("x",),
    lambda x: absolute(x),
    gradient=lambda dy, saved, _: [lambda: dy.mul(cast_to(saved[0].sign(), dy.dtype))],
    saves=("x",),
)


def _complex_abs_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    """Along the number, of the length of `dy`; 0 at 0."""
    (x,) = saved

    def along() -> Tensor:
        share = dy.div_no_nan(x.abs())
        return complex_numbers.complex_(complex_numbers.real(x).mul(share), complex_numbers.imag(x).mul(share))

    return [along]


COMPLEX_ABS = elementwise_kernel(
    "ComplexAbs", ("x",), lambda x: absolute(x), gradient=_complex_abs_gradient, saves=("x",), result="float32"
)


@op(method=("abs", "__abs__"))
def abs(x: TensorLike) -> Tensor:
    """The absolute value of each element.

    Args:
        x: tensor of any numeric dtype and shape.

    Returns:
        Tensor of the same shape and dtype; float32 for complex numbers, int32 for bools.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Abs` and `ComplexAbs`.

    Example:
        >>> import tenfold as tf
        >>> tf.abs([-1, 2, -3]).array_sync()
        [1.0, 2.0, 3.0]
    """
    tensor = operands.number(x, "abs")
    return unary(COMPLEX_ABS if tensor.dtype == "complex64" else ABS, "abs", tensor)


NEG = elementwise_kernel("Neg", ("x",), lambda x: -x, gradient=lambda dy, saved, _: [lambda: dy.neg()])


@op(method=("neg", "__neg__"))
def neg(x: TensorLike) -> Tensor:
    """Each element with the opposite sign.

    Args:
        x: tensor of any numeric dtype and shape.

    Returns:
        Tensor of the same shape and dtype; int32 for bools.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Neg`.

    Example:
        >>> import tenfold as tf
        >>> tf.neg([1, -2]).array_sync()
        [-1.0, 2.0]
    """
    return unary(NEG, "neg", operands.number(x, "neg"))


SIGN = elementwise_kernel(
    "Sign",
    ("x",),
    lambda x: sign_of(x) if x.dtype == "int32" else select(is_nan_of(x), 0, sign_of(x)),
    gradient=zero_gradient,
)


@op(method=True)
def sign(x: TensorLike) -> Tensor:
    """1 for each positive element, -1 for each negative one, 0 for zero and NaN.

    Args:
        x: tensor of any real dtype and shape.

    Returns:
        Tensor of the same shape and dtype; int32 for bools.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.

    Source: TensorFlow's `Sign`.

    Example:
        >>> import tenfold as tf
        >>> tf.sign([0.6, -3.3, 0]).array_sync()
        [1.0, -1.0, 0.0]
    """
    return unary(SIGN, "sign", operands.real(x, "sign"))


# --- rounding ----------------------------------------------------------------------------------------------


CEIL = elementwise_kernel("Ceil", ("x",), _unless_whole("ceil"), gradient=zero_gradient)


@op(method=True)
def ceil(x: TensorLike) -> Tensor:
    """The least whole number that is not less than each element.

    Args:
        x: tensor of any real dtype and shape.

    Returns:
        Tensor of the same shape and dtype; int32 for bools.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.

    Source: TensorFlow's `Ceil`.

    Example:
        >>> import tenfold as tf
        >>> tf.ceil([0.6, 1.1, -3.3]).array_sync()
        [1.0, 2.0, -3.0]
    """
    return unary(CEIL, "ceil", operands.real(x, "ceil"))


FLOOR = elementwise_kernel("Floor", ("x",), _unless_whole("floor"), gradient=zero_gradient)


@op(method=True)
def floor(x: TensorLike) -> Tensor:
    """The greatest whole number that is not greater than each element.

    Args:
        x: tensor of any real dtype and shape.

    Returns:
        Tensor of the same shape and dtype; int32 for bools.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.

    Source: TensorFlow's `Floor`.

    Example:
        >>> import tenfold as tf
        >>> tf.floor([0.6, 1.1, -3.3]).array_sync()
        [0.0, 1.0, -4.0]
    """
    return unary(FLOOR, "floor", operands.real(x, "floor"))


ROUND = elementwise_kernel("Round", ("x",), _unless_whole("rint"), gradient=zero_gradient)


@op(method=True)
def round(x: TensorLike) -> Tensor:
    """The nearest whole number to each element, the even one of two that are equally near.

    Args:
        x: tensor of any real dtype and shape.

    Returns:
        Tensor of the same shape and dtype; int32 for bools.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.

    Source: TensorFlow's `Round`.

    Example:
        >>> import tenfold as tf
        >>> tf.round([0.5, 1.5, -3.3]).array_sync()
        [0.0, 2.0, -3.0]
    """
    return unary(ROUND, "round", operands.real(x, "round"))


def _clipped(x: Expr, *, clip_value_min: float, clip_value_max: float) -> Expr:
    low, high = clip_value_min, clip_value_max
    if x.dtype == "int32":
        low, high = (float(np.clip(np.trunc(bound), INT32.min, INT32.max)) for bound in (low, high))
    return minimum(maximum(x, low), high)


def _clip_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    x, zero = saved[0], scalar_like(0, dy)
    above, below = x.greater_equal(attributes["clip_value_min"]), x.less_equal(attributes["clip_value_max"])
    return [lambda: dy.where(above, zero).where(below, zero)]


CLIP_BY_VALUE = elementwise_kernel("ClipByValue", ("x",), _clipped, gradient=_clip_gradient, saves=("x",))


@op(method=True)
def clip_by_value(x: TensorLike, clip_value_min: float, clip_value_max: float) -> Tensor:
    """Each element, or the bound that it lies beyond; NaN stays.

    Args:
        x: tensor of any real dtype and shape.
        clip_value_min: the lower bound.
        clip_value_max: the upper bound.

    Returns:
        Tensor of the same shape and dtype; int32 for bools.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.
        ValueError: if the lower bound is above the upper one.

    Source: TensorFlow's `ClipByValue`.

    Example:
        >>> import tenfold as tf
        >>> tf.clip_by_value([-1, 2, -3, 4], -2, 3).array_sync()
        [-1.0, 2.0, -2.0, 3.0]
    """
    tensor = operands.real(x, "clip_by_value")
    low, high = float(clip_value_min), float(clip_value_max)
    if not ENV.is_true("PROD") and not low <= high:
        raise ValueError(
            f"clip_by_value: argument 'clip_value_min' ({clip_value_min}) must be less than or equal to "
            f"'clip_value_max' ({clip_value_max})."
        )
    return unary(CLIP_BY_VALUE, "clip_by_value", tensor, {"clip_value_min": low, "clip_value_max": high})


# --- step --------------------------------------------------------------------------------------------------


def _step(x: Expr, *, alpha: float) -> Expr:
    stepped = select(x > 0, constant(1, x.dtype), constant(alpha, x.dtype))
    return stepped if x.dtype == "int32" else select(is_nan_of(x), x, stepped)


STEP = elementwise_kernel("Step", ("x",), _step, gradient=zero_gradient)


@op(method=True)
def step(x: TensorLike, alpha: float = 0.0) -> Tensor:
    """1 for each positive element and `alpha` for the others; NaN stays.

    Args:
        x: tensor of any real dtype and shape.
        alpha: what stands for elements that are not positive.

    Returns:
        Tensor of the same shape and dtype; int32 for bools.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.

    Source: TensorFlow.js's kernel `Step`.

    Example:
        >>> import tenfold as tf
        >>> tf.step([0, 2, -1, -3], 0.5).array_sync()
        [0.5, 1.0, 0.5, 0.5]
    """
    return unary(STEP, "step", operands.real(x, "step"), {"alpha": float(alpha)})


# --- kinds of numbers --------------------------------------------------------------------------------------


IS_NAN = elementwise_kernel("IsNan", ("x",), _kind("isnan", "not_equal"), gradient=zero_gradient, result="bool")


@op(method=True)
def is_nan(x: TensorLike) -> Tensor:
    """Whether each element is NaN.

    Args:
        x: tensor of any numeric dtype and shape.

    Returns:
        bool tensor of the same shape.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `IsNan`.

    Example:
        >>> import tenfold as tf
        >>> tf.is_nan([float("nan"), float("inf"), 1]).array_sync()
        [True, False, False]
    """
    return unary(IS_NAN, "is_nan", x)


IS_INF = elementwise_kernel("IsInf", ("x",), _kind("isinf", "not_equal"), gradient=zero_gradient, result="bool")


@op(method=True)
def is_inf(x: TensorLike) -> Tensor:
    """Whether each element is infinity or minus infinity.

    Args:
        x: tensor of any numeric dtype and shape.

    Returns:
        bool tensor of the same shape.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `IsInf`.

    Example:
        >>> import tenfold as tf
        >>> tf.is_inf([float("nan"), float("inf"), 1]).array_sync()
        [False, True, False]
    """
    return unary(IS_INF, "is_inf", x)


IS_FINITE = elementwise_kernel("IsFinite", ("x",), _kind("isfinite", "equal"), gradient=zero_gradient, result="bool")


@op(method=True)
def is_finite(x: TensorLike) -> Tensor:
    """Whether each element is neither NaN nor infinite.

    Args:
        x: tensor of any numeric dtype and shape.

    Returns:
        bool tensor of the same shape.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `IsFinite`.

    Example:
        >>> import tenfold as tf
        >>> tf.is_finite([float("nan"), float("inf"), 1]).array_sync()
        [False, False, True]
    """
    return unary(IS_FINITE, "is_finite", x)
