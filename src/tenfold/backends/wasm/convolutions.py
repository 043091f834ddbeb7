"""Convolutions and their gradients by routines: of images and volumes, in groups, and channel by channel.

Two routines do it. One correlates: windows of images times a matrix of weights. So is the gradient for the input made,
over the gradient of the output with the weights turned around. The other makes the gradient for the filter, sums of
outer products of what taps see and of the gradient of the output.

A volume is correlated as images whose channels are what the windows see along the depth; groups are batches of images
with weights of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Final, NamedTuple

from tenfold.backends.wasm.calls import Recipe
from tenfold.backends.wasm.recipes import PRODUCTS_PER_WORK, MakeRecipe, RecipeWriter, guarded
from tenfold.codegen.compute import (
    Array,
    all_hold,
    compute,
    in_range,
    modulo,
    quotient,
    simplify,
    sum_over,
)
from tenfold.codegen.expr import Expr, Number, call, select
from tenfold.codegen.loops.program import Target
from tenfold.codegen.routines.convolution import convolve
from tenfold.codegen.routines.filter_gradients import depthwise_filter_gradient, filter_gradient
from tenfold.codegen.routines.matmul import best_layout, matmul
from tenfold.codegen.routines.packing import Operand, outer_layout
from tenfold.codegen.routines.windows import slide
from tenfold.core.kernel import Attributes, TensorSpec
from tenfold.core.storage import Shape
from tenfold.core.windows import Axis, ConvInfo, VolumeInfo, conv2d_attributes, conv2d_info, conv3d_info

FEWEST_PIXELS: Final = 8
"""With fewer pixels of a result, packing the weights takes longer than it saves."""

FEWEST_COLUMNS: Final = 4
"""With fewer channels of a result, most lanes of its tiles would be thrown away."""

FEWEST_COLUMNS_OF_VOLUMES: Final = 16
"""With fewer channels of a volume's gradient, what windows see along the depth is not worth putting side by side."""

MOST_PHASED: Final = 1.3
"""So many times the products, zeros among them, are added up to have pixels of all phases at once."""

WORTH_PHASES: Final = 1 << 22
"""Products from which on a program for each phase is worth its making."""


class _Windows(NamedTuple):
    """What shapes and attributes say of a convolution.

    Attributes:
        axes: the windows along each axis between batch and channels.
        groups: how many runs of channels meet filters of their own.
        channels_first: whether images have their channels before the axes of windows.
    """

    axes: tuple[Axis, ...]
    groups: int
    channels_first: bool


_Sizes = Callable[[Shape, Shape, Attributes], _Windows]
_Write = Callable[[RecipeWriter, _Windows, Shape], Array | None]
"""Writes a recipe of images with the channels last, given the shape of the result; None where no routine applies."""


def _of_images(x: Shape, filter: Shape, attributes: Attributes, *, depthwise: bool = False) -> _Windows:
    info: ConvInfo = conv2d_info(x, filter, **conv2d_attributes(attributes), depthwise=depthwise)
    return _Windows(info.axes, info.groups, info.data_format == "NCHW")


def _of_channels(x: Shape, filter: Shape, attributes: Attributes) -> _Windows:
    return _of_images(x, filter, attributes, depthwise=True)


def _of_volumes(x: Shape, filter: Shape, attributes: Attributes) -> _Windows:
    info: VolumeInfo = conv3d_info(
        x, filter, attributes["strides"], attributes.get("dilations", (1, 1, 1)), attributes["pad"]
    )
    return _Windows(info.axes, 1, False)


def _forward(sizes: _Sizes, write: _Write) -> MakeRecipe:
    """A recipe of a kernel of `x` and `filter`."""
    return _made(sizes, write, images=(0,), makes_image=True)


def _for_input(sizes: _Sizes, write: _Write) -> MakeRecipe:
    """A recipe of a kernel of `dy` and `filter`."""

    def sizes_of(dy: Shape, filter: Shape, attributes: Attributes) -> _Windows:
        return sizes(tuple(attributes["input_shape"]), filter, attributes)

    return _made(sizes_of, write, images=(0,), makes_image=True)


def _for_filter(sizes: _Sizes, write: _Write) -> MakeRecipe:
    """A recipe of a kernel of `x` and `dy`."""

    def sizes_of(x: Shape, dy: Shape, attributes: Attributes) -> _Windows:
        return sizes(x, tuple(attributes["filter_shape"]), attributes)

    return _made(sizes_of, write, images=(0, 1), makes_image=False)


