"""Powers, roots, exponentials, logarithms and the error function of each element.

Functions that are defined for floats cast int32 and bool to float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import pi

from tenfold.codegen.expr import Expr, constant, function
from tenfold.core.conversion import TensorLike
from tenfold.core.kernel import Attributes
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import operands
from tenfold.ops.elementwise import cast_to, elementwise_kernel, float_unary, unary

Thunks = Sequence[Callable[[], Tensor] | None]

maximum, minimum = function("maximum"), function("minimum")
exp_of, sqrt_of = function("exp"), function("sqrt")

# --- powers and roots --------------------------------------------------------------------------------------


SQUARE = elementwise_kernel(
    "Square",
    ("x",),
    lambda x: x * x,
    gradient=lambda dy, saved, _: [lambda: dy.mul(cast_to(saved[0], dy.dtype)) * 2],
    saves=("x",),
)


@op(method=True)
def square(x: TensorLike) -> Tensor:
    """The square of each element.

    Args:
        x: tensor of any numeric dtype and shape.

    Returns:
        Tensor of the same shape and dtype; int32 for bools.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Square`.

    Example:
        >>> import tenfold as tf
        >>> tf.square([1, -2, 3]).array_sync()
        [1.0, 4.0, 9.0]
    """
    return unary(SQUARE, "square", operands.number(x, "square"))


SQRT = elementwise_kernel(
    "Sqrt",
    ("x",),
    lambda x: sqrt_of(x),
    gradient=lambda dy, saved, _: [lambda: dy.div(saved[0] * 2)],
    saves_output=True,
)


@op(method=True)
def sqrt(x: TensorLike) -> Tensor:
    """The square root of each element; NaN for negative ones.

    Args:
        x: tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Sqrt`.

    Example:
        >>> import tenfold as tf
        >>> tf.sqrt([1, 4, 9]).array_sync()
        [1.0, 2.0, 3.0]
    """
    return float_unary(SQRT, "sqrt", x)


RSQRT = elementwise_kernel(
    "Rsqrt",
    ("x",),
    lambda x: 1 / sqrt_of(x),
    gradient=lambda dy, saved, _: [lambda: dy.mul(saved[0].square().mul(saved[0])) * -0.5],
    saves_output=True,
)


@op(method=True)
def rsqrt(x: TensorLike) -> Tensor:
    """One over the square root of each element; infinity for zero, NaN for negative ones.

    Args:
        x: tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Rsqrt`.

    Example:
        >>> import tenfold as tf
        >>> tf.rsqrt([1, 4, 16]).array_sync()
        [1.0, 0.5, 0.25]
    """
    return float_unary(RSQRT, "rsqrt", x)


RECIPROCAL = elementwise_kernel(
    "Reciprocal",
    ("x",),
    lambda x: function("reciprocal")(x),
    gradient=lambda dy, saved, _: [lambda: dy.div(cast_to(saved[0], dy.dtype).square()).neg()],
    saves=("x",),
)


@op(method=True)
def reciprocal(x: TensorLike) -> Tensor:
    """One over each element; infinity for zero, and truncated for int32.

    Args:
        x: tensor of any numeric dtype and shape.

    Returns:
        Tensor of the same shape and dtype; int32 for bools.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Reciprocal`.

    Example:
        >>> import tenfold as tf
        >>> tf.reciprocal([1, 2, 4]).array_sync()
        [1.0, 0.5, 0.25]
    """
    return unary(RECIPROCAL, "reciprocal", operands.number(x, "reciprocal"))


# --- exponentials and logarithms ---------------------------------------------------------------------------


EXP = elementwise_kernel(
    "Exp",
    ("x",),
    lambda x: exp_of(x),
    gradient=lambda dy, saved, _: [lambda: dy.mul(saved[0])],
    saves_output=True,
)


@op(method=True)
def exp(x: TensorLike) -> Tensor:
    """e to the power of each element.

    Args:
        x: tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Exp`.

    Example:
        >>> import tenfold as tf
        >>> tf.exp([0, 3]).array_sync()
        [1.0, 20.08553695678711]
    """
    return float_unary(EXP, "exp", x)


EXPM1 = elementwise_kernel(
    "Expm1",
    ("x",),
    lambda x: function("expm1")(x),
    gradient=lambda dy, saved, _: [lambda: dy.mul(saved[0].exp())],
    saves=("x",),
)


@op(method=True)
def expm1(x: TensorLike) -> Tensor:
    """e to the power of each element, minus 1; precise near 0.

    Args:
        x: tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Expm1`.

    Example:
        >>> import tenfold as tf
        >>> tf.expm1([0, 3]).array_sync()
        [0.0, 19.08553695678711]
    """
    return float_unary(EXPM1, "expm1", x)


LOG = elementwise_kernel(
    "Log",
    ("x",),
    lambda x: function("log")(x),
    gradient=lambda dy, saved, _: [lambda: dy.div(saved[0])],
    saves=("x",),
)


@op(method=True)
def log(x: TensorLike) -> Tensor:
    """The natural logarithm of each element; minus infinity for zero, NaN for negative ones.

    Args:
        x: tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Log`.

    Example:
        >>> import tenfold as tf
        >>> tf.log([1, 2]).array_sync()
        [0.0, 0.6931471824645996]
    """
    return float_unary(LOG, "log", x)


LOG1P = elementwise_kernel(
    "Log1p",
    ("x",),
    lambda x: function("log1p")(x),
    gradient=lambda dy, saved, _: [lambda: dy.div(saved[0] + 1)],
    saves=("x",),
)


@op(method=True)
def log1p(x: TensorLike) -> Tensor:
    """The natural logarithm of 1 plus each element; precise near 0.

    Args:
        x: tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Log1p`.

    Example:
        >>> import tenfold as tf
        >>> tf.log1p([0, 1]).array_sync()
        [0.0, 0.6931471824645996]
    """
    return float_unary(LOG1P, "log1p", x)


# The error function on [-3.92, 3.92], beyond which it is ±1 in float32, as x * p(x²) / q(x²): the ratio with the least
# relative error, 2e-8, among those of this degree. Coefficients rise with the power.
_ERF_BOUND = 3.92
_ERF_P = (
    1.1283791065216064,
    0.19040608406066895,
    0.0527486652135849,
    3.7655988708138466e-3,
    2.848820586223155e-4,
    2.0500867776718223e-6,
)
_ERF_Q = (
    1.0,
    0.502075731754303,
    0.11410894989967346,
    0.014969180338084698,
    1.1625306215137243e-3,
    3.8091675378382206e-5,
)


def _erf(x: Expr) -> Expr:
    def polynomial(coefficients: Sequence[float]) -> Expr:
        *rest, last = coefficients
        return reduce(lambda value, c: value * t + c, reversed(rest), constant(last, x.dtype))

    inside = minimum(maximum(x, -_ERF_BOUND), _ERF_BOUND)
    t = inside * inside
    return minimum(maximum(inside * polynomial(_ERF_P) / polynomial(_ERF_Q), -1), 1)


def _erf_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    return [lambda: dy.mul(saved[0].square().neg().exp()) * (2 / pi**0.5)]


ERF = elementwise_kernel("Erf", ("x",), _erf, gradient=_erf_gradient, saves=("x",))


@op(method=True)
def erf(x: TensorLike) -> Tensor:
    """The Gauss error function of each element, 2/√π times the integral of exp(-t²) from 0 to it.

    Args:
        x: tensor of any real dtype and shape; int32 and bool are cast to float32.

    Returns:
        float32 tensor of the same shape, exact to about 3 units in the last place.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.

    Source: TensorFlow's `Erf`.

    Example:
        >>> import tenfold as tf
        >>> tf.erf([0, 0.25, -9]).array_sync()
        [0.0, 0.27632638812065125, -1.0]
    """
    return unary(ERF, "erf", operands.real_float(x, "erf"))
