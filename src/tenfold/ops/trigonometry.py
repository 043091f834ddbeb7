"""Trigonometric and hyperbolic functions of each element, and their inverses.

All are defined for floats; int32 and bool are cast to float32.
"""

from __future__ import annotations

from tenfold.codegen.expr import function
from tenfold.core.conversion import TensorLike
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops.elementwise import elementwise_kernel, float_unary

# --- angles ------------------------------------------------------------------------------------------------


SIN = elementwise_kernel(
    "Sin",
    ("x",),
    lambda x: function("sin")(x),
    gradient=lambda dy, saved, _: [lambda: dy.mul(saved[0].cos())],
    saves=("x",),
)


@op(method=True)
def sin(x: TensorLike) -> Tensor:
    """The sine of each element.

    Args:
        x: angles in radians; tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Sin`.

    Example:
        >>> import tenfold as tf
        >>> tf.sin([0, 4]).array_sync()
        [0.0, -0.756802499294281]
    """
    return float_unary(SIN, "sin", x)


COS = elementwise_kernel(
    "Cos",
    ("x",),
    lambda x: function("cos")(x),
    gradient=lambda dy, saved, _: [lambda: dy.mul(saved[0].sin()).neg()],
    saves=("x",),
)


@op(method=True)
def cos(x: TensorLike) -> Tensor:
    """The cosine of each element.

    Args:
        x: angles in radians; tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Cos`.

    Example:
        >>> import tenfold as tf
        >>> tf.cos([0, 0.25]).array_sync()
        [1.0, 0.9689124226570129]
    """
    return float_unary(COS, "cos", x)


TAN = elementwise_kernel(
    "Tan",
    ("x",),
    lambda x: function("tan")(x),
    gradient=lambda dy, saved, _: [lambda: dy.mul(saved[0].square() + 1)],
    saves_output=True,
)


@op(method=True)
def tan(x: TensorLike) -> Tensor:
    """The tangent of each element.

    Args:
        x: angles in radians; tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Tan`.

    Example:
        >>> import tenfold as tf
        >>> tf.tan([0, 0.75]).array_sync()
        [0.0, 0.9315964579582214]
    """
    return float_unary(TAN, "tan", x)


ASIN = elementwise_kernel(
    "Asin",
    ("x",),
    lambda x: function("arcsin")(x),
    gradient=lambda dy, saved, _: [lambda: dy.div((1 - saved[0].square()).sqrt())],
    saves=("x",),
)


@op(method=True)
def asin(x: TensorLike) -> Tensor:
    """The inverse sine of each element, in radians; NaN beyond -1 and 1.

    Args:
        x: sines; tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Asin`.

    Example:
        >>> import tenfold as tf
        >>> tf.asin([0, 0.5]).array_sync()
        [0.0, 0.5235987901687622]
    """
    return float_unary(ASIN, "asin", x)


ACOS = elementwise_kernel(
    "Acos",
    ("x",),
    lambda x: function("arccos")(x),
    gradient=lambda dy, saved, _: [lambda: dy.div((1 - saved[0].square()).sqrt()).neg()],
    saves=("x",),
)


@op(method=True)
def acos(x: TensorLike) -> Tensor:
    """The inverse cosine of each element, in radians; NaN beyond -1 and 1.

    Args:
        x: cosines; tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Acos`.

    Example:
        >>> import tenfold as tf
        >>> tf.acos([1, 0.5]).array_sync()
        [0.0, 1.0471975803375244]
    """
    return float_unary(ACOS, "acos", x)


ATAN = elementwise_kernel(
    "Atan",
    ("x",),
    lambda x: function("arctan")(x),
    gradient=lambda dy, saved, _: [lambda: dy.div(saved[0].square() + 1)],
    saves=("x",),
)


@op(method=True)
def atan(x: TensorLike) -> Tensor:
    """The inverse tangent of each element, in radians.

    Args:
        x: tangents; tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Atan`.

    Example:
        >>> import tenfold as tf
        >>> tf.atan([0, 0.75]).array_sync()
        [0.0, 0.6435011029243469]
    """
    return float_unary(ATAN, "atan", x)


