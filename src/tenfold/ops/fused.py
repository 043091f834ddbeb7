"""A product or a convolution, a bias and an activation in one call. The namespace `fused`.

These are compositions: each step is a kernel of its own with a gradient of its own. Plans fuse such steps, however
they were written.
"""

from __future__ import annotations

from collections.abc import Callable

from tenfold.core.conversion import TensorLike, convert_to_tensor
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.core.windows import Pad, Pair
from tenfold.ops import convolution, matrices
from tenfold.ops.broadcasting import broadcast_shapes

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": lambda x: x.relu(),
    "relu6": lambda x: x.relu6(),
    "elu": lambda x: x.elu(),
    "sigmoid": lambda x: x.sigmoid(),
}


def _activated(
    op: str,
    x: Tensor,
    activation: str | None,
    prelu_activation_weights: Tensor | None,
    leakyrelu_alpha: float | None,
) -> Tensor:
    if activation in (None, "linear"):
        return x
    if activation == "leakyrelu":
        return x.leaky_relu() if leakyrelu_alpha is None else x.leaky_relu(leakyrelu_alpha)
    if activation == "prelu":
        if prelu_activation_weights is None:
            raise ValueError(f"{op}: argument 'prelu_activation_weights' is needed with activation 'prelu'.")
        return x.prelu(prelu_activation_weights)
    try:
        function = _ACTIVATIONS[activation]
    except KeyError:
        known = ", ".join(["linear", *_ACTIVATIONS, "prelu", "leakyrelu"])
        raise ValueError(f"{op}: argument 'activation' must be one of {known}, got {activation!r}.") from None
    return function(x)


def _beside(x: TensorLike, argument: str, op: str, result: Tensor, data_format: str) -> Tensor:
    """A bias or slopes as a tensor that broadcasts with a result; a vector has one number per channel."""
    tensor = convert_to_tensor(x, argument, op)
    if tensor.rank == 1 and data_format == "NCHW":
        tensor = tensor.reshape((tensor.size, 1, 1))
    try:
        fits = broadcast_shapes(result.shape, tensor.shape) == result.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{op}: argument '{argument}' of shape {list(tensor.shape)} does not broadcast with the result, of shape "
            f"{list(result.shape)}."
        )
    return tensor


def _finished(
    op: str,
    result: Tensor,
    data_format: str,
    bias: TensorLike | None,
    activation: str | None,
    prelu_activation_weights: TensorLike | None,
    leakyrelu_alpha: float | None,
) -> Tensor:
    """A product or convolution with bias and activation."""
    if bias is not None:
        result = result.add(_beside(bias, "bias", op, result, data_format))
    slopes = None
    if prelu_activation_weights is not None:
        slopes = _beside(prelu_activation_weights, "prelu_activation_weights", op, result, data_format)
    return _activated(op, result, activation, slopes, leakyrelu_alpha)


@op(namespace="fused")
def conv2d(
    x: TensorLike,
    filter: TensorLike,
    strides: Pair,
    pad: Pad,
    data_format: str = "NHWC",
    dilations: Pair | None = (1, 1),
    dim_rounding_mode: str | None = None,
    bias: TensorLike | None = None,
    activation: str | None = "linear",
    prelu_activation_weights: TensorLike | None = None,
    leakyrelu_alpha: float | None = None,
) -> Tensor:
    """Convolve images, add a bias, and apply an activation.

    Args:
        x: float32 tensor `[batch, height, width, in_channels]`, or without the batch axis.
        filter: float32 tensor `[filter_height, filter_width, in_channels, out_channels]`.
        strides: steps from one window to the next, `(height, width)` or one number for both.
        pad: see `conv2d`.
        data_format: `"NHWC"`, or `"NCHW"` for `x` and the result with the channels first.
        dilations: steps from one tap of a window to the next; more than 1 only with strides of 1.
        dim_rounding_mode: see `conv2d`.
        bias: scalar, `[out_channels]`, or a shape that broadcasts with the result.
        activation: `"linear"`, `"relu"`, `"relu6"`, `"elu"`, `"sigmoid"`, `"prelu"` or `"leakyrelu"`.
        prelu_activation_weights: slope of `"prelu"` for negative values: scalar, `[out_channels]`, or a shape
            that broadcasts with the result.
        leakyrelu_alpha: slope of `"leakyrelu"`; 0.2 if None.

    Returns:
        float32 tensor `[batch, out_height, out_width, out_channels]`, without the batch axis if `x` has none.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `_FusedConv2D`.

    Example:
        >>> import tenfold as tf
        >>> tf.fused.conv2d([[[1], [-2]]], [[[[3]]]], 1, "same", bias=1, activation="relu").array_sync()
        [[[4.0], [0.0]]]
    """
    result = convolution.conv2d(x, filter, strides, pad, data_format, dilations, dim_rounding_mode)
    return _finished("fused.conv2d", result, data_format, bias, activation, prelu_activation_weights, leakyrelu_alpha)


