"""Convolutions of images and sequences, the ordinary ones and those of each channel on its own.

Filters are `[height, width, in_channels, out_channels]`, or `[height, width, in_channels, multiplier]` where each
channel has filters of its own. Six kernels: two convolutions, and for each the gradients with respect to the image
and to the filter, which are convolutions again, so that gradients of gradients exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

from tenfold.core.conversion import TensorLike
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes
from tenfold.core.op import op
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor
from tenfold.core.windows import ConvInfo, Pad, Pair, conv2d_attributes, conv2d_info
from tenfold.ops import windowing
from tenfold.ops.convolution_kernels import define_convolution

CONV2D = "Conv2D"
CONV2D_BACKPROP_INPUT = "Conv2DBackpropInput"
DEPTHWISE_CONV2D = "DepthwiseConv2dNative"


def _define_kernels(forward: str, back_input: str, back_filter: str, depthwise: bool) -> None:
    def sizes(x_shape: Shape, filter_shape: Shape, attributes: Attributes) -> ConvInfo:
        return conv2d_info(x_shape, filter_shape, **conv2d_attributes(attributes), depthwise=depthwise)

    define_convolution(forward, back_input, back_filter, sizes, conv2d_attributes, depthwise)


_define_kernels(CONV2D, CONV2D_BACKPROP_INPUT, "Conv2DBackpropFilter", depthwise=False)
_define_kernels(
    DEPTHWISE_CONV2D, "DepthwiseConv2dNativeBackpropInput", "DepthwiseConv2dNativeBackpropFilter", depthwise=True
)


def _convolve(
    kernel: str,
    name: str,
    x: Tensor,
    filter: Tensor,
    strides: Pair,
    pad: Pad,
    data_format: str,
    dilations: Pair | None,
    dim_rounding_mode: str | None,
) -> Tensor:
    """Run a convolution with attributes in the form of kernels, after checking that everything fits."""
    image = windowing.as_batch(x, name)
    attributes: dict[str, Any] = {
        "strides": windowing.pair(strides, "strides", name),
        "pad": windowing.padding(pad, name),
        "data_format": data_format,
        "dilations": windowing.pair(dilations, "dilations", name),
        "dim_rounding_mode": dim_rounding_mode,
    }
    info = windowing.check_windows(
        name, lambda: conv2d_info(image.shape, filter.shape, **attributes, depthwise=kernel == DEPTHWISE_CONV2D)
    )
    if info is not None and info.groups != 1:
        raise ValueError(
            f"{name}: x of shape {list(x.shape)} ({data_format}) has {info.in_channels} channels, the filter of shape "
            f"{list(filter.shape)} takes {filter.shape[2]}; they must be equal."
        )
    return windowing.like_given(ENGINE.run_kernel(kernel, (image, filter), attributes), x)


# --- conv1d, conv2d ----------------------------------------------------------------------------------------


@op(method=True)
def conv1d(
    x: TensorLike,
    filter: TensorLike,
    stride: int,
    pad: Pad,
    data_format: str = "NWC",
    dilation: int = 1,
    dim_rounding_mode: str | None = None,
) -> Tensor:
    """Convolve sequences with filters.

    Args:
        x: float32 tensor `[batch, width, in_channels]`, or `[width, in_channels]`.
        filter: float32 tensor `[filter_width, in_channels, out_channels]`.
        stride: steps from one window to the next.
        pad: `"same"`, `"valid"`, a number of zeros on both sides, or pairs (before, after) for the three axes
            (or for four, with one of height 1 after the first).
        data_format: `"NWC"`.
        dilation: steps from one tap of a window to the next; more than 1 only with a stride of 1.
        dim_rounding_mode: `"floor"`, `"round"` or `"ceil"` of a fractional width of the result, for numeric `pad`.

    Returns:
        float32 tensor `[batch, out_width, out_channels]`, without the batch axis if `x` has none.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `nn.conv1d`.

    Example:
        >>> import tenfold as tf
        >>> tf.conv1d([[1], [2], [3]], [[[1]], [[10]]], 1, "valid").array_sync()
        [[21.0], [32.0]]
    """
    sequence = windowing.float_tensor(x, "x", "conv1d")
    taps = windowing.float_tensor(filter, "filter", "conv1d")
    if sequence.rank not in (2, 3):
        raise ValueError(
            f"conv1d: argument 'x' must have rank 3, or 2 for a batch of one, got shape {list(sequence.shape)}."
        )
    if taps.rank != 3:
        raise ValueError(f"conv1d: argument 'filter' must have rank 3, got shape {list(taps.shape)}.")
    if data_format != "NWC":
        raise ValueError(f"conv1d: argument 'data_format' must be 'NWC', got {data_format!r}.")
    batch = sequence.shape[:-2] or (1,)
    result = _convolve(
        CONV2D,
        "conv1d",
        sequence.reshape((*batch, 1, *sequence.shape[-2:])),
        taps.reshape((1, *taps.shape)),
        (1, stride),
        _padding_of_width(pad),
        "NHWC",
        (1, dilation),
        dim_rounding_mode,
    )
    width, channels = result.shape[2:]
    return result.reshape((*sequence.shape[:-2], width, channels))


def _padding_of_width(pad: Pad) -> windowing.KernelPad:
    """Padding of sequences as that of images of height 1."""
    given = windowing.padding(pad, "conv1d")
    if isinstance(given, int):
        return ((0, 0), (0, 0), (given, given), (0, 0))
    if isinstance(given, tuple) and len(given) == 3:
        return (given[0], (0, 0), *given[1:])
    return given


@op(method=True)
def conv2d(
    x: TensorLike,
    filter: TensorLike,
    strides: Pair,
    pad: Pad,
    data_format: str = "NHWC",
    dilations: Pair | None = (1, 1),
    dim_rounding_mode: str | None = None,
) -> Tensor:
    """Convolve images with filters: each output channel sums a window's products with one filter.

    Args:
        x: float32 tensor `[batch, height, width, in_channels]`, or without the batch axis.
        filter: float32 tensor `[filter_height, filter_width, in_channels, out_channels]`.
        strides: steps from one window to the next, `(height, width)` or one number for both.
        pad: `"same"` (with strides of 1 the result is as large as `x`), `"valid"` (windows inside the image
            only), a number of zeros on every side, or pairs (before, after) for the four axes.
        data_format: `"NHWC"`, or `"NCHW"` for `x` and the result with the channels first.
        dilations: steps from one tap of a window to the next; more than 1 only with strides of 1.
        dim_rounding_mode: `"floor"`, `"round"` or `"ceil"` of a fractional size of the result, for numeric `pad`;
            None drops the fraction.

    Returns:
        float32 tensor `[batch, out_height, out_width, out_channels]`, without the batch axis if `x` has none.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `Conv2D`.

    Example:
        >>> import tenfold as tf
        >>> x = tf.reshape([1, 2, 3, 4, 5, 6, 7, 8, 9], [3, 3, 1])
        >>> tf.conv2d(x, tf.ones([2, 2, 1, 1]), 1, "valid").array_sync()
        [[[12.0], [16.0]], [[24.0], [28.0]]]
    """
    image = windowing.float_tensor(x, "x", "conv2d")
    taps = windowing.float_tensor(filter, "filter", "conv2d")
    return _convolve(CONV2D, "conv2d", image, taps, strides, pad, data_format, dilations, dim_rounding_mode)


@op(method=True)
def conv2d_transpose(
    x: TensorLike,
    filter: TensorLike,
    output_shape: Sequence[int],
    strides: Pair,
    pad: Pad,
    dim_rounding_mode: str | None = None,
) -> Tensor:
    """The transpose of a convolution, also called deconvolution: the gradient of `conv2d` for its image.

    Args:
        x: float32 tensor `[batch, height, width, in_channels]`, or without the batch axis.
        filter: float32 tensor `[filter_height, filter_width, out_channels, in_channels]`.
        output_shape: `[batch, out_height, out_width, out_channels]`, without the batch axis if `x` has none.
        strides: of the convolution that is transposed, `(height, width)` or one number for both.
        pad: of that convolution; see `conv2d`.
        dim_rounding_mode: of that convolution.

    Returns:
        float32 tensor of `output_shape`.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `Conv2DBackpropInput`; M. D. Zeiler et al., Deconvolutional Networks, CVPR 2010.

    Example:
        >>> import tenfold as tf
        >>> tf.conv2d_transpose([[[2]]], [[[[3]], [[1]]], [[[5]], [[0]]]], [2, 2, 1], 1, "valid").array_sync()
        [[[6.0], [2.0]], [[10.0], [0.0]]]
    """
    name = "conv2d_transpose"
    dy = windowing.float_tensor(x, "x", name)
    taps = windowing.float_tensor(filter, "filter", name)
    image = windowing.as_batch(dy, name)
    shape = tuple(index(length) for length in output_shape)
    if len(shape) != dy.rank:
        raise ValueError(f"{name}: argument 'output_shape' must have {dy.rank} lengths as x has, got {list(shape)}.")
    shape = shape if len(shape) == 4 else (1, *shape)
    attributes: dict[str, Any] = {
        "strides": windowing.pair(strides, "strides", name),
        "pad": windowing.padding(pad, name),
        "data_format": "NHWC",
        "dilations": (1, 1),
        "dim_rounding_mode": dim_rounding_mode,
    }
    info = windowing.check_windows(name, lambda: conv2d_info(shape, taps.shape, **attributes))
    if info is not None and (info.out_shape != image.shape or info.groups != 1):
        raise ValueError(
            f"{name}: from output_shape {list(shape)} a filter of shape {list(taps.shape)} makes "
            f"{list(info.out_shape)}, but x is {list(image.shape)}."
        )
    result = ENGINE.run_kernel(CONV2D_BACKPROP_INPUT, (image, taps), {**attributes, "input_shape": shape})
    return windowing.like_given(result, dy)


# --- depthwise_conv2d, separable_conv2d --------------------------------------------------------------------


@op(method=True)
def depthwise_conv2d(
    x: TensorLike,
    filter: TensorLike,
    strides: Pair,
    pad: Pad,
    data_format: str = "NHWC",
    dilations: Pair | None = (1, 1),
    dim_rounding_mode: str | None = None,
) -> Tensor:
    """Convolve each channel of images with filters of its own.

    Output channel `c * multiplier + m` is input channel `c` convolved with `filter[:, :, c, m]`.

    Args:
        x: float32 tensor `[batch, height, width, in_channels]`, or without the batch axis.
        filter: float32 tensor `[filter_height, filter_width, in_channels, multiplier]`.
        strides: steps from one window to the next, `(height, width)` or one number for both.
        pad: see `conv2d`.
        data_format: `"NHWC"`, or `"NCHW"` for `x` and the result with the channels first.
        dilations: steps from one tap of a window to the next; more than 1 only with strides of 1.
        dim_rounding_mode: see `conv2d`.

    Returns:
        float32 tensor `[batch, out_height, out_width, in_channels * multiplier]`, without the batch axis if
        `x` has none.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `DepthwiseConv2dNative`.

    Example:
        >>> import tenfold as tf
        >>> x = [[[1, 10], [2, 20]], [[3, 30], [4, 40]]]
        >>> tf.depthwise_conv2d(x, tf.ones([2, 2, 2, 1]), 1, "valid").array_sync()
        [[[10.0, 100.0]]]
    """
    name = "depthwise_conv2d"
    image = windowing.float_tensor(x, "x", name)
    taps = windowing.float_tensor(filter, "filter", name)
    return _convolve(DEPTHWISE_CONV2D, name, image, taps, strides, pad, data_format, dilations, dim_rounding_mode)


@op(method=True)
def separable_conv2d(
    x: TensorLike,
    depthwise_filter: TensorLike,
    pointwise_filter: TensorLike,
    strides: Pair,
    pad: Pad,
    dilation: Pair | None = (1, 1),
    data_format: str = "NHWC",
) -> Tensor:
    """A depthwise convolution, whose channels a convolution of single pixels then mixes.

    Args:
        x: float32 tensor `[batch, height, width, in_channels]`, or without the batch axis.
        depthwise_filter: float32 tensor `[filter_height, filter_width, in_channels, multiplier]`.
        pointwise_filter: float32 tensor `[1, 1, in_channels * multiplier, out_channels]`.
        strides: of the depthwise convolution, `(height, width)` or one number for both.
        pad: of the depthwise convolution; see `conv2d`.
        dilation: of the depthwise convolution; more than 1 only with strides of 1.
        data_format: `"NHWC"`, or `"NCHW"` for `x` and the result with the channels first.

    Returns:
        float32 tensor `[batch, out_height, out_width, out_channels]`, without the batch axis if `x` has none.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `nn.separable_conv2d`; F. Chollet, Xception, CVPR 2017.

    Example:
        >>> import tenfold as tf
        >>> x = [[[1], [2]], [[3], [4]]]
        >>> tf.separable_conv2d(x, tf.ones([2, 2, 1, 1]), [[[[1, -1]]]], 1, "valid").array_sync()
        [[[10.0, -10.0]]]
    """
    name = "separable_conv2d"
    image = windowing.float_tensor(x, "x", name)
    taps = windowing.float_tensor(depthwise_filter, "depthwise_filter", name)
    mixing = windowing.float_tensor(pointwise_filter, "pointwise_filter", name)
    if not ENV.is_true("PROD"):
        for argument, tensor in (("depthwise_filter", taps), ("pointwise_filter", mixing)):
            if tensor.rank != 4:
                raise ValueError(f"{name}: argument '{argument}' must have rank 4, got shape {list(tensor.shape)}.")
        channels = taps.shape[2] * taps.shape[3]
        if mixing.shape[:3] != (1, 1, channels):
            raise ValueError(
                f"{name}: argument 'pointwise_filter' must have shape [1, 1, {channels}, out_channels] beside "
                f"depthwise filters of shape {list(taps.shape)}, got {list(mixing.shape)}."
            )
    separate = _convolve(DEPTHWISE_CONV2D, name, image, taps, strides, pad, data_format, dilation, None)
    return _convolve(CONV2D, name, separate, mixing, 1, "valid", data_format, 1, None)