def _made(sizes: _Sizes, write: _Write, images: Sequence[int], *, makes_image: bool) -> MakeRecipe:
    """Recipes of kernels some of whose inputs are images; those with the channels first are turned around."""

    def make(
        specs: Sequence[TensorSpec | None], attributes: Attributes, wanted: Sequence[TensorSpec], target: Target
    ) -> Recipe | None:
        given = [spec for spec in specs if spec is not None]
        (spec,) = wanted
        if any(one.dtype != "float32" or not prod(one.shape) for one in (*given, spec)):
            return None
        windows = sizes(given[0].shape, given[1].shape, attributes)
        writer, shape = RecipeWriter(given, target), spec.shape
        if not windows.channels_first:
            result = write(writer, windows, shape)
            return None if result is None else writer.recipe([result], [spec])
        for number in images:
            writer.inputs[number] = _transposed(writer, writer.inputs[number], (0, 2, 3, 1))
        result = write(writer, windows, (shape[0], *shape[2:], shape[1]) if makes_image else shape)
        if result is None:
            return None
        return writer.recipe([_transposed(writer, result, (0, 3, 1, 2)) if makes_image else result], [spec])

    return make


def _transposed(writer: RecipeWriter, x: Array, order: Sequence[int]) -> Array:
    shape = [x.shape[axis] for axis in order]
    return writer.define(compute(shape, lambda *at: x[[at[order.index(axis)] for axis in range(x.rank)]]))


# --- correlations ----------------------------------------------------------------------------------------------


def is_product(axes: Sequence[Axis]) -> bool:
    """Whether what windows see lies in memory as they see it: one pixel each, or the whole image."""
    sees_all = all(axis.window == axis.size and axis.out == axis.dilation == 1 and not axis.before for axis in axes)
    return sees_all or _sees_pixels(axes)


def _sees_pixels(axes: Sequence[Axis]) -> bool:
    """Whether each window is one pixel, and each pixel a window."""
    return all(axis.window == axis.stride == 1 and not axis.before and axis.size == axis.out for axis in axes)


