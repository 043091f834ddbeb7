"""Losses: how far predictions are from what was wanted, weighted and reduced to one number."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from tenfold.core.conversion import TensorLike
from tenfold.core.environment import ENV
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.ops import operands
from tenfold.ops.axes import resolve_axis
from tenfold.ops.broadcasting import broadcast_shapes


class Reduction(IntEnum):
    """How a loss for each element becomes the loss.

    Example:
        >>> import tenfold as tf
        >>> tf.losses.absolute_difference([1, 2], [3, 5], reduction=tf.Reduction.SUM).array_sync()
        5.0
    """

    NONE = 0
    """Not at all: the weighted losses as they are."""
    MEAN = 1
    """Their sum over the sum of the weights."""
    SUM = 2
    """Their sum."""
    SUM_BY_NONZERO_WEIGHTS = 3
    """Their sum over the number of weights that are not zero."""


BY_NONZERO_WEIGHTS = Reduction.SUM_BY_NONZERO_WEIGHTS

# --- weighting and reduction -------------------------------------------------------------------------------


@op(namespace="losses")
def compute_weighted_loss(
    losses: TensorLike, weights: TensorLike | None = None, reduction: Reduction | int = BY_NONZERO_WEIGHTS
) -> Tensor:
    """Weight the losses of elements and reduce them to one number.

    Args:
        losses: tensor of any real dtype and shape.
        weights: tensor whose shape broadcasts with that of `losses`; ones if None.
        reduction: how the weighted losses are reduced.

    Returns:
        Scalar, or the weighted losses for `Reduction.NONE`.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not broadcast, or there is no such reduction.

    Source: TensorFlow's `tf.compat.v1.losses.compute_weighted_loss`.

    Example:
        >>> import tenfold as tf
        >>> tf.losses.compute_weighted_loss([1, 2, 3], [0.5, 0, 1.5]).array_sync()
        2.5
    """
    name = "compute_weighted_loss"
    return _weighted(operands.real(losses, name, "losses"), weights, reduction, name)


def _weighted(losses: Tensor, weights: TensorLike | None, reduction: Reduction | int, op: str) -> Tensor:
    kind = _reduction(reduction, op)
    if weights is None:
        return _REDUCED[kind](losses)
    factors = operands.real(weights, op, "weights")
    if not ENV.is_true("PROD"):
        _check_weights(factors, losses, op)
    return _REDUCED_WITH_WEIGHTS[kind](losses, factors)


def _reduction(reduction: Reduction | int, op: str) -> Reduction:
    try:
        return Reduction(reduction)
    except ValueError:
        names = ", ".join(f"Reduction.{each.name}" for each in Reduction)
        raise ValueError(f"{op}: argument 'reduction' must be one of {names}, got {reduction!r}.") from None


def _check_weights(weights: Tensor, losses: Tensor, op: str) -> None:
    try:
        broadcast_shapes(losses.shape, weights.shape)
    except ValueError:
        raise ValueError(
            f"{op}: argument 'weights' must broadcast with the losses of shape {list(losses.shape)}, got the shape "
            f"{list(weights.shape)}."
        ) from None


def _mean_by_weights(losses: Tensor, weights: Tensor) -> Tensor:
    mean = losses.mul(weights).sum().div(weights.sum())
    # Weights that are broadcast count once for each loss that they weight.
    repeats = losses.size / weights.size if weights.size else 1
    return mean.div(repeats) if repeats > 1 else mean


def _mean_by_nonzero_weights(losses: Tensor, weights: Tensor) -> Tensor:
    nonzero = weights.broadcast_to(broadcast_shapes(losses.shape, weights.shape)).not_equal(0)
    return losses.mul(weights).sum().div(nonzero.sum().cast("float32"))


_REDUCED: dict[Reduction, Callable[[Tensor], Tensor]] = {
    Reduction.NONE: lambda losses: losses,
    Reduction.MEAN: lambda losses: losses.mean(),
    Reduction.SUM: lambda losses: losses.sum(),
    Reduction.SUM_BY_NONZERO_WEIGHTS: lambda losses: losses.sum().div(losses.size),
}

_REDUCED_WITH_WEIGHTS: dict[Reduction, Callable[[Tensor, Tensor], Tensor]] = {
    Reduction.NONE: lambda losses, weights: losses.mul(weights),
    Reduction.MEAN: _mean_by_weights,
    Reduction.SUM: lambda losses, weights: losses.mul(weights).sum(),
    Reduction.SUM_BY_NONZERO_WEIGHTS: _mean_by_nonzero_weights,
}


def _pair(
    labels: TensorLike, predictions: TensorLike, op: str, names: tuple[str, str] = ("labels", "predictions")
) -> tuple[Tensor, Tensor]:
    """What was wanted and what was predicted, of one shape."""
    wanted, predicted = operands.real(labels, op, names[0]), operands.real(predictions, op, names[1])
    if wanted.shape != predicted.shape and not ENV.is_true("PROD"):
        raise ValueError(
            f"{op}: arguments '{names[0]}' and '{names[1]}' must have one shape, got {list(wanted.shape)} and "
            f"{list(predicted.shape)}."
        )
    return wanted, predicted


# --- differences -------------------------------------------------------------------------------------------


@op(namespace="losses")
def absolute_difference(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None = None,
    reduction: Reduction | int = BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The absolute difference of labels and predictions.

    Args:
        labels: tensor of any real dtype and shape.
        predictions: tensor of the same shape.
        weights: tensor whose shape broadcasts with that of `labels`; ones if None.
        reduction: how the weighted losses are reduced.

    Returns:
        Scalar, or the weighted losses for `Reduction.NONE`.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not fit, or there is no such reduction.

    Source: TensorFlow's `tf.compat.v1.losses.absolute_difference`.

    Example:
        >>> import tenfold as tf
        >>> tf.losses.absolute_difference([1, 2], [3, 5]).array_sync()
        2.5
    """
    wanted, predicted = _pair(labels, predictions, "absolute_difference")
    return _weighted(wanted.sub(predicted).abs(), weights, reduction, "absolute_difference")


