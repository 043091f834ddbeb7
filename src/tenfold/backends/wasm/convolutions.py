"""Convolutions and their gradients by routines.

Everything comes down to two things. One is a correlation: windows of an image, or of several images side by side as the
planes of a volume, times a matrix of weights. So is the gradient for the input, over the gradient of the output with
weights turned around. The other is the gradient for the filter, sums of outer products of what taps see and of the
gradient of the output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Final

from tenfold.backends.wasm.calls import Recipe
from tenfold.backends.wasm.recipes import MakeRecipe, RecipeWriter
from tenfold.codegen.compute import Array
from tenfold.codegen.loops.program import Target
from tenfold.codegen.routines.convolution import convolve
from tenfold.codegen.routines.matmul import matmul
from tenfold.codegen.routines.packing import Operand
from tenfold.codegen.routines.windows import slide
from tenfold.core.kernel import Attributes, TensorSpec
from tenfold.core.storage import Shape
from tenfold.core.windows import Axis, ConvInfo, conv2d_info

FEWEST_PIXELS: Final = 8
"""With fewer pixels of output, packing the filter takes longer than it saves."""

_Plan = Callable[[RecipeWriter, ConvInfo], Array | None]


def _image_info(x: Shape, filter: Shape, attributes: Attributes, *, depthwise: bool) -> ConvInfo:
    return conv2d_info(
        x,
        filter,
        attributes["strides"],
        attributes.get("dilations", (1, 1)),
        attributes["pad"],
        attributes.get("data_format", "NHWC"),
        attributes.get("dim_rounding_mode"),
        depthwise,
    )


def _routine(
    shapes: Callable[[Sequence[Shape], Attributes], tuple[Shape, Shape]], depthwise: bool, do: _Plan
) -> MakeRecipe:
    """A routine of images with the channels last, where nothing is empty."""

    def make(
        specs: Sequence[TensorSpec | None], attributes: Attributes, wanted: Sequence[TensorSpec], target: Target
    ) -> Recipe | None:
        given = [spec for spec in specs if spec is not None]
        if any(spec.dtype != "float32" or not prod(spec.shape) for spec in (*given, *wanted)):
            return None
        info = _image_info(*shapes([spec.shape for spec in given], attributes), attributes, depthwise=depthwise)
        if info.data_format != "NHWC":
            return None
        writer = RecipeWriter(given, target)
        result = do(writer, info)
        return None if result is None else writer.recipe(result, wanted[0])

    return make


def is_product(axes: Sequence[Axis]) -> bool:
    """Whether each window is one pixel, and each pixel a window."""
    return all(axis.window == axis.stride == 1 and not axis.before and axis.size == axis.out for axis in axes)


def _correlated(writer: RecipeWriter, x: Array, axes: Sequence[Axis], weights: Array, columns: int) -> Array:
    """Windows of images `[batch, rows, columns, channels]` times weights `[window, channels, columns]`."""
    shape = (x.shape[0], *(axis.out for axis in axes), columns)
    depth = weights.size // columns
    packed = writer.packed(weights, depth, columns, Operand(columns, 1))
    result, channels = Array(shape, "float32"), x.shape[-1]
    if is_product(axes):
        routine = matmul(result, depth, Operand(depth, 1), writer.target)
    else:
        rows, across = axes
        routine = convolve(result, rows, across, channels, writer.target)
    return writer.apply(routine, [x, packed], shape, result.size * depth)


# --- forwards --------------------------------------------------------------------------------------------------


def _convolution(writer: RecipeWriter, info: ConvInfo) -> Array | None:
    x, filter = writer.inputs
    if info.groups != 1 or prod(info.out_shape[:3]) < FEWEST_PIXELS:
        return None
    return _correlated(writer, x, info.axes, filter, info.out_channels)


def _depthwise(writer: RecipeWriter, info: ConvInfo) -> Array | None:
    x, filter = writer.inputs
    if info.multiplier != 1 or info.in_channels < 2:
        return None
    return _slid(writer, x, filter, info.axes)


def _slid(writer: RecipeWriter, x: Array, filter: Array, axes: Sequence[Axis]) -> Array:
    rows, across = axes
    result = Array((x.shape[0], rows.out, across.out, x.shape[-1]), "float32")
    routine = slide("depthwise", result, rows, across, writer.target)
    return writer.apply(routine, [x, filter], result.shape, result.size * rows.window * across.window)


def _forward(shapes: Sequence[Shape], attributes: Attributes) -> tuple[Shape, Shape]:
    return shapes[0], shapes[1]


CONVOLUTIONS: Final[dict[str, MakeRecipe]] = {
    "Conv2D": _routine(_forward, False, _convolution),
    "DepthwiseConv2dNative": _routine(_forward, True, _depthwise),
}
"""The kernels of convolutions that have routines."""
