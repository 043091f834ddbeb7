"""Pooling of volumes: the largest or the mean of each window, channel by channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tenfold.codegen.compute import Array
from tenfold.core.conversion import TensorLike
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.core.windows import Pad, Triple, VolumeInfo, pool3d_info
from tenfold.ops import operands, pooling, window_maxima, windowing

Thunks = Sequence[Callable[[], Tensor] | None]


def _windows(attributes: Attributes) -> dict[str, Any]:
    return {
        "filter_size": attributes["filter_size"],
        "strides": attributes["strides"],
        "pad": attributes["pad"],
        "dim_rounding_mode": attributes.get("dim_rounding_mode"),
    }


def _pool_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    x = specs[0]
    return TensorSpec(pool3d_info(x.shape, **_windows(attributes)).out_shape, x.dtype)


def _gradient_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    dy, x = specs[:2]
    return TensorSpec(x.shape, dy.dtype)


def _sizes(x: Array, attributes: Attributes) -> VolumeInfo:
    return pool3d_info(x.shape, **_windows(attributes))


def _max_pool(x: Array, **attributes: Any) -> Array:
    info = _sizes(x, attributes)
    return window_maxima.largest(info.out_shape, info.axes, pooling.pixels(x, info.axes))


def _max_pool_grad(dy: Array, x: Array, y: Array, **attributes: Any) -> Array:
    return pooling.max_gradient(dy, x, y, _sizes(x, attributes).axes)


def _avg_pool(x: Array, **attributes: Any) -> Array:
    info = _sizes(x, attributes)
    return pooling.average(x, info.axes, info.out_shape)


def _avg_pool_grad(dy: Array, x: Array, **attributes: Any) -> Array:
    return pooling.average_gradient(dy, _sizes(x, attributes).axes, x.shape)


MAX_POOL_3D = define_kernel(Kernel("MaxPool3D", ("x",), _pool_infer, definition=_max_pool))
MAX_POOL_3D_GRAD = define_kernel(
    Kernel("MaxPool3DGrad", ("dy", "input", "output"), _gradient_infer, definition=_max_pool_grad)
)
AVG_POOL_3D = define_kernel(Kernel("AvgPool3D", ("x",), _pool_infer, definition=_avg_pool))
AVG_POOL_3D_GRAD = define_kernel(Kernel("AvgPool3DGrad", ("dy", "input"), _gradient_infer, definition=_avg_pool_grad))


def _max_pool_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    x, y = saved
    return [lambda: ENGINE.run_kernel(MAX_POOL_3D_GRAD.name, (dy, x, y), _windows(attributes))]


def _avg_pool_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    return [lambda: ENGINE.run_kernel(AVG_POOL_3D_GRAD.name, (dy, saved[0]), _windows(attributes))]


register_gradient("MaxPool3D", _max_pool_gradient, inputs_to_save=["x"], outputs_to_save=[True])
register_gradient("AvgPool3D", _avg_pool_gradient, inputs_to_save=["x"])


def _pool(
    kernel: Kernel,
    op: str,
    x: Tensor,
    filter_size: Triple,
    strides: Triple,
    pad: Pad,
    dim_rounding_mode: str | None,
    data_format: str,
) -> Tensor:
    if data_format != "NDHWC":
        raise ValueError(f"{op}: argument 'data_format' must be 'NDHWC', got {data_format!r}.")
    batch = windowing.as_batch(x, op, rank=5)
    attributes: dict[str, Any] = {
        "filter_size": windowing.triple(filter_size, "filter_size", op),
        "strides": windowing.triple(strides, "strides", op),
        "pad": windowing.padding(pad, op),
        "dim_rounding_mode": dim_rounding_mode,
    }
    windowing.check_windows(op, lambda: pool3d_info(batch.shape, **attributes))
    return windowing.like_given(ENGINE.run_kernel(kernel.name, (batch,), attributes), x)


@op()
def max_pool3d(
    x: TensorLike,
    filter_size: Triple,
    strides: Triple,
    pad: Pad,
    dim_rounding_mode: str | None = None,
    data_format: str = "NDHWC",
) -> Tensor:
    """The largest number of each window of a volume; NaN is passed over.

    The gradient goes to the first of a window's largest numbers.

    Args:
        x: tensor `[batch, depth, height, width, channels]` of a real dtype, or without the batch axis.
        filter_size: size of the windows, `(depth, height, width)` or one number for all.
        strides: steps from one window to the next, likewise.
        pad: `"same"`, `"valid"`, how far the windows reach over every side, or pairs (before, after) for the
            five axes; what they see there counts for nothing.
        dim_rounding_mode: `"floor"`, `"round"` or `"ceil"` of a fractional size of the result, for numeric `pad`;
            None drops the fraction.
        data_format: `"NDHWC"`.

    Returns:
        Tensor `[batch, out_depth, out_height, out_width, channels]` of the same dtype (int32 for bool), without
        the batch axis if `x` has none.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if `x` has another rank, or an argument is out of range.

    Source: TensorFlow's `MaxPool3D`.

    Example:
        >>> import tenfold as tf
        >>> tf.max_pool3d([[[[1], [2]], [[3], [4]]]], [1, 2, 2], 1, "valid").array_sync()
        [[[[4.0]]]]
    """
    volume = operands.real(x, "max_pool3d")
    return _pool(MAX_POOL_3D, "max_pool3d", volume, filter_size, strides, pad, dim_rounding_mode, data_format)


@op()
def avg_pool3d(
    x: TensorLike,
    filter_size: Triple,
    strides: Triple,
    pad: Pad,
    dim_rounding_mode: str | None = None,
    data_format: str = "NDHWC",
) -> Tensor:
    """The mean of what each window sees of a volume.

    Args:
        x: float32 tensor `[batch, depth, height, width, channels]`, or without the batch axis.
        filter_size: size of the windows, `(depth, height, width)` or one number for all.
        strides: steps from one window to the next, likewise.
        pad: `"same"`, `"valid"`, how far the windows reach over every side, or pairs (before, after) for the
            five axes; what they see there does not count.
        dim_rounding_mode: `"floor"`, `"round"` or `"ceil"` of a fractional size of the result, for numeric `pad`;
            None drops the fraction.
        data_format: `"NDHWC"`.

    Returns:
        float32 tensor `[batch, out_depth, out_height, out_width, channels]`, without the batch axis if `x` has
        none.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if `x` has another rank, or an argument is out of range.

    Source: TensorFlow's `AvgPool3D`.

    Example:
        >>> import tenfold as tf
        >>> tf.avg_pool3d([[[[1], [2]], [[3], [4]]]], [1, 2, 2], 1, "valid").array_sync()
        [[[[2.5]]]]
    """
    volume = windowing.float_tensor(x, "x", "avg_pool3d")
    return _pool(AVG_POOL_3D, "avg_pool3d", volume, filter_size, strides, pad, dim_rounding_mode, data_format)