@op(namespace="losses")
def mean_squared_error(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None = None,
    reduction: Reduction | int = BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The square of the difference of labels and predictions.

    Args:
        labels: tensor of any real dtype and shape.
        predictions: tensor of the same shape.
        weights: tensor whose shape broadcasts with that of `labels`; ones if None.
        reduction: how the weighted losses are reduced.

    Returns:
        Scalar, or the weighted losses for `Reduction.NONE`.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not fit, or there is no such reduction.

    Source: TensorFlow's `tf.compat.v1.losses.mean_squared_error`.

    Example:
        >>> import tenfold as tf
        >>> tf.losses.mean_squared_error([1, 2], [3, 5]).array_sync()
        6.5
    """
    wanted, predicted = _pair(labels, predictions, "mean_squared_error")
    return _weighted(wanted.squared_difference(predicted), weights, reduction, "mean_squared_error")


@op(namespace="losses")
def huber_loss(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None = None,
    delta: float = 1.0,
    reduction: Reduction | int = BY_NONZERO_WEIGHTS,
) -> Tensor:
    """Half the square of the difference of labels and predictions, growing linearly where it exceeds `delta`.

    Args:
        labels: tensor of any real dtype and shape.
        predictions: tensor of the same shape.
        weights: tensor whose shape broadcasts with that of `labels`; ones if None.
        delta: the difference from which on the loss is linear.
        reduction: how the weighted losses are reduced.

    Returns:
        Scalar, or the weighted losses for `Reduction.NONE`.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not fit, or there is no such reduction.

    Source: Huber, Robust estimation of a location parameter, 1964; TensorFlow's
        `tf.compat.v1.losses.huber_loss`.

    Example:
        >>> import tenfold as tf
        >>> tf.losses.huber_loss([1, 2], [1.5, 5], reduction=tf.Reduction.NONE).array_sync()
        [0.125, 2.5]
    """
    wanted, predicted = _pair(labels, predictions, "huber_loss")
    error = predicted.sub(wanted).abs()
    quadratic = error.minimum(delta)
    losses = quadratic.square().mul(0.5).add(error.sub(quadratic).mul(delta))
    return _weighted(losses, weights, reduction, "huber_loss")


@op(namespace="losses")
def cosine_distance(
    labels: TensorLike,
    predictions: TensorLike,
    axis: int,
    weights: TensorLike | None = None,
    reduction: Reduction | int = BY_NONZERO_WEIGHTS,
) -> Tensor:
    """One minus the scalar product of labels and predictions along an axis, both taken to have length 1.

    Args:
        labels: tensor of any real dtype and of rank 1 or more.
        predictions: tensor of the same shape.
        axis: the axis of the vectors; negative ones count from the end.
        weights: tensor whose shape broadcasts with that of `labels`, with length 1 along `axis`; ones if None.
        reduction: how the weighted losses are reduced.

    Returns:
        Scalar, or the weighted losses for `Reduction.NONE`, with length 1 along `axis`.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not fit, or there is no such axis or reduction.

    Source: TensorFlow's `tf.compat.v1.losses.cosine_distance`.

    Example:
        >>> import tenfold as tf
        >>> tf.losses.cosine_distance([0, 1], [0.6, 0.8], 0).array_sync()
        0.199999...
    """
    wanted, predicted = _pair(labels, predictions, "cosine_distance")
    number = resolve_axis(axis, wanted.rank, "cosine_distance")
    losses = wanted.mul(predicted).sum(number, True).neg().add(1)
    return _weighted(losses, weights, reduction, "cosine_distance")


# --- classification ----------------------------------------------------------------------------------------


@op(namespace="losses")
def hinge_loss(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None = None,
    reduction: Reduction | int = BY_NONZERO_WEIGHTS,
) -> Tensor:
    """How far predictions are short of 1 on the side of their label.

    Args:
        labels: tensor of zeros and ones, of any real dtype and shape.
        predictions: tensor of the same shape: negative numbers predict 0, positive ones 1.
        weights: tensor whose shape broadcasts with that of `labels`; ones if None.
        reduction: how the weighted losses are reduced.

    Returns:
        Scalar, or the weighted losses for `Reduction.NONE`.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not fit, or there is no such reduction.

    Source: TensorFlow's `tf.compat.v1.losses.hinge_loss`.

    Example:
        >>> import tenfold as tf
        >>> tf.losses.hinge_loss([0, 1], [-2, 0.5], reduction=tf.Reduction.NONE).array_sync()
        [0.0, 0.5]
    """
    wanted, predicted = _pair(labels, predictions, "hinge_loss")
    signs = wanted.mul(2.0).sub(1.0)
    return _weighted(signs.mul(predicted).neg().add(1.0).relu(), weights, reduction, "hinge_loss")


@op(namespace="losses")
def log_loss(
    labels: TensorLike,
    predictions: TensorLike,
    weights: TensorLike | None = None,
    epsilon: float = 1e-7,
    reduction: Reduction | int = BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The negative logarithm of the probability that predictions give to labels.

    Args:
        labels: tensor of zeros and ones, or probabilities, of any real dtype and shape.
        predictions: probabilities of ones, tensor of the same shape.
        weights: tensor whose shape broadcasts with that of `labels`; ones if None.
        epsilon: is added to probabilities so that their logarithm stays finite.
        reduction: how the weighted losses are reduced.

    Returns:
        Scalar, or the weighted losses for `Reduction.NONE`.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not fit, or there is no such reduction.

    Source: TensorFlow's `tf.compat.v1.losses.log_loss`.

    Example:
        >>> import tenfold as tf
        >>> tf.losses.log_loss([0, 1], [0.5, 1]).array_sync()
        0.34657...
    """
    wanted, predicted = _pair(labels, predictions, "log_loss")
    of_ones = wanted.mul(predicted.add(epsilon).log())
    of_zeros = wanted.neg().add(1.0).mul(predicted.neg().add(1.0 + epsilon).log())
    return _weighted(of_ones.add(of_zeros).neg(), weights, reduction, "log_loss")


@op(namespace="losses")
def sigmoid_cross_entropy(
    multi_class_labels: TensorLike,
    logits: TensorLike,
    weights: TensorLike | None = None,
    label_smoothing: float = 0,
    reduction: Reduction | int = BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The cross entropy of labels and of the sigmoid of logits, for classes that do not exclude each other.

    Args:
        multi_class_labels: tensor of zeros and ones, or probabilities, [batch, classes] or of any other shape.
        logits: tensor of the same shape.
        weights: tensor whose shape broadcasts with that of `logits`; ones if None.
        label_smoothing: how far labels are moved toward 1/2, from 0 to 1.
        reduction: how the weighted losses are reduced.

    Returns:
        Scalar, or the weighted losses for `Reduction.NONE`.

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not fit, or there is no such reduction.

    Source: TensorFlow's `tf.compat.v1.losses.sigmoid_cross_entropy`.

    Example:
        >>> import tenfold as tf
        >>> tf.losses.sigmoid_cross_entropy([[1, 0]], [[0, 0]]).array_sync()
        0.69314...
    """
    name = "sigmoid_cross_entropy"
    wanted, scores = _pair(multi_class_labels, logits, name, ("multi_class_labels", "logits"))
    if label_smoothing > 0:
        wanted = wanted.mul(1.0 - label_smoothing).add(0.5 * label_smoothing)
    # log(1 + exp(-|x|)) does not overflow where log(1 + exp(x)) would.
    losses = scores.relu().sub(scores.mul(wanted)).add(scores.abs().neg().exp().log1p())
    return _weighted(losses, weights, reduction, name)


@op(namespace="losses")
def softmax_cross_entropy(
    onehot_labels: TensorLike,
    logits: TensorLike,
    weights: TensorLike | None = None,
    label_smoothing: float = 0,
    reduction: Reduction | int = BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The cross entropy of labels and of the softmax of logits, for classes of which each element has one.

    Args:
        onehot_labels: tensor of zeros and one 1 in each row, or of probabilities, [..., classes].
        logits: tensor of the same shape.
        weights: tensor whose shape broadcasts with [...]; ones if None.
        label_smoothing: how far labels are moved toward 1/classes, from 0 to 1.
        reduction: how the weighted losses are reduced.

    Returns:
        Scalar, or the weighted losses for `Reduction.NONE`, [...].

    Raises:
        TypeError: if an argument is no tensor-like, or holds strings or complex numbers.
        ValueError: if the shapes do not fit, the logits are a scalar, or there is no such reduction.

    Source: TensorFlow's `tf.compat.v1.losses.softmax_cross_entropy`.

    Example:
        >>> import tenfold as tf
        >>> tf.losses.softmax_cross_entropy([[1, 0]], [[0, 0]]).array_sync()
        0.69314...
    """
    name = "softmax_cross_entropy"
    wanted, scores = _pair(onehot_labels, logits, name, ("onehot_labels", "logits"))
    if not scores.rank:
        raise ValueError(f"{name}: argument 'logits' must have rank 1 or more, got a scalar.")
    if label_smoothing > 0:
        wanted = wanted.mul(1.0 - label_smoothing).add(label_smoothing / scores.shape[-1])
    losses = scores.log_softmax(-1).mul(wanted).sum(-1).neg()
    return _weighted(losses, weights, reduction, name)
