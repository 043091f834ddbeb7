"""Pooling and its gradients by routines: windows that slide over images, and what they give back."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

from tenfold.backends.wasm.calls import Recipe
from tenfold.backends.wasm.recipes import PRODUCTS_PER_WORK, MakeRecipe, RecipeWriter, guarded
from tenfold.codegen.compute import Array, both, compute, in_range, simplify
from tenfold.codegen.expr import Expr, call, cast, constant
from tenfold.codegen.loops.program import Target
from tenfold.codegen.routines.window_maxima import maximum_gradient, maximum_positions
from tenfold.codegen.routines.windows import slide
from tenfold.core.kernel import Attributes, TensorSpec
from tenfold.core.storage import Shape
from tenfold.core.windows import Axis, ConvInfo, pool2d_info

FEWEST_CHANNELS: Final = 4
"""Lanes are channels."""

FARTHEST_PIXEL: Final = 1 << 29
"""Positions of elements from here on are found by definitions: routines count in bytes, with a sign."""

POOLED_AS: Final = {"AvgPool": "sum", "MaxPool": "largest"}
"""How the kernels of pooling combine taps."""


def pool_info(x: Shape, attributes: Attributes) -> ConvInfo:
    """What shapes and attributes say of a pooling."""
    return pool2d_info(
        x, attributes["filter_size"], attributes["strides"], attributes["pad"], attributes.get("dim_rounding_mode")
    )


def slides(info: ConvInfo) -> bool:
    """Whether windows are better slid over an image than each looked at: those that overlap along rows."""
    return info.in_channels > 1 and info.out_width > 1 and info.filter_width > info.stride_width


def pooled(kernel: str, result: Array, axes: Sequence[Axis]) -> Array:
    """What a pooling makes of `result`, its taps combined: the same, or the mean."""
    if POOLED_AS[kernel] != "sum":
        return result
    return compute(result.shape, lambda *at: result[at] / _pixels_seen(axes, at[1:-1]))


def _pixels_seen(axes: Sequence[Axis], windows: Sequence[Expr]) -> Expr:
    """How many taps of a window lie inside the image; they stand side by side."""
    count = constant(1, "int32")
    for axis, window in zip(axes, windows, strict=True):
        before = call("maximum", axis.before - window * axis.stride, 0)
        after = call("maximum", window * axis.stride + (axis.window - axis.before - axis.size), 0)
        count = simplify(count * call("maximum", axis.window - before - after, 0))
    return constant(count.value, "float32") if count.function == "constant" else cast(count, "float32")


def _pooling(kernel: str) -> MakeRecipe:
    def make(
        specs: Sequence[TensorSpec | None], attributes: Attributes, wanted: Sequence[TensorSpec], target: Target
    ) -> Recipe | None:
        given, (spec,) = [one for one in specs if one is not None], wanted
        info = pool_info(given[0].shape, attributes)
        if not _is_float((*given, spec)) or not slides(info):
            return None
        rows, columns = info.axes
        result = Array(spec.shape, "float32")
        finished = pooled(kernel, result, info.axes)
        routine = slide(POOLED_AS[kernel], result, rows, columns, target, finished=finished)
        writer = RecipeWriter(given, target)
        work = result.size * rows.window * columns.window // PRODUCTS_PER_WORK
        return writer.recipe([writer.apply(routine, writer.inputs, spec.shape, work)], [spec])

    return make


def _is_float(specs: Sequence[TensorSpec]) -> bool:
    return all(spec.dtype == "float32" and prod(spec.shape) for spec in specs)


def _max_gradient(
    specs: Sequence[TensorSpec | None], attributes: Attributes, wanted: Sequence[TensorSpec], target: Target
) -> Recipe | None:
    given, (spec,) = [one for one in specs if one is not None], wanted
    if not _is_float((*given, spec)) or spec.shape[-1] < FEWEST_CHANNELS:
        return None
    info = pool_info(spec.shape, attributes)
    rows, columns = info.axes
    routine = maximum_gradient(spec.shape, rows, columns, target)
    writer = RecipeWriter(given, target)
    taps = prod(info.out_shape) * rows.window * columns.window
    return writer.recipe([writer.apply(routine, writer.inputs, spec.shape, taps)], [spec])


def _mean_gradient(
    specs: Sequence[TensorSpec | None], attributes: Attributes, wanted: Sequence[TensorSpec], target: Target
) -> Recipe | None:
    """Where an image has one window, whose definition would ask for as many as have taps."""
    given, (spec,) = [one for one in specs if one is not None], wanted
    rows, columns = pool_info(spec.shape, attributes).axes
    if not _is_float((*given, spec)) or rows.out != 1 or columns.out != 1:
        return None
    writer = RecipeWriter(given, target)
    dy, zero = writer.inputs[0], constant(0, "int32")
    count = _pixels_seen((rows, columns), (zero, zero))

    def pixel(image: Expr, row: Expr, column: Expr, channel: Expr) -> Expr:
        seen = both(in_range(row + rows.before, rows.window), in_range(column + columns.before, columns.window))
        return guarded(seen, dy[image, 0, 0, channel] / count)

    return writer.recipe([writer.define(compute(spec.shape, pixel))], [spec])


def _max_with_positions(
    specs: Sequence[TensorSpec | None], attributes: Attributes, wanted: Sequence[TensorSpec], target: Target
) -> Recipe | None:
    given, (spec, _) = [one for one in specs if one is not None], wanted
    info = pool_info(given[0].shape, attributes)
    if not _is_float((*given, spec)) or spec.shape[-1] < FEWEST_CHANNELS or not slides(info):
        return None
    if prod(given[0].shape) >= FARTHEST_PIXEL:
        return None
    writer = RecipeWriter(given, target)
    rows, columns = info.axes
    taps = prod(spec.shape) * rows.window * columns.window
    slid = slide("largest", Array(spec.shape, "float32"), rows, columns, target)
    largest = writer.apply(slid, writer.inputs, spec.shape, taps // PRODUCTS_PER_WORK)
    in_batch = attributes.get("include_batch_in_index", False)
    routine = maximum_positions(given[0].shape, rows, columns, target, in_batch=in_batch)
    positions = writer.apply(routine, [*writer.inputs, largest], spec.shape, taps, "int32")
    return writer.recipe([largest, positions], wanted)


POOLINGS: Final[dict[str, MakeRecipe]] = {
    **{kernel: _pooling(kernel) for kernel in POOLED_AS},
    "AvgPoolGrad": _mean_gradient,
    "MaxPoolGrad": _max_gradient,
    "MaxPoolWithArgmax": _max_with_positions,
}
"""The kernels of pooling that have routines."""
