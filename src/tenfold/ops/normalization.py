"""Normalisation: softmax, moments, batch normalisation, local response normalisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tenfold.codegen.compute import Array, broadcast, compute, in_range, sum_over
from tenfold.codegen.expr import Expr, function, select
from tenfold.codegen.procedures import instead
from tenfold.codegen.reductions import Element, reduce_axes
from tenfold.core.conversion import TensorLike
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor
from tenfold.ops import operands
from tenfold.ops.axes import Axes, reduced_shape, resolve_axes, resolve_axis
from tenfold.ops.broadcasting import broadcast_shapes, sum_to_shape

Thunks = Sequence[Callable[[], Tensor] | None]

exp, log, sqrt, power = function("exp"), function("log"), function("sqrt"), function("power")


def _first(specs: Sequence[TensorSpec], _: Attributes) -> TensorSpec:
    return specs[0]


# --- softmax, log_softmax ----------------------------------------------------------------------------------


def _shifted(logits: Array, axis: int) -> Element:
    """The differences from the greatest along an axis: their exponentials do not overflow."""
    peak = reduce_axes("max", logits.shape, [axis], lambda *i: logits[i], keep_dims=True)
    return lambda *i: logits[i] - broadcast(peak, i)


def _softmax_definition(logits: Array, *, dim: int = -1) -> Array:
    axis = resolve_axis(dim, logits.rank, "softmax")
    shifted = _shifted(logits, axis)

    def in_stages() -> Array:
        total = reduce_axes("sum", logits.shape, [axis], lambda *i: exp(shifted(*i)), keep_dims=True)
        return compute(logits.shape, lambda *i: exp(shifted(*i)) / broadcast(total, i))

    # Where exponentials take longer than memory, they are computed once.
    exponentials = compute(logits.shape, lambda *i: exp(shifted(*i)))
    sums = reduce_axes("sum", logits.shape, [axis], lambda *i: exponentials[i], keep_dims=True)
    return instead(compute(logits.shape, lambda *i: exponentials[i] / broadcast(sums, i)), in_stages)


def _softmax_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    y = saved[0]

    def gradient() -> Tensor:
        weighted = dy.mul(y)
        return weighted.sub(weighted.sum(attributes["dim"], True).mul(y))

    return [gradient]


SOFTMAX = define_kernel(Kernel("Softmax", ("logits",), _first, definition=_softmax_definition))
register_gradient("Softmax", _softmax_gradient, outputs_to_save=[True])


@op(method=True)
def softmax(logits: TensorLike, dim: int = -1) -> Tensor:
    """The exponentials along the last axis, over their sum.

    Args:
        logits: tensor of any real dtype and of rank 1 or more; int32 and bool are cast to float32.
        dim: the last axis, which is the only one supported.

    Returns:
        float32 tensor of the same shape, with values from 0 to 1.

    Raises:
        TypeError: if `logits` is no tensor-like, or holds strings or complex numbers.
        ValueError: if `dim` is not the last axis.

    Source: TensorFlow's `Softmax`.

    Example:
        >>> import tenfold as tf
        >>> tf.softmax([7, 7]).array_sync()
        [0.5, 0.5]
    """
    tensor = operands.real_float(logits, "softmax", "logits")
    _check_last("softmax", "dim", dim, tensor)
    return ENGINE.run_kernel(SOFTMAX.name, (tensor,), {"dim": tensor.rank - 1})


def _check_last(op: str, argument: str, axis: int, tensor: Tensor) -> None:
    if resolve_axis(axis, tensor.rank, op) != tensor.rank - 1:
        raise ValueError(
            f"{op}: argument '{argument}' must be the last axis (-1 or {tensor.rank - 1}), got {axis} for a tensor of "
            f"rank {tensor.rank}; transpose it first."
        )


def _log_softmax_definition(logits: Array, *, axis: int = -1) -> Array:
    along = resolve_axis(axis, logits.rank, "log_softmax")
    shifted = _shifted(logits, along)
    logarithm = reduce_axes(
        "sum", logits.shape, [along], lambda *i: exp(shifted(*i)), keep_dims=True, finish=lambda total: log(total)
    )
    return compute(logits.shape, lambda *i: shifted(*i) - broadcast(logarithm, i))


def _log_softmax_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    return [lambda: dy.sub(dy.sum(attributes["axis"], True).mul(saved[0].exp()))]


LOG_SOFTMAX = define_kernel(Kernel("LogSoftmax", ("logits",), _first, definition=_log_softmax_definition))
register_gradient("LogSoftmax", _log_softmax_gradient, outputs_to_save=[True])


@op(method=True)
def log_softmax(logits: TensorLike, axis: int = -1) -> Tensor:
    """The logarithm of `softmax`, without its underflow.

    Args:
        logits: tensor of any real dtype and of rank 1 or more; int32 and bool are cast to float32.
        axis: the last axis, which is the only one supported.

    Returns:
        float32 tensor of the same shape, with values up to 0.

    Raises:
        TypeError: if `logits` is no tensor-like, or holds strings or complex numbers.
        ValueError: if `axis` is not the last one.

    Source: TensorFlow's `LogSoftmax`.

    Example:
        >>> import tenfold as tf
        >>> tf.log_softmax([7, 7]).array_sync()
        [-0.6931471824645996, -0.6931471824645996]
    """
    tensor = operands.real_float(logits, "log_softmax", "logits")
    _check_last("log_softmax", "axis", axis, tensor)
    return ENGINE.run_kernel(LOG_SOFTMAX.name, (tensor,), {"axis": tensor.rank - 1})


# --- moments -----------------------------------------------------------------------------------------------


class Moments(NamedTuple):
    """What `moments` gives.

    Attributes:
        mean: the mean.
        variance: the mean of the squared differences from it.
    """

    mean: Tensor
    variance: Tensor


@op()
def moments(x: TensorLike, axis: Axes = None, keep_dims: bool = False) -> Moments:
    """The mean and the variance of the elements along the given axes.

    Args:
        x: tensor of any real dtype and shape; int32 and bool are cast to float32.
        axis: the axes to reduce; all if None.
        keep_dims: whether they stay with length 1.

    Returns:
        `mean` and `variance`, float32 tensors without the reduced axes.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.
        ValueError: if `x` has no such axis.

    Source: TensorFlow's `tf.nn.moments`.

    Example:
        >>> import tenfold as tf
        >>> mean, variance = tf.moments([1, 2, 3, 6])
        >>> mean.array_sync(), variance.array_sync()
        (3.0, 3.5)
    """
    tensor = operands.real_float(x, "moments")
    axes = resolve_axes(axis, tensor.rank, "moments")
    mean = tensor.mean(axes, True)
    variance = tensor.sub(mean).square().mean(axes, keep_dims)
    return Moments(mean.reshape(reduced_shape(tensor.shape, axes, keep_dims)), variance)


# --- batch normalisation -----------------------------------------------------------------------------------


def _batch_norm_definition(
    x: Array, mean: Array, variance: Array, offset: Array | None, scale: Array | None, *, variance_epsilon: float
) -> Array:
    def normalised(*i: Expr) -> Expr:
        factor = 1 / sqrt(broadcast(variance, i) + variance_epsilon)
        if scale is not None:
            factor = factor * broadcast(scale, i)
        # The mean is subtracted first: folded into the offset it would cost digits where it outweighs x - mean.
        result = (x[i] - broadcast(mean, i)) * factor
        return result if offset is None else result + broadcast(offset, i)

    return compute(x.shape, normalised)


def _batch_norm_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    x, mean, variance, *scale = saved
    deviation = (variance + attributes["variance_epsilon"]).rsqrt()
    scaled = dy.mul(scale[0]) if scale else dy

    def for_variance() -> Tensor:
        return sum_to_shape(scaled.mul(x.sub(mean)).mul(deviation.square().mul(deviation)), mean.shape) * -0.5

    return [
        lambda: scaled.mul(deviation),
        lambda: sum_to_shape(scaled.mul(deviation).neg(), mean.shape),
        for_variance,
        lambda: sum_to_shape(dy, mean.shape),
        lambda: sum_to_shape(dy.mul(x.sub(mean)).mul(deviation), mean.shape),
    ]


FUSED_BATCH_NORM = define_kernel(
    Kernel("FusedBatchNorm", ("x", "mean", "variance", "offset", "scale"), _first, definition=_batch_norm_definition)
)
register_gradient("FusedBatchNorm", _batch_norm_gradient, inputs_to_save=("x", "mean", "variance", "scale"))


@op(method=True)
def batch_norm(
    x: TensorLike,
    mean: TensorLike,
    variance: TensorLike,
    offset: TensorLike | None = None,
    scale: TensorLike | None = None,
    variance_epsilon: float = 0.001,
) -> Tensor:
    """Normalise by given statistics: (x - mean) / sqrt(variance + epsilon) * scale + offset.

    Args:
        x: tensor of any real dtype, [..., channels]; int32 and bool are cast to float32.
        mean: one number per channel, [channels], or of a shape that broadcasts to that of `x`.
        variance: of the shape of `mean`.
        offset: of the shape of `mean`; 0 if None.
        scale: of the shape of `mean`; 1 if None.
        variance_epsilon: added to the variance, against division by zero.

    Returns:
        float32 tensor of the shape of `x`.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not fit.

    Source: Ioffe and Szegedy, "Batch Normalization" (2015); TensorFlow's `FusedBatchNorm`.

    Example:
        >>> import tenfold as tf
        >>> tf.batch_norm([[1, 4], [3, 8]], [2, 6], [1, 4], variance_epsilon=0).array_sync()
        [[-1.0, -1.0], [1.0, 1.0]]
    """
    return _batch_norm("batch_norm", None, x, mean, variance, offset, scale, variance_epsilon)


def _batch_norm(
    op: str,
    rank: int | None,
    x: TensorLike,
    mean: TensorLike,
    variance: TensorLike,
    offset: TensorLike | None,
    scale: TensorLike | None,
    variance_epsilon: float,
) -> Tensor:
    tensor = operands.real_float(x, op)
    average = operands.real_float(mean, op, "mean")
    spread = operands.real_float(variance, op, "variance")
    shift = None if offset is None else operands.real_float(offset, op, "offset")
    factor = None if scale is None else operands.real_float(scale, op, "scale")
    if not ENV.is_true("PROD"):
        if rank is not None and tensor.rank != rank:
            raise ValueError(f"{op}: argument 'x' must have rank {rank}, got shape {list(tensor.shape)}.")
        _check_broadcasts_to(op, average, tensor.shape)
        for name, statistic in (("variance", spread), ("offset", shift), ("scale", factor)):
            if statistic is not None and statistic.shape != average.shape:
                raise ValueError(
                    f"{op}: argument '{name}' must have the shape of 'mean', {list(average.shape)}, got "
                    f"{list(statistic.shape)}."
                )
    attributes = {"variance_epsilon": float(variance_epsilon)}
    return ENGINE.run_kernel(FUSED_BATCH_NORM.name, (tensor, average, spread, shift, factor), attributes)


def _check_broadcasts_to(op: str, mean: Tensor, shape: Shape) -> None:
    try:
        fits = broadcast_shapes(mean.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{op}: argument 'mean' must have one number per channel, {list(shape[-1:])}, or a shape that broadcasts "
            f"to {list(shape)}, got {list(mean.shape)}."
        )


@op()
def batch_norm2d(
    x: TensorLike,
    mean: TensorLike,
    variance: TensorLike,
    offset: TensorLike | None = None,
    scale: TensorLike | None = None,
    variance_epsilon: float = 0.001,
) -> Tensor:
    """`batch_norm` of a tensor of rank 2.

    Args:
        x: tensor of any real dtype, [batch, channels]; int32 and bool are cast to float32.
        mean: one number per channel, [channels], or of a shape that broadcasts to that of `x`.
        variance: of the shape of `mean`.
        offset: of the shape of `mean`; 0 if None.
        scale: of the shape of `mean`; 1 if None.
        variance_epsilon: added to the variance, against division by zero.

    Returns:
        float32 tensor of the shape of `x`.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if `x` has another rank, or the shapes do not fit.

    Source: Ioffe and Szegedy, "Batch Normalization" (2015); TensorFlow's `FusedBatchNorm`.

    Example:
        >>> import tenfold as tf
        >>> tf.batch_norm2d([[1, 4], [3, 8]], [2, 6], [1, 4], variance_epsilon=0).array_sync()
        [[-1.0, -1.0], [1.0, 1.0]]
    """
    return _batch_norm("batch_norm2d", 2, x, mean, variance, offset, scale, variance_epsilon)


@op()
def batch_norm3d(
    x: TensorLike,
    mean: TensorLike,
    variance: TensorLike,
    offset: TensorLike | None = None,
    scale: TensorLike | None = None,
    variance_epsilon: float = 0.001,
) -> Tensor:
    """`batch_norm` of a tensor of rank 3.

    Args:
        x: tensor of any real dtype, [batch, time, channels]; int32 and bool are cast to float32.
        mean: one number per channel, [channels], or of a shape that broadcasts to that of `x`.
        variance: of the shape of `mean`.
        offset: of the shape of `mean`; 0 if None.
        scale: of the shape of `mean`; 1 if None.
        variance_epsilon: added to the variance, against division by zero.

    Returns:
        float32 tensor of the shape of `x`.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if `x` has another rank, or the shapes do not fit.

    Source: Ioffe and Szegedy, "Batch Normalization" (2015); TensorFlow's `FusedBatchNorm`.

    Example:
        >>> import tenfold as tf
        >>> tf.batch_norm3d([[[1, 4]], [[3, 8]]], [2, 6], [1, 4], variance_epsilon=0).array_sync()
        [[[-1.0, -1.0]], [[1.0, 1.0]]]
    """
    return _batch_norm("batch_norm3d", 3, x, mean, variance, offset, scale, variance_epsilon)


@op()
def batch_norm4d(
    x: TensorLike,
    mean: TensorLike,
    variance: TensorLike,
    offset: TensorLike | None = None,
    scale: TensorLike | None = None,
    variance_epsilon: float = 0.001,
) -> Tensor:
    """`batch_norm` of a tensor of rank 4.

    Args:
        x: tensor of any real dtype, [batch, height, width, channels]; int32 and bool are cast to float32.
        mean: one number per channel, [channels], or of a shape that broadcasts to that of `x`.
        variance: of the shape of `mean`.
        offset: of the shape of `mean`; 0 if None.
        scale: of the shape of `mean`; 1 if None.
        variance_epsilon: added to the variance, against division by zero.

    Returns:
        float32 tensor of the shape of `x`.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if `x` has another rank, or the shapes do not fit.

    Source: Ioffe and Szegedy, "Batch Normalization" (2015); TensorFlow's `FusedBatchNorm`.

    Example:
        >>> import tenfold as tf
        >>> tf.batch_norm4d([[[[1, 4]]], [[[3, 8]]]], [2, 6], [1, 4], variance_epsilon=0).array_sync()
        [[[[-1.0, -1.0]]], [[[1.0, 1.0]]]]
    """
    return _batch_norm("batch_norm4d", 4, x, mean, variance, offset, scale, variance_epsilon)


# --- local response normalisation --------------------------------------------------------------------------


def _sum_around(element: Element, indices: Sequence[Expr], channels: int, radius: int) -> Expr:
    """The sum of the values at a pixel's channels that are at most `radius` away."""
    *pixel, channel = indices
    reach = min(radius, max(channels - 1, 0))

    def neighbour(k: Expr) -> Expr:
        other = channel + k - reach
        return select(in_range(other, channels), element(*pixel, other), 0)

    return sum_over([2 * reach + 1], neighbour)


