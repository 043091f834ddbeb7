"""Pooling: the largest or the mean of each window of an image, channel by channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

from tenfold.codegen.compute import Array, compute, flatten, sum_over, unflatten
from tenfold.codegen.expr import Expr, call, select
from tenfold.codegen.reductions import LONGEST, reduce_axes
from tenfold.core.conversion import TensorLike
from tenfold.core.engine import ENGINE
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.storage import Shape
from tenfold.core.tensor import Tensor
from tenfold.core.windows import Axis, ConvInfo, Pad, Pair, pool2d_info
from tenfold.ops import operands, window_maxima, windowing
from tenfold.ops.window_positions import all_sights, guarded, inside, pixels_seen, positions, sights

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
    return TensorSpec(pool2d_info(x.shape, **_windows(attributes)).out_shape, x.dtype)


def _gradient_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    dy, x = specs[:2]
    return TensorSpec(x.shape, dy.dtype)


def _attributes(op: str, filter_size: Pair, strides: Pair, pad: Pad, dim_rounding_mode: str | None) -> dict[str, Any]:
    """The arguments of a pooling in the form of its kernels."""
    return {
        "filter_size": windowing.pair(filter_size, "filter_size", op),
        "strides": windowing.pair(strides, "strides", op),
        "pad": windowing.padding(pad, op),
        "dim_rounding_mode": dim_rounding_mode,
    }


def _sizes(x: Array, attributes: Attributes) -> ConvInfo:
    return pool2d_info(x.shape, **_windows(attributes))


def _keeps_pixels(info: ConvInfo) -> bool:
    """Whether pooling copies, NaN included: windows of one pixel, as many as there are pixels.

    TensorFlow.js asks for no more, so that it also copies where strides and padding happen to make as many.
    """
    return info.filter_height == info.filter_width == 1 and info.in_shape == info.out_shape


def _copy(x: Array) -> Array:
    return compute(x.shape, lambda *at: x[at])


# --- max_pool ----------------------------------------------------------------------------------------------


def pixels(x: Array, axes: Sequence[Axis]) -> window_maxima.Candidate:
    """What windows along the axes between batch and channels offer to a maximum."""

    def candidate(at: Sequence[Expr], taps: Sequence[Expr]) -> Expr:
        batch, *windows, channel = at
        seen = positions(axes, windows, taps)
        return window_maxima.offered(inside(axes, seen), x[[batch, *seen, channel]])

    return candidate


def _max_pool(x: Array, **attributes: Any) -> Array:
    info = _sizes(x, attributes)
    return _copy(x) if _keeps_pixels(info) else window_maxima.largest(info.out_shape, info.axes, pixels(x, info.axes))


def _max_pool_grad(dy: Array, x: Array, y: Array, **attributes: Any) -> Array:
    return max_gradient(dy, x, y, _sizes(x, attributes).axes)


def max_gradient(dy: Array, x: Array, y: Array, axes: Sequence[Axis]) -> Array:
    """The gradient of the largest numbers `y` of windows along the axes between batch and channels."""
    return window_maxima.given_to_winners(dy, window_maxima.winners(y, axes, pixels(x, axes)), axes, x.shape)


MAX_POOL = define_kernel(Kernel("MaxPool", ("x",), _pool_infer, definition=_max_pool))
MAX_POOL_GRAD = define_kernel(
    Kernel("MaxPoolGrad", ("dy", "input", "output"), _gradient_infer, definition=_max_pool_grad)
)


def _max_pool_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    x, y = saved
    return [lambda: ENGINE.run_kernel(MAX_POOL_GRAD.name, (dy, x, y), _windows(attributes))]


register_gradient("MaxPool", _max_pool_gradient, inputs_to_save=["x"], outputs_to_save=[True])


@op(method=True)
def max_pool(x: TensorLike, filter_size: Pair, strides: Pair, pad: Pad, dim_rounding_mode: str | None = None) -> Tensor:
    """The largest number of each window; NaN is passed over.

    The gradient goes to the first of a window's largest numbers.

    Args:
        x: tensor `[batch, height, width, channels]` of a real dtype, or without the batch axis.
        filter_size: size of the windows, `(height, width)` or one number for both.
        strides: steps from one window to the next, likewise.
        pad: `"same"`, `"valid"`, how far the windows reach over every side, or pairs (before, after) for the
            four axes; what they see there counts for nothing.
        dim_rounding_mode: `"floor"`, `"round"` or `"ceil"` of a fractional size of the result, for numeric `pad`;
            None drops the fraction.

    Returns:
        Tensor `[batch, out_height, out_width, channels]` of the same dtype (int32 for bool), without the batch
        axis if `x` has none.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if `x` has another rank, or an argument is out of range.

    Source: TensorFlow's `MaxPool`.

    Example:
        >>> import tenfold as tf
        >>> tf.max_pool([[[1], [2]], [[3], [4]]], 2, 2, "valid").array_sync()
        [[[4.0]]]
    """
    image = operands.real(x, "max_pool")
    batch = windowing.as_batch(image, "max_pool")
    attributes = _attributes("max_pool", filter_size, strides, pad, dim_rounding_mode)
    windowing.check_windows("max_pool", lambda: pool2d_info(batch.shape, **attributes))
    return windowing.like_given(ENGINE.run_kernel(MAX_POOL.name, (batch,), attributes), image)


# --- avg_pool ----------------------------------------------------------------------------------------------


def average(x: Array, axes: Sequence[Axis], out_shape: Shape) -> Array:
    """The mean of what each window sees, along the axes between batch and channels; for int32 without its fraction."""

    rank, taps = len(out_shape), [axis.window for axis in axes]

    def pixel(*i: Expr) -> Expr:
        batch, *windows, channel = i[:rank]
        seen = positions(axes, windows, i[rank:])
        return guarded(inside(axes, seen), x[[batch, *seen, channel]], 0)

    # Windows as large as whole images are summed in stages of their own.
    sums = None
    if prod(taps) > LONGEST:
        sums = reduce_axes("sum", [*out_shape, *taps], range(rank, rank + len(taps)), pixel)

    def element(*at: Expr) -> Expr:
        total = sums[at] if sums else sum_over(taps, lambda *tap: pixel(*at, *tap))
        count = pixels_seen(axes, at[1:-1], x.dtype)
        return _without_fraction(total, count) if x.dtype == "int32" else total / count

    return compute(out_shape, element)


def _without_fraction(total: Expr, count: Expr) -> Expr:
    some = call("maximum", count, 1)
    return select(total < 0, -call("floor_divide", -total, some), call("floor_divide", total, some))


def average_gradient(dy: Array, axes: Sequence[Axis], shape: Shape) -> Array:
    """The gradient of `average`: each window's is shared by the pixels that it sees."""
    shares = compute(dy.shape, lambda *at: dy[at] / pixels_seen(axes, at[1:-1], dy.dtype))

    def element(*at: Expr) -> Expr:
        batch, *here, channel = at

        def share(*numbers: Expr) -> Expr:
            windows, _, exist = all_sights(axes, here, numbers)
            return guarded(exist, shares[[batch, *windows, channel]], 0)

        return sum_over([sights(axis) for axis in axes], share)

    return compute(shape, element)