@op(namespace="fused")
def depthwise_conv2d(
    x: TensorLike,
    filter: TensorLike,
    strides: Pair,
    pad: Pad,
    data_format: str = "NHWC",
    dilations: Pair | None = (1, 1),
    dim_rounding_mode: str | None = None,
    bias: TensorLike | None = None,
    activation: str | None = "linear",
    prelu_activation_weights: TensorLike | None = None,
    leakyrelu_alpha: float | None = None,
) -> Tensor:
    """Convolve each channel of images with filters of its own, add a bias, and apply an activation.

    Args:
        x: float32 tensor `[batch, height, width, in_channels]`, or without the batch axis.
        filter: float32 tensor `[filter_height, filter_width, in_channels, multiplier]`.
        strides: steps from one window to the next, `(height, width)` or one number for both.
        pad: see `conv2d`.
        data_format: `"NHWC"`, or `"NCHW"` for `x` and the result with the channels first.
        dilations: steps from one tap of a window to the next; more than 1 only with strides of 1.
        dim_rounding_mode: see `conv2d`.
        bias: scalar, `[in_channels * multiplier]`, or a shape that broadcasts with the result.
        activation: `"linear"`, `"relu"`, `"relu6"`, `"elu"`, `"sigmoid"`, `"prelu"` or `"leakyrelu"`.
        prelu_activation_weights: see `fused.conv2d`.
        leakyrelu_alpha: slope of `"leakyrelu"`; 0.2 if None.

    Returns:
        float32 tensor `[batch, out_height, out_width, in_channels * multiplier]`, without the batch axis if
        `x` has none.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `_FusedDepthwiseConv2dNative`.

    Example:
        >>> import tenfold as tf
        >>> x, filter = [[[1, 2]]], [[[[3], [-3]]]]
        >>> tf.fused.depthwise_conv2d(x, filter, 1, "same", activation="leakyrelu", leakyrelu_alpha=0.5).array_sync()
        [[[3.0, -3.0]]]
    """
    result = convolution.depthwise_conv2d(x, filter, strides, pad, data_format, dilations, dim_rounding_mode)
    return _finished(
        "fused.depthwise_conv2d", result, data_format, bias, activation, prelu_activation_weights, leakyrelu_alpha
    )


@op(namespace="fused")
def mat_mul(
    a: TensorLike,
    b: TensorLike,
    transpose_a: bool = False,
    transpose_b: bool = False,
    bias: TensorLike | None = None,
    activation: str | None = "linear",
    prelu_activation_weights: TensorLike | None = None,
    leakyrelu_alpha: float | None = None,
) -> Tensor:
    """Multiply matrices, add a bias, and apply an activation.

    Args:
        a: tensor of any real dtype and shape `[..., rows, inner]`, or `[..., inner, rows]` if transposed.
        b: tensor of shape `[..., inner, columns]`, or `[..., columns, inner]` if transposed.
        transpose_a: whether to transpose the matrices of `a` first.
        transpose_b: whether to transpose those of `b`.
        bias: tensor whose shape broadcasts with that of the product.
        activation: `"linear"`, `"relu"`, `"relu6"`, `"elu"`, `"sigmoid"`, `"prelu"` or `"leakyrelu"`.
        prelu_activation_weights: slope of `"prelu"` for negative values, likewise.
        leakyrelu_alpha: slope of `"leakyrelu"`; 0.2 if None.

    Returns:
        Tensor of shape `[..., rows, columns]`.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `_FusedMatMul`.

    Example:
        >>> import tenfold as tf
        >>> tf.fused.mat_mul([[1, 2]], [[1, -2], [3, -4]], bias=[1, 1], activation="relu").array_sync()
        [[8.0, 0.0]]
    """
    result = matrices.mat_mul(a, b, transpose_a, transpose_b)
    return _finished("fused.mat_mul", result, "NHWC", bias, activation, prelu_activation_weights, leakyrelu_alpha)