def _norms(x: Array, depth_radius: int, bias: float, alpha: float) -> Array:
    def energy(*i: Expr) -> Expr:
        return _sum_around(lambda *j: x[j] * x[j], i, x.shape[-1], depth_radius) * alpha + bias

    return compute(x.shape, energy)


def _lrn_definition(x: Array, *, depth_radius: int, bias: float, alpha: float, beta: float) -> Array:
    norms = _norms(x, depth_radius, bias, alpha)
    return compute(x.shape, lambda *i: x[i] * power(norms[i], -beta))


def _lrn_grad_definition(
    x: Array, y: Array, dy: Array, *, depth_radius: int, bias: float, alpha: float, beta: float
) -> Array:
    """Through the numerator, and through every divisor that the element is part of."""
    norms = _norms(x, depth_radius, bias, alpha)
    shares = compute(x.shape, lambda *i: dy[i] * y[i] / norms[i])

    def gradient(*i: Expr) -> Expr:
        through_divisors = _sum_around(lambda *j: shares[j], i, x.shape[-1], depth_radius)
        return dy[i] * power(norms[i], -beta) - x[i] * (2 * alpha * beta) * through_divisors

    return compute(x.shape, gradient)


def _response_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    x, y = saved
    return [lambda: ENGINE.run_kernel(LRN_GRAD.name, (x, y, dy), attributes)]