def _correlated(writer: RecipeWriter, x: Array, axes: Sequence[Axis], weights: Array, groups: int = 1) -> Array:
    """Windows times weights.

    Args:
        writer: what writes the recipe.
        x: images `[batch, ..., channels]`, or `[groups, batch, ..., channels]`.
        axes: the windows along the axes between batch and channels.
        weights: `[*window, channels, columns]`, likewise.
        groups: how many images and weights there are.
    """
    *batch, columns = *x.shape[: -1 - len(axes)], weights.shape[-1]
    shape = (*batch, *(axis.out for axis in axes), columns)
    if len(axes) == 3:
        x, weights = _along_depth(writer, x, axes[0]), _depth_last(writer, weights)
        axes = axes[1:]
    depth = weights.size // (columns * groups)
    multiplied = is_product(axes)
    pixels = prod(shape[1:-1]) if groups > 1 else prod(shape[:-1])
    layout = best_layout(depth, columns, writer.target, kept=False) if multiplied else outer_layout(writer.target)
    operand = Operand(columns, 1, batch=0 if groups == 1 else depth * columns)
    packed = writer.packed(weights, depth, columns, operand, layout, groups)
    if multiplied:
        rows = (groups, pixels, columns) if groups > 1 else (pixels, columns)
        left = Operand(depth, 1, batch=pixels * depth if groups > 1 else 0)
        result = Array(rows, "float32")
        routine = matmul(result, depth, left, writer.target, layout=layout, weights_batch=groups > 1)
    else:
        down, across = axes
        result = Array((*x.shape[:-3], down.out, across.out, columns), "float32")
        routine = convolve(result, down, across, x.shape[-1], writer.target)
    return writer.apply(routine, [x, packed], shape, prod(shape) * depth // PRODUCTS_PER_WORK)


def _along_depth(writer: RecipeWriter, x: Array, axis: Axis) -> Array:
    """Volumes as images whose channels are those of all planes that a window sees, `[batch * out, ..., channels]`."""
    batch, _, height, width, channels = x.shape
    shape = (batch * axis.out, height, width, axis.window * channels)
    if _sees_pixels([axis]):
        return writer.seen_as(x, shape)

    def pixel(image: Expr, window: Expr, row: Expr, column: Expr, tap: Expr, channel: Expr) -> Expr:
        plane = simplify(window * axis.stride + tap * axis.dilation - axis.before)
        return guarded(in_range(plane, axis.size), x[image, plane, row, column, channel])

    made = writer.define(compute((batch, axis.out, height, width, axis.window, channels), pixel))
    return writer.seen_as(made, shape)


def _depth_last(writer: RecipeWriter, weights: Array) -> Array:
    """Weights of volumes as those of such images."""
    depth, height, width, channels, columns = weights.shape
    shape = (height, width, depth * channels, columns)
    if depth == 1:
        return writer.seen_as(weights, shape)
    turned = compute(
        (height, width, depth, channels, columns), lambda p, q, plane, *rest: weights[[plane, p, q, *rest]]
    )
    return writer.seen_as(writer.define(turned), shape)


def _apart(writer: RecipeWriter, x: Array, groups: int) -> Array:
    """The runs of channels of images, each run as images of its own: `[groups, ..., channels / groups]`."""
    count = x.shape[-1] // groups
    return writer.define(
        compute(
            (groups, *x.shape[:-1], count),
            lambda group, *at: x[[*at[:-1], simplify(group * count + at[-1])]],
        )
    )


def _joined(writer: RecipeWriter, x: Array) -> Array:
    """The opposite of `_apart`."""
    groups, *shape, count = x.shape
    return writer.define(
        compute(
            (*shape, groups * count),
            lambda *at: x[[quotient(at[-1], count), *at[:-1], modulo(at[-1], count)]],
        )
    )


def _fits(shape: Shape, columns: int) -> bool:
    return prod(shape[:-1]) >= FEWEST_PIXELS and columns >= FEWEST_COLUMNS


def _convolution(writer: RecipeWriter, windows: _Windows, shape: Shape) -> Array | None:
    x, filter = writer.inputs
    axes, groups = windows.axes, windows.groups
    if not _fits(shape, shape[-1] // groups):
        return None
    if groups == 1:
        return _correlated(writer, x, axes, filter)
    return _joined(writer, _correlated(writer, _apart(writer, x, groups), axes, _apart(writer, filter, groups), groups))


# --- gradients for inputs --------------------------------------------------------------------------------------


def _back_to_input(writer: RecipeWriter, windows: _Windows, shape: Shape) -> Array | None:
    dy, filter = writer.inputs
    axes, groups = windows.axes, windows.groups
    if not _fits(dy.shape, shape[-1] // groups) or (len(axes) == 3 and shape[-1] < FEWEST_COLUMNS_OF_VOLUMES):
        return None
    if all(axis.stride == 1 for axis in axes):
        around = list(map(_windows_back, axes))
        if groups == 1:
            return _correlated(writer, dy, around, _turned_weights(writer, filter))
        weights = _turned_weights(writer, _apart(writer, filter, groups), groups)
        return _joined(writer, _correlated(writer, _apart(writer, dy, groups), around, weights, groups))
    if groups > 1 or any(axis.dilation > 1 for axis in axes):
        return None
    taps = prod(axis.window for axis in axes)
    if prod(-(-axis.window // axis.stride) * axis.stride for axis in axes) <= MOST_PHASED * taps:
        return _in_phases(writer, dy, filter, axes)
    if len(axes) == 2 and dy.size * taps * shape[-1] >= WORTH_PHASES:
        return _phase_by_phase(writer, dy, filter, axes)
    return None


def _windows_back(axis: Axis) -> Axis:
    """The windows of a convolution of the output, with its taps in reverse order, that make the gradient for the input.

    Only where windows have a stride of 1.
    """
    return _phase_windows(axis, 0, axis.window, 0, axis.size)


def _phase_windows(axis: Axis, phase: int, window: int, start: int, size: int) -> Axis:
    """Such windows for pixels of one phase, where windows have strides.

    A pixel at `stride * m + phase`, counted from where the padding begins, is seen by the output's windows `m - t`, at
    their taps `phase + stride * t`.

    Args:
        axis: the windows over the input.
        phase: which of the pixels.
        window: how many windows see one of them.
        start: the first `m`, for a stride of more than 1.
        size: how many there are.
    """
    reach = (window - 1) * axis.dilation
    before = reach - (start if axis.stride > 1 else axis.before)
    return Axis(axis.out, size, window, 1, axis.dilation, before, max(0, size + reach - axis.out - before))


def _turned_weights(writer: RecipeWriter, filter: Array, groups: int = 1) -> Array:
    """The filter with its taps in reverse order and its channels exchanged."""
    outer, (*window, inputs, outputs) = ([], filter.shape) if groups == 1 else ([groups], filter.shape[1:])
    rank = len(outer)

    def weight(*at: Expr) -> Expr:
        *taps, output, channel = at[rank:]
        back = [simplify(length - 1 - tap) for length, tap in zip(window, taps, strict=True)]
        return filter[[*at[:rank], *back, channel, output]]

    return writer.define(compute((*outer, *window, outputs, inputs), weight))


def _in_phases(writer: RecipeWriter, dy: Array, filter: Array, axes: Sequence[Axis]) -> Array:
    """Pixels that lie a stride apart are seen by the same taps: phases are channels of one correlation."""
    *window, inputs, outputs = filter.shape
    rank, strides = len(axes), [axis.stride for axis in axes]
    taps = [-(-axis.window // axis.stride) for axis in axes]

    def weight(*at: Expr) -> Expr:
        back, output, phases, channel = at[:rank], at[rank], at[rank + 1 : -1], at[-1]
        there = [
            simplify(phase + (count - 1 - number) * stride)
            for phase, count, number, stride in zip(phases, taps, back, strides, strict=True)
        ]
        return guarded(all_hold(map(in_range, there, window)), filter[[*there, channel, output]])

    weights = writer.define(compute((*taps, outputs, *strides, inputs), weight))
    weights = writer.seen_as(weights, (*taps, outputs, prod(strides) * inputs))
    seen = []
    for axis, count in zip(axes, taps, strict=True):
        start = axis.before // axis.stride
        seen.append(_phase_windows(axis, 0, count, start, (axis.size - 1 + axis.before) // axis.stride - start + 1))
    phased = _correlated(writer, dy, seen, weights)
    phased = writer.seen_as(phased, (*phased.shape[:-1], *strides, inputs))

    def pixel(*at: Expr) -> Expr:
        batch, *here, channel = at
        blocks, phases = _blocks(axes, here)
        return phased[[batch, *blocks, *phases, channel]]

    return writer.define(compute((dy.shape[0], *(axis.size for axis in axes), inputs), pixel))


def _blocks(axes: Sequence[Axis], here: Sequence[Expr]) -> tuple[list[Expr], list[Expr]]:
    """Which pixel of its phase a pixel is, along each axis, and which phase."""
    reached = [(position + axis.before, axis) for position, axis in zip(here, axes, strict=True)]
    blocks = [simplify(quotient(at, axis.stride) - axis.before // axis.stride) for at, axis in reached]
    return blocks, [modulo(at, axis.stride) for at, axis in reached]


def _phase_by_phase(writer: RecipeWriter, dy: Array, filter: Array, axes: Sequence[Axis]) -> Array:
    """Like `_in_phases`, with a correlation for each phase, which adds up no zeros."""
    *_, inputs, outputs = filter.shape
    starts = [axis.before // axis.stride for axis in axes]
    sizes = [(axis.size - 1 + axis.before) // axis.stride - start + 1 for axis, start in zip(axes, starts, strict=True)]
    parts: list[tuple[tuple[int, ...], Array]] = []
    for phases in product(*(range(axis.stride) for axis in axes)):
        taps = [-(-(axis.window - phase) // axis.stride) for axis, phase in zip(axes, phases, strict=True)]
        if min(taps) < 1:
            continue

        def weight(*at: Expr, phases: Sequence[int] = phases, taps: Sequence[int] = taps) -> Expr:
            *back, output, channel = at
            there = [
                simplify(phase + (count - 1 - number) * axis.stride)
                for phase, count, number, axis in zip(phases, taps, back, axes, strict=True)
            ]
            return filter[[*there, channel, output]]

        weights = writer.define(compute((*taps, outputs, inputs), weight))
        seen = [_phase_windows(*along) for along in zip(axes, phases, taps, starts, sizes, strict=True)]
        parts.append((phases, _correlated(writer, dy, seen, weights)))

    def pixel(*at: Expr) -> Expr:
        batch, *here, channel = at
        blocks, phases = _blocks(axes, here)
        value: Expr | Number = 0
        for numbers, part in parts:
            same = all_hold(call("equal", phase, number) for phase, number in zip(phases, numbers, strict=True))
            value = select(same, part[[batch, *blocks, channel]], value)
        return value if isinstance(value, Expr) else filter[(0,) * filter.rank] * 0

    return writer.define(compute((dy.shape[0], *(axis.size for axis in axes), inputs), pixel))


# --- gradients for filters -------------------------------------------------------------------------------------


def _padded(writer: RecipeWriter, x: Array, axes: Sequence[Axis], multiplier: int = 1) -> tuple[Array, list[Axis]]:
    """Images that all windows lie inside, channels repeated so many times, and the windows along them."""
    sizes = [(axis.out - 1) * axis.stride + (axis.window - 1) * axis.dilation + 1 for axis in axes]
    is_inside = all(not axis.before and size <= axis.size for axis, size in zip(axes, sizes, strict=True))
    if is_inside and multiplier == 1:
        return x, list(axes)

    def pixel(*at: Expr) -> Expr:
        batch, *place, channel = at
        seen = [simplify(position - axis.before) for position, axis in zip(place, axes, strict=True)]
        value = x[[batch, *seen, quotient(channel, multiplier)]]
        return guarded(all_hold(map(in_range, seen, x.shape[1:-1])), value)

    made = writer.define(compute((x.shape[0], *sizes, x.shape[-1] * multiplier), pixel))
    return made, [axis._replace(size=size, before=0, after=0) for axis, size in zip(axes, sizes, strict=True)]


def _back_to_filter(writer: RecipeWriter, windows: _Windows, shape: Shape) -> Array:
    image, axes = _padded(writer, writer.inputs[0], windows.axes)
    dy = writer.inputs[1]
    routine = filter_gradient(image.shape, axes, shape[-1], writer.target, groups=windows.groups)
    return writer.apply(routine, [image, dy], shape, prod(shape) * prod(dy.shape[:-1]) // PRODUCTS_PER_WORK)


# --- channel by channel ----------------------------------------------------------------------------------------


def _slid(writer: RecipeWriter, x: Array, filter: Array, axes: Sequence[Axis]) -> Array:
    rows, columns = axes
    result = Array((x.shape[0], rows.out, columns.out, x.shape[-1]), "float32")
    routine = slide("depthwise", result, rows, columns, writer.target)
    products = result.size * rows.window * columns.window
    return writer.apply(routine, [x, filter], result.shape, products // PRODUCTS_PER_WORK)


def _depthwise(writer: RecipeWriter, windows: _Windows, shape: Shape) -> Array | None:
    x, filter = writer.inputs
    multiplier = filter.shape[-1]
    if shape[-1] < 2:
        return None
    if multiplier > 1:
        x = writer.define(compute((*x.shape[:-1], shape[-1]), lambda *at: x[[*at[:-1], quotient(at[-1], multiplier)]]))
    return _slid(writer, x, filter, windows.axes)


def _depthwise_back_to_input(writer: RecipeWriter, windows: _Windows, shape: Shape) -> Array | None:
    dy, filter = writer.inputs
    height, width, _, multiplier = filter.shape
    axes = windows.axes
    if dy.shape[-1] < 2 or any(axis.stride > 1 for axis in axes):
        return None
    back = compute(filter.shape, lambda p, q, *at: filter[[simplify(height - 1 - p), simplify(width - 1 - q), *at]])
    around = list(map(_windows_back, axes))
    given = _slid(writer, dy, writer.define(back), around)
    if multiplier == 1:
        return given
    given = writer.seen_as(given, (*shape, multiplier))
    return writer.define(compute(shape, lambda *at: sum_over([multiplier], lambda number: given[[*at, number]])))


def _depthwise_back_to_filter(writer: RecipeWriter, windows: _Windows, shape: Shape) -> Array:
    image, axes = _padded(writer, writer.inputs[0], windows.axes, shape[-1])
    dy = writer.inputs[1]
    routine = depthwise_filter_gradient(image.shape, axes, writer.target)
    return writer.apply(routine, [image, dy], shape, prod(shape) * prod(dy.shape[:-1]) // PRODUCTS_PER_WORK)


CONVOLUTIONS: Final[dict[str, MakeRecipe]] = {
    "Conv2D": _forward(_of_images, _convolution),
    "Conv2DBackpropInput": _for_input(_of_images, _back_to_input),
    "Conv2DBackpropFilter": _for_filter(_of_images, _back_to_filter),
    "Conv3D": _forward(_of_volumes, _convolution),
    "Conv3DBackpropInputV2": _for_input(_of_volumes, _back_to_input),
    "Conv3DBackpropFilterV2": _for_filter(_of_volumes, _back_to_filter),
    "DepthwiseConv2dNative": _forward(_of_channels, _depthwise),
    "DepthwiseConv2dNativeBackpropInput": _for_input(_of_channels, _depthwise_back_to_input),
    "DepthwiseConv2dNativeBackpropFilter": _for_filter(_of_channels, _depthwise_back_to_filter),
}
"""The kernels of convolutions that have routines."""