def _avg_pool(x: Array, **attributes: Any) -> Array:
    info = _sizes(x, attributes)
    return _copy(x) if _keeps_pixels(info) else average(x, info.axes, info.out_shape)


def _avg_pool_grad(dy: Array, x: Array, **attributes: Any) -> Array:
    info = _sizes(x, attributes)
    return _copy(dy) if _keeps_pixels(info) else average_gradient(dy, info.axes, x.shape)


AVG_POOL = define_kernel(Kernel("AvgPool", ("x",), _pool_infer, definition=_avg_pool))
AVG_POOL_GRAD = define_kernel(Kernel("AvgPoolGrad", ("dy", "input"), _gradient_infer, definition=_avg_pool_grad))


def _avg_pool_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    return [lambda: ENGINE.run_kernel(AVG_POOL_GRAD.name, (dy, saved[0]), _windows(attributes))]


register_gradient("AvgPool", _avg_pool_gradient, inputs_to_save=["x"])


@op(method=True)
def avg_pool(x: TensorLike, filter_size: Pair, strides: Pair, pad: Pad, dim_rounding_mode: str | None = None) -> Tensor:
    """The mean of what each window sees of the image.

    The gradient divides by the number of pixels that the mean was taken of, also at the padding.

    Args:
        x: float32 tensor `[batch, height, width, channels]`, or without the batch axis.
        filter_size: size of the windows, `(height, width)` or one number for both.
        strides: steps from one window to the next, likewise.
        pad: `"same"`, `"valid"`, how far the windows reach over every side, or pairs (before, after) for the
            four axes; what they see there does not count.
        dim_rounding_mode: `"floor"`, `"round"` or `"ceil"` of a fractional size of the result, for numeric `pad`;
            None drops the fraction.

    Returns:
        float32 tensor `[batch, out_height, out_width, channels]`, without the batch axis if `x` has none.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if `x` has another rank, or an argument is out of range.

    Source: TensorFlow's `AvgPool`.

    Example:
        >>> import tenfold as tf
        >>> tf.avg_pool([[[1], [2]], [[3], [4]]], 2, 2, "valid").array_sync()
        [[[2.5]]]
    """
    image = windowing.float_tensor(x, "x", "avg_pool")
    batch = windowing.as_batch(image, "avg_pool")
    attributes = _attributes("avg_pool", filter_size, strides, pad, dim_rounding_mode)
    windowing.check_windows("avg_pool", lambda: pool2d_info(batch.shape, **attributes))
    return windowing.like_given(ENGINE.run_kernel(AVG_POOL.name, (batch,), attributes), image)