LRN = define_kernel(Kernel("LRN", ("x",), _first, definition=_lrn_definition))
LRN_GRAD = define_kernel(Kernel("LRNGrad", ("x", "y", "dy"), _first, definition=_lrn_grad_definition))
register_gradient("LRN", _response_gradient, inputs_to_save=("x",), outputs_to_save=[True])


@op(method=True)
def local_response_normalization(
    x: TensorLike, depth_radius: int = 5, bias: float = 1, alpha: float = 1, beta: float = 0.5
) -> Tensor:
    """Divide each element by the energy of the channels around it: x / (bias + alpha * sum(x²)) ** beta.

    Args:
        x: tensor of any real dtype, [height, width, channels] or [batch, height, width, channels]; int32 and bool are
            cast to float32.
        depth_radius: how many channels on either side belong to the sum.
        bias: keeps the divisor from zero.
        alpha: weight of the sum.
        beta: exponent of the divisor.

    Returns:
        float32 tensor of the same shape.

    Raises:
        TypeError: if `x` is no tensor-like, or holds strings or complex numbers.
        ValueError: if `x` has another rank, or `depth_radius` is no whole number from 0 on.

    Source: Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks" (2012); TensorFlow's
    `LRN`.

    Example:
        >>> import tenfold as tf
        >>> tf.local_response_normalization([[[6, 0, 8, 6]]], 1, 0, beta=1).array_sync()
        [[[0.1666666716337204, 0.0, 0.07999999821186066, 0.05999999865889549]]]
    """
    tensor = operands.real_float(x, "local_response_normalization")
    if not ENV.is_true("PROD") and tensor.rank not in (3, 4):
        raise ValueError(
            f"local_response_normalization: argument 'x' must have rank 3 or 4, got shape {list(tensor.shape)}."
        )
    radius = operands.whole_number(depth_radius, "local_response_normalization", "depth_radius", 0, None)
    attributes = {"depth_radius": radius, "bias": float(bias), "alpha": float(alpha), "beta": float(beta)}
    return ENGINE.run_kernel(LRN.name, (tensor,), attributes)