# --- hyperbolic ---------------------------------------------------------------------------------------------


SINH = elementwise_kernel(
    "Sinh",
    ("x",),
    lambda x: function("sinh")(x),
    gradient=lambda dy, saved, _: [lambda: dy.mul(saved[0].cosh())],
    saves=("x",),
)


@op(method=True)
def sinh(x: TensorLike) -> Tensor:
    """The hyperbolic sine of each element.

    Args:
        x: tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Sinh`.

    Example:
        >>> import tenfold as tf
        >>> tf.sinh([0, 1]).array_sync()
        [0.0, 1.175201177597046]
    """
    return float_unary(SINH, "sinh", x)


COSH = elementwise_kernel(
    "Cosh",
    ("x",),
    lambda x: function("cosh")(x),
    gradient=lambda dy, saved, _: [lambda: dy.mul(saved[0].sinh())],
    saves=("x",),
)


@op(method=True)
def cosh(x: TensorLike) -> Tensor:
    """The hyperbolic cosine of each element.

    Args:
        x: tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Cosh`.

    Example:
        >>> import tenfold as tf
        >>> tf.cosh([0, 1.5]).array_sync()
        [1.0, 2.352409601211548]
    """
    return float_unary(COSH, "cosh", x)


TANH = elementwise_kernel(
    "Tanh",
    ("x",),
    lambda x: function("tanh")(x),
    gradient=lambda dy, saved, _: [lambda: dy.mul(1 - saved[0].square())],
    saves_output=True,
)


@op(method=True)
def tanh(x: TensorLike) -> Tensor:
    """The hyperbolic tangent of each element.

    Args:
        x: tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Tanh`.

    Example:
        >>> import tenfold as tf
        >>> tf.tanh([0, 2]).array_sync()
        [0.0, 0.9640275835990906]
    """
    return float_unary(TANH, "tanh", x)


ASINH = elementwise_kernel(
    "Asinh",
    ("x",),
    lambda x: function("arcsinh")(x),
    gradient=lambda dy, saved, _: [lambda: dy.div((saved[0].square() + 1).sqrt())],
    saves=("x",),
)


@op(method=True)
def asinh(x: TensorLike) -> Tensor:
    """The inverse hyperbolic sine of each element.

    Args:
        x: tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Asinh`.

    Example:
        >>> import tenfold as tf
        >>> tf.asinh([0, 0.75]).array_sync()
        [0.0, 0.6931471824645996]
    """
    return float_unary(ASINH, "asinh", x)


ACOSH = elementwise_kernel(
    "Acosh",
    ("x",),
    lambda x: function("arccosh")(x),
    gradient=lambda dy, saved, _: [lambda: dy.div((saved[0].square() - 1).sqrt())],
    saves=("x",),
)


@op(method=True)
def acosh(x: TensorLike) -> Tensor:
    """The inverse hyperbolic cosine of each element; NaN below 1.

    Args:
        x: tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Acosh`.

    Example:
        >>> import tenfold as tf
        >>> tf.acosh([1, 3]).array_sync()
        [0.0, 1.7627471685409546]
    """
    return float_unary(ACOSH, "acosh", x)


ATANH = elementwise_kernel(
    "Atanh",
    ("x",),
    lambda x: function("arctanh")(x),
    gradient=lambda dy, saved, _: [lambda: dy.div(1 - saved[0].square())],
    saves=("x",),
)


@op(method=True)
def atanh(x: TensorLike) -> Tensor:
    """The inverse hyperbolic tangent of each element; infinite at -1 and 1, NaN beyond.

    Args:
        x: tensor of any numeric dtype and shape; int32 and bool are cast to float32.

    Returns:
        Tensor of the same shape, float32 (complex64 for complex numbers).

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings.

    Source: TensorFlow's `Atanh`.

    Example:
        >>> import tenfold as tf
        >>> tf.atanh([0, 0.5]).array_sync()
        [0.0, 0.5493061542510986]
    """
    return float_unary(ATANH, "atanh", x)