# --- max_pool_with_argmax ----------------------------------------------------------------------------------


class MaxPoolWithArgmax(NamedTuple):
    """Largest numbers of windows and where they stand.

    Attributes:
        result: what `max_pool` gives.
        indexes: int32 tensor of the same shape, positions in the flattened image or batch.
    """

    result: Tensor
    indexes: Tensor


def _argmax_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> list[TensorSpec]:
    shape = _pool_infer(specs, attributes).shape
    return [TensorSpec(shape, specs[0].dtype), TensorSpec(shape, "int32")]


def _max_pool_with_argmax(x: Array, *, include_batch_in_index: bool = False, **attributes: Any) -> tuple[Array, Array]:
    info = _sizes(x, attributes)
    axes, candidate = info.axes, pixels(x, info.axes)
    maxima = window_maxima.largest(info.out_shape, axes, candidate)

    def index(*at: Expr) -> Expr:
        batch, *windows, channel = at
        taps = unflatten(window_maxima.winning_tap(at, axes, candidate), [axis.window for axis in axes])
        place = [*positions(axes, windows, taps), channel]
        position = flatten([batch, *place], x.shape) if include_batch_in_index else flatten(place, x.shape[1:])
        return select(maxima[at] > window_maxima.least(x.dtype), position, -1)

    return maxima, compute(info.out_shape, index)


MAX_POOL_WITH_ARGMAX = define_kernel(
    Kernel("MaxPoolWithArgmax", ("x",), _argmax_infer, definition=_max_pool_with_argmax)
)


def _argmax_gradient(dy: Sequence[Tensor], saved: list[Tensor], attributes: Attributes) -> Thunks:
    return _max_pool_gradient(dy[0], saved, attributes)


register_gradient("MaxPoolWithArgmax", _argmax_gradient, inputs_to_save=["x"], outputs_to_save=[True, False])


