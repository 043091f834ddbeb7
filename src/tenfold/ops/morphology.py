"""Grey-scale morphology: dilation of images by a structuring function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tenfold.codegen.compute import Array, flatten
from tenfold.codegen.expr import Expr, call
from tenfold.codegen.reductions import reduce_axes
from tenfold.core.conversion import TensorLike
from tenfold.core.engine import ENGINE
from tenfold.core.environment import ENV
from tenfold.core.kernel import Attributes, Kernel, TensorSpec, define_kernel, register_gradient
from tenfold.core.op import op
from tenfold.core.tensor import Tensor
from tenfold.core.windows import ConvInfo, Pad, Pair, pool2d_info
from tenfold.ops import operands, window_maxima, windowing
from tenfold.ops.elementwise import match_types
from tenfold.ops.window_positions import guarded, inside, positions

Thunks = Sequence[Callable[[], Tensor] | None]


def _windows(attributes: Attributes) -> dict[str, Any]:
    return {
        "strides": attributes["strides"],
        "pad": attributes["pad"],
        "dilations": attributes.get("dilations", (1, 1)),
    }


def _dilation_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    x, filter = specs
    info = pool2d_info(x.shape, filter.shape[:2], **_windows(attributes))
    return TensorSpec(info.out_shape, x.dtype)


def _input_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    x, _, dy = specs
    return TensorSpec(x.shape, dy.dtype)


def _filter_infer(specs: Sequence[TensorSpec], attributes: Attributes) -> TensorSpec:
    _, filter, dy = specs
    return TensorSpec(filter.shape, dy.dtype)


def _sums(x: Array, filter: Array, attributes: Attributes) -> tuple[ConvInfo, window_maxima.Candidate]:
    """The windows, and what they offer to a maximum."""
    info = pool2d_info(x.shape, filter.shape[:2], **_windows(attributes))

    def candidate(at: Sequence[Expr], taps: Sequence[Expr]) -> Expr:
        batch, row, column, channel = at
        seen = positions(info.axes, [row, column], taps)
        return window_maxima.offered(inside(info.axes, seen), x[[batch, *seen, channel]] + filter[[*taps, channel]])

    return info, candidate


def _winners(x: Array, filter: Array, attributes: Attributes) -> tuple[ConvInfo, Array]:
    """The windows, and the tap of the first largest sum of each."""
    info, candidate = _sums(x, filter, attributes)
    maxima = window_maxima.largest(info.out_shape, info.axes, candidate)
    return info, window_maxima.winners(maxima, info.axes, candidate)


def _dilation(x: Array, filter: Array, **attributes: Any) -> Array:
    info, candidate = _sums(x, filter, attributes)
    return window_maxima.largest(info.out_shape, info.axes, candidate)


def _back_to_input(x: Array, filter: Array, dy: Array, **attributes: Any) -> Array:
    info, winners = _winners(x, filter, attributes)
    return window_maxima.given_to_winners(dy, winners, info.axes, x.shape)


def _back_to_filter(x: Array, filter: Array, dy: Array, **attributes: Any) -> Array:
    info, winners = _winners(x, filter, attributes)

    def share(row: Expr, column: Expr, channel: Expr, *at: Expr) -> Expr:
        window = [*at, channel]
        tap = flatten([row, column], filter.shape[:2])
        return guarded(call("equal", winners[window], tap), dy[window], 0)

    return reduce_axes("sum", [*filter.shape, *info.out_shape[:3]], range(3, 6), share)


DILATION2D = define_kernel(Kernel("Dilation2D", ("x", "filter"), _dilation_infer, definition=_dilation))
DILATION2D_BACKPROP_INPUT = define_kernel(
    Kernel("Dilation2DBackpropInput", ("x", "filter", "dy"), _input_infer, definition=_back_to_input)
)
DILATION2D_BACKPROP_FILTER = define_kernel(
    Kernel("Dilation2DBackpropFilter", ("x", "filter", "dy"), _filter_infer, definition=_back_to_filter)
)


def _dilation_gradient(dy: Tensor, saved: list[Tensor], attributes: Attributes) -> Thunks:
    x, filter = saved
    windows = _windows(attributes)
    return [
        lambda: ENGINE.run_kernel(DILATION2D_BACKPROP_INPUT.name, (x, filter, dy), windows),
        lambda: ENGINE.run_kernel(DILATION2D_BACKPROP_FILTER.name, (x, filter, dy), windows),
    ]


register_gradient("Dilation2D", _dilation_gradient, inputs_to_save=["x", "filter"])


@op(method=True)
def dilation2d(
    x: TensorLike,
    filter: TensorLike,
    strides: Pair,
    pad: Pad,
    dilations: Pair | None = (1, 1),
    data_format: str = "NHWC",
) -> Tensor:
    """Grey-scale dilation: the largest sum of a pixel and its tap in each window, channel by channel.

    With a filter of zeros it is max pooling. Its gradient goes to the first of a window's largest sums. The erosion
    of `x` is the negative of the dilation of `-x` by the mirrored filter.

    Args:
        x: tensor `[batch, height, width, channels]` of a real dtype, or without the batch axis.
        filter: tensor `[filter_height, filter_width, channels]`.
        strides: steps from one window to the next, `(height, width)` or one number for both.
        pad: `"same"`, `"valid"`, how far the windows reach over every side, or pairs (before, after) for the
            four axes; what they see there counts for nothing.
        dilations: steps from one tap of a window to the next.
        data_format: `"NHWC"`.

    Returns:
        Tensor `[batch, out_height, out_width, channels]` of the wider dtype, without the batch axis if `x` has none.

    Raises:
        TypeError: if an argument has another type or dtype.
        ValueError: if shapes do not fit, or an argument is out of range.

    Source: TensorFlow's `Dilation2D`.

    Example:
        >>> import tenfold as tf
        >>> tf.dilation2d([[[1], [5], [2]]], [[[0], [1]]], 1, "valid").array_sync()
        [[[6.0], [5.0]]]
    """
    name = "dilation2d"
    image, taps = operands.real(x, name), operands.real(filter, name, "filter")
    if image.dtype != taps.dtype:
        image, taps = match_types(image, taps)
    if data_format != "NHWC":
        raise ValueError(f"{name}: argument 'data_format' must be 'NHWC', got {data_format!r}.")
    batch = windowing.as_batch(image, name)
    if not ENV.is_true("PROD") and (taps.rank != 3 or taps.shape[2] != batch.shape[3]):
        raise ValueError(
            f"{name}: argument 'filter' must have the shape [filter_height, filter_width, {batch.shape[3]}] for x of "
            f"shape {list(image.shape)}, got {list(taps.shape)}."
        )
    attributes: dict[str, Any] = {
        "strides": windowing.pair(strides, "strides", name),
        "pad": windowing.padding(pad, name),
        "dilations": windowing.pair(dilations, "dilations", name),
    }
    windowing.check_sizes(name, lambda: pool2d_info(batch.shape, taps.shape[:2], **attributes))
    return windowing.like_given(ENGINE.run_kernel(DILATION2D.name, (batch, taps), attributes), image)
