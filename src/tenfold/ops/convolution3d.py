"""Convolutions of volumes, such as videos and scans.

Volumes are `[batch, depth, height, width, channels]`, filters `[depth, height, width, in_channels, out_channels]`. The
three kernels are each other's gradients, as those of images are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tenfold.core.arguments import integers
from tenfold.core.conversion import TensorLike
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes
from tenfold.core.op import op
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor
from tenfold.core.windows import Pad, Triple, VolumeInfo, conv3d_info
from tenfold.ops import windowing
from tenfold.ops.convolution_kernels import define_convolution

CONV3D = "Conv3D"
CONV3D_BACKPROP_INPUT = "Conv3DBackpropInputV2"


def _windows(attributes: Attributes) -> dict[str, Any]:
    """The attributes that the three kernels have in common."""
    return {
        "strides": attributes["strides"],
        "pad": attributes["pad"],
        "dilations": attributes.get("dilations", (1, 1, 1)),
    }


def _sizes(x_shape: Shape, filter_shape: Shape, attributes: Attributes) -> VolumeInfo:
    return conv3d_info(x_shape, filter_shape, **_windows(attributes))


define_convolution(CONV3D, CONV3D_BACKPROP_INPUT, "Conv3DBackpropFilterV2", _sizes, _windows)


@op()
def conv3d(
    x: TensorLike,
    filter: TensorLike,
    strides: Triple,
    pad: Pad,
    data_format: str = "NDHWC",
    dilations: Triple | None = (1, 1, 1),
) -> Tensor:
    """Convolve volumes with filters: each output channel sums a window's products with one filter.

    Args:
        x: float32 tensor `[batch, depth, height, width, in_channels]`, or without the batch axis.
        filter: float32 tensor `[filter_depth, filter_height, filter_width, in_channels, out_channels]`.
        strides: steps from one window to the next, `(depth, height, width)` or one number for all.
        pad: `"same"` (with strides of 1 the result is as large as `x`), `"valid"` (windows inside the volume
            only), a number of zeros on every side, or pairs (before, after) for the five axes.
        data_format: `"NDHWC"`.
        dilations: steps from one tap of a window to the next; more than 1 only with strides of 1.

    Returns:
        float32 tensor `[batch, out_depth, out_height, out_width, out_channels]`, without the batch axis if `x`
        has none.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `Conv3D`.

    Example:
        >>> import tenfold as tf
        >>> x = tf.reshape([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2, 1])
        >>> tf.conv3d(x, tf.ones([2, 1, 2, 1, 1]), 1, "valid").array_sync()
        [[[[14.0]], [[22.0]]]]
    """
    volume = windowing.float_tensor(x, "x", "conv3d")
    taps = windowing.float_tensor(filter, "filter", "conv3d")
    if data_format != "NDHWC":
        raise ValueError(f"conv3d: argument 'data_format' must be 'NDHWC', got {data_format!r}.")
    batch = windowing.as_batch(volume, "conv3d", rank=5)
    attributes: dict[str, Any] = {
        "strides": windowing.triple(strides, "strides", "conv3d"),
        "pad": windowing.padding(pad, "conv3d"),
        "dilations": windowing.triple(dilations, "dilations", "conv3d"),
    }
    windowing.check_windows("conv3d", lambda: conv3d_info(batch.shape, taps.shape, **attributes))
    return windowing.like_given(ENGINE.run_kernel(CONV3D, (batch, taps), attributes), volume)


@op()
def conv3d_transpose(
    x: TensorLike,
    filter: TensorLike,
    output_shape: Sequence[int],
    strides: Triple,
    pad: Pad,
) -> Tensor:
    """The transpose of a convolution of volumes: the gradient of `conv3d` for its volume.

    Args:
        x: float32 tensor `[batch, depth, height, width, in_channels]`, or without the batch axis.
        filter: float32 tensor `[filter_depth, filter_height, filter_width, out_channels, in_channels]`.
        output_shape: `[batch, out_depth, out_height, out_width, out_channels]`, without the batch axis if `x`
            has none.
        strides: of the convolution that is transposed, `(depth, height, width)` or one number for all.
        pad: of that convolution; see `conv3d`.

    Returns:
        float32 tensor of `output_shape`.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `Conv3DBackpropInputV2`.

    Example:
        >>> import tenfold as tf
        >>> tf.conv3d_transpose([[[[2]]]], tf.ones([1, 1, 2, 1, 1]), [1, 1, 2, 1], 1, "valid").array_sync()
        [[[[2.0], [2.0]]]]
    """
    name = "conv3d_transpose"
    dy = windowing.float_tensor(x, "x", name)
    taps = windowing.float_tensor(filter, "filter", name)
    batch = windowing.as_batch(dy, name, rank=5)
    shape = integers(output_shape, "output_shape", name)
    if len(shape) != dy.rank:
        raise ValueError(f"{name}: argument 'output_shape' must have {dy.rank} lengths as x has, got {list(shape)}.")
    shape = shape if len(shape) == 5 else (1, *shape)
    attributes: dict[str, Any] = {
        "strides": windowing.triple(strides, "strides", name),
        "pad": windowing.padding(pad, name),
        "dilations": (1, 1, 1),
    }
    info = windowing.check_windows(name, lambda: conv3d_info(shape, taps.shape, **attributes))
    if info is not None and info.out_shape != batch.shape:
        raise ValueError(
            f"{name}: from output_shape {list(shape)} a filter of shape {list(taps.shape)} makes "
            f"{list(info.out_shape)}, but x is {list(batch.shape)}."
        )
    result = ENGINE.run_kernel(CONV3D_BACKPROP_INPUT, (batch, taps), {**attributes, "input_shape": shape})
    return windowing.like_given(result, dy)