@op(method=True)
def max_pool_with_argmax(
    x: TensorLike, filter_size: Pair, strides: Pair, pad: Pad, include_batch_in_index: bool = False
) -> MaxPoolWithArgmax:
    """The largest number of each window, and where it stands.

    Args:
        x: tensor `[batch, height, width, channels]` of a real dtype, or without the batch axis.
        filter_size: size of the windows, `(height, width)` or one number for both.
        strides: steps from one window to the next, likewise.
        pad: see `max_pool`.
        include_batch_in_index: whether positions count through the whole batch,
            `((b * height + y) * width + x) * channels + c`, instead of each image.

    Returns:
        `result`, as `max_pool` gives it, and `indexes`, an int32 tensor of its shape.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if `x` has another rank, or an argument is out of range.

    Source: TensorFlow's `MaxPoolWithArgmax`.

    Example:
        >>> import tenfold as tf
        >>> result, indexes = tf.max_pool_with_argmax([[[1], [5]], [[3], [4]]], 2, 2, "valid")
        >>> result.array_sync(), indexes.array_sync()
        ([[[5.0]]], [[[1]]])
    """
    name = "max_pool_with_argmax"
    image = operands.real(x, name)
    batch = windowing.as_batch(image, name)
    attributes = _attributes(name, filter_size, strides, pad, None)
    windowing.check_windows(name, lambda: pool2d_info(batch.shape, **attributes))
    del attributes["dim_rounding_mode"]
    attributes["include_batch_in_index"] = bool(include_batch_in_index)
    result, indexes = ENGINE.run_kernel(MAX_POOL_WITH_ARGMAX.name, (batch,), attributes)
    return MaxPoolWithArgmax(windowing.like_given(result, image), windowing.like_given(indexes, image))


# --- pool --------------------------------------------------------------------------------------------------

_POOLINGS: dict[str, Callable[..., Tensor]] = {"max": max_pool, "avg": avg_pool}


@op(method=True)
def pool(
    input: TensorLike,
    window_shape: Pair,
    pooling_type: str,
    pad: Pad,
    dilations: Pair | None = None,
    strides: Pair | None = None,
    dim_rounding_mode: str | None = None,
) -> Tensor:
    """Pooling of either type, also with dilated windows.

    Dilated windows pool the interleaved sub-images that they see; there, and only there, what lies beyond the
    edge counts as zeros.

    Args:
        input: float32 tensor `[batch, height, width, channels]`, or without the batch axis.
        window_shape: size of the windows, `(height, width)` or one number for both.
        pooling_type: `"max"` or `"avg"`.
        pad: see `max_pool`.
        dilations: steps from one tap of a window to the next; more than 1 only with strides of 1.
        strides: steps from one window to the next; 1 if None.
        dim_rounding_mode: see `max_pool`; not with dilated windows.

    Returns:
        Tensor `[batch, out_height, out_width, channels]`, without the batch axis if `input` has none.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if `input` has another rank, or an argument is out of range.

    Source: TensorFlow's `nn.pool`.

    Example:
        >>> import tenfold as tf
        >>> tf.pool([[[1], [2]], [[3], [4]]], 2, "max", "valid").array_sync()
        [[[4.0]]]
    """
    if pooling_type not in _POOLINGS:
        raise ValueError(f"pool: argument 'pooling_type' must be 'max' or 'avg', got {pooling_type!r}.")
    pooling = _POOLINGS[pooling_type]
    image = operands.real(input, "pool", "input")
    batch = windowing.as_batch(image, "pool", "input")
    size = windowing.pair(window_shape, "window_shape", "pool")
    attributes = _attributes("pool", size, 1 if strides is None else strides, pad, dim_rounding_mode)
    rates = windowing.pair(dilations, "dilations", "pool")
    windowing.check_windows("pool", lambda: pool2d_info(batch.shape, **attributes, dilations=rates))
    if rates == (1, 1):
        return windowing.like_given(pooling(batch, **attributes), image)
    if dim_rounding_mode is not None:
        raise ValueError(
            f"pool: argument 'dim_rounding_mode' must be None with dilated windows, got {dim_rounding_mode!r}."
        )
    paddings, crops = _interleaving(pool2d_info(batch.shape, **attributes, dilations=rates))
    parts = batch.space_to_batch_nd(rates, paddings)
    return windowing.like_given(pooling(parts, size, 1, "valid").batch_to_space_nd(rates, crops), image)


def _interleaving(info: ConvInfo) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Padding that makes height and width multiples of the dilations, and what of it to crop from the result."""
    height = info.pad_top + info.in_height + info.pad_bottom
    width = info.pad_left + info.in_width + info.pad_right
    rows, columns = -height % info.dilation_height, -width % info.dilation_width
    paddings = [(info.pad_top, info.pad_bottom + rows), (info.pad_left, info.pad_right + columns)]
    return paddings, [(0, rows), (0, columns)]
