"""Activation functions of neural networks, element by element.

Those that are defined for floats cast int32 and bool to float32; the rectifiers keep int32 and take bools as int32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenfold.codegen.expr import Expr, function, select
from tenfold.core.conversion import TensorLike
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import operands
from tenfold.ops.broadcasting import sum_to_shape
from tenfold.ops.elementwise import check_broadcast, elementwise_kernel, match_types, scalar_like, unary

Thunks = Sequence[Callable[[], Tensor] | None]

maximum, minimum = function("maximum"), function("minimum")
absolute, exp_of, expm1_of, log1p_of = function("absolute"), function("exp"), function("expm1"), function("log1p")

# --- relu, relu6, leaky_relu, prelu ------------------------------------------------------------------------


def _relu_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    return [lambda: dy.where(saved[0].greater(0), scalar_like(0, dy))]


RELU = elementwise_kernel("Relu", ("x",), lambda x: maximum(x, 0), gradient=_relu_gradient, saves_output=True)


@op(method=True)
def relu(x: TensorLike) -> Tensor:
    """Each element, or 0 where it is negative (rectified linear unit).

    Args:
        x: tensor of any real dtype and shape.

    Returns:
        Tensor of the same shape and dtype; int32 for bools.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.

    Source: TensorFlow's `Relu`.

    Example:
        >>> import tenfold as tf
        >>> tf.relu([-1, 2, -3, 4]).array_sync()
        [0.0, 2.0, 0.0, 4.0]
    """
    return unary(RELU, "relu", operands.real(x, "relu"))


def _relu6_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    x, zero = saved[0], scalar_like(0, dy)
    return [lambda: dy.where(x.greater(0), zero).where(x.less_equal(6), zero)]


RELU6 = elementwise_kernel("Relu6", ("x",), lambda x: minimum(maximum(x, 0), 6), gradient=_relu6_gradient, saves=("x",))


@op(method=True)
def relu6(x: TensorLike) -> Tensor:
    """Each element, or 0 where it is negative, and at most 6.

    Args:
        x: tensor of any real dtype and shape.

    Returns:
        Tensor of the same shape and dtype; int32 for bools.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.

    Source: TensorFlow's `Relu6`.

    Example:
        >>> import tenfold as tf
        >>> tf.relu6([-1, 2, 8]).array_sync()
        [0.0, 2.0, 6.0]
    """
    return unary(RELU6, "relu6", operands.real(x, "relu6"))


def _leaky_relu(x: Expr, *, alpha: float) -> Expr:
    return select(x < 0, x * alpha, x)


def _leaky_relu_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    return [lambda: dy.where(saved[0].greater(0), dy * attributes["alpha"])]


LEAKY_RELU = elementwise_kernel("LeakyRelu", ("x",), _leaky_relu, gradient=_leaky_relu_gradient, saves=("x",))


@op(method=True)
def leaky_relu(x: TensorLike, alpha: float = 0.2) -> Tensor:
    """Each element, or `alpha` times it where it is negative.

    Args:
        x: tensor of any real dtype and shape; int32 and bool are cast to float32.
        alpha: the slope for negative elements.

    Returns:
        float32 tensor of the same shape.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.

    Source: Maas et al., "Rectifier Nonlinearities Improve Neural Network Acoustic Models" (2013); TensorFlow's
    `LeakyRelu`.

    Example:
        >>> import tenfold as tf
        >>> tf.leaky_relu([-1, 2, -4], 0.5).array_sync()
        [-0.5, 2.0, -2.0]
    """
    return unary(LEAKY_RELU, "leaky_relu", operands.real_float(x, "leaky_relu"), {"alpha": float(alpha)})


def _prelu_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    x, alpha = saved
    positive = x.greater(0)
    return [
        lambda: sum_to_shape(dy.where(positive, dy.mul(alpha)), x.shape),
        lambda: sum_to_shape(scalar_like(0, dy).where(positive, dy.mul(x)), alpha.shape),
    ]


PRELU = elementwise_kernel(
    "Prelu",
    ("x", "alpha"),
    lambda x, alpha: select(x < 0, x * alpha, x),
    gradient=_prelu_gradient,
    saves=("x", "alpha"),
)


@op(method=True)
def prelu(x: TensorLike, alpha: TensorLike) -> Tensor:
    """Each element, or its own learned slope times it where it is negative.

    Args:
        x: tensor of any real dtype and shape; int32 and bool are cast to float32.
        alpha: slopes for negative elements; its shape broadcasts with that of `x`.

    Returns:
        float32 tensor of the broadcast shape.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not broadcast.

    Source: He et al., "Delving Deep into Rectifiers" (2015).

    Example:
        >>> import tenfold as tf
        >>> tf.prelu([-1, 2, -4], [0.5, 0.5, 0.25]).array_sync()
        [-0.5, 2.0, -1.0]
    """
    tensor, slopes = match_types(operands.real_float(x, "prelu"), operands.real_float(alpha, "prelu", "alpha"))
    if tensor.shape != slopes.shape:
        check_broadcast("prelu", tensor, slopes)
    return ENGINE.run_kernel(PRELU.name, (tensor, slopes))


# --- elu, selu ---------------------------------------------------------------------------------------------


def _elu_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    y = saved[0]
    return [lambda: dy.where(y.greater_equal(0), dy.mul(y + 1))]


ELU = elementwise_kernel(
    "Elu", ("x",), lambda x: select(x >= 0, x, expm1_of(x)), gradient=_elu_gradient, saves_output=True
)


@op(method=True)
def elu(x: TensorLike) -> Tensor:
    """Each element, or exp(x) - 1 where it is negative (exponential linear unit).

    Args:
        x: tensor of any real dtype and shape; int32 and bool are cast to float32.

    Returns:
        float32 tensor of the same shape.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.

    Source: Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units" (2015).

    Example:
        >>> import tenfold as tf
        >>> tf.elu([-1, 1, 2]).array_sync()
        [-0.6321205496788025, 1.0, 2.0]
    """
    return unary(ELU, "elu", operands.real_float(x, "elu"))


# The fixed point of mean 0 and variance 1 fixes both, see the appendix of the paper.
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


def _selu(x: Expr) -> Expr:
    return select(x >= 0, x * _SELU_SCALE, expm1_of(x) * (_SELU_SCALE * _SELU_ALPHA))


def _selu_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    x = saved[0]
    return [lambda: (dy * _SELU_SCALE).where(x.greater(0), dy.mul(x.exp()) * (_SELU_SCALE * _SELU_ALPHA))]


SELU = elementwise_kernel("Selu", ("x",), _selu, gradient=_selu_gradient, saves=("x",))


@op(method=True)
def selu(x: TensorLike) -> Tensor:
    """The scaled exponential linear unit: 1.0507 x, or 1.7581 (exp(x) - 1) where x is negative.

    Args:
        x: tensor of any real dtype and shape; int32 and bool are cast to float32.

    Returns:
        float32 tensor of the same shape.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.

    Source: Klambauer et al., "Self-Normalizing Neural Networks" (2017).

    Example:
        >>> import tenfold as tf
        >>> tf.selu([-1, 2]).array_sync()
        [-1.1113307476043701, 2.1014020442962646]
    """
    return unary(SELU, "selu", operands.real_float(x, "selu"))


# --- sigmoid, hard_sigmoid, softplus, log_sigmoid ----------------------------------------------------------


def _sigmoid_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    y = saved[0]
    return [lambda: dy.mul(y.mul(1 - y))]


SIGMOID = elementwise_kernel(
    "Sigmoid", ("x",), lambda x: 1 / (1 + exp_of(-x)), gradient=_sigmoid_gradient, saves_output=True
)


@op(method=True)
def sigmoid(x: TensorLike) -> Tensor:
    """The logistic function of each element, 1 / (1 + exp(-x)).

    Args:
        x: tensor of any real dtype and shape; int32 and bool are cast to float32.

    Returns:
        float32 tensor of the same shape, with values from 0 to 1.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.

    Source: TensorFlow's `Sigmoid`.

    Example:
        >>> import tenfold as tf
        >>> tf.sigmoid([0, 1000]).array_sync()
        [0.5, 1.0]
    """
    return unary(SIGMOID, "sigmoid", operands.real_float(x, "sigmoid"))


def _hard_sigmoid_gradient(dy: Tensor, saved: list[Tensor], _: Attributes) -> Thunks:
    y, zero = saved[0], scalar_like(0, dy)
    return [lambda: (dy * 0.2).where(y.greater(0), zero).where(y.less(1), zero)]


HARD_SIGMOID = elementwise_kernel(
    "HardSigmoid",
    ("x",),
    lambda x: minimum(maximum(x * 0.2 + 0.5, 0), 1),
    gradient=_hard_sigmoid_gradient,
    saves_output=True,
)


@op(method=True)
def hard_sigmoid(x: TensorLike) -> Tensor:
    """The straight line 0.2 x + 0.5, kept between 0 and 1: a sigmoid without exponentials.

    Args:
        x: tensor of any real dtype and shape; int32 and bool are cast to float32.

    Returns:
        float32 tensor of the same shape.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.

    Source: Courbariaux et al., "BinaryConnect" (2015), with the slope of Keras; the activation `hardSigmoid` of
    TensorFlow.js's layers.

    Example:
        >>> import tenfold as tf
        >>> tf.hard_sigmoid([-3, 0, 1, 3]).array_sync()
        [0.0, 0.5, 0.699999988079071, 1.0]
    """
    return unary(HARD_SIGMOID, "hard_sigmoid", operands.real_float(x, "hard_sigmoid"))


SOFTPLUS = elementwise_kernel(
    "Softplus",
    ("x",),
    lambda x: maximum(x, 0) + log1p_of(exp_of(-absolute(x))),
    gradient=lambda dy, saved, _: [lambda: dy.mul(saved[0].sigmoid())],
    saves=("x",),
)


@op(method=True)
def softplus(x: TensorLike) -> Tensor:
    """A smooth rectifier of each element, log(1 + exp(x)).

    Args:
        x: tensor of any real dtype and shape; int32 and bool are cast to float32.

    Returns:
        float32 tensor of the same shape.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.

    Source: TensorFlow's `Softplus`.

    Example:
        >>> import tenfold as tf
        >>> tf.softplus([0, 100]).array_sync()
        [0.6931471824645996, 100.0]
    """
    return unary(SOFTPLUS, "softplus", operands.real_float(x, "softplus"))


@op(method=True)
def log_sigmoid(x: TensorLike) -> Tensor:
    """The logarithm of the logistic function of each element, -log(1 + exp(-x)), without its underflow.

    Args:
        x: tensor of any real dtype and shape; int32 and bool are cast to float32.

    Returns:
        float32 tensor of the same shape.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.

    Source: TensorFlow's `log_sigmoid`.

    Example:
        >>> import tenfold as tf
        >>> tf.log_sigmoid([0, -100]).array_sync()
        [-0.6931471824645996, -100.0]
    """
    return softplus(operands.real_float(x, "log_sigmoid").neg()).neg()
