"""From the steps of a plan to draws over textures that are still to be made.

Images `[batch, height, width, channels]` of floats lie in columns once a convolution has made them so, everything else
is flat. Convolutions want their image in columns; all other kernels read each input as it lies. So conversions are
few. Cheap kernels that one other reads (padding, slices) are computed inside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

import numpy as np

from tenfold.backends.webgl.flat import ON_DEVICE
from tenfold.backends.webgl.routines.convolution import (
    OWN_SOURCES,
    PACKED,
    can_convolve,
    convolution,
    packed_filter,
    packed_shape,
    packed_values,
)
from tenfold.codegen.compute import Array, broadcast, compute, flatten, in_range, modulo, quotient, simplify
from tenfold.codegen.expr import Expr, constant, select
from tenfold.codegen.fusing import ElementwiseStage, applied, inlined, with_stages
from tenfold.codegen.glsl.epilogues import render_epilogue
from tenfold.codegen.glsl.layouts import FLAT, TEXEL, Columns, Extent, Flat, fits
from tenfold.codegen.glsl.renderer import loaded_arrays, placing, render
from tenfold.core.kernel import TensorSpec, find_kernel_definition
from tenfold.core.windows import ConvInfo, conv2d_attributes, conv2d_info
from tenfold.devices.gl.interface import INT32, Format, Limits
from tenfold.graph.plan import Plan, Step

Layout = Flat | Columns

MOST_COLUMNS: Final = 8
"""Render targets of a draw at most; what WebGL 2 promises is four."""

CONVOLUTIONS: Final = {"Conv2D": False, "DepthwiseConv2dNative": True}
"""The kernels that `routines.convolution` computes, and whether each channel has a filter of its own."""

INLINED: Final = frozenset(("PadV2", "Slice", "BroadcastTo", "Fill", "ZerosLike", "OnesLike"))
"""Kernels that are computed inside the elementwise kernel that reads them, if it is the only one."""


COMMUTATIVE: Final = frozenset(("Add", "Multiply"))
"""Kernels whose two operands may change places."""


WORTHWHILE: Final = 2**17
"""Products that a single multiplication of matrices must have before packing them pays."""


FEWEST_ROWS: Final = 8
"""Rows that such a product must have: with fewer, packing the second matrix costs more than it saves."""


class NotPlannedError(Exception):
    """A plan has a step that no draws compute."""


@dataclass(slots=True)
class Place:
    """A texture to be.

    Attributes:
        array: the array that it holds.
        layout: how.
        extent: its size.
        format: of its texels.
        values: what it holds all the time; None if draws write it.
    """

    array: Array
    layout: Layout
    extent: Extent
    format: Format
    values: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class PlannedDraw:
    """A draw over places.

    Attributes:
        body: the shader.
        samplers: the names of its textures.
        sources: what these are.
        target: where it writes.
        ints: the numbers of the uniform array `ints`.
        floats: those of `floats`.
    """

    body: str
    samplers: tuple[str, ...]
    sources: tuple[int, ...]
    target: int
    ints: tuple[int, ...]
    floats: tuple[float, ...] = ()


@dataclass(slots=True)
class Assembly:
    """What a plan becomes.

    Attributes:
        places: the textures.
        draws: what is drawn, in order.
        inputs: the place of each input of the plan; None for one that nothing reads.
        outputs: the place of each output of the plan; for one that is an input, that input's number as a negative one
            (-1 for the first).
    """

    places: list[Place]
    draws: list[PlannedDraw]
    inputs: list[int | None]
    outputs: list[int]


def best_columns(plan: Plan, most: int) -> int:
    """How many columns lie side by side in the images of a plan.

    A block of columns fetches a texel for each and four for the weights, and multiplies for about as long as a third of
    its fetches take; columns past the width are fetched for nothing. One number serves all images: they share programs.
    """
    convolutions = [step for step in plan.steps if step.kernel in CONVOLUTIONS]

    def cost(layers: int) -> float:
        total = 0.0
        for step in convolutions:
            shape = plan.specs[step.outputs[0]].shape
            filter = () if step.inputs[1] is None else plan.specs[step.inputs[1]].shape
            if len(shape) == len(filter) == 4:
                sums = filter[0] * filter[1] * (1 if CONVOLUTIONS[step.kernel] else filter[2])
                blocks = Columns(layers).blocks(shape[2])
                total += shape[0] * shape[1] * shape[3] * sums * blocks * (layers * 4 / 3 + 4)
        return total

    return min(range(most, 1, -1), key=cost) if convolutions and most > 1 else 1


def assemble(plan: Plan, float_format: Format, limits: Limits, flat: bool = False) -> Assembly:
    """Plan the draws.

    Args:
        plan: the plan.
        float_format: the format of textures of floats.
        limits: of the device.
        flat: whether inputs and outputs are flat, rather than as the draws would like them to lie.

    Raises:
        NotPlannedError: if there is a step that has to be run another way.
    """
    return _Assembler(plan, float_format, limits, flat).assembly()


class _Assembler:
    """Arrays stand for values: those that draws compute have a stage, and a place as soon as somebody reads them."""

    def __init__(self, plan: Plan, float_format: Format, limits: Limits, flat: bool) -> None:
        self._plan = plan
        self._flat = flat
        self._float_format = float_format
        self._limits = limits
        self._columns = Columns(best_columns(plan, min(MOST_COLUMNS, limits.draw_buffers)))
        self._readers = _count_readers(plan)
        self._places: list[Place] = []
        self._draws: list[PlannedDraw] = []
        self._arrays: dict[int, Array] = {}
        self._layouts: dict[int, Layout] = {}
        self._place_of: dict[tuple[int, Layout], int] = {}
        self._inputs: dict[int, int] = {}
        self._constants: dict[int, np.ndarray] = {}
        self._images = {step.inputs[0] for step in plan.steps if step.kernel in CONVOLUTIONS}
        self._convolved_later: set[int] = set()
        self._always_inside: list[Array] = []
        self._inside_elementwise: list[Array] = []
        for number in plan.inputs:
            spec = plan.specs[number]
            array = self._arrays[number] = Array(spec.shape, spec.dtype, number)
            self._inputs[id(array)] = number
            self._layouts[id(array)] = FLAT if flat else self._layout_of_input(number)
        for number, tensor in plan.constants.items():
            self._arrays[number] = self._constant(plan.specs[number], tensor.numpy())

    def assembly(self) -> Assembly:
        """All steps, in order."""
        for step in self._plan.steps:
            self._step(step)
        outputs = [self._output(number) for number in self._plan.outputs]
        inputs = [self._input_place(number) for number in self._plan.inputs]
        return Assembly(self._places, self._draws, inputs, outputs)

    def _constant(self, spec: TensorSpec, values: np.ndarray) -> Array:
        """A constant; a single number becomes a part of the shaders that read it.

        But not 0: what dividing by it gives is left to compilers that see it, and some give anything.
        """
        if values.size == 1 and spec.dtype != "complex64" and values.item() != 0:
            number = values.item()
            array = compute(spec.shape, lambda *_: constant(number, spec.dtype))
            self._always_inside.append(array)
        else:
            array = Array(spec.shape, spec.dtype, -1)
        self._constants[id(array)] = values
        return array

    # -- steps --------------------------------------------------------------------------------------------

    def _step(self, step: Step) -> None:
        if step.kernel in ("Identity", "Reshape") and not step.epilogue:
            self._view(step)
        elif not self._by_routine(step):
            self._defined(step)

    def _by_routine(self, step: Step) -> bool:
        """Whether a routine computes a step, which then is planned."""
        if step.kernel in CONVOLUTIONS:
            return self._convolved(step)
        return step.kernel == "BatchMatMul" and self._multiplied(step)

    def _input(self, number: int | None) -> Array:
        if number is None:
            raise NotPlannedError("a step without its input")
        return self._arrays[number]

    def _view(self, step: Step) -> None:
        """A value seen in another shape: the same texture, if the value is flat."""
        given, (output,) = self._input(step.inputs[0]), step.outputs
        spec = self._plan.specs[output]
        only_output = output in self._plan.outputs and self._readers[output] == 2 and id(given) not in self._inputs
        if given.shape == spec.shape or only_output:
            # The caller sees the values in the shape of the output, however they lie.
            self._arrays[output] = given
        elif isinstance(self._layout(given), Columns) or id(given) in self._inputs:
            self._arrays[output] = compute(spec.shape, lambda *i: given.at_flat(flatten(i, spec.shape)))
        else:
            seen = self._arrays[output] = Array(spec.shape, spec.dtype, -1)
            self._place_of[id(seen), FLAT] = self._place(given, FLAT)

    def _convolved(self, step: Step) -> bool:
        """Whether a convolution is one for the routine, which then is planned."""
        image, filter = self._input(step.inputs[0]), self._input(step.inputs[1])
        depthwise, spec = CONVOLUTIONS[step.kernel], self._plan.specs[step.outputs[0]]
        if {image.dtype, filter.dtype, spec.dtype} != {"float32"} or not image.size or 0 in spec.shape:
            return False
        info = _windows(step, image.shape, filter.shape, depthwise)
        if not can_convolve(info, depthwise) or not self._convolution_fits(info, filter, depthwise):
            return False
        target = self._with_epilogue(result := Array(spec.shape, "float32", -1), step)
        self._draw_convolution(info, image, filter, result, target, depthwise)
        self._arrays[step.outputs[0]] = target
        return True

    def _multiplied(self, step: Step) -> bool:
        """Whether a product of two matrices is worth the routine, which then is planned.

        It is a convolution by a window of one pixel, of an image with a row of the product in each pixel.
        """
        a, b = self._input(step.inputs[0]), self._input(step.inputs[1])
        spec = self._plan.specs[step.outputs[0]]
        *batch, rows, columns = spec.shape
        transpose_a, transpose_b = (bool(step.attributes.get(name)) for name in ("transpose_a", "transpose_b"))
        inner = a.shape[-2] if transpose_a else a.shape[-1]
        if a.dtype != "float32" or prod(batch) != 1 or rows < FEWEST_ROWS or rows * columns * inner < WORTHWHILE:
            return False
        across = min(rows, self._columns.layers)
        high = -(-rows // across)

        def left(_: Expr, high: Expr, across_: Expr, k: Expr) -> Expr:
            row = simplify(simplify(high * across) + across_)
            return select(in_range(row, rows), broadcast(a, [*_ZEROS[: a.rank - 2], *_pair(row, k, transpose_a)]), 0.0)

        def right(_: Expr, __: Expr, k: Expr, column: Expr) -> Expr:
            return broadcast(b, [*_ZEROS[: b.rank - 2], *_pair(k, column, transpose_b)])

        image, filter = compute([1, high, across, inner], left), compute([1, 1, inner, columns], right)
        info = conv2d_info(image.shape, filter.shape, 1, 1, "valid")
        if not self._convolution_fits(info, filter, depthwise=False):
            return False
        self._draw(image, Columns(across))
        result = Array((1, high, across, columns), "float32", -1)
        self._draw_convolution(info, image, filter, result, result, depthwise=False)

        def element(*i: Expr) -> Expr:
            *_, row, column = i
            return result[0, quotient(row, across), modulo(row, across), column]

        self._arrays[step.outputs[0]] = final = self._with_epilogue(compute(spec.shape, element), step)
        self._draw(final, FLAT)
        return True

    def _convolution_fits(self, info: ConvInfo, filter: Array, depthwise: bool) -> bool:
        """Whether the device has textures for image, filter and result."""
        extents = (
            self._columns_for(info.in_shape).extent(info.in_shape, "float32"),
            self._columns_of_result(info.out_shape).extent(info.out_shape, "float32"),
            PACKED.extent(packed_shape(filter.shape, depthwise), "float32"),
        )
        return all(map(self._fits, extents))

    def _draw_convolution(
        self, info: ConvInfo, image: Array, filter: Array, result: Array, target: Array, depthwise: bool
    ) -> None:
        """Draw what the epilogue in `target` makes of a convolution's `result`."""
        packed = self._packed(filter, depthwise)
        layout_in = self._image_layout(image)
        layout = self._columns_of_result(info.out_shape)
        epilogue = render_epilogue(target, result, layout, self._layouts_of(target), OWN_SOURCES)
        shader = convolution(info, layout_in, layout, epilogue, depthwise)
        sources = [self._place(image, layout_in), self._place(packed, PACKED)]
        sources += [self._place(source.array, source.layout) for source in epilogue.sources]
        floats = tuple(1 / side for place in sources[:OWN_SOURCES] for side in self._places[place].extent[:2])
        self._finish(target, layout, shader.body, shader.samplers, sources, shader.numbers, floats)

    def _packed(self, filter: Array, depthwise: bool) -> Array:
        """A filter as the routine reads it: at once if it is constant, else by a draw."""
        values = self._constants.get(id(filter))
        if values is None:
            packed = packed_filter(filter, depthwise)
            self._draw(packed, PACKED)
        else:
            packed = Array(packed_shape(filter.shape, depthwise), "float32", -1)
            self._constants[id(packed)] = packed_values(values, depthwise)
        return packed

    def _defined(self, step: Step) -> None:
        """Draws of what a kernel's definition says."""
        kernel = find_kernel_definition(step.kernel)
        if kernel is None or kernel.definition is None:
            raise NotPlannedError(step.kernel)
        inputs = [None if number is None else self._arrays[number] for number in step.inputs]
        if any(x is not None and x.dtype not in ON_DEVICE for x in inputs):
            raise NotPlannedError(step.kernel)
        made = applied(kernel.definition, inputs, step.attributes, elementwise=kernel.elementwise)
        for number, array in zip(step.outputs, made, strict=True):
            if not array.size or array.dtype not in ON_DEVICE:
                raise NotPlannedError(f"{step.kernel} of {array.dtype}{list(array.shape)}")
            final = self._with_epilogue(array, step)
            inside = [*self._always_inside, *(self._inside_elementwise if kernel.elementwise else ())]
            self._arrays[number] = final = inlined(final, inside)
            if number in self._images:
                self._convolved_later.add(id(final))
            if step.kernel in INLINED and self._readers[number] == 1:
                self._inside_elementwise.append(final)
            elif final.stage is not None:
                self._draw(final)

    def _with_epilogue(self, result: Array, step: Step) -> Array:
        """What the elementwise stages of a step make of its result, cheap operands inside."""
        stages = []
        for stage in step.epilogue:
            kernel = find_kernel_definition(stage.kernel)
            if kernel is None or kernel.definition is None:
                raise NotPlannedError(stage.kernel)
            operands = tuple(None if number is None else self._arrays[number] for number in stage.operands)
            if stage.kernel in COMMUTATIVE and operands[1] is None:
                operands = operands[::-1]  # one order, one program
            stages.append(ElementwiseStage(kernel.definition, operands, stage.attributes))
        fused = with_stages(result, stages)
        inside = [*self._always_inside, *self._inside_elementwise]
        return inlined(fused, [*inside, result] if result.stage is not None and stages else inside) if stages else fused

    # -- layouts ------------------------------------------------------------------------------------------

    def _layout(self, array: Array) -> Layout:
        return self._layouts.get(id(array), FLAT)

    def _layouts_of(self, array: Array) -> dict[int, Layout]:
        """The layouts of what an array is computed of, which may have to be drawn first."""
        sources = loaded_arrays(array.stage.body) if array.stage is not None else []
        for source in sources:
            if source.stage is not None and not self._is_placed(source):
                self._draw(source)
        return {id(source): self._layout(source) for source in sources}

    def _image_layout(self, image: Array) -> Columns:
        """The columns in which a convolution reads an image."""
        layout = self._layout(image)
        return layout if isinstance(layout, Columns) else self._columns_for(image.shape)

    def _columns_for(self, shape: Sequence[int]) -> Columns:
        """The columns of an image: pictures of few channels and single pixels have no reason to be dealt to layers."""
        return Columns(1) if shape[3] <= TEXEL or shape[2] == 1 else self._columns

    def _columns_of_result(self, shape: Sequence[int]) -> Columns:
        """The columns that a convolution writes."""
        return Columns(1) if shape[2] == 1 else self._columns

    def _layout_of_input(self, number: int) -> Layout:
        """Pictures that convolutions read come in columns: they are packed so before they are uploaded."""
        spec = self._plan.specs[number]
        readers = [step for step in self._plan.steps if number in step.inputs]
        if spec.dtype != "float32" or len(spec.shape) != 4 or not all(spec.shape) or not readers:
            return FLAT
        if not all(step.kernel in CONVOLUTIONS and step.inputs[0] == number for step in readers):
            return FLAT
        layout = self._columns_for(spec.shape)
        return layout if self._fits(layout.extent(spec.shape, spec.dtype)) else FLAT

    def _preferred(self, array: Array, layouts: Mapping[int, Layout]) -> Layout:
        """The layout for a result: columns for images that convolutions read or that are made of images in columns."""
        if array.rank != 4 or array.dtype != "float32" or array.shape[1] * array.shape[2] == 1:
            return FLAT
        if id(array) in self._convolved_later:
            layout = self._columns_for(array.shape)
        elif any(isinstance(layout, Columns) for layout in layouts.values()):
            layout = self._columns
        else:
            return FLAT
        return layout if self._fits(layout.extent(array.shape, array.dtype)) else FLAT

    def _fits(self, extent: Extent) -> bool:
        return fits(extent, self._limits.texture_size, self._limits.array_layers)

    # -- draws and places ---------------------------------------------------------------------------------

    def _draw(self, array: Array, layout: Layout | None = None) -> None:
        """Draw what a stage computes."""
        layouts = self._layouts_of(array)
        layout = layout or self._preferred(array, layouts)
        shader = render(array, layout, layouts)
        sources = [self._place(source, self._layout(source)) for source in shader.sources]
        self._finish(array, layout, shader.body, shader.samplers, sources, shader.numbers)

    def _finish(
        self,
        array: Array,
        layout: Layout,
        body: str,
        samplers: tuple[str, ...],
        sources: Sequence[int],
        numbers: tuple[int, ...],
        floats: tuple[float, ...] = (),
    ) -> None:
        """File a draw and where its result lies."""
        if len(sources) > self._limits.texture_units:
            raise NotPlannedError(f"a kernel of {len(sources)} inputs")
        self._layouts[id(array)] = layout
        target = self._new_place(array, layout)
        ints = (*map(self._placing, (target, *sources)), *numbers)
        self._draws.append(PlannedDraw(body, samplers, tuple(sources), target, ints, floats))

    def _placing(self, place: int) -> int:
        there = self._places[place]
        return placing(there.array, there.layout, there.extent)

    def _is_placed(self, array: Array) -> bool:
        return (id(array), self._layout(array)) in self._place_of

    def _place(self, array: Array, layout: Layout) -> int:
        """The place where an array lies in a layout, drawn now if need be."""
        found = self._place_of.get((id(array), layout))
        if found is not None:
            return found
        if id(array) in self._constants:
            return self._new_place(array, layout, self._constants[id(array)])
        if id(array) in self._inputs and layout == self._layout(array):
            return self._new_place(array, layout)
        if array.stage is not None and not self._is_placed(array):
            self._draw(array)
            return self._place(array, layout)
        return self._converted(array, layout)

    def _converted(self, array: Array, layout: Layout) -> int:
        """The place of an array in another layout than its own."""
        own = self._layout(array)
        source = self._place(array, own)
        shader = render(compute(array.shape, lambda *i: array[i]), layout, {id(array): own})
        target = self._new_place(array, layout)
        ints = (self._placing(target), self._placing(source), *shader.numbers)
        self._draws.append(PlannedDraw(shader.body, shader.samplers, (source,), target, ints))
        return target

    def _new_place(self, array: Array, layout: Layout, values: np.ndarray | None = None) -> int:
        extent = layout.extent(array.shape, array.dtype)
        if not self._fits(extent):
            raise NotPlannedError(f"a value of shape {list(array.shape)}")
        form = INT32 if array.dtype in ("int32", "bool") else self._float_format
        self._places.append(Place(array, layout, extent, form, values))
        self._place_of[id(array), layout] = len(self._places) - 1
        return len(self._places) - 1

    def _input_place(self, number: int) -> int | None:
        array = self._arrays[number]
        return self._place_of.get((id(array), self._layout(array)))

    def _output(self, number: int) -> int:
        array = self._arrays[number]
        if id(array) in self._inputs:
            return -1 - self._plan.inputs.index(self._inputs[id(array)])
        return self._place(array, FLAT if self._flat else self._layout(array))


_ZEROS: Final = [constant(0, "int32")] * 4


def _pair(first: Expr, second: Expr, transposed: bool) -> tuple[Expr, Expr]:
    return (second, first) if transposed else (first, second)


def _windows(step: Step, image: Sequence[int], filter: Sequence[int], depthwise: bool) -> ConvInfo:
    return conv2d_info(image, filter, **conv2d_attributes(step.attributes), depthwise=depthwise)


def _count_readers(plan: Plan) -> Counter[int | None]:
    """How often each value is read; outputs count as several."""
    counts: Counter[int | None] = Counter({number: 2 for number in plan.outputs})
    for step in plan.steps:
        counts.update(step.inputs)
        for stage in step.epilogue:
            counts.update(stage.operands)
    return counts
